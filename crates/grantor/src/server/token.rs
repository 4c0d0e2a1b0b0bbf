//! THE LINE: a token request, one stage a line. Where a stage refuses, `?` ends it, and the error
//! says which.

use super::{
    Context, Decision, Grant, IssuedToken, TokenError, TokenForm,
    client_auth::{self, ClientAuthentication},
    error::FormError,
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
