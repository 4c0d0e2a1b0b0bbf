//! What a client would get for a subject now, by each grant, and why not (C057).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Error, Named, PermissionDocument};
use crate::{
    clock::UnixTime,
    registry::{Client, ConsentPolicy, Permission, PermissionId, Permissions, Subject},
    storage::Registry,
    types::{ClientId, GrantType, Scope, SubjectId},
};

/// The grants by which a client acts for somebody.
const GRANTS: [GrantType; 3] = [
    GrantType::JWT_BEARER,
    GrantType::AUTHORIZATION_CODE,
    GrantType::REFRESH_TOKEN,
];

/// What a client may do for a subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct EffectiveDocument {
    /// The client.
    pub client: ClientId,
    /// The subject.
    pub subject: SubjectId,
    /// The records: the operator's, and the person's.
    pub records: Vec<PermissionDocument>,
    /// What each grant would give.
    pub grants: Vec<GrantDocument>,
}

/// What a token request by a grant would get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct GrantDocument {
    /// The grant.
    pub grant: GrantType,
    /// The widest scope; null if there would be no token.
    pub scope: Option<Scope>,
    /// Why there would be none.
    pub refused: Option<Cow<'static, str>>,
}

/// What is registered of clients, subjects and permissions.
#[derive(Clone, Copy)]
pub struct Effective<'a> {
    pub(super) clients: &'a dyn Registry<Client>,
    pub(super) subjects: &'a dyn Registry<Subject>,
    pub(super) permissions: &'a dyn Registry<Permission>,
    pub(super) now: UnixTime,
}

impl<'a> Effective<'a> {
    /// By these registries, at this time.
    pub fn new(
        clients: &'a dyn Registry<Client>,
        subjects: &'a dyn Registry<Subject>,
        permissions: &'a dyn Registry<Permission>,
        now: UnixTime,
    ) -> Self {
        Self {
            clients,
            subjects,
            permissions,
            now,
        }
    }

    /// What this client would get for this subject.
    ///
    /// # Errors
    /// [`Error::NotFound`] for either of them, [`Error::Store`]
    pub async fn get(
        &self,
        client_id: &ClientId,
        subject_id: &SubjectId,
    ) -> Result<EffectiveDocument, Error> {
        let client = self.clients.get(client_id).await?;
        let client = client.ok_or_else(|| Error::NotFound(Named::Client(client_id.clone())))?;
        let subject = self.subjects.get(subject_id).await?;
        let subject = subject.ok_or_else(|| Error::NotFound(Named::Subject(subject_id.clone())))?;
        let mut records = Vec::new();
        for id in [
            PermissionId::by_operator(client.id().clone(), subject.id.clone()),
            PermissionId::by_person(client.id().clone(), subject.id.clone()),
        ] {
            records.extend(self.permissions.get(&id).await?);
        }
        let documents = records.iter().map(|record| PermissionDocument::of(record));
        Ok(EffectiveDocument {
            client: client.id().clone(),
            subject: subject.id.clone(),
            records: documents.collect(),
            grants: {
                let permissions = Permissions::of(records.iter().cloned());
                let of_grant = |grant| self.of_grant(&client, &subject, &permissions, grant);
                GRANTS.map(of_grant).to_vec()
            },
        })
    }

    pub(super) fn of_grant(
        &self,
        client: &Client,
        subject: &Subject,
        permissions: &Permissions,
        grant: GrantType,
    ) -> GrantDocument {
        let metadata = client.metadata();
        let limit = permissions.covering(&grant, self.now);
        let is_implied =
            metadata.consent == ConsentPolicy::Implied && grant == GrantType::AUTHORIZATION_CODE;
        let refused = match limit {
            _ if !metadata.enabled => Some("the client is disabled"),
            _ if !subject.enabled => Some("the subject is disabled"),
            _ if !client.may_use(&grant) => Some("the client is not registered for it"),
            None if is_implied => None,
            None if metadata.consent == ConsentPolicy::Ask => {
                Some("the person has not allowed it, nor has an operator")
            }
            None => Some("no operator has permitted it"),
            Some(_) => None,
        };
        let scope = match (refused, limit) {
            (Some(_), _) => None,
            (None, Some(limit)) => Some(limit.within(&metadata.scope)),
            (None, None) => Some(metadata.scope.clone().without_reserved()),
        };
        GrantDocument {
            grant,
            scope,
            refused: refused.map(Cow::Borrowed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        registry::{Actor, ClientMetadata},
        storage::{MemoryStore, Registries as _},
        types::{AuthMethod, RedirectUri},
    };

    const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);

    #[tokio::test]
    async fn c057_what_a_client_would_get_is_told_by_each_grant_and_why_not() {
        let (store, by) = (MemoryStore::new(), Actor::program("test"));
        let client_id = ClientId::parse("billing").expect("a client id");
        let subject_id = SubjectId::parse("alice").expect("a subject");
        let mut metadata = ClientMetadata::new(client_id.clone(), AuthMethod::NONE, NOW);
        metadata.grant_types = vec![GrantType::JWT_BEARER, GrantType::AUTHORIZATION_CODE];
        metadata.redirect_uris = vec![RedirectUri::parse("https://a.example/").expect("a URI")];
        metadata.scope = Scope::parse("read write").expect("a scope");
        metadata.consent = ConsentPolicy::Ask;
        let client = Client::new(metadata, Vec::new(), Vec::new()).expect("a client");
        store.clients().create(client, &by).await.expect("made");
        let subject = Subject::new(subject_id.clone());
        store.subjects().create(subject, &by).await.expect("made");
        let told = async || {
            let (clients, subjects, permissions) =
                (store.clients(), store.subjects(), store.permissions());
            let effective = Effective::new(clients, subjects, permissions, NOW);
            let document = effective.get(&client_id, &subject_id).await.expect("told");
            let of_grant = |of: GrantDocument| {
                let scope = of.scope.map(|scope| scope.to_string());
                scope.unwrap_or_else(|| of.refused.unwrap_or_default().into_owned())
            };
            document
                .grants
                .into_iter()
                .map(of_grant)
                .collect::<Vec<_>>()
        };
        const NOBODY: &str = "the person has not allowed it, nor has an operator";
        const UNREGISTERED: &str = "the client is not registered for it";
        assert_eq!(told().await, [NOBODY, NOBODY, UNREGISTERED]);
        let scope = Scope::parse("read").expect("a scope");
        let grants = vec![GrantType::AUTHORIZATION_CODE];
        let consent = Permission::consented(client_id.clone(), subject_id.clone(), scope, grants);
        store
            .permissions()
            .create(consent, &by)
            .await
            .expect("made");
        assert_eq!(told().await, [NOBODY, "read", UNREGISTERED]);
        let permission = Permission::new(client_id.clone(), subject_id.clone(), None);
        store
            .permissions()
            .create(permission, &by)
            .await
            .expect("made");
        assert_eq!(told().await, ["read write", "read", UNREGISTERED]);
        let subject = store.subjects().get(&subject_id).await.expect("read");
        let disabled = Subject::clone(&subject.expect("there")).disabled();
        store.subjects().replace(disabled, &by).await.expect("made");
        assert_eq!(told().await, ["the subject is disabled"; 3]);
    }
}
