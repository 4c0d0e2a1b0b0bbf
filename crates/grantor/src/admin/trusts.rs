//! What operators do with trusts: what the JWTs of issuers are worth.

mod check;
mod document;
mod federated;
mod neighbours;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::{
    check::check,
    document::{ClientAuth, CopyDocument, MatchDocument, PinDocument, TrustDocument},
    federated::{FederatedSub, NewFederatedClient},
};
pub(super) use self::{
    check::{fault_of_tenant, fixed_subject, fixed_subject_of},
    neighbours::Neighbours,
};
use super::{
    ClientDocument, Conflict, Error, Fault, IssuerDocument, Issuers, KeyCheck, Named, Patch,
    ServerTerms, TrustStores, Updated,
    document::Document as _,
    error::none_of,
    issuers,
    manager::fault_of_manager,
    name,
    templates::{Template, Templates},
};
use crate::{
    assertion::Usage,
    clock::UnixTime,
    registry::{
        Actor, Client, ClientMetadata, Mode, Resource as _, Trust, TrustFilter, TrustedIssuer,
    },
    storage::{AnyChange, Change, Cursor, Page, StoreError},
    types::{AuthMethod, ClientId, GrantType, Name, Needs, SubjectId},
};

/// A trust that is to be registered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewTrust {
    /// The trust.
    pub document: TrustDocument,
    /// Its issuer, which is registered too if there is none of its `iss`.
    pub issuer: Option<IssuerDocument>,
}

impl NewTrust {
    /// This trust, of an issuer that is registered.
    pub fn new(document: TrustDocument) -> Self {
        Self {
            document,
            issuer: None,
        }
    }
}

/// A trust that was registered, with what was registered along with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct MadeTrust {
    /// The trust.
    pub trust: TrustDocument,
    /// The client, if it was made for the trust.
    pub client: Option<ClientDocument>,
    /// The issuer, if it was missing.
    pub issuer: Option<IssuerDocument>,
}

/// The trusts of a registry.
#[derive(Clone, Copy)]
pub struct Trusts<'a> {
    stores: TrustStores<'a>,
    terms: &'a ServerTerms,
    now: UnixTime,
}

impl<'a> Trusts<'a> {
    /// Most trusts of one issuer without a pin.
    pub const MAX_UNPINNED: usize = 100;

    /// Those of these registries, for a server of these terms, at this time.
    pub fn new(stores: TrustStores<'a>, terms: &'a ServerTerms, now: UnixTime) -> Self {
        Self { stores, terms, now }
    }

