//! Where clients are found.

use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::{registry::Client, types::ClientId};

/// Finds clients. On the request path, so an implementation keeps parsed clients at hand.
#[async_trait]
pub trait ClientSource: Send + Sync + 'static {
    /// The client of this name, if and only if it is registered; disabled clients are answered too.
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError>;
}
