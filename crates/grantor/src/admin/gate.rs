//! The gate before the registries: it lets through what its actor may change, and nothing else.
//!
//! Whichever use case makes a change, and whichever way it came, the rules are asked here, each one
//! function: M012 and M013 in [`power`], M014 in [`last_owner`], M006 and M073 in [`rights`]. What a
//! decision rests on is read before, and is a condition of the same commit.

mod ahead;
mod decision;
mod last_owner;
mod ports;
mod power;
mod rights;
mod view;

use std::sync::Arc;

use async_trait::async_trait;

use self::{decision::Decision, last_owner::Touched, view::View};
pub use self::{
    ports::Ports,
    rights::{Expected, Rights},
};
use crate::{
    registry::{
        Actor, ChangeRecord, Client, Issuers, Resource, Revision, Subject, TrustedIssuer, Trusts,
    },
    storage::{
        AnyChange, Applied, Batch, Change, Cursor, IssuerSource, Log, LogPage, Logged, Page,
        Registry, Start, StoreError,
    },
    types::{ClientId, SubjectId},
};

/// Most tries of a change that others keep overtaking.
const TRIES: u32 = 8;

/// All registries, for one actor: they are read as they are, and changed within the actor's rights.
/// What is denied is a [`StoreError::Denied`], and nothing was changed.
#[derive(Clone, Debug)]
pub struct Gate {
    ports: Ports,
    rights: Rights,
}

/// A kind of resource that is guarded.
#[async_trait]
trait Guarded: Resource {
    /// Where it is kept.
    fn registry(ports: &Ports) -> &dyn Registry<Self>;

    /// The change beside those of other kinds.
    fn any(change: Change<Self>) -> AnyChange;

