//! What an actor does with the registry of a server: the use cases, behind the gate that lets
//! through what the actor may.

use std::sync::Arc;

use grantor::{
    admin::{
        Changes, Clients, Decisions, Effective, Error, Expected, Gate, IssuerDocument,
        IssuerFilter, Issuers, Operators, Permissions, Places, PlanStores, Plans, Rights, Scopes,
        ServerTerms, SigningKeys, Statistics, Subjects, TrustStores, Trusts,
    },
    clock::{Clock as _, SystemClock, UnixTime},
    registry::{Action, Actor, ChangeRecord, Denial, Role, Way},
    server::{AuthorizationServer, BuildError},
    storage::{Registries as _, StoreError},
    types::{Name, SubjectId},
};
use serde_json::Value;

use super::Me;
use crate::{app, backend::Backend, config::Config, metrics::Metrics};

/// The one clock of operators.
pub const CLOCK: SystemClock = SystemClock;

/// The use cases, for one actor.
pub struct Administration {
    /// The configuration of the server.
    pub config: Arc<Config>,
    /// What is no registry: logs, keys, what expires. Registries are behind the gate.
    pub store: Backend,
    /// The server itself, where it runs in this process.
    pub server: Option<AuthorizationServer>,
    gate: Gate,
    terms: ServerTerms,
    actor: Actor,
    caller: Option<Me>,
}

impl Administration {
    /// For this actor, who has these rights.
    pub fn new(config: Arc<Config>, store: Backend, rights: Rights, actor: Actor) -> Self {
        let mut terms = terms(&config);
        terms.places = places(&rights);
        Self {
            gate: store.gate(rights),
            terms,
            server: None,
            config,
            store,
            actor,
            caller: None,
        }
    }

    /// With the server that runs in this process.
    #[must_use]
    pub fn of_server(self, server: AuthorizationServer) -> Self {
        Self {
            server: Some(server),
            ..self
        }
    }

    /// For this caller.
    #[must_use]
    pub fn for_caller(self, caller: Me) -> Self {
        Self {
            caller: Some(caller),
            ..self
        }
    }

    /// The caller of the API.
    pub fn caller(&self) -> Option<&Me> {
        self.caller.as_ref()
    }

    /// Succeeds if the caller still has the role that the request came with (law 4).
    ///
    /// # Errors
    /// [`Denial::NeedsOwner`] or [`Denial::NeedsEditor`], [`Error::Store`]
    pub async fn check_caller(&self) -> Result<(), Error> {
        let Some(Me {
            client: Some(client),
            subject,
            role,
            ..
        }) = &self.caller
        else {
            return Ok(());
        };
        let registered = self.gate.clients().get(client).await?;
        let of_client = registered
            .filter(|client| client.metadata().enabled)
            .and_then(|client| Role::of_scope(&client.metadata().scope));
        let of_subject = match subject {
            Some(subject) => self
                .gate
                .operators()
                .get(subject)
                .await?
                .map(|one| one.role),
            None => Some(Role::Owner),
        };
        match of_client.min(of_subject) >= Some(*role) {
            true => Ok(()),
            false => Err(Error::Denied(Denial::NeedsEditor {
                kind: "client",
                name: client.to_string(),
            })),
        }
    }

    /// The same, for what files of this owner say.
    #[must_use]
    pub fn managing(&self, owner: Option<Name>) -> Self {
        let rights = self.gate.rights().clone();
        let rights = match owner {
            Some(owner) => rights.managing(owner),
            None => rights,
        };
        let mut actor = self.actor.clone();
        actor.way = Way::Apply;
        self.with_rights(rights, actor)
    }

    /// The same, of what is in one of these states.
    #[must_use]
    pub fn expecting(&self, expected: Expected) -> Self {
        let rights = self.gate.rights().clone().expecting(expected);
        self.with_rights(rights, self.actor.clone())
    }

    fn with_rights(&self, rights: Rights, actor: Actor) -> Self {
        Self {
            server: self.server.clone(),
            caller: self.caller.clone(),
            ..Self::new(self.config.clone(), self.store.clone(), rights, actor)
        }
    }

