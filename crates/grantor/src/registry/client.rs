//! Clients: what is registered about one (RFC 7591 §2).

use std::time::Duration;

use grantor_jose::Algorithm;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Authentication, ClientKey, ClientSecret, PublicKeys, Revision, Role, Vouching};
use crate::{
    clock::UnixTime,
    types::{
        AuthMethod, ClientId, Description, DisplayName, GrantType, Homepage, Name, Needs,
        RedirectUri, Scope, Shown,
    },
};

/// Which audience a client may put into its client authentication JWT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AudiencePolicy {
    /// The issuer identifier only (RFC 10070 §4).
    #[default]
    Strict,
    /// Also the token endpoint URL, as RFC 7523 allowed and many client libraries still send.
    Legacy,
}

/// Which form of grant assertion a client sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TokenFormat {
    /// A signed JWT (RFC 9068).
    #[default]
    Jwt,
    /// A random string, known to the server by its digest.
    Opaque,
}

/// Whether a person is asked before a client acts for them. Complete: every use of it decides about
/// each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConsentPolicy {
    /// Nobody is asked: only an operator gives permissions.
    #[default]
    Off,
    /// The person is asked once, and again for more.
    Ask,
    /// An organisation's own client: not asked while the person is present, and not allowed to act
    /// while they are absent.
    Implied,
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
    /// Where it takes people back after the authorization endpoint, at most
    /// [`ClientMetadata::MAX_REDIRECT_URIS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<RedirectUri>,
    /// What it is called on pages; its id if absent ([`ClientMetadata::shown_name`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<DisplayName>,
    /// What it does, on pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// A page about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<Homepage>,
    /// Whether people are asked before it acts for them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consent: ConsentPolicy,
    /// Where it publishes its public keys (RFC 7591 §2): none are registered beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<Url>,
    /// How long a person's permission lasts, in whole seconds; until withdrawn if absent.
    #[serde(with = "seconds", default, skip_serializing_if = "Option::is_none")]
    pub permission_lifetime: Option<Duration>,
    /// Whether trusts say how it authenticates: with the JWT of an issuer. Keys beside that are
    /// not needed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub federated: bool,
    /// A disabled client is refused on its next request.
    pub enabled: bool,
    /// When it was registered.
    pub created_at: UnixTime,
    /// The name under which files say what it is (`apply`); `None` where commands and pages do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

pub(crate) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        duration
            .map(|duration| duration.as_secs())
            .serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(Duration::from_secs))
    }
}

pub(crate) mod algorithm_name {
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

/// As [`seconds`], of what is always there.
pub(crate) mod whole_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        duration.as_secs().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_secs)
    }
}