    /// Whether it holds or gives power over this server.
    async fn has_power(&self, view: &mut View<'_>) -> Result<bool, StoreError>;

    /// Passes over what ends with it, if that may end.
    async fn end_along(_: &Self::Id, _: &Rights, _: &mut View<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    /// Passes over what ends when there is a new one.
    async fn end_before(_: &Self::Id, _: &mut View<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    /// Notes whose way in may have been taken, by what is before and after.
    fn touch(_: &Self::Id, _: [Option<&Self>; 2], _: &mut Touched) {}
}

impl Gate {
    /// Before these registries, for an actor with these rights.
    pub fn new(ports: Ports, rights: Rights) -> Self {
        Self { ports, rights }
    }

    /// What the actor may change.
    pub fn rights(&self) -> &Rights {
        &self.rights
    }

    /// Succeeds if the actor may change what hangs on this client and is in no registry.
    ///
    /// # Errors
    /// [`StoreError::Denied`]
    pub async fn check_client(&self, id: &ClientId) -> Result<(), StoreError> {
        self.check::<Client>(id).await
    }

    /// Succeeds if the actor may change what hangs on this subject and is in no registry:
    /// invitations, sessions.
    ///
    /// # Errors
    /// [`StoreError::Denied`]
    pub async fn check_subject(&self, id: &SubjectId) -> Result<(), StoreError> {
        self.check::<Subject>(id).await
    }

    async fn check<R: Guarded>(&self, id: &R::Id) -> Result<(), StoreError> {
        let mut decision = Decision::new(&self.ports, &self.rights);
        decision.check_touch::<R>(id).await
    }

    /// Succeeds if these changes may be made now. None is.
    ///
    /// # Errors
    /// [`StoreError::Denied`], [`StoreError::Conflict`]
    pub async fn may_apply(&self, changes: Vec<AnyChange>) -> Result<(), StoreError> {
        self.decided(changes).await.map(drop)
    }

    async fn decided(
        &self,
        changes: Vec<AnyChange>,
    ) -> Result<(Vec<AnyChange>, Vec<AnyChange>), StoreError> {
        let mut decision = Decision::new(&self.ports, &self.rights);
        decision.read_ahead(&changes).await?;
        let mut decided = Vec::with_capacity(changes.len());
        for change in changes {
            decided.push(match change {
                AnyChange::Client(change) => decision.decide(change).await?.into(),
                AnyChange::Subject(change) => decision.decide(change).await?.into(),
                AnyChange::Operator(change) => decision.decide(change).await?.into(),
                AnyChange::Permission(change) => decision.decide(change).await?.into(),
                AnyChange::Scope(change) => decision.decide(change).await?.into(),
                AnyChange::Password(change) => decision.decide(change).await?.into(),
                AnyChange::Passkey(change) => decision.decide(change).await?.into(),
                AnyChange::Issuer(change) => decision.decide(change).await?.into(),
                AnyChange::Trust(change) => decision.decide(change).await?.into(),
                condition @ AnyChange::NoneSince { .. } => condition,
            });
        }
        Ok((decided, decision.end().await?))
    }

    /// Decides and makes changes of one kind.
    async fn try_apply<R: Guarded>(
        &self,
        changes: Vec<Change<R>>,
        by: &Actor,
    ) -> Result<Applied<R>, StoreError> {
        let mut turn = self.ports.turn.lock().await;
        let mut decision = Decision::new(&self.ports, &self.rights);
        let mut decided = Vec::with_capacity(changes.len());
        for change in changes {
            decided.push(decision.decide(change).await?);
        }
        let mut all = decision.end().await?;
        *turn += 1;
        if all.is_empty() {
            return R::registry(&self.ports).apply(decided, by).await;
        }
        all.extend(decided.iter().cloned().map(R::any));
        self.ports.batch.apply_all(all, by).await?;
        let mut resources = Vec::with_capacity(decided.len());
        for change in decided {
            resources.push(self.made(change).await?);
        }
        Ok(Applied::new(resources))
    }

    /// What a change has left: the state that it made, also where there is another one by now.
    async fn made<R: Guarded>(&self, change: Change<R>) -> Result<Option<Arc<R>>, StoreError> {
        let (made, id) = match change {
            Change::Create(made) => {
                let id = made.id();
                (made, id)
            }
            Change::Replace(made) => {
                let revision = made.revision().next();
                return Ok(Some(Arc::new(made.with_revision(revision))));
            }
            Change::Delete(..) => return Ok(None),
            Change::Expect(id, _) => return self.get(&id).await,
        };
        let found: Option<Arc<R>> = self.get(&id).await?;
        let number = found.map_or(0, |found| found.revision().number);
        Ok(Some(Arc::new(made.with_revision(Revision::first(number)))))
    }
}

#[async_trait]
impl<R: Guarded> Registry<R> for Gate {
    async fn get(&self, id: &R::Id) -> Result<Option<Arc<R>>, StoreError> {
        R::registry(&self.ports).get(id).await
    }

    async fn get_all(&self, ids: &[R::Id]) -> Result<Vec<Option<Arc<R>>>, StoreError> {
        R::registry(&self.ports).get_all(ids).await
    }

    async fn page(
        &self,
        filter: &R::Filter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<Arc<R>>, StoreError> {
        let registry = R::registry(&self.ports);
        registry.page(filter, after, limit).await
    }

    async fn apply(&self, changes: Vec<Change<R>>, by: &Actor) -> Result<Applied<R>, StoreError> {
        for _ in 0..TRIES {
            match self.try_apply(changes.clone(), by).await {
                // What the decision rests on may be what has changed: it is made anew. A caller
                // that was overtaken is told then.
                Err(StoreError::Conflict(_)) => {}
                applied => return applied,
            }
        }
        Err(StoreError::Conflict(R::NAME))
    }
}

#[async_trait]
impl Batch for Gate {
    async fn apply_all(
        &self,
        changes: Vec<AnyChange>,
        by: &Actor,
    ) -> Result<Vec<ChangeRecord>, StoreError> {
        let mut overtaken = StoreError::Conflict("resource");
        for _ in 0..TRIES {
            // A plan has thousands of changes: others make theirs while it is decided, and it is
            // decided anew in its turn if they did.
            let before = *self.ports.turn.lock().await;
            let first = self.decided(changes.clone()).await?;
            let mut turn = self.ports.turn.lock().await;
            let (decided, mut all) = match *turn == before {
                true => first,
                false => self.decided(changes.clone()).await?,
            };
            *turn += 1;
            all.extend(decided);
            match self.ports.batch.apply_all(all, by).await {
                Err(error @ StoreError::Conflict(_)) => overtaken = error,
                applied => return applied,
            }
        }
        Err(overtaken)
    }
}

#[async_trait]
impl IssuerSource for Gate {
    async fn issuers(&self) -> Result<Arc<Issuers>, StoreError> {
        self.ports.source.issuers().await
    }

    async fn trusts(&self, issuer: &TrustedIssuer) -> Result<Arc<Trusts>, StoreError> {
        self.ports.source.trusts(issuer).await
    }
}

#[async_trait]
impl Log<ChangeRecord> for Gate {
    async fn page(
        &self,
        filter: &<ChangeRecord as Logged>::Filter,
        start: Start,
        limit: u32,
    ) -> Result<LogPage, StoreError> {
        self.ports.log.page(filter, start, limit).await
    }
}

#[cfg(test)]
mod tests;
