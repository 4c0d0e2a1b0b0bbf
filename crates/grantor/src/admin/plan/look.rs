//! What a plan has to know of the registry: read once, before anything is decided.

use std::collections::BTreeSet;

use super::{
    PlanStores,
    reading::{Documents, Item},
    tables::{Table, Tables},
    written::Filed,
};
use crate::{
    admin::{Error, trusts::fixed_subject_of},
    registry::{Permission, Resource as _},
    storage::Registry,
    types::{ClientId, IssuerId, Name, SubjectId},
};

/// Registrations that are read at once.
const PAGE: u32 = 1000;

impl PlanStores<'_> {
    /// Reads what these documents name, and what an owner has beside it if that is to be pruned.
    pub(super) async fn look(
        &self,
        documents: &Documents,
        pruned: Option<&Name>,
    ) -> Result<Tables, Error> {
        let mut tables = Tables::default();
        self.read_named(documents, &mut tables).await?;
        if let Some(owner) = pruned {
            self.read_owned(owner, &mut tables).await?;
        }
        self.read_neighbours(documents, pruned, &mut tables).await?;
        Ok(tables)
    }

    async fn read_named(&self, documents: &Documents, tables: &mut Tables) -> Result<(), Error> {
        let trust = &self.trust;
        read(trust.clients, &documents.clients, &mut tables.clients).await?;
        read(trust.subjects, &documents.subjects, &mut tables.subjects).await?;
        let permissions = &documents.permissions;
        read(self.permissions, permissions, &mut tables.permissions).await?;
        read(self.scopes, &documents.scopes, &mut tables.scopes).await?;
        read(trust.issuers, &documents.issuers, &mut tables.issuers).await?;
        read(trust.trusts, &documents.trusts, &mut tables.trusts).await
    }

    /// What the owner's files have made.
    async fn read_owned(&self, owner: &Name, tables: &mut Tables) -> Result<(), Error> {
        let trust = &self.trust;
        owned(trust.clients, owner, &mut tables.clients).await?;
        owned(trust.subjects, owner, &mut tables.subjects).await?;
        owned(self.permissions, owner, &mut tables.permissions).await?;
        owned(self.scopes, owner, &mut tables.scopes).await?;
        owned(trust.issuers, owner, &mut tables.issuers).await?;
        owned(trust.trusts, owner, &mut tables.trusts).await
    }

    /// What the documents rest on: the others that they name, those that may have their names, and
    /// those that hang on what is pruned.
    async fn read_neighbours(
        &self,
        documents: &Documents,
        pruned: Option<&Name>,
        tables: &mut Tables,
    ) -> Result<(), Error> {
        let (clients, subjects) = parties(documents, tables);
        tables.clients.read(self.trust.clients, clients).await?;
        tables.subjects.read(self.trust.subjects, subjects).await?;
        let has_issuers = !documents.issuers.is_empty() || !documents.trusts.is_empty();
        if has_issuers || pruned.is_some() {
            every(self.trust.issuers, &mut tables.issuers).await?;
            every(self.trust.trusts, &mut tables.trusts).await?;
        } else {
            // An iss is no client id.
            let new = new_ones(&documents.clients, &tables.clients);
            let ids: BTreeSet<_> = new
                .filter_map(|id| IssuerId::parse(id.as_str()).ok())
                .collect();
            tables.issuers.read(self.trust.issuers, ids).await?;
        }
        if let Some(owner) = pruned {
            // What hangs on a client or subject that may be removed.
            let (clients, subjects) = (&tables.clients, &tables.subjects);
            let hangs = |permission: &Permission| {
                is_of(owner, clients, &permission.client)
                    || is_of(owner, subjects, &permission.subject)
            };
            if clients
                .all_before()
                .any(|client| client.managed_by() == Some(owner))
                || subjects
                    .all_before()
                    .any(|subject| subject.managed_by() == Some(owner))
            {
                scan(self.permissions, &mut tables.permissions, hangs).await?;
            }
        }
        Ok(())
    }
}

/// Whether an owner has made it.
fn is_of<R: Filed>(owner: &Name, table: &Table<R>, name: &R::Id) -> bool {
    table.before(name).and_then(|found| found.managed_by()) == Some(owner)
}

/// The clients and subjects that documents name beside their own, and those that may have the names
/// of new ones.
fn parties(documents: &Documents, tables: &Tables) -> (BTreeSet<ClientId>, BTreeSet<SubjectId>) {
    let (mut clients, mut subjects) = (BTreeSet::new(), BTreeSet::new());
    for item in &documents.permissions {
        clients.insert(item.document.client.clone());
        subjects.insert(item.document.subject.clone());
    }
    let fixed = documents
        .trusts
        .iter()
        .filter_map(|item| fixed_subject_of(&item.document));
    let new_subjects = new_ones(&documents.subjects, &tables.subjects);
    let new_issuers = new_ones(&documents.issuers, &tables.issuers);
    let others = fixed.chain(new_subjects.map(SubjectId::as_str));
    let others = others.chain(new_issuers.map(IssuerId::as_str));
    clients.extend(others.filter_map(|name| ClientId::parse(name).ok()));
    clients.extend(
        documents
            .trusts
            .iter()
            .filter_map(|item| item.document.client.clone()),
    );
    let fixed = documents
        .trusts
        .iter()
        .filter_map(|item| fixed_subject_of(&item.document));
    let new_clients = new_ones(&documents.clients, &tables.clients).map(ClientId::as_str);
    subjects.extend(
        fixed
            .chain(new_clients)
            .filter_map(|name| SubjectId::parse(name).ok()),
    );
    (clients, subjects)
}

/// The names of the documents that nothing is registered under.
fn new_ones<'d, R: Filed>(
    items: &'d [Item<R>],
    table: &Table<R>,
) -> impl Iterator<Item = &'d R::Id> {
    let new = items
        .iter()
        .filter(|item| table.before(&item.name).is_none());
    new.map(|item| &item.name)
}

async fn read<R: Filed>(
    registry: &dyn Registry<R>,
    items: &[Item<R>],
    table: &mut Table<R>,
) -> Result<(), Error> {
    let names: Vec<_> = items.iter().map(|item| item.name.clone()).collect();
    table.read(registry, names).await
}

/// All that is registered.
async fn every<R: Filed>(registry: &dyn Registry<R>, table: &mut Table<R>) -> Result<(), Error> {
    scan(registry, table, |_| true).await
}

async fn owned<R: Filed>(
    registry: &dyn Registry<R>,
    owner: &Name,
    table: &mut Table<R>,
) -> Result<(), Error> {
    scan(registry, table, |found| found.managed_by() == Some(owner)).await
}

async fn scan<R: Filed>(
    registry: &dyn Registry<R>,
    table: &mut Table<R>,
    is_wanted: impl Fn(&R) -> bool + Send,
) -> Result<(), Error> {
    let (all, mut after) = (R::Filter::default(), None);
    loop {
        let page = registry.page(&all, after.as_ref(), PAGE).await?;
        for found in page.items.into_iter().filter(|found| is_wanted(found)) {
            table.keep(found);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}
