//! Whether a backend could serve the next request, and what only it can count.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::clock::UnixTime;

/// Tells whether the next request could be decided.
#[async_trait]
pub trait Readiness: Send + Sync + 'static {
    /// Reads what the first requests would otherwise wait for.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn prepare(&self) -> Result<(), StoreError>;

    /// Whether the backend can be read and written: for health checks. The answer is at most a
    /// second old, so that a stranger who asks often makes it work no more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it cannot, or if it takes longer than a few seconds.
    async fn check(&self) -> Result<(), StoreError>;

    /// Whether the backend can never be used again by this process, by a defect: the process has to
    /// be started anew.
    fn has_ended(&self) -> bool;

    /// Ready once [`Readiness::has_ended`].
    async fn ended(&self);
}

/// Tells what only the backend can count, at any time and without waiting.
pub trait StoreFigures: Send + Sync + 'static {
    /// The figures of now.
    fn figures(&self) -> Figures;
}

/// What a backend has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Claims of assertion identifiers that this process has in memory: those in force, and some
    /// that have just ended. `None` if it keeps none there.
    pub claims_held: Option<u64>,
    /// The disk that the backend writes to. `None` if it is not known, or there is none.
    pub disk: Option<Disk>,
    /// The server that the backend rests on. `None` if it is in this process.
    pub engine: Option<EngineFigures>,
}

/// What a node knows of the server that it shares with others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineFigures {
    /// How long ago it was last asked what others have changed. `None` if it never was.
    pub age_of_look: Option<Duration>,
    /// Whether this node answers: it knows what is in force, and the server keeps what is promised.
    pub is_current: bool,
    /// Connections that are open.
    pub connections: u64,
    /// Attempts to open one that have failed since the start.
    pub failed_connects: u64,
    /// Statements that it has refused, or not answered in time, since the start.
    pub failed_statements: u64,
    /// Claims that were sent to it since the start.
    pub claims: u64,
    /// In how many groups.
    pub claim_groups: u64,
    /// The time before which uses may have been lost. `None` if none was ever lost.
    pub fence: Option<UnixTime>,
}

/// A disk, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disk {
    /// What can still be written.
    pub free: u64,
    /// How large it is.
    pub size: u64,
}

impl Disk {
    /// Of this size, with so much room.
    pub fn new(size: u64, free: u64) -> Self {
        Self { free, size }
    }
}
