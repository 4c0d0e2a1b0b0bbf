//! Whether a backend could serve the next request, and what only it can count.

use async_trait::async_trait;

use super::StoreError;

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
