//! Keys that their owners publish: those of issuers, and those behind the `jwks_uri` of clients. One
//! place for both decides when they are fetched, how long they are used, and what a stranger's token
//! can cause.
//!
//! ```
//! # use std::sync::Arc;
//! use grantor::{clock::SystemClock, keys::RemoteKeys, remote::Outgoing};
//! # use grantor::remote::{Connect, FetchError, SystemResolver};
//! # struct Never;
//! # #[async_trait::async_trait]
//! # impl Connect for Never {
//! #     async fn send(
//! #         &self, _: http::Request<bytes::Bytes>, _: &[std::net::SocketAddr], _: usize,
//! #     ) -> Result<http::Response<bytes::Bytes>, FetchError> {
//! #         unreachable!("nothing is connected")
//! #     }
//! # }
//! # let (resolver, connector) = (Arc::new(SystemResolver), Arc::new(Never));
//!
//! // With the feature `reqwest`: Outgoing::direct()
//! let outgoing = Outgoing::new(resolver, connector).allow_internal("10.20.0.0/16".parse()?);
//! let keys = RemoteKeys::new(outgoing, Arc::new(SystemClock));
//! // builder.key_resolver(Arc::new(keys))
//! # let _ = keys;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod kept;
mod kept_keys;
mod owner;
mod published;
mod report;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use grantor_jose::{Algorithm, Header, VerificationKey};
use quick_cache::sync::Cache;

pub use kept_keys::KeptKeys;
use owner::OwnerId;
pub use owner::{KeyOwner, KeysObserver};
use published::{Published, Shared};
pub use report::{HeldKeys, KeyFailure, KeyReport, KeyStatus, PublishedKey};

use super::{Candidate, KeyError, KeyKind, KeyResolver, KeySource, RegisteredKeys};
use crate::{
    clock::{Clock, UnixTime},
    registry::{Client, Revision, TrustedIssuer},
    remote::{
        KeySetError, Outgoing,
        key_set::KeySet,
        refreshing::{Lives, Refreshing},
    },
    storage::{Artifacts, StoreError},
};

/// Most owners whose keys are held at once. The one that was asked about longest ago makes room.
const MAX_OWNERS: usize = 10_000;

/// The keys that are registered, and those that are published: by issuers, and by clients with a
/// `jwks_uri`. It runs on tokio.
///
/// * Keys are used for as long as their server says, within 60 s and 24 h, an hour if it says
///   nothing; a SPIFFE bundle for its `spiffe_refresh_hint`, within 60 s and 1 h, 5 minutes without.
///   Behind the back of callers they are fetched again when three quarters have passed.
/// * While they cannot be fetched, held ones are used for 24 h more, 1 h for SPIFFE. The next try is
///   5 s after a failure, and twice as long after each further one, up to 5 minutes.
/// * A token with an unknown `kid` makes them be fetched at most every 30 s, whatever that brings.
///   Tokens with a known one do not wait for it.
/// * Keys are fetched once for all callers, and for a registration: one that is changed or made
///   again starts anew.
pub struct RemoteKeys {
    outgoing: Outgoing,
    shared: Arc<Shared>,
    owners: Cache<OwnerId, Arc<Owned>>,
    /// One registration's keys are set up once.
    setting_up: Mutex<()>,
}

/// The keys of a registration, in one state of it.
struct Owned {
    owner: KeyOwner,
    version: u64,
    since: UnixTime,
    keys: Result<Refreshing<Published>, Arc<KeySetError>>,
}

impl RemoteKeys {
    /// Fetches by `outgoing`.
    pub fn new(outgoing: Outgoing, clock: Arc<dyn Clock>) -> Self {
        Self {
            outgoing,
            shared: Arc::new(Shared::new(clock)),
            owners: Cache::new(MAX_OWNERS),
            setting_up: Mutex::default(),
        }
    }

    /// Tells `observer` what becomes of fetches.
    #[must_use]
    pub fn observer(self, observer: Arc<dyn KeysObserver>) -> Self {
        let mut shared = (*self.shared).clone();
        shared.observer = Some(observer);
        Self {
            shared: Arc::new(shared),
            ..self
        }
    }

