//! What is registered: read by name and in pages, changed all or nothing, each change recorded with
//! its actor in the same transaction.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Cursor, IssuerSource, Log, Page, StoreError};
use crate::registry::{
    Actor, ChangeRecord, Client, Operator, Passkey, Password, Permission, Resource, Revision,
    ScopeText, Subject, Trust, TrustedIssuer,
};

/// One change of a registry. Complete: a backend knows all kinds, or does not compile.
#[derive(Clone, Debug)]
pub enum Change<R: Resource> {
    /// Registers a resource, if and only if its name is free: clients and subjects share their
    /// names (RFC 9700 §4.15), a permission needs both its sides; a password, a passkey and an operator
    /// need their subject. A passkey's id is nobody else's (WebAuthn §7.1). An
    /// `iss` is no client id (RFC 8725 §3.12), an issuer's name is unique beside it, and a trust
    /// needs its issuer and its client. With a new operator the password and all passkeys of its
    /// subject end: whoever set them up may have had less power.
    Create(R),
    /// Replaces the resource of this name, if and only if its revision is still the one that this
    /// one was read at, and it could be registered so.
    Replace(R),
    /// Removes the resource of this name with what hangs on it, if and only if there is one, and,
    /// where a revision is named, it is still that. Permissions and trusts hang on their client,
    /// permissions, a password, passkeys and an operator on their subject, trusts on their issuer.
    Delete(R::Id, Option<Revision>),
    /// Changes nothing and leaves no record: a condition of the other changes, which rest on what
    /// was read. It holds if and only if the resource is at this revision, or, without one, there
    /// is no resource of this name; else [`StoreError::Conflict`].
    Expect(R::Id, Option<Revision>),
}

impl<R: Resource> Change<R> {
    /// The name of what is changed.
    pub fn id(&self) -> R::Id {
        match self {
            Self::Create(resource) | Self::Replace(resource) => resource.id(),
            Self::Delete(id, _) | Self::Expect(id, _) => id.clone(),
        }
    }
}

/// What was changed, in the order in which it was asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Applied<R> {
    /// The resources as they are registered now; `None` for one that was removed, or that is not
    /// there as expected.
    pub resources: Vec<Option<Arc<R>>>,
}

impl<R> Applied<R> {
    /// What a backend has done.
    pub fn new(resources: Vec<Option<Arc<R>>>) -> Self {
        Self { resources }
    }

    /// The one resource of one change that removed nothing.
    fn only(mut self) -> Result<Arc<R>, StoreError> {
        let only = self.resources.pop().flatten();
        only.ok_or_else(|| StoreError::Failed("a change was made, and left nothing behind".into()))
    }
}

/// Keeps resources of one kind. Its methods are the least that a backend does; what is made of
/// them, such as [`create`](#method.create) and [`change`](#method.change), is there for
/// `dyn Registry`.
#[async_trait]
pub trait Registry<R: Resource>: Send + Sync + 'static {
    /// The resource of this name, if and only if it is registered, as it is now.
    async fn get(&self, id: &R::Id) -> Result<Option<Arc<R>>, StoreError>;

    /// The resources of these names, in the order of the names, each as [`Registry::get`] answers
    /// it. A backend that is asked over a network has them in one answer.
    async fn get_all(&self, ids: &[R::Id]) -> Result<Vec<Option<Arc<R>>>, StoreError> {
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            found.push(self.get(id).await?);
        }
        Ok(found)
    }

    /// At most `limit` of the resources that pass the filter, and at most one if `limit` is 0, in
    /// order of their names, octet by octet, from the cursor on. A page may be shorter, or empty,
    /// although there is a next one. All pages together hold each resource once that is registered
    /// and passes from the first page to the last.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] if it is none of this list: of another kind, or another filter.
    async fn page(
        &self,
        filter: &R::Filter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<Arc<R>>, StoreError>;

    /// Makes all changes or none, in one commit, and records each with its actor in the same
    /// commit. In force in this process when it is answered, everywhere within a second.
    ///
    /// # Errors
    /// [`StoreError::Exists`], [`StoreError::Missing`] or [`StoreError::Conflict`] where a change
    /// may not be made: then none is.
    async fn apply(&self, changes: Vec<Change<R>>, by: &Actor) -> Result<Applied<R>, StoreError>;
}

