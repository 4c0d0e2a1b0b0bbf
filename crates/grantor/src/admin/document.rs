//! A client as operators see it, in the words of RFC 7591 §2 and a few of our own. Never a secret.

use grantor_jose::{
    Algorithm, Jwk, JwkSet, VerificationKey,
    json::{self, Object, Value},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    clock::UnixTime,
    registry::{
        AssertionProfile, AudiencePolicy, Client, ClientError, ClientKey, ClientMetadata,
        TokenFormat,
    },
    types::{AuthMethod, ClientId, ErrorCode, GrantType, Scope},
};

/// What is registered about a client: what `client show` prints, and what a registration is read
/// from.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ClientDocument {
    /// The client's name.
    pub client_id: ClientId,
    /// Whether it is accepted.
    pub enabled: bool,
    /// How it authenticates.
    pub token_endpoint_auth_method: AuthMethod,
    /// The one algorithm its assertions are signed with; any fitting one if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg: Option<String>,
    /// The grants it may use.
    pub grant_types: Vec<GrantType>,
    /// The widest scope it may get.
    pub scope: Scope,
    /// The audience of its client authentication JWT.
    pub audience_policy: AudiencePolicy,
    /// The form of its grant assertions.
    pub assertion_profile: AssertionProfile,
    /// The form of its access tokens.
    pub token_format: TokenFormat,
    /// When it was registered (RFC 3339). Not read: a registration keeps its own.
    pub created_at: String,
    /// Its public keys that can be used.
    pub jwks: PublicJwks,
    /// Until when each key works, by its name.
    pub keys: Vec<KeyEntry>,
    /// Until when each secret works. Not read: the server makes secrets.
    pub secrets: Vec<SecretEntry>,
}

/// A JWK Set of public keys (RFC 7517 §5).
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PublicJwks {
    /// The keys.
    pub keys: Vec<Jwk>,
}

/// What is registered about a key beside the JWK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KeyEntry {
    /// Its `kid`, else its thumbprint.
    pub name: String,
    /// From then on it is refused (RFC 3339); never if absent.
    pub expires_at: Option<String>,
    /// Why it verifies nothing. Not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// What is shown of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SecretEntry {
    /// From then on it is refused (RFC 3339); never if absent.
    pub expires_at: Option<String>,
}

/// What is wrong with a client document, where, and what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("member '{member}': {problem}")]
#[non_exhaustive]
pub struct DocumentError {
    /// The member.
    pub member: String,
    /// What is wrong with it, or what is expected there.
    pub problem: String,
}

impl DocumentError {
    fn new(member: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            member: member.into(),
            problem: problem.into(),
        }
    }

    /// The error code of a registration with it (RFC 7591 §3.2.2).
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        ErrorCode::from_static("invalid_client_metadata")
    }
}

/// The member whose change mends it, and how.
impl From<ClientError> for DocumentError {
    fn from(error: ClientError) -> Self {
        let (member, remedy) = match &error {
            ClientError::NoKey => ("jwks", "add a public key"),
            ClientError::NoSecret(_) => (
                "token_endpoint_auth_method",
                "have a secret made, or choose private_key_jwt",
            ),
            ClientError::UnusedSecret(_) => (
                "token_endpoint_auth_method",
                "choose a method with a secret, or have none made",
            ),
            ClientError::PublicClientCredentials => (
                "grant_types",
                "leave out client_credentials, or choose another method",
            ),
            ClientError::NoGrant => ("grant_types", "name one"),
            ClientError::ReservedScope(_) => ("scope", "leave it out"),
            ClientError::SigningAlgorithm(_) => (
                "token_endpoint_auth_signing_alg",
                "choose one that fits, or leave it out",
            ),
            ClientError::TooManyRedirectUris(_) => ("redirect_uris", "leave some out"),
            ClientError::NoRedirectUri => (
                "redirect_uris",
                "add one, or leave authorization_code out of grant_types",
            ),
            ClientError::RefreshWithoutCode => (
                "grant_types",
                "add authorization_code, or leave refresh_token out",
            ),
            ClientError::PublicImplied => ("consent", "choose ask, or another method"),
            ClientError::PermissionLifetime => {
                ("permission_lifetime", "name seconds, or leave it out")
            }
        };
        Self::new(member, format!("{error}; {remedy}"))
    }
}

