//! Issuers: third parties whose JWTs are taken, and how those are verified.

use std::{path::PathBuf, time::Duration};

use grantor_jose::Algorithm;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::{ClientKey, Revision, is_default};
use crate::{
    clock::UnixTime,
    types::{ClaimPath, IssuerId, Name},
};

/// Where the keys of an issuer come from: exactly one place.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyOrigin {
    /// The issuer's metadata: at the OpenID place, then at that of RFC 8414.
    Discovery {
        /// Where the metadata is instead. It names the same issuer all the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metadata_url: Option<Url>,
    },
    /// A JWK Set (RFC 7517 §5).
    JwksUri {
        /// Where it is.
        url: Url,
    },
    /// Keys that an operator has uploaded.
    Uploaded {
        /// The keys, at least one.
        keys: Vec<UploadedKey>,
    },
    /// A SPIFFE bundle.
    SpiffeBundle {
        /// Where it is.
        url: Url,
    },
    /// The JWT-SVID keys of a SPIFFE bundle that an operator has uploaded.
    UploadedSpiffeBundle {
        /// The keys; none if all are revoked.
        keys: Vec<UploadedKey>,
    },
}

impl KeyOrigin {
    /// Whether the issuer is a SPIFFE trust domain.
    pub fn is_spiffe(&self) -> bool {
        matches!(
            self,
            Self::SpiffeBundle { .. } | Self::UploadedSpiffeBundle { .. }
        )
    }

    /// The keys that were uploaded; `None` where they are fetched.
    pub fn uploaded(&self) -> Option<&[UploadedKey]> {
        match self {
            Self::Uploaded { keys } | Self::UploadedSpiffeBundle { keys } => Some(keys),
            Self::Discovery { .. } | Self::JwksUri { .. } | Self::SpiffeBundle { .. } => None,
        }
    }
}

/// A public key of an issuer, and since when it is registered. It may have an end, so that an old
/// key and its successor overlap.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(into = "StoredKey", from = "StoredKey")]
#[non_exhaustive]
pub struct UploadedKey {
    /// The key.
    pub key: ClientKey,
    /// When it was uploaded.
    pub added_at: UnixTime,
}

impl UploadedKey {
    /// A key that is uploaded now.
    pub fn new(key: ClientKey, added_at: UnixTime) -> Self {
        Self { key, added_at }
    }
}

/// An uploaded key as documents have it.
#[derive(Serialize, Deserialize)]
struct StoredKey {
    jwk: Value,
    added_at: UnixTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<UnixTime>,
}

impl From<UploadedKey> for StoredKey {
    fn from(uploaded: UploadedKey) -> Self {
        let stored = uploaded.key.to_stored();
        Self {
            // What was stored once and is no JSON is kept as the text that it is.
            jwk: serde_json::from_str(&stored).unwrap_or_else(|_| Value::from(&*stored)),
            added_at: uploaded.added_at,
            expires_at: uploaded.key.expires_at,
        }
    }
}

impl From<StoredKey> for UploadedKey {
    fn from(stored: StoredKey) -> Self {
        let jwk = match stored.jwk {
            Value::String(text) => text,
            jwk => jwk.to_string(),
        };
        Self::new(
            ClientKey::from_stored(&jwk, stored.expires_at),
            stored.added_at,
        )
    }
}

/// With what the documents of an issuer are fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fetching {
    /// Certificates in PEM that the issuer's server is known by, beside those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// A file with a bearer token, read again for each request and sent to the issuer's own origin
    /// only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_token_file: Option<PathBuf>,
    /// Internal networks where the documents may be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_internal: Vec<IpNet>,
}

/// How `aud` has one of the audiences of an issuer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AudienceMatch {
    /// As the sole value, a string or an array of one.
    #[default]
    Sole,
    /// As one of several.
    Any,
}

/// How often a JWT may be used (RFC 7523 §3 (7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ReplayPolicy {
    /// Once, by its `jti`, which has to be there.
    #[default]
    Once,
    /// Once, by the digest of its header and payload: for issuers that send no `jti`.
    OnceByDigest,
    /// Until it expires: for platforms that give one JWT to a pod or machine.
    Reusable,
}

