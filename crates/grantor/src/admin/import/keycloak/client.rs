//! Clients. What a client may do there and not here is said, and never made up by something else.

use grantor_jose::json::{Object, Value};
use serde_json::json;

use super::{
    Import,
    keys::{self, Keys},
    scope::Found,
};
use crate::{
    admin::import::{LeftOut, part::Part},
    registry::ClientMetadata,
    types::{AuthMethod, Description, DisplayName, GrantType, RedirectUri},
};

/// The clients that Keycloak makes in each realm.
const BUILT_IN: [&str; 6] = [
    "account",
    "account-console",
    "admin-cli",
    "broker",
    "realm-management",
    "security-admin-console",
];

const REDIRECT_URIS: &str = "redirectUris";

/// Where a flag of a client is.
#[derive(Clone, Copy)]
enum Of {
    Client,
    Attributes,
}

/// Flags that say what a client may do, or what its tokens are, and what there is of that here.
type Flags = [(Of, &'static str, &'static str)];

/// The grants that are not here.
const NO_GRANTS: [(Of, &str, &str); 5] = [
    (
        Of::Client,
        "directAccessGrantsEnabled",
        "the grant by a person's password is not here (RFC 9700 §2.4)",
    ),
    (
        Of::Client,
        "implicitFlowEnabled",
        "the implicit grant is not here (RFC 9700 §2.1.2); the client uses the code grant",
    ),
    (
        Of::Attributes,
        "oauth2.device.authorization.grant.enabled",
        "the device grant is not here",
    ),
    (
        Of::Attributes,
        "oidc.ciba.grant.enabled",
        "the CIBA grant is not here",
    ),
    (
        Of::Attributes,
        "standard.token.exchange.enabled",
        "token exchange is not here",
    ),
];

/// How tokens are bound to a key there.
const BOUND_TOKENS: [(Of, &str, &str); 2] = [
    (
        Of::Attributes,
        "dpop.bound.access.tokens",
        "its tokens are bound to a DPoP key there; here that is not set of a client",
    ),
    (
        Of::Attributes,
        "tls.client.certificate.bound.access.tokens",
        "its tokens are bound to a TLS certificate there, and here they are not",
    ),
];

/// What there is several of, and what that is.
const COUNTED: [(&str, &str); 2] = [
    (
        "protocolMappers",
        "protocol mappers: which claims tokens have is not configured",
    ),
    (
        "authorizationSettings",
        "authorization settings: APIs decide themselves",
    ),
];

/// A client that is being read.
struct Reading<'p, 'e> {
    part: &'p Part<'e>,
    attributes: Part<'e>,
    /// What is made of it.
    object: Object,
    /// What of it is left out.
    notes: Vec<LeftOut>,
}

impl<'e> Import<'e> {
    pub(super) fn clients(&mut self, parts: &[Part<'e>]) {
        let (mut built_in, mut secrets) = (0, Vec::new());
        for part in parts {
            let name = match part.text("clientId") {
                Ok(Some(name)) => name,
                Ok(None) => {
                    self.made.leave_out(part.left_out("clientId", "has no id"));
                    continue;
                }
                Err(wrong) => {
                    self.made.leave_out(wrong);
                    continue;
                }
            };
            if BUILT_IN.contains(&name) {
                built_in += 1;
                continue;
            }
            match self.read_client(part, name) {
                Ok(Reading { object, notes, .. }) => {
                    let has_secret = object.contains_key("secret");
                    let is_made = self.made.client(part, name, object, notes);
                    secrets.extend((has_secret && is_made).then_some(name));
                }
                Err(wrong) => self.made.leave_out(wrong.called(name)),
            }
        }
        self.sum_up(built_in, secrets.len());
    }

    fn sum_up(&mut self, built_in: usize, secrets: usize) {
        let counted = [
            (
                built_in,
                "that Keycloak makes itself, for its own pages and its own API",
            ),
            (
                secrets,
                "secrets: apply makes new ones (--secrets-out), which the clients have to be given",
            ),
        ];
        for (count, what) in counted.into_iter().filter(|(count, _)| *count > 0) {
            let why = format!("{count} {what}");
            self.made.leave_out(LeftOut::new("/clients", why));
        }
    }

    fn read_client<'p>(&self, part: &'p Part<'e>, name: &str) -> Result<Reading<'p, 'e>, LeftOut> {
        let attributes = part.object("attributes")?;
        let mut reading = Reading {
            part,
            attributes,
            object: Object::new(),
            notes: Vec::new(),
        };
        reading.check_kind()?;
        reading.set("client_id", name);
        if part.member("enabled").is_some() && !part.flag("enabled")? {
            reading.set("enabled", false);
        }
        reading.redirect_uris()?;
        reading.grants()?;
        reading.authentication()?;
        reading.texts()?;
        reading.scope(self)?;
        reading.consent()?;
        reading.rest()?;
        Ok(reading)
    }
}

