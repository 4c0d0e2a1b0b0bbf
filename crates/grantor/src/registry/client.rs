//! Clients: what is registered about one (RFC 7591 §2).

use grantor_jose::Algorithm;
use serde::{Deserialize, Serialize};

use super::{Authentication, ClientKey, ClientSecret, Revision};
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

/// What is registered about a client, apart from its keys and secrets: the document that stores
/// keep. A member that has a default may be missing there, and an unknown one is passed over, so
/// that documents of other versions can be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClientMetadata {
    /// `client_id`
    pub id: ClientId,
    /// The one method this client authenticates with (`token_endpoint_auth_method`).
    pub auth_method: AuthMethod,
    /// The grants it may use.
    pub grant_types: Vec<GrantType>,
    /// The widest scope it may get.
    #[serde(default)]
    pub scope: Scope,
    /// The one algorithm its assertions are signed with (`token_endpoint_auth_signing_alg`); any
    /// fitting one if absent.
    #[serde(with = "algorithm_name", default)]
    pub signing_algorithm: Option<Algorithm>,
    /// The audience of its client authentication JWT.
    #[serde(default)]
    pub audience_policy: AudiencePolicy,
    /// The form of its grant assertions.
    #[serde(default)]
    pub assertion_profile: AssertionProfile,
    /// The form of its access tokens.
    #[serde(default)]
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
    authentication: Authentication,
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
        let authentication = Authentication::new(
            &metadata.auth_method,
            metadata.signing_algorithm,
            keys,
            secrets,
        )?;
        let is_public = matches!(authentication, Authentication::Public { .. });
        if is_public
            && metadata
                .grant_types
                .contains(&GrantType::CLIENT_CREDENTIALS)
        {
            return Err(ClientError::PublicClientCredentials);
        }
        if metadata.grant_types.is_empty() {
            return Err(ClientError::NoGrant);
        }
        Ok(Self {
            metadata,
            authentication,
            revision: Revision::default(),
        })
    }

    /// `client_id`
    pub fn id(&self) -> &ClientId {
        &self.metadata.id
    }

    /// What is registered.
    pub fn metadata(&self) -> &ClientMetadata {
        &self.metadata
    }

    /// How it authenticates, with its keys and secrets.
    pub fn authentication(&self) -> &Authentication {
        &self.authentication
    }

    /// The public keys, expired and unusable ones included.
    pub fn keys(&self) -> &[ClientKey] {
        self.authentication.keys()
    }

    /// The secrets, expired ones included.
    pub fn secrets(&self) -> &[ClientSecret] {
        self.authentication.secrets()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As the first databases hold it.
    const STORED: &str = r#"{"id":"billing","auth_method":"private_key_jwt","grant_types":["client_credentials","urn:ietf:params:oauth:grant-type:jwt-bearer"],"scope":"read write","signing_algorithm":"ES256","audience_policy":"legacy","assertion_profile":"service_account","token_format":"opaque","enabled":true,"created_at":1800000000000}"#;

    fn read(document: &str) -> ClientMetadata {
        serde_json::from_str(document).expect("readable")
    }

    #[test]
    fn a_stored_document_is_read_and_written_as_it_was() {
        let metadata = read(STORED);
        assert_eq!(metadata.auth_method, AuthMethod::PRIVATE_KEY_JWT);
        assert_eq!(metadata.signing_algorithm, Some(Algorithm::Es256));
        assert_eq!(metadata.token_format, TokenFormat::Opaque);
        assert_eq!(serde_json::to_string(&metadata).expect("JSON"), STORED);
    }

    #[test]
    fn a_document_of_another_version_is_read() {
        let with_more = STORED.replace(r#""enabled":true"#, r#""enabled":true,"later":{"a":1}"#);
        assert_eq!(read(&with_more), read(STORED));
        let with_less = r#"{"id":"billing","auth_method":"private_key_jwt","grant_types":["client_credentials","urn:ietf:params:oauth:grant-type:jwt-bearer"],"enabled":true,"created_at":1800000000000}"#;
        let id = ClientId::parse("billing").expect("a client id");
        let at = UnixTime::from_millis(1_800_000_000_000);
        assert_eq!(
            read(with_less),
            ClientMetadata::new(id, AuthMethod::PRIVATE_KEY_JWT, at)
        );
    }

    #[test]
    fn a_document_that_does_not_say_whether_the_client_is_enabled_is_not_read() {
        let silent = STORED.replace(r#""enabled":true,"#, "");
        assert!(serde_json::from_str::<ClientMetadata>(&silent).is_err());
    }
}
