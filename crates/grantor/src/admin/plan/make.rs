//! From documents to registrations: what each document registers, in the place of what is there, and
//! whether anything differs.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use grantor_jose::json::Object;

use super::{
    Action, Kind, Step,
    reading::{Documents, Item, pointer},
    tables::{Table, Tables},
    written::{Context, Filed, MAKE, SECRET, has_secret},
};
use crate::{
    admin::{
        Difference, Error, Fault, Issuers, NewClient, TrustDocument, TrustStores, UploadedEntry,
        Warning, clients, issuers, pace::Pace,
    },
    credential::KeyFile,
    registry::{
        Client, ClientSecret, KeyOrigin, Permission, ResourceId as _, Subject, Trust, TrustedIssuer,
    },
    storage::{AnyChange, Change},
    types::{AuthMethod, IssuerId, Name, Needs},
};

/// Makes a plan out of documents.
pub(super) struct Maker<'a> {
    pub context: Context<'a>,
    pub stores: TrustStores<'a>,
    pub owner: Option<&'a Name>,
    pub tables: Tables,
    pub faults: Vec<Fault>,
    /// The documents that make nothing, of which no more is said.
    pub unmade: HashSet<(Kind, usize)>,
    pub steps: Vec<Step>,
    pub changes: Vec<AnyChange>,
    pub key_files: Vec<KeyFile>,
    pub warnings: Vec<Warning>,
}

