//! What a token request of a client would get now, or which rule refuses it. Nothing is used up, and
//! no more is shown than what is registered (M030).

use grantor_jose::json::Object;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Effective, Error, Fault, Named, document::Document};
use crate::{
    registry::{Client, PermissionId, Permissions, Role},
    types::{ClientId, GrantType, Rule, Scope, SubjectId},
};

/// A token request that is thought of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PreviewRequest {
    /// The grant.
    pub grant: GrantType,
    /// Whom the token would be about; the client itself if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectId>,
    /// What is asked for; all that is allowed if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// The API that the token would be for; the usual one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

/// What it would get.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PreviewDocument {
    /// The scope; null if there would be no token.
    pub scope: Option<Scope>,
    /// The audience; null if there would be no token.
    pub audience: Option<String>,
    /// The rule that refuses it.
    pub rule: Option<Rule>,
    /// Why it does.
    pub refused: Option<String>,
}

/// The APIs that tokens are for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Served<'a> {
    /// The usual one.
    pub usual: &'a str,
    /// Others that may be asked for.
    pub resources: &'a [String],
    /// The admin API, whose tokens have scopes of the server's own.
    pub admin: &'a str,
}

impl<'a> Served<'a> {
    /// These.
    pub fn new(usual: &'a str, resources: &'a [String], admin: &'a str) -> Self {
        Self {
            usual,
            resources,
            admin,
        }
    }

    fn has(&self, resource: &str) -> bool {
        let mut known = self.resources.iter().map(String::as_str);
        resource == self.admin || known.any(|known| known == resource)
    }
}

/// What a client may have at most: ordinary scopes, and a role.
struct Widest {
    scope: Scope,
    role: Option<Role>,
}

type Refused = (Rule, String);

impl Document for PreviewRequest {
    fn least() -> Object {
        Object::from_iter([("grant".to_owned(), json!("client_credentials"))])
    }
}

impl PreviewRequest {
    /// The subject, if that is not the client itself.
    pub fn other_than(&self, client: &ClientId) -> Option<&SubjectId> {
        let subject = self.subject.as_ref();
        subject.filter(|subject| subject.as_str() != client.as_str())
    }
}

impl Effective<'_> {
    /// What this client would get. `role` is that of the subject.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the client; [`Error::Invalid`] for a grant that needs a subject and
    /// has none, or takes none; [`Error::Store`]
    pub async fn preview(
        &self,
        client_id: &ClientId,
        request: &PreviewRequest,
        served: Served<'_>,
        role: Option<Role>,
    ) -> Result<PreviewDocument, Error> {
        let client = self.clients.get(client_id).await?;
        let client = client.ok_or_else(|| Error::NotFound(Named::Client(client_id.clone())))?;
        check_subject(&client, request)?;
        let refused = |(rule, why): Refused| PreviewDocument {
            rule: Some(rule),
            refused: Some(why),
            ..PreviewDocument::default()
        };
        let audience = request.resource.as_deref().unwrap_or(served.usual);
        if audience != served.usual && !served.has(audience) {
            let why = "this resource is not served here".to_owned();
            return Ok(refused((Rule::Resource, why)));
        }
        let widest = match self.widest(&client, request, role).await? {
            Ok(widest) => widest,
            Err(why) => return Ok(refused(why)),
        };
        let asked = request.scope.as_ref().filter(|scope| !scope.is_empty());
        let scope = match audience == served.admin {
            true => of_power(asked, widest.role),
            false => of_scope(asked, widest.scope),
        };
        Ok(match scope {
            Ok(scope) => PreviewDocument {
                scope: Some(scope),
                audience: Some(audience.to_owned()),
                ..PreviewDocument::default()
            },
            Err(why) => refused(why),
        })
    }

    async fn widest(
        &self,
        client: &Client,
        request: &PreviewRequest,
        role: Option<Role>,
    ) -> Result<Result<Widest, Refused>, Error> {
        let metadata = client.metadata();
        let refused = |rule, why: &str| Ok(Err((rule, why.to_owned())));
        if !metadata.enabled {
            return refused(Rule::Client, "the client is disabled");
        }
        if !client.may_use(&request.grant) {
            return refused(Rule::Grant, "the client is not registered for this grant");
        }
        let own = Role::of_scope(&metadata.scope);
        let Some(subject_id) = request.other_than(client.id()) else {
            let scope = metadata.scope.clone().without_reserved();
            return Ok(Ok(Widest { scope, role: own }));
        };
        let Some(subject) = self.subjects.get(subject_id).await? else {
            return refused(Rule::Subject, "the subject is not registered");
        };
        let mut records = Vec::new();
        for id in [
            PermissionId::by_operator(client.id().clone(), subject_id.clone()),
            PermissionId::by_person(client.id().clone(), subject_id.clone()),
        ] {
            records.extend(self.permissions.get(&id).await?);
        }
        let permissions = Permissions::of(records);
        let named = permissions.covering(&request.grant, self.now);
        let named = named.and_then(|limit| limit.role());
        let is_power = [GrantType::JWT_BEARER].contains(&request.grant);
        let role = own.min(named).min(role).filter(|_| is_power);
        let given = self.of_grant(client, &subject, &permissions, request.grant.clone());
        Ok(match given.scope {
            Some(scope) => Ok(Widest {
                scope: scope.without_reserved(),
                role,
            }),
            None => {
                let rule = match subject.enabled {
                    true => Rule::Permission,
                    false => Rule::Subject,
                };
                Err((rule, given.refused.unwrap_or_default().into_owned()))
            }
        })
    }
}

