//! What a backend implements: a port for each kind of state. [`Registry`] keeps what is
//! registered, with the record of its changes; [`ReplayGuard`] what was used; [`Artifacts`] what
//! expires. The `...Source` traits are the hooks of the request path, narrow enough for an embedder
//! that keeps its clients or subjects elsewhere.
//!
//! [`MemoryStore`] implements everything here, `grantor-stores` does so on SQLite, and
//! `store_suite!` holds every backend to the same laws.

mod artifact;
mod client;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod from_registry;
mod health;
mod issuer;
mod keys;
mod log;
mod memory;
mod page;
mod permission;
mod registry;
mod replay;
mod role;
mod statistics;
mod subject;
mod trust_outcome;

pub use artifact::{
    Artifact, ArtifactKey, ArtifactKind, Artifacts, DEFAULT_TOKEN_QUOTA, Ending, FamilyId, GroupId,
    Put, Spared,
};
pub use client::{ClientEnds, ClientSource};
pub use error::StoreError;
pub use from_registry::FromRegistry;
pub use health::{Disk, EngineFigures, Figures, Readiness, StoreFigures};
pub use issuer::IssuerSource;
pub use keys::{KeyStore, SigningKeyInfo};
pub use log::{
    ChangeFilter, DecisionFilter, DecisionIndex, DecisionStore, Entry, GROUPED, LOOKED_THROUGH,
    Log, LogPage, Logged, RefusalGroup, RefusalGroups, Start,
};
pub use memory::MemoryStore;
pub use page::{Cursor, List, Page};
pub use permission::{PermissionSource, SubjectPermissions};
pub use registry::{AnyChange, Applied, Batch, Change, Registries, Registry};
pub use replay::{
    Claim, DEFAULT_REPLAY_QUOTA, IssuerTag, ReplayGuard, ReplayKey, ReplayKind, Used,
};
pub use role::RoleSource;
pub use statistics::{
    Count, CountBy, CountQuery, CountStep, Counted, DecisionKind, HOURS_KEPT, MINUTES_KEPT,
    StatisticsStore,
};
pub use subject::SubjectSource;
pub use trust_outcome::{TrustOutcome, TrustOutcomes};

/// Everything an authorization server needs of one backend.
pub trait Store: ClientSource + SubjectSource + PermissionSource + ReplayGuard + Artifacts {}

impl<T: ClientSource + SubjectSource + PermissionSource + ReplayGuard + Artifacts> Store for T {}
