//! Roles of subjects.

use grantor::{
    admin::{Document, Error, OperatorDocument},
    jose::json::Object,
    registry::Role,
    types::SubjectId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::admin::{Administration, Answered, Input, NoQuery, Operation, Route, content::bodies};

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

/// Gives a subject a role.
pub struct PutRole;

impl Operation for PutRole {
    type Path = SubjectId;
    type Query = NoQuery;
    type Body = RoleBody;
    type Answer = OperatorDocument;

    const ROUTE: Route = Route::put(
        ROLE,
        "put_role",
        "Give a subject a role over this server, in the place of the one that it has",
    )
    .for_owners();

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let (operators, role) = (admin.operators(), input.body.role);
        let given = operators.set(&input.path, role, admin.actor()).await?;
        let revision = given.revision;
        Ok(Answered::at(given, revision))
    }
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
