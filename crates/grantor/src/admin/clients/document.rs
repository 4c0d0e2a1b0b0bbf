//! A client as operators see it, in the words of RFC 7591 §2 and a few of our own. Never a secret.
//!
//! A new member is a field of [`ClientDocument`], with its default, and of [`ClientMetadata`]; what
//! is missing in between does not compile.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use grantor_jose::{
    Algorithm, Jwk, JwkSet, VerificationKey,
    json::{Object, Value},
};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::json;
use url::Url;

use crate::{
    admin::{
        Error, Fault, Patch,
        document::{Document, time},
        yes,
    },
    clock::UnixTime,
    registry::{
        AssertionProfile, AudiencePolicy, Client, ClientKey, ClientMetadata, ClientSecret,
        ConsentPolicy, Revision, TokenFormat, algorithm_name, is_default, seconds,
    },
    types::{
        AuthMethod, ClientId, Description, DisplayName, GrantType, Homepage, Name, RedirectUri,
        Scope,
    },
};

/// The member with the public keys.
pub(super) const JWKS: &str = "jwks";
/// The member with the ends of the keys.
pub(super) const KEYS: &str = "keys";
/// The member with the grants, whose default is the method's.
const GRANT_TYPES: &str = "grant_types";

/// What is registered about a client: what `client show` prints, and what a registration is read
/// from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ClientDocument {
    /// The client's name.
    pub client_id: ClientId,
    /// Whether it is accepted.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// How it authenticates.
    pub token_endpoint_auth_method: AuthMethod,
    /// The one algorithm its assertions are signed with; any fitting one if absent.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "algorithm_name"
    )]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub token_endpoint_auth_signing_alg: Option<Algorithm>,
    /// The grants it may use. [`ClientDocument::parse`] has a default for each method.
    #[serde(default)]
    pub grant_types: Vec<GrantType>,
    /// The widest scope it may get.
    #[serde(default)]
    pub scope: Scope,
    /// The audience of its client authentication JWT.
    #[serde(default)]
    pub audience_policy: AudiencePolicy,
    /// The form of its grant assertions.
    #[serde(default)]
    pub assertion_profile: AssertionProfile,
    /// The form of its access tokens.
    #[serde(default)]
    pub token_format: TokenFormat,
    /// Where it takes people back after the authorization endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<RedirectUri>,
    /// What it is called on pages; its id if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_name: Option<DisplayName>,
    /// A page about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<Homepage>,
    /// What it does, on pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// Whether people are asked before it acts for them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consent: ConsentPolicy,
    /// How long a person's permission lasts, in seconds; until withdrawn if absent.
    #[serde(with = "seconds", default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub permission_lifetime: Option<Duration>,
    /// Where it publishes its public keys (RFC 7591 §2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub jwks_uri: Option<Url>,
    /// Whether it authenticates by the JWT of an issuer, as trusts say.
    #[serde(default, skip_serializing_if = "is_default")]
    pub federated: bool,
    /// When it was registered (RFC 3339). Not read: a registration keeps its own.
    #[serde(default, with = "time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub created_at: Option<UnixTime>,
    /// The name under which files say what it is. Only `apply` sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
    /// Its public keys that can be used.
    #[serde(default)]
    pub jwks: PublicJwks,
    /// Until when each key works, by its name.
    #[serde(default)]
    pub keys: Vec<KeyEntry>,
    /// Until when each secret works, by its name. Not read: the server makes secrets.
    #[serde(default)]
    pub secrets: Vec<SecretEntry>,
    /// The state that it shows. Not a member: HTTP has it as `ETag`.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub revision: Revision,
}

/// A JWK Set of public keys (RFC 7517 §5). Keys in it that are for others, for encryption or of an
/// unknown type, are not read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PublicJwks {
    /// The keys.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>")
    )]
    pub keys: Vec<Jwk>,
}

