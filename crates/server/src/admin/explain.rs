//! The operation that says of every rule whether an assertion keeps it (M030, M166).

use grantor::{admin::Error, assertion::Explanation, types::ClientId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Administration, Answered, Input, NoQuery, Operation, Route, jwt_body::JwtBody};

/// Says what would be decided about an assertion.
pub struct Explain;

/// What would be decided, and why.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Explained {
    /// Every rule.
    pub explanation: Explanation,
    /// The registered client that was perhaps meant by an unknown name.
    pub nearest_client: Option<ClientId>,
}

impl Operation for Explain {
    type Path = ();
    type Query = NoQuery;
    type Body = JwtBody;
    type Answer = Explained;

    const ROUTE: Route = Route::try_out(
        "/explain",
        "explain",
        "Say of every rule whether a JWT keeps it, without using it up; nothing is fetched or kept",
    )
    .sparingly();

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let JwtBody { jwt, usage } = input.body;
        let server = admin.deciding_without_fetching()?;
        let explanation = server.explain(&jwt, usage).await?;
        let nearest_client = admin.clients().meant_by(&explanation).await?;
        Ok(Explained {
            explanation,
            nearest_client,
        }
        .into())
    }
}
