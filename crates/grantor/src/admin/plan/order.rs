//! The order in which the changes of a plan are made, so that each finds what it needs, and no name
//! that it takes is still another's.

use std::collections::HashMap;

use super::tables::Tables;
use crate::{
    registry::{Resource, TrustedIssuer},
    storage::{AnyChange, Change},
    types::{IssuerId, Name},
};

/// What is removed goes before what may take its name. A trust that moves to another client goes
/// after that client is there, and before the one that it leaves is removed with all that hangs on
/// it.
///
/// # Errors
/// The issuers that would pass a name around among themselves.
pub(super) fn in_order(
    mut changes: Vec<AnyChange>,
    tables: &Tables,
) -> Result<Vec<AnyChange>, Vec<IssuerId>> {
    let is_made = |change: &mut AnyChange| {
        matches!(
            change,
            AnyChange::Issuer(Change::Create(_) | Change::Replace(_))
        )
    };
    let issuers: Vec<_> = changes.extract_if(.., is_made).collect();
    changes.extend(Names::of(tables).in_order(issuers)?);
    changes.sort_by_key(step);
    Ok(changes)
}

fn step(change: &AnyChange) -> u8 {
    match change {
        AnyChange::Trust(change) => step_of(change, 1, 4, 7),
        AnyChange::Permission(change) => step_of(change, 1, 7, 7),
        AnyChange::Scope(change) => step_of(change, 1, 7, 7),
        AnyChange::Issuer(change) => step_of(change, 2, 6, 6),
        AnyChange::Subject(change) => step_of(change, 2, 6, 6),
        AnyChange::Client(change) => step_of(change, 5, 3, 3),
        // Files have none.
        AnyChange::Operator(_) | AnyChange::Password(_) => 0,
    }
}

fn step_of<R: Resource>(change: &Change<R>, deleted: u8, replaced: u8, created: u8) -> u8 {
    match change {
        Change::Expect(..) => 0,
        Change::Delete(..) => deleted,
        Change::Replace(_) => replaced,
        Change::Create(_) => created,
    }
}

/// The names and trust domains of issuers, each of which is one issuer's at any time.
struct Names {
    names: HashMap<Name, IssuerId>,
    domains: HashMap<String, IssuerId>,
}

impl Names {
    /// Those of the issuers that are there and stay.
    fn of(tables: &Tables) -> Self {
        let mut all = Self {
            names: HashMap::new(),
            domains: HashMap::new(),
        };
        let before = tables.issuers.all_before();
        for issuer in before.filter(|issuer| tables.issuers.after(&issuer.id).is_some()) {
            all.take(issuer);
        }
        all
    }

    /// The changes, each at a time at which its names are free.
    fn in_order(mut self, mut changes: Vec<AnyChange>) -> Result<Vec<AnyChange>, Vec<IssuerId>> {
        let mut made = Vec::new();
        while !changes.is_empty() {
            let is_ready = |change: &mut AnyChange| {
                let issuer = issuer_of(change);
                let is_ready = issuer.is_none_or(|issuer| self.are_free_for(issuer));
                if let Some(issuer) = issuer.filter(|_| is_ready) {
                    self.take(issuer);
                }
                is_ready
            };
            let ready: Vec<_> = changes.extract_if(.., is_ready).collect();
            if ready.is_empty() {
                let stuck = changes.iter().filter_map(issuer_of);
                return Err(stuck.map(|issuer| issuer.id.clone()).collect());
            }
            made.extend(ready);
        }
        Ok(made)
    }

    fn are_free_for(&self, issuer: &TrustedIssuer) -> bool {
        let is_own = |holder: Option<&IssuerId>| holder.is_none_or(|holder| *holder == issuer.id);
        let domain = issuer.trust_domain.as_ref();
        is_own(self.names.get(&issuer.name))
            && is_own(domain.and_then(|domain| self.domains.get(domain)))
    }

    fn take(&mut self, issuer: &TrustedIssuer) {
        self.names.retain(|_, holder| *holder != issuer.id);
        self.domains.retain(|_, holder| *holder != issuer.id);
        self.names.insert(issuer.name.clone(), issuer.id.clone());
        let domain = issuer.trust_domain.clone();
        self.domains
            .extend(domain.map(|domain| (domain, issuer.id.clone())));
    }
}

fn issuer_of(change: &AnyChange) -> Option<&TrustedIssuer> {
    match change {
        AnyChange::Issuer(Change::Create(issuer) | Change::Replace(issuer)) => Some(issuer),
        _ => None,
    }
}
