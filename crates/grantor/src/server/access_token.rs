//! Finding out what an access token of this server stands for, whatever its form: for introspection
//! and revocation.

use grantor_jose::{Claims, Unverified};

use serde::{Deserialize, Serialize};

use super::{
    Context,
    power::{self, Power},
    token_id::{Claimed, TokenOrigin},
    trust,
};
use crate::{
    clock::UnixTime,
    registry::{Client, Permissions, Revision, Role},
    storage::{ArtifactKey, ArtifactKind, FamilyId, StoreError},
    types::{ClientId, Scope, SubjectId},
};

/// An access token of this server that has neither expired nor been revoked.
#[derive(Debug)]
pub struct AccessToken {
    client: ClientId,
    subject: SubjectId,
    audience: String,
    scope: Scope,
    issued_at: i64,
    expires_at: i64,
    auth_time: Option<UnixTime>,
    /// `jti`, of a JWT.
    token_id: Option<String>,
    /// Which registrations it was issued for; `None` if an earlier version issued it, which did
    /// not tell.
    origin: Option<TokenOrigin>,
    /// Under which it is revoked. For a JWT made of the `jti`, because an ECDSA signature can be
    /// rewritten by anybody.
    family: FamilyId,
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
    /// When the subject signed in, where the grant knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) auth_time: Option<UnixTime>,
    /// Which registrations it was issued for; `None` in a record of an earlier version.
    #[serde(default)]
    pub(super) origin: Option<TokenOrigin>,
}

/// Under what an opaque access token is recorded.
pub(super) fn key_of(token: &str) -> ArtifactKey {
    ArtifactKey::of(ArtifactKind::ACCESS_TOKEN, token)
}

impl AccessToken {
    /// The client that it was issued to.
    pub fn client(&self) -> &ClientId {
        &self.client
    }

    /// Whom it is about.
    pub fn subject(&self) -> &SubjectId {
        &self.subject
    }

    /// Whom it is for.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// What it allows.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What it allows at the admin API; `None` if it allows nothing there, as every token for another
    /// resource.
    pub fn role(&self) -> Option<Role> {
        Role::of_scope(&self.scope)
    }

    /// `jti`, of a JWT.
    pub fn token_id(&self) -> Option<&str> {
        self.token_id.as_deref()
    }

    /// Under what it is revoked.
    pub(super) fn family(&self) -> FamilyId {
        self.family
    }

    /// When it was issued.
    pub fn start(&self) -> UnixTime {
        from_seconds(self.issued_at)
    }

    /// When it expires.
    pub fn end(&self) -> UnixTime {
        from_seconds(self.expires_at)
    }

    /// When the subject signed in, if the grant knew.
    pub fn auth_time(&self) -> Option<UnixTime> {
        self.auth_time
    }

