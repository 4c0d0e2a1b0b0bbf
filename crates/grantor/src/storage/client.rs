//! Where clients are found.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::StoreError;
use crate::{clock::UnixTime, registry::Client, types::ClientId};

/// Finds clients. On the request path, so an implementation keeps parsed clients at hand.
#[async_trait]
pub trait ClientSource: Send + Sync + 'static {
    /// The client of this name, if and only if it is registered; disabled clients are answered too.
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError>;
}

/// Tells whose keys and secrets end.
#[async_trait]
pub trait ClientEnds: Send + Sync + 'static {
    /// The enabled clients of which a key or a secret ends within this time from `now` on, the first
    /// first; then those of which the last key or the last secret has ended within as long before, the
    /// last first. At most `limit` of each.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn clients_ending(
        &self,
        now: UnixTime,
        within: Duration,
        limit: usize,
    ) -> Result<Vec<ClientId>, StoreError>;
}
