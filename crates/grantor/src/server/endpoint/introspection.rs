//! Introspection: what a token stands for, told to an authenticated client (RFC 7662).

use std::sync::Arc;

use async_trait::async_trait;
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::{Endpoint, Metadata, Path, Route};
use crate::{
    clock::UnixTime,
    registry::Client,
    server::{
        AccessToken, Answer, Caller, ClientAuthRequirement, Context, Decision, IssueError, Refusal,
        Request, grant::in_force, power, refresh_family::Place,
    },
    types::member,
};

/// The introspection endpoint. Every method that proves who is asking is taken (RFC 7662 §2.1).
#[derive(Clone, Copy, Debug, Default)]
pub struct IntrospectionEndpoint;

#[async_trait]
impl Endpoint for IntrospectionEndpoint {
    fn route(&self) -> Route {
        Route::form("introspection", Path::Suffix("introspect"))
    }

    fn describe(&self, context: &Context, metadata: &mut Metadata) {
        let methods = ClientAuthRequirement::confidential().methods;
        metadata.endpoint(
            context,
            member::INTROSPECTION_ENDPOINT,
            "introspect",
            &methods,
        );
    }

    /// Tells what the token stands for, or that it is not active and nothing more, for whatever
    /// reason (RFC 7662 §2.2).
    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let requirement = ClientAuthRequirement::confidential();
        let caller = context
            .authenticate(request, &requirement, decision)
            .await
            // RFC 7662 §2.3: whoever may not introspect is always challenged.
            .map_err(Refusal::challenging)?;
        let token = request.required("token")?;
        if let Some(place) = Place::of(context.seals(), token) {
            return Ok(refresh_token(context, &caller, place).await?);
        }
        let token = context
            .access_token(token)
            .await
            .map_err(IssueError::Store)?;
        Ok(match token {
            Some(token) if is_told(context, &caller, &token) => {
                Answer::json(StatusCode::OK, &Active::of(context, &token))
            }
            Some(_) | None => inactive(),
        })
    }
}

/// Whether the caller may know about this token. The admin API asks nobody about its own, so of those
/// only their clients are told (RFC 7662 §2.2).
fn is_told(context: &Context, caller: &Caller, token: &AccessToken) -> bool {
    let is_own = |client: &Arc<Client>| token.is_of(client);
    !power::is_for_admin(context, token.audience()) || caller.client().is_some_and(is_own)
}

fn inactive() -> Answer {
    Answer::json(StatusCode::OK, &json!({"active": false}))
}

/// Tells a client about a refresh token of its own. It is for no API: it has no audience, and says
/// that it is no access token.
async fn refresh_token(
    context: &Context,
    caller: &Caller,
    place: Place,
) -> Result<Answer, IssueError> {
    let Some(client) = caller.client() else {
        return Ok(inactive());
    };
    let Some((family, scope)) = in_force(context, client, place).await? else {
        return Ok(inactive());
    };
    let terms = family.terms();
    let active = json!({
        "active": true,
        "token_use": "refresh_token",
        "client_id": terms.client.0,
        "sub": terms.subject.0,
        "scope": scope.to_string(),
        "iss": context.identity().issuer().as_str(),
        "iat": family.since().seconds(),
        "exp": family.end().seconds(),
        "auth_time": terms.auth_time.seconds(),
    });
    Ok(Answer::json(StatusCode::OK, &active))
}

/// RFC 7662 §2.2
#[derive(Debug, Serialize)]
struct Active<'t> {
    active: bool,
    client_id: &'t str,
    sub: &'t str,
    aud: &'t str,
    iss: &'t str,
    iat: i64,
    exp: i64,
    token_type: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'t str>,
    /// RFC 9470 §6.2
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
}

impl<'t> Active<'t> {
    fn of(context: &'t Context, token: &'t AccessToken) -> Self {
        Self {
            active: true,
            client_id: token.client().as_str(),
            sub: token.subject().as_str(),
            aud: token.audience(),
            iss: context.identity().issuer().as_str(),
            iat: token.start().seconds(),
            exp: token.end().seconds(),
            token_type: "Bearer",
            scope: token.scope().to_string(),
            jti: token.token_id(),
            auth_time: token.auth_time().map(UnixTime::seconds),
        }
    }
}