impl Maker<'_> {
    /// What all documents register. Issuers come before the trusts that name them.
    pub async fn make(&mut self, documents: &Documents) {
        let mut pace = Pace::default();
        for item in &documents.clients {
            let made = self.client(item);
            self.settle(item, made);
            pace.step().await;
        }
        for item in &documents.subjects {
            let made = self.subject(item);
            self.settle(item, made);
            pace.step().await;
        }
        for item in &documents.scopes {
            let before = self.tables.scopes.before(&item.document.name);
            let revision = before.map(|before| before.revision).unwrap_or_default();
            self.settle(item, Ok(item.document.text(revision)));
            pace.step().await;
        }
        for item in &documents.issuers {
            let made = self.issuer(item);
            self.settle(item, made);
            pace.step().await;
        }
        let names = IssuersByName::of(&self.tables.issuers);
        for item in &documents.trusts {
            if let Some(made) = self.trust(item, documents, &names) {
                self.settle(item, made);
            }
            pace.step().await;
        }
        for item in &documents.permissions {
            let made = self.permission(item);
            self.settle(item, made);
            pace.step().await;
        }
    }

    /// Rests the plan on the others that its documents name: the clients and subjects of permissions,
    /// the issuers of trusts.
    pub fn expect_neighbours(&mut self, documents: &Documents) {
        self.expect::<Client>(|_| true);
        self.expect::<Subject>(|_| true);
        // All issuers were read, for their names.
        let trusts = documents.trusts.iter();
        let made = trusts.filter_map(|item| self.tables.trusts.after(&item.name));
        let issuers: HashSet<_> = made.map(|trust| trust.issuer.clone()).collect();
        self.expect::<TrustedIssuer>(|iss| issuers.contains(iss));
    }

    /// Expects of each of these that was read, and that the plan has no step for, that it stays as
    /// it was.
    fn expect<R: Filed>(&mut self, is_named: impl Fn(&R::Id) -> bool) {
        let steps = self.steps.iter().filter(|step| step.resource == R::KIND);
        let with_step: HashSet<_> = steps.map(|step| &*step.name).collect();
        let read = R::table(&self.tables).all_before();
        let read = read.filter(|one| is_named(&one.id()));
        let others = read.filter(|one| !with_step.contains(&*one.id().to_text()));
        let expected = others.map(|one| R::change(Change::Expect(one.id(), Some(one.revision()))));
        self.changes.extend(expected);
    }

    /// Adds faults of a document.
    pub fn blame(&mut self, kind: Kind, place: usize, faults: impl IntoIterator<Item = Fault>) {
        let at = pointer(kind, place);
        let faults = faults.into_iter().map(|fault| fault.below(&at));
        self.faults.extend(faults);
    }

    /// Compares what a document registers with what is there.
    fn settle<R: Filed>(&mut self, item: &Item<R>, made: Result<R, Vec<Fault>>) {
        let wanted = match made {
            Ok(wanted) => wanted,
            Err(faults) => {
                self.unmade.insert((R::KIND, item.place));
                return self.blame(R::KIND, item.place, faults);
            }
        };
        let name = wanted.id();
        let before = R::table(&self.tables).before(&name).cloned();
        let written = before.as_deref().map(|before| self.shown(before));
        let was = before.as_ref().and_then(|before| before.managed_by());
        let wanted = wanted.managed(was.cloned());
        let between = |wanted: &R| {
            Difference::between(&written.clone().unwrap_or_default(), &self.shown(wanted))
        };
        // What is so already stays with whoever has made it.
        let is_made = was.is_none() || !between(&wanted).is_empty();
        let wanted = match self.owner.filter(|_| is_made) {
            Some(owner) => wanted.managed(Some(owner.clone())),
            None => wanted,
        };
        let differences = between(&wanted);
        let (action, change) = match &before {
            None => (Action::Create, Change::Create(wanted.clone())),
            Some(before) if differences.is_empty() => {
                let expected = Change::Expect(name.clone(), Some(before.revision()));
                (Action::Same, expected)
            }
            Some(_) => (Action::Update, Change::Replace(wanted.clone())),
        };
        if action != Action::Same {
            R::table_mut(&mut self.tables).set(name.clone(), Some(Arc::new(wanted)));
        }
        self.step::<R>(action, &name, differences, change);
    }

    /// Removes what is there.
    pub fn remove<R: Filed>(&mut self, before: &R) {
        let name = before.id();
        let differences = Difference::between(&self.shown(before), &Object::new());
        R::table_mut(&mut self.tables).set(name.clone(), None);
        let change = Change::Delete(name.clone(), Some(before.revision()));
        self.step::<R>(Action::Delete, &name, differences, change);
    }

    /// What a file says of it, and whose file that is.
    fn shown<R: Filed>(&self, one: &R) -> Object {
        let mut members = one.written(&self.context);
        if let Some(manager) = one.managed_by() {
            members.insert("managed_by".to_owned(), manager.as_str().into());
        }
        members
    }

    fn step<R: Filed>(
        &mut self,
        action: Action,
        name: &R::Id,
        differences: Vec<Difference>,
        change: Change<R>,
    ) {
        self.changes.push(R::change(change));
        self.steps.push(Step {
            action,
            resource: R::KIND,
            name: name.to_text(),
            differences,
        });
    }

    fn client(&mut self, item: &Item<Client>) -> Result<Client, Vec<Fault>> {
        let Context { terms, now } = self.context;
        let method = &item.document.token_endpoint_auth_method;
        let mut faults = Vec::new();
        if item.makes_secret && !has_secret(method) {
            let detail = format!("{method} takes no secret; leave it out");
            faults.push(Fault::new(SECRET, detail));
        }
        let made = match self.tables.clients.before(&item.name).cloned() {
            None => {
                faults.extend(missing_secret(item));
                let prepared = NewClient::new(item.document.clone()).prepare(terms, now);
                prepared.map_err(faults_of).and_then(|mut prepared| {
                    let key_file = prepared.key_file.take();
                    let warnings = std::mem::take(&mut prepared.warnings);
                    let client = prepared.into_client();
                    let client = client.ok_or_else(|| vec![Fault::of_all("no client was made")])?;
                    Ok((client, key_file, warnings))
                })
            }
            Some(before) => {
                let (secrets, key_file) = self.secrets(item, &before).unwrap_or_else(|fault| {
                    faults.push(fault);
                    (before.secrets().to_vec(), None)
                });
                let changed = clients::with_document(&before, &item.document, secrets, terms, now);
                changed.map(|changed| {
                    let warning = Warning::of_untried(terms, changed.keys(), now);
                    let is_new = changed.keys().len() != before.keys().len();
                    (
                        changed,
                        key_file,
                        Vec::from_iter(warning.filter(|_| is_new)),
                    )
                })
            }
        };
        match made {
            Ok((client, key_file, warnings)) if faults.is_empty() => {
                self.key_files.extend(key_file);
                self.warnings.extend(warnings);
                Ok(client)
            }
            Ok(_) => Err(faults),
            Err(more) => Err([faults, more].concat()),
        }
    }

    /// The secrets of a client that is registered: those that it has, if they fit its method, or a
    /// new one.
    fn secrets(
        &self,
        item: &Item<Client>,
        before: &Client,
    ) -> Result<(Vec<ClientSecret>, Option<KeyFile>), Fault> {
        let method = &item.document.token_endpoint_auth_method;
        if !has_secret(method) {
            return Ok((Vec::new(), None));
        }
        let fits = |secret: &&ClientSecret| match method.needs() {
            Some(Needs::ReadableSecret) => secret.expose().is_some(),
            _ => secret.stored_digest().is_some(),
        };
        let fitting: Vec<_> = before.secrets().iter().filter(fits).cloned().collect();
        if !fitting.is_empty() {
            return Ok((fitting, None));
        }
        if let Some(fault) = missing_secret(item) {
            return Err(fault);
        }
        let metadata = item.document.metadata(before.metadata().created_at);
        let (secret, key_file) = clients::new_secret(&metadata, self.context.terms)?;
        Ok((vec![secret], key_file))
    }

    fn subject(&self, item: &Item<Subject>) -> Result<Subject, Vec<Fault>> {
        let made = item.document.clone().subject(self.context.now);
        match self.tables.subjects.before(&item.document.id) {
            None => item.document.check().map_err(faults_of).map(|()| made),
            Some(before) => Ok(Subject {
                created_at: before.created_at,
                revision: before.revision,
                ..made
            }),
        }
    }

    fn permission(&self, item: &Item<Permission>) -> Result<Permission, Vec<Fault>> {
        let faults = item.document.faults();
        if !faults.is_empty() {
            return Err(faults);
        }
        let made = item.document.clone().permission(self.context.now);
        Ok(match self.tables.permissions.before(&made.id()) {
            None => made,
            Some(before) => Permission {
                created_at: before.created_at,
                last_used_at: before.last_used_at,
                revision: before.revision,
                ..made
            },
        })
    }

    fn issuer(&self, item: &Item<TrustedIssuer>) -> Result<TrustedIssuer, Vec<Fault>> {
        let (Context { terms, now }, document) = (self.context, item.document.clone());
        let issuer = match self.tables.issuers.before(&document.iss) {
            None => {
                let issuers = Issuers::new(self.stores, terms, now);
                issuers.checked(document).map_err(faults_of)?
            }
            Some(before) => issuers::with_document(before, document, terms, now)?,
        };
        with_ends(issuer, &item.document.keys.uploaded)
    }

    /// `None` where the issuer is meant to be there, and cannot be read.
    fn trust(
        &self,
        item: &Item<Trust>,
        documents: &Documents,
        names: &IssuersByName,
    ) -> Option<Result<Trust, Vec<Fault>>> {
        let (mut document, mut faults) = (item.document.clone(), Vec::new());
        let named = document.issuer.clone();
        let issuers = &self.tables.issuers;
        let issuer = match issuers.after(&named) {
            Some(_) => Some(named.clone()),
            None => names.after.get(named.as_str()).cloned(),
        };
        if issuer.is_none() && documents.mean(Kind::Issuer, named.as_str()) {
            return None;
        }
        match &issuer {
            Some(issuer) => document.issuer = issuer.clone(),
            None => {
                let was_there =
                    issuers.before(&named).is_some() || names.before.contains(named.as_str());
                let detail = match was_there {
                    true => format!("issuer {named} is removed; keep it, or remove the trust"),
                    false => format!("issuer {named} is neither in the file nor registered"),
                };
                faults.push(Fault::new("issuer", detail));
            }
        }
        if document.client.is_none() {
            faults.push(Fault::new(
                "client",
                "missing; name it, and add it to the file",
            ));
        }
        let before = self.tables.trusts.before(&document.name);
        if let Some(before) = before {
            document.created_at = Some(before.created_at);
            document.managed_by.clone_from(&before.managed_by);
            let successor = document.faults_as_successor_of(&TrustDocument::of(before));
            let is_known = |fault: &Fault| issuer.is_some() || fault.pointer != "/issuer";
            faults.extend(successor.into_iter().filter(is_known));
        }
        let (Some(issuer), Some(client), true) =
            (issuer, document.client.clone(), faults.is_empty())
        else {
            return Some(Err(faults));
        };
        let created_at = before.map_or(self.context.now, |before| before.created_at);
        let mut trust = document.trust(issuer, client, created_at);
        trust.revision = before.map(|before| before.revision).unwrap_or_default();
        Some(Ok(trust))
    }
}

