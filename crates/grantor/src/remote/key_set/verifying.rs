//! Verifying a token with a party's keys, wherever they come from: what the resource role does.

use std::sync::Arc;

use async_trait::async_trait;
use grantor_jose::{Header, JwkError, JwsError, Unverified};

use super::{KeySet, KeySetError, SetKind, load};
use crate::{
    remote::{
        Fetch,
        place::Place,
        refreshing::{Load, Loaded, Refreshing},
    },
    types::member,
};

/// Why a signature is by none of a party's keys.
#[derive(Debug)]
pub(crate) enum SignatureError {
    /// It does not verify.
    Jws(JwsError),
    /// There is no key of this `kid`, or none for this algorithm.
    UnknownKey,
    /// There is a key of this `kid`, at this position in the set, and it cannot be used.
    UnusableKey { index: usize, reason: JwkError },
    /// The keys are not there.
    Unavailable(Arc<KeySetError>),
}

impl From<Arc<KeySetError>> for SignatureError {
    fn from(error: Arc<KeySetError>) -> Self {
        Self::Unavailable(error)
    }
}

impl KeySet {
    /// Why none of these keys is it: the one with the token's `kid` cannot be used, or there is
    /// none.
    fn unknown(&self, header: &Header) -> SignatureError {
        let unusable = |skipped: &grantor_jose::SkippedKey| SignatureError::UnusableKey {
            index: skipped.index,
            reason: skipped.reason.clone(),
        };
        self.unusable(header)
            .map_or(SignatureError::UnknownKey, unusable)
    }

    /// With a key that it [knows](KeySet::knows).
    fn verify(&self, jws: &Unverified<'_>) -> Result<(), SignatureError> {
        let header = jws.header();
        let mut keys = self.candidates(header).map(|(_, key)| key).peekable();
        let verified = match keys.peek() {
            Some(_) => jws.verified_by(keys).map(drop),
            None => Err(JwsError::AlgorithmNotForKey(header.algorithm())),
        };
        verified.map_err(SignatureError::Jws)
    }
}

/// Where the keys of a party come from.
pub(crate) enum Keys {
    Fixed(Arc<KeySet>),
    Fetched(Refreshing<KeySetSource>),
}

impl Keys {
    /// The keys of this moment.
    pub(crate) async fn current(&self) -> Result<Arc<KeySet>, Arc<KeySetError>> {
        match self {
            Self::Fixed(keys) => Ok(keys.clone()),
            Self::Fetched(keys) => keys.get().await,
        }
    }

    /// Verifies the signature, if and only if it is by a key of the party. Answers the set that the
    /// key is from.
    pub(crate) async fn verify(&self, jws: &Unverified<'_>) -> Result<Arc<KeySet>, SignatureError> {
        let mut keys = self.current().await?;
        if !keys.knows(jws.header()) {
            keys = self.other_than(&keys).await?.unwrap_or(keys);
            if !keys.knows(jws.header()) {
                return Err(keys.unknown(jws.header()));
            }
        }
        keys.verify(jws)?;
        Ok(keys)
    }

    async fn other_than(
        &self,
        seen: &Arc<KeySet>,
    ) -> Result<Option<Arc<KeySet>>, Arc<KeySetError>> {
        match self {
            Self::Fixed(_) => Ok(None),
            Self::Fetched(keys) => keys.other_than(seen).await,
        }
    }
}

/// Loads the key set behind a `jwks_uri`.
pub(crate) struct KeySetSource {
    pub(crate) place: Place,
    pub(crate) fetch: Arc<dyn Fetch>,
}

#[async_trait]
impl Load for KeySetSource {
    type Document = KeySet;
    type Error = KeySetError;

    async fn load(&self, previous: Option<&Arc<KeySet>>) -> Result<Loaded<KeySet>, KeySetError> {
        let named = self
            .place
            .url(member::JWKS_URI, |metadata| metadata.jwks_uri.as_ref());
        load(&*self.fetch, &named.await?, SetKind::Any, previous).await
    }
}
