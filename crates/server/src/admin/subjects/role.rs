//! Roles of subjects.

use grantor::{
    admin::{Document, Error, OperatorDocument},
    jose::json::Object,
    registry::{Revision, Role},
    storage::Registries as _,
    types::SubjectId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{find, open};
use crate::{
    admin::{Administration, Answered, Input, NoQuery, Operation, Route, Warned, content::bodies},
    person::{Invitation, OpenSession},
};

const ROLE: &str = "/subjects/{subject}/role";

bodies!(RoleBody);

/// The role that a subject gets.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleBody {
    /// The role.
    pub role: Role,
}

impl Document for RoleBody {
    fn least() -> Object {
        Object::from_iter([("role".to_owned(), json!(Role::Reader))])
    }
}

/// Shows the role of a subject.
pub struct ShowRole;

impl Operation for ShowRole {
    type Path = SubjectId;
    type Query = NoQuery;
    type Body = ();
    type Answer = OperatorDocument;

    const ROUTE: Route = Route::get(
        ROLE,
        "show_role",
        "Show the role of a subject, and whether it can sign in",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let shown = admin.operators().get(&input.path).await?;
        let revision = shown.revision;
        Ok(Answered::at(shown, revision))
    }
}

/// Gives a subject a role.
pub struct PutRole;

impl Operation for PutRole {
    type Path = SubjectId;
    type Query = NoQuery;
    type Body = RoleBody;
    type Answer = Warned<OperatorDocument>;

    const ROUTE: Route = Route::put(
        ROLE,
        "put_role",
        "Give a subject a role over this server, in the place of the one that it has; with its first, what it signed in with ends",
    )
    .for_owners();

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let (operators, role, id) = (admin.operators(), input.body.role, input.path);
        let had_password = admin.gate().passwords().get(&id).await?.is_some();
        let given = operators.set(&id, role, admin.actor()).await?;
        let revision = given.revision;
        let is_first = revision == Revision::first(revision.number);
        let mut warnings = Vec::new();
        if is_first && (end_what_is_open(admin, &id).await? || had_password) {
            warnings.push(format!("what {id} signed in with has ended"));
        }
        if !given.can_sign_in {
            warnings.push(format!("invite it: grantor subject invite {id}"));
        }
        Ok(Answered::at(Warned::new(given, warnings), revision))
    }
}

/// With the first role of a subject its sessions and invitations are good for nothing any more:
/// they end. Answers whether there were any.
async fn end_what_is_open(admin: &Administration, id: &SubjectId) -> Result<bool, Error> {
    let subject = find(admin, id).await?;
    let invitations = open::end_any::<Invitation>(admin, &subject).await?;
    let sessions = open::end_any::<OpenSession>(admin, &subject).await?;
    Ok(invitations || sessions)
}

/// Takes the role of a subject.
pub struct DeleteRole;

impl Operation for DeleteRole {
    type Path = SubjectId;
    type Query = NoQuery;
    type Body = ();
    type Answer = ();

    const ROUTE: Route =
        Route::delete(ROLE, "delete_role", "Take the role of a subject").for_owners();

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        admin.operators().delete(&input.path, admin.actor()).await?;
        Ok(().into())
    }
}
