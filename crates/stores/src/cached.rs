//! The registry in memory, so that the hot path never waits for a database, and the rule by which
//! this process finds out what others have changed.
//!
//! A look at the feed is made several times a second by the database's own side; for a request when
//! the last one for a request is some milliseconds old ([`Feed::LOOK_AGAIN`]); and after each change
//! of this process before it is answered. Each first forgets, so that nothing stale is left in force
//! should it fail after that.

mod entries;
mod flight;
mod names;
mod ring;

#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use grantor::{
    clock::Clock,
    keys::KeyRing,
    registry::{Client, Issuers, Permissions, Subject, Trusts},
    storage::StoreError,
    types::{ClientId, SubjectId},
};

use self::{
    entries::{Entries, Generation},
    flight::{Flight, Seat},
    ring::Ring,
};
pub(crate) use self::{names::KnownNames, ring::Moment};
use crate::feed::{Change, Feed, Load, Look, News};

/// Parsed registrations and signing keys of a database, and how far its feed was read.
pub(crate) struct Cached<S: Feed> {
    source: S,
    clock: Arc<dyn Clock>,
    generation: Generation,
    names: Arc<KnownNames>,
    clients: Entries<ClientId, Arc<Client>>,
    /// Those that were asked for, also if they are not there: trusts ask for names that nobody has.
    subjects: Entries<SubjectId, Option<Subject>>,
    permissions: Entries<(ClientId, SubjectId), Permissions>,
    /// One entry, for all issuers.
    issuers: Entries<(), Arc<Issuers>>,
    /// By the number of the issuer.
    trusts: Entries<u64, Arc<Trusts>>,
    ring: Ring,
    looks: Looks<S::Position>,
}

/// When and how far the feed was read.
struct Looks<P> {
    opened: Instant,
    /// From when on a request makes the next look, in milliseconds after `opened`.
    due: AtomicU64,
    /// What is before it was heeded. It is copied, not kept locked: two looks at once may heed the
    /// same twice.
    position: Mutex<P>,
    /// The look for a request that is under way.
    flight: Mutex<Option<Flight<()>>>,
}

impl<S: Feed + Load> Cached<S> {
    /// What is read is added to `names` and `moment`, which were read behind `position`.
    pub(crate) fn new(
        source: S,
        clock: Arc<dyn Clock>,
        position: S::Position,
        names: KnownNames,
        moment: Moment,
    ) -> Self {
        Self {
            source,
            clock,
            generation: Generation::default(),
            names: Arc::new(names),
            clients: Entries::new(),
            subjects: Entries::new(),
            permissions: Entries::new(),
            issuers: Entries::new(),
            trusts: Entries::new(),
            ring: Ring::new(moment),
            looks: Looks {
                opened: Instant::now(),
                due: AtomicU64::new(0),
                position: Mutex::new(position),
                flight: Mutex::new(None),
            },
        }
    }

    /// Where the registry is read from.
    pub(crate) fn source(&self) -> &S {
        &self.source
    }

    /// The time.
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The signing keys.
    pub(crate) fn key_ring(&self) -> Arc<KeyRing> {
        self.ring.keys()
    }

