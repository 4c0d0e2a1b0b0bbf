//! The `jti` of an access token: which registrations the token was issued for, sealed.
//!
//! So a token ends with its client, subject or permission, although nothing is written when it is
//! issued and no claim tells numbers. It also takes more than a signing key to make a token that
//! introspection calls active: the other claims are bound to it.

use std::{sync::Arc, time::Duration};

use grantor_jose::{
    base64url_decode, base64url_encode,
    crypto::{SealingKey, random_bytes},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::clock::UnixTime;

/// How long tokens of an earlier version may have been made to live.
const LONGEST_LIFE: Duration = Duration::from_secs(86_400);

/// Which registrations an access token was issued for, by their numbers
/// ([`Revision::number`](crate::registry::Revision::number)): it ends with them, also when others
/// take over their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TokenOrigin {
    /// The client.
    pub(super) client: u64,
    /// The subject; `None` where the token is about the client itself, or a grant of the
    /// embedder's own knows no number.
    pub(super) subject: Option<u64>,
    /// The permission that it was issued under.
    pub(super) permission: Option<u64>,
}

/// The claims that a `jti` belongs to: moved to another token, it does not open.
pub(super) struct Claimed<'c> {
    pub(super) client: &'c str,
    pub(super) subject: &'c str,
    pub(super) audience: &'c str,
    pub(super) scope: &'c str,
    pub(super) issued_at: i64,
    pub(super) expires_at: i64,
}

impl Claimed<'_> {
    /// All of them, so that no two tokens' claims run together: as many line breaks as these are in
    /// no claim of ours.
    fn purpose(&self) -> Vec<u8> {
        let texts = [
            "jti of an access token",
            self.client,
            self.subject,
            self.audience,
            self.scope,
        ];
        let mut purpose =
            Vec::with_capacity(texts.iter().map(|text| text.len() + 1).sum::<usize>() + 16);
        for text in texts {
            purpose.extend_from_slice(text.as_bytes());
            purpose.push(b'\n');
        }
        purpose.extend_from_slice(&self.issued_at.to_be_bytes());
        purpose.extend_from_slice(&self.expires_at.to_be_bytes());
        purpose
    }
}

/// Seals the origin of a token into its `jti`, and reads it back. Cloning it shares the key.
///
/// Whoever keeps signing keys longer than the process lives keeps this key too: a token whose `jti`
/// does not open is not active.
#[derive(Clone, Debug)]
pub struct TokenIds {
    key: Arc<SealingKey>,
    since: Option<UnixTime>,
}

impl TokenIds {
    /// With a key of 16 random octets that is used for nothing else.
    pub fn new(key: &[u8; 16]) -> Self {
        Self {
            key: Arc::new(SealingKey::for_many(key)),
            since: None,
        }
    }

    /// With a key that is gone with the process.
    pub fn random() -> Self {
        Self::new(&Zeroizing::new(random_bytes()))
    }

    /// Takes tokens that were issued before `since` with a `jti` of another kind, as an earlier
    /// version did.
    #[must_use]
    pub fn since(self, since: UnixTime) -> Self {
        Self {
            since: Some(since),
            ..self
        }
    }

    /// A new `jti`, which no other token has, for the token with these claims.
    pub(super) fn seal(&self, origin: &TokenOrigin, claimed: &Claimed<'_>) -> String {
        let mut numbers = Vec::with_capacity(16);
        for number in [Some(origin.client), origin.subject, origin.permission] {
            // 0 is none.
            put(
                &mut numbers,
                number.map_or(0, |number| number.saturating_add(1)),
            );
        }
        base64url_encode(self.key.seal(&claimed.purpose(), &numbers))
    }

    /// The origin, if [`TokenIds::seal`] made this `jti` for a token with these claims.
    pub(super) fn open(&self, token_id: &str, claimed: &Claimed<'_>) -> Option<TokenOrigin> {
        let numbers = self
            .key
            .open(&claimed.purpose(), &base64url_decode(token_id)?)?;
        let mut rest = &numbers[..];
        let mut take = || take(&mut rest).map(|number| number.checked_sub(1));
        Some(TokenOrigin {
            client: take()??,
            subject: take()?,
            permission: take()?,
        })
    }

    /// Whether a token of this age may be one of before, whose `jti` says nothing: as long as such
    /// tokens may live.
    pub(super) fn takes_unsealed(&self, issued_at: UnixTime, now: UnixTime) -> bool {
        self.since
            .is_some_and(|since| issued_at < since && now < since.plus(LONGEST_LIFE))
    }
}

/// Seven bits an octet, the lowest first, the highest bit set on all but the last.
fn put(octets: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        octets.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    octets.push(number as u8);
}

fn take(octets: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (octet, rest) = octets.split_first()?;
        *octets = rest;
        number |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIMED: Claimed<'_> = Claimed {
        client: "a",
        subject: "a",
        audience: "a",
        scope: "a",
        issued_at: 1,
        expires_at: 2,
    };

    #[test]
    fn an_origin_comes_back_and_under_another_key_not() {
        let ids = TokenIds::random();
        for origin in [
            TokenOrigin {
                client: 0,
                subject: None,
                permission: None,
            },
            TokenOrigin {
                client: 1,
                subject: Some(0),
                permission: Some(127),
            },
            TokenOrigin {
                client: u64::MAX >> 1,
                subject: Some(128),
                permission: Some(1 << 40),
            },
        ] {
            let sealed = ids.seal(&origin, &CLAIMED);
            assert_eq!(ids.open(&sealed, &CLAIMED), Some(origin));
            assert_ne!(
                ids.seal(&origin, &CLAIMED),
                sealed,
                "no two tokens have one jti"
            );
            assert_eq!(TokenIds::random().open(&sealed, &CLAIMED), None);
            assert_eq!(ids.open(&sealed[1..], &CLAIMED), None);
            for other in [
                Claimed {
                    client: "b",
                    ..CLAIMED
                },
                Claimed {
                    subject: "b",
                    ..CLAIMED
                },
                Claimed {
                    audience: "b",
                    ..CLAIMED
                },
                Claimed {
                    scope: "b",
                    ..CLAIMED
                },
                Claimed {
                    issued_at: 2,
                    ..CLAIMED
                },
                Claimed {
                    expires_at: 3,
                    ..CLAIMED
                },
            ] {
                assert_eq!(ids.open(&sealed, &other), None);
            }
        }
        assert_eq!(ids.open("bm90IG91cnM", &CLAIMED), None);
    }
}
