//! THE LINE: a token request, one stage a line. Where a stage refuses, `?` ends it, and the error
//! says which.

use super::{
    ClientAuthError, Context, Decision, FormError, Grant, GrantError, IssueError, IssuedToken,
    PolicyError, Refusal, Request, client_auth, issue, policy,
};

/// Turns a request into a token, if and only if every stage agrees.
pub(super) async fn token(
    context: &Context,
    request: &Request,
    decision: &mut Decision,
) -> Result<IssuedToken, TokenError> {
    let grant = grant(context, request, decision)?;
    let caller =
        client_auth::authenticate(context, request, &grant.client_auth(), decision).await?;
    let authorization = grant.authorize(context, request, &caller, decision).await?;
    let approval = policy::approve(context, request, authorization)?;
    Ok(issue::issue(context, approval, decision).await?)
}

fn grant<'c>(
    context: &'c Context,
    request: &Request,
    decision: &mut Decision,
) -> Result<&'c dyn Grant, FormError> {
    let asked = request.required("grant_type")?;
    let grant = context
        .grants()
        .iter()
        .find(|grant| grant.grant_type().as_str() == asked)
        .ok_or_else(|| FormError::UnsupportedGrantType(asked.into()))?;
    decision.grant_type = Some(grant.grant_type());
    Ok(&**grant)
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
