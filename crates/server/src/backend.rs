//! The one place that knows which database it is: everything else gets its ports.

use std::{
    fmt::{self, Display},
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use grantor::{
    admin::{Gate, Ports, Rights},
    clock::UnixTime,
    registry::{ChangeRecord, Operator, Passkey, Password, Permission, ScopeText},
    server::{Seals, TokenIds},
    storage::{
        Artifacts, Batch, ClientEnds, ClientSource, DecisionStore, IssuerSource, KeyStore, Log,
        PermissionSource, Readiness, Registries, Registry, ReplayGuard, StatisticsStore,
        StoreError, StoreFigures, SubjectPermissions, SubjectSource,
    },
};
pub use grantor_stores::transfer::{Abandoned, Moved, Step};
use grantor_stores::{
    Create, Upkeep,
    postgres::{self, PostgresStore, Target, Windows},
    sqlite::{self, Restored, SqliteStore},
    transfer::{TransferError, abandon, transfer},
};

use serde::Serialize;

use crate::config::{Config, DatabaseConfig, Durability};

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
    engine: Engine,
}

/// The engine, for what no port has.
#[derive(Clone)]
enum Engine {
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
}

/// Where the store is, and how it is opened.
pub struct Place<'a> {
    pub config: &'a Config,
    pub data: &'a Path,
    /// The file of the master key, where one is named.
    pub master_key: Option<&'a Path>,
}

/// Why there is no store.
#[derive(Debug)]
pub enum OpenError {
    Sqlite(sqlite::OpenError),
    Postgres(postgres::OpenError),
    /// The data directory cannot be made.
    Directory(PathBuf, io::Error),
}

impl OpenError {
    /// Whether the operator has to set something else: then nothing comes of trying again.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Sqlite(error) => matches!(
                error,
                sqlite::OpenError::MasterKey(_)
                    | sqlite::OpenError::WrongMasterKey(_)
                    | sqlite::OpenError::Moved { .. }
                    | sqlite::OpenError::Moving { .. }
            ),
            Self::Postgres(error) => is_usage_of_server(error),
            Self::Directory(..) => false,
        }
    }
}

impl Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => error.fmt(f),
            Self::Postgres(error) => error.fmt(f),
            Self::Directory(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Sqlite(#[from] sqlite::BackupError),
    /// The server has means of its own.
    #[error(
        "the database is PostgreSQL's, which has its own means: pg_dump, or pg_basebackup with archived WAL, and the master key apart from \
         them; after a restore run `grantor replay fence --raise`, so that no assertion is accepted twice"
    )]
    OfServer,
}

/// Why a database is not moved.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct MoveError(TransferError);

impl MoveError {
    /// Whether the operator has to set something else: then nothing comes of trying again.
    pub fn is_usage(&self) -> bool {
        match &self.0 {
            TransferError::NotEmpty { .. }
            | TransferError::Elsewhere { .. }
            | TransferError::Source(
                sqlite::OpenError::MasterKey(_)
                | sqlite::OpenError::WrongMasterKey(_)
                | sqlite::OpenError::Moved { .. },
            ) => true,
            TransferError::Target(error) => is_usage_of_server(error),
            _ => false,
        }
    }
}

/// Whether it is told by what the operator has set, and not by a server that may be there later.
fn is_usage_of_server(error: &postgres::OpenError) -> bool {
    !matches!(
        error,
        postgres::OpenError::Server(_)
            | postgres::OpenError::Absent
            | postgres::OpenError::Content(_)
    )
}

