//! What may be chosen of a PostgreSQL store: where the server is, and what is kept there.

use std::{path::PathBuf, sync::Arc, time::Duration};

use grantor::{
    clock::{Clock, SystemClock},
    jose::Algorithm,
};

use crate::{ChangeRetention, Create, Retention, Upkeep};

/// Where the server is, and what it promises.
#[derive(Clone, Debug)]
pub struct Target {
    /// `postgres://user@host:port,host2:port2/database`, or `host=/run/postgresql dbname=grantor`.
    /// Of several hosts the one that takes writes is found. No password is in it.
    pub url: String,
    /// The file of the password, read at each connect.
    pub password_file: Option<PathBuf>,
    /// The root certificates that the server's certificate is verified with, in PEM; else those of
    /// the system.
    pub ca_file: Option<PathBuf>,
    /// What a commit means.
    pub durability: Durability,
    /// Most connections of this process, at least 4: 6.
    pub connections: u8,
    /// The schema that all tables are in: `grantor`.
    pub schema: String,
}

impl Target {
    /// The server at this URL, without a password, with system roots, six connections and the schema
    /// `grantor`.
    pub fn new(url: impl Into<String>, durability: Durability) -> Self {
        Self {
            url: url.into(),
            password_file: None,
            ca_file: None,
            durability,
            connections: 6,
            schema: "grantor".to_owned(),
        }
    }
}

/// When a commit is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It is on the disk of one server: what is lost with that disk, or in a failover, is closed by
    /// the fence.
    Local,
    /// It is on the disks of two.
    Replicated,
}

/// How long an assertion is remembered, which is the same on all nodes: one that accepts for longer
/// than others remember lets a replay in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// The issuer identifier of this server.
    pub issuer: String,
    /// How far a sender's clock may be off.
    pub leeway: Duration,
    /// The longest life of an assertion.
    pub max_lifetime: Duration,
}

/// What may be chosen when a database is opened.
#[derive(Clone)]
pub struct Options {
    /// Whether the tables are made where there are none.
    pub create: Create,
    /// The file of the master key, which all nodes are given.
    pub master_key: PathBuf,
    /// Whether a new master key is made for an empty database: where none was given.
    pub makes_master_key: bool,
    /// The algorithm of the first signing key, made with the tables.
    pub signing_algorithm: Algorithm,
    /// How many decisions are kept, and for how long.
    pub retention: Retention,
    /// How many records of changes are kept, and for how long.
    pub changes: ChangeRetention,
    /// Whether this process is a node: it removes what has ended, tells others how far it has read,
    /// and answers only while it is current.
    pub upkeep: Upkeep,
    /// Where a node runs, for people who list the nodes: such as the name of its machine and what it
    /// listens on. Nothing is done with it.
    pub place: String,
    /// How often a running node checks that the server keeps what is promised: each minute.
    pub checks_every: Duration,
    /// What has to be the same on all nodes, where this process accepts assertions.
    pub windows: Option<Windows>,
    /// How far ahead of this clock a sender's may be: 30 s.
    pub leeway: Duration,
    /// Who tells the time.
    pub clock: Arc<dyn Clock>,
}

impl Options {
    /// With the master key in this file, made with the tables where both are missing; ES256, the
    /// default retention, the operating system's clock.
    pub fn new(master_key: impl Into<PathBuf>) -> Self {
        Self {
            create: Create::default(),
            master_key: master_key.into(),
            makes_master_key: true,
            signing_algorithm: Algorithm::Es256,
            retention: Retention::default(),
            changes: ChangeRetention::default(),
            upkeep: Upkeep::default(),
            place: String::new(),
            checks_every: Duration::from_secs(60),
            windows: None,
            leeway: Duration::from_secs(30),
            clock: Arc::new(SystemClock),
        }
    }
}
