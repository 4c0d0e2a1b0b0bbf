//! Introspection: what a token stands for, told to an authenticated client (RFC 7662).

use grantor_jose::{Claims, Unverified};
use serde::Serialize;

use super::{ClientAuthRequirement, Context, Decision, TokenError, TokenForm, client_auth, error::FormError, token::Line};
use crate::{
    storage::{OpaqueToken, StoreError, TokenDigest},
    types::{ClientId, SubjectId},
};

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
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
}

/// Which client authentication introspection takes: every method that proves who is asking (RFC 7662 §2.1).
pub(super) fn client_auth_requirement() -> ClientAuthRequirement {
    ClientAuthRequirement::confidential()
}

/// What the token stands for; `None` if it is not active, for whatever reason (RFC 7662 §2.2 tells none).
pub(super) async fn introspect(
    line: &Line,
    form: Result<TokenForm, FormError>,
    decision: &mut Decision,
) -> Result<Option<Active>, TokenError> {
    let form = form?;
    let context = &line.context;
    client_auth::authenticate(&line.client_auth, context, &form, &client_auth_requirement(), decision).await?;
    let token = form.required("token")?;
    let found = match Unverified::parse(token) {
        Ok(jws) => access_token(context, jws),
        Err(_) => context.tokens.token(&TokenDigest::of(token)).await.map_err(store)?.map(|record| opaque(context, record)),
    };
    let now = context.now().seconds();
    match found.filter(|active| now < active.exp) {
        Some(active) if parties_are_enabled(context, &active).await.map_err(store)? => Ok(Some(active)),
        _ => Ok(None),
    }
}

fn store(error: StoreError) -> TokenError {
    TokenError::Issue(error.into())
}

/// One of the server's own JWT access tokens: its key, its `typ`, its issuer (RFC 9068 §4).
fn access_token(context: &Context, jws: Unverified<'_>) -> Option<Active> {
    let ring = context.signing_keys.key_ring();
    let verified = jws.header().key_id().and_then(|key_id| ring.verification(key_id)).and_then(|key| jws.verify(key).ok())?;
    if !verified.header().typ_is("at+jwt") {
        return None;
    }
    let claims = Claims::parse(verified.payload()).ok()?;
    let text = |name: &str| claims.other.get(name)?.as_str().map(str::to_owned);
    let issuer = context.identity().issuer().as_str();
    Some(Active {
        active: true,
        client_id: text("client_id")?,
        scope: text("scope"),
        sub: claims.subject?,
        aud: claims.audience?.sole()?.to_owned(),
        iss: claims.issuer.filter(|claimed| claimed == issuer)?,
        iat: claims.issued_at?.seconds() as i64,
        exp: claims.expires?.seconds() as i64,
        token_type: "Bearer",
        jti: claims.token_id,
    })
}

fn opaque(context: &Context, record: OpaqueToken) -> Active {
    Active {
        active: true,
        client_id: record.client.to_string(),
        scope: (!record.scope.is_empty()).then(|| record.scope.to_string()),
        sub: record.subject.to_string(),
        aud: record.audience,
        iss: context.identity().issuer().to_string(),
        iat: record.issued_at.seconds(),
        exp: record.expires_at.seconds(),
        token_type: "Bearer",
        jti: None,
    }
}

/// Law 4 for tokens: a disabled or deleted client or subject makes its tokens inactive at once.
async fn parties_are_enabled(context: &Context, active: &Active) -> Result<bool, StoreError> {
    let Ok(client) = ClientId::parse(&active.client_id) else { return Ok(false) };
    if !context.clients.client(&client).await?.is_some_and(|client| client.metadata().enabled) {
        return Ok(false);
    }
    match SubjectId::parse(&active.sub) {
        Ok(_) if active.sub == active.client_id => Ok(true),
        Ok(subject) => Ok(context.subjects.subject(&subject).await?.is_some_and(|subject| subject.enabled)),
        Err(_) => Ok(false),
    }
}
