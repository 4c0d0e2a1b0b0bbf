//! Which of a remote party's keys may have signed a token: by `kid`, never by anything the token
//! brings along (RFC 8725 §3.10). And the key set behind a `jwks_uri` (RFC 7517 §5), as it is loaded.

#[cfg(feature = "resource")]
mod verifying;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use grantor_jose::{Header, Jwk, JwkError, JwkSet, JwkSetError, SkippedKey, VerificationKey};
use http::StatusCode;
use url::Url;

use super::{
    DiscoveryError, DocumentError, Fetch, FetchError, KEY_SET,
    document::max_age,
    refreshing::{LoadError, Loaded},
};
use crate::types::Shown;

#[cfg(feature = "resource")]
pub(crate) use verifying::{KeySetSource, Keys, SignatureError};

/// Most keys that one token is tried with: an attacker pays one token, and we one signature
/// verification each.
pub(crate) const MAX_TRIES: usize = 4;

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
    /// None of its keys can be used, so that it cannot be what its server meant to publish.
    #[error("{url}: {}{first}", none_usable(*keys))]
    NoUsableKey {
        /// What was asked for.
        url: String,
        /// How many there are.
        keys: usize,
        /// Why the first of them cannot, if there is one.
        first: FirstSkipped,
    },
    /// What the owner of the keys is registered with does not do to fetch them.
    #[error(transparent)]
    Terms(FetchError),
    /// The keys were uploaded: there is nothing to fetch.
    #[error("the keys were uploaded, and are fetched from nowhere")]
    Uploaded,
    /// What is held is all that is asked, and nothing is.
    #[error("the keys were not fetched yet, and are not fetched for this")]
    NotKept,
    /// So many requests wait for it already that no other may.
    #[error("too many requests wait for the key set already")]
    Crowded,
    /// It took longer than configured.
    #[error("the server of the key set does not answer in time")]
    TimedOut,
}

fn none_usable(keys: usize) -> String {
    match keys {
        0 => "the set is empty".to_owned(),
        keys => format!("none of the {keys} keys of the set can be used"),
    }
}

/// Why the first key of a set cannot be used, as the end of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstSkipped(Option<JwkError>);

impl fmt::Display for FirstSkipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

impl KeySetError {
    /// Whether nothing was sent, because the guard of addresses refuses what was asked for.
    pub fn is_forbidden(&self) -> bool {
        match self {
            Self::Fetch { error, .. } | Self::Terms(error) => error.is_forbidden(),
            Self::Discovery(error) => error.is_forbidden(),
            Self::Status { .. }
            | Self::Content { .. }
            | Self::NoUsableKey { .. }
            | Self::Uploaded
            | Self::Crowded
            | Self::NotKept
            | Self::TimedOut => false,
        }
    }
}

impl LoadError for KeySetError {
    fn timed_out() -> Self {
        Self::TimedOut
    }

    fn crowded() -> Self {
        Self::Crowded
    }

    fn is_transient(&self) -> bool {
        match self {
            Self::Discovery(error) => error.is_transient(),
            Self::Fetch { error, .. } => error.is_transient(),
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Content { .. } | Self::NoUsableKey { .. } | Self::Terms(_) | Self::Uploaded => {
                false
            }
            Self::NotKept | Self::Crowded | Self::TimedOut => true,
        }
    }
}

/// What kind of document has a party's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetKind {
    /// A JWK Set that may be empty.
    #[cfg(feature = "resource")]
    Any,
    /// A JWK Set of a server that never publishes an empty one but by accident.
    #[cfg(feature = "server")]
    NeverEmpty,
    /// A SPIFFE bundle. An empty one revokes all keys.
    #[cfg(feature = "server")]
    SpiffeBundle,
}

impl SetKind {
    /// Reads a document, and for how long it itself wants to be used.
    fn parse(self, body: &[u8]) -> Result<(JwkSet, Option<Duration>), JwkSetError> {
        match self {
            #[cfg(feature = "resource")]
            Self::Any => Ok((JwkSet::parse(body)?, None)),
            #[cfg(feature = "server")]
            Self::NeverEmpty => Ok((JwkSet::parse(body)?, None)),
            #[cfg(feature = "server")]
            Self::SpiffeBundle => Ok((
                JwkSet::parse_spiffe(body)?,
                super::spiffe::refresh_hint(body),
            )),
        }
    }

    fn may_be_empty(self) -> bool {
        match self {
            #[cfg(feature = "resource")]
            Self::Any => true,
            #[cfg(feature = "server")]
            Self::NeverEmpty => false,
            #[cfg(feature = "server")]
            Self::SpiffeBundle => true,
        }
    }
}

/// The usable public keys of one moment, parsed once.
#[derive(Debug)]
pub(crate) struct KeySet {
    keys: Vec<Arc<VerificationKey>>,
    skipped: Vec<SkippedKey>,
}