fn check_subject(client: &Client, request: &PreviewRequest) -> Result<(), Error> {
    let is_own = request.grant == GrantType::CLIENT_CREDENTIALS;
    let detail = match (is_own, &request.subject) {
        (true, Some(_)) if request.other_than(client.id()).is_some() => {
            "by client_credentials tokens are about the client itself; leave it out"
        }
        (false, None) => "name whom the token would be about",
        _ => return Ok(()),
    };
    Err(Fault::new("subject", detail).into())
}

fn of_scope(asked: Option<&Scope>, widest: Scope) -> Result<Scope, Refused> {
    match asked {
        None => Ok(widest),
        Some(asked) if asked.is_subset(&widest) => Ok(asked.clone()),
        Some(asked) => Err(beyond(asked, &widest)),
    }
}

/// At the admin API: a role that is asked for by name.
fn of_power(asked: Option<&Scope>, role: Option<Role>) -> Result<Scope, Refused> {
    let held = Role::ALL.into_iter().filter(|held| Some(*held) <= role);
    let held = held.fold(Scope::default(), |scope, held| {
        scope.union(&Scope::parse(held.scope()).expect("a role is a scope"))
    });
    match asked {
        None => {
            let why = "the admin API has no default scope; name one".to_owned();
            Err((Rule::Scope, why))
        }
        Some(asked) if asked.is_subset(&held) => Ok(asked.clone()),
        Some(asked) => Err(beyond(asked, &held)),
    }
}

fn beyond(asked: &Scope, allowed: &Scope) -> Refused {
    let beyond = asked.without(allowed);
    (Rule::Scope, format!("{beyond} is beyond what is allowed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::UnixTime,
        registry::{Actor, ClientMetadata, Permission, Subject},
        storage::{MemoryStore, Registries as _},
        types::AuthMethod,
    };

    const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);

    fn scope(text: &str) -> Scope {
        Scope::parse(text).expect("a scope")
    }

    /// With the client `billing`, which may act for `alice`, and the subject `bob`.
    async fn store() -> MemoryStore {
        let (store, by) = (MemoryStore::new(), Actor::program("test"));
        let id = ClientId::parse("billing").expect("a client");
        let mut metadata = ClientMetadata::new(id.clone(), AuthMethod::NONE, NOW);
        metadata.scope = scope("a b grantor:write");
        let client = Client::new(metadata, Vec::new(), Vec::new()).expect("a client");
        store.clients().create(client, &by).await.expect("made");
        for name in ["alice", "bob"] {
            let subject = Subject::new(SubjectId::parse(name).expect("a subject"));
            store.subjects().create(subject, &by).await.expect("made");
        }
        let alice = SubjectId::parse("alice").expect("a subject");
        let given = Permission::new(id, alice, Some(scope("a grantor:read")));
        store.permissions().create(given, &by).await.expect("made");
        store
    }

    async fn told(store: &MemoryStore, request: serde_json::Value, role: Option<Role>) -> String {
        let effective = Effective::new(store.clients(), store.subjects(), store.permissions(), NOW);
        let request: PreviewRequest = serde_json::from_value(request).expect("a request");
        let resources = ["https://api.example".to_owned()];
        let served = Served::new(
            "https://as.example",
            &resources,
            "https://as.example/admin/v1",
        );
        let id = ClientId::parse("billing").expect("a client");
        let told = effective.preview(&id, &request, served, role).await;
        let told = told.expect("told");
        match (told.scope, told.rule) {
            (Some(scope), _) => format!("{scope} for {}", told.audience.unwrap_or_default()),
            (None, rule) => rule.expect("a rule").name().to_owned(),
        }
    }

    #[tokio::test]
    async fn m030_what_a_request_would_get_is_told_or_the_rule_that_refuses() {
        let store = store().await;
        let bearer = GrantType::JWT_BEARER;
        let admin = "https://as.example/admin/v1";
        for (request, role, expected) in [
            (
                json!({"grant": bearer, "subject": "alice"}),
                None,
                "a for https://as.example",
            ),
            (
                json!({"grant": bearer, "subject": "alice", "scope": "b"}),
                None,
                "scope",
            ),
            (
                json!({"grant": bearer, "subject": "bob"}),
                None,
                "permission",
            ),
            (
                json!({"grant": bearer, "subject": "carol"}),
                None,
                "subject",
            ),
            (
                json!({"grant": bearer, "subject": "billing"}),
                None,
                "a b for https://as.example",
            ),
            (
                json!({"grant": bearer, "subject": "alice", "resource": "https://api.example"}),
                None,
                "a for https://api.example",
            ),
            (
                json!({"grant": bearer, "subject": "alice", "resource": "https://other.example"}),
                None,
                "resource",
            ),
            (json!({"grant": "client_credentials"}), None, "grant"),
            (
                json!({"grant": bearer, "subject": "alice", "resource": admin, "scope": "grantor:read"}),
                Some(Role::Owner),
                "grantor:read for https://as.example/admin/v1",
            ),
            (
                json!({"grant": bearer, "subject": "alice", "resource": admin, "scope": "grantor:write"}),
                Some(Role::Owner),
                "scope",
            ),
            (
                json!({"grant": bearer, "subject": "alice", "resource": admin, "scope": "grantor:read"}),
                None,
                "scope",
            ),
            (
                json!({"grant": bearer, "subject": "alice", "resource": admin}),
                Some(Role::Owner),
                "scope",
            ),
        ] {
            assert_eq!(
                told(&store, request.clone(), role).await,
                expected,
                "{request}"
            );
        }
    }
}
