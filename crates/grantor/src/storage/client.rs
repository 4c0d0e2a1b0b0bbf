//! Clients: what is registered about one (RFC 7591 §2), and where it is found.

use std::sync::Arc;

use async_trait::async_trait;
use grantor_jose::{Algorithm, VerificationKey, crypto};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{ClientKey, Revision, StoreError, revision::TRIES};
use crate::{
    clock::UnixTime,
    types::{AuthMethod, ClientId, GrantType, Scope},
};

/// Which audience a client may put into its client authentication JWT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AudiencePolicy {
    /// The issuer identifier only (RFC 10070 §4).
    #[default]
    Strict,
    /// Also the token endpoint URL, as RFC 7523 allowed and many client libraries still send.
    Legacy,
}

/// Which form of grant assertion a client sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssertionProfile {
    /// RFC 7523 with `sub` and `jti` required.
    #[default]
    Standard,
    /// What libraries for Google service accounts send: a fixed audience, no `jti`, and no `sub`
    /// for the client itself.
    ServiceAccount,
}

/// Which access tokens a client gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenFormat {
    /// A signed JWT (RFC 9068).
    #[default]
    Jwt,
    /// A random string, known to the server by its digest.
    Opaque,
}

/// What is registered about a client, apart from its keys and secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientMetadata {
    /// `client_id`
    pub id: ClientId,
    /// The one method this client authenticates with (`token_endpoint_auth_method`).
    pub auth_method: AuthMethod,
    /// The grants it may use.
    pub grant_types: Vec<GrantType>,
    /// The widest scope it may get.
    pub scope: Scope,
    /// The one algorithm its assertions are signed with (`token_endpoint_auth_signing_alg`); any
    /// fitting one if absent.
    #[serde(with = "algorithm_name")]
    pub signing_algorithm: Option<Algorithm>,
    /// The audience of its client authentication JWT.
    pub audience_policy: AudiencePolicy,
    /// The form of its grant assertions.
    pub assertion_profile: AssertionProfile,
    /// The form of its access tokens.
    pub token_format: TokenFormat,
    /// A disabled client is refused on its next request.
    pub enabled: bool,
    /// When it was registered.
    pub created_at: UnixTime,
}

mod algorithm_name {
    use grantor_jose::Algorithm;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(
        algorithm: &Option<Algorithm>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        algorithm.map(Algorithm::name).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Algorithm>, D::Error> {
        let name = Option::<String>::deserialize(deserializer)?;
        let known = |name: String| {
            Algorithm::from_name(&name).ok_or_else(|| D::Error::custom("unknown algorithm"))
        };
        name.map(known).transpose()
    }
}

impl ClientMetadata {
    /// A new enabled client with the defaults: both grants, no scope, strict audience, JWT access
    /// tokens.
    pub fn new(id: ClientId, auth_method: AuthMethod, created_at: UnixTime) -> Self {
        let grant_types = match auth_method == AuthMethod::NONE {
            true => vec![GrantType::JWT_BEARER],
            false => vec![GrantType::CLIENT_CREDENTIALS, GrantType::JWT_BEARER],
        };
        Self {
            id,
            auth_method,
            grant_types,
            scope: Scope::default(),
            signing_algorithm: None,
            audience_policy: AudiencePolicy::default(),
            assertion_profile: AssertionProfile::default(),
            token_format: TokenFormat::default(),
            enabled: true,
            created_at,
        }
    }
}

/// A secret the server made for a client, with an optional end (RFC 7591 §3.2.1,
/// `client_secret_expires_at`).
#[derive(Clone, Debug)]
pub struct ClientSecret {
    value: SecretValue,
    /// From then on the secret is refused; `None` for never.
    pub expires_at: Option<UnixTime>,
}

#[derive(Clone)]
enum SecretValue {
    Digest([u8; 32]),
    Readable {
        secret: Zeroizing<String>,
        key: Arc<VerificationKey>,
    },
}

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

impl ClientSecret {
    /// A new random secret of 64 characters of `[A-Za-z0-9_-]`: 384 bits, enough for HS512.
    pub fn generate() -> Zeroizing<String> {
        Zeroizing::new(grantor_jose::base64url_encode(crypto::random_bytes::<48>()))
    }

