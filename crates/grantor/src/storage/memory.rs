//! A store in memory: for tests and for programs that keep their registry elsewhere. Nothing
//! survives the process.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use super::{
    Claim, ClientRegistry, ClientSource, IssuerTag, OpaqueToken, PermissionRegistry,
    PermissionSource, Put, ReplayGuard, ReplayKey, Revocation, StoreError, SubjectRegistry,
    SubjectSource, TokenDigest, TokenStore,
};
use crate::{
    clock::UnixTime,
    registry::{Client, Permission, Revision, Subject},
    types::{ClientId, SubjectId},
};

/// Everything in maps behind one lock.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The last number given to a registration.
    last_number: u64,
    clients: BTreeMap<ClientId, Arc<Client>>,
    subjects: BTreeMap<SubjectId, Subject>,
    permissions: BTreeMap<(ClientId, SubjectId), Permission>,
    tokens: Expiring<OpaqueToken>,
    revocations: Expiring<()>,
    claims: HashMap<ReplayKey, UnixTime>,
    /// Claims of each issuer, ended ones among them until they are looked for.
    claimed_by: HashMap<IssuerTag, u64>,
    claims_swept_at: Option<UnixTime>,
    /// What ended up to then may be forgotten.
    swept_to: Option<UnixTime>,
    /// Claims after which expired ones are looked for: twice as many as were alive the last time.
    sweep_at: usize,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How soon an issuer over its quota is counted again.
const RECOUNT_AFTER: Duration = Duration::from_secs(10);

impl State {
    /// Forgets the claims that have ended.
    fn sweep_claims(&mut self, now: UnixTime) {
        self.swept_to = self.swept_to.max(Some(now));
        self.claims.retain(|_, end| *end >= now);
        self.claimed_by.clear();
        for key in self.claims.keys() {
            *self.claimed_by.entry(key.issuer()).or_default() += 1;
        }
        self.sweep_at = (self.claims.len() * 2).max(1024);
        self.claims_swept_at = Some(now);
    }

    fn may_be_gone(&self, until: UnixTime) -> bool {
        self.swept_to.is_some_and(|swept_to| until <= swept_to)
    }

    fn is_over_quota(&self, issuer: IssuerTag, quota: u64) -> bool {
        self.claimed_by
            .get(&issuer)
            .is_some_and(|claims| *claims >= quota)
    }

    /// The first revision of a new registration.
    fn register(&mut self) -> Revision {
        self.last_number += 1;
        Revision::first(self.last_number)
    }

    fn name_is_taken(&self, name: &str) -> bool {
        self.clients.keys().any(|client| client.as_str() == name)
            || self.subjects.keys().any(|subject| subject.as_str() == name)
    }
}

#[async_trait]
impl ClientSource for MemoryStore {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        Ok(self.state().clients.get(id).cloned())
    }
}

#[async_trait]
impl ClientRegistry for MemoryStore {
    async fn client_create(&self, client: Client) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.name_is_taken(client.id().as_str()) {
            return Err(StoreError::Exists("client or subject"));
        }
        let revision = state.register();
        state.clients.insert(
            client.id().clone(),
            Arc::new(client.with_revision(revision)),
        );
        Ok(())
    }

    async fn client_update(&self, client: Client) -> Result<(), StoreError> {
        let mut state = self.state();
        let known = state
            .clients
            .get_mut(client.id())
            .ok_or(StoreError::Missing("client"))?;
        let revision = client.revision();
        if known.revision() != revision {
            return Err(StoreError::Conflict("client"));
        }
        *known = Arc::new(client.with_revision(revision.next()));
        Ok(())
    }

    async fn client_delete(&self, id: &ClientId) -> Result<(), StoreError> {
        let mut state = self.state();
        state
            .clients
            .remove(id)
            .ok_or(StoreError::Missing("client"))?;
        state.permissions.retain(|(client, _), _| client != id);
        Ok(())
    }

    async fn client_list(&self) -> Result<Vec<Arc<Client>>, StoreError> {
        Ok(self.state().clients.values().cloned().collect())
    }
}