/// The template that something was made by. A later version of the template changes nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TemplateRef {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
}

impl TemplateRef {
    /// This version of this template.
    pub fn new(name: impl Into<String>, version: u32) -> Self {
        Self {
            name: name.into(),
            version,
        }
    }
}

/// A third party whose JWTs are taken where a [trust](super::Trust) takes them, and how they are
/// verified. A JWT of it proves nothing by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrustedIssuer {
    /// `iss`
    pub id: IssuerId,
    /// What operators call it: unique, too.
    pub name: Name,
    /// Where its keys come from.
    pub keys: KeyOrigin,
    /// With what they are fetched.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fetching: Fetching,
    /// The SPIFFE trust domain, of an issuer that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_domain: Option<String>,
    /// What `aud` may be; this server's issuer identifier and token endpoint if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// How `aud` has it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub audience_match: AudienceMatch,
    /// The signature algorithms it uses, at least one, none of them an HMAC.
    #[serde(with = "super::algorithm_names")]
    pub algorithms: Vec<Algorithm>,
    /// What `typ` may be beside `JWT`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// From `iat` to `exp`, and from now to `exp`, at most, in whole seconds.
    #[serde(with = "super::whole_seconds")]
    pub max_lifetime: Duration,
    /// How far its clock may be off, in whole seconds.
    #[serde(with = "super::whole_seconds")]
    pub leeway: Duration,
    /// How often a JWT of it may be used.
    #[serde(default)]
    pub replay: ReplayPolicy,
    /// The claims of which each tells the issuer's customers apart, where strangers share the
    /// issuer; none where it is one organisation's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenant_claims: Vec<ClaimPath>,
    /// The template that it was made by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateRef>,
    /// A disabled issuer is refused on its next JWT.
    pub enabled: bool,
    /// Tokens that were issued earlier were revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_since: Option<UnixTime>,
    /// When it was registered.
    pub created_at: UnixTime,
    /// The name under which files say what it is (`apply`); `None` where commands and pages do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
    /// Which registration this is, and which state of it.
    #[serde(skip)]
    pub revision: Revision,
}

impl TrustedIssuer {
    /// The longest lifetime that can be configured.
    pub const MAX_LIFETIME: Duration = Duration::from_secs(25 * 3600);
    /// The longest leeway that can be configured.
    pub const MAX_LEEWAY: Duration = Duration::from_secs(300);
    /// Most octets of the `sub` of a JWT (SPIFFE-ID §2.3).
    pub const MAX_SUBJECT_BYTES: usize = 2048;

    /// A new enabled issuer with the defaults: this server's names as audience, as the sole value;
    /// RS256 and ES256; JWTs of at most one hour, each for one use; leeway 30 s; not shared.
    pub fn new(id: IssuerId, name: Name, keys: KeyOrigin, created_at: UnixTime) -> Self {
        Self {
            id,
            name,
            keys,
            fetching: Fetching::default(),
            trust_domain: None,
            audiences: Vec::new(),
            audience_match: AudienceMatch::default(),
            algorithms: vec![Algorithm::Rs256, Algorithm::Es256],
            types: Vec::new(),
            max_lifetime: Duration::from_secs(3600),
            leeway: Duration::from_secs(30),
            replay: ReplayPolicy::default(),
            tenant_claims: Vec::new(),
            template: None,
            enabled: true,
            tokens_since: None,
            created_at,
            managed_by: None,
            revision: Revision::default(),
        }
    }

    /// Whether tokens that were issued for its JWTs at this time, in seconds since 1970, are in force:
    /// it is enabled, and they were not revoked. To the second, as tokens have it: one of the same
    /// second as the revocation ends, too.
    pub fn upholds_tokens_of(&self, issued_at: i64) -> bool {
        let is_newer = |since: UnixTime| issued_at > since.seconds();
        self.enabled && self.tokens_since.is_none_or(is_newer)
    }

    /// Whether strangers share it, so that a good signature proves nothing about who sends.
    pub fn is_shared(&self) -> bool {
        !self.tenant_claims.is_empty()
    }
}
