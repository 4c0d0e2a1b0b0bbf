//! What a file of registrations would change, and the change itself: compared first, then made as a
//! whole or not at all (M070 to M074).

mod export;
mod look;
mod make;
mod order;
mod prune;
mod reading;
mod registrations;
mod rules;
mod tables;
mod written;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

pub use self::{
    export::Export,
    registrations::{Kind, Registrations},
};
use self::{make::Maker, reading::Documents, written::Context};
use super::{Difference, Error, Fault, ServerTerms, TrustStores, Warning, error::none_of};
use crate::{
    clock::UnixTime,
    credential::KeyFile,
    registry::{Actor, Permission, ScopeText},
    storage::{AnyChange, Cursor, Registries, Registry, StoreError},
    types::{IssuerId, Name},
};

/// What is asked of apply.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PlanRequest {
    /// What is to be registered.
    pub resources: Registrations,
    /// Whose files these are: what they make is managed by them.
    pub owner: Option<Name>,
    /// Removes what this owner's files have made and is not in these.
    pub prune: bool,
    /// Lets a file without registrations remove everything of its owner.
    pub allow_empty: bool,
    /// Makes the plan only.
    pub dry_run: bool,
    /// The [`Plan::state`] of a plan made before: nothing is done if it is not so any more.
    pub expected: Option<String>,
}

impl PlanRequest {
    /// To register this.
    pub fn new(resources: Registrations) -> Self {
        Self {
            resources,
            ..Self::default()
        }
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.prune && self.owner.is_none() {
            let detail = "missing; only what has an owner is pruned, so name it";
            faults.push(Fault::new("owner", detail));
        }
        if self.prune && self.resources.is_empty() && !self.allow_empty {
            let detail = "nothing is registered in it, and everything that its owner has made would \
                          be removed; say so (allow_empty) if that is meant";
            faults.push(Fault::new("resources", detail));
        }
        faults
    }
}

/// What apply would change, or has changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Plan {
    /// The state of the registry that it was made from: the digest of the kind, name and revision
    /// of all that was read for it.
    pub state: String,
    /// What is done with each registration that the file names, or that is removed: by kind and
    /// name.
    pub steps: Vec<Step>,
    /// How many there are of each.
    pub summary: Summary,
}

/// What is done with one registration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// Of which kind it is.
    pub resource: Kind,
    /// Its name: of a permission, a JSON array of client and subject.
    pub name: String,
    /// The members that differ, in the order of their names.
    pub differences: Vec<Difference>,
}

/// What is done with a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// It is registered.
    Create,
    /// It is changed.
    Update,
    /// It is removed.
    Delete,
    /// It is so already.
    Same,
}

/// How many registrations are created, changed, removed, and as they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Summary {
    /// That are registered.
    pub create: usize,
    /// That are changed.
    pub update: usize,
    /// That are removed.
    pub delete: usize,
    /// That are so already.
    pub same: usize,
}

impl Summary {
    fn of(steps: &[Step]) -> Self {
        let mut summary = Self::default();
        for step in steps {
            *match step.action {
                Action::Create => &mut summary.create,
                Action::Update => &mut summary.update,
                Action::Delete => &mut summary.delete,
                Action::Same => &mut summary.same,
            } += 1;
        }
        summary
    }

    /// Whether anything is to do.
    pub fn is_change(&self) -> bool {
        self.create + self.update + self.delete > 0
    }
}

/// The registries that files are about.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct PlanStores<'a> {
    /// Clients, subjects, issuers and trusts, and where all of it is changed.
    pub trust: TrustStores<'a>,
    /// The permissions.
    pub permissions: &'a dyn Registry<Permission>,
    /// The texts of scopes.
    pub scopes: &'a dyn Registry<ScopeText>,
}

impl<'a> PlanStores<'a> {
    /// Those of a backend with all registries.
    pub fn of(store: &'a impl Registries) -> Self {
        Self::new(TrustStores::of(store), store.permissions(), store.scopes())
    }

    /// These.
    pub fn new(
        trust: TrustStores<'a>,
        permissions: &'a dyn Registry<Permission>,
        scopes: &'a dyn Registry<ScopeText>,
    ) -> Self {
        Self {
            trust,
            permissions,
            scopes,
        }
    }
}

/// A plan that can be carried out. Nothing is changed yet.
#[must_use = "nothing is changed yet"]
#[non_exhaustive]
pub struct Planned {
    /// What it changes.
    pub plan: Plan,
    /// The key files with the secrets that were made for it, which exist nowhere else: whoever
    /// asked may be handed them before they are registered.
    pub key_files: Vec<KeyFile>,
    /// What an operator should know before.
    pub warnings: Vec<Warning>,
    changes: Vec<AnyChange>,
}