impl Place<'_> {
    /// Opens the store. What the configuration decides is decided by it.
    pub async fn open(&self, create: Create, upkeep: Upkeep) -> Result<Backend, OpenError> {
        match &self.config.database {
            Some(server) => self.open_server(server, create, upkeep).await,
            None => {
                let options = sqlite::Options {
                    create,
                    upkeep,
                    ..self.options()
                };
                let store = SqliteStore::open(self.data, &options).map_err(OpenError::Sqlite)?;
                Ok(Backend::of(&Arc::new(store.clone()), Engine::Sqlite(store)))
            }
        }
    }

    async fn open_server(
        &self,
        server: &DatabaseConfig,
        create: Create,
        upkeep: Upkeep,
    ) -> Result<Backend, OpenError> {
        let makes_master_key = self.master_key.is_none() && create == Create::IfMissing;
        if makes_master_key {
            let made = DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(self.data);
            made.map_err(|error| OpenError::Directory(self.data.to_owned(), error))?;
        }
        let options = postgres::Options {
            create,
            upkeep,
            makes_master_key,
            place: place(self.config),
            windows: (upkeep == Upkeep::Here).then(|| windows(self.config)),
            ..self.server_options()
        };
        let opened = PostgresStore::open(&target(server), &options).await;
        let store = opened.map_err(OpenError::Postgres)?;
        Ok(Backend::of(
            &Arc::new(store.clone()),
            Engine::Postgres(store),
        ))
    }

    /// The file of the master key.
    pub fn master_key_file(&self) -> PathBuf {
        match self.master_key {
            Some(named) => named.to_owned(),
            None => self.data.join("master.key"),
        }
    }

    /// Whether there is something to open, or a server that may have it.
    pub fn exists(&self) -> bool {
        self.config.database.is_some() || self.data.join("grantor.db").exists()
    }

    /// Whether the database is a file, which `grantor backup` copies and `grantor restore` replaces.
    ///
    /// # Errors
    /// [`BackupError::OfServer`]
    pub fn is_file(&self) -> Result<(), BackupError> {
        match self.config.database {
            None => Ok(()),
            Some(_) => Err(BackupError::OfServer),
        }
    }

    /// What a start would check of the database server, without starting; `None` where the database is
    /// a file.
    ///
    /// # Errors
    /// [`OpenError`] if it cannot be asked.
    pub async fn survey(&self) -> Result<Option<Survey>, OpenError> {
        let Some(server) = &self.config.database else {
            return Ok(None);
        };
        let survey = postgres::survey(&target(server)).await;
        let survey = survey.map_err(OpenError::Postgres)?;
        let check = |finding: &postgres::Finding| Check {
            name: finding.name,
            found: finding.found.clone(),
            wanted: finding.wanted,
            remedy: finding.remedy.clone(),
            verdict: match finding.level {
                postgres::Level::Kept => Verdict::Kept,
                postgres::Level::Warned => Verdict::Warned,
                postgres::Level::Refused => Verdict::Refused,
            },
        };
        Ok(Some(Survey {
            checks: survey.findings.iter().map(check).collect(),
            schema: survey.schema,
            contract: survey.contract,
        }))
    }

    /// Puts a backup in the place of the store.
    pub fn restore(&self, backup: &Path) -> Result<Restored, OpenError> {
        SqliteStore::restore(self.data, backup, &self.options()).map_err(OpenError::Sqlite)
    }

    /// Moves all that is in the file to a database server, whatever server the configuration names.
    ///
    /// # Errors
    /// [`MoveError`]
    pub async fn move_to(
        &self,
        server: &DatabaseConfig,
        progress: impl FnMut(Step, &'static str, u64) + Send,
    ) -> Result<Moved, MoveError> {
        let source = self.options();
        // What was used is remembered for as long as servers here accepted it.
        let to = postgres::Options {
            windows: Some(windows(self.config)),
            ..self.server_options()
        };
        let moved = transfer(self.data, &source, &target(server), &to, progress).await;
        moved.map_err(MoveError)
    }

    /// Gives up a move that did not end. The server is asked where one is named.
    ///
    /// # Errors
    /// [`MoveError`]
    pub async fn abandon_move(
        &self,
        server: Option<&DatabaseConfig>,
    ) -> Result<Abandoned, MoveError> {
        let to = self.server_options();
        let target = server.map(target);
        let target = target.as_ref().map(|target| (target, &to));
        let abandoned = abandon(self.data, &self.options(), target).await;
        abandoned.map_err(MoveError)
    }

    /// As the configuration says it for a database server.
    fn server_options(&self) -> postgres::Options {
        postgres::Options {
            signing_algorithm: self.config.token.signing_algorithm,
            retention: self.config.decisions,
            changes: self.config.changes,
            leeway: self.config.assertion.leeway,
            ..postgres::Options::new(self.master_key_file())
        }
    }

    fn options(&self) -> sqlite::Options {
        sqlite::Options {
            master_key: self.master_key.map(PathBuf::from),
            signing_algorithm: self.config.token.signing_algorithm,
            retention: self.config.decisions,
            changes: self.config.changes,
            leeway: self.config.assertion.leeway,
            ..sqlite::Options::default()
        }
    }
}

fn target(server: &DatabaseConfig) -> Target {
    let durability = match server.durability {
        Durability::Local => postgres::Durability::Local,
        Durability::Replicated => postgres::Durability::Replicated,
    };
    Target {
        password_file: server.password_file.clone(),
        ca_file: server.ca_file.clone(),
        connections: server.connections,
        schema: server.schema.clone(),
        ..Target::new(server.url.clone(), durability)
    }
}

/// What a start would check of a database server.
#[derive(Clone, Debug, Serialize)]
pub struct Survey {
    pub checks: Vec<Check>,
    /// The version of the tables; `None` where there are none.
    pub schema: Option<i64>,
    /// What is promised there (S088).
    pub contract: &'static str,
}

/// One of the checks.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub found: String,
    pub wanted: &'static str,
    /// The statement that sets it, or what else helps.
    pub remedy: String,
    pub verdict: Verdict,
}

