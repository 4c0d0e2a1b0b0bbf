//! For whom passkeys are: the issuer's host, if it is a name.

use grantor_jose::crypto::sha256;
use url::{Host, Url};

use crate::types::Issuer;

/// The relying party of passkeys (WebAuthn §5.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    id: String,
    digest: [u8; 32],
}

impl RelyingParty {
    /// The party of an issuer: its host. `None` where that is an IP address, for which browsers make
    /// no passkeys.
    ///
    /// ```
    /// use grantor::{types::Issuer, webauthn::RelyingParty};
    /// let of = |issuer| RelyingParty::of(&Issuer::parse(issuer).expect("an issuer"));
    /// assert_eq!(of("http://localhost:8080").expect("a name").id(), "localhost");
    /// assert_eq!(of("http://127.0.0.1:8080"), None);
    /// ```
    pub fn of(issuer: &Issuer) -> Option<Self> {
        let url = Url::parse(issuer.as_str()).ok()?;
        let Some(Host::Domain(name)) = url.host() else {
            return None;
        };
        Some(Self {
            id: name.to_owned(),
            digest: sha256(&[name.as_bytes()]),
        })
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// SHA-256 of its id, as authenticators sign it.
    pub(super) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}
