//! What operators do with issuers: third parties whose JWTs are taken.

mod check;
mod document;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use grantor_jose::json::Value;

use self::document::KEYS;
pub(super) use self::document::name_of;
pub use self::document::{
    BundleDocument, DiscoveryDocument, IssuerDocument, KeysDocument, UploadedEntry,
};
use super::{
    Conflict, Error, Fault, Named, Patch, ServerTerms, Standing, TrustStores, Updated,
    error::none_of, manager::fault_of_manager, templates, trusts::fault_of_tenant,
};
use crate::{
    clock::UnixTime,
    registry::{Actor, IssuerFilter, KeyOrigin, Mode, Trust, TrustedIssuer, UploadedKey},
    storage::{Cursor, Page, StoreError},
    types::{ClientId, IssuerId, Name},
};

/// Whether the keys of an issuer can be had: asked once before it is registered.
#[async_trait]
pub trait KeyCheck: Send + Sync {
    /// Fetches the metadata and keys of an issuer. Succeeds if and only if there is a key by which a
    /// JWT could be verified now.
    ///
    /// # Errors
    /// [`NoKeys`]
    async fn check(&self, issuer: &TrustedIssuer) -> Result<(), NoKeys>;
}

/// Why the keys of an issuer cannot be had, for operators.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoKeys {
    /// They are at an address that nothing is fetched from: nothing was sent there.
    #[error("{0}")]
    NotAllowed(String),
    /// What went wrong, a sentence each.
    #[error("{}", .0.join("; "))]
    Failed(Vec<String>),
}

/// What becomes of the tokens that were issued by the JWTs of an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// They are inactive while the issuer is disabled.
    Stay,
    /// They end for good, also if the issuer is enabled again.
    Revoke,
}

/// What becomes of the trusts of an issuer that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cascade {
    /// An issuer with trusts is not deleted.
    Refuse,
    /// They are deleted too.
    Trusts,
}

/// Keys that are to be uploaded for an issuer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewIssuerKeys {
    /// The keys: `jwks`, `pem` or a `spiffe_bundle` that is no URL.
    pub keys: KeysDocument,
    /// How long the uploaded keys before still work: as long as they would if not set, and not at
    /// all if zero.
    pub overlap: Option<Duration>,
}

impl NewIssuerKeys {
    /// These keys, beside those before.
    pub fn new(keys: KeysDocument) -> Self {
        Self {
            keys,
            overlap: None,
        }
    }
}

/// The issuers of a registry.
#[derive(Clone, Copy)]
pub struct Issuers<'a> {
    stores: TrustStores<'a>,
    terms: &'a ServerTerms,
    now: UnixTime,
}

impl<'a> Issuers<'a> {
    /// Those of these registries, for a server of these terms, at this time.
    pub fn new(stores: TrustStores<'a>, terms: &'a ServerTerms, now: UnixTime) -> Self {
        Self { stores, terms, now }
    }

