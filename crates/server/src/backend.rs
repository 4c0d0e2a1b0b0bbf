//! The one place that knows which database it is: everything else gets its ports.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use grantor::{
    admin::{Gate, Ports, Rights},
    registry::{ChangeRecord, Operator, Passkey, Password, Permission, ScopeText},
    server::{Seals, TokenIds},
    storage::{
        Artifacts, Batch, ClientEnds, ClientSource, DecisionStore, IssuerSource, KeyStore, Log,
        PermissionSource, Readiness, Registry, ReplayGuard, StatisticsStore, StoreError,
        StoreFigures, SubjectPermissions, SubjectSource,
    },
};
use grantor_stores::{
    Create, Upkeep,
    sqlite::{BackupError, OpenError, Options, Restored, SqliteStore},
};

use crate::config::Config;

/// The store that the configuration names, port by port. Cloning it shares everything.
#[derive(Clone)]
pub struct Backend {
    pub client_source: Arc<dyn ClientSource>,
    pub client_ends: Arc<dyn ClientEnds>,
    pub subject_source: Arc<dyn SubjectSource>,
    pub permission_source: Arc<dyn PermissionSource>,
    pub issuer_source: Arc<dyn IssuerSource>,
    pub permissions: Arc<dyn Registry<Permission>>,
    pub subject_permissions: Arc<dyn SubjectPermissions>,
    pub passwords: Arc<dyn Registry<Password>>,
    pub passkeys: Arc<dyn Registry<Passkey>>,
    pub operators: Arc<dyn Registry<Operator>>,
    pub batch: Arc<dyn Batch>,
    pub scope_texts: Arc<dyn Registry<ScopeText>>,
    pub replay: Arc<dyn ReplayGuard>,
    pub artifacts: Arc<dyn Artifacts>,
    pub keys: Arc<dyn KeyStore>,
    pub decisions: Arc<dyn DecisionStore>,
    pub statistics: Arc<dyn StatisticsStore>,
    pub changes: Arc<dyn Log<ChangeRecord>>,
    pub readiness: Arc<dyn Readiness>,
    pub figures: Arc<dyn StoreFigures>,
    ports: Ports,
    engine: SqliteStore,
}

/// Where the store is, and how it is opened.
pub struct Place<'a> {
    pub config: &'a Config,
    pub data: &'a Path,
    /// The file of the master key, where one is named.
    pub master_key: Option<&'a Path>,
}

impl Place<'_> {
    /// Opens the store. What the configuration decides is decided by it.
    pub fn open(&self, create: Create, upkeep: Upkeep) -> Result<Backend, OpenError> {
        let options = Options {
            create,
            upkeep,
            ..self.options()
        };
        SqliteStore::open(self.data, &options).map(Backend::of)
    }

    /// Whether there is something to open.
    pub fn exists(&self) -> bool {
        self.data.join("grantor.db").exists()
    }

    /// Puts a backup in the place of the store.
    pub fn restore(&self, backup: &Path) -> Result<Restored, OpenError> {
        SqliteStore::restore(self.data, backup, &self.options())
    }

    fn options(&self) -> Options {
        Options {
            master_key: self.master_key.map(PathBuf::from),
            signing_algorithm: self.config.token.signing_algorithm,
            retention: self.config.decisions,
            changes: self.config.changes,
            leeway: self.config.assertion.leeway,
            ..Options::default()
        }
    }
}

impl Backend {
    fn of(engine: SqliteStore) -> Self {
        let store = Arc::new(engine.clone());
        Self {
            client_source: store.clone(),
            client_ends: store.clone(),
            subject_source: store.clone(),
            permission_source: store.clone(),
            issuer_source: store.clone(),
            permissions: store.clone(),
            subject_permissions: store.clone(),
            passwords: store.clone(),
            passkeys: store.clone(),
            operators: store.clone(),
            batch: store.clone(),
            scope_texts: store.clone(),
            replay: store.clone(),
            artifacts: store.clone(),
            keys: store.clone(),
            decisions: store.clone(),
            statistics: store.clone(),
            changes: store.clone(),
            readiness: store.clone(),
            figures: store.clone(),
            ports: Ports::of(store),
            engine,
        }
    }

    /// Keeps the record of a change of what is no registration.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn keep_record(&self, record: ChangeRecord) -> Result<(), StoreError> {
        self.engine.keep_record(record).await
    }

    /// All registries, for an actor with these rights.
    pub fn gate(&self, rights: Rights) -> Gate {
        Gate::new(self.ports.clone(), rights)
    }

    /// Makes the `jti` of access tokens as every process with this store does.
    pub fn token_ids(&self) -> TokenIds {
        self.engine.token_ids()
    }

    /// Seals codes and tickets as every process with this store does.
    pub fn seals(&self) -> Seals {
        self.engine.seals()
    }

    /// The names of all clients and subjects.
    pub async fn names(&self) -> Result<Vec<String>, StoreError> {
        self.engine.names().await
    }

    /// Copies the database into a file.
    pub fn backup(&self, file: &Path) -> Result<(), BackupError> {
        self.engine.backup(file)
    }
}