    /// At most `limit` trusts in the order of their names. A page may be shorter although there is a
    /// next one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a cursor that is none, [`Error::Store`]
    pub async fn page(
        &self,
        filter: &TrustFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<TrustDocument>, Error> {
        let page = self.stores.trusts.page(filter, after, limit).await?;
        Ok(page.map(|trust| TrustDocument::of(&trust)))
    }

    /// One trust.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`]
    pub async fn get(&self, name: &Name) -> Result<TrustDocument, Error> {
        Ok(TrustDocument::of(&*self.find(name).await?))
    }

    /// The registration of a trust.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`]
    pub async fn find(&self, name: &Name) -> Result<Arc<Trust>, Error> {
        let found = self.stores.trusts.get(name).await?;
        found.ok_or_else(|| Error::NotFound(Named::Trust(name.clone())))
    }

    /// Registers a trust and, in the same commit, what it needs and is not there: its client, if it
    /// names none, and its issuer, if one is given whose keys can be had.
    ///
    /// # Errors
    /// [`Error::NotFound`] for its issuer or client; [`Error::Invalid`] with all faults;
    /// [`Error::Exists`] also for the client; [`Error::Conflict`]; [`Error::Store`]
    pub async fn create(
        &self,
        new: NewTrust,
        keys: Option<&dyn KeyCheck>,
        by: &Actor,
    ) -> Result<MadeTrust, Error> {
        let NewTrust { document, issuer } = new;
        none_of(Vec::from_iter(fault_of_manager(
            &document.managed_by,
            &None,
        )))?;
        if self.stores.trusts.get(&document.name).await?.is_some() {
            return Err(Error::Exists(Named::Trust(document.name)));
        }
        let (issuer, new_issuer) = self.issuer_for(&document, issuer, keys).await?;
        let (client, new_client) = match &document.client {
            Some(id) => (self.client(id).await?, None),
            None => {
                let client = self.client_for(&document).await?;
                (Arc::new(client.clone()), Some(client))
            }
        };
        let trust = document.trust(issuer.id.clone(), client.id().clone(), self.now);
        self.check(&issuer, &client, &trust, None).await?;
        self.make(new_issuer, new_client, trust, by).await
    }

    /// Replaces the members that the patch names; one that is null there has its default. Answers
    /// what differs.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`], [`Error::Exists`], [`Error::Conflict`],
    /// [`Error::Store`]
    pub async fn update(
        &self,
        name: &Name,
        patch: &Patch,
        by: &Actor,
    ) -> Result<Updated<TrustDocument>, Error> {
        match switch(patch) {
            Some(mode) => self.set_mode(name, mode, by).await,
            None => {
                self.change(name, by, |trust| with_patch(trust, patch))
                    .await
            }
        }
    }

    /// Lets a trust count, in shadow, or not at all.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for one that could not be registered today, unless it
    /// is turned off; [`Error::Conflict`], [`Error::Store`]
    pub async fn set_mode(
        &self,
        name: &Name,
        mode: Mode,
        by: &Actor,
    ) -> Result<Updated<TrustDocument>, Error> {
        let with_mode = |trust: &Trust| {
            let mut trust = trust.clone();
            trust.mode = mode;
            Ok(trust)
        };
        self.change(name, by, with_mode).await
    }

    /// Removes a trust. Its client stays.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`]
    pub async fn delete(&self, name: &Name, by: &Actor) -> Result<(), Error> {
        let deleted = self.stores.trusts.delete(name, by).await;
        deleted.map_err(|error| Error::from(error).about(Named::Trust(name.clone())))
    }

    /// The issuer of a new trust: one that is registered, or else the one that is given.
    async fn issuer_for(
        &self,
        document: &TrustDocument,
        given: Option<IssuerDocument>,
        keys: Option<&dyn KeyCheck>,
    ) -> Result<(Arc<TrustedIssuer>, Option<TrustedIssuer>), Error> {
        if let Some(issuer) = issuers::find(&self.stores, document.issuer.as_str()).await? {
            return Ok((issuer, None));
        }
        let named = || Named::Issuer(document.issuer.to_string());
        let given = given.filter(|given| given.iss == document.issuer);
        let given = given.ok_or_else(|| Error::NotFound(named()))?;
        if given.keys.is_nowhere() {
            let template = Templates::of(given.iss.as_str(), given.template.as_ref());
            none_of(Vec::from_iter(template.and_then(Template::fault_of_keys)))?;
        }
        let issuers = Issuers::new(self.stores, self.terms, self.now);
        let issuer = issuers.prepared(given, keys).await?;
        Ok((Arc::new(issuer.clone()), Some(issuer)))
    }

    async fn client(&self, id: &ClientId) -> Result<Arc<Client>, Error> {
        let client = self.stores.clients.get(id).await?;
        client.ok_or_else(|| Error::NotFound(Named::Client(id.clone())))
    }

    /// A client of the trust's name: it gets tokens by the JWT bearer grant, and has nothing to
    /// authenticate with.
    async fn client_for(&self, document: &TrustDocument) -> Result<Client, Error> {
        let name = document.name.as_str();
        let fault = |detail: String| Fault::new("client", detail);
        let id = ClientId::parse(name).map_err(|error| fault(format!("{name} {error}")))?;
        if self.stores.clients.get(&id).await?.is_some() {
            let detail = format!(
                "client {id} exists already; name it if it is meant, or give the trust another name"
            );
            return Err(fault(detail).into());
        }
        none_of(Vec::from_iter(name::fault_of("name", name)))?;
        let mut metadata = ClientMetadata::new(id, AuthMethod::NONE, self.now);
        metadata.grant_types = vec![GrantType::JWT_BEARER];
        metadata.scope = document.scope.clone();
        Ok(Client::new(metadata, Vec::new(), Vec::new()).map_err(Fault::from)?)
    }

    /// Succeeds if this trust may be registered in the place of what it was.
    async fn check(
        &self,
        issuer: &TrustedIssuer,
        client: &Client,
        trust: &Trust,
        was: Option<&Trust>,
    ) -> Result<(), Error> {
        let mut faults = check(issuer, trust);
        faults.extend(faults_of_client(client, trust));
        faults.extend(self.fault_of_subject(trust).await?);
        none_of(faults)?;
        self.check_others(issuer, trust, was).await
    }

    /// A fixed subject that is a client's or a registered subject's is refused at each use: it would
    /// be somebody else's name (T026).
    async fn fault_of_subject(&self, trust: &Trust) -> Result<Option<Fault>, Error> {
        let Some(fixed) = fixed_subject(trust) else {
            return Ok(None);
        };
        let whose = match (ClientId::parse(fixed), SubjectId::parse(fixed)) {
            (Ok(id), _) if self.stores.clients.get(&id).await?.is_some() => "a client",
            (_, Ok(id)) if self.stores.subjects.get(&id).await?.is_some() => "a registered subject",
            _ => return Ok(None),
        };
        Ok(Some(fault_of_taken(fixed, whose)))
    }

    /// What only the other trusts tell: a `sub` authenticates one client, and few trusts are tried
    /// on every JWT.
    async fn check_others(
        &self,
        issuer: &TrustedIssuer,
        trust: &Trust,
        was: Option<&Trust>,
    ) -> Result<(), Error> {
        if !Neighbours::concern(trust, was) {
            return Ok(());
        }
        let others = self.stores.source.trusts(issuer).await?;
        let others = Neighbours::of(others.all().iter().map(|trust| &**trust));
        others.check(trust, was)
    }

    /// Registers a trust with what is new beside it, all or nothing.
    async fn make(
        &self,
        issuer: Option<TrustedIssuer>,
        client: Option<Client>,
        trust: Trust,
        by: &Actor,
    ) -> Result<MadeTrust, Error> {
        let (name, id) = (trust.name.clone(), trust.issuer.clone());
        let new_client = client.as_ref().map(Client::id).cloned();
        let mut changes: Vec<AnyChange> = Vec::new();
        changes.extend(issuer.clone().map(|issuer| Change::Create(issuer).into()));
        changes.extend(client.map(|client| Change::Create(client).into()));
        changes.push(Change::Create(trust).into());
        let applied = self.stores.batch.apply_all(changes, by).await;
        applied.map_err(|error| match (&error, &issuer, &new_client) {
            (StoreError::Exists("issuer" | "issuer name" | "trust domain"), Some(issuer), _) => {
                issuers::unmade(error, issuer)
            }
            (StoreError::Exists("client or subject" | "client or issuer"), _, Some(client)) => {
                Error::Exists(Named::Client(client.clone()))
            }
            (StoreError::Missing(TrustedIssuer::NAME), ..) => {
                Error::NotFound(Named::Issuer(id.to_string()))
            }
            (StoreError::Missing(Client::NAME), ..) => Error::from(error),
            _ => Error::from(error).about(Named::Trust(name.clone())),
        })?;
        let issuer = match issuer.is_some() {
            true => self.stores.issuers.get(&id).await?,
            false => None,
        };
        let client = match &new_client {
            Some(client) => self.stores.clients.get(client).await?,
            None => None,
        };
        Ok(MadeTrust {
            trust: self.get(&name).await?,
            client: client.map(|client| ClientDocument::of(&client, self.now)),
            issuer: issuer.map(|issuer| IssuerDocument::of(&issuer, self.terms, self.now)),
        })
    }

    /// Changes a trust, if it may be registered so.
    async fn change(
        &self,
        name: &Name,
        by: &Actor,
        change: impl Fn(&Trust) -> Result<Trust, Error> + Send + Sync,
    ) -> Result<Updated<TrustDocument>, Error> {
        let named = || Named::Trust(name.clone());
        for _ in 0..TRIES {
            let read = self.find(name).await?;
            let changed = change(&read)?;
            // What is turned off takes nothing, whatever it is like.
            if changed.mode != Mode::Off || read.mode == Mode::Off {
                let issuer = self.stores.issuers.get(&changed.issuer).await?;
                let issuer = issuer
                    .ok_or_else(|| Error::NotFound(Named::Issuer(changed.issuer.to_string())))?;
                let client = self.client(&changed.client).await?;
                self.check(&issuer, &client, &changed, Some(&read)).await?;
            }
            match self.stores.trusts.replace(changed, by).await {
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(Error::from(error).about(named())),
                Ok(made) => {
                    let before = TrustDocument::of(&read);
                    return Ok(Updated::new(&before, TrustDocument::of(&made)));
                }
            }
        }
        Err(Error::Conflict(Conflict::Changed(named())))
    }
}

/// Most tries of a change that others keep overtaking.
const TRIES: u32 = 64;

/// What a fixed subject is that somebody has.
pub(super) fn fault_of_taken(fixed: &str, whose: &str) -> Fault {
    let detail = format!(
        "{fixed} is the name of {whose}, which no mapping takes; choose another, or use \
         existing:CLAIM for a registered subject"
    );
    Fault::new("subject", detail)
}

/// What a trust asks of its client, and the client does not do.
pub(super) fn faults_of_client(client: &Client, trust: &Trust) -> Vec<Fault> {
    let (id, metadata) = (client.id(), client.metadata());
    let mut faults = Vec::new();
    if !trust.scope.is_subset(&metadata.scope) {
        let detail = format!(
            "client {id} is registered for '{}', and '{}' is beyond; leave it out, or register the \
             client for it first",
            metadata.scope,
            trust.scope.without(&metadata.scope)
        );
        faults.push(Fault::new("scope", detail));
    }
    if trust.is_for(Usage::Grant) && !client.may_use(&GrantType::JWT_BEARER) {
        let detail = format!(
            "client {id} is not registered for the grant {}; add it to the client's grant_types, or \
             name another client",
            GrantType::JWT_BEARER
        );
        faults.push(Fault::new("client", detail));
    }
    if trust.is_for(Usage::ClientAuthentication) && !metadata.federated {
        let detail = format!(
            "client {id} is not federated: it authenticates by its own credentials only; name a \
             federated client, or leave client_authentication out of uses"
        );
        faults.push(Fault::new("client", detail));
    }
    if trust.needs_client_auth && metadata.auth_method.needs() == Some(Needs::Nothing) {
        let detail = format!(
            "client {id} has the method none, and cannot authenticate; leave it optional, or name \
             another client"
        );
        faults.push(Fault::new("client_auth", detail));
    }
    faults
}

/// What a patch of `mode` alone says: it asks nothing else of the trust, so that the switch works
/// for one that could not be registered today.
fn switch(patch: &Patch) -> Option<Mode> {
    let mut members = patch.members().iter();
    match (members.next(), members.next()) {
        (Some((name, mode)), None) if name == "mode" => serde_json::from_value(mode.clone()).ok(),
        _ => None,
    }
}

/// The trust with the members of a patch.
fn with_patch(trust: &Trust, patch: &Patch) -> Result<Trust, Error> {
    let before = TrustDocument::of(trust);
    let after = before.patched(patch)?;
    let mut faults = after.faults_as_successor_of(&before);
    if after.client.is_none() {
        faults.push(Fault::new("client", "a trust has one; name it"));
    }
    none_of(faults)?;
    let mut changed = after.trust(trust.issuer.clone(), trust.client.clone(), trust.created_at);
    changed.revision = trust.revision;
    Ok(changed)
}

#[cfg(test)]
mod tests;
