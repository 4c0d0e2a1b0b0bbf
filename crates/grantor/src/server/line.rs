//! THE LINE: a token request, one stage a line. Where a stage refuses, `?` ends it, and the error
//! says which.

use super::{
    ClientAuthError, Context, Decision, FormError, Grant, GrantError, IssueError, IssuedToken,
    PolicyError, Refusal, TokenForm,
    client_auth::{self, ClientAuthentication},
    issue, policy,
};

/// The stages in order, over what the builder registered.
pub(super) struct Line {
    pub(super) context: Context,
    pub(super) grants: Vec<Box<dyn Grant>>,
    pub(super) client_auth: Vec<Box<dyn ClientAuthentication>>,
}

impl Line {
    /// Turns a request into a token, if and only if every stage agrees.
    pub(super) async fn token(
        &self,
        form: &TokenForm,
        decision: &mut Decision,
    ) -> Result<IssuedToken, TokenError> {
        let grant = self.grant(form, decision)?;
        let caller = client_auth::authenticate(
            &self.client_auth,
            &self.context,
            form,
            &grant.client_auth(),
            decision,
        )
        .await?;
        let authorization = grant
            .authorize(&self.context, form, &caller, decision)
            .await?;
        let approval = policy::approve(&self.context, form, authorization)?;
        Ok(issue::issue(&self.context, approval, decision).await?)
    }

    fn grant(&self, form: &TokenForm, decision: &mut Decision) -> Result<&dyn Grant, FormError> {
        let asked = form.required("grant_type")?;
        let grant = self
            .grants
            .iter()
            .find(|grant| grant.grant_type().as_str() == asked);
        let grant = grant.ok_or_else(|| FormError::UnsupportedGrantType(asked.into()))?;
        decision.grant_type = Some(grant.grant_type());
        Ok(&**grant)
    }
}

/// Why there is no token: the stage, and its reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The request's form.
    #[error(transparent)]
    Form(#[from] FormError),
    /// Client authentication.
    #[error(transparent)]
    ClientAuth(#[from] ClientAuthError),
    /// The grant.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// Scope and resource.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Making the token.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Form(error) => error.into(),
            TokenError::ClientAuth(error) => error.into(),
            TokenError::Grant(error) => error.into(),
            TokenError::Policy(error) => error.into(),
            TokenError::Issue(error) => error.into(),
        }
    }
}