    /// Keeps only the SHA-256 digest: for `client_secret_basic` and `client_secret_post`. A random
    /// secret of 384 bits needs no slow hash. One longer than [`PresentedSecret::MAX_BYTES`]
    /// never matches.
    pub fn digest(secret: &str, expires_at: Option<UnixTime>) -> Self {
        Self::from_digest(crypto::sha256(&[secret.as_bytes()]), expires_at)
    }

    /// From a stored digest.
    pub fn from_digest(digest: [u8; 32], expires_at: Option<UnixTime>) -> Self {
        Self {
            value: SecretValue::Digest(digest),
            expires_at,
        }
    }

    /// Keeps the secret itself: for `client_secret_jwt`, whose MAC cannot be verified without.
    ///
    /// # Errors
    /// [`grantor_jose::JwkError::WeakSecret`] below 32 octets (RFC 7518 §3.2).
    pub fn readable(
        secret: Zeroizing<String>,
        expires_at: Option<UnixTime>,
    ) -> Result<Self, grantor_jose::JwkError> {
        let key = Arc::new(VerificationKey::from_secret(secret.as_bytes(), None)?);
        Ok(Self {
            value: SecretValue::Readable { secret, key },
            expires_at,
        })
    }

    /// Whether `presented` is this secret and `now` is before its end. Takes the same time for
    /// every wrong secret.
    pub fn matches(&self, presented: &PresentedSecret, now: UnixTime) -> bool {
        let SecretValue::Digest(digest) = &self.value else {
            return false;
        };
        crypto::constant_time_eq(digest, &presented.0) && self.is_live(now)
    }

    /// The HMAC key, of a readable secret before its end.
    pub fn mac_key(&self, now: UnixTime) -> Option<&Arc<VerificationKey>> {
        match &self.value {
            SecretValue::Readable { key, .. } if self.is_live(now) => Some(key),
            _ => None,
        }
    }

    /// The digest, if that is what is kept.
    pub fn stored_digest(&self) -> Option<&[u8; 32]> {
        match &self.value {
            SecretValue::Digest(digest) => Some(digest),
            SecretValue::Readable { .. } => None,
        }
    }

    /// The secret itself, if that is what is kept: to be encrypted before it is written anywhere.
    pub fn expose(&self) -> Option<&str> {
        match &self.value {
            SecretValue::Readable { secret, .. } => Some(secret),
            SecretValue::Digest(_) => None,
        }
    }

    /// The same secret, ending at `end` at the latest.
    #[must_use]
    pub fn ending_at(self, end: UnixTime) -> Self {
        Self {
            expires_at: Some(self.expires_at.map_or(end, |expiry| expiry.min(end))),
            ..self
        }
    }

    /// Whether `now` is before its end.
    pub fn is_live(&self, now: UnixTime) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// The digest of a secret that somebody presents: taken once, whether or not there is anything to
/// compare it with, so that the time does not tell how many secrets a client has, nor whether there
/// is such a client.
pub struct PresentedSecret([u8; 32]);

impl PresentedSecret {
    /// Octets of the longest secret that is looked at; the server's own have 64.
    pub const MAX_BYTES: usize = 1024;

    /// `None` if the secret is longer than any.
    pub fn of(secret: &str) -> Option<Self> {
        (secret.len() <= Self::MAX_BYTES).then(|| Self(crypto::sha256(&[secret.as_bytes()])))
    }
}

impl std::fmt::Debug for PresentedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PresentedSecret(..)")
    }
}