/// What is registered about a key beside the JWK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KeyEntry {
    /// Its `kid`, else its thumbprint.
    pub name: String,
    /// From then on it is refused (RFC 3339); never if null.
    #[serde(default, with = "time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub expires_at: Option<UnixTime>,
    /// Why it verifies nothing. Not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// What is shown of a secret: nothing to authenticate with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SecretEntry {
    /// What it is called by: the beginning of its digest, as in records of changes.
    #[serde(default)]
    pub name: String,
    /// From then on it is refused (RFC 3339); never if null.
    #[serde(default, with = "time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub expires_at: Option<UnixTime>,
}

impl Document for ClientDocument {
    fn least() -> Object {
        Object::from_iter([
            ("client_id".to_owned(), json!("x")),
            ("token_endpoint_auth_method".to_owned(), json!("none")),
        ])
    }

    fn complete(object: &mut Object) {
        let method = object
            .get("token_endpoint_auth_method")
            .and_then(Value::as_str);
        let method: Option<AuthMethod> = method.and_then(|method| method.parse().ok());
        if let Some(method) = method
            && !object.contains_key(GRANT_TYPES)
        {
            let grants = ClientMetadata::default_grants(&method);
            object.insert(GRANT_TYPES.to_owned(), json!(grants));
        }
    }

    fn faults_within(member: &str, value: &Value) -> Vec<Fault> {
        match member {
            JWKS => PublicJwks::faults_of(value),
            _ => Vec::new(),
        }
    }
}

impl ClientDocument {
    /// A client with the defaults of [`ClientMetadata::new`], without keys.
    pub fn new(client_id: ClientId, method: AuthMethod) -> Self {
        let metadata = ClientMetadata::new(client_id, method, UnixTime::from_millis(0));
        Self {
            created_at: None,
            ..Self::of_metadata(&metadata)
        }
    }

    /// What is registered about this client; `now` tells which keys have ended.
    #[must_use]
    pub fn of(client: &Client, now: UnixTime) -> Self {
        let usable = client.keys().iter().filter_map(ClientKey::jwk).cloned();
        let secret = |secret: &ClientSecret| SecretEntry {
            name: secret.fingerprint(),
            expires_at: secret.expires_at,
        };
        Self {
            jwks: PublicJwks::new(usable.collect()),
            keys: client
                .keys()
                .iter()
                .map(|key| KeyEntry::of(key, now))
                .collect(),
            secrets: client.secrets().iter().map(secret).collect(),
            revision: client.revision(),
            ..Self::of_metadata(client.metadata())
        }
    }

    fn of_metadata(metadata: &ClientMetadata) -> Self {
        let ClientMetadata {
            id,
            auth_method,
            grant_types,
            scope,
            signing_algorithm,
            audience_policy,
            assertion_profile,
            token_format,
            redirect_uris,
            display_name,
            description,
            homepage,
            consent,
            permission_lifetime,
            jwks_uri,
            federated,
            enabled,
            created_at,
            managed_by,
        } = metadata.clone();
        Self {
            client_id: id,
            enabled,
            token_endpoint_auth_method: auth_method,
            token_endpoint_auth_signing_alg: signing_algorithm,
            grant_types,
            scope,
            audience_policy,
            assertion_profile,
            token_format,
            redirect_uris,
            client_name: display_name,
            client_uri: homepage,
            description,
            consent,
            permission_lifetime,
            jwks_uri,
            federated,
            created_at: Some(created_at),
            managed_by,
            jwks: PublicJwks::default(),
            keys: Vec::new(),
            secrets: Vec::new(),
            revision: Revision::default(),
        }
    }