/// What follows from a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Kept,
    Warned,
    /// No node starts with it.
    Refused,
}

/// A running server on the same database.
#[derive(Clone, Debug)]
pub struct Node {
    pub id: String,
    /// The version of its program.
    pub version: String,
    /// Its machine, and what it listens on.
    pub place: Option<String>,
    /// How long ago it was last heard of.
    pub seen_ago: Duration,
    /// How far its clock is ahead of the database's, in milliseconds.
    pub clock_ahead: i64,
    /// Whether it has confirmed every change that is older than a second.
    pub is_current: bool,
}

/// How many servers may run on a database at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nodes {
    One,
    Many,
}

/// How long assertions are remembered.
fn windows(config: &Config) -> Windows {
    Windows {
        issuer: config.issuer.to_string(),
        leeway: config.assertion.leeway,
        max_lifetime: config.assertion.maximum_lifetime,
    }
}

/// Where this process serves, for people who list the nodes.
fn place(config: &Config) -> String {
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_string_lossy().into_owned();
    format!("{machine}, {}", config.listen)
}

impl Backend {
    fn of<S>(store: &Arc<S>, engine: Engine) -> Self
    where
        S: Registries
            + ClientSource
            + ClientEnds
            + SubjectSource
            + PermissionSource
            + SubjectPermissions
            + ReplayGuard
            + Artifacts
            + KeyStore
            + DecisionStore
            + StatisticsStore
            + Readiness
            + StoreFigures,
    {
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
            ports: Ports::of(store.clone()),
            engine,
        }
    }

    /// Keeps the record of a change of what is no registration.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn keep_record(&self, record: ChangeRecord) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Sqlite(store) => store.keep_record(record).await,
            Engine::Postgres(store) => store.keep_record(record).await,
        }
    }

    /// All registries, for an actor with these rights.
    pub fn gate(&self, rights: Rights) -> Gate {
        Gate::new(self.ports.clone(), rights)
    }

    /// Makes the `jti` of access tokens as every process with this store does.
    pub fn token_ids(&self) -> TokenIds {
        match &self.engine {
            Engine::Sqlite(store) => store.token_ids(),
            Engine::Postgres(store) => store.token_ids(),
        }
    }

    /// Seals codes and tickets as every process with this store does.
    pub fn seals(&self) -> Seals {
        match &self.engine {
            Engine::Sqlite(store) => store.seals(),
            Engine::Postgres(store) => store.seals(),
        }
    }

    /// The names of all clients and subjects.
    pub async fn names(&self) -> Result<Vec<String>, StoreError> {
        match &self.engine {
            Engine::Sqlite(store) => store.names().await,
            Engine::Postgres(store) => store.names().await,
        }
    }

    /// Tells the other servers on this database that this one stops.
    pub async fn leave(&self) {
        match &self.engine {
            Engine::Sqlite(_) => {}
            Engine::Postgres(store) => store.leave().await,
        }
    }

    /// Copies the database into a file.
    pub fn backup(&self, file: &Path) -> Result<(), BackupError> {
        match &self.engine {
            Engine::Sqlite(store) => Ok(store.backup(file)?),
            Engine::Postgres(_) => Err(BackupError::OfServer),
        }
    }

    /// How many servers may run on the database at once.
    pub fn nodes_at_most(&self) -> Nodes {
        match self.engine {
            Engine::Sqlite(_) => Nodes::One,
            Engine::Postgres(_) => Nodes::Many,
        }
    }

    /// The servers on this database; `None` where there is one, which nobody counts.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn nodes(&self) -> Result<Option<Vec<Node>>, StoreError> {
        let Engine::Postgres(store) = &self.engine else {
            return Ok(None);
        };
        let nodes = store.nodes().await?.into_iter().map(|node| Node {
            id: node.id,
            version: node.version,
            place: node.place,
            seen_ago: node.seen_ago,
            clock_ahead: node.clock_ahead,
            is_current: node.is_current,
        });
        Ok(Some(nodes.collect()))
    }

    /// Refuses every assertion that may have been used before now, as after a loss of claims.
    /// Answers where the fence is; `None` where `grantor restore` alone raises it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn raise_fence(&self) -> Result<Option<UnixTime>, StoreError> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(None),
            Engine::Postgres(store) => store.raise_fence().await.map(Some),
        }
    }

    /// Has all nodes remember assertions as this configuration says; `false` where there is one node,
    /// which its configuration tells.
    ///
    /// # Errors
    /// [`OpenError`]; then nothing was changed.
    pub async fn change_windows(&self, config: &Config) -> Result<bool, OpenError> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(false),
            Engine::Postgres(store) => {
                let changed = store.change_windows(&windows(config)).await;
                changed.map(|()| true).map_err(OpenError::Postgres)
            }
        }
    }
}
