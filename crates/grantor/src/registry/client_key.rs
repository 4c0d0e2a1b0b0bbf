//! A client's public key as it is registered: until when it works, and whether it can be used at
//! all.

use std::{borrow::Cow, sync::Arc};

use grantor_jose::{Jwk, JwkError, VerificationKey, base64url_encode, crypto, json};

use crate::clock::UnixTime;

/// A public key of a client, with an optional end.
#[derive(Clone, Debug)]
pub struct ClientKey {
    value: KeyValue,
    /// From then on the key is refused; `None` for never.
    pub expires_at: Option<UnixTime>,
}

#[derive(Clone, Debug)]
enum KeyValue {
    Usable(Arc<VerificationKey>),
    Unusable {
        stored: String,
        key_id: Option<String>,
        error: JwkError,
    },
}

impl ClientKey {
    /// A key that works until `expires_at`.
    pub fn new(key: impl Into<Arc<VerificationKey>>, expires_at: Option<UnixTime>) -> Self {
        Self {
            value: KeyValue::Usable(key.into()),
            expires_at,
        }
    }

    /// What a store finds. A key that could not be registered today, be it too short or malformed,
    /// is kept with the reason: it verifies nothing, and the client's other keys work.
    pub fn from_stored(jwk: &str, expires_at: Option<UnixTime>) -> Self {
        let value = match Jwk::parse(jwk.as_bytes()).and_then(VerificationKey::from_jwk) {
            Ok(key) => KeyValue::Usable(Arc::new(key)),
            Err(error) => KeyValue::Unusable {
                stored: jwk.to_owned(),
                key_id: key_id_of(jwk),
                error,
            },
        };
        Self { value, expires_at }
    }

    /// The JWK as a store keeps it.
    pub fn to_stored(&self) -> Cow<'_, str> {
        match &self.value {
            KeyValue::Usable(key) => serde_json::to_string(&key.jwk())
                .expect("a JWK is JSON")
                .into(),
            KeyValue::Unusable { stored, .. } => stored.into(),
        }
    }

    /// The key, if it can be used; whether it has ended is for [`ClientKey::is_live`].
    ///
    /// # Errors
    /// Why it cannot.
    pub fn usable(&self) -> Result<&Arc<VerificationKey>, &JwkError> {
        match &self.value {
            KeyValue::Usable(key) => Ok(key),
            KeyValue::Unusable { error, .. } => Err(error),
        }
    }

    /// The public JWK, if the key can be used.
    pub fn jwk(&self) -> Option<&Jwk> {
        self.usable().ok().and_then(|key| key.jwk())
    }

    /// `kid`
    pub fn key_id(&self) -> Option<&str> {
        match &self.value {
            KeyValue::Usable(key) => key.key_id(),
            KeyValue::Unusable { key_id, .. } => key_id.as_deref(),
        }
    }

    /// What people call it by: its `kid`, else its thumbprint (RFC 7638); where it has none, the
    /// digest of its text.
    pub fn name(&self) -> Cow<'_, str> {
        match (&self.value, self.key_id()) {
            (_, Some(key_id)) => key_id.into(),
            (KeyValue::Usable(key), None) => {
                key.jwk().map(Jwk::thumbprint).unwrap_or_default().into()
            }
            (KeyValue::Unusable { stored, .. }, None) => {
                base64url_encode(crypto::sha256(&[stored.as_bytes()])).into()
            }
        }
    }

    /// What records call it by: the beginning of its digest.
    pub fn fingerprint(&self) -> String {
        super::fingerprint(&crypto::sha256(&[self.to_stored().as_bytes()]))
    }

    /// The same key, ending at `end` at the latest.
    #[must_use]
    pub fn ending_at(self, end: UnixTime) -> Self {
        Self {
            expires_at: Some(self.expires_at.map_or(end, |expiry| expiry.min(end))),
            ..self
        }
    }

    /// Whether `now` is before its end.
    pub fn is_live(&self, now: UnixTime) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// Without an end.
impl From<Arc<VerificationKey>> for ClientKey {
    fn from(key: Arc<VerificationKey>) -> Self {
        Self::new(key, None)
    }
}

/// Without an end.
impl From<VerificationKey> for ClientKey {
    fn from(key: VerificationKey) -> Self {
        Self::new(key, None)
    }
}

fn key_id_of(jwk: &str) -> Option<String> {
    let jwk = json::parse_object(jwk.as_bytes()).ok()?;
    jwk.get("kid")?.as_str().map(str::to_owned)
}
