//! `client_credentials`: the client acts for itself (RFC 6749 §4.4, RFC 7521 §6.2).

use async_trait::async_trait;

use super::{Authorization, ClientAuthRequirement, Grant};
use crate::{
    server::{Caller, Context, Decision, GrantError, Request, power::Power},
    types::GrantType,
};

/// `client_credentials`
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    client_auth: ClientAuthRequirement,
}

impl Default for ClientCredentials {
    fn default() -> Self {
        Self::with_client_auth(ClientAuthRequirement::confidential())
    }
}

impl ClientCredentials {
    /// Any standard method by which a client proves itself is taken.
    pub fn new() -> Self {
        Self::default()
    }

    /// With another list of client authentication methods. A client proves itself in any case.
    #[must_use]
    pub fn with_client_auth(client_auth: ClientAuthRequirement) -> Self {
        Self { client_auth }
    }
}

#[async_trait]
impl Grant for ClientCredentials {
    fn grant_type(&self) -> GrantType {
        GrantType::CLIENT_CREDENTIALS
    }

    fn client_auth(&self) -> ClientAuthRequirement {
        self.client_auth.clone()
    }

    async fn authorize(
        &self,
        _context: &Context,
        _request: &Request,
        caller: &Caller,
        _decision: &mut Decision,
    ) -> Result<Authorization, GrantError> {
        let client = caller.authenticated().ok_or(GrantError::NotAllowed)?;
        let authorization = Authorization::for_client(client.clone(), &self.grant_type())?;
        Ok(authorization.with_power(Power::of_client(client)))
    }
}