    /// At most `limit` issuers in the order of their `iss`. A page may be shorter although there is
    /// a next one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a cursor that is none, [`Error::Store`]
    pub async fn page(
        &self,
        filter: &IssuerFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<IssuerDocument>, Error> {
        let page = self.stores.issuers.page(filter, after, limit).await?;
        Ok(page.map(|issuer| self.document(&issuer)))
    }

    /// One issuer, by its `iss` or its name.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`]
    pub async fn get(&self, reference: &str) -> Result<IssuerDocument, Error> {
        Ok(self.document(&*self.find(reference).await?))
    }

    /// The registration of an issuer, by its `iss` or, if no issuer has that, by its name.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`]
    pub async fn find(&self, reference: &str) -> Result<Arc<TrustedIssuer>, Error> {
        let found = find(&self.stores, reference).await?;
        found.ok_or_else(|| Error::NotFound(Named::Issuer(reference.to_owned())))
    }

    /// The issuer of a document, checked. Asks no store, and fetches nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all faults
    pub fn checked(&self, document: IssuerDocument) -> Result<TrustedIssuer, Error> {
        checked(document, self.terms, self.now)
    }

    /// Registers an issuer, if its keys can be had now; nothing is fetched without a check. An
    /// issuer that is known to be shared is registered as shared.
    ///
    /// # Errors
    /// [`Error::Invalid`]; [`Error::Exists`] for its `iss`, its name, its trust domain or a client
    /// of this id; [`Conflict::NoKeys`]; [`Error::Store`]
    pub async fn create(
        &self,
        document: IssuerDocument,
        keys: Option<&dyn KeyCheck>,
        by: &Actor,
    ) -> Result<IssuerDocument, Error> {
        let issuer = self.prepared(document, keys).await?;
        let created = self.stores.issuers.create(issuer.clone(), by).await;
        let created = created.map_err(|error| unmade(error, &issuer))?;
        Ok(self.document(&created))
    }

    /// As [`Issuers::create`], up to the moment of registration.
    pub(super) async fn prepared(
        &self,
        document: IssuerDocument,
        keys: Option<&dyn KeyCheck>,
    ) -> Result<TrustedIssuer, Error> {
        none_of(Vec::from_iter(fault_of_manager(
            &document.managed_by,
            &None,
        )))?;
        let issuer = self.checked(document)?;
        check::check_networks(&issuer, self.terms)?;
        self.check_free(&issuer, None).await?;
        if let Some(keys) = keys {
            self.check_keys(&issuer, keys).await?;
        }
        Ok(issuer)
    }

    /// Replaces the members that the patch names; one that is null there has its default. Answers
    /// what differs. Another place of the keys is asked for them first.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`] also where trusts would no longer be safe,
    /// [`Error::Exists`], [`Error::Conflict`], [`Error::Store`]
    pub async fn update(
        &self,
        reference: &str,
        patch: &Patch,
        keys: Option<&dyn KeyCheck>,
        by: &Actor,
    ) -> Result<Updated<IssuerDocument>, Error> {
        self.update_with(reference, patch, Tokens::Stay, keys, by)
            .await
    }

    /// As [`Issuers::update`], and ends the tokens that were given for its JWTs so far, if those do
    /// not stay. A patch of `enabled` alone asks nothing else: the switch always works.
    ///
    /// # Errors
    /// As [`Issuers::update`].
    pub async fn update_with(
        &self,
        reference: &str,
        patch: &Patch,
        tokens: Tokens,
        keys: Option<&dyn KeyCheck>,
        by: &Actor,
    ) -> Result<Updated<IssuerDocument>, Error> {
        if let Some(standing) = switch(patch) {
            return self.set_standing(reference, standing, tokens, by).await;
        }
        let read = self.find(reference).await?;
        let patched = |issuer: &TrustedIssuer| with_patch(issuer, patch, self.terms, self.now);
        let wanted = patched(&read)?;
        self.check_free(&wanted, Some(&read)).await?;
        self.check_trusts(&wanted).await?;
        if patch.names(KEYS)
            && let Some(keys) = keys
        {
            self.check_keys(&wanted, keys).await?;
        }
        let with_tokens = |issuer: &TrustedIssuer| {
            let mut issuer = patched(issuer)?;
            self.end(tokens, &mut issuer);
            Ok(issuer)
        };
        self.change(&read.id, by, with_tokens).await
    }

    fn end(&self, tokens: Tokens, issuer: &mut TrustedIssuer) {
        if tokens == Tokens::Revoke {
            issuer.tokens_since = Some(self.now);
        }
    }

    /// Uploads keys, beside those that are there or in their place, of an issuer with uploaded keys
    /// (`Uploaded` or a bundle, as the issuer has it).
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] also for an issuer whose keys are fetched;
    /// [`Error::Conflict`], [`Error::Store`]
    pub async fn add_keys(
        &self,
        reference: &str,
        new: &NewIssuerKeys,
        by: &Actor,
    ) -> Result<Updated<IssuerDocument>, Error> {
        let id = self.find(reference).await?.id.clone();
        let with_keys = |issuer: &TrustedIssuer| with_keys(issuer, new, self.terms, self.now);
        self.change(&id, by, with_keys).await
    }

