//! Choosing a client's key for an assertion. Keys come from the registry only; the token merely
//! points at one (RFC 8725 §3.1).

use std::{error::Error, fmt, sync::Arc};

use async_trait::async_trait;
use grantor_jose::{Algorithm, Header, JwkError, VerificationKey};

use super::KeyStatus;
use crate::{
    clock::UnixTime,
    registry::{Client, ClientKey, TrustedIssuer},
    remote::KeySetError,
    storage::StoreError,
    types::{AuthMethod, Needs},
};

/// Most keys tried for an assertion without `kid`.
pub const MAX_CANDIDATES: usize = 4;

/// Which of a client's keys an assertion may be verified with.
///
/// Complete: a resolver decides about each kind, and never falls back to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Its registered public keys.
    Public,
    /// Its client secret: `client_secret_jwt` and nothing else.
    Secret,
}

impl KeyKind {
    /// The keys behind a client authentication method; `None` for one without assertions.
    pub fn of_method(method: &AuthMethod) -> Option<Self> {
        match method.needs()? {
            Needs::PublicKey => Some(Self::Public),
            Needs::ReadableSecret => Some(Self::Secret),
            Needs::Digest | Needs::Nothing => None,
        }
    }
}

/// Where a key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySource {
    /// The registered public key at this place, counted from 1.
    Registered(usize),
    /// The key at this place, counted from 1, of a set that its owner publishes.
    Published(usize),
    /// The client secret at this place, counted from 1.
    Secret(usize),
    /// Somewhere that the [`KeyResolver`] names.
    Other(&'static str),
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered(place) => write!(f, "registered key {place}"),
            Self::Published(place) => write!(f, "published key {place}"),
            Self::Secret(place) => write!(f, "client secret {place}"),
            Self::Other(source) => f.write_str(source),
        }
    }
}

/// A key that an assertion may be verified with.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The key.
    pub key: Arc<VerificationKey>,
    /// Where it comes from.
    pub source: KeySource,
}

impl Candidate {
    /// Where it comes from and whose it is, such as `registered key 2 of billing`.
    pub fn source_of(&self, owner: &str) -> String {
        format!("{} of {owner}", self.source)
    }
}

impl AsRef<VerificationKey> for Candidate {
    fn as_ref(&self) -> &VerificationKey {
        &self.key
    }
}

/// Why no key was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The client has no key of this `kid` (RFC 7515 §4.1.4).
    #[error("the issuer has no key with this kid")]
    UnknownKeyId,
    /// The party publishes its keys, and none that is held has this `kid`. With why there are no newer
    /// ones, where the last fetch failed.
    #[error("no published key has this kid{}", since(.0.as_ref()))]
    NotPublished(Option<Arc<KeySetError>>),
    /// None of the client's keys may be used with this algorithm.
    #[error("the issuer has no key for algorithm {0}")]
    NoKeyForAlgorithm(Algorithm),
    /// The key has reached its end, and there is no other.
    #[error("the issuer's key has expired: {source_of_key} ended {seconds_ago} s ago")]
    KeyExpired {
        /// Which key.
        source_of_key: KeySource,
        /// Seconds since its end, by the server's clock.
        seconds_ago: i64,
    },
    /// The key is one that would not be registered today, and there is no other.
    #[error("the issuer's key cannot be used: {source_of_key}: {error}")]
    KeyUnusable {
        /// Which key.
        source_of_key: KeySource,
        /// What is wrong with it.
        error: JwkError,
    },
    /// All secrets have expired (RFC 7591 §3.2.1).
    #[error("the client's secrets have expired")]
    SecretExpired,
    /// The party's keys are elsewhere, and cannot be had now.
    #[error("the keys cannot be had: {0}")]
    Unavailable(Box<dyn Error + Send + Sync>),
    /// The key's source failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn since(failure: Option<&Arc<KeySetError>>) -> String {
    let failure = failure.map(|error| format!(", and the last fetch failed: {error}"));
    failure.unwrap_or_default()
}

