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

use super::TokenFamily;
use crate::{clock::UnixTime, registry::PermissionNumbers};

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
    /// The operator's permission that it was issued under.
    pub(super) permission: Option<u64>,
    /// The person's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) consent: Option<u64>,
    /// The tokens that it ends together with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) family: Option<TokenFamily>,
    /// The issuer whose JWT it was issued for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) issuer: Option<u64>,
    /// The trust that took the JWT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trust: Option<u64>,
}

impl TokenOrigin {
    /// A token of this client, under no permission.
    pub(super) fn of_client(client: u64) -> Self {
        Self {
            client,
            subject: None,
            permission: None,
            consent: None,
            family: None,
            issuer: None,
            trust: None,
        }
    }

    /// The permissions that it was issued under.
    pub(super) fn permissions(&self) -> PermissionNumbers {
        PermissionNumbers {
            operator: self.permission,
            person: self.consent,
        }
    }

    /// The issuer and the trust that it was issued under.
    pub(super) fn trust(&self) -> Option<(u64, u64)> {
        self.issuer.zip(self.trust)
    }

    /// The octets that are sealed: for most tokens three numbers.
    fn to_octets(self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(16);
        let is_foreign = self.issuer.is_some() || self.trust.is_some();
        let is_longer = is_foreign || self.consent.is_some() || self.family.is_some();
        // No client: so a program that knows three numbers only, or four, takes it for none of its
        // own.
        octets.extend_from_slice(&[NONE; 2][..usize::from(is_longer) + usize::from(is_foreign)]);
        for number in [Some(self.client), self.subject, self.permission] {
            put(&mut octets, number);
        }
        if is_longer {
            put(&mut octets, self.consent);
        }
        if is_foreign {
            put(&mut octets, self.issuer);
            put(&mut octets, self.trust);
        }
        if let Some(family) = self.family {
            octets.extend_from_slice(family.as_bytes());
        }
        octets
    }

    fn from_octets(octets: &[u8]) -> Option<Self> {
        let (is_longer, is_foreign, mut rest) = match octets {
            [NONE, NONE, rest @ ..] => (true, true, rest),
            [NONE, rest @ ..] => (true, false, rest),
            rest => (false, false, rest),
        };
        let mut origin = Self {
            subject: None,
            permission: None,
            ..Self::of_client(take(&mut rest)??)
        };
        origin.subject = take(&mut rest)?;
        origin.permission = take(&mut rest)?;
        if is_longer {
            origin.consent = take(&mut rest)?;
            if is_foreign {
                origin.issuer = take(&mut rest)?;
                origin.trust = take(&mut rest)?;
            }
            origin.family = match rest {
                [] => None,
                family => Some(TokenFamily::from_bytes(family.try_into().ok()?)),
            };
        }
        Some(origin)
    }
}

/// The claims that a `jti` belongs to: moved to another token, it does not open.
pub(super) struct Claimed<'c> {
    pub(super) client: &'c str,
    pub(super) subject: &'c str,
    pub(super) audience: &'c str,
    pub(super) scope: &'c str,
    pub(super) issued_at: i64,
    pub(super) expires_at: i64,
    /// When the subject signed in, where the token says that.
    pub(super) auth_time: Option<i64>,
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
        if let Some(auth_time) = self.auth_time {
            purpose.extend_from_slice(&auth_time.to_be_bytes());
        }
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
        base64url_encode(self.key.seal(&claimed.purpose(), &origin.to_octets()))
    }

    /// The origin, if [`TokenIds::seal`] made this `jti` for a token with these claims.
    pub(super) fn open(&self, token_id: &str, claimed: &Claimed<'_>) -> Option<TokenOrigin> {
        let sealed = base64url_decode(token_id)?;
        TokenOrigin::from_octets(&self.key.open(&claimed.purpose(), &sealed)?)
    }

    /// Whether a token of this age may be one of before, whose `jti` says nothing: as long as such
    /// tokens may live.
    pub(super) fn takes_unsealed(&self, issued_at: UnixTime, now: UnixTime) -> bool {
        self.since
            .is_some_and(|since| issued_at < since && now < since.plus(LONGEST_LIFE))
    }
}