impl Planned {
    /// The changes, in the order in which they can be made.
    pub fn changes(&self) -> &[AnyChange] {
        &self.changes
    }
}

/// What was changed.
#[non_exhaustive]
pub struct Outcome {
    /// The plan that was carried out.
    pub plan: Plan,
    /// The key files with the secrets that were made, answered once.
    pub key_files: Vec<KeyFile>,
}

/// Plans for a registry.
#[derive(Clone, Copy)]
pub struct Plans<'a> {
    stores: PlanStores<'a>,
    terms: &'a ServerTerms,
    now: UnixTime,
}

impl<'a> Plans<'a> {
    /// For these registries, of a server of these terms, at this time.
    pub fn new(stores: PlanStores<'a>, terms: &'a ServerTerms, now: UnixTime) -> Self {
        Self { stores, terms, now }
    }

    /// Compares what is to be registered with what is. Nothing is fetched, and nothing changed.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all faults of the request, such as `/resources/client/17/scope`; [`Error::MovedOn`] where another state was expected,
    /// [`Error::Store`]
    pub async fn make(&self, request: &PlanRequest) -> Result<Planned, Error> {
        none_of(request.faults())?;
        let documents = Documents::read(&request.resources);
        let pruned = request.owner.as_ref().filter(|_| request.prune);
        let tables = self.stores.look(&documents, pruned).await?;
        let state = tables.state();
        if request
            .expected
            .as_ref()
            .is_some_and(|expected| *expected != state)
        {
            return Err(Error::MovedOn);
        }
        let mut maker = Maker {
            context: self.context(),
            stores: self.stores.trust,
            owner: request.owner.as_ref(),
            tables,
            faults: Vec::new(),
            unmade: HashSet::new(),
            steps: Vec::new(),
            changes: Vec::new(),
            key_files: Vec::new(),
            warnings: Vec::new(),
        };
        if let Some(owner) = pruned {
            maker.prune(&documents, owner);
        }
        maker.make(&documents).await;
        maker.check(&documents).await;
        let faults = documents.faults.iter().cloned();
        let faults = faults.chain(std::mem::take(&mut maker.faults));
        none_of(faults.map(|fault| fault.below("/resources")).collect())?;
        maker.expect_neighbours(&documents);
        maker.planned(state)
    }

    /// Carries a plan out, all of it or nothing.
    ///
    /// # Errors
    /// [`Error::MovedOn`] where what it rests on has changed since, [`Error::Denied`],
    /// [`Error::Store`]
    pub async fn apply(&self, planned: Planned, by: &Actor) -> Result<Outcome, Error> {
        let Planned {
            plan,
            key_files,
            changes,
            ..
        } = planned;
        if plan.summary.is_change() {
            let applied = self.stores.trust.batch.apply_all(changes, by).await;
            applied.map_err(|error| match error {
                StoreError::Conflict(_) | StoreError::Exists(_) | StoreError::Missing(_) => {
                    Error::MovedOn
                }
                other => other.into(),
            })?;
        }
        Ok(Outcome { plan, key_files })
    }

    /// All that is registered, in the form of files.
    pub fn export(&self) -> Export<'a> {
        Export::new(*self)
    }

    /// The same, from the place of an earlier export on.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no such place.
    pub fn export_from(&self, place: Option<&Cursor>) -> Result<Export<'a>, Error> {
        match place {
            Some(place) => Export::from_place(*self, place),
            None => Ok(self.export()),
        }
    }

    fn context(&self) -> Context<'a> {
        Context {
            terms: self.terms,
            now: self.now,
        }
    }
}

impl Maker<'_> {
    /// The plan, in the order in which it can be carried out.
    fn planned(mut self, state: String) -> Result<Planned, Error> {
        let changes = order::in_order(self.changes, &self.tables);
        let changes = changes.map_err(|issuers| passed_around(&issuers))?;
        self.steps
            .sort_by(|one, other| (one.resource, &one.name).cmp(&(other.resource, &other.name)));
        Ok(Planned {
            plan: Plan {
                state,
                summary: Summary::of(&self.steps),
                steps: self.steps,
            },
            key_files: self.key_files,
            warnings: self.warnings,
            changes,
        })
    }
}

/// Names that are passed around have no order in which each is one issuer's.
fn passed_around(issuers: &[IssuerId]) -> Error {
    let names: Vec<_> = issuers.iter().map(IssuerId::as_str).collect();
    let detail = format!(
        "these issuers pass their names around among themselves: {}; do it in two steps, with other \
         names in between",
        names.join(", ")
    );
    Fault::new("issuer", detail).below("/resources").into()
}

#[cfg(test)]
mod tests;
