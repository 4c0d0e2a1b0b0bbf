//! The order in which the changes of a plan are made, so that each finds what it needs, and no name
//! that it takes is still another's.

use std::collections::{HashMap, VecDeque};

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
        AnyChange::Operator(_)
        | AnyChange::Password(_)
        | AnyChange::Passkey(_)
        | AnyChange::NoneSince { .. } => 0,
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
#[derive(Default)]
struct Names {
    names: HashMap<Name, IssuerId>,
    domains: HashMap<String, IssuerId>,
    /// What each issuer has of both.
    held: HashMap<IssuerId, (Name, Option<String>)>,
}

impl Names {
    /// Those of the issuers that are there and stay.
    fn of(tables: &Tables) -> Self {
        let mut all = Self::default();
        let before = tables.issuers.all_before();
        for issuer in before.filter(|issuer| tables.issuers.after(&issuer.id).is_some()) {
            all.take(issuer);
        }
        all
    }

    /// The changes, each at a time at which its names are free.
    fn in_order(mut self, changes: Vec<AnyChange>) -> Result<Vec<AnyChange>, Vec<IssuerId>> {
        let mut made = Vec::with_capacity(changes.len());
        // Whoever waits for a name, until it is free.
        let mut waiting: HashMap<IssuerId, Vec<AnyChange>> = HashMap::new();
        let mut ready = VecDeque::from(changes);
        while let Some(change) = ready.pop_front() {
            let Some(issuer) = issuer_of(&change) else {
                made.push(change);
                continue;
            };
            match self.holder(issuer) {
                Some(holder) => waiting.entry(holder).or_default().push(change),
                None => {
                    ready.extend(waiting.remove(&issuer.id).unwrap_or_default());
                    self.take(issuer);
                    made.push(change);
                }
            }
        }
        match waiting.is_empty() {
            true => Ok(made),
            false => {
                let stuck = waiting.values().flatten().filter_map(issuer_of);
                let mut stuck: Vec<_> = stuck.map(|issuer| issuer.id.clone()).collect();
                stuck.sort();
                Err(stuck)
            }
        }
    }

    /// Another issuer that has a name which this one is to have.
    fn holder(&self, issuer: &TrustedIssuer) -> Option<IssuerId> {
        let domain = issuer.trust_domain.as_ref();
        let domain = domain.and_then(|domain| self.domains.get(domain));
        let holders = [self.names.get(&issuer.name), domain];
        let mut others = holders.into_iter().flatten();
        others.find(|holder| **holder != issuer.id).cloned()
    }

    fn take(&mut self, issuer: &TrustedIssuer) {
        let held = (issuer.name.clone(), issuer.trust_domain.clone());
        let before = self.held.insert(issuer.id.clone(), held);
        if let Some((name, domain)) = before {
            self.names.remove(&name);
            if let Some(domain) = domain {
                self.domains.remove(&domain);
            }
        }
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
