//! What an assertion must be: a value, so that every use and every kind of party share one set of
//! rules. The rules read nothing else.

use std::{borrow::Cow, time::Duration};

use grantor_jose::Algorithm;
use serde::{Deserialize, Serialize};

use super::{CLIENT_AUTHENTICATION_TYP, Profile};
use crate::{
    keys::{Candidate, KeyKind},
    registry::{
        AssertionProfile, AudienceMatch, AudiencePolicy, Client, ReplayPolicy, TrustedIssuer,
    },
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// Which `iss` an assertion may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IssuerRule {
    /// `iss` is present.
    Present,
    /// `iss` may be absent (JWT-SVID §3.1).
    MayBeAbsent,
}

/// Which subject an assertion may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubjectRule<'a> {
    /// `sub` is the issuer.
    IsIssuer,
    /// `sub` is present.
    Present,
    /// `sub` may be absent, and is the issuer then.
    IssuerIfAbsent,
    /// `sub` is present, of at most 2,048 octets, and names nobody here: a trust says whom.
    Foreign,
    /// As [`SubjectRule::Foreign`], and a SPIFFE ID of this trust domain (SPIFFE-ID §2).
    SpiffeId(&'a str),
}

/// Which audience an assertion may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudienceRule<'a> {
    /// The names of this server that `aud` may have, compared to the letter.
    pub allowed: &'a [String],
    /// How `aud` has the name.
    pub form: AudienceForm,
    /// Whether the names are those that are registered with an issuer.
    pub is_of_issuer: bool,
}

/// How `aud` has the name of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AudienceForm {
    /// As the sole value, a string or an array of one (RFC 10070 §4).
    Sole,
    /// As a plain string (FAPI 2.0 §5.3.2.1 (8)).
    Plain,
    /// As one of several values.
    Any,
}

/// Whether an assertion says when it was issued (RFC 7523 §3 (6)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IssuedAtRule {
    /// `iat` may be absent.
    Optional,
    /// `iat` is present, and `exp` no more than the longest lifetime behind it.
    Required,
}

/// Whether an assertion may be bound to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfirmationRule {
    /// `cnf` is not looked at.
    Ignored,
    /// There is no `cnf`: whoever is bound to a key has to show it, which a bearer does not (RFC
    /// 7800).
    Absent,
}

