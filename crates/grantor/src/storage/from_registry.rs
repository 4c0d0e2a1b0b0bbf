//! A registry as the hooks of the request path.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use super::{ClientSource, PermissionSource, Registry, RoleSource, StoreError, SubjectSource};
use crate::{
    registry::{Client, Operator, Permission, PermissionId, Permissions, Role, Subject},
    types::{ClientId, SubjectId},
};

/// A registry as each hook that it satisfies: for a backend that keeps clients, subjects, permissions
/// or operators and has no faster way to find one, such as a cache.
pub struct FromRegistry<T: ?Sized>(Arc<T>);

impl<T: ?Sized> FromRegistry<T> {
    /// Asks this registry.
    pub fn new(registry: Arc<T>) -> Self {
        Self(registry)
    }
}

impl<T: ?Sized> fmt::Debug for FromRegistry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromRegistry(..)")
    }
}

#[async_trait]
impl<T: Registry<Client> + ?Sized> ClientSource for FromRegistry<T> {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        self.0.get(id).await
    }
}

#[async_trait]
impl<T: Registry<Subject> + ?Sized> SubjectSource for FromRegistry<T> {
    async fn subject(&self, id: &SubjectId) -> Result<Option<Subject>, StoreError> {
        Ok(self.0.get(id).await?.map(Arc::unwrap_or_clone))
    }
}

#[async_trait]
impl<T: Registry<Permission> + ?Sized> PermissionSource for FromRegistry<T> {
    async fn permissions_of(
        &self,
        client: &ClientId,
        subject: &SubjectId,
    ) -> Result<Permissions, StoreError> {
        let mut records = Vec::new();
        for id in [PermissionId::by_operator, PermissionId::by_person] {
            records.extend(self.0.get(&id(client.clone(), subject.clone())).await?);
        }
        Ok(Permissions::of(records))
    }
}

#[async_trait]
impl<T: Registry<Operator> + ?Sized> RoleSource for FromRegistry<T> {
    async fn role(&self, subject: &SubjectId) -> Result<Option<Role>, StoreError> {
        Ok(self.0.get(subject).await?.map(|operator| operator.role))
    }
}