#[async_trait]
impl SubjectSource for MemoryStore {
    async fn subject(&self, id: &SubjectId) -> Result<Option<Subject>, StoreError> {
        Ok(self.state().subjects.get(id).cloned())
    }
}

#[async_trait]
impl SubjectRegistry for MemoryStore {
    async fn subject_create(&self, subject: Subject) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.name_is_taken(subject.id.as_str()) {
            return Err(StoreError::Exists("client or subject"));
        }
        let revision = state.register();
        state.subjects.insert(
            subject.id.clone(),
            Subject {
                revision,
                ..subject
            },
        );
        Ok(())
    }

    async fn subject_update(&self, subject: Subject) -> Result<(), StoreError> {
        let mut state = self.state();
        let known = state
            .subjects
            .get_mut(&subject.id)
            .ok_or(StoreError::Missing("subject"))?;
        if known.revision != subject.revision {
            return Err(StoreError::Conflict("subject"));
        }
        *known = Subject {
            revision: subject.revision.next(),
            ..subject
        };
        Ok(())
    }

    async fn subject_delete(&self, id: &SubjectId) -> Result<(), StoreError> {
        let mut state = self.state();
        state
            .subjects
            .remove(id)
            .ok_or(StoreError::Missing("subject"))?;
        state.permissions.retain(|(_, subject), _| subject != id);
        Ok(())
    }

    async fn subject_list(&self) -> Result<Vec<Subject>, StoreError> {
        Ok(self.state().subjects.values().cloned().collect())
    }
}

#[async_trait]
impl PermissionSource for MemoryStore {
    async fn permission(
        &self,
        client: &ClientId,
        subject: &SubjectId,
    ) -> Result<Option<Permission>, StoreError> {
        Ok(self
            .state()
            .permissions
            .get(&(client.clone(), subject.clone()))
            .cloned())
    }
}

#[async_trait]
impl PermissionRegistry for MemoryStore {
    async fn permission_create(&self, permission: Permission) -> Result<(), StoreError> {
        let mut state = self.state();
        if !state.clients.contains_key(&permission.client) {
            return Err(StoreError::Missing("client"));
        }
        if !state.subjects.contains_key(&permission.subject) {
            return Err(StoreError::Missing("subject"));
        }
        let key = (permission.client.clone(), permission.subject.clone());
        if state.permissions.contains_key(&key) {
            return Err(StoreError::Exists("permission"));
        }
        let revision = state.register();
        state.permissions.insert(
            key,
            Permission {
                revision,
                ..permission
            },
        );
        Ok(())
    }

    async fn permission_delete(
        &self,
        client: &ClientId,
        subject: &SubjectId,
    ) -> Result<(), StoreError> {
        let removed = self
            .state()
            .permissions
            .remove(&(client.clone(), subject.clone()));
        removed.map(drop).ok_or(StoreError::Missing("permission"))
    }

    async fn permission_list(&self) -> Result<Vec<Permission>, StoreError> {
        Ok(self.state().permissions.values().cloned().collect())
    }
}

#[async_trait]
impl ReplayGuard for MemoryStore {
    async fn claim(
        &self,
        key: ReplayKey,
        until: UnixTime,
        now: UnixTime,
        quota: u64,
    ) -> Result<Claim, StoreError> {
        let mut state = self.state();
        if state.claims.get(&key).is_some_and(|end| *end >= now) {
            return Ok(Claim::Replayed);
        }
        if state.may_be_gone(until) {
            return Err(StoreError::Unavailable(
                "the clock was ahead: this use may be forgotten".into(),
            ));
        }
        let recount = state.is_over_quota(key.issuer(), quota)
            && state
                .claims_swept_at
                .is_none_or(|swept_at| swept_at.plus(RECOUNT_AFTER) <= now);
        if recount || state.claims.len() >= state.sweep_at {
            state.sweep_claims(now);
        }
        if state.is_over_quota(key.issuer(), quota) {
            return Ok(Claim::OverQuota);
        }
        if state.claims.insert(key, until).is_none() {
            *state.claimed_by.entry(key.issuer()).or_default() += 1;
        }
        Ok(Claim::Fresh)
    }