    /// The actor of what is changed.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Keeps on record what was done to what hangs on a subject and is no registration.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn record(
        &self,
        (kind, subject): (&str, &SubjectId),
        action: Action,
        states: [Option<Value>; 2],
    ) -> Result<(), StoreError> {
        let name = subject.to_string();
        let record = ChangeRecord::of((kind, name), action, states, &self.actor, self.now());
        self.store.keep_record(record).await
    }

    /// The server as operators meet it.
    pub fn terms(&self) -> &ServerTerms {
        &self.terms
    }

    /// Whether people sign in at this server, and can be asked.
    pub fn has_people(&self) -> bool {
        self.config.person.is_some()
    }

    /// Now.
    pub fn now(&self) -> UnixTime {
        CLOCK.now()
    }

    /// The registries, behind the gate.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Clients.
    pub fn clients(&self) -> Clients<'_> {
        Clients::new(self.gate.clients(), &self.terms, self.now())
    }

    /// Subjects.
    pub fn subjects(&self) -> Subjects<'_> {
        Subjects::new(self.gate.subjects(), self.now())
    }

    /// The catalogue of scopes.
    pub fn scopes(&self) -> Scopes<'_> {
        Scopes::new(self.gate.scopes())
    }

    /// Issuers.
    pub fn issuers(&self) -> Issuers<'_> {
        Issuers::new(TrustStores::of(&self.gate), &self.terms, self.now())
    }

    /// Trusts.
    pub fn trusts(&self) -> Trusts<'_> {
        Trusts::new(TrustStores::of(&self.gate), &self.terms, self.now())
    }

    /// Permissions.
    pub fn permissions(&self) -> Permissions<'_> {
        Permissions::new(self.gate.permissions(), self.now())
    }

    /// What clients would get.
    pub fn effective(&self) -> Effective<'_> {
        let gate = &self.gate;
        Effective::new(
            gate.clients(),
            gate.subjects(),
            gate.permissions(),
            self.now(),
        )
    }

    /// The role of a subject.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub async fn role_of(&self, subject: &SubjectId) -> Result<Option<Role>, Error> {
        let operator = self.gate.operators().get(subject).await?;
        Ok(operator.map(|operator| operator.role))
    }

    /// Who has a role.
    pub fn operators(&self) -> Operators<'_> {
        Operators::of(&self.gate)
    }

    /// What files would change.
    pub fn plans(&self) -> Plans<'_> {
        Plans::new(PlanStores::of(&self.gate), &self.terms, self.now())
    }

    /// The keys that tokens are signed with.
    pub fn signing_keys(&self) -> SigningKeys<'_> {
        SigningKeys::new(&*self.store.keys, &self.terms)
    }

    /// What was decided.
    pub fn decisions(&self) -> Decisions<'_> {
        Decisions::new(&*self.store.decisions)
    }

    /// All issuers.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub async fn every_issuer(&self) -> Result<Vec<IssuerDocument>, Error> {
        let (all, mut after) = (IssuerFilter::default(), None);
        let mut issuers = Vec::new();
        loop {
            let page = self.issuers();
            let page = page.page(&all, after.as_ref(), PORTION).await?;
            issuers.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(issuers),
            }
        }
    }

    /// A server that decides as the one in force does: that of this process, or one of the same
    /// configuration and store.
    ///
    /// # Errors
    /// [`Error::Store`] where none can be built.
    pub fn deciding(&self) -> Result<AuthorizationServer, Error> {
        match &self.server {
            Some(server) => Ok(server.clone()),
            None => built(app::build_server(
                &self.config,
                &self.store,
                Metrics::default(),
            )),
        }
    }

    /// The same without a way out: of keys that are fetched it has those that are kept.
    ///
    /// # Errors
    /// [`Error::Store`] where none can be built.
    pub fn deciding_without_fetching(&self) -> Result<AuthorizationServer, Error> {
        built(app::build_server_without_fetching(
            &self.config,
            &self.store,
        ))
    }

    /// How many requests were decided.
    pub fn statistics(&self) -> Statistics<'_> {
        Statistics::new(&*self.store.statistics, self.now())
    }

    /// What was changed.
    pub fn changes(&self) -> Changes<'_> {
        Changes::new(&*self.store.changes)
    }
}

/// What is read at once of a list.
const PORTION: u32 = 1000;

/// The files of the server's machine are for whoever is there, and its networks an owner's.
fn places(rights: &Rights) -> Places {
    match (rights.is_local(), rights.role()) {
        (true, _) => Places::Machine,
        (false, Role::Owner) => Places::Networks,
        (false, _) => Places::Public,
    }
}

fn built(server: Result<AuthorizationServer, BuildError>) -> Result<AuthorizationServer, Error> {
    server.map_err(|error| Error::Store(StoreError::Failed(Box::new(error))))
}

/// The server of this configuration, as operators meet it.
pub fn terms(config: &Config) -> ServerTerms {
    let mut terms = ServerTerms::new(config.issuer.clone());
    terms.profile = config.assertion.profile;
    terms
        .assertion_algorithms
        .clone_from(&config.assertion.algorithms);
    terms.signing_algorithm = config.token.signing_algorithm;
    terms.longest_token = config.token.lifetime + config.assertion.leeway;
    terms
}
