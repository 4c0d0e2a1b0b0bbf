//! What an assertion must be: a value, so that both uses share one verifier.

use grantor_jose::Algorithm;
use serde::{Deserialize, Serialize};

use super::Profile;
use crate::{
    keys::Candidate,
    registry::{AssertionProfile, AudiencePolicy, Client},
    types::Issuer,
};

/// The audience that libraries for Google service accounts put into every assertion, whatever the
/// token endpoint.
const SERVICE_ACCOUNT_AUDIENCE: &str = "https://oauth2.googleapis.com/token";

/// What an assertion is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Usage {
    /// `client_assertion` (RFC 7523 §2.2): who is calling.
    ClientAuthentication,
    /// `assertion` (RFC 7523 §2.1): what the call is entitled to.
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

/// What the server asks of every assertion.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The names it answers to.
    pub identity: &'a ServerIdentity,
    /// The algorithms it accepts.
    pub algorithms: &'a [Algorithm],
    /// How strict it is.
    pub profile: Profile,
}

/// Who `sub` must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SubjectRule {
    IsIssuer,
    Present,
    IssuerIfAbsent,
}

/// What is expected of one assertion. Made from the client that is said to have issued it.
#[derive(Clone, Debug)]
pub struct Expectation<'a> {
    pub(super) usage: Usage,
    pub(super) issuer: &'a str,
    pub(super) subject: SubjectRule,
    pub(super) audiences: Vec<&'a str>,
    pub(super) plain_audience: bool,
    pub(super) algorithms: &'a [Algorithm],
    pub(super) only_algorithm: Option<Algorithm>,
    pub(super) token_id_required: bool,
    pub(super) keys: Vec<Candidate>,
}

impl<'a> Expectation<'a> {
    /// The keys that the signature is held against.
    pub(crate) fn into_keys(self) -> Vec<Candidate> {
        self.keys
    }

    /// Client authentication: `iss` and `sub` are the client, the audience is the issuer identifier
    /// alone unless the client is registered with the legacy policy (RFC 10070 §4), `jti` is
    /// required (OpenID Connect Core §9).
    pub fn client_authentication(
        terms: Terms<'a>,
        client: &'a Client,
        keys: Vec<Candidate>,
    ) -> Self {
        let mut audiences = vec![terms.identity.issuer.as_str()];
        if client.metadata().audience_policy == AudiencePolicy::Legacy
            && terms.profile.allows_legacy_audience()
        {
            audiences.push(&terms.identity.token_endpoint);
        }
        Self {
            usage: Usage::ClientAuthentication,
            issuer: client.id().as_str(),
            subject: SubjectRule::IsIssuer,
            audiences,
            plain_audience: terms.profile.wants_plain_audience(),
            algorithms: terms.algorithms,
            only_algorithm: client.metadata().signing_algorithm,
            token_id_required: true,
            keys,
        }
    }

    /// A grant issued by the client itself: the audience is the issuer identifier or the token
    /// endpoint URL (RFC 7523 §3 (3)), `sub` and `jti` are required unless the client is
    /// registered with the service-account profile.
    pub fn grant(terms: Terms<'a>, client: &'a Client, keys: Vec<Candidate>) -> Self {
        let service_account =
            client.metadata().assertion_profile == AssertionProfile::ServiceAccount;
        let mut audiences = vec![
            terms.identity.issuer.as_str(),
            &terms.identity.token_endpoint,
        ];
        if service_account {
            audiences.push(SERVICE_ACCOUNT_AUDIENCE);
        }
        Self {
            usage: Usage::Grant,
            issuer: client.id().as_str(),
            subject: if service_account {
                SubjectRule::IssuerIfAbsent
            } else {
                SubjectRule::Present
            },
            audiences,
            plain_audience: false,
            algorithms: terms.algorithms,
            // An HMAC is how the client authenticates; its grants are signed with its public keys
            // all the same.
            only_algorithm: client
                .metadata()
                .signing_algorithm
                .filter(|algorithm| !algorithm.is_mac()),
            token_id_required: !service_account,
            keys,
        }
    }
}