impl ClientDocument {
    /// What is registered about this client; `now` tells which keys have ended.
    #[must_use]
    pub fn of(client: &Client, now: UnixTime) -> Self {
        let metadata = client.metadata();
        let usable = client.keys().iter().filter_map(ClientKey::jwk).cloned();
        Self {
            client_id: metadata.id.clone(),
            enabled: metadata.enabled,
            token_endpoint_auth_method: metadata.auth_method.clone(),
            token_endpoint_auth_signing_alg: metadata
                .signing_algorithm
                .map(|algorithm| algorithm.name().to_owned()),
            grant_types: metadata.grant_types.clone(),
            scope: metadata.scope.clone(),
            audience_policy: metadata.audience_policy,
            assertion_profile: metadata.assertion_profile,
            token_format: metadata.token_format,
            created_at: time_text(metadata.created_at),
            jwks: PublicJwks {
                keys: usable.collect(),
            },
            keys: client
                .keys()
                .iter()
                .map(|key| KeyEntry::of(key, now))
                .collect(),
            secrets: client
                .secrets()
                .iter()
                .map(|secret| SecretEntry {
                    expires_at: secret.expires_at.map(time_text),
                })
                .collect(),
        }
    }

    /// Reads a document strictly: what is unknown in it, or there twice, is refused. What is left
    /// out has the default of [`ClientMetadata::new`].
    ///
    /// # Errors
    /// [`DocumentError`], with the member
    pub fn parse(text: &[u8]) -> Result<Self, DocumentError> {
        let object = json::parse_object(text)
            .map_err(|error| DocumentError::new("", format!("{error}; write a JSON object")))?;
        let mut members = Members(object);
        let id = members.required("client_id")?;
        let method = members.required("token_endpoint_auth_method")?;
        let defaults = ClientMetadata::new(id, method, UnixTime::from_millis(0));
        let document = Self {
            client_id: defaults.id,
            enabled: members.optional("enabled")?.unwrap_or(true),
            token_endpoint_auth_method: defaults.auth_method,
            token_endpoint_auth_signing_alg: members.optional("token_endpoint_auth_signing_alg")?,
            grant_types: members
                .optional("grant_types")?
                .unwrap_or(defaults.grant_types),
            scope: members.optional("scope")?.unwrap_or_default(),
            audience_policy: members.optional("audience_policy")?.unwrap_or_default(),
            assertion_profile: members.optional("assertion_profile")?.unwrap_or_default(),
            token_format: members.optional("token_format")?.unwrap_or_default(),
            created_at: members.optional("created_at")?.unwrap_or_default(),
            jwks: PublicJwks {
                keys: members.jwks()?,
            },
            keys: members.optional("keys")?.unwrap_or_default(),
            secrets: members.optional("secrets")?.unwrap_or_default(),
        };
        members.end()?;
        Ok(document)
    }

    /// What it registers: the metadata, with the time of registration that is given here, and the
    /// public keys.
    ///
    /// # Errors
    /// [`DocumentError`], with the member
    pub fn registration(
        &self,
        created_at: UnixTime,
    ) -> Result<(ClientMetadata, Vec<ClientKey>), DocumentError> {
        const ALGORITHM: &str = "token_endpoint_auth_signing_alg";
        let known = |name: &String| {
            Algorithm::from_name(name)
                .ok_or_else(|| DocumentError::new(ALGORITHM, "not supported; leave it out"))
        };
        let algorithm = self.token_endpoint_auth_signing_alg.as_ref();
        let metadata = ClientMetadata {
            grant_types: self.grant_types.clone(),
            scope: self.scope.clone(),
            signing_algorithm: algorithm.map(known).transpose()?,
            audience_policy: self.audience_policy,
            assertion_profile: self.assertion_profile,
            token_format: self.token_format,
            enabled: self.enabled,
            ..ClientMetadata::new(
                self.client_id.clone(),
                self.token_endpoint_auth_method.clone(),
                created_at,
            )
        };
        Ok((metadata, self.public_keys()?))
    }

