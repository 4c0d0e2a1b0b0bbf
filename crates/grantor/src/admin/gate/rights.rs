//! What an actor may change.

use crate::{
    registry::{Denial, Resource, ResourceId as _, Revision, Role},
    types::Name,
};

/// The states in which a resource may be that is changed (RFC 9110 §13.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// In any, or not there.
    #[default]
    Anything,
    /// In any.
    Present,
    /// In one of these.
    OneOf(Vec<Revision>),
}

/// From where an actor comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// From this machine, with the database in hand.
    Machine,
    /// Through the server.
    Server,
}

/// What an actor may change.
#[derive(Clone, Debug)]
pub struct Rights {
    role: Role,
    reach: Reach,
    manager: Option<Name>,
    overrides: bool,
    expected: Expected,
}

impl Rights {
    /// Those of this role.
    pub fn of(role: Role) -> Self {
        Self {
            role,
            reach: Reach::Server,
            manager: None,
            overrides: false,
            expected: Expected::Anything,
        }
    }

    /// Those of somebody at the database itself: an owner's, and the last owner is nobody there.
    pub fn local() -> Self {
        Self {
            reach: Reach::Machine,
            ..Self::of(Role::Owner)
        }
    }

    /// Changes what files under this name say: for `apply`.
    #[must_use]
    pub fn managing(self, name: Name) -> Self {
        Self {
            manager: Some(name),
            ..self
        }
    }

    /// Changes what is managed elsewhere, too.
    #[must_use]
    pub fn overriding(self) -> Self {
        Self {
            overrides: true,
            ..self
        }
    }

    /// Changes nothing that is in another state.
    #[must_use]
    pub fn expecting(self, expected: Expected) -> Self {
        Self { expected, ..self }
    }

    /// The role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether they are those of somebody at the database itself.
    pub fn is_local(&self) -> bool {
        self.reach == Reach::Machine
    }

    pub(super) fn is_owner(&self) -> bool {
        self.role == Role::Owner
    }

    /// Whether what cannot be read may be removed: nobody knows what it was.
    pub(super) fn may_remove_unreadable(&self) -> bool {
        self.is_local() || self.is_owner() && self.overrides
    }

    /// Succeeds for all who change something.
    pub(super) fn check_editor<R: Resource>(&self, id: &R::Id) -> Result<(), Denial> {
        match self.role >= Role::Editor {
            true => Ok(()),
            false => Err(Denial::NeedsEditor {
                kind: R::NAME,
                name: id.to_text(),
            }),
        }
    }

    /// M006: what is changed is as it was seen.
    pub(super) fn check_expected<R: Resource>(&self, before: Option<&R>) -> Result<(), Denial> {
        let is_expected = match (&self.expected, before) {
            (Expected::Anything, _) | (Expected::Present, Some(_)) => true,
            (Expected::OneOf(states), Some(before)) => states.contains(&before.revision()),
            (Expected::Present | Expected::OneOf(_), None) => false,
        };
        match is_expected {
            true => Ok(()),
            false => Err(Denial::Changed(R::NAME)),
        }
    }

    /// M073: what files manage, or are to manage, is changed by `apply` under the same name.
    pub(super) fn check_manager<R: Resource>(
        &self,
        id: &R::Id,
        [before, after]: [Option<&R>; 2],
    ) -> Result<(), Denial> {
        let mut managers = [before, after].into_iter().flatten();
        let other = managers.find_map(|state| {
            let manager = state.managed_by()?;
            (self.manager.as_ref() != Some(manager)).then_some(manager)
        });
        match other {
            Some(owner) if !self.overrides => Err(Denial::Managed {
                kind: R::NAME,
                name: id.to_text(),
                owner: owner.clone(),
            }),
            _ => Ok(()),
        }
    }
}
