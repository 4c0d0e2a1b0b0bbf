//! The ports that a gate stands before.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::{
    registry::{
        ChangeRecord, Client, Operator, Passkey, Password, Permission, ScopeText, Subject, Trust,
        TrustedIssuer,
    },
    storage::{Batch, IssuerSource, Log, Registries, Registry},
};

/// All registries of one backend. Cloning it shares everything: a server has one, for all its
/// actors.
#[derive(Clone)]
pub struct Ports {
    pub(super) clients: Arc<dyn Registry<Client>>,
    pub(super) subjects: Arc<dyn Registry<Subject>>,
    pub(super) operators: Arc<dyn Registry<Operator>>,
    pub(super) permissions: Arc<dyn Registry<Permission>>,
    pub(super) scopes: Arc<dyn Registry<ScopeText>>,
    pub(super) passwords: Arc<dyn Registry<Password>>,
    pub(super) passkeys: Arc<dyn Registry<Passkey>>,
    pub(super) issuers: Arc<dyn Registry<TrustedIssuer>>,
    pub(super) trusts: Arc<dyn Registry<Trust>>,
    pub(super) source: Arc<dyn IssuerSource>,
    pub(super) batch: Arc<dyn Batch>,
    pub(super) log: Arc<dyn Log<ChangeRecord>>,
    /// One change at a time is made, and none between a decision and what it decides: how many there
    /// were tells. What a decision rests on is a condition of its commit too, for other processes have
    /// turns of their own; that nothing further hangs on what is deleted is none.
    pub(super) turn: Arc<Mutex<u64>>,
}

impl Ports {
    /// Those of this backend.
    pub fn of(store: Arc<impl Registries>) -> Self {
        Self {
            clients: store.clone(),
            subjects: store.clone(),
            operators: store.clone(),
            permissions: store.clone(),
            scopes: store.clone(),
            passwords: store.clone(),
            passkeys: store.clone(),
            issuers: store.clone(),
            trusts: store.clone(),
            source: store.clone(),
            batch: store.clone(),
            log: store,
            turn: Arc::default(),
        }
    }
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ports(..)")
    }
}
