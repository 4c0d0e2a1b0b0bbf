//! What the stages share: the server's identity, the clock, the registry, the verifier and the
//! settings.

use std::{sync::Arc, time::Duration};

use grantor_jose::Algorithm;

use super::TokenIds;
use crate::{
    assertion::{Parties, Profile, ServerIdentity, Verifier},
    clock::{Clock, UnixTime},
    keys::SigningKeys,
    registry::Client,
    storage::{Artifacts, ClientSource, PermissionSource, StoreError, SubjectSource},
    types::ClientId,
};

/// What an operator may set. Each has a safe default.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How strict the server is where the specifications leave a choice.
    pub profile: Profile,
    /// The signature algorithms accepted in assertions: RS256 PS256 ES256 ES384 Ed25519 EdDSA.
    pub assertion_algorithms: Vec<Algorithm>,
    /// The HMAC algorithms accepted for `client_secret_jwt`: HS256 HS384 HS512.
    pub secret_algorithms: Vec<Algorithm>,
    /// Lifetime of access tokens: 1 h.
    pub token_lifetime: Duration,
    /// The `aud` of access tokens where the request names no `resource`; the issuer identifier if
    /// absent.
    pub default_audience: Option<String>,
    /// What `resource` may name (RFC 8707).
    pub resources: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self::of(Profile::Default)
    }
}

impl Settings {
    /// The settings of a profile.
    pub fn of(profile: Profile) -> Self {
        Self {
            profile,
            assertion_algorithms: profile.default_algorithms(),
            secret_algorithms: vec![Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512],
            token_lifetime: Duration::from_secs(3600),
            default_audience: None,
            resources: Vec::new(),
        }
    }
}

/// What every stage may use.
pub struct Context {
    pub(super) identity: ServerIdentity,
    pub(super) settings: Settings,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) clients: Arc<dyn ClientSource>,
    pub(super) subjects: Arc<dyn SubjectSource>,
    pub(super) permissions: Arc<dyn PermissionSource>,
    pub(super) artifacts: Arc<dyn Artifacts>,
    pub(super) token_quota: u64,
    pub(super) signing_keys: Arc<dyn SigningKeys>,
    pub(super) token_ids: TokenIds,
    pub(super) parties: Parties,
    pub(super) verifier: Verifier,
}

impl Context {
    /// The names this server answers to.
    pub fn identity(&self) -> &ServerIdentity {
        &self.identity
    }

    /// What the operator set.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Now.
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// The registered client of this name. A text that cannot be a client identifier names none.
    ///
    /// # Errors
    /// [`StoreError`] if the registry fails.
    pub async fn client(&self, id: &str) -> Result<Option<Arc<Client>>, StoreError> {
        match ClientId::parse(id) {
            Ok(id) => self.clients.client(&id).await,
            Err(_) => Ok(None),
        }
    }

    /// Finds subjects.
    pub fn subjects(&self) -> &dyn SubjectSource {
        &*self.subjects
    }

    /// Finds permissions.
    pub fn permissions(&self) -> &dyn PermissionSource {
        &*self.permissions
    }

    /// Keeps what expires: for a grant's own records too, under a kind of their own.
    pub fn artifacts(&self) -> &dyn Artifacts {
        &*self.artifacts
    }

    /// Finds the party behind an assertion, and says what is expected of it.
    pub fn parties(&self) -> &Parties {
        &self.parties
    }

    /// Verifies assertions.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }
}