    /// Takes the JWTs of an issuer again. What was revoked stays so.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Conflict`], [`Error::Store`]
    pub async fn enable(&self, reference: &str, by: &Actor) -> Result<IssuerDocument, Error> {
        let set = self.set_standing(reference, Standing::Enabled, Tokens::Stay, by);
        Ok(set.await?.document)
    }

    /// Refuses the JWTs of an issuer from the next request on. While it is disabled its tokens are
    /// inactive.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Conflict`], [`Error::Store`]
    pub async fn disable(
        &self,
        reference: &str,
        tokens: Tokens,
        by: &Actor,
    ) -> Result<IssuerDocument, Error> {
        let set = self.set_standing(reference, Standing::Disabled, tokens, by);
        Ok(set.await?.document)
    }

    async fn set_standing(
        &self,
        reference: &str,
        standing: Standing,
        tokens: Tokens,
        by: &Actor,
    ) -> Result<Updated<IssuerDocument>, Error> {
        let id = self.find(reference).await?.id.clone();
        let change = |issuer: &TrustedIssuer| {
            let mut issuer = issuer.clone();
            issuer.enabled = standing == Standing::Enabled;
            self.end(tokens, &mut issuer);
            Ok(issuer)
        };
        self.change(&id, by, change).await
    }

    /// Removes an issuer with its keys. Answers the trusts that went along. Its used JWTs stay used.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Conflict::HasTrusts`], [`Error::Store`]
    pub async fn delete(
        &self,
        reference: &str,
        cascade: Cascade,
        by: &Actor,
    ) -> Result<Vec<Name>, Error> {
        let issuer = self.find(reference).await?;
        let trusts = self.stores.source.trusts(&issuer).await?;
        let trusts = trusts.all();
        let names: Vec<_> = trusts.iter().map(|trust| trust.name.clone()).collect();
        if cascade == Cascade::Refuse && !names.is_empty() {
            let named = issuer.id.to_string();
            return Err(Error::Conflict(Conflict::HasTrusts(named, names)));
        }
        let deleted = self.stores.issuers.delete(&issuer.id, by).await;
        let named = || Named::Issuer(reference.to_owned());
        deleted.map_err(|error| Error::from(error).about(named()))?;
        Ok(names)
    }

    fn document(&self, issuer: &TrustedIssuer) -> IssuerDocument {
        IssuerDocument::of(issuer, self.terms, self.now)
    }

    async fn check_keys(&self, issuer: &TrustedIssuer, keys: &dyn KeyCheck) -> Result<(), Error> {
        if issuer.keys.uploaded().is_some() {
            return Ok(());
        }
        let checked = keys.check(issuer).await;
        checked.map_err(|problem| match problem {
            NoKeys::NotAllowed(problem) => {
                let detail = format!("{problem}; name a public address, or allow its network");
                Error::Invalid(vec![Fault::new("allow_internal", detail)])
            }
            NoKeys::Failed(problems) => {
                Error::Conflict(Conflict::NoKeys(issuer.id.to_string(), problems))
            }
        })
    }

    /// Succeeds if nobody else has the names of this issuer: it is new, or was this one.
    async fn check_free(
        &self,
        issuer: &TrustedIssuer,
        was: Option<&TrustedIssuer>,
    ) -> Result<(), Error> {
        let iss = issuer.id.as_str();
        if was.is_none() {
            if self.stores.issuers.get(&issuer.id).await?.is_some() {
                return Err(Error::Exists(Named::Issuer(iss.to_owned())));
            }
            if let Ok(client) = ClientId::parse(iss)
                && self.stores.clients.get(&client).await?.is_some()
            {
                return Err(Error::Exists(Named::Client(client)));
            }
        }
        let all = self.stores.source.issuers().await?;
        match all.iter().find_map(|other| taken_by(issuer, other)) {
            Some(taken) => Err(Error::Exists(taken)),
            None => Ok(()),
        }
    }