    /// Reads a document strictly: what is unknown in it, or there twice, is refused. What is left
    /// out has the default of [`ClientMetadata::new`].
    ///
    /// # Errors
    /// [`Error::Invalid`]
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        Ok(Self::parse_document(text)?)
    }

    /// This document with the members that the patch names; one that is null there has its default.
    ///
    /// # Errors
    /// [`Error::Invalid`]
    pub fn with(&self, patch: &Patch) -> Result<Self, Error> {
        Ok(self.patched(patch)?)
    }

    /// The metadata that it registers, with this time of registration.
    pub fn metadata(&self, created_at: UnixTime) -> ClientMetadata {
        ClientMetadata {
            id: self.client_id.clone(),
            auth_method: self.token_endpoint_auth_method.clone(),
            grant_types: self.grant_types.clone(),
            scope: self.scope.clone(),
            signing_algorithm: self.token_endpoint_auth_signing_alg,
            audience_policy: self.audience_policy,
            assertion_profile: self.assertion_profile,
            token_format: self.token_format,
            redirect_uris: self.redirect_uris.clone(),
            display_name: self.client_name.clone(),
            description: self.description.clone(),
            homepage: self.client_uri.clone(),
            consent: self.consent,
            permission_lifetime: self.permission_lifetime,
            jwks_uri: self.jwks_uri.clone(),
            federated: self.federated,
            enabled: self.enabled,
            created_at,
            managed_by: self.managed_by.clone(),
        }
    }

    /// The public keys that it registers, with their ends.
    ///
    /// # Errors
    /// What is wrong with each key, and which ends are those of none.
    pub fn public_keys(&self) -> Result<Vec<ClientKey>, Vec<Fault>> {
        self.jwks.check_names()?;
        let keys = self.jwks.usable()?;
        let end_of = |key: &ClientKey| {
            let entry = self.keys.iter().find(|entry| entry.name == key.name())?;
            entry.expires_at
        };
        let is_there = |entry: &KeyEntry| keys.iter().any(|key| key.name() == entry.name);
        let entries = self.keys.iter().enumerate();
        let lost = entries.filter(|(_, entry)| entry.refused.is_none() && !is_there(entry));
        let faults: Vec<_> = lost
            .map(|(index, entry)| {
                let detail = format!("'{}' is no key of jwks; add it there", entry.name);
                Fault::new(KEYS, detail).at(index)
            })
            .collect();
        match faults.is_empty() {
            true => Ok(keys
                .into_iter()
                .map(|key| match end_of(&key) {
                    Some(end) => key.ending_at(end),
                    None => key,
                })
                .collect()),
            false => Err(faults),
        }
    }

    /// Whether the usable keys and their ends are those of the other document.
    pub(super) fn has_keys_of(&self, other: &Self) -> bool {
        self.jwks == other.jwks && self.ends() == other.ends()
    }

    /// The ends of the usable keys that have one, to the second, by their names.
    pub(in crate::admin) fn ends(&self) -> BTreeMap<String, UnixTime> {
        let ending = self.keys.iter().filter_map(|entry| {
            let seconds = entry.expires_at?.seconds();
            Some((entry.name.clone(), UnixTime::from_millis(seconds * 1000)))
        });
        let mut ends: BTreeMap<_, _> = ending.collect();
        if !ends.is_empty() {
            let keys = self.jwks.usable().unwrap_or_default();
            let names: BTreeSet<_> = keys.iter().map(|key| key.name().into_owned()).collect();
            ends.retain(|name, _| names.contains(name));
        }
        ends
    }

    /// The members in which this document differs from the one before it, and must not.
    pub(super) fn faults_as_successor_of(&self, before: &Self) -> Vec<Fault> {
        let seconds = |at: Option<UnixTime>| at.map(UnixTime::seconds);
        let ends = |secrets: &[SecretEntry]| {
            let end = |secret: &SecretEntry| (secret.name.clone(), seconds(secret.expires_at));
            secrets.iter().map(end).collect::<Vec<_>>()
        };
        let members = [
            ("client_id", self.client_id == before.client_id),
            (
                "created_at",
                seconds(self.created_at) == seconds(before.created_at),
            ),
            ("managed_by", self.managed_by == before.managed_by),
            ("secrets", ends(&self.secrets) == ends(&before.secrets)),
        ];
        let changed = members.into_iter().filter(|(_, is_same)| !is_same);
        changed
            .map(|(member, _)| Fault::new(member, "does not change; leave it out"))
            .collect()
    }
}