    fn public_keys(&self) -> Result<Vec<ClientKey>, DocumentError> {
        let mut keys = Vec::new();
        for jwk in &self.jwks.keys {
            jwk.vet().map_err(unusable)?;
            let key = VerificationKey::from_jwk(jwk.clone()).map_err(unusable)?;
            let key = ClientKey::new(key, None);
            let entry = self.keys.iter().find(|entry| entry.name == key.name());
            let end = entry.and_then(|entry| entry.expires_at.as_deref());
            keys.push(match end.map(read_time).transpose()? {
                Some(end) => key.ending_at(end),
                None => key,
            });
        }
        let is_there = |entry: &&KeyEntry| keys.iter().any(|key| key.name() == entry.name);
        let lost = self.keys.iter().find(|entry| !is_there(entry));
        match lost.filter(|entry| entry.refused.is_none()) {
            Some(entry) => Err(DocumentError::new(
                "keys",
                format!("'{}' is no key of jwks; add it there", entry.name),
            )),
            None => Ok(keys),
        }
    }
}

impl KeyEntry {
    fn of(key: &ClientKey, now: UnixTime) -> Self {
        let unusable = key.usable().err().map(ToString::to_string);
        let refused = unusable.or_else(|| (!key.is_live(now)).then(|| "expired".to_owned()));
        Self {
            name: key.name().into_owned(),
            expires_at: key.expires_at.map(time_text),
            refused,
        }
    }
}

/// The members of a document that were not looked at yet.
struct Members(Object);

impl Members {
    fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, DocumentError> {
        let value = self.0.remove(name);
        value
            .map(serde_json::from_value)
            .transpose()
            .map_err(|error| DocumentError::new(name, error.to_string()))
    }

    fn required<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, DocumentError> {
        self.optional(name)?
            .ok_or_else(|| DocumentError::new(name, "missing; name it"))
    }

    /// The public keys. A private one is refused, as is one that can never be used.
    fn jwks(&mut self) -> Result<Vec<Jwk>, DocumentError> {
        let Some(set) = self.optional::<Value>("jwks")? else {
            return Ok(Vec::new());
        };
        let set = serde_json::to_vec(&set).expect("a JSON value is JSON");
        let set = JwkSet::parse(&set).map_err(unusable)?;
        match set.skipped.first() {
            Some(skipped) => Err(unusable(format!(
                "key {}: {}",
                skipped.index, skipped.reason
            ))),
            None => Ok(set
                .keys
                .iter()
                .filter_map(|key| key.jwk().cloned())
                .collect()),
        }
    }

    fn end(self) -> Result<(), DocumentError> {
        match self.0.keys().next() {
            Some(name) => Err(DocumentError::new(name, "unknown; leave it out")),
            None => Ok(()),
        }
    }
}

fn unusable(problem: impl ToString) -> DocumentError {
    DocumentError::new("jwks", problem.to_string())
}

/// A time in UTC (RFC 3339), in whole seconds.
#[must_use]
pub fn time_text(at: UnixTime) -> String {
    jiff::Timestamp::from_second(at.seconds())
        .map_or_else(|_| at.to_string(), |timestamp| timestamp.to_string())
}

