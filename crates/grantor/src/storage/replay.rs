//! The replay guard: each (issuer, jti) is accepted once while its assertion could still be valid
//! (RFC 7523 §3 (7)), and so is whatever else works once: a proof, a code.

use async_trait::async_trait;
use grantor_jose::crypto;

use super::StoreError;
use crate::clock::UnixTime;

/// What a [`ReplayKey`] stands for. Keys of two kinds never meet, whatever texts they are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplayKind(&'static str);

impl ReplayKind {
    /// A JWT assertion: the issuer and its `jti`.
    pub const ASSERTION: Self = Self("");
    /// A DPoP proof (RFC 9449 §11.1): the key's thumbprint and the proof's `jti`.
    pub const PROOF: Self = Self("proof");
    /// An authorization code (RFC 6749 §4.1.2): the client and the code.
    pub const CODE: Self = Self("code");

    /// A yes to a consent page: the subject and the page.
    pub const CONSENT: Self = Self("consent");

    /// A kind of the embedder's own: a name with a colon, such as a URN, which no kind of ours
    /// has.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }
}

/// A fixed-size name for one use: 8 octets that tell the issuer, 24 that tell all.
///
/// How it is made is a stored format. With SHA-256, lengths as 8 octets in big-endian order, and
/// the first 8 octets replaced by the first of the issuer's digest:
///
/// | kind | digest | digest of the issuer |
/// |---|---|---|
/// | assertion | length of the issuer, issuer, `jti` | issuer |
/// | any other | as beside, name | 8 octets 0xff, length of the kind, kind, length of the owner, owner |
///
/// Another way would let in again what was used before: it is a migration in which both forms are
/// checked for as long as an assertion may live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplayKey([u8; 32]);

/// Which issuer a [`ReplayKey`] is of. Its quota is counted by it.
pub type IssuerTag = [u8; 8];

impl ReplayKey {
    /// The key of an assertion: digests issuer and jti, the issuer's length in front so that no two
    /// pairs run together.
    pub fn new(issuer: &str, token_id: &str) -> Self {
        let length = octets_of(issuer);
        Self::from_digests(
            crypto::sha256(&[&length, issuer.as_bytes(), token_id.as_bytes()]),
            crypto::sha256(&[issuer.as_bytes()]),
        )
    }

    /// The key of another kind of use: of what `owner` made, under the name that `owner` gave it.
    pub fn of(kind: ReplayKind, owner: &str, name: &str) -> Self {
        if kind == ReplayKind::ASSERTION {
            return Self::new(owner, name);
        }
        // No issuer is as long as that: no assertion's key is made of the same octets.
        let (kind_length, length) = (octets_of(kind.0), octets_of(owner));
        let beginning: [&[u8]; 5] = [
            &u64::MAX.to_be_bytes(),
            &kind_length,
            kind.0.as_bytes(),
            &length,
            owner.as_bytes(),
        ];
        let [a, b, c, d, e] = beginning;
        Self::from_digests(
            crypto::sha256(&[a, b, c, d, e, name.as_bytes()]),
            crypto::sha256(&beginning),
        )
    }

    fn from_digests(mut key: [u8; 32], issuer: [u8; 32]) -> Self {
        key[..8].copy_from_slice(&issuer[..8]);
        Self(key)
    }

    /// The key of these octets, as a backend kept them.
    pub fn from_bytes(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// The octets.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The same for all keys of one kind and issuer.
    pub fn issuer(&self) -> IssuerTag {
        self.0[..8].try_into().expect("8 octets")
    }

    /// A use of it, to be remembered until `end`.
    pub fn until(self, end: UnixTime) -> Used {
        Used {
            key: self,
            until: end,
        }
    }
}

/// How long a text is, in octets.
fn octets_of(text: &str) -> [u8; 8] {
    (text.len() as u64).to_be_bytes()
}

/// A use that is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// What is used.
    pub key: ReplayKey,
    /// When it could be used no more in any case: its record is kept until then.
    pub until: UnixTime,
}

/// How a claim went. Complete: each caller decides about each, and lets no use pass by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Claim {
    /// The first use of each. They are recorded, durably where the backend is durable.
    Fresh,
    /// This one, the first such of those claimed, was used before. Nothing is recorded.
    Replayed(ReplayKey),
    /// None was used before, but an issuer has as many claims in force as it may have. Nothing is
    /// recorded.
    OverQuota,
}