    /// Succeeds if the trusts of this issuer, as it is to be, pin the claim that tells its customers
    /// apart.
    async fn check_trusts(&self, issuer: &TrustedIssuer) -> Result<(), Error> {
        if !issuer.is_shared() {
            return Ok(());
        }
        let trusts = self.stores.source.trusts(issuer).await?;
        let trusts = trusts.all().iter().map(|trust| &**trust);
        none_of(Vec::from_iter(fault_of_trusts(issuer, trusts)))
    }

    async fn change(
        &self,
        id: &IssuerId,
        by: &Actor,
        mut change: impl FnMut(&TrustedIssuer) -> Result<TrustedIssuer, Error> + Send,
    ) -> Result<Updated<IssuerDocument>, Error> {
        let mut before = None;
        let changed = self
            .stores
            .issuers
            .change(id, by, |issuer| {
                before = Some(self.document(issuer));
                change(issuer)
            })
            .await;
        let changed = changed.map_err(|error: Error| match error {
            Error::Store(StoreError::Exists(_)) => Error::Exists(Named::Issuer(id.to_string())),
            other => other.about(Named::Issuer(id.to_string())),
        })?;
        let after = self.document(&changed);
        Ok(Updated::new(
            before.as_ref().unwrap_or(&after),
            after.clone(),
        ))
    }
}

/// The issuer that a document registers, for a server of these terms. Asks no store.
pub(super) fn checked(
    document: IssuerDocument,
    terms: &ServerTerms,
    now: UnixTime,
) -> Result<TrustedIssuer, Error> {
    let origin = document.keys.origin(None, now);
    let (origin, mut faults) = match origin {
        Ok(origin) => (origin, Vec::new()),
        Err(faults) => (KeyOrigin::Discovery { metadata_url: None }, faults),
    };
    let is_of_keys = |fault: &Fault| {
        ["/keys", "/iss", "/trust_domain"]
            .iter()
            .any(|member| fault.pointer.starts_with(member))
    };
    // What is said of the place of the keys holds of none that could not be read.
    let is_known = faults.is_empty();
    let issuer = as_shared(document).issuer(origin, now);
    faults.extend(check::fault_of_file(&issuer, None, terms));
    let found = check::faults_of(&issuer, terms);
    faults.extend(
        found
            .into_iter()
            .filter(|fault| is_known || !is_of_keys(fault)),
    );
    none_of(faults)?;
    Ok(issuer)
}

/// What a patch of `enabled` alone says.
fn switch(patch: &Patch) -> Option<Standing> {
    let mut members = patch.members().iter();
    match (members.next(), members.next()) {
        (Some((name, Value::Bool(true))), None) if name == "enabled" => Some(Standing::Enabled),
        (Some((name, Value::Bool(false))), None) if name == "enabled" => Some(Standing::Disabled),
        _ => None,
    }
}

/// The issuer with this `iss` or, if there is none, with this name.
pub(super) async fn find(
    stores: &TrustStores<'_>,
    reference: &str,
) -> Result<Option<Arc<TrustedIssuer>>, Error> {
    if let Ok(id) = IssuerId::parse(reference)
        && let Some(issuer) = stores.issuers.get(&id).await?
    {
        return Ok(Some(issuer));
    }
    let all = stores.source.issuers().await?;
    let Some(named) = all.named(reference) else {
        return Ok(None);
    };
    // As it is now: the others may be a moment old.
    Ok(stores.issuers.get(&named.id).await?)
}

