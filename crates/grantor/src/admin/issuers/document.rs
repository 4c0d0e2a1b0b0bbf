//! An issuer as operators see it, in the words of the command line.

use std::{path::PathBuf, time::Duration};

use grantor_jose::{
    Algorithm, Jwk,
    json::{Object, Value},
    public_key_from_pem,
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::{Host, Url};

use crate::{
    admin::{
        Error, Fault, Patch, PublicJwks, ServerTerms,
        document::{Document, time},
        yes,
    },
    assertion::ServerIdentity,
    clock::UnixTime,
    registry::{
        AudienceMatch, ClientKey, Fetching, KeyOrigin, ReplayPolicy, Revision, TemplateRef,
        TrustedIssuer, UploadedKey, whole_seconds,
    },
    types::{ClaimPath, IssuerId, Name},
};

/// The member with the place of the keys.
pub(super) const KEYS: &str = "keys";

/// What is registered about an issuer: what `issuer show` prints, and what an issuer is read from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct IssuerDocument {
    /// `iss`, to the letter.
    pub iss: IssuerId,
    /// What operators call it. [`IssuerDocument::parse`] makes one of the host of `iss`.
    pub name: Name,
    /// Whether its JWTs are taken.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Where its keys come from: exactly one place.
    pub keys: KeysDocument,
    /// The SPIFFE trust domain, of an issuer with a bundle: that of `iss`, if that is a SPIFFE ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_domain: Option<String>,
    /// What `aud` may be; the issuer identifier and token endpoint of this server if empty.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// Those of the audiences that are not this server's own, so that the issuer's JWTs are good at
    /// others too. Not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_audiences: Vec<String>,
    /// How `aud` has one of them: `sole` or `any`.
    #[serde(default)]
    pub audience_match: AudienceMatch,
    /// The signature algorithms that it uses.
    #[serde(default = "usual_algorithms", with = "names")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub algorithms: Vec<Algorithm>,
    /// What `typ` may be beside `JWT`.
    #[serde(default)]
    pub types: Vec<String>,
    /// From `iat` to `exp`, and from now to `exp`, at most, in seconds.
    #[serde(default = "usual_lifetime", with = "whole_seconds")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub max_lifetime: Duration,
    /// How far its clock may be off, in seconds.
    #[serde(default = "usual_leeway", with = "whole_seconds")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub leeway: Duration,
    /// How often a JWT may be used: `once`, `once-by-digest` or `reusable`.
    #[serde(default)]
    pub replay: ReplayPolicy,
    /// The claims of which any tells its customers apart, where strangers share the issuer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenant_claims: Vec<ClaimPath>,
    /// Certificates in PEM that its server is known by, beside those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// A file with a bearer token that is sent to the origin of the issuer only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_token_file: Option<PathBuf>,
    /// Internal networks where its documents may be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub allow_internal: Vec<IpNet>,
    /// The template that it was made by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateRef>,
    /// Tokens that were issued by its JWTs earlier were revoked (RFC 3339). Not read.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::optional"
    )]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub tokens_since: Option<UnixTime>,
    /// When it was registered (RFC 3339). Not read.
    #[serde(default, with = "time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub created_at: Option<UnixTime>,
    /// The name under which files say what it is. Only `apply` sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
    /// The state that it shows. Not a member: HTTP has it as `ETag`.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub revision: Revision,
}

/// Where the keys of an issuer come from: exactly one of these members.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KeysDocument {
    /// The issuer's metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovery: Option<DiscoveryDocument>,
    /// A JWK Set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub jwks_uri: Option<Url>,
    /// Keys that an operator uploads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<PublicJwks>,
    /// A public key or certificate in PEM. It is shown as a JWK afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pem: Option<String>,
    /// A SPIFFE bundle: where it is, or the bundle itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spiffe_bundle: Option<BundleDocument>,
    /// Since when the uploaded keys are there, and until when they work. Not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uploaded: Vec<UploadedEntry>,
}

/// Keys that are found by the issuer's metadata.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DiscoveryDocument {
    /// Where the metadata is, if at neither of its usual places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub metadata_url: Option<Url>,
}

/// A SPIFFE bundle.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
#[non_exhaustive]
pub enum BundleDocument {
    /// Where it is.
    Url(Url),
    /// The bundle itself: a JWK Set whose keys have `use: jwt-svid`.
    Bundle(Object),
}

