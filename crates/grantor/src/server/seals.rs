//! Values that leave the server sealed and come back: codes, tickets. Nothing is written for them.
//!
//! A sealed value is JSON inside, encrypted and authenticated (AES-128-GCM-SIV, RFC 8452), and
//! base64url outside. What it is, and to whom it belongs, is bound to it as associated data: none
//! opens as one of another kind.

use std::sync::Arc;

use grantor_jose::{
    base64url_decode, base64url_encode,
    crypto::{MacKey, SealingKey, random_bytes, sha256},
};
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

/// What a sealed value, or a tag, is. None of one kind is taken for one of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SealKind(&'static str);

impl SealKind {
    /// An authorization code (RFC 6749 §4.1.2).
    pub const CODE: Self = Self("code");
    /// A request that waits for somebody to sign in.
    pub const SIGN_IN: Self = Self("sign-in");
    /// A request on its way to the consent page.
    pub const QUESTION: Self = Self("question");
    /// A question that a person was asked.
    pub const CONSENT: Self = Self("consent");
    /// The way to the client, behind a form.
    pub const HAND_OVER: Self = Self("hand-over");
    /// A refresh token (RFC 6749 §1.5), which is tagged and not sealed.
    pub const REFRESH_TOKEN: Self = Self("refresh token");

    /// A kind of the embedder's own: a name with a colon, such as a URN, which no kind of ours
    /// has.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }
}

/// Seals values and opens them again. Cloning it shares the keys.
///
/// All servers that answer for one issuer have the same key: a code of one is redeemed at another.
#[derive(Clone, Debug)]
pub struct Seals {
    sealing: Arc<SealingKey>,
    tagging: Arc<MacKey>,
}

impl Seals {
    /// With a key of 16 random octets that is used for nothing else.
    pub fn new(key: &[u8; 16]) -> Self {
        let derived = |label: &[u8]| Zeroizing::new(sha256(&[b"grantor: ", label, key]));
        let sealing = derived(b"sealed values");
        let sealing = sealing
            .first_chunk()
            .expect("a digest has more than 16 octets");
        Self {
            sealing: Arc::new(SealingKey::for_many(sealing)),
            tagging: Arc::new(MacKey::new(&*derived(b"tagged values"))),
        }
    }

    /// With a key that is gone with the process.
    pub fn random() -> Self {
        Self::new(&Zeroizing::new(random_bytes()))
    }

    /// Seals a value that can be written as JSON. `holder` is whom it belongs to, such as a browser
    /// session: it opens only with the same.
    ///
    /// # Panics
    /// If `value` cannot be written as JSON.
    pub fn seal(&self, kind: SealKind, holder: &str, value: &impl Serialize) -> String {
        let value = serde_json::to_vec(value).expect("a sealed value is JSON");
        let value = Zeroizing::new(value);
        base64url_encode(self.sealing.seal(&purpose(kind, holder), &value))
    }

    /// The value, if [`Seals::seal`] made this text for this kind and this holder.
    pub fn open<T: DeserializeOwned>(&self, kind: SealKind, holder: &str, text: &str) -> Option<T> {
        let sealed = base64url_decode(text)?;
        let value = self.sealing.open(&purpose(kind, holder), &sealed)?;
        serde_json::from_slice(&value).ok()
    }

    /// A tag of these octets that nobody else can make.
    pub fn tag(&self, kind: SealKind, octets: &[u8]) -> [u8; 32] {
        self.tagging.tag(&[kind.0.as_bytes(), b"\n", octets])
    }
}

/// No kind has a line break, so no two run together with their holders.
fn purpose(kind: SealKind, holder: &str) -> Vec<u8> {
    [kind.0, "\n", holder].concat().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: SealKind = SealKind::new("urn:example:own");

    #[test]
    fn a_value_opens_with_its_key_its_kind_and_its_holder_only() {
        let (seals, same) = (Seals::new(&[7; 16]), Seals::new(&[7; 16]));
        let sealed = seals.seal(OWN, "a", &("value", 7));
        let open = |seals: &Seals, kind, holder, text: &str| -> Option<(String, u8)> {
            seals.open(kind, holder, text)
        };
        let opened = open(&seals, OWN, "a", &sealed);
        assert_eq!(opened, Some(("value".to_owned(), 7)));
        assert_eq!(open(&same, OWN, "a", &sealed), opened);
        assert_eq!(open(&Seals::random(), OWN, "a", &sealed), None);
        assert_eq!(open(&seals, SealKind::CODE, "a", &sealed), None);
        assert_eq!(open(&seals, OWN, "b", &sealed), None);
        assert_eq!(open(&seals, OWN, "a", &sealed[1..]), None);
        assert_eq!(
            seals.open::<String>(OWN, "a", &sealed),
            None,
            "of another form"
        );
        assert_ne!(seals.seal(OWN, "a", &("value", 7)), sealed);
    }

    #[test]
    fn a_tag_is_that_of_its_key_and_its_kind() {
        let (seals, same) = (Seals::new(&[7; 16]), Seals::new(&[7; 16]));
        let tag = seals.tag(OWN, b"octets");
        assert_eq!(same.tag(OWN, b"octets"), tag);
        assert_ne!(seals.tag(OWN, b"octet"), tag);
        assert_ne!(seals.tag(SealKind::CODE, b"octets"), tag);
        assert_ne!(Seals::random().tag(OWN, b"octets"), tag);
    }
}
