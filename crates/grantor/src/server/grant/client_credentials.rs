//! `client_credentials`: the client acts for itself (RFC 6749 §4.4, RFC 7521 §6.2).

use async_trait::async_trait;

use super::{Authorization, ClientAuthRequirement, Grant};
use crate::{
    server::{Caller, Context, Decision, GrantError, TokenForm},
    types::GrantType,
};

/// `client_credentials`
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientCredentials;

#[async_trait]
impl Grant for ClientCredentials {
    fn grant_type(&self) -> GrantType {
        GrantType::CLIENT_CREDENTIALS
    }

    fn client_auth(&self) -> ClientAuthRequirement {
        ClientAuthRequirement::confidential()
    }

    async fn authorize(
        &self,
        _context: &Context,
        _form: &TokenForm,
        caller: &Caller,
        _decision: &mut Decision,
    ) -> Result<Authorization, GrantError> {
        let client = caller.authenticated().ok_or(GrantError::NotAllowed)?;
        Authorization::for_client(client.clone(), &self.grant_type())
    }
}