impl Reading<'_, '_> {
    fn set(&mut self, member: &str, value: impl Into<Value>) {
        self.object.insert(member.to_owned(), value.into());
    }

    /// Says of each flag that is set what there is here.
    fn note_flags(&mut self, flags: &Flags) -> Result<(), LeftOut> {
        for (of, member, why) in flags {
            let of = match of {
                Of::Client => self.part,
                Of::Attributes => &self.attributes,
            };
            if of.flag(member)? {
                self.notes.push(of.left_out(member, *why));
            }
        }
        Ok(())
    }

    /// Whether a redirect URI is left.
    fn has_code_grant(&self) -> bool {
        self.object.contains_key("redirect_uris")
    }

    fn refused(&self, member: &str, why: &str) -> LeftOut {
        self.part.left_out(member, why)
    }

    /// Whether it is one that gets tokens by OAuth.
    fn check_kind(&self) -> Result<(), LeftOut> {
        if !matches!(self.part.text("protocol")?, None | Some("openid-connect")) {
            let why = "is of another protocol than OpenID Connect, which is not spoken here";
            return Err(self.refused("protocol", why));
        }
        if self.part.flag("bearerOnly")? {
            let why =
                "gets no tokens, and only takes those of others: an API needs no registration";
            return Err(self.refused("bearerOnly", why));
        }
        Ok(())
    }

    /// The grants that are here, and those that are not.
    fn grants(&mut self) -> Result<(), LeftOut> {
        let (part, attributes) = (self.part, self.attributes.clone());
        let mut grants = Vec::new();
        if part.flag("serviceAccountsEnabled")? {
            grants.push(GrantType::CLIENT_CREDENTIALS);
        }
        if self.has_code_grant() {
            grants.push(GrantType::AUTHORIZATION_CODE);
            if attributes.setting("use.refresh.tokens")?.as_deref() != Some("false") {
                grants.push(GrantType::REFRESH_TOKEN);
            }
        }
        if attributes.flag("oauth2.jwt.authorization.grant.enabled")? {
            grants.push(GrantType::JWT_BEARER);
        }
        self.note_flags(&NO_GRANTS)?;
        if grants.is_empty() && part.flag("standardFlowEnabled")? {
            let why = "the code grant needs a redirect URI, and none is left: patterns and parts of \
                       URIs have no meaning here";
            return Err(self.refused(REDIRECT_URIS, why));
        }
        if grants.is_empty() {
            let why = "uses no grant that is here: neither a service account, nor the code grant, \
                       nor the JWT grant";
            return Err(LeftOut::new(&*part.pointer, why));
        }
        self.set("grant_types", json!(grants));
        Ok(())
    }