/// What becomes of `jti` (RFC 7523 §3 (7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenIdRule {
    /// It is present, and claimed: the assertion is good for one use.
    Required,
    /// It is claimed if it is present.
    Optional,
    /// The digest of header and payload is claimed instead: for issuers that send no `jti`. The
    /// signature is no part of it, for ECDSA lets others rewrite that.
    Digest,
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
    /// What `iss` is, where it is present.
    pub issuer: &'a str,
    /// Whether it is.
    pub issuer_rule: IssuerRule,
    /// `cnf`
    pub confirmation: ConfirmationRule,
    /// What `typ` may be where there is one (RFC 8725 §3.11). Untyped JWTs pass: RFC 10070 §4
    /// advises against refusing them.
    pub typ: &'a [Cow<'static, str>],
    /// `sub`
    pub subject: SubjectRule<'a>,
    /// `aud`
    pub audience: AudienceRule<'a>,
    /// The algorithms accepted (RFC 8725 §3.1).
    pub algorithms: &'a [Algorithm],
    /// The one of them that the party is registered with, if it is.
    pub only_algorithm: Option<Algorithm>,
    /// How old and how young it may be.
    pub lifetimes: Lifetimes,
    /// `iat`
    pub issued_at: IssuedAtRule,
    /// `jti`
    pub token_id: TokenIdRule,
    /// How long after `exp` a use is remembered, at least: a leeway that is made longer later lets
    /// nothing in again.
    pub remembered: Duration,
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
            issuer_rule: IssuerRule::Present,
            confirmation: ConfirmationRule::Ignored,
            typ: &TYPES,
            subject: SubjectRule::IsIssuer,
            audience: AudienceRule {
                allowed: &terms.audiences[..if is_legacy { 2 } else { 1 }],
                form: terms.profile.audience_form(),
                is_of_issuer: false,
            },
            algorithms: terms.algorithms(kind),
            only_algorithm: client.metadata().signing_algorithm,
            lifetimes: terms.lifetimes,
            issued_at: IssuedAtRule::Optional,
            token_id: TokenIdRule::Required,
            remembered: Duration::ZERO,
            keys,
        }
    }

    /// A JWT of an issuer, for either use. What is expected is registered with the issuer; of the
    /// audience, where nothing is registered, what the use expects of clients (RFC 7523 §3 (3), RFC
    /// 10070 §4). `typ` is what [`issuer_types`] says.
    pub fn issuer(
        terms: &'a Terms,
        issuer: &'a TrustedIssuer,
        usage: Usage,
        typ: &'a [Cow<'static, str>],
        keys: &'a [Candidate],
    ) -> Self {
        let own = &terms.audiences[..match usage {
            Usage::ClientAuthentication => 1,
            Usage::Grant => 2,
        }];
        Self {
            usage,
            issuer: issuer.id.as_str(),
            issuer_rule: match issuer.keys.is_spiffe() {
                true => IssuerRule::MayBeAbsent,
                false => IssuerRule::Present,
            },
            confirmation: ConfirmationRule::Absent,
            typ,
            subject: match &issuer.trust_domain {
                Some(domain) => SubjectRule::SpiffeId(domain),
                None => SubjectRule::Foreign,
            },
            audience: AudienceRule {
                allowed: match &*issuer.audiences {
                    [] => own,
                    registered => registered,
                },
                form: match issuer.audience_match {
                    AudienceMatch::Sole => AudienceForm::Sole,
                    AudienceMatch::Any => AudienceForm::Any,
                },
                is_of_issuer: !issuer.audiences.is_empty(),
            },
            algorithms: &issuer.algorithms,
            only_algorithm: None,
            lifetimes: Lifetimes {
                leeway: issuer.leeway,
                maximum: issuer.max_lifetime,
            },
            issued_at: IssuedAtRule::Required,
            token_id: match issuer.replay {
                ReplayPolicy::Once => TokenIdRule::Required,
                ReplayPolicy::OnceByDigest => TokenIdRule::Digest,
                ReplayPolicy::Reusable => TokenIdRule::Reusable,
            },
            remembered: TrustedIssuer::MAX_LEEWAY + Duration::from_secs(30),
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
            issuer_rule: IssuerRule::Present,
            confirmation: ConfirmationRule::Ignored,
            typ: &TYPES[..1],
            subject,
            audience: AudienceRule {
                allowed: &terms.audiences[..audiences],
                form: AudienceForm::Sole,
                is_of_issuer: false,
            },
            algorithms: terms.algorithms(KeyKind::Public),
            // An HMAC is how the client authenticates; its grants are signed with its public keys
            // all the same.
            only_algorithm: client
                .metadata()
                .signing_algorithm
                .filter(|algorithm| !algorithm.is_mac()),
            lifetimes: terms.lifetimes,
            issued_at: IssuedAtRule::Optional,
            token_id,
            remembered: Duration::ZERO,
            keys,
        }
    }
}

/// What `typ` may be in the JWTs of an issuer: `JWT`, for SPIFFE `JOSE` too (JWT-SVID §2.3), and
/// what is registered.
pub fn issuer_types(issuer: &TrustedIssuer) -> Vec<Cow<'static, str>> {
    let spiffe = issuer.keys.is_spiffe().then_some(Cow::Borrowed("JOSE"));
    let registered = issuer.types.iter().map(|typ| Cow::Owned(typ.clone()));
    let types = TYPES[..1].iter().cloned().chain(spiffe);
    types.chain(registered).collect()
}
