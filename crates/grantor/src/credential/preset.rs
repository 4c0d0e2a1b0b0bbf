//! What vendors ask of an assertion, as data. A preset fills in the settings of a
//! [`JwtBearer`](crate::client::JwtBearer), [`PrivateKeyJwt`](super::PrivateKeyJwt) or
//! [`AssertionMaker`](super::AssertionMaker), and what is set against the vendor's rules afterwards
//! is refused when the source is built. One of your own is a `static` of the same type.

use std::{borrow::Cow, time::Duration};

use grantor_jose::Algorithm;

use super::{Audience, CredentialError, ScopePlace};

/// A vendor's rules.
#[derive(Clone, Debug)]
pub struct Preset {
    /// The vendor's name for it.
    pub name: &'static str,
    /// Where the vendor publishes the rules.
    pub documentation: &'static str,
    /// The token endpoint, where it is the same for everybody.
    pub token_endpoint: Option<&'static str>,
    /// `aud`
    pub audience: Audience,
    /// The algorithms the vendor takes.
    pub algorithms: &'static [Algorithm],
    /// The header's `typ`.
    pub typ: Option<&'static str>,
    /// `exp`, from the moment the assertion is made.
    pub lifetime: Duration,
    /// How far `iat` lies in the past.
    pub backdate: Duration,
    /// The longest that the vendor takes, from `iat` to `exp`.
    pub longest_lifetime: Duration,
    /// Where the scope is read.
    pub scope: ScopePlace,
    /// How the header names the key.
    pub key_name: KeyName,
    /// Who `sub` of a grant assertion may be. A client assertion's is the client.
    pub subject: SubjectDefault,
    /// How long a token may be kept where the answer has no `expires_in`.
    pub token_lifetime: Option<Duration>,
}

impl Preset {
    pub(crate) fn broken(&self, rule: String) -> CredentialError {
        CredentialError::Preset {
            preset: self.name,
            documentation: self.documentation,
            rule,
        }
    }
}

/// How a header names the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyName {
    /// `kid`, where the key has one.
    Optional,
    /// `kid`
    KeyId,
    /// `x5t#S256`, the thumbprint of the certificate.
    Certificate,
}

/// Who the subject of a grant assertion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubjectDefault {
    /// The issuer, unless another is set or wanted.
    Issuer,
    /// Nobody, unless one is set or wanted: `sub` is then delegation.
    OnlyIfSet,
    /// One that is set or wanted.
    Required,
}

const HOUR: Duration = Duration::from_secs(3600);

/// Google service accounts. The scope is a claim, `sub` only for domain-wide delegation, `exp` at
/// most an hour after `iat`. [`TokenSource::from_key_file`](crate::client::TokenSource::from_key_file) uses
/// it for Google's key files by itself.
///
/// <https://developers.google.com/identity/protocols/oauth2/service-account>
pub static GOOGLE: Preset = Preset {
    name: "Google service account",
    documentation: "https://developers.google.com/identity/protocols/oauth2/service-account",
    token_endpoint: Some("https://oauth2.googleapis.com/token"),
    audience: Audience::TokenEndpoint,
    algorithms: &[Algorithm::Rs256],
    typ: Some("JWT"),
    lifetime: Duration::from_secs(3590),
    backdate: Duration::from_secs(10),
    longest_lifetime: HOUR,
    scope: ScopePlace::Claim,
    key_name: KeyName::KeyId,
    subject: SubjectDefault::OnlyIfSet,
    token_lifetime: None,
};

/// Salesforce, JWT bearer flow. `iss` is the consumer key, `sub` the user name, `exp` within 3
/// minutes. Scopes are those of the connected app, so none is sent. The answer has no `expires_in`
/// and has `instance_url`, the API's address: [`AccessToken::member`](crate::client::AccessToken::member).
/// How long a session lives is a setting of the organisation; a token is kept for 15 minutes, the
/// shortest of them.
///
/// <https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_jwt_flow.htm>
pub static SALESFORCE: Preset = salesforce(
    "Salesforce",
    "https://login.salesforce.com/services/oauth2/token",
    "https://login.salesforce.com",
);

/// As [`SALESFORCE`], for sandboxes.
pub static SALESFORCE_SANDBOX: Preset = salesforce(
    "Salesforce sandbox",
    "https://test.salesforce.com/services/oauth2/token",
    "https://test.salesforce.com",
);

const fn salesforce(
    name: &'static str,
    token_endpoint: &'static str,
    audience: &'static str,
) -> Preset {
    Preset {
        name,
        documentation: "https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_jwt_flow.htm",
        token_endpoint: Some(token_endpoint),
        audience: Audience::Exactly(Cow::Borrowed(audience)),
        algorithms: &[Algorithm::Rs256],
        typ: None,
        lifetime: Duration::from_secs(150),
        backdate: Duration::ZERO,
        longest_lifetime: Duration::from_secs(180),
        scope: ScopePlace::Form,
        key_name: KeyName::Optional,
        subject: SubjectDefault::Required,
        token_lifetime: Some(Duration::from_secs(15 * 60)),
    }
}

/// DocuSign, JWT grant. `iss` is the integration key, `sub` the user's GUID, `aud` the host without
/// scheme, and the scope (`signature impersonation`) a claim. The user must have consented once:
/// until then the error is `consent_required`.
///
/// <https://developers.docusign.com/platform/auth/jwt/jwt-get-token/>
pub static DOCUSIGN: Preset = docusign(
    "DocuSign",
    "https://account.docusign.com/oauth/token",
    "account.docusign.com",
);

/// As [`DOCUSIGN`], for the developer environment.
pub static DOCUSIGN_DEMO: Preset = docusign(
    "DocuSign developer environment",
    "https://account-d.docusign.com/oauth/token",
    "account-d.docusign.com",
);