/// How many claims of one issuer may be in force at once where nothing else is set: 1,000,000.
pub const DEFAULT_REPLAY_QUOTA: u64 = 1_000_000;

/// Remembers what was used.
#[async_trait]
pub trait ReplayGuard: Send + Sync + 'static {
    /// Claims all of `uses` or none, in one atomic step: [`Claim::Fresh`] only if no claim of any
    /// of these keys is recorded, by any node that shares the backend. Each record is kept until
    /// its end at least, and never evicted before; for up to 60 seconds after it the key may still
    /// be answered as [`Claim::Replayed`]. The keys differ.
    ///
    /// A backend that may have removed this very claim already, because its clock was ahead for a
    /// while, answers [`StoreError::Unavailable`], and never [`Claim::Fresh`]. One that does not
    /// know whether the claim was recorded answers [`StoreError::Unknown`]; it is not repeated.
    ///
    /// An issuer with `quota` claims in force gets [`Claim::OverQuota`], so that no party can fill
    /// the backend; it is counted again at the latest ten seconds after claims have ended. The
    /// quota is exact on one node, and soft among several: each further one may let in a sixteenth
    /// of it more.
    async fn claim(&self, uses: &[Used], now: UnixTime, quota: u64) -> Result<Claim, StoreError>;

    /// The time before which uses may have been lost, as when a backup was restored: an assertion
    /// is taken only if it was certainly issued after it. `None` if none was ever lost.
    fn fence(&self) -> Option<UnixTime> {
        None
    }

    /// Whether [`ReplayGuard::claim`] would answer [`Claim::Replayed`] now. Claims nothing: for
    /// explanations, never for decisions.
    async fn is_claimed(&self, key: ReplayKey, now: UnixTime) -> Result<bool, StoreError>;
}

#[cfg(test)]
mod tests {
    use grantor_jose::base64url_encode;

    use super::*;

    /// Whoever changes a row here changes a stored format.
    #[test]
    fn keys_are_made_as_stored_databases_have_them() {
        let (assertion, proof) = (ReplayKind::ASSERTION, ReplayKind::PROOF);
        let rows = [
            (
                ReplayKey::new("billing", "1"),
                "DJXH7OHOGpeO-QVNghLezbh-CewzixrImanodjXHj3k",
            ),
            (
                ReplayKey::of(assertion, "billing", "1"),
                "DJXH7OHOGpeO-QVNghLezbh-CewzixrImanodjXHj3k",
            ),
            (
                ReplayKey::new("", ""),
                "47DEQpj8HBT3jK9LxwpmDw31HkK6-R1N5bIyjeDoPfw",
            ),
            (
                ReplayKey::new("https://issuer.example/ä", "café \u{1f511}"),
                "ym1u_0VPlpDGvn_f5UbIcNaGaYmgP-Cf5vTYlmUxUIM",
            ),
            (
                ReplayKey::of(proof, "billing", "1"),
                "fADGYYIepc4wk0PKsMi4NXC5Kd8WJSmyb5ZW-xVKCa8",
            ),
            (
                ReplayKey::of(ReplayKind::CODE, "billing", "1"),
                "1xgZQUtDLBg8Vd5jtjKef-bywkPxAqg8WlbdQIthuwk",
            ),
            (
                ReplayKey::of(ReplayKind::new("urn:example:own"), "billing", "1"),
                "TX83Q5yWEEOTwiPzMLecjNpPLYeofv_39gdHP9-Fq9c",
            ),
        ];
        for (key, stored) in rows {
            assert_eq!(base64url_encode(key.as_bytes()), stored);
        }
    }

    #[test]
    fn kinds_and_owners_are_counted_apart() {
        let keys = [
            ReplayKey::new("a", "1"),
            ReplayKey::new("b", "1"),
            ReplayKey::of(ReplayKind::PROOF, "a", "1"),
            ReplayKey::of(ReplayKind::CODE, "a", "1"),
            ReplayKey::of(ReplayKind::new("cod"), "ea", "1"),
        ];
        for (number, one) in keys.iter().enumerate() {
            for other in &keys[..number] {
                assert_ne!((one.issuer(), one), (other.issuer(), other));
                assert_ne!(one.issuer(), other.issuer());
            }
        }
        let again = ReplayKey::of(ReplayKind::CODE, "a", "2");
        assert_eq!(again.issuer(), keys[3].issuer());
    }
}