/// How the scopes begin that mean power over this server.
const RESERVED_SCOPE: &str = "grantor:";

/// Why a registration makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// `private_key_jwt` without a public key (RFC 7591 §2).
    #[error("private_key_jwt needs at least one public key")]
    NoKey,
    /// A secret method without a secret of the fitting kind.
    #[error("{0} needs a client secret")]
    NoSecret(AuthMethod),
    /// `none` or `private_key_jwt` with a secret, which nothing would ever check.
    #[error("{0} takes no client secret")]
    UnusedSecret(AuthMethod),
    /// A grant without a way to use it: client_credentials by a public client (RFC 6749 §4.4).
    #[error("client_credentials is for clients that authenticate")]
    PublicClientCredentials,
    /// No grant at all.
    #[error("at least one grant type is needed")]
    NoGrant,
    /// A scope that is kept for what it will mean.
    #[error(
        "scope {0}: scopes that begin with {RESERVED_SCOPE} are the server's own and cannot be registered"
    )]
    ReservedScope(String),
    /// The signing algorithm does not fit the method.
    #[error("signing algorithm {0} does not fit the client authentication method")]
    SigningAlgorithm(Algorithm),
}

/// A registered client, its keys parsed.
#[derive(Clone, Debug)]
pub struct Client {
    metadata: ClientMetadata,
    keys: Vec<ClientKey>,
    secrets: Vec<ClientSecret>,
    revision: Revision,
}

impl Client {
    /// Puts a registration together, if and only if its parts make sense together.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn new(
        metadata: ClientMetadata,
        keys: Vec<ClientKey>,
        secrets: Vec<ClientSecret>,
    ) -> Result<Self, ClientError> {
        check_scope(&metadata.scope, &Scope::default())?;
        Self::from_stored(metadata, keys, secrets)
    }

    /// What a store finds. It may have a scope that could not be registered today.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn from_stored(
        metadata: ClientMetadata,
        keys: Vec<ClientKey>,
        secrets: Vec<ClientSecret>,
    ) -> Result<Self, ClientError> {
        let method = &metadata.auth_method;
        let is = |names: &[AuthMethod]| names.contains(method);
        let has_kind = |digest: bool| {
            secrets
                .iter()
                .any(|secret| secret.stored_digest().is_some() == digest)
        };
        if *method == AuthMethod::PRIVATE_KEY_JWT && keys.is_empty() {
            return Err(ClientError::NoKey);
        }
        let lacks_secret = (is(&[
            AuthMethod::CLIENT_SECRET_BASIC,
            AuthMethod::CLIENT_SECRET_POST,
        ]) && !has_kind(true))
            || (is(&[AuthMethod::CLIENT_SECRET_JWT]) && !has_kind(false));
        if lacks_secret {
            return Err(ClientError::NoSecret(method.clone()));
        }
        if is(&[AuthMethod::NONE, AuthMethod::PRIVATE_KEY_JWT]) && !secrets.is_empty() {
            return Err(ClientError::UnusedSecret(method.clone()));
        }
        if *method == AuthMethod::NONE
            && metadata
                .grant_types
                .contains(&GrantType::CLIENT_CREDENTIALS)
        {
            return Err(ClientError::PublicClientCredentials);
        }
        if metadata.grant_types.is_empty() {
            return Err(ClientError::NoGrant);
        }
        match metadata.signing_algorithm {
            Some(algorithm) if algorithm.is_mac() != is(&[AuthMethod::CLIENT_SECRET_JWT]) => {
                Err(ClientError::SigningAlgorithm(algorithm))
            }
            _ => Ok(Self {
                metadata,
                keys,
                secrets,
                revision: Revision::default(),
            }),
        }
    }

    /// `client_id`
    pub fn id(&self) -> &ClientId {
        &self.metadata.id
    }

    /// What is registered.
    pub fn metadata(&self) -> &ClientMetadata {
        &self.metadata
    }

    /// The public keys, expired and unusable ones included.
    pub fn keys(&self) -> &[ClientKey] {
        &self.keys
    }

    /// The secrets, expired ones included.
    pub fn secrets(&self) -> &[ClientSecret] {
        &self.secrets
    }

    /// Whether it may use this grant.
    pub fn may_use(&self, grant_type: &GrantType) -> bool {
        self.metadata.grant_types.contains(grant_type)
    }

    /// Which registration this is, and which state of it.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The same registration, known to be this one: for backends, and for a client that replaces
    /// one just read.
    #[must_use]
    pub fn with_revision(self, revision: Revision) -> Self {
        Self { revision, ..self }
    }

    /// The same registration with other parts, which replaces the one that was read and no other.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn changed(
        &self,
        metadata: ClientMetadata,
        keys: Vec<ClientKey>,
        secrets: Vec<ClientSecret>,
    ) -> Result<Self, ClientError> {
        // What was registered before the rule may stay, so that such a client can still be
        // disabled.
        check_scope(&metadata.scope, &self.metadata.scope)?;
        Ok(Self::from_stored(metadata, keys, secrets)?.with_revision(self.revision))
    }

    /// Takes the registration apart.
    pub fn into_parts(self) -> (ClientMetadata, Vec<ClientKey>, Vec<ClientSecret>) {
        (self.metadata, self.keys, self.secrets)
    }
}

