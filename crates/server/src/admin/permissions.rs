//! Operations of permissions.

use grantor::{
    admin::{
        Conflict, Document, EffectiveDocument, Error, Fault, PermissionDocument, PermissionFilter,
    },
    jose::json::Object,
    registry::{ConsentPolicy, Origin, PermissionId},
    server::consent_link,
    storage::Registries as _,
    types::{ClientId, Scope, SubjectId},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Administration, Answered, Content, Input, Listed, NoQuery, Operation, Problem, Route,
    content::{self, bodies},
};

const PERMISSIONS: &str = "/permissions";
const PERMISSION: &str = "/permissions/{client}/{subject}";

bodies!(PermissionDocument, AskBody);

/// Lists permissions.
pub struct ListPermissions;

impl Operation for ListPermissions {
    type Path = ();
    type Query = PermissionFilter;
    type Body = ();
    type Answer = Listed<PermissionDocument>;

    const ROUTE: Route = Route::list(
        PERMISSIONS,
        "list_permissions",
        "List permissions, by client and subject",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let Input { query, portion, .. } = input;
        let (permissions, after) = (admin.permissions(), portion.cursor());
        let page = permissions.page(&query, after.as_ref(), portion.limit);
        Ok(Listed::from(page.await?).into())
    }
}

/// Lets a client act for a subject.
pub struct CreatePermission;

impl Operation for CreatePermission {
    type Path = ();
    type Query = NoQuery;
    type Body = PermissionDocument;
    type Answer = PermissionDocument;

    const ROUTE: Route = Route::create(
        PERMISSIONS,
        "create_permission",
        "Let a client act for a subject, if no operator has yet",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let clients = admin.gate().clients();
        let permissions = admin.permissions();
        let given = permissions.create(input.body, clients, admin.actor());
        let given = given.await?;
        let names = [given.client.to_string(), given.subject.to_string()];
        let revision = given.revision;
        Ok(Answered::at(given, revision).placed(PERMISSION, &names))
    }
}

/// Shows what a client may do for a subject.
pub struct ShowPermission;

impl Operation for ShowPermission {
    type Path = (ClientId, SubjectId);
    type Query = NoQuery;
    type Body = ();
    type Answer = EffectiveDocument;

    const ROUTE: Route = Route::get(
        PERMISSION,
        "show_permission",
        "Show both records of a client and a subject, and what a token request would get now",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let (client, subject) = input.path;
        let shown = admin.effective().get(&client, &subject).await?;
        let mut records = shown.records.iter();
        let own = records.find(|record| record.origin == Origin::Operator);
        let revision = own.map(|record| record.revision);
        Ok(Answered {
            revision,
            ..shown.into()
        })
    }
}

/// Says what a client may do for a subject.
pub struct PutPermission;

/// A permission by what is left to say of it where its client and subject are in the path.
#[derive(Clone, Debug)]
pub struct PermissionBody(Object);

impl PermissionBody {
    /// With those of the path; other ones are refused.
    fn document(
        mut self,
        client: &ClientId,
        subject: &SubjectId,
    ) -> Result<PermissionDocument, Error> {
        let mut faults = Vec::new();
        for (member, name) in [("client", client.as_str()), ("subject", subject.as_str())] {
            let before = self.0.insert(member.to_owned(), name.into());
            if before.is_some_and(|before| before != name) {
                let detail = "is another one than in the path; leave it out";
                faults.push(Fault::new(member, detail));
            }
        }
        let read = <PermissionDocument as Document>::read(self.0);
        match (read, faults.is_empty()) {
            (Ok(document), true) => Ok(document),
            (document, _) => {
                faults.extend(document.err().unwrap_or_default());
                Err(faults.into())
            }
        }
    }
}

impl Content for PermissionBody {
    fn read(octets: &[u8]) -> Result<Self, Problem> {
        content::object(octets).map(Self)
    }

    fn to_json(&self) -> Option<String> {
        Some(json!(self.0).to_string())
    }

    fn schema(schemas: &mut SchemaGenerator) -> Option<Schema> {
        let mut schema = PermissionDocument::json_schema(schemas);
        schema.remove("required");
        Some(schema)
    }
}

impl Operation for PutPermission {
    type Path = (ClientId, SubjectId);
    type Query = NoQuery;
    type Body = PermissionBody;
    type Answer = PermissionDocument;

    const ROUTE: Route = Route::put(
        PERMISSION,
        "put_permission",
        "Let a client act for a subject by the operator's word, in the place of what that was",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let (client, subject) = &input.path;
        let document = input.body.document(client, subject)?;
        let clients = admin.gate().clients();
        let permissions = admin.permissions();
        let given = permissions.set(document, clients, admin.actor()).await?;
        let revision = given.revision;
        Ok(Answered::at(given, revision))
    }
}

/// Tells where a person is asked.
pub struct AskPermission;

/// What a person is asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AskBody {
    /// For which scope; for all that the client may get if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}

impl Document for AskBody {
    fn least() -> Object {
        Object::new()
    }
}

/// Where a person is asked.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConsentLink {
    /// The link, which the person opens.
    pub consent_uri: String,
}

impl Operation for AskPermission {
    type Path = (ClientId, SubjectId);
    type Query = NoQuery;
    type Body = AskBody;
    type Answer = ConsentLink;

    const ROUTE: Route = Route::try_out(
        "/permissions/{client}/{subject}/ask",
        "ask_permission",
        "Tell the link at which the person is asked",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        if !admin.has_people() {
            return Err(Error::Conflict(Conflict::NoPeople));
        }
        let ((client, subject), scope) = (&input.path, input.body.scope.as_ref());
        let document = admin.clients().get(client).await?;
        if document.consent != ConsentPolicy::Ask {
            return Err(Error::Conflict(Conflict::AsksNobody(client.clone())));
        }
        admin.subjects().get(subject).await?;
        let consent_uri = consent_link(&admin.config.issuer, client, scope, subject);
        Ok(ConsentLink { consent_uri }.into())
    }
}

/// Withdraws a permission.
pub struct DeletePermission;

/// Which record ends.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Whose {
    /// The one that an operator gave, or the person's; an operator's if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

impl Operation for DeletePermission {
    type Path = (ClientId, SubjectId);
    type Query = Whose;
    type Body = ();
    type Answer = ();

    const ROUTE: Route = Route::delete(
        PERMISSION,
        "delete_permission",
        "Withdraw the permission that an operator gave, or the person",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let (client, subject) = input.path;
        let id = match input.query.origin.unwrap_or_default() {
            Origin::Operator => PermissionId::by_operator(client, subject),
            Origin::Person => PermissionId::by_person(client, subject),
        };
        admin.permissions().delete(&id, admin.actor()).await?;
        Ok(().into())
    }
}
