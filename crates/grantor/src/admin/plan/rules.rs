//! The rules that look at other registrations: they hold of the state after the plan.

use std::{collections::HashMap, sync::Arc};

use super::{
    Kind,
    make::{Maker, faults_of},
    reading::{Documents, Item},
};
use crate::{
    admin::{
        Error, Fault, Named,
        issuers::{fault_of_trusts, taken_by},
        pace::Pace,
        permissions::fault_beyond,
        trusts::{Neighbours, check, fault_of_taken, faults_of_client, fixed_subject},
    },
    registry::{Client, Mode, Permission, PermissionId, Trust, TrustedIssuer},
    types::{ClientId, IssuerId, SubjectId},
};

/// The faults of a document, by its place.
type Found = (usize, Vec<Fault>);

/// The trusts of each issuer, when the plan is carried out.
type TrustsByIssuer<'t> = HashMap<&'t IssuerId, Vec<&'t Trust>>;

/// The issuers by all texts that are one issuer's alone: `iss`, name and trust domain.
struct IssuerNames<'t>(HashMap<&'t str, Vec<&'t TrustedIssuer>>);

impl<'t> IssuerNames<'t> {
    fn of(issuers: impl Iterator<Item = &'t Arc<TrustedIssuer>>) -> Self {
        let mut all = Self(HashMap::new());
        for issuer in issuers {
            for text in names_of(issuer) {
                all.0.entry(text).or_default().push(issuer);
            }
        }
        all
    }

    /// Those that may have a text of this one.
    fn near(&self, issuer: &'t TrustedIssuer) -> impl Iterator<Item = &'t TrustedIssuer> {
        let same = names_of(issuer).filter_map(|text| self.0.get(text));
        same.flatten().copied()
    }
}

fn names_of(issuer: &TrustedIssuer) -> impl Iterator<Item = &str> {
    let domain = issuer.trust_domain.as_deref();
    [issuer.id.as_str(), issuer.name.as_str()]
        .into_iter()
        .chain(domain)
}

impl Maker<'_> {
    /// Holds what the plan makes against all that is registered when it is carried out.
    pub async fn check(&mut self, documents: &Documents) {
        let mut pace = Pace::default();
        self.check_names(documents);
        let found = self.check_issuers(documents, &mut pace).await;
        for (place, faults) in found {
            self.blame(Kind::Issuer, place, faults);
        }
        let found = self.check_trusts(documents, &mut pace).await;
        for (place, faults) in found {
            self.blame(Kind::Trust, place, faults);
        }
        for item in &documents.permissions {
            pace.step().await;
            if self.unmade.contains(&(Kind::Permission, item.place)) {
                continue;
            }
            let faults = self.faults_of_permission(item, documents);
            self.blame(Kind::Permission, item.place, faults);
        }
    }

    /// Clients and subjects share their names (RFC 9700 §4.15), and no `iss` is a client id
    /// (RFC 8725 §3.12).
    fn check_names(&mut self, documents: &Documents) {
        let tables = &self.tables;
        let mut found = Vec::new();
        for item in &documents.clients {
            let name = item.document.client_id.as_str();
            let is_new = tables.clients.before(&item.document.client_id).is_none();
            let is_subject =
                SubjectId::parse(name).is_ok_and(|id| tables.subjects.after(&id).is_some());
            let is_issuer =
                IssuerId::parse(name).is_ok_and(|id| tables.issuers.after(&id).is_some());
            if is_new && (is_subject || is_issuer) {
                let named = Named::Client(item.document.client_id.clone());
                found.push((Kind::Client, item.place, taken("client_id", named)));
            }
        }
        for item in &documents.subjects {
            let id = &item.document.id;
            let is_client =
                ClientId::parse(id.as_str()).is_ok_and(|id| tables.clients.after(&id).is_some());
            if tables.subjects.before(id).is_none() && is_client {
                let named = Named::Subject(id.clone());
                found.push((Kind::Subject, item.place, taken("id", named)));
            }
        }
        for (kind, place, fault) in found {
            self.blame(kind, place, [fault]);
        }
    }

