//! What an assertion must be: a value, so that every use and every kind of party share one set of
//! rules. The rules read nothing else.

use std::{borrow::Cow, time::Duration};

use grantor_jose::Algorithm;
use serde::{Deserialize, Serialize};

use super::{CLIENT_AUTHENTICATION_TYP, Profile};
use crate::{
    keys::{Candidate, KeyKind},
    registry::{AssertionProfile, AudiencePolicy, Client},
    types::Issuer,
};

/// The audience that libraries for Google service accounts put into every assertion, whatever the
/// token endpoint.
const SERVICE_ACCOUNT_AUDIENCE: &str = "https://oauth2.googleapis.com/token";

/// The types of a JWT without a type of its own, and of client authentication.
static TYPES: [Cow<'static, str>; 2] = [
    Cow::Borrowed("JWT"),
    Cow::Borrowed(CLIENT_AUTHENTICATION_TYP),
];

/// What an assertion is used for.
///
/// Complete: RFC 7523 has two uses, and each is told apart wherever one is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Usage {
    /// `client_assertion` (RFC 7523 §2.2): it says which client is calling.
    ClientAuthentication,
    /// `assertion` (RFC 7523 §2.1): it says what the call is entitled to.
    Grant,
}

/// The names this server answers to, from configuration alone.
#[derive(Clone, Debug)]
pub struct ServerIdentity {
    issuer: Issuer,
    token_endpoint: String,
}

impl ServerIdentity {
    /// The token endpoint is the issuer identifier followed by `/token`.
    pub fn new(issuer: Issuer) -> Self {
        Self {
            token_endpoint: issuer.endpoint("token"),
            issuer,
        }
    }

    /// The issuer identifier.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The token endpoint URL.
    pub fn token_endpoint(&self) -> &str {
        &self.token_endpoint
    }
}

/// How old and how young an assertion may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// How far the other side's clock may be off, either way (RFC 7519 §4.1.4).
    pub leeway: Duration,
    /// How far ahead `exp` may be (RFC 7523 §3 (4)), and how long ago `iat` (§3 (6)); leeway comes
    /// on top.
    pub maximum: Duration,
}

impl Default for Lifetimes {
    /// Leeway 30 s, maximum 1 h: many client libraries send exactly one hour.
    fn default() -> Self {
        Self {
            leeway: Duration::from_secs(30),
            maximum: Duration::from_secs(3600),
        }
    }
}

/// What the server asks of the assertions of every client.
#[derive(Clone, Debug)]
pub struct Terms {
    profile: Profile,
    lifetimes: Lifetimes,
    algorithms: Vec<Algorithm>,
    secret_algorithms: Vec<Algorithm>,
    /// The issuer identifier, the token endpoint, and what service-account libraries send: an
    /// assertion may name the first one, two or three.
    audiences: [String; 3],
}

impl Terms {
    /// The terms of a server of these names, with the algorithms of its profile.
    pub fn new(identity: &ServerIdentity, profile: Profile, lifetimes: Lifetimes) -> Self {
        Self {
            profile,
            lifetimes,
            algorithms: profile.default_algorithms(),
            secret_algorithms: vec![Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512],
            audiences: [
                identity.issuer.as_str().to_owned(),
                identity.token_endpoint.clone(),
                SERVICE_ACCOUNT_AUDIENCE.to_owned(),
            ],
        }
    }

    /// Sets the algorithms accepted with this kind of key.
    #[must_use]
    pub fn with_algorithms(mut self, kind: KeyKind, algorithms: Vec<Algorithm>) -> Self {
        match kind {
            KeyKind::Public => self.algorithms = algorithms,
            KeyKind::Secret => self.secret_algorithms = algorithms,
        }
        self
    }

    fn algorithms(&self, kind: KeyKind) -> &[Algorithm] {
        match kind {
            KeyKind::Public => &self.algorithms,
            KeyKind::Secret => &self.secret_algorithms,
        }
    }
}

/// Which subject an assertion may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubjectRule {
    /// `sub` is the issuer.
    IsIssuer,
    /// `sub` is present.
    Present,
    /// `sub` may be absent, and is the issuer then.
    IssuerIfAbsent,
}

