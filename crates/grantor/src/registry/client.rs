//! Clients: what is registered about one (RFC 7591 §2).

use grantor_jose::Algorithm;
use serde::{Deserialize, Serialize};

use super::{ClientKey, ClientSecret, Revision};
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
