//! `client_secret_basic` and `client_secret_post` (RFC 6749 §2.3.1).

use std::sync::Arc;

use async_trait::async_trait;

use super::{ClientAuthentication, Mechanism, registered};
use crate::{
    registry::{Client, PresentedSecret},
    server::{AuthorizationHeader, ClientAuthError, Context, Decision, Request},
    types::AuthMethod,
};

/// `client_secret_basic`: the secret in the Authorization header.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientSecretBasic;

/// `client_secret_post`: the secret in the form.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientSecretPost;

static BASIC: [AuthMethod; 1] = [AuthMethod::CLIENT_SECRET_BASIC];
static POST: [AuthMethod; 1] = [AuthMethod::CLIENT_SECRET_POST];

#[async_trait]
impl ClientAuthentication for ClientSecretBasic {
    fn methods(&self) -> &[AuthMethod] {
        &BASIC
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Secret
    }

    fn is_presented(&self, request: &Request) -> bool {
        !matches!(request.authorization(), AuthorizationHeader::Absent)
    }

    async fn authenticate(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<(Arc<Client>, AuthMethod), ClientAuthError> {
        match request.authorization() {
            AuthorizationHeader::Basic { id, secret } => {
                check(context, id, secret, &BASIC, decision).await
            }
            AuthorizationHeader::Unreadable(reason) => {
                Err(ClientAuthError::UnreadableHeader(reason))
            }
            AuthorizationHeader::Absent => Err(ClientAuthError::Missing),
        }
    }
}

#[async_trait]
impl ClientAuthentication for ClientSecretPost {
    fn methods(&self) -> &[AuthMethod] {
        &POST
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Secret
    }

    fn is_presented(&self, request: &Request) -> bool {
        request.parameter("client_secret").is_some()
    }

    async fn authenticate(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<(Arc<Client>, AuthMethod), ClientAuthError> {
        let id = request
            .parameter("client_id")
            .ok_or(ClientAuthError::IncompletePair("client_id"))?;
        let secret = request
            .parameter("client_secret")
            .ok_or(ClientAuthError::IncompletePair("client_secret"))?;
        check(context, id, secret, &POST, decision).await
    }
}

async fn check(
    context: &Context,
    id: &str,
    secret: &str,
    method: &[AuthMethod; 1],
    decision: &mut Decision,
) -> Result<(Arc<Client>, AuthMethod), ClientAuthError> {
    decision.claims_client(id);
    // Before anybody is looked up: the work must not depend on who is there.
    let presented = PresentedSecret::of(secret).ok_or(ClientAuthError::OverlongSecret)?;
    let client = registered(context, id, method, decision).await?;
    let now = context.now();
    let [method] = method;
    match client
        .secrets()
        .iter()
        .any(|stored| stored.matches(&presented, now))
    {
        true => Ok((client, method.clone())),
        false => Err(ClientAuthError::WrongSecret),
    }
}