/// By which names trusts may call issuers, beside their `iss`.
struct IssuersByName {
    before: HashSet<String>,
    after: HashMap<String, IssuerId>,
}

impl IssuersByName {
    fn of(issuers: &Table<TrustedIssuer>) -> Self {
        let before = issuers.all_before();
        let after = issuers.all_after();
        Self {
            before: before.map(|issuer| issuer.name.to_string()).collect(),
            after: after
                .map(|issuer| (issuer.name.to_string(), issuer.id.clone()))
                .collect(),
        }
    }
}

/// A client that needs a secret has it made, or has it already.
fn missing_secret(item: &Item<Client>) -> Option<Fault> {
    let method: &AuthMethod = &item.document.token_endpoint_auth_method;
    (has_secret(method) && !item.makes_secret).then(|| {
        let detail = format!(
            "{method} needs a secret, and none is registered; write {SECRET} = \"{MAKE}\" to have \
             one made"
        );
        Fault::new(SECRET, detail)
    })
}

/// The issuer whose uploaded keys end as these entries say.
fn with_ends(
    mut issuer: TrustedIssuer,
    entries: &[UploadedEntry],
) -> Result<TrustedIssuer, Vec<Fault>> {
    let keys = match &mut issuer.keys {
        KeyOrigin::Uploaded { keys } | KeyOrigin::UploadedSpiffeBundle { keys } => &mut **keys,
        _ => &mut [],
    };
    let mut faults = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let Some(end) = entry.expires_at else {
            continue;
        };
        match keys.iter_mut().find(|key| key.key.name() == entry.name) {
            Some(key) if key.key.expires_at.map(|old| old.seconds()) == Some(end.seconds()) => {}
            Some(key) => key.key.expires_at = Some(end),
            None => {
                let detail = format!("'{}' is no key of it", entry.name);
                faults.push(Fault::new("keys", detail).at("uploaded").at(index));
            }
        }
    }
    match faults.is_empty() {
        true => Ok(issuer),
        false => Err(faults),
    }
}

/// The faults of a check that asks no store.
pub(super) fn faults_of(error: Error) -> Vec<Fault> {
    match error {
        Error::Invalid(faults) => faults,
        other => vec![Fault::of_all(other.to_string())],
    }
}