/// How no number is written.
const NONE: u8 = 0;

/// The number after this one, seven bits an octet, the lowest first, the highest bit set on all but
/// the last.
fn put(octets: &mut Vec<u8>, number: Option<u64>) {
    let mut rest = number.map_or(u64::from(NONE), |number| number.saturating_add(1));
    while rest >= 0x80 {
        octets.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    octets.push(rest as u8);
}

/// The number at the beginning, which may be none; `None` where there is nothing that [`put`] wrote.
fn take(octets: &mut &[u8]) -> Option<Option<u64>> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (octet, rest) = octets.split_first()?;
        *octets = rest;
        number |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Some(number.checked_sub(1));
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
        auth_time: None,
    };

    #[test]
    fn an_origin_comes_back_and_under_another_key_not() {
        let ids = TokenIds::random();
        let family = Some(TokenFamily::from_bytes([7; 16]));
        for origin in [
            TokenOrigin::of_client(0),
            TokenOrigin {
                subject: Some(0),
                permission: Some(127),
                ..TokenOrigin::of_client(1)
            },
            TokenOrigin {
                subject: Some(128),
                permission: Some(1 << 40),
                ..TokenOrigin::of_client(u64::MAX >> 1)
            },
            TokenOrigin {
                issuer: Some(1),
                trust: Some(1 << 20),
                ..TokenOrigin::of_client(4)
            },
            TokenOrigin {
                subject: Some(5),
                permission: Some(7),
                family,
                issuer: Some(u64::MAX >> 1),
                trust: Some(0),
                ..TokenOrigin::of_client(4)
            },
            TokenOrigin {
                subject: Some(5),
                consent: Some(300),
                ..TokenOrigin::of_client(4)
            },
            TokenOrigin {
                subject: Some(5),
                family,
                ..TokenOrigin::of_client(4)
            },
            TokenOrigin {
                subject: Some(5),
                permission: Some(1),
                consent: Some(u64::MAX >> 1),
                family,
                ..TokenOrigin::of_client(4)
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
                Claimed {
                    auth_time: Some(0),
                    ..CLAIMED
                },
            ] {
                assert_eq!(ids.open(&sealed, &other), None);
            }
        }
        assert_eq!(ids.open("bm90IG91cnM", &CLAIMED), None);
    }

    /// What databases and tokens of before hold: three numbers.
    const EARLIER: [u8; 6] = [6, 0x80, 1, 0x81, 0x80, 1];

    #[test]
    fn what_was_sealed_before_opens_and_is_sealed_as_before() {
        let origin = TokenOrigin {
            subject: Some(127),
            permission: Some(1 << 14),
            ..TokenOrigin::of_client(5)
        };
        assert_eq!(origin.to_octets(), EARLIER);
        assert_eq!(TokenOrigin::from_octets(&EARLIER), Some(origin));
        let ids = TokenIds::random();
        let sealed = ids.key.seal(&CLAIMED.purpose(), &EARLIER);
        let opened = ids.open(&base64url_encode(sealed), &CLAIMED);
        assert_eq!(opened, Some(origin));
    }

    /// It would take a token under a consent alone for one that needs no permission.
    #[test]
    fn a_program_that_knows_three_numbers_finds_no_client_in_four() {
        let origin = TokenOrigin {
            consent: Some(1),
            ..TokenOrigin::of_client(5)
        };
        assert_eq!(take(&mut &origin.to_octets()[..]), Some(None));
    }

    #[test]
    fn a_family_that_is_cut_is_no_origin() {
        let origin = TokenOrigin {
            family: Some(TokenFamily::from_bytes([7; 16])),
            ..TokenOrigin::of_client(5)
        };
        let octets = origin.to_octets();
        assert_eq!(TokenOrigin::from_octets(&octets), Some(origin));
        for length in [octets.len() - 1, octets.len() - 17] {
            assert_eq!(TokenOrigin::from_octets(&octets[..length]), None);
        }
    }
}
