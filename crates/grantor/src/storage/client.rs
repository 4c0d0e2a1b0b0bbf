//! Where clients are found.

use std::sync::Arc;

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
    /// The clients of which the first key or secret to end does so from `now` on and before `until`,
    /// the first first; then those of which one has ended before `now`, the last first. At most
    /// `limit` of each. One client may be there twice, and disabled ones are among them.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn clients_ending(
        &self,
        now: UnixTime,
        until: UnixTime,
        limit: u32,
    ) -> Result<Vec<ClientId>, StoreError>;
}