/// Declares [`AnyChange`]: its variants, and how each kind of change becomes one.
macro_rules! any_change {
    ($($(#[$doc:meta])* $kind:ident($resource:ty),)*) => {
        /// A change of any kind of resource. A backend knows all kinds, or does not compile.
        #[derive(Clone, Debug)]
        pub enum AnyChange {
            $($(#[$doc])* $kind(Change<$resource>),)*
            /// A condition, and no change: it leaves no record. The other changes rest on what a list
            /// had. It holds if and only if the newest record of a change of this kind
            /// ([`Resource::NAME`]) has this number ([`ChangeRecord::id`]), or, with 0, there is none;
            /// else [`StoreError::Conflict`].
            NoneSince {
                /// Of which kind of resource.
                kind: &'static str,
                /// The record that was the newest.
                newest: u64,
            },
        }

        $(impl From<Change<$resource>> for AnyChange {
            fn from(change: Change<$resource>) -> Self {
                Self::$kind(change)
            }
        })*
    };
}

any_change! {
    /// Of a client.
    Client(Client),
    /// Of a subject.
    Subject(Subject),
    /// Of an operator.
    Operator(Operator),
    /// Of a permission.
    Permission(Permission),
    /// Of a text of a scope.
    Scope(ScopeText),
    /// Of a password.
    Password(Password),
    /// Of a passkey.
    Passkey(Passkey),
    /// Of an issuer.
    Issuer(TrustedIssuer),
    /// Of a trust.
    Trust(Trust),
}

/// Changes resources of several kinds at once.
#[async_trait]
pub trait Batch: Send + Sync + 'static {
    /// As [`Registry::apply`], of any kinds: all changes or none, one after the other, so that a
    /// permission may follow the client and the subject that it needs. Answers the records as they
    /// are kept, of what went along too.
    ///
    /// # Errors
    /// As [`Registry::apply`].
    async fn apply_all(
        &self,
        changes: Vec<AnyChange>,
        by: &Actor,
    ) -> Result<Vec<ChangeRecord>, StoreError>;
}

/// A backend with all registries.
pub trait Registries:
    Registry<Client>
    + Registry<Subject>
    + Registry<Operator>
    + Registry<Permission>
    + Registry<ScopeText>
    + Registry<Password>
    + Registry<Passkey>
    + Registry<TrustedIssuer>
    + Registry<Trust>
    + IssuerSource
    + Batch
    + Log<ChangeRecord>
    + Sized
{
    /// The clients.
    fn clients(&self) -> &dyn Registry<Client> {
        self
    }

    /// The subjects.
    fn subjects(&self) -> &dyn Registry<Subject> {
        self
    }

    /// The roles of subjects.
    fn operators(&self) -> &dyn Registry<Operator> {
        self
    }

    /// The permissions.
    fn permissions(&self) -> &dyn Registry<Permission> {
        self
    }

    /// The catalogue of scopes.
    fn scopes(&self) -> &dyn Registry<ScopeText> {
        self
    }

    /// The passwords of subjects.
    fn passwords(&self) -> &dyn Registry<Password> {
        self
    }

    /// The passkeys of subjects.
    fn passkeys(&self) -> &dyn Registry<Passkey> {
        self
    }

    /// The issuers. Those of the request path are [`IssuerSource::issuers`].
    fn issuer_registry(&self) -> &dyn Registry<TrustedIssuer> {
        self
    }

    /// The trusts. Those of the request path are [`IssuerSource::trusts`].
    fn trust_registry(&self) -> &dyn Registry<Trust> {
        self
    }

    /// What was changed in all of them.
    fn changes(&self) -> &dyn Log<ChangeRecord> {
        self
    }
}

impl<T> Registries for T where
    T: Registry<Client>
        + Registry<Subject>
        + Registry<Operator>
        + Registry<Permission>
        + Registry<ScopeText>
        + Registry<Password>
        + Registry<Passkey>
        + Registry<TrustedIssuer>
        + Registry<Trust>
        + IssuerSource
        + Batch
        + Log<ChangeRecord>
{
}

/// Most tries of a change that others keep overtaking.
const TRIES: u32 = 64;
/// Resources in a page of [`all`](#method.all).
const PAGE: u32 = 1000;

impl<R: Resource> dyn Registry<R> + '_ {
    /// Registers a resource.
    ///
    /// # Errors
    /// As [`Change::Create`] says.
    pub async fn create(&self, resource: R, by: &Actor) -> Result<Arc<R>, StoreError> {
        self.apply(vec![Change::Create(resource)], by).await?.only()
    }

    /// Replaces a resource that was read.
    ///
    /// # Errors
    /// As [`Change::Replace`] says.
    pub async fn replace(&self, resource: R, by: &Actor) -> Result<Arc<R>, StoreError> {
        self.apply(vec![Change::Replace(resource)], by)
            .await?
            .only()
    }

    /// Removes a resource, whatever its revision.
    ///
    /// # Errors
    /// As [`Change::Delete`] says.
    pub async fn delete(&self, id: &R::Id, by: &Actor) -> Result<(), StoreError> {
        self.apply(vec![Change::Delete(id.clone(), None)], by)
            .await
            .map(drop)
    }

    /// Changes a resource: `change` is called with the state as it is, again if it is changed
    /// elsewhere at the same time, so that no change is lost. Answers the state as it was made.
    ///
    /// # Errors
    /// What `change` says; [`StoreError::Missing`] without such a resource;
    /// [`StoreError::Conflict`] if others change it all the time; at once
    /// [`StoreError::Denied`], which no other try would change.
    pub async fn change<E: From<StoreError>>(
        &self,
        id: &R::Id,
        by: &Actor,
        mut change: impl FnMut(&R) -> Result<R, E>,
    ) -> Result<Arc<R>, E> {
        for _ in 0..TRIES {
            let read = self.get(id).await?.ok_or(StoreError::Missing(R::NAME))?;
            match self.replace(change(&read)?, by).await {
                Err(StoreError::Conflict(_)) => {}
                replaced => return replaced.map_err(E::from),
            }
        }
        Err(StoreError::Conflict(R::NAME).into())
    }

    /// All resources in order of their names, read page by page.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn all(&self) -> Result<Vec<Arc<R>>, StoreError> {
        self.all_of(&R::Filter::default()).await
    }

    /// All resources that pass the filter, in order of their names, read page by page.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn all_of(&self, filter: &R::Filter) -> Result<Vec<Arc<R>>, StoreError> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let Page { items, next } = self.page(filter, after.as_ref(), PAGE).await?;
            all.extend(items);
            match next {
                Some(next) => after = Some(next),
                None => return Ok(all),
            }
        }
    }
}
