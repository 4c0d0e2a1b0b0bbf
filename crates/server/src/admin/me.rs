//! Who calls, and what they may do.

use grantor::{
    admin::Error,
    clock::UnixTime,
    registry::Role,
    types::{ClientId, Scope, SubjectId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Administration, Answered, Caller, Input, NoQuery, Operation, Route};

/// A caller.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Me {
    /// The client that got the token; null on the machine of the database.
    pub client: Option<ClientId>,
    /// The subject that the token is about, where that is not the client.
    pub subject: Option<SubjectId>,
    /// What they may do now.
    pub role: Role,
    /// The scope of the token.
    pub scope: Option<Scope>,
    /// When the token ends (RFC 3339).
    pub expires_at: Option<String>,
}

impl From<&Caller> for Me {
    fn from(caller: &Caller) -> Self {
        let token = &caller.token;
        Self {
            client: Some(token.client().clone()),
            subject: caller.subject().cloned(),
            role: caller.role,
            scope: Some(token.scope().clone()),
            expires_at: Some(text(token.end())),
        }
    }
}

fn text(time: UnixTime) -> String {
    grantor::admin::time_text(time)
}

/// Says who calls.
pub struct ShowMe;

impl Operation for ShowMe {
    type Path = ();
    type Query = NoQuery;
    type Body = ();
    type Answer = Me;

    const ROUTE: Route = Route::get(
        "/me",
        "show_me",
        "Say who calls, their role, and until when",
    );

    async fn run(admin: &Administration, _: Input<Self>) -> Result<Answered<Self::Answer>, Error> {
        let here = || Me {
            client: None,
            subject: None,
            role: admin.gate().rights().role(),
            scope: None,
            expires_at: None,
        };
        Ok(admin.caller().cloned().unwrap_or_else(here).into())
    }
}
