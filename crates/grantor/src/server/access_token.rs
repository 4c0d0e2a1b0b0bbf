//! Finding out what an access token of this server stands for, whatever its form: for introspection and revocation.

use grantor_jose::{Claims, Unverified};

use super::Context;
use crate::{
    clock::UnixTime,
    storage::{Client, OpaqueToken, StoreError, TokenDigest, TokenOrigin},
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
    /// Which registrations it was issued for; `None` if an earlier version issued it, which did not tell.
    pub(super) origin: Option<TokenOrigin>,
    /// Under which it is revoked. For a JWT made of the `jti`, because an ECDSA signature can be rewritten by anybody.
    pub(super) digest: TokenDigest,
}

impl AccessToken {
    /// When it expires.
    pub(super) fn end(&self) -> UnixTime {
        UnixTime::from_millis(self.expires_at.saturating_mul(1000))
    }

    /// Whether it was issued to this client, and not to an earlier one of the same name.
    pub(super) fn is_of(&self, client: &Client) -> bool {
        self.client == *client.id() && self.origin.is_none_or(|origin| origin.client == client.revision().number)
    }
}

/// The access token that this text is; `None` for anything else, and for one that has expired or was revoked.
pub(super) async fn find(context: &Context, text: &str) -> Result<Option<AccessToken>, StoreError> {
    let digest = TokenDigest::of(text);
    let found = match Unverified::parse(text) {
        Ok(jws) => from_jwt(context, jws),
        Err(_) => context.tokens.token(&digest).await?.map(|record| from_record(record, digest)),
    };
    match found.filter(|token| context.now().seconds() < token.expires_at) {
        Some(token) if !context.tokens.token_is_revoked(&token.digest, token.end()).await? => Ok(Some(token)),
        _ => Ok(None),
    }
}

/// RFC 9068 §4: one of our keys, our `typ`, our issuer.
fn from_jwt(context: &Context, jws: Unverified<'_>) -> Option<AccessToken> {
    let ring = context.signing_keys.key_ring();
    let key = jws.header().key_id().and_then(|key_id| ring.own(key_id))?;
    let verified = jws.verify(key.verification()).ok()?;
    if !verified.header().typ_is("at+jwt") {
        return None;
    }
    let claims = Claims::parse(verified.payload()).ok()?;
    if claims.issuer.as_deref() != Some(context.identity().issuer().as_str()) {
        return None;
    }
    let text = |name: &str| claims.other.get(name)?.as_str();
    let token_id = claims.token_id.as_deref()?;
    let issued_at = claims.issued_at?.seconds() as i64;
    let issued = UnixTime::from_millis(issued_at.saturating_mul(1000));
    // Whoever has a key that signs no more, or not yet, cannot make tokens of now with it.
    if !key.signs_at(issued) {
        return None;
    }
    let origin = context.token_ids.open(token_id);
    if origin.is_none() && !context.token_ids.takes_unsealed(issued, context.now()) {
        return None;
    }
    Some(AccessToken {
        client: ClientId::parse(text("client_id")?).ok()?,
        subject: SubjectId::parse(claims.subject.as_deref()?).ok()?,
        audience: claims.audience.as_ref()?.sole()?.to_owned(),
        scope: text("scope").unwrap_or_default().to_owned(),
        issued_at,
        expires_at: claims.expires?.seconds() as i64,
        digest: TokenDigest::of(token_id),
        token_id: Some(token_id.to_owned()),
        origin,
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
        origin: record.origin,
        digest,
    }
}
