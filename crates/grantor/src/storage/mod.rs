//! What a backend implements: one narrow trait per resource. The `...Source` half is what a request
//! needs and all that an embedder must provide; the `...Registry` half is what an operator's
//! commands need.
//!
//! [`MemoryStore`] implements everything here, `grantor-stores` does so on SQLite, and
//! `store_suite!` holds every backend to the same laws.

mod artifact;
mod client;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod memory;
mod permission;
mod replay;
mod subject;

pub use artifact::{
    Artifact, ArtifactKey, ArtifactKind, Artifacts, DEFAULT_TOKEN_QUOTA, Ending, FamilyId, Put,
};
pub use client::{ClientRegistry, ClientSource, client_change};
pub use error::StoreError;
pub use memory::MemoryStore;
pub use permission::{PermissionRegistry, PermissionSource};
pub use replay::{
    Claim, DEFAULT_REPLAY_QUOTA, IssuerTag, ReplayGuard, ReplayKey, ReplayKind, Used,
};
pub use subject::{SubjectRegistry, SubjectSource, subject_change};

/// Most tries of a change that others keep overtaking.
const TRIES: u32 = 64;

/// Everything an authorization server needs of one backend.
pub trait Store: ClientSource + SubjectSource + PermissionSource + ReplayGuard + Artifacts {}

impl<T: ClientSource + SubjectSource + PermissionSource + ReplayGuard + Artifacts> Store for T {}