/// Which audience an assertion may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudienceRule<'a> {
    /// The names of this server that `aud` may have, compared to the letter.
    pub allowed: &'a [String],
    /// How `aud` has the name.
    pub form: AudienceForm,
}

/// How `aud` has the name of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AudienceForm {
    /// As the sole value, a string or an array of one (RFC 10070 §4).
    Sole,
    /// As a plain string (FAPI 2.0 §5.3.2.1 (8)).
    Plain,
}

/// What becomes of `jti` (RFC 7523 §3 (7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenIdRule {
    /// It is present, and claimed: the assertion is good for one use.
    Required,
    /// It is claimed if it is present.
    Optional,
    /// It is not looked at: the assertion may be used until it expires.
    Reusable,
}

/// What is expected of one assertion. A use makes it from the party that is said to have signed;
/// an extension may change it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Expectation<'a> {
    /// What the assertion is used for.
    pub usage: Usage,
    /// `iss`
    pub issuer: &'a str,
    /// What `typ` may be where there is one (RFC 8725 §3.11). Untyped JWTs pass: RFC 10070 §4
    /// advises against refusing them.
    pub typ: &'a [Cow<'static, str>],
    /// `sub`
    pub subject: SubjectRule,
    /// `aud`
    pub audience: AudienceRule<'a>,
    /// The algorithms accepted (RFC 8725 §3.1).
    pub algorithms: &'a [Algorithm],
    /// The one of them that the party is registered with, if it is.
    pub only_algorithm: Option<Algorithm>,
    /// How old and how young it may be.
    pub lifetimes: Lifetimes,
    /// `jti`
    pub token_id: TokenIdRule,
    /// The keys that the signature is held against, in this order.
    pub keys: &'a [Candidate],
}

impl<'a> Expectation<'a> {
    /// Client authentication: `iss` and `sub` are the client, the audience is the issuer identifier
    /// alone unless the client is registered with the legacy policy (RFC 10070 §4), `jti` is
    /// required (OpenID Connect Core §9).
    pub fn client_authentication(
        terms: &'a Terms,
        client: &'a Client,
        kind: KeyKind,
        keys: &'a [Candidate],
    ) -> Self {
        let is_legacy = client.metadata().audience_policy == AudiencePolicy::Legacy
            && terms.profile.allows_legacy_audience();
        Self {
            usage: Usage::ClientAuthentication,
            issuer: client.id().as_str(),
            typ: &TYPES,
            subject: SubjectRule::IsIssuer,
            audience: AudienceRule {
                allowed: &terms.audiences[..if is_legacy { 2 } else { 1 }],
                form: terms.profile.audience_form(),
            },
            algorithms: terms.algorithms(kind),
            only_algorithm: client.metadata().signing_algorithm,
            lifetimes: terms.lifetimes,
            token_id: TokenIdRule::Required,
            keys,
        }
    }

    /// A grant issued by the client itself: the audience is the issuer identifier or the token
    /// endpoint URL (RFC 7523 §3 (3)), `sub` and `jti` are required unless the client is
    /// registered with the service-account profile.
    pub fn grant(terms: &'a Terms, client: &'a Client, keys: &'a [Candidate]) -> Self {
        let (subject, audiences, token_id) = match client.metadata().assertion_profile {
            AssertionProfile::Standard => (SubjectRule::Present, 2, TokenIdRule::Required),
            AssertionProfile::ServiceAccount => {
                (SubjectRule::IssuerIfAbsent, 3, TokenIdRule::Optional)
            }
        };
        Self {
            usage: Usage::Grant,
            issuer: client.id().as_str(),
            typ: &TYPES[..1],
            subject,
            audience: AudienceRule {
                allowed: &terms.audiences[..audiences],
                form: AudienceForm::Sole,
            },
            algorithms: terms.algorithms(KeyKind::Public),
            // An HMAC is how the client authenticates; its grants are signed with its public keys
            // all the same.
            only_algorithm: client
                .metadata()
                .signing_algorithm
                .filter(|algorithm| !algorithm.is_mac()),
            lifetimes: terms.lifetimes,
            token_id,
            keys,
        }
    }
}
