//! `none`: a public client names itself (RFC 6749 §3.2.1).

use std::sync::Arc;

use async_trait::async_trait;

use super::{ClientAuthentication, Mechanism, registered};
use crate::{
    registry::Client,
    server::{ClientAuthError, Context, Decision, Request},
    types::AuthMethod,
};

/// `none`: the `client_id` parameter, of a client registered as public.
#[derive(Clone, Copy, Debug, Default)]
pub struct PublicClient;

static METHODS: [AuthMethod; 1] = [AuthMethod::NONE];

#[async_trait]
impl ClientAuthentication for PublicClient {
    fn methods(&self) -> &[AuthMethod] {
        &METHODS
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Identification
    }

    fn is_presented(&self, request: &Request) -> bool {
        request.parameter("client_id").is_some()
    }

    async fn authenticate(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<(Arc<Client>, AuthMethod), ClientAuthError> {
        let id = request
            .parameter("client_id")
            .ok_or(ClientAuthError::Missing)?;
        decision.claims_client(id);
        Ok((
            registered(context, id, &METHODS, decision).await?,
            AuthMethod::NONE,
        ))
    }
}