impl KeySet {
    pub(crate) fn new(set: JwkSet) -> Arc<Self> {
        Arc::new(Self {
            keys: set.keys.into_iter().map(Arc::new).collect(),
            skipped: set.skipped,
        })
    }

    /// The `previous` set if it has the same keys, so that a set that is the same is the same
    /// pointer.
    fn replacing(previous: Option<&Arc<Self>>, set: JwkSet) -> Arc<Self> {
        let set = Self::new(set);
        let is_same = |previous: &&Arc<Self>| {
            previous.jwks().eq(set.jwks()) && previous.skipped == set.skipped
        };
        previous.filter(is_same).cloned().unwrap_or(set)
    }

    /// The public keys that can be used.
    pub(crate) fn jwks(&self) -> impl Iterator<Item = &Jwk> {
        self.keys.iter().filter_map(|key| key.jwk())
    }

    /// The keys that cannot be used.
    #[cfg(feature = "server")]
    pub(crate) fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// Whether it may have been one of these keys: one has the token's `kid`; or the token has
    /// none, and one fits its algorithm.
    pub(crate) fn knows(&self, header: &Header) -> bool {
        self.named(header)
            .any(|(_, key)| header.key_id().is_some() || key.accepts(header.algorithm()))
    }

    /// The keys that it may be, at most [`MAX_TRIES`], each with its position in the set, from 0: of
    /// the token's `kid`, where it has one, and for its algorithm.
    pub(crate) fn candidates(
        &self,
        header: &Header,
    ) -> impl Iterator<Item = (usize, &Arc<VerificationKey>)> {
        self.named(header)
            .filter(|(_, key)| key.accepts(header.algorithm()))
            .take(MAX_TRIES)
    }

    /// The keys of the token's `kid`, all if it has none.
    fn named(&self, header: &Header) -> impl Iterator<Item = (usize, &Arc<VerificationKey>)> {
        let named = move |key: &VerificationKey| {
            header.key_id().is_none() || key.key_id() == header.key_id()
        };
        let is_used = |index: &usize| !self.skipped.iter().any(|skipped| skipped.index == *index);
        let keys = (0..).filter(is_used).zip(&self.keys);
        keys.filter(move |(_, key)| named(key))
    }

    /// The key of the token's `kid` that cannot be used, if there is one.
    pub(crate) fn unusable(&self, header: &Header) -> Option<&SkippedKey> {
        let key_id = header.key_id()?;
        self.skipped
            .iter()
            .find(|skipped| skipped.key_id.as_deref() == Some(key_id))
    }
}

/// Loads the key set at `url`.
///
/// # Errors
/// [`KeySetError`]
pub(crate) async fn load(
    fetch: &dyn Fetch,
    url: &Url,
    kind: SetKind,
    previous: Option<&Arc<KeySet>>,
) -> Result<Loaded<KeySet>, KeySetError> {
    let answer = KEY_SET.get(fetch, url.as_str()).await;
    let answer = answer.map_err(|error| failed(url.to_string(), error))?;
    let (headers, body) = (max_age(answer.headers()), answer.into_body());
    let (set, hint) = parsed(kind, body)
        .await
        .map_err(|error| KeySetError::Content {
            url: url.to_string(),
            error,
        })?;
    warn_of_skipped(url, &set);
    if set.keys.is_empty() && !kind.may_be_empty() {
        return Err(KeySetError::NoUsableKey {
            url: url.to_string(),
            keys: set.skipped.len(),
            first: FirstSkipped(set.skipped.into_iter().next().map(|skipped| skipped.reason)),
        });
    }
    Ok(Loaded {
        document: KeySet::replacing(previous, set),
        max_age: hint.or(headers),
    })
}

/// Away from the thread that serves requests: a hundred RSA keys take tens of milliseconds.
async fn parsed(kind: SetKind, body: Bytes) -> Result<(JwkSet, Option<Duration>), JwkSetError> {
    let parsing = tokio::task::spawn_blocking(move || kind.parse(&body));
    parsing.await.unwrap_or(Err(JwkSetError::NoKeys))
}

fn warn_of_skipped(url: &Url, set: &JwkSet) {
    let wrong = |skipped: &&SkippedKey| !skipped.is_for_others();
    for SkippedKey {
        index,
        key_id,
        reason,
        ..
    } in set.skipped.iter().filter(wrong)
    {
        let kid = key_id
            .as_deref()
            .map(|kid| Shown::known(kid, Shown::MAX_BYTES));
        let kid = kid.as_ref().map(Shown::as_str);
        tracing::warn!(%url, index, kid, %reason, "a key of the issuer's set cannot be used");
    }
}

fn failed(url: String, error: DocumentError) -> KeySetError {
    match error {
        DocumentError::Fetch(error) => KeySetError::Fetch { url, error },
        DocumentError::Status { status, .. } => KeySetError::Status { url, status },
    }
}