/// What is registered about an uploaded key beside the JWK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct UploadedEntry {
    /// Its `kid`, else its thumbprint.
    pub name: String,
    /// When it was uploaded (RFC 3339).
    #[serde(default, with = "time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub added_at: Option<UnixTime>,
    /// From then on it is refused (RFC 3339); never if null.
    #[serde(default, with = "time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub expires_at: Option<UnixTime>,
    /// Why it verifies nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

fn usual_algorithms() -> Vec<Algorithm> {
    vec![Algorithm::Rs256, Algorithm::Es256]
}

fn usual_lifetime() -> Duration {
    Duration::from_secs(3600)
}

fn usual_leeway() -> Duration {
    Duration::from_secs(30)
}

/// The names of algorithms; one that is unknown is named.
mod names {
    use grantor_jose::Algorithm;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub use crate::registry::algorithm_names::serialize as written;

    pub fn serialize<S: Serializer>(algorithms: &[Algorithm], to: S) -> Result<S::Ok, S::Error> {
        written(algorithms, to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Algorithm>, D::Error> {
        let known = |name: String| {
            Algorithm::from_name(&name).ok_or_else(|| {
                D::Error::custom(format_args!(
                    "algorithm {name} is not known; expected some of {}",
                    super::signature_algorithms()
                ))
            })
        };
        let names = Vec::<String>::deserialize(from)?;
        names.into_iter().map(known).collect()
    }
}

/// The algorithms that an issuer may use.
pub(super) fn signature_algorithms() -> String {
    let signatures = Algorithm::ALL.into_iter().filter(|one| !one.is_mac());
    let names: Vec<_> = signatures.map(Algorithm::name).collect();
    names.join(", ")
}

impl Document for IssuerDocument {
    fn least() -> Object {
        Object::from_iter([
            ("iss".to_owned(), json!("x")),
            ("name".to_owned(), json!("x")),
            (KEYS.to_owned(), json!({})),
        ])
    }

    fn complete(object: &mut Object) {
        let iss = object.get("iss").and_then(Value::as_str);
        if let Some(name) = iss.and_then(name_of)
            && !object.contains_key("name")
        {
            object.insert("name".to_owned(), json!(name));
        }
    }

    fn faults_within(member: &str, value: &Value) -> Vec<Fault> {
        let jwks = value.get("jwks").filter(|_| member == KEYS);
        let faults = jwks.map(PublicJwks::faults_of).unwrap_or_default();
        let below = |fault: Fault| fault.below("/keys");
        faults.into_iter().map(below).collect()
    }
}

/// What an issuer is called if nobody says: the host of its `iss`, or the whole of it, with hyphens
/// for what no name has.
pub(in crate::admin) fn name_of(iss: &str) -> Option<Name> {
    let host = Url::parse(iss).ok().and_then(|url| {
        let host = url.host_str().filter(|host| !host.is_empty());
        host.map(str::to_owned)
    });
    let text = host.unwrap_or_else(|| iss.to_owned());
    let plain = |letter: char| match letter.is_ascii_alphanumeric() || "._-".contains(letter) {
        true => letter,
        false => '-',
    };
    let text: String = text.chars().map(plain).take(Name::MAX_BYTES).collect();
    Name::parse(text.trim_matches(['-', '.', '_'])).ok()
}

impl IssuerDocument {
    /// An issuer with the defaults of [`TrustedIssuer::new`]. Without a name it is called by the
    /// host of its `iss`.
    pub fn new(iss: IssuerId, name: Option<Name>, keys: KeysDocument) -> Self {
        let called = || name_of(iss.as_str());
        let name = name.or_else(called);
        let name = name.unwrap_or_else(|| Name::parse("issuer").expect("a name"));
        Self {
            iss,
            name,
            enabled: true,
            keys,
            trust_domain: None,
            audiences: Vec::new(),
            shared_audiences: Vec::new(),
            audience_match: AudienceMatch::default(),
            algorithms: usual_algorithms(),
            types: Vec::new(),
            max_lifetime: usual_lifetime(),
            leeway: usual_leeway(),
            replay: ReplayPolicy::default(),
            tenant_claims: Vec::new(),
            ca: None,
            bearer_token_file: None,
            allow_internal: Vec::new(),
            template: None,
            tokens_since: None,
            created_at: None,
            managed_by: None,
            revision: Revision::default(),
        }
    }

    /// What is registered about this issuer; `terms` tell which audiences are this server's own, and
    /// `now` which keys have ended.
    #[must_use]
    pub fn of(issuer: &TrustedIssuer, terms: &ServerTerms, now: UnixTime) -> Self {
        let TrustedIssuer {
            id,
            name,
            keys,
            fetching,
            trust_domain,
            audiences,
            audience_match,
            algorithms,
            types,
            max_lifetime,
            leeway,
            replay,
            tenant_claims,
            template,
            enabled,
            tokens_since,
            created_at,
            managed_by,
            revision,
        } = issuer.clone();
        let own = ServerIdentity::new(terms.issuer.clone());
        let is_own = |audience: &&String| {
            **audience == own.issuer().as_str() || **audience == own.token_endpoint()
        };
        let shared = audiences.iter().filter(|audience| !is_own(audience));
        Self {
            iss: id,
            name,
            enabled,
            keys: KeysDocument::of(&keys, now),
            trust_domain,
            shared_audiences: shared.cloned().collect(),
            audiences,
            audience_match,
            algorithms,
            types,
            max_lifetime,
            leeway,
            replay,
            tenant_claims,
            ca: fetching.ca,
            bearer_token_file: fetching.bearer_token_file,
            allow_internal: fetching.allow_internal,
            template,
            tokens_since,
            created_at: Some(created_at),
            managed_by,
            revision,
        }
    }

    /// Reads a document strictly: what is unknown in it, or there twice, is refused.
    ///
    /// # Errors
    /// [`Error::Invalid`]
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        Ok(Self::parse_document(text)?)
    }

    /// This document with the members that the patch names; one that is null there has its default.
    /// Another place of the keys replaces the one before.
    ///
    /// # Errors
    /// [`Error::Invalid`]
    pub fn with(&self, patch: &Patch) -> Result<Self, Error> {
        let mut before = self.clone();
        if patch.names(KEYS) {
            before.keys = KeysDocument::default();
        }
        Ok(before.patched(patch)?)
    }

    /// The issuer that it registers, with keys that come from there.
    pub(super) fn issuer(self, keys: KeyOrigin, created_at: UnixTime) -> TrustedIssuer {
        let domain = self.trust_domain.or_else(|| {
            let domain = trust_domain_of(self.iss.as_str())?;
            keys.is_spiffe().then(|| domain.to_owned())
        });
        let mut issuer = TrustedIssuer::new(self.iss, self.name, keys, created_at);
        issuer.fetching = Fetching::default();
        issuer.fetching.ca = self.ca;
        issuer.fetching.bearer_token_file = self.bearer_token_file;
        issuer.fetching.allow_internal = self.allow_internal;
        issuer.trust_domain = domain;
        issuer.audiences = self.audiences;
        issuer.audience_match = self.audience_match;
        issuer.algorithms = self.algorithms;
        issuer.types = self.types;
        issuer.max_lifetime = self.max_lifetime;
        issuer.leeway = self.leeway;
        issuer.replay = self.replay;
        issuer.tenant_claims = self.tenant_claims;
        issuer.template = self.template;
        issuer.enabled = self.enabled;
        issuer.managed_by = self.managed_by;
        issuer
    }

    /// The members in which this document differs from the one before it, and must not.
    pub(super) fn faults_as_successor_of(&self, before: &Self) -> Vec<Fault> {
        let seconds = |at: Option<UnixTime>| at.map(UnixTime::seconds);
        let members = [
            ("iss", self.iss == before.iss),
            ("template", self.template == before.template),
            ("managed_by", self.managed_by == before.managed_by),
            (
                "created_at",
                seconds(self.created_at) == seconds(before.created_at),
            ),
            (
                "tokens_since",
                seconds(self.tokens_since) == seconds(before.tokens_since),
            ),
        ];
        let changed = members.into_iter().filter(|(_, is_same)| !is_same);
        changed
            .map(|(member, _)| Fault::new(member, "does not change; leave it out"))
            .collect()
    }
}

/// The trust domain of a SPIFFE ID.
pub(super) fn trust_domain_of(iss: &str) -> Option<&str> {
    let domain = iss.strip_prefix("spiffe://")?;
    Some(domain.split('/').next().unwrap_or(domain))
}

impl KeysDocument {
    /// Found by the issuer's metadata, at its usual places or at this one.
    pub fn discovery(metadata_url: Option<Url>) -> Self {
        Self {
            discovery: Some(DiscoveryDocument { metadata_url }),
            ..Self::default()
        }
    }