    async fn check_issuers(&self, documents: &Documents, pace: &mut Pace) -> Vec<Found> {
        let names = IssuerNames::of(self.tables.issuers.all_after());
        let trusts = self.trusts_by_issuer();
        let mut found = Vec::new();
        for item in &documents.issuers {
            found.push((item.place, self.faults_of_issuer(item, &names, &trusts)));
            pace.step().await;
        }
        found
    }

    fn faults_of_issuer(
        &self,
        item: &Item<TrustedIssuer>,
        names: &IssuerNames<'_>,
        trusts: &TrustsByIssuer<'_>,
    ) -> Vec<Fault> {
        let (tables, id) = (&self.tables, &item.document.iss);
        let Some(issuer) = tables
            .issuers
            .after(id)
            .filter(|_| tables.issuers.changes(id))
        else {
            return Vec::new();
        };
        let mut faults = Vec::new();
        if tables.issuers.before(id).is_none()
            && let Ok(client) = ClientId::parse(id.as_str())
            && tables.clients.after(&client).is_some()
        {
            faults.push(taken("iss", Named::Client(client)));
        }
        let mut near = names.near(issuer);
        let clash = near.find_map(|other| taken_by(issuer, other));
        faults.extend(clash.map(|named| match named {
            Named::TrustDomain(_) => taken("trust_domain", named),
            _ => taken("name", named),
        }));
        // What is wrong with a trust of the file is said there.
        let trusts = trusts.get(id).into_iter().flatten().copied();
        let others = trusts.filter(|trust| !tables.trusts.changes(&trust.name));
        faults.extend(fault_of_trusts(issuer, others));
        faults
    }