fn read_time(text: &str) -> Result<UnixTime, DocumentError> {
    let wrong = || {
        DocumentError::new(
            "keys",
            "expires_at: expected a time such as 2030-01-31T12:00:00Z",
        )
    };
    let at: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
    Ok(UnixTime::from_millis(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use grantor_jose::PrivateJwk;

    use super::*;
    use crate::registry::ClientSecret;

    const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);

    fn client(method: AuthMethod, change: impl FnOnce(&mut ClientMetadata)) -> Client {
        let id = ClientId::parse("billing").expect("an identifier");
        let mut metadata = ClientMetadata::new(id, method.clone(), NOW);
        change(&mut metadata);
        let key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
        let key = VerificationKey::from_jwk(key.public()).expect("a public key");
        let end = NOW.plus(Duration::from_secs(3600));
        let secret = || ClientSecret::digest("secret", Some(end));
        let secrets = (method == AuthMethod::CLIENT_SECRET_BASIC).then(secret);
        let keys = vec![ClientKey::new(key, Some(end))];
        Client::new(metadata, keys, secrets.into_iter().collect()).expect("a client")
    }

    fn read_back(client: &Client) -> ClientDocument {
        let text = serde_json::to_vec(&ClientDocument::of(client, NOW)).expect("JSON");
        let document = ClientDocument::parse(&text).expect("a document");
        assert_eq!(serde_json::to_vec(&document).expect("JSON"), text);
        document
    }

    #[test]
    fn what_is_written_registers_the_same() {
        let clients = [
            client(AuthMethod::PRIVATE_KEY_JWT, |_| ()),
            client(AuthMethod::NONE, |metadata| metadata.enabled = false),
            client(AuthMethod::CLIENT_SECRET_BASIC, |metadata| {
                metadata.scope = Scope::parse("a b").expect("a scope");
                metadata.signing_algorithm = Some(Algorithm::Es256);
                metadata.audience_policy = AudiencePolicy::Legacy;
                metadata.assertion_profile = AssertionProfile::ServiceAccount;
                metadata.token_format = TokenFormat::Opaque;
                metadata.grant_types = vec![GrantType::JWT_BEARER];
            }),
        ];
        for client in &clients {
            let read = read_back(client).registration(NOW);
            let (metadata, keys) = read.expect("a registration");
            assert_eq!(&metadata, client.metadata());
            assert_eq!(keys.len(), 1);
            assert_eq!(keys[0].to_stored(), client.keys()[0].to_stored());
            assert_eq!(keys[0].expires_at, client.keys()[0].expires_at);
        }
    }

    #[test]
    fn what_is_left_out_has_its_default_and_what_is_wrong_is_named() {
        let least = r#"{"client_id":"billing","token_endpoint_auth_method":"none"}"#;
        let document = ClientDocument::parse(least.as_bytes()).expect("a document");
        let (metadata, keys) = document.registration(NOW).expect("a registration");
        let id = ClientId::parse("billing").expect("an identifier");
        assert_eq!(metadata, ClientMetadata::new(id, AuthMethod::NONE, NOW));
        assert!(keys.is_empty());
        for (more, member) in [
            (r#""client_name":"x""#, "client_name"),
            (r#""scope":7"#, "scope"),
            (r#""scope":"a""#, ""),
            (r#""enabled":null"#, "enabled"),
            (r#""jwks":{"keys":[{"kty":"EC","d":"AA"}]}"#, "jwks"),
            (r#""jwks":7"#, "jwks"),
            (r#""keys":[{"name":"x"}]"#, "keys"),
            (
                r#""token_endpoint_auth_signing_alg":"ES257""#,
                "token_endpoint_auth_signing_alg",
            ),
        ] {
            let text = format!("{},{more}}}", least.trim_end_matches('}'));
            let read = ClientDocument::parse(text.as_bytes())
                .and_then(|document| document.registration(NOW));
            let wrong = read.err();
            let found = wrong.as_ref().map_or("", |error| error.member.as_str());
            assert_eq!(found, member, "{text}: {wrong:?}");
        }
        let missing = ClientDocument::parse(b"{}").expect_err("nothing");
        assert_eq!(
            (missing.member.as_str(), missing.code().as_str()),
            ("client_id", "invalid_client_metadata")
        );
    }
}
