//! What operators do with clients.

mod change;
mod document;
mod nearest;
mod prepare;
mod requests;
mod warning;

pub(super) use self::{change::with_document, prepare::new_secret};
use self::{
    change::{with_patch, with_standing, without_key, without_secret},
    prepare::Work,
};
pub use self::{
    document::{ClientDocument, KeyEntry, PublicJwks, SecretEntry},
    prepare::{NewClient, NewKeys, NewSecret, Prepared},
    requests::{NewKeysDocument, NewSecretDocument, PublicJwk},
    warning::Warning,
};
use super::{Error, Named, Patch, ServerTerms, Standing};
use crate::{
    clock::UnixTime,
    registry::{Actor, Client, ClientFilter},
    storage::{Cursor, Page, Registry},
    types::ClientId,
};

/// The clients of a registry.
#[derive(Clone, Copy)]
pub struct Clients<'a> {
    registry: &'a dyn Registry<Client>,
    terms: &'a ServerTerms,
    now: UnixTime,
}

impl<'a> Clients<'a> {
    /// Those of this registry, for a server of these terms, at this time.
    pub fn new(registry: &'a dyn Registry<Client>, terms: &'a ServerTerms, now: UnixTime) -> Self {
        Self {
            registry,
            terms,
            now,
        }
    }

    /// At most `limit` clients in the order of their names. A page may be shorter although there is
    /// a next one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a cursor that is none, [`Error::Store`]
    pub async fn page(
        &self,
        filter: &ClientFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<ClientDocument>, Error> {
        let page = self.registry.page(filter, after, limit).await?;
        Ok(page.map(|client| self.document(&client)))
    }

    /// One client.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`]
    pub async fn get(&self, id: &ClientId) -> Result<ClientDocument, Error> {
        Ok(self.document(&*self.find(id).await?))
    }

    /// Succeeds if no client has this name now: before a key is handed over that could not be
    /// registered.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Store`]
    pub async fn check_free(&self, id: &ClientId) -> Result<(), Error> {
        match self.registry.get(id).await? {
            Some(_) => Err(Error::Exists(Named::Client(id.clone()))),
            None => Ok(()),
        }
    }

    /// Prepares to add keys to a client. Those that it has work on, or that much longer.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`], [`Error::Exists`] for a key, [`Error::Store`]
    pub async fn prepare_keys(&self, id: &ClientId, keys: NewKeys) -> Result<Prepared, Error> {
        keys.prepare(&*self.find(id).await?, self.terms, self.now)
    }

    /// Prepares to replace a client's secret by a new one.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Conflict`] where it has none or too many, [`Error::Store`]
    pub async fn prepare_secret(
        &self,
        id: &ClientId,
        secret: NewSecret,
    ) -> Result<Prepared, Error> {
        secret.prepare(&*self.find(id).await?, self.terms, self.now)
    }

    /// Makes what was prepared.
    ///
    /// # Errors
    /// [`Error::Exists`] also for a subject of this name; as the preparation, where the client has
    /// changed since; [`Error::Store`]
    pub async fn make(&self, prepared: Prepared, by: &Actor) -> Result<ClientDocument, Error> {
        match prepared.work {
            Work::Create(client) => {
                let id = client.id().clone();
                let created = self.registry.create(*client, by).await.map_err(Error::from);
                let created = created.map_err(|error| error.about(Named::Client(id)))?;
                Ok(self.document(&created))
            }
            Work::Change(id, change) => self.change(&id, by, change).await,
        }
    }

    /// Replaces the members that the patch names; one that is null there has its default.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`], [`Error::Conflict`], [`Error::Store`]
    pub async fn update(
        &self,
        id: &ClientId,
        patch: &Patch,
        by: &Actor,
    ) -> Result<ClientDocument, Error> {
        let patched = |client: &Client| with_patch(client, patch, self.terms, self.now);
        self.change(id, by, patched).await
    }

    /// Enables or disables a client.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Conflict`], [`Error::Store`]
    pub async fn set_standing(
        &self,
        id: &ClientId,
        standing: Standing,
        by: &Actor,
    ) -> Result<ClientDocument, Error> {
        let change = |client: &Client| with_standing(client, standing);
        self.change(id, by, change).await
    }

    /// Removes a public key by its name: its `kid` or, where it has none, its thumbprint.
    ///
    /// # Errors
    /// [`Error::NotFound`] also for the key, [`Error::Conflict`] also for the last key of a client
    /// that needs one, [`Error::Store`]
    pub async fn remove_key(
        &self,
        id: &ClientId,
        name: &str,
        by: &Actor,
    ) -> Result<ClientDocument, Error> {
        let change = |client: &Client| without_key(client, name);
        self.change(id, by, change).await
    }

    /// Removes a secret by its name in [`ClientDocument::secrets`].
    ///
    /// # Errors
    /// [`Error::NotFound`] also for the secret, [`Error::Conflict`] also for the last one of a client
    /// that needs one, [`Error::Store`]
    pub async fn remove_secret(
        &self,
        id: &ClientId,
        name: &str,
        by: &Actor,
    ) -> Result<ClientDocument, Error> {
        let change = |client: &Client| without_secret(client, name);
        self.change(id, by, change).await
    }

    /// Removes a client with its keys, secrets and permissions.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`]
    pub async fn delete(&self, id: &ClientId, by: &Actor) -> Result<(), Error> {
        let deleted = self.registry.delete(id, by).await;
        deleted.map_err(|error| Error::from(error).about(Named::Client(id.clone())))
    }

    /// The registered client whose name is most like this one, if one is much like it and is found
    /// among those whose names begin alike.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub async fn nearest(&self, name: &str) -> Result<Option<ClientId>, Error> {
        nearest::nearest(self.registry, name).await
    }

    fn document(&self, client: &Client) -> ClientDocument {
        ClientDocument::of(client, self.now)
    }

    async fn find(&self, id: &ClientId) -> Result<std::sync::Arc<Client>, Error> {
        let found = self.registry.get(id).await?;
        found.ok_or_else(|| Error::NotFound(Named::Client(id.clone())))
    }

    async fn change(
        &self,
        id: &ClientId,
        by: &Actor,
        change: impl FnMut(&Client) -> Result<Client, Error> + Send,
    ) -> Result<ClientDocument, Error> {
        let changed = self.registry.change(id, by, change).await;
        let changed = changed.map_err(|error| error.about(Named::Client(id.clone())))?;
        Ok(self.document(&changed))
    }
}

#[cfg(test)]
mod tests;