/// Why an issuer was not registered after all.
pub(super) fn unmade(error: StoreError, issuer: &TrustedIssuer) -> Error {
    let iss = || Named::Issuer(issuer.id.to_string());
    let named = match &error {
        StoreError::Exists("issuer name") => Named::IssuerName(issuer.name.clone()),
        StoreError::Exists("trust domain") => {
            Named::TrustDomain(issuer.trust_domain.clone().unwrap_or_default())
        }
        StoreError::Exists("client or issuer") => {
            ClientId::parse(issuer.id.as_str()).map_or_else(|_| iss(), Named::Client)
        }
        _ => iss(),
    };
    Error::from(error).about(named)
}

/// The document of an issuer that is known to be shared, as that of a shared one.
fn as_shared(mut document: IssuerDocument) -> IssuerDocument {
    if document.tenant_claims.is_empty() {
        let shared = templates::shared(document.iss.as_str());
        document.tenant_claims = shared.map_or_else(Vec::new, |(_, tenants)| tenants.to_vec());
    }
    document
}

/// Which name of this issuer is one of another issuer.
pub(super) fn taken_by(issuer: &TrustedIssuer, other: &TrustedIssuer) -> Option<Named> {
    if other.id == issuer.id {
        return None;
    }
    let is_same = |text: &str| text == other.name.as_str() || text == other.id.as_str();
    if is_same(issuer.name.as_str()) || other.name.as_str() == issuer.id.as_str() {
        return Some(Named::IssuerName(issuer.name.clone()));
    }
    let domain = issuer.trust_domain.as_ref()?;
    (other.trust_domain.as_ref() == Some(domain)).then(|| Named::TrustDomain(domain.clone()))
}

/// Trusts of this shared issuer, as it is to be, that do not pin the claim that tells its customers
/// apart.
pub(super) fn fault_of_trusts<'t>(
    issuer: &TrustedIssuer,
    trusts: impl Iterator<Item = &'t Trust>,
) -> Option<Fault> {
    let unsafe_ones =
        trusts.filter(|trust| trust.mode != Mode::Off && fault_of_tenant(issuer, trust).is_some());
    let names: Vec<_> = unsafe_ones.map(|trust| trust.name.to_string()).collect();
    (issuer.is_shared() && !names.is_empty()).then(|| {
        let detail = format!(
            "trusts without a pin of it would take any customer's JWT: {}; pin it there, or \
             disable them first",
            names.join(", ")
        );
        Fault::new("tenant_claims", detail)
    })
}

/// The issuer as this document has it. Keys that are in both stay as they are registered.
///
/// # Errors
/// All faults.
pub(super) fn with_document(
    issuer: &TrustedIssuer,
    document: IssuerDocument,
    terms: &ServerTerms,
    now: UnixTime,
) -> Result<TrustedIssuer, Vec<Fault>> {
    let before = IssuerDocument::of(issuer, terms, now);
    let document = IssuerDocument {
        tokens_since: before.tokens_since,
        created_at: before.created_at,
        managed_by: before.managed_by.clone(),
        ..document
    };
    let mut faults = document.faults_as_successor_of(&before);
    let origin = document.keys.origin(Some(&issuer.keys), now);
    let origin = origin.unwrap_or_else(|wrong| {
        faults.extend(wrong);
        issuer.keys.clone()
    });
    let changed = as_shared(document).issuer(origin, issuer.created_at);
    successor(issuer, changed, faults, terms)
}

/// The issuer that takes the place of the one before, without a fault.
fn successor(
    issuer: &TrustedIssuer,
    mut changed: TrustedIssuer,
    mut faults: Vec<Fault>,
    terms: &ServerTerms,
) -> Result<TrustedIssuer, Vec<Fault>> {
    changed.tokens_since = issuer.tokens_since;
    changed.revision = issuer.revision;
    faults.extend(check::faults_of(&changed, terms));
    faults.extend(check::fault_of_file(&changed, Some(issuer), terms));
    match faults.is_empty() {
        true => Ok(changed),
        false => Err(faults),
    }
}