    async fn is_claimed(&self, key: ReplayKey, now: UnixTime) -> Result<bool, StoreError> {
        Ok(self.state().claims.get(&key).is_some_and(|end| *end >= now))
    }
}

#[async_trait]
impl TokenStore for MemoryStore {
    async fn token_create(
        &self,
        digest: TokenDigest,
        token: OpaqueToken,
        quota: u64,
    ) -> Result<Put, StoreError> {
        let client = token.origin.map(|origin| origin.client);
        let (now, until) = (token.issued_at, token.expires_at);
        Ok(self.state().tokens.put(
            digest,
            Kept {
                client,
                until,
                value: token,
            },
            now,
            quota,
        ))
    }

    async fn token(&self, digest: &TokenDigest) -> Result<Option<OpaqueToken>, StoreError> {
        Ok(self
            .state()
            .tokens
            .records
            .get(digest)
            .map(|kept| kept.value.clone()))
    }

    async fn token_revoke(
        &self,
        digest: TokenDigest,
        revocation: Revocation,
        quota: u64,
    ) -> Result<Put, StoreError> {
        let Revocation { client, at, until } = revocation;
        Ok(self.state().revocations.put(
            digest,
            Kept {
                client: Some(client),
                until,
                value: (),
            },
            at,
            quota,
        ))
    }

    async fn token_is_revoked(
        &self,
        digest: &TokenDigest,
        _: UnixTime,
    ) -> Result<bool, StoreError> {
        Ok(self.state().revocations.records.contains_key(digest))
    }
}

/// How much longer a record is kept than it lasts: a clock that is ahead for a while brings no
/// revoked token back.
const KEPT_BEYOND_END: Duration = Duration::from_secs(86_400);

/// Records that end, counted by client.
struct Expiring<T> {
    records: HashMap<TokenDigest, Kept<T>>,
    by_client: HashMap<u64, u64>,
    /// What ended before may be gone.
    swept_to: Option<UnixTime>,
}

/// The records.
impl<T: fmt::Debug> fmt::Debug for Expiring<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.records.fmt(f)
    }
}

#[derive(Debug)]
struct Kept<T> {
    client: Option<u64>,
    until: UnixTime,
    value: T,
}

impl<T> Default for Expiring<T> {
    fn default() -> Self {
        Self {
            records: HashMap::new(),
            by_client: HashMap::new(),
            swept_to: None,
        }
    }
}

impl<T> Expiring<T> {
    fn put(&mut self, digest: TokenDigest, record: Kept<T>, now: UnixTime, quota: u64) -> Put {
        let client = record.client;
        let recount = self.is_full(client, quota)
            && self
                .swept_to
                .is_none_or(|swept_to| swept_to.plus(RECOUNT_AFTER) <= now);
        if recount || (self.records.len() >= 1024 && self.records.len().is_power_of_two()) {
            self.sweep(now);
        }
        if self.is_full(client, quota) {
            return Put::OverQuota;
        }
        if self.records.insert(digest, record).is_none() {
            client
                .into_iter()
                .for_each(|client| *self.by_client.entry(client).or_default() += 1);
        }
        Put::Kept
    }

    fn is_full(&self, client: Option<u64>, quota: u64) -> bool {
        client
            .and_then(|client| self.by_client.get(&client))
            .is_some_and(|held| *held >= quota)
    }

    fn sweep(&mut self, now: UnixTime) {
        self.swept_to = self.swept_to.max(Some(now));
        self.records
            .retain(|_, record| record.until.plus(KEPT_BEYOND_END) > now);
        self.by_client.clear();
        for client in self
            .records
            .values()
            .filter(|record| record.until > now)
            .filter_map(|record| record.client)
        {
            *self.by_client.entry(client).or_default() += 1;
        }
    }
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    async fn empty() -> (std::sync::Arc<super::MemoryStore>, ()) {
        (std::sync::Arc::new(super::MemoryStore::new()), ())
    }

    crate::store_suite!(empty);
}