const fn docusign(
    name: &'static str,
    token_endpoint: &'static str,
    audience: &'static str,
) -> Preset {
    Preset {
        name,
        documentation: "https://developers.docusign.com/platform/auth/jwt/jwt-get-token/",
        token_endpoint: Some(token_endpoint),
        audience: Audience::Exactly(Cow::Borrowed(audience)),
        algorithms: &[Algorithm::Rs256],
        typ: Some("JWT"),
        lifetime: Duration::from_secs(600),
        backdate: Duration::from_secs(10),
        longest_lifetime: HOUR,
        scope: ScopePlace::Claim,
        key_name: KeyName::Optional,
        subject: SubjectDefault::Required,
        token_lifetime: None,
    }
}

/// Microsoft Entra ID, `private_key_jwt` with a certificate. The header has `x5t#S256` (give the
/// key its certificate: [`LocalKey::with_certificate_pem`](super::LocalKey::with_certificate_pem)),
/// `aud` is the tenant's token endpoint, so use [`Server::at`](super::Server::at) with `https://login.microsoftonline.com/TENANT/oauth2/v2.0/token`. With the client credentials
/// grant the scope is the resource's identifier and `/.default`.
///
/// <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>
pub static ENTRA: Preset = Preset {
    name: "Microsoft Entra ID",
    documentation: "https://learn.microsoft.com/entra/identity-platform/certificate-credentials",
    token_endpoint: None,
    audience: Audience::TokenEndpoint,
    algorithms: &[Algorithm::Ps256],
    typ: Some("JWT"),
    lifetime: Duration::from_secs(300),
    backdate: Duration::ZERO,
    longest_lifetime: Duration::from_secs(600),
    scope: ScopePlace::Form,
    key_name: KeyName::Certificate,
    subject: SubjectDefault::Issuer,
    token_lifetime: None,
};

/// Okta, `private_key_jwt`. `aud` is the token endpoint, so use [`Server::at`](super::Server::at);
/// `exp` at most an hour ahead.
///
/// <https://developer.okta.com/docs/guides/build-self-signed-jwt/>
pub static OKTA: Preset = Preset {
    name: "Okta",
    documentation: "https://developer.okta.com/docs/guides/build-self-signed-jwt/",
    token_endpoint: None,
    audience: Audience::TokenEndpoint,
    algorithms: &[
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
    ],
    typ: Some("JWT"),
    lifetime: Duration::from_secs(60),
    backdate: Duration::ZERO,
    longest_lifetime: HOUR,
    scope: ScopePlace::Form,
    key_name: KeyName::Optional,
    subject: SubjectDefault::Issuer,
    token_lifetime: None,
};

/// Auth0, `private_key_jwt`. `aud` is the tenant's URL with a slash at its end: `Server::at("https://TENANT.auth0.com/oauth/token")`
/// `.with_issuer("https://TENANT.auth0.com/")`. At most 5 minutes; 10 s of skew. The API is named by the form parameter `audience`:
/// [`Builder::parameter`](crate::client::Builder::parameter).
///
/// <https://auth0.com/docs/get-started/authentication-and-authorization-flow/authenticate-with-private-key-jwt>
pub static AUTH0: Preset = Preset {
    name: "Auth0",
    documentation: "https://auth0.com/docs/get-started/authentication-and-authorization-flow/authenticate-with-private-key-jwt",
    token_endpoint: None,
    audience: Audience::Issuer,
    algorithms: &[Algorithm::Rs256, Algorithm::Rs384, Algorithm::Ps256],
    typ: Some("JWT"),
    lifetime: Duration::from_secs(60),
    backdate: Duration::ZERO,
    longest_lifetime: Duration::from_secs(300),
    scope: ScopePlace::Form,
    key_name: KeyName::Optional,
    subject: SubjectDefault::Issuer,
    token_lifetime: None,
};

/// Keycloak, `private_key_jwt` ("Signed JWT"). `aud` is the realm's issuer URL: `Server::discover("https://HOST/realms/REALM")`. An
/// assertion may be at most 60 s old unless the client's settings say otherwise.
///
/// <https://www.keycloak.org/docs/latest/server_admin/#_client-credentials>
pub static KEYCLOAK: Preset = Preset {
    name: "Keycloak",
    documentation: "https://www.keycloak.org/docs/latest/server_admin/#_client-credentials",
    token_endpoint: None,
    audience: Audience::Issuer,
    algorithms: &[
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
        Algorithm::EdDsa,
    ],
    typ: Some("JWT"),
    lifetime: Duration::from_secs(60),
    backdate: Duration::ZERO,
    longest_lifetime: Duration::from_secs(60),
    scope: ScopePlace::Form,
    key_name: KeyName::Optional,
    subject: SubjectDefault::Issuer,
    token_lifetime: None,
};

/// GitHub Apps: the JWT with which an app asks GitHub's API for installation tokens. It goes there
/// as a Bearer token itself and not to a token endpoint, so it is for an
/// [`AssertionMaker`](super::AssertionMaker). `iss` is the app's client id, `iat` 60 s in the past,
/// `exp` at most 10 minutes ahead; there is no `aud`.
///
/// <https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>
pub static GITHUB_APP: Preset = Preset {
    name: "GitHub App",
    documentation: "https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app",
    token_endpoint: None,
    audience: Audience::Nobody,
    algorithms: &[Algorithm::Rs256],
    typ: Some("JWT"),
    lifetime: Duration::from_secs(480),
    backdate: Duration::from_secs(60),
    longest_lifetime: Duration::from_secs(600),
    scope: ScopePlace::Form,
    key_name: KeyName::Optional,
    subject: SubjectDefault::OnlyIfSet,
    token_lifetime: None,
};
