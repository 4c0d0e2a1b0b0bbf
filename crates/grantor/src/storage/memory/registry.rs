//! Clients, subjects and permissions in memory.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;

use super::{MemoryStore, lock};
use crate::{
    registry::{Client, Permission, Revision, Subject},
    storage::{
        ClientRegistry, ClientSource, PermissionRegistry, PermissionSource, StoreError,
        SubjectRegistry, SubjectSource,
    },
    types::{ClientId, SubjectId},
};

/// The registrations.
#[derive(Debug, Default)]
pub(super) struct Registered {
    /// The last number given to a registration.
    last_number: u64,
    clients: BTreeMap<ClientId, Arc<Client>>,
    subjects: BTreeMap<SubjectId, Subject>,
    permissions: BTreeMap<(ClientId, SubjectId), Permission>,
}

impl Registered {
    /// The first revision of a new registration.
    fn register(&mut self) -> Revision {
        self.last_number += 1;
        Revision::first(self.last_number)
    }

    fn name_is_taken(&self, name: &str) -> bool {
        self.clients.keys().any(|client| client.as_str() == name)
            || self.subjects.keys().any(|subject| subject.as_str() == name)
    }
}

#[async_trait]
impl ClientSource for MemoryStore {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        Ok(lock(&self.registered).clients.get(id).cloned())
    }
}

#[async_trait]
impl ClientRegistry for MemoryStore {
    async fn client_create(&self, client: Client) -> Result<(), StoreError> {
        let mut state = lock(&self.registered);
        if state.name_is_taken(client.id().as_str()) {
            return Err(StoreError::Exists("client or subject"));
        }
        let revision = state.register();
        state.clients.insert(
            client.id().clone(),
            Arc::new(client.with_revision(revision)),
        );
        Ok(())
    }

    async fn client_update(&self, client: Client) -> Result<(), StoreError> {
        let mut state = lock(&self.registered);
        let known = state
            .clients
            .get_mut(client.id())
            .ok_or(StoreError::Missing("client"))?;
        let revision = client.revision();
        if known.revision() != revision {
            return Err(StoreError::Conflict("client"));
        }
        *known = Arc::new(client.with_revision(revision.next()));
        Ok(())
    }

    async fn client_delete(&self, id: &ClientId) -> Result<(), StoreError> {
        let mut state = lock(&self.registered);
        state
            .clients
            .remove(id)
            .ok_or(StoreError::Missing("client"))?;
        state.permissions.retain(|(client, _), _| client != id);
        Ok(())
    }

    async fn client_list(&self) -> Result<Vec<Arc<Client>>, StoreError> {
        Ok(lock(&self.registered).clients.values().cloned().collect())
    }
}

#[async_trait]
impl SubjectSource for MemoryStore {
    async fn subject(&self, id: &SubjectId) -> Result<Option<Subject>, StoreError> {
        Ok(lock(&self.registered).subjects.get(id).cloned())
    }
}

#[async_trait]
impl SubjectRegistry for MemoryStore {
    async fn subject_create(&self, subject: Subject) -> Result<(), StoreError> {
        let mut state = lock(&self.registered);
        if state.name_is_taken(subject.id.as_str()) {
            return Err(StoreError::Exists("client or subject"));
        }
        let revision = state.register();
        state.subjects.insert(
            subject.id.clone(),
            Subject {
                revision,
                ..subject
            },
        );
        Ok(())
    }

    async fn subject_update(&self, subject: Subject) -> Result<(), StoreError> {
        let mut state = lock(&self.registered);
        let known = state
            .subjects
            .get_mut(&subject.id)
            .ok_or(StoreError::Missing("subject"))?;
        if known.revision != subject.revision {
            return Err(StoreError::Conflict("subject"));
        }
        *known = Subject {
            revision: subject.revision.next(),
            ..subject
        };
        Ok(())
    }

    async fn subject_delete(&self, id: &SubjectId) -> Result<(), StoreError> {
        let mut state = lock(&self.registered);
        state
            .subjects
            .remove(id)
            .ok_or(StoreError::Missing("subject"))?;
        state.permissions.retain(|(_, subject), _| subject != id);
        Ok(())
    }

    async fn subject_list(&self) -> Result<Vec<Subject>, StoreError> {
        Ok(lock(&self.registered).subjects.values().cloned().collect())
    }
}

#[async_trait]
impl PermissionSource for MemoryStore {
    async fn permission(
        &self,
        client: &ClientId,
        subject: &SubjectId,
    ) -> Result<Option<Permission>, StoreError> {
        Ok(lock(&self.registered)
            .permissions
            .get(&(client.clone(), subject.clone()))
            .cloned())
    }
}

#[async_trait]
impl PermissionRegistry for MemoryStore {
    async fn permission_create(&self, permission: Permission) -> Result<(), StoreError> {
        let mut state = lock(&self.registered);
        if !state.clients.contains_key(&permission.client) {
            return Err(StoreError::Missing("client"));
        }
        if !state.subjects.contains_key(&permission.subject) {
            return Err(StoreError::Missing("subject"));
        }
        let key = (permission.client.clone(), permission.subject.clone());
        if state.permissions.contains_key(&key) {
            return Err(StoreError::Exists("permission"));
        }
        let revision = state.register();
        state.permissions.insert(
            key,
            Permission {
                revision,
                ..permission
            },
        );
        Ok(())
    }

    async fn permission_delete(
        &self,
        client: &ClientId,
        subject: &SubjectId,
    ) -> Result<(), StoreError> {
        let removed = lock(&self.registered)
            .permissions
            .remove(&(client.clone(), subject.clone()));
        removed.map(drop).ok_or(StoreError::Missing("permission"))
    }

    async fn permission_list(&self) -> Result<Vec<Permission>, StoreError> {
        Ok(lock(&self.registered)
            .permissions
            .values()
            .cloned()
            .collect())
    }
}
