//! Whether changes may be made, one after the other, and what that rests on.

use std::sync::Arc;

use super::{
    Guarded, Ports, Rights,
    ahead::Mentioned,
    last_owner::{self, Touched},
    power::check_power,
    view::View,
};
use crate::storage::{AnyChange, Change, StoreError};

/// The changes of one call.
pub(super) struct Decision<'a> {
    rights: &'a Rights,
    view: View<'a>,
    touched: Touched,
}

impl<'a> Decision<'a> {
    pub(super) fn new(ports: &'a Ports, rights: &'a Rights) -> Self {
        Self {
            rights,
            view: View::of(ports),
            touched: Touched::default(),
        }
    }

    /// Reads what these changes mention, before they are decided one by one.
    pub(super) async fn read_ahead(&mut self, changes: &[AnyChange]) -> Result<(), StoreError> {
        let mentioned = Mentioned::by(changes);
        mentioned.read(&mut self.view).await
    }

    /// The change, if it may be made: one that removes something names the state that was seen.
    pub(super) async fn decide<R: Guarded>(
        &mut self,
        change: Change<R>,
    ) -> Result<Change<R>, StoreError> {
        let (id, after) = match &change {
            Change::Create(after) | Change::Replace(after) => (after.id(), Some(after)),
            Change::Delete(id, _) => (id.clone(), None),
            Change::Expect(..) => return self.expect(change).await,
        };
        self.rights.check_editor::<R>(&id)?;
        let is_pending = self.view.is_pending::<R>(&id);
        let before = match (self.view.get::<R>(&id).await, &change) {
            (Err(StoreError::Failed(_)), Change::Delete(..))
                if self.rights.may_remove_unreadable() =>
            {
                return Ok(change);
            }
            (before, _) => before?,
        };
        let states = [before.as_deref(), after];
        check_power::<R>(&id, states, self.rights, &mut self.view).await?;
        self.rights.check_manager::<R>(&id, states)?;
        self.rights.check_expected::<R>(before.as_deref())?;
        R::touch(&id, states, &mut self.touched);
        let seen = before.filter(|_| !is_pending);
        let change = resting_on(change, seen.as_deref())?;
        self.pass(&id, &change).await?;
        Ok(change)
    }

    /// The conditions of it all, if it may all be made.
    pub(super) async fn end(mut self) -> Result<Vec<AnyChange>, StoreError> {
        // Who is no owner has taken nothing from one.
        if self.rights.is_owner() && !self.rights.is_local() {
            last_owner::check(self.touched, &mut self.view).await?;
        }
        Ok(self.view.conditions())
    }

    /// Succeeds if the actor may change what hangs on this resource.
    pub(super) async fn check_touch<R: Guarded>(&mut self, id: &R::Id) -> Result<(), StoreError> {
        self.rights.check_editor::<R>(id)?;
        let found = self.view.get::<R>(id).await?;
        let states = [found.as_deref(), None];
        check_power::<R>(id, states, self.rights, &mut self.view).await
    }

    /// What is decided next finds it so.
    async fn pass<R: Guarded>(&mut self, id: &R::Id, change: &Change<R>) -> Result<(), StoreError> {
        let after = match change {
            Change::Create(after) => {
                R::end_before(id, &mut self.view).await?;
                Some(after.clone())
            }
            Change::Replace(after) => {
                let revision = after.revision().next();
                Some(after.clone().with_revision(revision))
            }
            Change::Delete(..) => {
                R::end_along(id, self.rights, &mut self.view).await?;
                None
            }
            Change::Expect(..) => return Ok(()),
        };
        self.view.put::<R>(id, after.map(Arc::new));
        Ok(())
    }

    /// Whether what the caller rests on is so, as far as it can be told before.
    async fn expect<R: Guarded>(&mut self, change: Change<R>) -> Result<Change<R>, StoreError> {
        if let Change::Expect(id, expected) = &change
            && !self.view.is_pending::<R>(id)
        {
            let found = self.view.get::<R>(id).await?;
            if found.map(|found| found.revision()) != *expected {
                return Err(StoreError::Conflict(R::NAME));
            }
        }
        Ok(change)
    }
}

/// The change of what was seen, and of no other state of it.
fn resting_on<R: Guarded>(change: Change<R>, seen: Option<&R>) -> Result<Change<R>, StoreError> {
    let seen = seen.map(|seen| seen.revision());
    match change {
        Change::Replace(after) if seen.is_some_and(|seen| seen != after.revision()) => {
            Err(StoreError::Conflict(R::NAME))
        }
        Change::Delete(id, None) => Ok(Change::Delete(id, seen)),
        Change::Delete(_, Some(expected)) if seen.is_some_and(|seen| seen != expected) => {
            Err(StoreError::Conflict(R::NAME))
        }
        change => Ok(change),
    }
}
