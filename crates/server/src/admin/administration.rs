//! What an actor does with the registry of a server: the use cases.

use std::sync::Arc;

use grantor::{
    admin::{
        Changes, Clients, Decisions, Effective, Issuers, Permissions, Scopes, ServerTerms,
        SigningKeys, Subjects, Trusts,
    },
    clock::{Clock as _, SystemClock, UnixTime},
    registry::Actor,
    server::AuthorizationServer,
};

use crate::{backend::Backend, config::Config};

/// The one clock of operators.
pub const CLOCK: SystemClock = SystemClock;

/// The use cases, for one actor.
pub struct Administration {
    /// The configuration of the server.
    pub config: Arc<Config>,
    /// Its store.
    pub store: Backend,
    /// The server itself, where it runs in this process.
    pub server: Option<AuthorizationServer>,
    terms: ServerTerms,
    actor: Actor,
}

impl Administration {
    /// For this actor.
    pub fn new(config: Arc<Config>, store: Backend, actor: Actor) -> Self {
        Self {
            terms: terms(&config),
            server: None,
            config,
            store,
            actor,
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

    /// The actor of what is changed.
    pub fn actor(&self) -> &Actor {
        &self.actor
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

    /// Clients.
    pub fn clients(&self) -> Clients<'_> {
        Clients::new(self.store.clients(), &self.terms, self.now())
    }

    /// Subjects.
    pub fn subjects(&self) -> Subjects<'_> {
        Subjects::new(self.store.subjects(), self.now())
    }

    /// The catalogue of scopes.
    pub fn scopes(&self) -> Scopes<'_> {
        Scopes::new(self.store.scopes())
    }

    /// Issuers.
    pub fn issuers(&self) -> Issuers<'_> {
        Issuers::new(self.store.trust_stores(), &self.terms, self.now())
    }

    /// Trusts.
    pub fn trusts(&self) -> Trusts<'_> {
        Trusts::new(self.store.trust_stores(), &self.terms, self.now())
    }

    /// Permissions.
    pub fn permissions(&self) -> Permissions<'_> {
        Permissions::new(self.store.permissions(), self.now())
    }

    /// What clients would get.
    pub fn effective(&self) -> Effective<'_> {
        let store = &self.store;
        Effective::new(
            store.clients(),
            store.subjects(),
            store.permissions(),
            self.now(),
        )
    }

    /// The keys that tokens are signed with.
    pub fn signing_keys(&self) -> SigningKeys<'_> {
        SigningKeys::new(&*self.store.keys, &self.terms)
    }

    /// What was decided.
    pub fn decisions(&self) -> Decisions<'_> {
        Decisions::new(&*self.store.decisions)
    }

    /// What was changed.
    pub fn changes(&self) -> Changes<'_> {
        Changes::new(&*self.store.changes)
    }
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