    /// What it ends with, beside registrations. The record of an opaque one ends with the tokens of
    /// its authorization by itself.
    fn families(&self) -> impl Iterator<Item = FamilyId> {
        let of_jwt = self.origin.filter(|_| self.token_id.is_some());
        let shared = of_jwt.and_then(|origin| origin.family);
        [Some(self.family), shared.map(|family| family.id())]
            .into_iter()
            .flatten()
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

impl AccessToken {
    /// Of these permissions, those that it was issued under.
    fn under(&self, permissions: Permissions) -> Permissions {
        match self.origin {
            Some(origin) => permissions.still(origin.permissions()),
            None => Permissions::of(permissions.operator().cloned().filter(|permission| {
                self.is_under(|_| None, permission.revision, permission.created_at)
            })),
        }
    }
}

/// The access token that this text is; `None` for anything else, and for one that has expired or
/// was revoked.
pub(super) async fn find(context: &Context, text: &str) -> Result<Option<AccessToken>, StoreError> {
    let found = match Unverified::parse(text) {
        Ok(jws) => from_jwt(context, jws),
        Err(_) => match context
            .artifacts()
            .get(&key_of(text), context.now())
            .await?
        {
            Some(artifact) => Some(from_record(artifact.read()?, FamilyId::of(text))),
            None => None,
        },
    };
    let Some(token) = found.filter(|token| context.now().seconds() < token.expires_at) else {
        return Ok(None);
    };
    for family in token.families() {
        let ended = context.artifacts().family_has_ended(&family, token.start());
        if ended.await? {
            return Ok(None);
        }
    }
    Ok(Some(token))
}

/// The access token that this text is, with as much of its scope as is still allowed, if and only if
/// it is in force.
pub(super) async fn in_force(
    context: &Context,
    text: &str,
) -> Result<Option<AccessToken>, StoreError> {
    let Some(token) = find(context, text).await? else {
        return Ok(None);
    };
    let scope = scope_in_force(context, &token).await?;
    Ok(scope.map(|scope| AccessToken { scope, ..token }))
}

/// What the token may still do.
struct Allowed {
    scope: Scope,
    power: Power,
}

impl Allowed {
    fn within(self, scope: &Scope) -> Self {
        Self {
            scope: self.scope.intersection(scope),
            power: self.power.named_in(scope),
        }
    }
}

/// How much of the token's scope is still allowed: of one for the admin API the server's own scopes,
/// of any other all but them. `None` if the token is not active.
async fn scope_in_force(
    context: &Context,
    token: &AccessToken,
) -> Result<Option<Scope>, StoreError> {
    let is_for_admin = power::is_for_admin(context, &token.audience);
    let allowed = allowed(context, token).await?;
    Ok(allowed.map(|allowed| match is_for_admin {
        true => allowed.power.left_of(&token.scope),
        false => allowed.scope.without_reserved(),
    }))
}

/// Law 4 for tokens: a disabled or deleted client or subject makes its tokens inactive at once, and
/// so does a permission that was withdrawn. Another registration of the same name does not bring
/// them back. Answers what client, trust, permission and role still allow; `None` if the token is
/// not active.
async fn allowed(context: &Context, token: &AccessToken) -> Result<Option<Allowed>, StoreError> {
    let Some(client) = context
        .clients()
        .client(&token.client)
        .await?
        .filter(|client| client.metadata().enabled)
    else {
        return Ok(None);
    };
    if !token.is_of(&client) {
        return Ok(None);
    }
    let mut allowed = Allowed {
        scope: token.scope.intersection(&client.metadata().scope),
        power: match power::is_for_admin(context, &token.audience) {
            true => Power::of_client(&client),
            false => Power::default(),
        },
    };
    if let Some(under) = token.origin.and_then(|origin| origin.trust()) {
        let Some(trust) = trust::in_force(context, under, Some(token.issued_at)).await? else {
            return Ok(None);
        };
        allowed = allowed.within(&trust.scope);
        if !trust.subject.is_existing() {
            return Ok(Some(allowed));
        }
    }
    if token.subject.as_str() == token.client.as_str() {
        return Ok(Some(allowed));
    }
    let Some(subject) = context
        .subjects()
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
        .is_some_and(|origin| origin.permissions().is_none())
    {
        // Issued by a grant of the embedder's own, or to a client that needs no consent: neither
        // gives power.
        let power = Power::default();
        return Ok(Some(Allowed { power, ..allowed }));
    }
    let permissions = context.permissions_of(&client, &token.subject).await?;
    let permissions = token.under(permissions);
    let Some(limit) = permissions.in_force(context.now()) else {
        return Ok(None);
    };
    let power = allowed.power.permitted(&limit);
    Ok(Some(Allowed {
        scope: limit.within(&allowed.scope),
        power: power.of_subject(context, &token.subject).await?,
    }))
}

/// RFC 9068 §4: one of our keys, our `typ`, our issuer.
fn from_jwt(context: &Context, jws: Unverified<'_>) -> Option<AccessToken> {
    let ring = context.signing_keys().key_ring();
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
        auth_time: match claims.other.get("auth_time") {
            Some(auth_time) => Some(auth_time.as_i64()?),
            None => None,
        },
    };
    let issued_at = from_seconds(claimed.issued_at);
    let origin = context.token_ids().open(token_id, &claimed);
    // What a key signs that signs no more, or not yet, is no token of this server; nor is one
    // without a jti that was made for it.
    if !key.signs_at(issued_at)
        || (origin.is_none() && !context.token_ids().takes_unsealed(issued_at, context.now()))
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
        auth_time: claimed.auth_time.map(from_seconds),
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
        auth_time: record.auth_time,
        token_id: None,
        origin: record.origin,
        family,
    }
}

fn from_seconds(seconds: i64) -> UnixTime {
    UnixTime::from_millis(seconds.saturating_mul(1000))
}