    /// At this place.
    pub fn jwks_uri(url: Url) -> Self {
        Self {
            jwks_uri: Some(url),
            ..Self::default()
        }
    }

    /// These.
    pub fn jwks(jwks: PublicJwks) -> Self {
        Self {
            jwks: Some(jwks),
            ..Self::default()
        }
    }

    /// The one in this PEM text.
    pub fn pem(text: impl Into<String>) -> Self {
        Self {
            pem: Some(text.into()),
            ..Self::default()
        }
    }

    /// Those of this bundle.
    pub fn spiffe_bundle(bundle: BundleDocument) -> Self {
        Self {
            spiffe_bundle: Some(bundle),
            ..Self::default()
        }
    }

    /// Where these keys come from.
    fn of(origin: &KeyOrigin, now: UnixTime) -> Self {
        let uploaded = origin.uploaded().unwrap_or_default();
        let jwks = || {
            let usable = uploaded.iter().filter_map(|uploaded| uploaded.key.jwk());
            PublicJwks::new(usable.cloned().collect())
        };
        let keys = match origin {
            KeyOrigin::Discovery { metadata_url } => Self::discovery(metadata_url.clone()),
            KeyOrigin::JwksUri { url } => Self::jwks_uri(url.clone()),
            KeyOrigin::Uploaded { .. } => Self::jwks(jwks()),
            KeyOrigin::SpiffeBundle { url } => {
                Self::spiffe_bundle(BundleDocument::Url(url.clone()))
            }
            KeyOrigin::UploadedSpiffeBundle { .. } => {
                let svid = |jwk: &Jwk| {
                    let mut jwk = jwk.to_object();
                    jwk.insert("use".to_owned(), json!(JWT_SVID));
                    Value::Object(jwk)
                };
                let keys: Vec<_> = jwks().keys.iter().map(svid).collect();
                let bundle = Object::from_iter([("keys".to_owned(), json!(keys))]);
                Self::spiffe_bundle(BundleDocument::Bundle(bundle))
            }
        };
        Self {
            uploaded: uploaded
                .iter()
                .map(|key| UploadedEntry::of(key, now))
                .collect(),
            ..keys
        }
    }