    fn authentication(&mut self) -> Result<(), LeftOut> {
        let method = self.method()?;
        match &method {
            method if *method == AuthMethod::PRIVATE_KEY_JWT => self.keys()?,
            method if *method == AuthMethod::NONE => {}
            _ => self.set("secret", "make"),
        }
        let signs = [AuthMethod::PRIVATE_KEY_JWT, AuthMethod::CLIENT_SECRET_JWT];
        if signs.contains(&method)
            && let Some(algorithm) = self.attributes.text("token.endpoint.auth.signing.alg")?
        {
            self.set("token_endpoint_auth_signing_alg", algorithm);
        }
        self.set("token_endpoint_auth_method", method.as_str());
        Ok(())
    }

    fn method(&self) -> Result<AuthMethod, LeftOut> {
        const MEMBER: &str = "clientAuthenticatorType";
        if self.part.flag("publicClient")? {
            return Ok(AuthMethod::NONE);
        }
        let by_post = || {
            let allowed = "client.secret.authentication.allowed.method";
            let allowed = self.attributes.text(allowed)?;
            Ok(allowed == Some(AuthMethod::CLIENT_SECRET_POST.as_str()))
        };
        match self.part.text(MEMBER)? {
            None | Some("client-secret") => Ok(match by_post()? {
                true => AuthMethod::CLIENT_SECRET_POST,
                false => AuthMethod::CLIENT_SECRET_BASIC,
            }),
            Some("client-secret-jwt") => Ok(AuthMethod::CLIENT_SECRET_JWT),
            Some("client-jwt" | "federated-jwt") => Ok(AuthMethod::PRIVATE_KEY_JWT),
            Some("client-x509") => Err(self.refused(
                MEMBER,
                "authenticates by a TLS certificate, which is not here; register it with a public \
                 key (grantor client create ID --jwks FILE)",
            )),
            Some(_) => Err(self.refused(
                MEMBER,
                "authenticates in a way that is not here; register it with a public key (grantor \
                 client create ID --jwks FILE)",
            )),
        }
    }

    /// The public keys, or whose JWTs prove the client.
    fn keys(&mut self) -> Result<(), LeftOut> {
        if self.part.text("clientAuthenticatorType")? == Some("federated-jwt") {
            let member = "jwt.credential.issuer";
            let why = "which JWTs prove this client, a person says: grantor trust create NAME \
                       --from ISSUER --client ID --use client-auth";
            self.notes.push(self.attributes.left_out(member, why));
            self.set("federated", true);
            return Ok(());
        }
        let (keys, skipped) = keys::of_client(&self.attributes)?;
        self.notes.extend(skipped);
        match keys {
            Keys::At(url) => self.set("jwks_uri", url),
            Keys::These(set) => self.set("jwks", set),
        }
        Ok(())
    }

    /// What people see of it. A text in braces is a name in Keycloak's catalogue of messages.
    fn texts(&mut self) -> Result<(), LeftOut> {
        let texts = [
            (
                "name",
                "client_name",
                (|text| DisplayName::parse(text).map(drop)) as fn(&str) -> Result<(), _>,
            ),
            ("description", "description", |text| {
                Description::parse(text).map(drop)
            }),
        ];
        for (there, here, check) in texts {
            let text = self.part.text(there)?;
            let Some(text) = text.filter(|text| !text.starts_with("${")) else {
                continue;
            };
            match check(text) {
                Ok(()) => self.set(here, text),
                Err(error) => {
                    let why = format!("this text {error}");
                    self.notes.push(self.part.left_out(there, why));
                }
            }
        }
        Ok(())
    }

