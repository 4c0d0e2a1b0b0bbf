//! What operators do with the server's signing keys.

use grantor_jose::Algorithm;
use serde::{Deserialize, Serialize};

use std::time::Duration;

use super::{Conflict, Error, Fault, Named, ServerTerms, document::time};
use crate::{
    clock::UnixTime,
    registry::Actor,
    storage::{KeyStore, SigningKeyInfo},
};

/// What is known of a signing key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SigningKeyDocument {
    /// Its `kid`.
    pub kid: String,
    /// Its `alg`.
    pub alg: String,
    /// What it is used for.
    pub state: SigningKeyState,
    /// When it was made (RFC 3339).
    #[serde(serialize_with = "time::serialize", deserialize_with = "time::read")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub created_at: UnixTime,
    /// From when it signs (RFC 3339).
    #[serde(serialize_with = "time::serialize", deserialize_with = "time::read")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub signs_from: UnixTime,
    /// Until when it is published (RFC 3339); null for the newest key.
    #[serde(with = "time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub published_until: Option<UnixTime>,
}

/// What a signing key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SigningKeyState {
    /// It signs.
    Signing,
    /// It is published, and signs soon.
    Next,
    /// It is published, so that what it has signed verifies.
    Retired,
}

impl SigningKeyState {
    /// As documents have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Next => "next",
            Self::Retired => "retired",
        }
    }
}

impl SigningKeyDocument {
    /// What is known of this key.
    pub fn of(key: &SigningKeyInfo) -> Self {
        Self {
            kid: key.key_id.clone(),
            alg: key.algorithm.name().to_owned(),
            state: match (key.is_signing, key.retires_at) {
                (true, _) => SigningKeyState::Signing,
                (false, None) => SigningKeyState::Next,
                (false, Some(_)) => SigningKeyState::Retired,
            },
            created_at: key.created_at,
            signs_from: key.signs_from,
            published_until: key.retires_at,
        }
    }
}

/// Whether the key that signs now is withdrawn too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhileSigning {
    /// It stays.
    #[default]
    Refuse,
    /// The next one signs at once, or a new one.
    Replace,
}

/// The server's signing keys.
#[derive(Clone, Copy)]
pub struct SigningKeys<'a> {
    store: &'a dyn KeyStore,
    terms: &'a ServerTerms,
}

impl<'a> SigningKeys<'a> {
    /// Longest time for which a key is published before it signs: 30 days.
    pub const MAX_AHEAD: Duration = Duration::from_secs(30 * 24 * 3600);
    /// Most keys that are published at once.
    pub const MAX_PUBLISHED: usize = 16;

    /// Those of this store.
    pub fn new(store: &'a dyn KeyStore, terms: &'a ServerTerms) -> Self {
        Self { store, terms }
    }

    /// The keys that are published, newest first.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub async fn list(&self) -> Result<Vec<SigningKeyDocument>, Error> {
        Ok(documents(&self.store.signing_key_list().await?))
    }

    /// Makes a new key, published now, that signs after `ahead`; for the server's algorithm, unless
    /// another one is named. The keys before it stay published until their last token has expired.
    ///
    /// # Errors
    /// [`Error::Invalid`]; [`Conflict::TooManySigningKeys`]; [`Error::Store`]
    pub async fn rotate(
        &self,
        algorithm: Option<Algorithm>,
        ahead: Duration,
        by: &Actor,
    ) -> Result<SigningKeyDocument, Error> {
        let algorithm = algorithm.unwrap_or(self.terms.signing_algorithm);
        if algorithm.is_mac() {
            let detail =
                format!("{algorithm} is a MAC, and access tokens are signed; name another");
            return Err(Fault::new("alg", detail).into());
        }
        if ahead > Self::MAX_AHEAD {
            return Err(Fault::new("ahead", "more than 30 days; name less").into());
        }
        if self.store.signing_key_list().await?.len() >= Self::MAX_PUBLISHED {
            let most = Conflict::TooManySigningKeys(Self::MAX_PUBLISHED);
            return Err(Error::Conflict(most));
        }
        let overlap = self.terms.longest_token;
        let rotated = self.store.signing_key_rotate(algorithm, ahead, overlap, by);
        Ok(SigningKeyDocument::of(&rotated.await?))
    }

    /// Withdraws a key at once, with every token that it signed. Answers the keys that are left.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Conflict::SignsNow`], [`Error::Store`]
    pub async fn revoke(
        &self,
        kid: &str,
        signing: WhileSigning,
        by: &Actor,
    ) -> Result<Vec<SigningKeyDocument>, Error> {
        if signing == WhileSigning::Refuse {
            let keys = self.store.signing_key_list().await?;
            let mut signing = keys.iter().filter(|key| key.is_signing);
            if signing.any(|key| key.key_id == kid) {
                return Err(Error::Conflict(Conflict::SignsNow(kid.to_owned())));
            }
        }
        let algorithm = self.terms.signing_algorithm;
        let left = self.store.signing_key_revoke(kid, algorithm, by).await;
        let named = || Named::SigningKey(kid.to_owned());
        let left = left.map_err(|error| Error::from(error).about(named()))?;
        Ok(documents(&left))
    }
}

fn documents(keys: &[SigningKeyInfo]) -> Vec<SigningKeyDocument> {
    keys.iter().map(SigningKeyDocument::of).collect()
}