    /// Whether no place is named.
    pub(in crate::admin) fn is_nowhere(&self) -> bool {
        self.named().is_empty()
    }

    /// The places that are named.
    pub(in crate::admin) fn named(&self) -> Vec<&'static str> {
        let places = [
            ("discovery", self.discovery.is_some()),
            ("jwks_uri", self.jwks_uri.is_some()),
            ("jwks", self.jwks.is_some()),
            ("pem", self.pem.is_some()),
            ("spiffe_bundle", self.spiffe_bundle.is_some()),
        ];
        let named = places.into_iter().filter(|(_, is_named)| *is_named);
        named.map(|(name, _)| name).collect()
    }

    /// The place that it registers. Keys that were registered before keep their time and end.
    ///
    /// # Errors
    /// All faults: not exactly one place, and what is wrong with each key.
    pub(super) fn origin(
        &self,
        before: Option<&KeyOrigin>,
        now: UnixTime,
    ) -> Result<KeyOrigin, Vec<Fault>> {
        const EXPECTED: &str = "exactly one of discovery, jwks_uri, jwks, pem and spiffe_bundle";
        let named = self.named();
        if named.len() != 1 {
            let got = match named.is_empty() {
                true => "no place of keys is named".to_owned(),
                false => format!("{} are named", named.join(" and ")),
            };
            let detail = format!("{got}; expected {EXPECTED}");
            return Err(vec![Fault::new(KEYS, detail)]);
        }
        if let Some(DiscoveryDocument { metadata_url }) = self.discovery.clone() {
            return Ok(KeyOrigin::Discovery { metadata_url });
        }
        if let Some(url) = self.jwks_uri.clone() {
            return Ok(KeyOrigin::JwksUri { url });
        }
        if let Some(BundleDocument::Url(url)) = self.spiffe_bundle.clone() {
            return Ok(KeyOrigin::SpiffeBundle { url });
        }
        let old = before.and_then(KeyOrigin::uploaded).unwrap_or_default();
        let keys = self.uploaded_keys()?.into_iter().map(|key| {
            let same = old
                .iter()
                .find(|old| old.key.to_stored() == key.to_stored());
            same.cloned().unwrap_or_else(|| UploadedKey::new(key, now))
        });
        let keys = keys.collect();
        Ok(match self.spiffe_bundle {
            Some(_) => KeyOrigin::UploadedSpiffeBundle { keys },
            None => KeyOrigin::Uploaded { keys },
        })
    }