/// No scope of the server's own is registered, but for those that are there.
fn check_scope(scope: &Scope, registered: &Scope) -> Result<(), ClientError> {
    let is_new = |token: &&str| !registered.tokens().any(|registered| registered == *token);
    match scope
        .tokens()
        .filter(is_new)
        .find(|token| token.starts_with(RESERVED_SCOPE))
    {
        Some(token) => Err(ClientError::ReservedScope(token.to_owned())),
        None => Ok(()),
    }
}

/// Finds clients. On the request path, so an implementation keeps parsed clients at hand.
#[async_trait]
pub trait ClientSource: Send + Sync + 'static {
    /// The client of this name, if and only if it is registered; disabled clients are answered too.
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError>;
}

/// Changes clients.
#[async_trait]
pub trait ClientRegistry: ClientSource {
    /// Registers a client, if and only if neither a client nor a subject has this name (RFC 9700
    /// §4.15).
    async fn client_create(&self, client: Client) -> Result<(), StoreError>;
    /// Replaces the registration of the client with the same name, if and only if its revision is
    /// still the one that `client` was read at; else [`StoreError::Conflict`].
    /// [`client_change`] reads, changes and replaces.
    async fn client_update(&self, client: Client) -> Result<(), StoreError>;
    /// Removes a client with its keys, secrets and permissions, if and only if there is one.
    async fn client_delete(&self, id: &ClientId) -> Result<(), StoreError>;
    /// All clients in order of their names.
    async fn client_list(&self) -> Result<Vec<Arc<Client>>, StoreError>;
}

/// Changes a client: `change` is called with the registration as it is, again if somebody else
/// changes it at the same time, so that no change is lost. Answers the registration as it was made.
///
/// # Errors
/// What `change` says; [`StoreError::Missing`] without such a client; [`StoreError::Conflict`] if
/// others change it all the time.
pub async fn client_change<E: From<StoreError>>(
    registry: &(impl ClientRegistry + ?Sized),
    id: &ClientId,
    mut change: impl FnMut(&Client) -> Result<Client, E>,
) -> Result<Client, E> {
    for _ in 0..TRIES {
        let client = registry
            .client(id)
            .await?
            .ok_or(StoreError::Missing("client"))?;
        let changed = change(&client)?;
        match registry.client_update(changed.clone()).await {
            Err(StoreError::Conflict(_)) => {}
            replaced => return replaced.map(|()| changed).map_err(E::from),
        }
    }
    Err(StoreError::Conflict("client").into())
}