impl KeyEntry {
    fn of(key: &ClientKey, now: UnixTime) -> Self {
        let unusable = key.usable().err().map(ToString::to_string);
        let refused = unusable.or_else(|| (!key.is_live(now)).then(|| "expired".to_owned()));
        Self {
            name: key.name().into_owned(),
            expires_at: key.expires_at,
            refused,
        }
    }
}

impl PublicJwks {
    /// A set of these keys.
    pub fn new(keys: Vec<Jwk>) -> Self {
        Self { keys }
    }

    /// What is wrong with each key of what should be a set, where it is an array of keys.
    pub(in crate::admin) fn faults_of(set: &Value) -> Vec<Fault> {
        let keys = set.get(KEYS).and_then(Value::as_array);
        let keys = keys.into_iter().flatten().enumerate();
        let fault = |(index, key): (usize, &Value)| {
            let alone = json!({ KEYS: [key] });
            let error = serde_json::from_value::<Self>(alone).err()?.to_string();
            let error = error.strip_prefix("key 0: ").unwrap_or(&error);
            Some(Fault::new(JWKS, error).at(KEYS).at(index))
        };
        keys.filter_map(fault).collect()
    }

    /// Succeeds if each key of a client has a name of its own: `kid`, else its thumbprint.
    ///
    /// # Errors
    /// The keys whose names are others' already.
    pub(super) fn check_names(&self) -> Result<(), Vec<Fault>> {
        let (mut names, mut faults) = (BTreeSet::new(), Vec::new());
        for (index, jwk) in self.keys.iter().enumerate() {
            let name = jwk.key_id().map_or_else(|| jwk.thumbprint(), str::to_owned);
            if !names.insert(name) {
                let detail = format!(
                    "key {index} has the kid of a key before it; give each key one of its own"
                );
                faults.push(Fault::new(JWKS, detail).at(KEYS).at(index));
            }
        }
        match faults.is_empty() {
            true => Ok(()),
            false => Err(faults),
        }
    }

    /// The keys as they are registered, without an end.
    ///
    /// # Errors
    /// What is wrong with each key that can never be used.
    pub(in crate::admin) fn usable(&self) -> Result<Vec<ClientKey>, Vec<Fault>> {
        let usable = |jwk: &Jwk| {
            jwk.vet()?;
            VerificationKey::from_jwk(jwk.clone()).map(ClientKey::from)
        };
        let (mut keys, mut faults) = (Vec::new(), Vec::new());
        for (index, jwk) in self.keys.iter().enumerate() {
            match usable(jwk) {
                Ok(key) => keys.push(key),
                Err(error) => {
                    let name = jwk.key_id().unwrap_or("without kid");
                    let fault = Fault::new(JWKS, format!("key {name}: {error}"));
                    faults.push(fault.at(KEYS).at(index));
                }
            }
        }
        match faults.is_empty() {
            true => Ok(keys),
            false => Err(faults),
        }
    }
}

/// A private key is refused, as is one that can never be used.
impl<'de> Deserialize<'de> for PublicJwks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let set = Value::deserialize(deserializer)?;
        let set = serde_json::to_vec(&set).expect("a JSON value is JSON");
        let set = JwkSet::parse(&set).map_err(D::Error::custom)?;
        let mut unusable = set.skipped.iter().filter(|key| !key.is_for_others());
        match unusable.next() {
            Some(key) => Err(D::Error::custom(format_args!(
                "key {}: {}",
                key.index, key.reason
            ))),
            None => Ok(Self {
                keys: set
                    .keys
                    .iter()
                    .filter_map(|key| key.jwk().cloned())
                    .collect(),
            }),
        }
    }
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
