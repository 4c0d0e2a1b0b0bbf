//! Which of a remote party's keys may have signed a token: by `kid`, never by anything the token
//! brings along (RFC 8725 §3.10). And the key set behind a `jwks_uri` (RFC 7517 §5), as it is loaded.

use std::sync::Arc;

use async_trait::async_trait;
use grantor_jose::{
    Header, Jwk, JwkError, JwkSet, JwkSetError, JwsError, SkippedKey, Unverified, VerificationKey,
};
use http::StatusCode;

use super::{
    DiscoveryError, DocumentError, Fetch, FetchError, KEY_SET,
    document::max_age,
    place::Place,
    refreshing::{Load, LoadError, Loaded, Refreshing},
};
use crate::types::member;

/// Most keys that one token is tried with: an attacker pays one token, and we one signature
/// verification each.
const MAX_TRIES: usize = 4;

/// Why there is no key set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// The metadata does not say where it is.
    #[error(transparent)]
    Discovery(#[from] Arc<DiscoveryError>),
    /// There was no answer.
    #[error("{url}: {error}")]
    Fetch {
        /// What was asked for.
        url: String,
        /// Why.
        #[source]
        error: FetchError,
    },
    /// Anything but 200; a redirect is not followed.
    #[error("{url}: {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The answer.
        status: StatusCode,
    },
    /// The answer is no key set, or contains private keys: nothing of it is used.
    #[error("{url}: {error}")]
    Content {
        /// What was asked for.
        url: String,
        /// Why.
        #[source]
        error: JwkSetError,
    },
    /// It took longer than configured.
    #[error("the server of the key set does not answer in time")]
    TimedOut,
}

impl LoadError for KeySetError {
    fn timed_out() -> Self {
        Self::TimedOut
    }

    fn is_transient(&self) -> bool {
        match self {
            Self::Discovery(error) => error.is_transient(),
            Self::Fetch { error, .. } => error.is_transient(),
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Content { .. } => false,
            Self::TimedOut => true,
        }
    }
}

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

/// The usable public keys of one moment, parsed once.
#[derive(Debug)]
pub(crate) struct KeySet {
    keys: Vec<VerificationKey>,
    skipped: Vec<SkippedKey>,
}

impl KeySet {
    pub(crate) fn new(set: JwkSet) -> Arc<Self> {
        Arc::new(Self {
            keys: set.keys,
            skipped: set.skipped,
        })
    }

    /// The `previous` set if it has the same keys, so that a set that is the same is the same
    /// pointer.
    fn replacing(previous: Option<&Arc<Self>>, set: JwkSet) -> Arc<Self> {
        let jwks = |keys: &[VerificationKey]| -> Vec<Option<Jwk>> {
            keys.iter().map(|key| key.jwk().cloned()).collect()
        };
        match previous.filter(|previous| {
            jwks(&previous.keys) == jwks(&set.keys) && previous.skipped == set.skipped
        }) {
            Some(previous) => previous.clone(),
            None => Self::new(set),
        }
    }

    /// Whether it may have been one of these keys: one has the token's `kid`; or the token has
    /// none, and one fits its algorithm.
    fn knows(&self, header: &Header) -> bool {
        self.candidates(header)
            .any(|key| header.key_id().is_some() || key.accepts(header.algorithm()))
    }

    fn candidates(&self, header: &Header) -> impl Iterator<Item = &VerificationKey> {
        self.keys.iter().filter(move |key| match header.key_id() {
            Some(key_id) => key.key_id() == Some(key_id),
            None => key.accepts(header.algorithm()),
        })
    }

    /// Why none of these keys is it: the one with the token's `kid` cannot be used, or there is
    /// none.
    fn unknown(&self, header: &Header) -> SignatureError {
        let named = header.key_id().and_then(|kid| {
            self.skipped
                .iter()
                .find(|skipped| skipped.key_id.as_deref() == Some(kid))
        });
        named.map_or(SignatureError::UnknownKey, |skipped| {
            SignatureError::UnusableKey {
                index: skipped.index,
                reason: skipped.reason.clone(),
            }
        })
    }

    fn verify(&self, jws: &Unverified<'_>) -> Result<(), SignatureError> {
        jws.verified_by(self.candidates(jws.header()).take(MAX_TRIES))
            .map(drop)
            .map_err(SignatureError::Jws)
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
        let url = self
            .place
            .url(member::JWKS_URI, |metadata| metadata.jwks_uri.as_ref())
            .await?;
        let answer = KEY_SET.get(&*self.fetch, url.as_str()).await;
        let answer = answer.map_err(|error| failed(url.to_string(), error))?;
        let set = JwkSet::parse(answer.body()).map_err(|error| KeySetError::Content {
            url: url.to_string(),
            error,
        })?;
        for SkippedKey {
            index,
            key_id,
            reason,
            ..
        } in set
            .skipped
            .iter()
            .filter(|skipped| !skipped.is_for_others())
        {
            tracing::warn!(%url, index, kid = key_id, %reason, "a key of the issuer's set cannot be used");
        }
        Ok(Loaded {
            document: KeySet::replacing(previous, set),
            max_age: max_age(answer.headers()),
        })
    }
}

fn failed(url: String, error: DocumentError) -> KeySetError {
    match error {
        DocumentError::Fetch(error) => KeySetError::Fetch { url, error },
        DocumentError::Status { status, .. } => KeySetError::Status { url, status },
    }
}
