//! What operators do with operators: subjects with a role, and the clients that hold power too.

use serde::{Deserialize, Serialize};

use super::{Error, Named};
use crate::{
    registry::{
        Actor, Client, ClientFilter, Operator, OperatorFilter, Passkey, PasskeyFilter, Password,
        Resource as _, Revision, Role, Subject,
    },
    storage::{Cursor, Page, Registries, Registry, StoreError},
    types::{ClientId, SubjectId},
};

/// A subject with a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OperatorDocument {
    /// The subject.
    pub subject: SubjectId,
    /// What they may do.
    pub role: Role,
    /// Whether they can sign in now: they are enabled, and have a way to.
    pub can_sign_in: bool,
    /// The state that it shows. Not a member: HTTP has it as `ETag`.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub revision: Revision,
}

/// A client that holds power over this server by its scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PowerDocument {
    /// The client.
    pub client: ClientId,
    /// What it may do.
    pub role: Role,
    /// Whether it is accepted.
    pub enabled: bool,
}

/// The operators of a registry.
#[derive(Clone, Copy)]
pub struct Operators<'a> {
    operators: &'a dyn Registry<Operator>,
    subjects: &'a dyn Registry<Subject>,
    passwords: &'a dyn Registry<Password>,
    passkeys: &'a dyn Registry<Passkey>,
    clients: &'a dyn Registry<Client>,
}

impl<'a> Operators<'a> {
    /// Those of a backend, or of what stands before it.
    pub fn of(store: &'a impl Registries) -> Self {
        Self {
            operators: store,
            subjects: store,
            passwords: store,
            passkeys: store,
            clients: store,
        }
    }

    /// At most `limit` operators in the order of their names.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a cursor that is none, [`Error::Store`]
    pub async fn page(
        &self,
        filter: &OperatorFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<OperatorDocument>, Error> {
        let Page { items, next } = self.operators.page(filter, after, limit).await?;
        let mut documents = Vec::with_capacity(items.len());
        for operator in items {
            documents.push(self.document(&operator).await?);
        }
        Ok(Page::new(documents, next))
    }

    /// The clients that hold power, enabled or not: all of them, for they are few.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub async fn clients(&self) -> Result<Vec<PowerDocument>, Error> {
        let powerful = ClientFilter {
            power: Some(true),
            ..ClientFilter::default()
        };
        let clients = self.clients.all_of(&powerful).await?;
        let document = |client: &Client| {
            Some(PowerDocument {
                client: client.id().clone(),
                role: Role::of_scope(&client.metadata().scope)?,
                enabled: client.metadata().enabled,
            })
        };
        Ok(clients.iter().filter_map(|one| document(one)).collect())
    }

    /// The role of one subject.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`]
    pub async fn get(&self, subject: &SubjectId) -> Result<OperatorDocument, Error> {
        let found = self.operators.get(subject).await?;
        let found = found.ok_or_else(|| Error::NotFound(Named::Operator(subject.clone())))?;
        self.document(&found).await
    }

    /// Gives a subject a role, in the place of the one that it has.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the subject, [`Error::Denied`], [`Error::Conflict`],
    /// [`Error::Store`]
    pub async fn set(
        &self,
        subject: &SubjectId,
        role: Role,
        by: &Actor,
    ) -> Result<OperatorDocument, Error> {
        let with_role = |operator: &Operator| Ok::<_, StoreError>(operator.with_role(role));
        let set = match self.operators.change(subject, by, with_role).await {
            Err(StoreError::Missing(Operator::NAME)) => {
                let new = Operator::new(subject.clone(), role);
                self.operators.create(new, by).await
            }
            changed => changed,
        };
        let set = set.map_err(|error| match error {
            StoreError::Missing(_) => Error::NotFound(Named::Subject(subject.clone())),
            other => Error::from(other).about(Named::Operator(subject.clone())),
        })?;
        self.document(&set).await
    }

    /// Takes the role of a subject.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Denied`], [`Error::Store`]
    pub async fn delete(&self, subject: &SubjectId, by: &Actor) -> Result<(), Error> {
        let deleted = self.operators.delete(subject, by).await;
        deleted.map_err(|error| Error::from(error).about(Named::Operator(subject.clone())))
    }

    async fn document(&self, operator: &Operator) -> Result<OperatorDocument, Error> {
        let subject = self.subjects.get(&operator.subject).await?;
        let can_sign_in = subject.is_some_and(|subject| subject.enabled)
            && self.has_way_in(&operator.subject).await?;
        Ok(OperatorDocument {
            subject: operator.subject.clone(),
            role: operator.role,
            can_sign_in,
            revision: operator.revision,
        })
    }

