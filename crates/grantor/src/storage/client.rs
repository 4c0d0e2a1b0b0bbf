//! Where clients are found and changed.

use std::sync::Arc;

use async_trait::async_trait;

use super::{StoreError, TRIES};
use crate::{registry::Client, types::ClientId};

/// Finds clients. On the request path, so an implementation keeps parsed clients at hand.
#[async_trait]
pub trait ClientSource: Send + Sync + 'static {
    /// The client of this name, if and only if it is registered; disabled clients are answered too.
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError>;
}

/// Changes clients.
#[async_trait]
pub trait ClientRegistry: ClientSource {
    /// Registers a client, if and only if neither a client nor a subject has this name (RFC 9700
    /// §4.15).
    async fn client_create(&self, client: Client) -> Result<(), StoreError>;
    /// Replaces the registration of the client with the same name, if and only if its revision is
    /// still the one that `client` was read at; else [`StoreError::Conflict`].
    /// [`client_change`] reads, changes and replaces.
    async fn client_update(&self, client: Client) -> Result<(), StoreError>;
    /// Removes a client with its keys, secrets and permissions, if and only if there is one.
    async fn client_delete(&self, id: &ClientId) -> Result<(), StoreError>;
    /// All clients in order of their names.
    async fn client_list(&self) -> Result<Vec<Arc<Client>>, StoreError>;
}

/// Changes a client: `change` is called with the registration as it is, again if somebody else
/// changes it at the same time, so that no change is lost. Answers the registration as it was made.
///
/// # Errors
/// What `change` says; [`StoreError::Missing`] without such a client; [`StoreError::Conflict`] if
/// others change it all the time.
pub async fn client_change<E: From<StoreError>>(
    registry: &(impl ClientRegistry + ?Sized),
    id: &ClientId,
    mut change: impl FnMut(&Client) -> Result<Client, E>,
) -> Result<Client, E> {
    for _ in 0..TRIES {
        let client = registry
            .client(id)
            .await?
            .ok_or(StoreError::Missing("client"))?;
        let changed = change(&client)?;
        match registry.client_update(changed.clone()).await {
            Err(StoreError::Conflict(_)) => {}
            replaced => return replaced.map(|()| changed).map_err(E::from),
        }
    }
    Err(StoreError::Conflict("client").into())
}
