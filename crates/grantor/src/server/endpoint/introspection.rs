//! Introspection: what a token stands for, told to an authenticated client (RFC 7662).

use serde::Serialize;

use super::{
    ClientAuthRequirement, Context, Decision, IssueError, TokenError, TokenForm,
    access_token::{self, AccessToken},
    client_auth,
    line::Line,
};
use crate::{registry::Permission, storage::StoreError, types::Scope};

/// RFC 7662 §2.2
#[derive(Debug, Serialize)]
pub(super) struct Active {
    active: bool,
    client_id: String,
    sub: String,
    aud: String,
    iss: String,
    iat: i64,
    exp: i64,
    token_type: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
}

/// Which client authentication introspection takes: every method that proves who is asking (RFC
/// 7662 §2.1).
pub(super) fn client_auth_requirement() -> ClientAuthRequirement {
    ClientAuthRequirement::confidential()
}

/// What the token stands for; `None` if it is not active, for whatever reason (RFC 7662 §2.2 tells
/// none).
pub(super) async fn introspect(
    line: &Line,
    form: &TokenForm,
    decision: &mut Decision,
) -> Result<Option<Active>, TokenError> {
    let context = &line.context;
    client_auth::authenticate(
        &line.client_auth,
        context,
        form,
        &client_auth_requirement(),
        decision,
    )
    .await?;
    let token = form.required("token")?;
    Ok(active(context, token).await.map_err(IssueError::Store)?)
}

async fn active(context: &Context, token: &str) -> Result<Option<Active>, StoreError> {
    let Some(token) = access_token::find(context, token).await? else {
        return Ok(None);
    };
    let Some(scope) = scope_in_force(context, &token).await? else {
        return Ok(None);
    };
    Ok(Some(Active {
        active: true,
        client_id: token.client.to_string(),
        sub: token.subject.to_string(),
        aud: token.audience,
        iss: context.identity().issuer().to_string(),
        iat: token.issued_at,
        exp: token.expires_at,
        token_type: "Bearer",
        scope: scope.to_string(),
        jti: token.token_id,
    }))
}

/// Law 4 for tokens: a disabled or deleted client or subject makes its tokens inactive at once, and
/// so does a permission that was withdrawn. Another registration of the same name does not bring
/// them back. Answers how much of the token's scope client and permission still allow; `None` if
/// the token is not active.
async fn scope_in_force(
    context: &Context,
    token: &AccessToken,
) -> Result<Option<Scope>, StoreError> {
    let Some(client) = context
        .clients
        .client(&token.client)
        .await?
        .filter(|client| client.metadata().enabled)
    else {
        return Ok(None);
    };
    if !token.is_of(&client) {
        return Ok(None);
    }
    let scope = token.scope.intersection(&client.metadata().scope);
    if token.subject.as_str() == token.client.as_str() {
        return Ok(Some(scope));
    }
    let Some(subject) = context
        .subjects
        .subject(&token.subject)
        .await?
        .filter(|subject| subject.enabled)
    else {
        return Ok(None);
    };
    if !token.is_under(
        |origin| origin.subject,
        subject.revision,
        subject.created_at,
    ) {
        return Ok(None);
    }
    if token
        .origin
        .is_some_and(|origin| origin.permission.is_none())
    {
        // Issued by a grant of the embedder's own, under no permission.
        return Ok(Some(scope));
    }
    let permission = context
        .permissions
        .permission(&token.client, &token.subject)
        .await?;
    let is_same = |permission: &Permission| {
        token.is_under(
            |origin| origin.permission,
            permission.revision,
            permission.created_at,
        )
    };
    Ok(permission
        .filter(is_same)
        .map(|permission| match permission.scope {
            Some(limit) => scope.intersection(&limit),
            None => scope,
        }))
}
