//! Finding out what an access token of this server stands for, whatever its form: for introspection
//! and revocation.

use grantor_jose::{Claims, Unverified};

use serde::{Deserialize, Serialize};

use super::{
    Context,
    token_id::{Claimed, TokenOrigin},
};
use crate::{
    clock::UnixTime,
    registry::{Client, Revision},
    storage::{ArtifactKey, ArtifactKind, FamilyId, StoreError},
    types::{ClientId, Scope, SubjectId},
};

/// An access token of this server that has neither expired nor been revoked.
#[derive(Debug)]
pub(super) struct AccessToken {
    pub(super) client: ClientId,
    pub(super) subject: SubjectId,
    pub(super) audience: String,
    pub(super) scope: Scope,
    pub(super) issued_at: i64,
    pub(super) expires_at: i64,
    /// `jti`, of a JWT.
    pub(super) token_id: Option<String>,
    /// Which registrations it was issued for; `None` if an earlier version issued it, which did
    /// not tell.
    pub(super) origin: Option<TokenOrigin>,
    /// Under which it is revoked. For a JWT made of the `jti`, because an ECDSA signature can be
    /// rewritten by anybody.
    pub(super) family: FamilyId,
}

/// What is recorded of an opaque access token: a stored format.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OpaqueToken {
    /// The client that got it.
    pub(super) client: ClientId,
    /// The subject that it is about.
    pub(super) subject: SubjectId,
    /// What it allows.
    pub(super) scope: Scope,
    /// The API that it is for.
    pub(super) audience: String,
    /// When it was issued.
    pub(super) issued_at: UnixTime,
    /// When it ends.
    pub(super) expires_at: UnixTime,
    /// Which registrations it was issued for; `None` in a record of an earlier version.
    #[serde(default)]
    pub(super) origin: Option<TokenOrigin>,
}

/// Under what an opaque access token is recorded.
pub(super) fn key_of(token: &str) -> ArtifactKey {
    ArtifactKey::of(ArtifactKind::ACCESS_TOKEN, token)
}

impl AccessToken {
    /// When it was issued.
    pub(super) fn start(&self) -> UnixTime {
        UnixTime::from_millis(self.issued_at.saturating_mul(1000))
    }

    /// When it expires.
    pub(super) fn end(&self) -> UnixTime {
        UnixTime::from_millis(self.expires_at.saturating_mul(1000))
    }

    /// Whether it was issued to this client, and not to an earlier one of the same name.
    pub(super) fn is_of(&self, client: &Client) -> bool {
        self.client == *client.id()
            && self.is_under(
                |origin| Some(origin.client),
                client.revision(),
                Some(client.metadata().created_at),
            )
    }

    /// Whether it was issued for this registration: by its number or, where an earlier version
    /// issued it and told none, because the registration is older.
    pub(super) fn is_under(
        &self,
        number: impl FnOnce(TokenOrigin) -> Option<u64>,
        revision: Revision,
        created_at: Option<UnixTime>,
    ) -> bool {
        match self.origin {
            Some(origin) => number(origin).is_none_or(|number| number == revision.number),
            None => created_at.is_none_or(|created_at| created_at.seconds() <= self.issued_at),
        }
    }
}

/// The access token that this text is; `None` for anything else, and for one that has expired or
/// was revoked.
pub(super) async fn find(context: &Context, text: &str) -> Result<Option<AccessToken>, StoreError> {
    let found = match Unverified::parse(text) {
        Ok(jws) => from_jwt(context, jws),
        Err(_) => match context.artifacts.get(&key_of(text), context.now()).await? {
            Some(artifact) => Some(from_record(artifact.read()?, FamilyId::of(text))),
            None => None,
        },
    };
    match found.filter(|token| context.now().seconds() < token.expires_at) {
        Some(token)
            if !context
                .artifacts
                .family_has_ended(&token.family, token.start())
                .await? =>
        {
            Ok(Some(token))
        }
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
    let claimed = Claimed {
        client: text("client_id")?,
        subject: claims.subject.as_deref()?,
        audience: claims.audience.as_ref()?.sole()?,
        scope: text("scope").unwrap_or_default(),
        issued_at: claims.issued_at?.seconds() as i64,
        expires_at: claims.expires?.seconds() as i64,
    };
    let issued_at = UnixTime::from_millis(claimed.issued_at.saturating_mul(1000));
    let origin = context.token_ids.open(token_id, &claimed);
    // What a key signs that signs no more, or not yet, is no token of this server; nor is one
    // without a jti that was made for it.
    if !key.signs_at(issued_at)
        || (origin.is_none() && !context.token_ids.takes_unsealed(issued_at, context.now()))
    {
        return None;
    }
    Some(AccessToken {
        client: ClientId::parse(claimed.client).ok()?,
        subject: SubjectId::parse(claimed.subject).ok()?,
        audience: claimed.audience.to_owned(),
        scope: Scope::parse(claimed.scope).ok()?,
        issued_at: claimed.issued_at,
        expires_at: claimed.expires_at,
        family: FamilyId::of(token_id),
        token_id: Some(token_id.to_owned()),
        origin,
    })
}

fn from_record(record: OpaqueToken, family: FamilyId) -> AccessToken {
    AccessToken {
        client: record.client,
        subject: record.subject,
        audience: record.audience,
        scope: record.scope,
        issued_at: record.issued_at.seconds(),
        expires_at: record.expires_at.seconds(),
        token_id: None,
        origin: record.origin,
        family,
    }
}