    /// Keeps what is fetched among these artifacts: a process that starts while a server is down has
    /// its keys, and other processes can tell how old they are.
    #[must_use]
    pub fn keeping(self, artifacts: Arc<dyn Artifacts>) -> Self {
        let mut shared = (*self.shared).clone();
        shared.artifacts = Some(artifacts);
        Self {
            shared: Arc::new(shared),
            ..self
        }
    }

    /// What is kept of the keys of `issuer`, whichever process has fetched them.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn kept(&self, issuer: &TrustedIssuer) -> Result<Option<HeldKeys>, StoreError> {
        let owner = KeyOwner::of_issuer(issuer);
        match Published::of_issuer(&owner, issuer, &self.outgoing, &self.shared) {
            Ok((published, _)) => published.shown().await,
            Err(_) => Ok(None),
        }
    }

    /// Fetches the keys of `issuer` once, and the metadata that lead to them. Nothing is kept, and the
    /// observer hears nothing.
    ///
    /// # Errors
    /// [`KeySetError`], for operators only: it may name addresses.
    pub async fn check(&self, issuer: &TrustedIssuer) -> Result<KeyReport, KeySetError> {
        if let Some(uploaded) = issuer.keys.uploaded() {
            let jwks = uploaded.iter().filter_map(|uploaded| uploaded.key.jwk());
            return Ok(KeyReport {
                asked: Vec::new(),
                jwks_uri: None,
                keys: jwks.map(PublishedKey::from).collect(),
                skipped: Vec::new(),
            });
        }
        let owner = KeyOwner::of_issuer(issuer);
        let apart = Arc::new(Shared::new(self.shared.clock.clone()));
        let (published, _) = Published::of_issuer(&owner, issuer, &self.outgoing, &apart)?;
        published.report().await
    }

    /// What is held of the keys of `issuer`, if this process has needed them yet.
    pub fn status(&self, issuer: &TrustedIssuer) -> Option<KeyStatus> {
        self.status_of(&KeyOwner::of_issuer(issuer))
    }

    /// As [`RemoteKeys::status`], of a client with a `jwks_uri`.
    pub fn client_status(&self, client: &Client) -> Option<KeyStatus> {
        self.status_of(&KeyOwner::of_client(client))
    }

    /// What is held of the keys of each owner that this process has needed yet, in no order.
    pub fn statuses(&self) -> Vec<(KeyOwner, KeyStatus)> {
        let owners = self.owners.iter();
        owners
            .map(|(_, owned)| (owned.owner.clone(), owned.status()))
            .collect()
    }

    fn status_of(&self, owner: &KeyOwner) -> Option<KeyStatus> {
        Some(self.owners.peek(&OwnerId::from(owner))?.status())
    }

    /// The way that keys are fetched.
    pub fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }

    /// The keys of a registration in this state of it, or of a later one.
    fn owned(
        &self,
        owner: KeyOwner,
        Revision { version, .. }: Revision,
        published: impl FnOnce(&KeyOwner) -> Result<(Published, Lives), KeySetError>,
    ) -> Arc<Owned> {
        let id = OwnerId::from(&owner);
        let held = || self.owners.get(&id).filter(|held| held.version >= version);
        if let Some(held) = held() {
            return held;
        }
        let _setting_up = self
            .setting_up
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held() {
            return held;
        }
        let refreshing =
            |(published, lives)| Refreshing::new(published, lives, self.shared.clock.clone());
        let keys = published(&owner).map(refreshing).map_err(Arc::new);
        let since = self.shared.clock.now();
        let owned = Arc::new(Owned {
            owner,
            version,
            since,
            keys,
        });
        self.owners.insert(id, owned.clone());
        owned
    }
}

