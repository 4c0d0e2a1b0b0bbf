//! What an owner's files have made and name no more, with what hangs on it (M073).

use std::collections::HashSet;

use super::{
    make::Maker,
    reading::{Documents, Item},
    written::Filed,
};
use crate::{
    admin::{Fault, error::Conflict},
    registry::ResourceId as _,
    types::Name,
};

impl Maker<'_> {
    /// Removes what is this owner's and is not in the file.
    pub fn prune(&mut self, documents: &Documents, owner: &Name) {
        // What has no place of its own goes along with those that it hangs on, and has to be looked
        // at before they are gone.
        self.prune_kind(&documents.scopes, documents, owner);
        self.prune_kind(&documents.permissions, documents, owner);
        self.prune_kind(&documents.trusts, documents, owner);
        self.prune_kind(&documents.issuers, documents, owner);
        self.prune_kind(&documents.clients, documents, owner);
        self.prune_kind(&documents.subjects, documents, owner);
        self.end_permissions(documents, owner);
        self.end_trusts(documents, owner);
    }

    fn prune_kind<R: Filed>(&mut self, items: &[Item<R>], documents: &Documents, owner: &Name) {
        let named: HashSet<_> = items.iter().map(|item| &item.name).collect();
        let before = R::table(&self.tables).all_before();
        let owned = before.filter(|found| found.managed_by() == Some(owner));
        let gone = owned.filter(|found| {
            let id = found.id();
            !named.contains(&id) && !documents.mean_this::<R>(&id)
        });
        let gone: Vec<_> = gone.cloned().collect();
        for one in gone {
            self.remove(&*one);
        }
    }

    /// Permissions end with their client and subject.
    fn end_permissions(&mut self, documents: &Documents, owner: &Name) {
        let (clients, subjects) = (&self.tables.clients, &self.tables.subjects);
        let hangs = self.tables.permissions.all_before().filter(|permission| {
            let is_gone =
                clients.removes(&permission.client) || subjects.removes(&permission.subject);
            is_gone && !self.tables.permissions.changes(&permission.id())
        });
        let named: HashSet<_> = documents
            .permissions
            .iter()
            .map(|item| &item.name)
            .collect();
        // One that the file names has a fault there.
        let hangs = hangs.filter(|permission| !named.contains(&permission.id()));
        let hangs: Vec<_> = hangs.cloned().collect();
        for permission in hangs {
            self.end_along(&*permission, owner);
        }
    }

    /// Trusts end with their client; an issuer with trusts is not removed.
    fn end_trusts(&mut self, documents: &Documents, owner: &Name) {
        let tables = &self.tables;
        let named: HashSet<_> = documents.trusts.iter().map(|item| &item.name).collect();
        let others = tables.trusts.all_before();
        let others = others.filter(|trust| !named.contains(&trust.name));
        let others: Vec<_> = others
            .filter(|trust| !tables.trusts.changes(&trust.name))
            .cloned()
            .collect();
        for trust in others {
            if self.tables.issuers.removes(&trust.issuer) {
                let names = vec![trust.name.clone()];
                let conflict = Conflict::HasTrusts(trust.issuer.to_string(), names);
                self.faults.push(Fault::of_all(conflict.to_string()));
            } else if self.tables.clients.removes(&trust.client) {
                self.end_along(&*trust, owner);
            }
        }
    }

    /// What is nobody's goes along; what is another owner's is in the way.
    fn end_along<R: Filed>(&mut self, one: &R, owner: &Name) {
        match one.managed_by().filter(|manager| *manager != owner) {
            None => self.remove(one),
            Some(manager) => {
                let detail = format!(
                    "{} {} would go along with what is removed, and is managed by {manager}; remove \
                     it there first",
                    R::KIND,
                    one.id().to_text()
                );
                self.faults.push(Fault::of_all(detail));
            }
        }
    }
}
