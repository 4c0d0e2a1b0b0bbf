//! What the cache stands on: a feed that says what has changed, and the reads that the cache could
//! not answer. A database implements both.

use std::{sync::Arc, time::Duration};

use grantor::{
    clock::UnixTime,
    registry::{Client, Issuers, Permissions, Subject, Trusts},
    storage::StoreError,
    types::{ClientId, SubjectId},
};

use crate::cached::{KnownNames, Moment};

/// Tells what has changed in the registry, whichever process changed it.
pub(crate) trait Feed: Send + Sync + 'static {
    /// How far the feed was read. What is committed later is behind it, in whatever order numbers
    /// were given to it.
    type Position: Clone + PartialEq + Send + Sync + 'static;

    /// How soon after one look for a request a request makes another.
    const LOOK_AGAIN: Duration;

    /// What has changed behind a position.
    fn look(
        &self,
        position: &Self::Position,
    ) -> impl Future<Output = Result<Look<Self::Position>, StoreError>> + Send;

    /// Whether what is in memory may be answered, as far as it is known without asking.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: others may have changed it for longer than a second.
    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What one look at the feed has seen.
pub(crate) struct Look<P> {
    pub(crate) news: News,
    /// Where the next look begins.
    pub(crate) position: P,
}

/// What to forget.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    Changes(Vec<Change>),
    /// Changes were missed.
    Everything,
}

/// A change of the registry: what was read of it before is not in force any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Client {
        id: ClientId,
        /// The number of the client's row now, if there is one.
        number: Option<i64>,
    },
    Subject(SubjectId),
    Permission(ClientId, SubjectId),
    /// An issuer, by its number.
    Issuer(u64),
    /// A trust of the issuer with this number.
    TrustsOf(u64),
    SigningKeys,
}

/// Reads what the cache does not have. That something is not there is an answer, not an error.
pub(crate) trait Load: Send + Sync + 'static {
    /// A client, whose row had this number when its name was last seen.
    fn client(
        &self,
        id: &ClientId,
        number: i64,
    ) -> impl Future<Output = Result<Option<Arc<Client>>, StoreError>> + Send;

    /// A subject.
    fn subject(
        &self,
        id: &SubjectId,
    ) -> impl Future<Output = Result<Option<Subject>, StoreError>> + Send;

    /// All permissions of a client for a subject; `None` if there is none.
    fn permissions(
        &self,
        key: &(ClientId, SubjectId),
    ) -> impl Future<Output = Result<Option<Permissions>, StoreError>> + Send;

    /// All issuers.
    fn issuers(&self) -> impl Future<Output = Result<Arc<Issuers>, StoreError>> + Send;

    /// All trusts of the issuer with this number; `None` without such an issuer.
    fn trusts(
        &self,
        issuer: u64,
    ) -> impl Future<Output = Result<Option<Arc<Trusts>>, StoreError>> + Send;

    /// Adds the names of all clients.
    fn names(&self, known: &Arc<KnownNames>)
    -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The signing keys of this moment.
    fn ring(&self, now: UnixTime) -> impl Future<Output = Result<Moment, StoreError>> + Send;
}