impl Owned {
    fn status(&self) -> KeyStatus {
        let standing = match &self.keys {
            Ok(refreshing) => refreshing.standing(),
            Err(error) => {
                let last_failure = Some(KeyFailure {
                    at: self.since,
                    reason: error.to_string(),
                });
                return KeyStatus {
                    held: None,
                    last_failure,
                };
            }
        };
        let failure = |(at, error): (UnixTime, Arc<KeySetError>)| KeyFailure {
            at,
            reason: error.to_string(),
        };
        KeyStatus {
            held: standing
                .held
                .map(|held| HeldKeys::new(&held, standing.stale)),
            last_failure: standing.failure.map(failure),
        }
    }

    /// Those of the owner's keys that may have signed a token with this header.
    async fn candidates(&self, header: &Header) -> Result<Vec<Candidate>, KeyError> {
        let unavailable = |error: Arc<KeySetError>| KeyError::Unavailable(error.into());
        let refreshing = self
            .keys
            .as_ref()
            .map_err(|error| unavailable(error.clone()))?;
        let mut keys = refreshing.get().await.map_err(unavailable)?;
        if !keys.knows(header) {
            // Where they cannot be fetched, those that are held decide.
            let other = refreshing.other_than(&keys).await;
            keys = other.ok().flatten().unwrap_or(keys);
        }
        let last_failure = || Some(refreshing.standing().failure?.1);
        candidates(&keys, header, last_failure)
    }
}

fn candidates(
    keys: &KeySet,
    header: &Header,
    last_failure: impl FnOnce() -> Option<Arc<KeySetError>>,
) -> Result<Vec<Candidate>, KeyError> {
    let source = |index: usize| KeySource::Published(index + 1);
    let candidate = |(index, key): (usize, &Arc<VerificationKey>)| Candidate {
        key: key.clone(),
        source: source(index),
    };
    let found: Vec<_> = keys.candidates(header).map(candidate).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    if keys.knows(header) || header.key_id().is_none() {
        return Err(KeyError::NoKeyForAlgorithm(header.algorithm()));
    }
    Err(match keys.unusable(header) {
        Some(skipped) => KeyError::KeyUnusable {
            source_of_key: source(skipped.index),
            error: skipped.reason.clone(),
        },
        None => KeyError::NotPublished(last_failure()),
    })
}

#[async_trait]
impl KeyResolver for RemoteKeys {
    async fn resolve_keys(
        &self,
        client: &Client,
        kind: KeyKind,
        header: &Header,
        now: UnixTime,
    ) -> Result<Vec<Candidate>, KeyError> {
        match client.authentication().public_keys().jwks_uri() {
            Some(url) if kind == KeyKind::Public => {
                let owned = self.owned(KeyOwner::of_client(client), client.revision(), |owner| {
                    Published::of_client(owner, url, &self.outgoing, &self.shared)
                });
                owned.candidates(header).await
            }
            _ => RegisteredKeys.resolve_keys(client, kind, header, now).await,
        }
    }

    async fn resolve_issuer_keys(
        &self,
        issuer: &TrustedIssuer,
        header: &Header,
        now: UnixTime,
    ) -> Result<Vec<Candidate>, KeyError> {
        if issuer.keys.uploaded().is_some() {
            return RegisteredKeys
                .resolve_issuer_keys(issuer, header, now)
                .await;
        }
        // Nothing is fetched for a token that no key of the issuer is for.
        let algorithm = header.algorithm();
        let is_named = |named: &Algorithm| named.is_same_as(algorithm);
        if !issuer.algorithms.iter().any(is_named) {
            return Err(KeyError::NoKeyForAlgorithm(algorithm));
        }
        self.owned_by(issuer).candidates(header).await
    }

    fn issuer_status(&self, issuer: &TrustedIssuer) -> Option<KeyStatus> {
        self.status(issuer)
    }
}

impl RemoteKeys {
    fn owned_by(&self, issuer: &TrustedIssuer) -> Arc<Owned> {
        self.owned(KeyOwner::of_issuer(issuer), issuer.revision, |owner| {
            Published::of_issuer(owner, issuer, &self.outgoing, &self.shared)
        })
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys")
            .field("outgoing", &self.outgoing)
            .field("owners", &self.owners.len())
            .finish_non_exhaustive()
    }
}