/// Resolves a client's key.
#[async_trait]
pub trait KeyResolver: Send + Sync + 'static {
    /// The keys of `client` that may verify a token with this header at `now`: all of the `kind`,
    /// for the header's algorithm, and, where the header has a `kid`, of that `kid` to the
    /// letter. At most [`MAX_CANDIDATES`], and never none.
    async fn resolve_keys(
        &self,
        client: &Client,
        kind: KeyKind,
        header: &Header,
        now: UnixTime,
    ) -> Result<Vec<Candidate>, KeyError>;

    /// As [`KeyResolver::resolve_keys`], of an issuer. What is not overridden knows the keys that
    /// were uploaded, and fetches none.
    ///
    /// # Errors
    /// [`KeyError`]; [`KeyError::Unavailable`] if there are no keys at all and none can be had.
    async fn resolve_issuer_keys(
        &self,
        issuer: &TrustedIssuer,
        header: &Header,
        now: UnixTime,
    ) -> Result<Vec<Candidate>, KeyError> {
        match issuer.keys.uploaded() {
            Some(keys) => candidates(keys.iter().map(|uploaded| &uploaded.key), header, now),
            None => Err(KeyError::Unavailable("this server fetches no keys".into())),
        }
    }

    /// What is held of the keys of an issuer, and why there is nothing newer: where keys are
    /// fetched, and these were needed yet.
    fn issuer_status(&self, _: &TrustedIssuer) -> Option<KeyStatus> {
        None
    }
}

/// The keys that were registered with the client.
#[derive(Clone, Copy, Debug, Default)]
pub struct RegisteredKeys;

#[async_trait]
impl KeyResolver for RegisteredKeys {
    async fn resolve_keys(
        &self,
        client: &Client,
        kind: KeyKind,
        header: &Header,
        now: UnixTime,
    ) -> Result<Vec<Candidate>, KeyError> {
        match kind {
            KeyKind::Public if client.authentication().public_keys().jwks_uri().is_some() => {
                Err(KeyError::Unavailable("this server fetches no keys".into()))
            }
            KeyKind::Public => candidates(client.keys().iter(), header, now),
            KeyKind::Secret => secrets(client, header.algorithm(), now),
        }
    }
}

/// Of these keys, in their order, those that may have signed.
fn candidates<'k>(
    keys: impl Iterator<Item = &'k ClientKey>,
    header: &Header,
    now: UnixTime,
) -> Result<Vec<Candidate>, KeyError> {
    let algorithm = header.algorithm();
    let named = |(_, key): &(usize, &ClientKey)| {
        header.key_id().is_none() || key.key_id() == header.key_id()
    };
    let mut named = (1..).zip(keys).filter(named).peekable();
    if header.key_id().is_some() && named.peek().is_none() {
        return Err(KeyError::UnknownKeyId);
    }
    let (mut found, mut refusal) = (Vec::new(), KeyError::NoKeyForAlgorithm(algorithm));
    for (place, registered) in named {
        let source = KeySource::Registered(place);
        match (registered.usable(), registered.expires_at) {
            (Err(error), _) => {
                refusal = KeyError::KeyUnusable {
                    source_of_key: source,
                    error: error.clone(),
                }
            }
            (Ok(key), _) if !key.accepts(algorithm) => {}
            (Ok(_), Some(end)) if !registered.is_live(now) => {
                refusal = KeyError::KeyExpired {
                    source_of_key: source,
                    seconds_ago: (now.millis() - end.millis()) / 1000,
                };
            }
            (Ok(key), _) => found.push(Candidate {
                key: key.clone(),
                source,
            }),
        }
    }
    found.truncate(MAX_CANDIDATES);
    if found.is_empty() {
        Err(refusal)
    } else {
        Ok(found)
    }
}

/// A secret has no `kid`; some clients invent one, which is ignored.
fn secrets(
    client: &Client,
    algorithm: Algorithm,
    now: UnixTime,
) -> Result<Vec<Candidate>, KeyError> {
    let live = (1..)
        .zip(client.secrets())
        .filter_map(|(place, secret)| Some((place, secret.mac_key(now)?)));
    let mut live = live.peekable();
    if live.peek().is_none() {
        return Err(KeyError::SecretExpired);
    }
    let fitting = live
        .filter(|(_, key)| key.accepts(algorithm))
        .take(MAX_CANDIDATES);
    let found: Vec<_> = fitting
        .map(|(place, key)| Candidate {
            key: key.clone(),
            source: KeySource::Secret(place),
        })
        .collect();
    if found.is_empty() {
        Err(KeyError::NoKeyForAlgorithm(algorithm))
    } else {
        Ok(found)
    }
}