/// The issuer with the members of a patch. Keys that it does not name stay as they are.
fn with_patch(
    issuer: &TrustedIssuer,
    patch: &Patch,
    terms: &ServerTerms,
    now: UnixTime,
) -> Result<TrustedIssuer, Error> {
    let before = IssuerDocument::of(issuer, terms, now);
    let after = before.with(patch)?;
    let mut faults = after.faults_as_successor_of(&before);
    let keys = match patch.names(KEYS) {
        true => after.keys.origin(Some(&issuer.keys), now),
        false => Ok(issuer.keys.clone()),
    };
    let keys = keys.unwrap_or_else(|wrong| {
        faults.extend(wrong);
        issuer.keys.clone()
    });
    if !keys.is_spiffe() && issuer.keys.is_spiffe() && !patch.names("trust_domain") {
        let place = after.keys.named().first().copied().unwrap_or_default();
        let detail = "the issuer has a SPIFFE bundle; expected a bundle";
        return Err(Fault::new(KEYS, detail).at(place).into());
    }
    let changed = after.issuer(keys, issuer.created_at);
    let changed = successor(issuer, changed, faults, terms)?;
    check::check_networks(&changed, terms)?;
    Ok(changed)
}

/// The issuer with more uploaded keys.
fn with_keys(
    issuer: &TrustedIssuer,
    new: &NewIssuerKeys,
    terms: &ServerTerms,
    now: UnixTime,
) -> Result<TrustedIssuer, Error> {
    let added = new.keys.origin(Some(&issuer.keys), now)?;
    let (Some(old), Some(added_keys)) = (issuer.keys.uploaded(), added.uploaded()) else {
        let detail = match added.uploaded() {
            None => "expected keys themselves: jwks, pem or a SPIFFE bundle, and no URL",
            Some(_) => {
                "the keys of this issuer are fetched; update its member keys to upload them instead"
            }
        };
        return Err(Fault::new(KEYS, detail).into());
    };
    if added.is_spiffe() != issuer.keys.is_spiffe() {
        let detail = match issuer.keys.is_spiffe() {
            true => "the issuer has a SPIFFE bundle; expected a bundle",
            false => "the issuer has no SPIFFE bundle; expected jwks or pem",
        };
        let place = new.keys.named().first().copied().unwrap_or_default();
        return Err(Fault::new(KEYS, detail).at(place).into());
    }
    let is_again = |key: &UploadedKey| {
        let mut added = added_keys.iter();
        added.any(|added| added.key.to_stored() == key.key.to_stored())
    };
    let kept = old.iter().filter(|key| !is_again(key)).cloned();
    let mut keys: Vec<_> = match new.overlap {
        None => kept.collect(),
        Some(overlap) => kept
            .map(|key| UploadedKey::new(key.key.ending_at(now.plus(overlap)), key.added_at))
            .filter(|key| key.key.is_live(now))
            .collect(),
    };
    let mut added_keys = added_keys.to_vec();
    for key in &mut added_keys {
        // What is uploaded again works again.
        key.key.expires_at = None;
        let clashes =
            |old: &&UploadedKey| old.key.key_id().is_some() && old.key.key_id() == key.key.key_id();
        if keys.iter().find(clashes).is_some() {
            let detail = format!(
                "another key with kid {} is registered, and works still; replace it, or give the \
                 new one a kid of its own",
                key.key.name()
            );
            return Err(Fault::new(KEYS, detail).into());
        }
    }
    keys.extend(added_keys);
    let mut changed = issuer.clone();
    changed.keys = match issuer.keys.is_spiffe() {
        true => KeyOrigin::UploadedSpiffeBundle { keys },
        false => KeyOrigin::Uploaded { keys },
    };
    none_of(check::faults_of(&changed, terms))?;
    Ok(changed)
}

#[cfg(test)]
mod tests;