/// As [`algorithm_name`], of several.
pub(crate) mod algorithm_names {
    use grantor_jose::Algorithm;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(algorithms: &[Algorithm], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(algorithms.iter().map(|algorithm| algorithm.name()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Algorithm>, D::Error> {
        let known = |name: String| {
            Algorithm::from_name(&name).ok_or_else(|| D::Error::custom("unknown algorithm"))
        };
        let names = Vec::<String>::deserialize(from)?;
        names.into_iter().map(known).collect()
    }
}

impl ClientMetadata {
    /// Most redirect URIs.
    pub const MAX_REDIRECT_URIS: usize = 20;

    /// A new enabled client with the defaults: both grants of machines, no scope, strict audience,
    /// JWT access tokens, no consent.
    pub fn new(id: ClientId, auth_method: AuthMethod, created_at: UnixTime) -> Self {
        Self {
            id,
            grant_types: Self::default_grants(&auth_method),
            auth_method,
            scope: Scope::default(),
            signing_algorithm: None,
            audience_policy: AudiencePolicy::default(),
            assertion_profile: AssertionProfile::default(),
            token_format: TokenFormat::default(),
            redirect_uris: Vec::new(),
            display_name: None,
            description: None,
            homepage: None,
            consent: ConsentPolicy::default(),
            jwks_uri: None,
            permission_lifetime: None,
            federated: false,
            enabled: true,
            created_at,
            managed_by: None,
        }
    }

    /// The grants of a client that says nothing of them: those of machines, but for a public client,
    /// which cannot use client credentials.
    pub fn default_grants(auth_method: &AuthMethod) -> Vec<GrantType> {
        match *auth_method == AuthMethod::NONE {
            true => vec![GrantType::JWT_BEARER],
            false => vec![GrantType::CLIENT_CREDENTIALS, GrantType::JWT_BEARER],
        }
    }

    /// What pages call it. They show the id beside it.
    pub fn shown_name(&self) -> &str {
        let name = self.display_name.as_ref().map(DisplayName::as_str);
        name.unwrap_or(self.id.as_str())
    }

    /// How a client authenticates that is registered so, with these keys and secrets.
    fn authentication(
        &self,
        keys: Vec<ClientKey>,
        secrets: Vec<ClientSecret>,
    ) -> Result<Authentication, ClientError> {
        let keys = PublicKeys::new(keys, self.jwks_uri.as_ref())?;
        let vouching = match self.federated {
            true => Vouching::Issuer,
            false => Vouching::Itself,
        };
        Authentication::new(
            &self.auth_method,
            self.signing_algorithm,
            keys,
            secrets,
            vouching,
        )
    }

    fn has(&self, grant_type: &GrantType) -> bool {
        self.grant_types.contains(grant_type)
    }
}

/// Why a registration makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// `private_key_jwt` without a public key (RFC 7591 §2).
    #[error("private_key_jwt needs at least one public key")]
    NoKey,
    /// Public keys beside a `jwks_uri` (RFC 7591 §2).
    #[error("public keys are registered or behind jwks_uri, not both")]
    KeysBesideUri,
    /// A `jwks_uri` that is fetched from nowhere (RFC 7591 §5).
    #[error("jwks_uri {0}: expected an https URL on port 443, without user and fragment")]
    JwksUri(Shown),
    /// An issuer vouches by JWTs, and for nothing else.
    #[error("a federated client authenticates by private_key_jwt, with the issuer's JWTs")]
    FederatedMethod,
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
    /// A scope that looks like one of the server's own, and is none.
    #[error(
        "scope {0}: scopes that begin with {reserved}, in whatever case, are the server's own, and \
         those that can be registered are {read}, {write} and {admin}, to the letter",
        reserved = Scope::RESERVED,
        read = Role::Reader.scope(),
        write = Role::Editor.scope(),
        admin = Role::Owner.scope()
    )]
    ReservedScope(String),
    /// The signing algorithm does not fit the method.
    #[error("signing algorithm {0} does not fit the client authentication method")]
    SigningAlgorithm(Algorithm),
    /// More redirect URIs than [`ClientMetadata::MAX_REDIRECT_URIS`].
    #[error(
        "{0} redirect URIs, and at most {most} are kept",
        most = ClientMetadata::MAX_REDIRECT_URIS
    )]
    TooManyRedirectUris(usize),
    /// A code that would have nowhere to go.
    #[error("authorization_code needs at least one redirect URI")]
    NoRedirectUri,
    /// Only the code grant gives refresh tokens.
    #[error("refresh_token needs authorization_code")]
    RefreshWithoutCode,
    /// Anybody can say that they are a public client.
    #[error("implied consent is for clients that authenticate")]
    PublicImplied,
    /// A permission that would end at once.
    #[error("the lifetime of permissions is whole seconds, at least one")]
    PermissionLifetime,
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
        check_code_grant(&metadata)?;
        check_jwks_uri(&metadata)?;
        Self::from_stored(metadata, keys, secrets)
    }

    /// All for which [`Client::new`] would refuse a registration; it tells the first.
    pub fn problems(
        metadata: &ClientMetadata,
        keys: &[ClientKey],
        secrets: &[ClientSecret],
    ) -> Vec<ClientError> {
        let authentication = metadata.authentication(keys.to_vec(), secrets.to_vec());
        let is_public = metadata.auth_method.needs() == Some(Needs::Nothing);
        let rules = [
            check_scope(&metadata.scope, &Scope::default()),
            check_code_grant(metadata),
            check_jwks_uri(metadata),
            authentication.map(drop),
        ];
        let rules = rules.into_iter().chain(rules_of(metadata, is_public));
        rules.filter_map(Result::err).collect()
    }

    /// What a store finds. It may have a scope, or grants, that could not be registered today.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn from_stored(
        metadata: ClientMetadata,
        keys: Vec<ClientKey>,
        secrets: Vec<ClientSecret>,
    ) -> Result<Self, ClientError> {
        let authentication = metadata.authentication(keys, secrets)?;
        let is_public = matches!(authentication, Authentication::Public { .. });
        rules_of(&metadata, is_public)
            .into_iter()
            .collect::<Result<(), _>>()?;
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

    /// The public keys that are registered, expired and unusable ones included.
    pub fn keys(&self) -> &[ClientKey] {
        self.authentication.keys()
    }

    /// The secrets, expired ones included.
    pub fn secrets(&self) -> &[ClientSecret] {
        self.authentication.secrets()
    }

    /// Whether it may use this grant.
    pub fn may_use(&self, grant_type: &GrantType) -> bool {
        self.metadata.has(grant_type)
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

    /// The same registration, of which files under this name say what it is.
    #[must_use]
    pub fn with_manager(mut self, managed_by: Option<Name>) -> Self {
        self.metadata.managed_by = managed_by;
        self
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
        if metadata.grant_types != self.metadata.grant_types
            || metadata.redirect_uris != self.metadata.redirect_uris
        {
            check_code_grant(&metadata)?;
        }
        if metadata.jwks_uri != self.metadata.jwks_uri {
            check_jwks_uri(&metadata)?;
        }
        Ok(Self::from_stored(metadata, keys, secrets)?.with_revision(self.revision))
    }
}

/// What the members of a client have to be among themselves, each rule by itself.
fn rules_of(metadata: &ClientMetadata, is_public: bool) -> [Result<(), ClientError>; 5] {
    let count = metadata.redirect_uris.len();
    let is_whole = |lifetime: Duration| lifetime.as_secs() > 0 && lifetime.subsec_nanos() == 0;
    let rule = |is_kept: bool, error: ClientError| if is_kept { Ok(()) } else { Err(error) };
    [
        rule(
            !(is_public && metadata.has(&GrantType::CLIENT_CREDENTIALS)),
            ClientError::PublicClientCredentials,
        ),
        rule(
            !(is_public && metadata.consent == ConsentPolicy::Implied),
            ClientError::PublicImplied,
        ),
        rule(
            count <= ClientMetadata::MAX_REDIRECT_URIS,
            ClientError::TooManyRedirectUris(count),
        ),
        rule(
            metadata.permission_lifetime.is_none_or(is_whole),
            ClientError::PermissionLifetime,
        ),
        rule(!metadata.grant_types.is_empty(), ClientError::NoGrant),
    ]
}

/// Of the server's own scopes those are registered that are a role, and those that are there. Who may
/// register a role is not asked here: it is for whoever lets operators in.
fn check_scope(scope: &Scope, registered: &Scope) -> Result<(), ClientError> {
    let is_role = |token: &str| Role::ALL.iter().any(|role| role.scope() == token);
    let is_refused = |token: &&str| !is_role(token) && !registered.has(token);
    match scope.reserved_tokens().find(is_refused) {
        Some(token) => Err(ClientError::ReservedScope(token.to_owned())),
        None => Ok(()),
    }
}

/// What the code grant needs is there, and what needs it has it (RFC 6749 §3.1.2.2, §6).
fn check_code_grant(metadata: &ClientMetadata) -> Result<(), ClientError> {
    match metadata.has(&GrantType::AUTHORIZATION_CODE) {
        true if metadata.redirect_uris.is_empty() => Err(ClientError::NoRedirectUri),
        false if metadata.has(&GrantType::REFRESH_TOKEN) => Err(ClientError::RefreshWithoutCode),
        _ => Ok(()),
    }
}

/// What a client publishes is fetched by https, at its port, and by no credentials (RFC 7591 §5).
fn check_jwks_uri(metadata: &ClientMetadata) -> Result<(), ClientError> {
    let is_public = |url: &&Url| {
        let named = url.username().is_empty() && url.password().is_none();
        let plain = named && url.fragment().is_none();
        plain && url.scheme() == "https" && url.port().is_none() && url.has_host()
    };
    match metadata.jwks_uri.as_ref().filter(|url| !is_public(url)) {
        Some(url) => Err(ClientError::JwksUri(url.as_str().into())),
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

    fn redirect_uris(count: usize) -> Vec<RedirectUri> {
        let uri = |number| RedirectUri::parse(&format!("https://app.example/{number}"));
        (0..count)
            .map(|number| uri(number).expect("a redirect URI"))
            .collect()
    }

    fn registered(
        method: AuthMethod,
        change: impl FnOnce(&mut ClientMetadata),
    ) -> Result<Client, ClientError> {
        let id = ClientId::parse("billing").expect("a client id");
        let secret = (method != AuthMethod::NONE).then(|| ClientSecret::digest("secret", None));
        let mut metadata = ClientMetadata::new(id, method, UnixTime::from_millis(0));
        change(&mut metadata);
        Client::new(metadata, Vec::new(), secret.into_iter().collect())
    }

    /// Tries a change on a client that authenticates and on one that does not.
    fn both(change: impl Fn(&mut ClientMetadata)) -> [Option<ClientError>; 2] {
        [AuthMethod::CLIENT_SECRET_BASIC, AuthMethod::NONE]
            .map(|method| registered(method, &change).err())
    }

    #[test]
    fn c001_ca03_twenty_redirect_uris_are_kept_and_no_more() {
        assert_eq!(
            both(|metadata| metadata.redirect_uris = redirect_uris(20)),
            [None, None]
        );
        let refused = both(|metadata| metadata.redirect_uris = redirect_uris(21));
        let error = Some(ClientError::TooManyRedirectUris(21));
        assert_eq!(refused, [error.clone(), error]);
    }

    #[test]
    fn c002_the_code_grant_needs_a_redirect_uri_and_refresh_the_code_grant() {
        let grants = |grants: &[GrantType], uris| {
            both(|metadata| {
                metadata.grant_types = grants.to_vec();
                metadata.redirect_uris = redirect_uris(uris);
            })
        };
        let (code, refresh) = (GrantType::AUTHORIZATION_CODE, GrantType::REFRESH_TOKEN);
        let both_grants = [code, refresh.clone()];
        for good in [&both_grants[..], &both_grants[..1]] {
            assert_eq!(grants(good, 1), [None, None]);
            let error = Some(ClientError::NoRedirectUri);
            assert_eq!(grants(good, 0), [error.clone(), error]);
        }
        let error = Some(ClientError::RefreshWithoutCode);
        assert_eq!(
            grants(&[GrantType::JWT_BEARER, refresh], 1),
            [error.clone(), error]
        );
        assert_eq!(grants(&[GrantType::JWT_BEARER], 1), [None, None]);
    }

    #[test]
    fn c002_a_change_is_held_to_it_but_for_what_was_there_before() {
        let client = registered(AuthMethod::NONE, |metadata| {
            metadata.grant_types = vec![GrantType::AUTHORIZATION_CODE];
            metadata.redirect_uris = redirect_uris(1);
        });
        let client = client.expect("a client");
        let changed = |client: &Client, change: fn(&mut ClientMetadata)| {
            let mut metadata = client.metadata().clone();
            change(&mut metadata);
            client.changed(metadata, Vec::new(), Vec::new()).err()
        };
        let refused = changed(&client, |metadata| metadata.redirect_uris.clear());
        assert_eq!(refused, Some(ClientError::NoRedirectUri));
        let of_before = ClientMetadata {
            grant_types: vec![GrantType::REFRESH_TOKEN],
            ..client.metadata().clone()
        };
        let of_before = Client::from_stored(of_before, Vec::new(), Vec::new()).expect("a client");
        assert_eq!(
            changed(&of_before, |metadata| metadata.enabled = false),
            None
        );
        let refused = changed(&of_before, |metadata| metadata.redirect_uris.clear());
        assert_eq!(refused, Some(ClientError::RefreshWithoutCode));
    }

    #[test]
    fn c037_implied_consent_is_for_clients_that_authenticate() {
        let refused = both(|metadata| metadata.consent = ConsentPolicy::Implied);
        assert_eq!(refused, [None, Some(ClientError::PublicImplied)]);
        assert_eq!(
            both(|metadata| metadata.consent = ConsentPolicy::Ask),
            [None, None]
        );
    }

    #[test]
    fn t080_the_place_of_keys_is_read_and_written_and_keys_beside_it_are_refused() {
        let more = r#""jwks_uri":"https://billing.example/jwks","enabled":true"#;
        let with_more = STORED.replace(r#""enabled":true"#, more);
        let published = read(&with_more);
        assert_eq!(serde_json::to_string(&published).expect("JSON"), with_more);
        assert_eq!(read(STORED).jwks_uri, None);
        let key = || {
            let key = grantor_jose::PrivateJwk::generate(Algorithm::Es256).expect("a key");
            let key = grantor_jose::VerificationKey::from_jwk(key.public()).expect("a public key");
            ClientKey::from(key)
        };
        let refused = |metadata: &ClientMetadata, keys: &[ClientKey]| {
            let problems = Client::problems(metadata, keys, &[]);
            let first = Client::new(metadata.clone(), keys.to_vec(), Vec::new()).err();
            assert_eq!(problems.first(), first.as_ref());
            first
        };
        assert_eq!(refused(&published, &[]), None);
        assert_eq!(
            refused(&published, &[key()]),
            Some(ClientError::KeysBesideUri)
        );
        assert_eq!(refused(&read(STORED), &[]), Some(ClientError::NoKey));
        let mut bad = published;
        bad.jwks_uri = Some(Url::parse("http://billing.example/jwks").expect("a URL"));
        assert!(matches!(refused(&bad, &[]), Some(ClientError::JwksUri(_))));
        // One that is registered so may still be disabled.
        let stored = Client::from_stored(bad.clone(), Vec::new(), Vec::new()).expect("a client");
        bad.enabled = false;
        assert!(stored.changed(bad, Vec::new(), Vec::new()).is_ok());
    }

    #[test]
    fn t081_a_federated_client_needs_no_keys_and_may_have_some() {
        let mut federated = read(STORED);
        federated.federated = true;
        let client = Client::new(federated.clone(), Vec::new(), Vec::new()).expect("a client");
        assert!(matches!(
            client.authentication(),
            Authentication::Federated { .. }
        ));
        assert_eq!(
            client.authentication().method(),
            AuthMethod::PRIVATE_KEY_JWT
        );
        for method in [AuthMethod::NONE, AuthMethod::CLIENT_SECRET_BASIC] {
            let other = ClientMetadata {
                auth_method: method,
                ..federated.clone()
            };
            let refused = Client::from_stored(other, Vec::new(), Vec::new()).err();
            assert_eq!(refused, Some(ClientError::FederatedMethod));
        }
    }

    #[test]
    fn c053_a_permission_lasts_for_whole_seconds() {
        let lifetime = |millis| {
            let [error, _] = both(|metadata| {
                metadata.permission_lifetime = Some(Duration::from_millis(millis));
            });
            error
        };
        assert_eq!(lifetime(1000), None);
        for millis in [0, 999, 1500] {
            assert_eq!(lifetime(millis), Some(ClientError::PermissionLifetime));
        }
    }

    #[test]
    fn c003_c004_what_people_see_is_read_and_written_and_is_off_by_default() {
        let plain = read(STORED);
        assert_eq!(
            (plain.consent, plain.shown_name()),
            (ConsentPolicy::Off, "billing")
        );
        let more = r#""redirect_uris":["https://app.example/cb"],"display_name":"Billing","description":"Sends invoices.","homepage":"https://app.example/","consent":"ask","permission_lifetime":86400,"enabled":true"#;
        let with_more = STORED.replace(r#""enabled":true"#, more);
        let metadata = read(&with_more);
        assert_eq!(
            (metadata.consent, metadata.shown_name()),
            (ConsentPolicy::Ask, "Billing")
        );
        assert_eq!(
            metadata.permission_lifetime,
            Some(Duration::from_secs(86_400))
        );
        assert_eq!(serde_json::to_string(&metadata).expect("JSON"), with_more);
        for (good, bad) in [
            ("https://app.example/cb", "http://app.example/cb"),
            (r#""Billing""#, r#""Bill\u202eing""#),
            (r#""Sends invoices.""#, r#""""#),
            (r#"homepage":"https"#, r#"homepage":"http"#),
            (r#""ask""#, r#""never""#),
            ("86400", "-1"),
        ] {
            let bad = with_more.replace(good, bad);
            assert!(
                serde_json::from_str::<ClientMetadata>(&bad).is_err(),
                "{bad}"
            );
        }
    }
}