    /// Those that are one place each.
    fn redirect_uris(&mut self) -> Result<(), LeftOut> {
        if !self.part.flag("standardFlowEnabled")? {
            return Ok(());
        }
        let root = self.part.text("rootUrl")?;
        let root = root.map(|root| root.trim_end_matches('/'));
        let mut kept: Vec<String> = Vec::new();
        for item in self.part.items(REDIRECT_URIS)? {
            let text = item.own_text()?;
            let whole = match (text.starts_with('/'), root) {
                (true, Some(root)) => format!("{root}{text}"),
                _ => text.to_owned(),
            };
            match problem_of(text, &whole, kept.len()) {
                Some(why) => self.notes.push(LeftOut::new(item.pointer, why)),
                None if kept.contains(&whole) => {}
                None => kept.push(whole),
            }
        }
        if kept.is_empty() {
            let why = "no redirect URI is left, so the client does not get the code grant";
            self.notes.push(self.part.left_out(REDIRECT_URIS, why));
        } else {
            self.set("redirect_uris", kept);
        }
        Ok(())
    }

    /// Its client scopes that are scopes here.
    fn scope(&mut self, import: &Import<'_>) -> Result<(), LeftOut> {
        let mut tokens: Vec<&str> = Vec::new();
        for member in ["defaultClientScopes", "optionalClientScopes"] {
            for item in self.part.items(member)? {
                let name = item.own_text()?;
                match import.scopes.find(name) {
                    Found::Kept => tokens.push(name),
                    Found::LeftOut => {}
                    Found::Unknown => {
                        let why = "there is no such client scope in the export";
                        self.notes.push(LeftOut::new(item.pointer, why));
                    }
                }
            }
        }
        tokens.sort_unstable();
        tokens.dedup();
        if !tokens.is_empty() {
            self.set("scope", tokens.join(" "));
        }
        Ok(())
    }

    fn consent(&mut self) -> Result<(), LeftOut> {
        const MEMBER: &str = "consentRequired";
        match self.part.flag(MEMBER)? {
            true => self.set("consent", "ask"),
            false if self.has_code_grant() => {
                let why = "nobody is asked there; here the code grant gives nothing until an \
                           operator says consent = \"ask\", or \"implied\" of an own client";
                self.notes.push(self.part.left_out(MEMBER, why));
            }
            false => {}
        }
        Ok(())
    }

    /// What else is set of it.
    fn rest(&mut self) -> Result<(), LeftOut> {
        self.lifetime()?;
        self.note_flags(&BOUND_TOKENS)?;
        for (member, what) in COUNTED {
            let count = self.part.member(member).map_or(0, |part| match part.value {
                Value::Array(items) => items.len(),
                Value::Object(members) => members.len(),
                _ => 0,
            });
            if count > 0 {
                let why = format!("{count} {what}");
                self.notes.push(self.part.left_out(member, why));
            }
        }
        Ok(())
    }

    fn lifetime(&mut self) -> Result<(), LeftOut> {
        const MEMBER: &str = "access.token.lifespan";
        let seconds = self.attributes.setting(MEMBER)?;
        let Some(seconds) = seconds.filter(|text| text != "-1") else {
            return Ok(());
        };
        let why = match seconds.parse::<u64>() {
            Ok(seconds) => format!(
                "its tokens live {seconds} s there; here the configuration says it for all clients \
                 (token.lifetime)"
            ),
            Err(_) => "expected a number of seconds".to_owned(),
        };
        self.notes.push(self.attributes.left_out(MEMBER, why));
        Ok(())
    }
}

/// Why this redirect URI, which begins with the client's own address now, is not kept beside so many.
fn problem_of(text: &str, whole: &str, kept: usize) -> Option<String> {
    let most = ClientMetadata::MAX_REDIRECT_URIS;
    match RedirectUri::parse(whole) {
        _ if text.contains('*') => {
            Some("is a pattern, which has no meaning here; name each URI".to_owned())
        }
        _ if whole.contains("${") || whole.starts_with('/') => {
            Some("begins at Keycloak's own address; name the whole URI".to_owned())
        }
        Err(error) => Some(format!("this URI {error}")),
        Ok(_) if kept == most => Some(format!(
            "is one more than the {most} that a client may have"
        )),
        Ok(_) => None,
    }
}