    fn trusts_by_issuer(&self) -> TrustsByIssuer<'_> {
        let mut by_issuer = TrustsByIssuer::new();
        for trust in self.tables.trusts.all_after() {
            let same = by_issuer.entry(&trust.issuer).or_default();
            same.push(trust);
        }
        by_issuer
    }

    async fn check_trusts(&self, documents: &Documents, pace: &mut Pace) -> Vec<Found> {
        let mut found = Vec::new();
        let by_issuer = self.trusts_by_issuer();
        let mut neighbours: HashMap<&IssuerId, Neighbours<'_>> = HashMap::new();
        for item in &documents.trusts {
            pace.step().await;
            let is_made = !self.unmade.contains(&(Kind::Trust, item.place));
            let made = self.tables.trusts.after(&item.name);
            let Some(trust) = made.filter(|_| is_made) else {
                continue;
            };
            let was = self.tables.trusts.before(&trust.name).map(|was| &**was);
            let mut faults = self.faults_of_trust(trust, was, documents);
            let is_changed = self.tables.trusts.changes(&trust.name);
            if is_changed && Neighbours::concern(trust, was) {
                let same = || by_issuer.get(&trust.issuer).into_iter().flatten().copied();
                let neighbours = neighbours
                    .entry(&trust.issuer)
                    .or_insert_with(|| Neighbours::of(same()));
                let wrong = neighbours.check(trust, was).err();
                faults.extend(wrong.map(|error| Fault::new("pins", error.to_string())));
            }
            found.push((item.place, faults));
        }
        found
    }

    /// What is wrong with a trust, and with one that stays as it is, what its issuer or client makes
    /// wrong.
    fn faults_of_trust(
        &self,
        trust: &Trust,
        was: Option<&Trust>,
        documents: &Documents,
    ) -> Vec<Fault> {
        let tables = &self.tables;
        let client = tables.clients.after(&trust.client);
        if client.is_none() && !documents.mean(Kind::Client, trust.client.as_str()) {
            return vec![self.fault_of_missing_client(&trust.client)];
        }
        let Some(issuer) = tables.issuers.after(&trust.issuer) else {
            return Vec::new();
        };
        let is_turned_off = |was: &Trust| trust.mode == Mode::Off && was.mode != Mode::Off;
        let is_changed = tables.trusts.changes(&trust.name);
        let may_differ =
            tables.issuers.changes(&trust.issuer) || tables.clients.changes(&trust.client);
        if was.is_some_and(is_turned_off) || !(is_changed || may_differ) {
            return Vec::new();
        }
        let mut faults = faults_between(issuer, client.map(|client| &**client), trust);
        faults.extend(is_changed.then(|| self.fault_of_fixed(trust)).flatten());
        let before = tables.issuers.before(&trust.issuer);
        if let (false, Some(before)) = (is_changed, before) {
            let client = tables.clients.before(&trust.client);
            let known = faults_between(before, client.map(|client| &**client), trust);
            faults.retain(|fault| !known.contains(fault));
        }
        faults
    }

    /// A fixed subject is nobody else's name (T026).
    fn fault_of_fixed(&self, trust: &Trust) -> Option<Fault> {
        let (tables, fixed) = (&self.tables, fixed_subject(trust)?);
        let is_client = |id| tables.clients.after(&id).is_some();
        let is_subject = |id| tables.subjects.after(&id).is_some();
        if ClientId::parse(fixed).is_ok_and(is_client) {
            return Some(fault_of_taken(fixed, "a client"));
        }
        let is_taken = SubjectId::parse(fixed).is_ok_and(is_subject);
        is_taken.then(|| fault_of_taken(fixed, "a registered subject"))
    }

    fn faults_of_permission(&self, item: &Item<Permission>, documents: &Documents) -> Vec<Fault> {
        let (tables, document) = (&self.tables, &item.document);
        let (client, subject) = (&document.client, &document.subject);
        let mut faults = Vec::new();
        let registered = tables.clients.after(client);
        if registered.is_none() && !documents.mean(Kind::Client, client.as_str()) {
            faults.push(self.fault_of_missing_client(client));
        }
        if tables.subjects.after(subject).is_none()
            && !documents.mean(Kind::Subject, subject.as_str())
        {
            let detail = match tables.subjects.before(subject) {
                Some(_) => {
                    format!("subject {subject} is removed; keep it, or remove the permission")
                }
                None => format!("subject {subject} is neither in the file nor registered"),
            };
            faults.push(Fault::new("subject", detail));
        }
        let id = PermissionId::by_operator(client.clone(), subject.clone());
        if let (Some(registered), Some(permission)) = (registered, tables.permissions.after(&id)) {
            let beyond = fault_beyond(registered, permission);
            let was_so = !tables.permissions.changes(&id)
                && tables
                    .clients
                    .before(client)
                    .is_some_and(|before| fault_beyond(before, permission) == beyond);
            faults.extend(beyond.filter(|_| !was_so));
        }
        faults
    }

    fn fault_of_missing_client(&self, id: &ClientId) -> Fault {
        let detail = match self.tables.clients.before(id) {
            Some(_) => format!("client {id} is removed; keep it, or remove this too"),
            None => format!("client {id} is neither in the file nor registered"),
        };
        Fault::new("client", detail)
    }
}

/// All that is wrong with a trust between this issuer and this client.
fn faults_between(issuer: &TrustedIssuer, client: Option<&Client>, trust: &Trust) -> Vec<Fault> {
    let mut faults = check(issuer, trust);
    faults.extend(
        client
            .map(|client| faults_of_client(client, trust))
            .into_iter()
            .flatten(),
    );
    faults
}

/// A name that somebody has already.
fn taken(member: &str, named: Named) -> Fault {
    let faults = faults_of(Error::Exists(named));
    let detail = faults.into_iter().map(|fault| fault.detail).next();
    Fault::new(member, detail.unwrap_or_default())
}