    /// The keys that are in the document itself.
    fn uploaded_keys(&self) -> Result<Vec<ClientKey>, Vec<Fault>> {
        let fault = |place: &str, detail: String| vec![Fault::new(KEYS, detail).at(place)];
        let in_keys = |faults: Vec<Fault>| {
            let in_keys = |fault: Fault| fault.below("/keys");
            faults.into_iter().map(in_keys).collect::<Vec<_>>()
        };
        if let Some(text) = &self.pem {
            let jwk = public_key_from_pem(text).map_err(|error| fault("pem", error.to_string()))?;
            let one = PublicJwks::new(vec![jwk]);
            let problem = |faults: Vec<Fault>| {
                let details: Vec<_> = faults.into_iter().map(|fault| fault.detail).collect();
                fault("pem", details.join("; "))
            };
            return one.usable().map_err(problem);
        }
        if let Some(BundleDocument::Bundle(bundle)) = &self.spiffe_bundle {
            let keys = keys_of_bundle(bundle).map_err(|detail| fault("spiffe_bundle", detail))?;
            return PublicJwks::new(keys).usable().map_err(in_keys);
        }
        let jwks = self.jwks.clone().unwrap_or_default();
        match jwks.keys.is_empty() {
            true => Err(fault(
                "jwks",
                "no key in it verifies signatures; expected a JWK Set with one that does".into(),
            )),
            false => jwks.usable().map_err(in_keys),
        }
    }
}

/// The `use` of the keys of a SPIFFE bundle that sign JWT-SVIDs (JWT-SVID §6.2).
const JWT_SVID: &str = "jwt-svid";

/// The keys of a SPIFFE bundle that sign JWT-SVIDs. Those of other uses, and those without a `kid`,
/// are passed over (SPIFFE bundle §4.2).
fn keys_of_bundle(bundle: &Object) -> Result<Vec<Jwk>, String> {
    let Some(Value::Array(keys)) = bundle.get("keys") else {
        return Err("expected a SPIFFE bundle: a JSON object with an array 'keys'".to_owned());
    };
    let mut found = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        let Value::Object(key) = key else {
            return Err(format!("key {index} is no object"));
        };
        let mut jwk = key.clone();
        let usage = jwk.remove("use");
        let text = Value::Object(jwk).to_string();
        match Jwk::parse(text.as_bytes()) {
            Err(error @ grantor_jose::JwkError::Private(_)) => {
                return Err(format!("key {index}: {error}"));
            }
            Ok(jwk) if usage == Some(json!(JWT_SVID)) && jwk.key_id().is_some() => found.push(jwk),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(found)
}

impl UploadedEntry {
    fn of(uploaded: &UploadedKey, now: UnixTime) -> Self {
        let key = &uploaded.key;
        let unusable = key.usable().err().map(ToString::to_string);
        Self {
            name: key.name().into_owned(),
            added_at: Some(uploaded.added_at),
            expires_at: key.expires_at,
            refused: unusable.or_else(|| (!key.is_live(now)).then(|| "expired".to_owned())),
        }
    }
}

/// What is wrong with the URL of a document: it is https without a user part, or http on a loopback
/// address that is allowed.
pub(super) fn url_problem(url: &Url, allowed: &[IpNet]) -> Option<&'static str> {
    let loopback = |addresses: &[std::net::IpAddr]| {
        let is_allowed = |address| allowed.iter().any(|net| net.contains(address));
        addresses
            .iter()
            .any(|address| address.is_loopback() && is_allowed(address))
    };
    let may_be_http = || match url.host() {
        Some(Host::Domain("localhost")) => loopback(&[
            std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::Ipv6Addr::LOCALHOST.into(),
        ]),
        Some(Host::Ipv4(address)) => loopback(&[address.into()]),
        Some(Host::Ipv6(address)) => loopback(&[address.into()]),
        Some(Host::Domain(_)) | None => false,
    };
    match url.scheme() {
        "https" if url.host().is_none() => Some("has no host; expected an https URL"),
        "https" => None,
        "http" if may_be_http() => None,
        "http" => Some(
            "uses http; expected an https URL, or http on a loopback address that allow_internal has",
        ),
        _ => Some("is no https URL; expected one"),
    }
    .or_else(|| {
        let has_user = !url.username().is_empty() || url.password().is_some();
        has_user.then_some("has a user part; leave it out")
    })
    .or_else(|| url.fragment().map(|_| "has a fragment; leave it out"))
}
