//! Finding out what an access token of this server stands for, whatever its form: for introspection and revocation.

use grantor_jose::{Claims, Unverified};

use super::Context;
use crate::{
    storage::{OpaqueToken, StoreError, TokenDigest},
    types::{ClientId, SubjectId},
};

/// An access token of this server that has neither expired nor been revoked.
#[derive(Debug)]
pub(super) struct AccessToken {
    pub(super) client: ClientId,
    pub(super) subject: SubjectId,
    pub(super) audience: String,
    pub(super) scope: String,
    pub(super) issued_at: i64,
    pub(super) expires_at: i64,
    /// `jti`, of a JWT.
    pub(super) token_id: Option<String>,
    /// Under which it is revoked. For a JWT made of the `jti`, because an ECDSA signature can be rewritten by anybody.
    pub(super) digest: TokenDigest,
}

/// The access token that this text is; `None` for anything else, and for one that has expired or was revoked.
pub(super) async fn find(context: &Context, text: &str) -> Result<Option<AccessToken>, StoreError> {
    let digest = TokenDigest::of(text);
    let found = match Unverified::parse(text) {
        Ok(jws) => from_jwt(context, jws),
        Err(_) => context.tokens.token(&digest).await?.map(|record| from_record(record, digest)),
    };
    match found.filter(|token| context.now().seconds() < token.expires_at) {
        Some(token) if !context.tokens.token_is_revoked(&token.digest).await? => Ok(Some(token)),
        _ => Ok(None),
    }
}

/// RFC 9068 §4: one of our keys, our `typ`, our issuer.
fn from_jwt(context: &Context, jws: Unverified<'_>) -> Option<AccessToken> {
    let ring = context.signing_keys.key_ring();
    let verified = jws.header().key_id().and_then(|key_id| ring.verification(key_id)).and_then(|key| jws.verify(key).ok())?;
    if !verified.header().typ_is("at+jwt") {
        return None;
    }
    let claims = Claims::parse(verified.payload()).ok()?;
    if claims.issuer.as_deref() != Some(context.identity().issuer().as_str()) {
        return None;
    }
    let text = |name: &str| claims.other.get(name)?.as_str();
    let token_id = claims.token_id.as_deref()?;
    Some(AccessToken {
        client: ClientId::parse(text("client_id")?).ok()?,
        subject: SubjectId::parse(claims.subject.as_deref()?).ok()?,
        audience: claims.audience.as_ref()?.sole()?.to_owned(),
        scope: text("scope").unwrap_or_default().to_owned(),
        issued_at: claims.issued_at?.seconds() as i64,
        expires_at: claims.expires?.seconds() as i64,
        digest: TokenDigest::of(token_id),
        token_id: Some(token_id.to_owned()),
    })
}

fn from_record(record: OpaqueToken, digest: TokenDigest) -> AccessToken {
    AccessToken {
        client: record.client,
        subject: record.subject,
        audience: record.audience,
        scope: record.scope.to_string(),
        issued_at: record.issued_at.seconds(),
        expires_at: record.expires_at.seconds(),
        token_id: None,
        digest,
    }
}
