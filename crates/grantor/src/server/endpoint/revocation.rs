//! Revocation: a client gives back a token of its own (RFC 7009).

use super::{
    ClientAuthRequirement, Context, Decision, IssueError, TokenError, TokenForm, access_token,
    client_auth, line::Line,
};
use crate::{
    registry::Client,
    storage::{Ending, Put},
};

/// Which client authentication revocation takes: every method, `none` among them (RFC 7009 §2.1).
pub(super) fn client_auth_requirement() -> ClientAuthRequirement {
    ClientAuthRequirement {
        optional: false,
        ..ClientAuthRequirement::optional()
    }
}

/// Revokes the token, if and only if it is one of the caller's. Whether it was is not told: an
/// unknown token, another client's and an expired one are answered alike (RFC 7009 §2.2).
/// `token_type_hint` is not needed to find it.
pub(super) async fn revoke(
    line: &Line,
    form: &TokenForm,
    decision: &mut Decision,
) -> Result<(), TokenError> {
    let context = &line.context;
    let caller = client_auth::authenticate(
        &line.client_auth,
        context,
        form,
        &client_auth_requirement(),
        decision,
    )
    .await?;
    let token = form.required("token")?;
    match caller.client() {
        Some(client) => Ok(revoke_own(context, client, token, decision).await?),
        None => Ok(()),
    }
}

async fn revoke_own(
    context: &Context,
    client: &Client,
    token: &str,
    decision: &mut Decision,
) -> Result<(), IssueError> {
    match access_token::find(context, token).await? {
        Some(token) if token.is_of(client) => {
            decision.found_own_token();
            let ending = Ending {
                owner: Some(client.revision().number),
                at: context.now(),
                until: token.end(),
            };
            match context
                .artifacts
                .end_family(token.family, ending, context.token_quota)
                .await?
            {
                Put::Kept => Ok(()),
                Put::OverQuota => Err(IssueError::OverQuota(context.token_quota)),
            }
        }
        _ => Ok(()),
    }
}