    /// A client. The look, where it is due, is for those at hand too: a request now and then would
    /// otherwise be answered sooner where the client exists.
    pub(crate) async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        if !self.is_look_due()
            && let Some(client) = self.clients.get(id)
        {
            return self.source.check().map(|()| Some(client));
        }
        // In memory of its own: few requests need it.
        Box::pin(self.client_by_name(id)).await
    }

    async fn client_by_name(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        // Where it is known that nothing is answered, nobody waits for a look.
        self.source.check()?;
        let looked = if self.is_look_due() {
            self.look_for_request().await
        } else {
            Ok(())
        };
        self.source.check()?;
        // What is known does not need the feed.
        let Some(number) = self.names.number(id.as_str()) else {
            return looked.map(|()| None);
        };
        if let Some(client) = self.clients.get(id) {
            return Ok(Some(client));
        }
        let load = || self.source.client(id, number);
        self.clients.load(&self.generation, id, load).await
    }

    /// A subject.
    pub(crate) async fn subject(&self, id: &SubjectId) -> Result<Option<Subject>, StoreError> {
        self.source.check()?;
        match self.subjects.get(id) {
            Some(Some(subject)) => return Ok(Some(subject)),
            // Somebody may just have been registered, as with the names of clients.
            Some(None) if self.is_look_due() => Box::pin(self.look_for_request()).await?,
            Some(None) | None => {}
        }
        if let Some(subject) = self.subjects.get(id) {
            return Ok(subject);
        }
        let load = async || self.source.subject(id).await.map(Some);
        let loaded = Box::pin(self.subjects.load(&self.generation, id, load)).await;
        loaded.map(Option::flatten)
    }

    /// All permissions of a client for a subject: one entry, whoever gave them.
    pub(crate) async fn permissions(
        &self,
        client: &ClientId,
        subject: &SubjectId,
    ) -> Result<Permissions, StoreError> {
        self.source.check()?;
        let key = (client.clone(), subject.clone());
        if let Some(permissions) = self.permissions.get(&key) {
            return Ok(permissions);
        }
        let load = || self.source.permissions(&key);
        let loaded = Box::pin(self.permissions.load(&self.generation, &key, load)).await;
        loaded.map(Option::unwrap_or_default)
    }

    /// All issuers. As for a client, the look comes first where it is due: a request that names an
    /// issuer need not name a client.
    pub(crate) async fn issuers(&self) -> Result<Arc<Issuers>, StoreError> {
        if !self.is_look_due()
            && let Some(issuers) = self.issuers.get(&())
        {
            return self.source.check().map(|()| issuers);
        }
        Box::pin(self.issuers_now()).await
    }

    async fn issuers_now(&self) -> Result<Arc<Issuers>, StoreError> {
        self.source.check()?;
        if self.is_look_due() {
            self.look_for_request().await?;
        }
        self.source.check()?;
        if let Some(issuers) = self.issuers.get(&()) {
            return Ok(issuers);
        }
        let load = || async { self.source.issuers().await.map(Some) };
        let loaded = self.issuers.load(&self.generation, &(), load).await;
        loaded.map(Option::unwrap_or_default)
    }

    /// All trusts of the issuer with this number.
    pub(crate) async fn trusts(&self, issuer: u64) -> Result<Arc<Trusts>, StoreError> {
        self.source.check()?;
        if let Some(trusts) = self.trusts.get(&issuer) {
            return Ok(trusts);
        }
        let load = || self.source.trusts(issuer);
        let loaded = Box::pin(self.trusts.load(&self.generation, &issuer, load)).await;
        loaded.map(Option::unwrap_or_default)
    }

    /// Whether the last look for a request is some time ago.
    fn is_look_due(&self) -> bool {
        let due = Duration::from_millis(self.looks.due.load(Ordering::Acquire));
        self.looks.opened.elapsed() >= due
    }

    /// Looks, or waits for the look that is under way for another request.
    async fn look_for_request(&self) -> Result<(), StoreError> {
        loop {
            match self.looks.board() {
                Seat::Waits(flight) => {
                    if let Some(answer) = flight.answer().await {
                        return answer;
                    }
                }
                Seat::Leads(lead) => {
                    let due = self.looks.opened.elapsed() + S::LOOK_AGAIN;
                    let due = u64::try_from(due.as_millis()).unwrap_or(u64::MAX);
                    let looked = self.look().await;
                    // Last, so that no request takes a look that has not ended for one that has.
                    self.looks.due.store(due, Ordering::Release);
                    return lead.answer(looked);
                }
            }
        }
    }

    /// Reads what has changed since the last look, and forgets it.
    ///
    /// # Errors
    /// [`StoreError`]; the next look reads the same again.
    pub(crate) async fn look(&self) -> Result<(), StoreError> {
        let before = self.position();
        match self.source.look(&before).await {
            Ok(look) => self.heed(&before, look).await,
            Err(error) => {
                // Not knowing what changed, trust nothing that was read before.
                self.forget(&News::Everything);
                Err(error)
            }
        }
    }

    /// A number that grows with each forgetting.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.current()
    }

    /// How far the feed was read.
    pub(crate) fn position(&self) -> S::Position {
        self.looks.position().clone()
    }

    /// Forgets what a look has seen that was made at this position.
    ///
    /// # Errors
    /// [`StoreError`]; the next look reads the same again.
    pub(crate) async fn heed(
        &self,
        before: &S::Position,
        look: Look<S::Position>,
    ) -> Result<(), StoreError> {
        let Look { news, position } = look;
        self.forget(&news);
        let generation = self.generation.current();
        if news == News::Everything {
            self.source.names(&self.names).await?;
        }
        if news.is_about_keys() || self.ring.is_due(self.clock.now()) {
            let moment = self.source.ring(self.clock.now()).await?;
            self.ring.put(moment, generation);
        }
        // Another look may have come further meanwhile.
        let mut last = self.looks.position();
        if *last == *before {
            *last = position;
        }
        Ok(())
    }

    /// Forgets what was read of the registrations that have changed.
    fn forget(&self, news: &News) {
        match news {
            News::Changes(changes) if changes.is_empty() => {}
            News::Changes(changes) => {
                let _held = self.generation.next();
                changes.iter().for_each(|change| self.forget_one(change));
            }
            News::Everything => {
                let _held = self.generation.next();
                self.clients.clear();
                self.subjects.clear();
                self.permissions.clear();
                self.issuers.clear();
                self.trusts.clear();
            }
        }
    }

    fn forget_one(&self, change: &Change) {
        match change {
            Change::Client { id, number } => {
                self.names.insert(id.as_str(), number.unwrap_or_default());
                self.clients.remove(id);
            }
            Change::Subject(id) => self.subjects.remove(id),
            Change::Permission(client, subject) => {
                self.permissions.remove(&(client.clone(), subject.clone()));
            }
            Change::Issuer(number) => {
                self.issuers.remove(&());
                self.trusts.remove(number);
            }
            Change::TrustsOf(issuer) => self.trusts.remove(issuer),
            // Read anew, for there always have to be some.
            Change::SigningKeys => {}
        }
    }
}

impl News {
    fn is_about_keys(&self) -> bool {
        match self {
            Self::Changes(changes) => changes.contains(&Change::SigningKeys),
            Self::Everything => true,
        }
    }
}

impl<P> Looks<P> {
    fn position(&self) -> MutexGuard<'_, P> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the look that is under way, or begins it.
    fn board(&self) -> Seat<()> {
        Flight::board(&mut self.flight.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