    async fn has_way_in(&self, subject: &SubjectId) -> Result<bool, Error> {
        let passkeys = PasskeyFilter::of(subject);
        Ok(self.passwords.get(subject).await?.is_some()
            || !self.passkeys.all_of(&passkeys).await?.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::UnixTime,
        registry::{ClientMetadata, PasswordDigest},
        storage::MemoryStore,
        types::{AuthMethod, Scope},
    };

    const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);
    const DIGEST: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA";

    fn by() -> Actor {
        Actor::program("test")
    }

    fn id(name: &str) -> SubjectId {
        SubjectId::parse(name).expect("a name")
    }

    async fn set_password(store: &MemoryStore, name: &str) {
        let digest = PasswordDigest::parse(DIGEST).expect("a digest");
        let password = Password::new(id(name), digest, NOW);
        let made = store.passwords().create(password, &by()).await;
        made.expect("registered");
    }

    /// With the subjects `alice`, who has a password, and `bob`.
    async fn store() -> MemoryStore {
        let store = MemoryStore::new();
        for name in ["alice", "bob"] {
            let subject = Subject::new(id(name));
            let made = store.subjects().create(subject, &by()).await;
            made.expect("registered");
        }
        set_password(&store, "alice").await;
        store
    }

    #[tokio::test]
    async fn m062_a_role_is_given_changed_listed_and_taken() {
        let store = store().await;
        let operators = Operators::of(&store);
        for name in ["alice", "bob"] {
            let reader = operators.set(&id(name), Role::Reader, &by()).await;
            // The password of before has ended.
            assert!(!reader.expect("given").can_sign_in, "{name}");
        }
        set_password(&store, "alice").await;
        let owner = operators.set(&id("alice"), Role::Owner, &by()).await;
        let owner = owner.expect("given");
        assert!(owner.can_sign_in && owner.role == Role::Owner);
        let editor = operators.set(&id("bob"), Role::Editor, &by()).await;
        let editor = editor.expect("changed");
        assert_eq!((editor.role, editor.revision.version), (Role::Editor, 2));
        assert_eq!(operators.get(&id("bob")).await.expect("there"), editor);

        let page = |role| OperatorFilter { role };
        let all = operators.page(&page(None), None, 50).await;
        assert_eq!(all.expect("a page").items, [owner.clone(), editor]);
        let owners = operators.page(&page(Some(Role::Owner)), None, 50).await;
        assert_eq!(owners.expect("a page").items, [owner]);

        operators.delete(&id("bob"), &by()).await.expect("taken");
        for gone in [
            operators.delete(&id("bob"), &by()).await.err(),
            operators.get(&id("bob")).await.err(),
        ] {
            assert_eq!(gone.expect("taken").to_string(), "bob has no role");
        }
        let nobody = operators.set(&id("nobody"), Role::Reader, &by()).await;
        let nobody = nobody.expect_err("there is no such subject");
        assert!(matches!(nobody, Error::NotFound(Named::Subject(_))));
    }

    #[tokio::test]
    async fn a_disabled_operator_cannot_sign_in() {
        let store = store().await;
        let operators = Operators::of(&store);
        let set = operators.set(&id("alice"), Role::Owner, &by()).await;
        set.expect("given");
        set_password(&store, "alice").await;
        let found = operators.get(&id("alice")).await.expect("there");
        assert!(found.can_sign_in);
        let disable = |subject: &Subject| Ok::<_, StoreError>(subject.clone().disabled());
        let disabled = store.subjects().change(&id("alice"), &by(), disable).await;
        disabled.expect("disabled");
        let found = operators.get(&id("alice")).await.expect("there");
        assert!(!found.can_sign_in);
    }

    #[tokio::test]
    async fn clients_with_power_are_listed_with_their_greatest_role() {
        let store = store().await;
        for (name, scope, enabled) in [
            ("a", "grantor:read grantor:write", true),
            ("b", "read", true),
            ("c", "grantor:admin", false),
        ] {
            let name = ClientId::parse(name).expect("a name");
            let mut metadata = ClientMetadata::new(name, AuthMethod::NONE, NOW);
            metadata.scope = Scope::parse(scope).expect("a scope");
            metadata.enabled = enabled;
            let client = Client::from_stored(metadata, Vec::new(), Vec::new());
            let made = store
                .clients()
                .create(client.expect("a client"), &by())
                .await;
            made.expect("registered");
        }
        let clients = Operators::of(&store).clients().await.expect("a list");
        let told = clients
            .iter()
            .map(|one| (one.client.as_str(), one.role, one.enabled));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [("a", Role::Editor, true), ("c", Role::Owner, false)]
        );
    }
}
