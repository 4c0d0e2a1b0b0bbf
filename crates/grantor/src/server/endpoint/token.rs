//! The token endpoint (RFC 6749 §3.2).

use async_trait::async_trait;
use http::StatusCode;
use serde::Serialize;

use super::{Endpoint, Metadata, Path, Route};
use crate::{
    server::{
        Answer, Context, Decision, IssuedToken, RefreshToken, Refusal, Request, explain, line,
    },
    types::member,
};

/// The token endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenEndpoint;

/// RFC 6749 §5.1. `scope` is always told, so that a client never has to guess.
#[derive(Serialize)]
struct TokenResponse<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
}

#[async_trait]
impl Endpoint for TokenEndpoint {
    fn route(&self) -> Route {
        Route::form("token", Path::Suffix("token"))
    }

    fn describe(&self, context: &Context, metadata: &mut Metadata) {
        let grants = context.grants();
        let methods: Vec<_> = grants
            .iter()
            .flat_map(|grant| grant.client_auth().methods)
            .collect();
        metadata.set(member::TOKEN_ENDPOINT, context.identity().token_endpoint());
        metadata.list(
            member::GRANT_TYPES,
            grants.iter().map(|grant| grant.grant_type()),
        );
        metadata.client_auth(context, member::TOKEN_ENDPOINT, &methods);
    }

    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        match line::token(context, request, decision).await {
            Ok(token) => Ok(answer(&token)),
            Err(error) => Err(explain::refused(context, request, error, decision)),
        }
    }
}

fn answer(token: &IssuedToken) -> Answer {
    let body = TokenResponse {
        access_token: token.expose(),
        token_type: "Bearer",
        expires_in: token.lifetime().as_secs(),
        scope: token.scope().to_string(),
        refresh_token: token.refresh_token().map(RefreshToken::expose),
    };
    Answer::json(StatusCode::OK, &body)
}
