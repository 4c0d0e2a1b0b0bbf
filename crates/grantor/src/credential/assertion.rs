//! Making assertions: what goes into one, how long it is valid, and its signature. Each is new: one
//! is never sent twice.

use std::{borrow::Cow, fmt, ops::Range, sync::Arc, time::Duration};

use grantor_jose::{
    Algorithm, base64url_encode, compact, crypto,
    json::{Object, Value},
    signing_input,
};
use zeroize::Zeroizing;

use super::{CredentialError, Preset, Server, Signer, SignerError, preset::KeyName};
use crate::clock::UnixTime;

/// Whom an assertion is for: its `aud`. It comes from configuration always, and never from what a
/// server says about itself; a server that could choose it would collect assertions for others
/// (CVE-2025-27370).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Audience {
    /// The issuer identifier of the configured server (RFC 10070 §4). The default.
    Issuer,
    /// The configured URL of the token endpoint: what RFC 7523 §3 allowed, and many servers still
    /// ask. Not possible for a discovered endpoint.
    TokenEndpoint,
    /// This text.
    Exactly(Cow<'static, str>),
    /// None. No authorization server takes such an assertion; GitHub's API does.
    Nobody,
}

/// Where the requested scope is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScopePlace {
    /// In the form, as `scope` (RFC 7521 §4.1). The default.
    Form,
    /// In the assertion, as the claim `scope`, space-separated.
    Claim,
}

/// Makes assertions by one issuer with one key. [`JwtBearer`](crate::client::JwtBearer) and
/// [`PrivateKeyJwt`](super::PrivateKeyJwt) contain one; alone it serves whoever wants a signed JWT
/// and no token.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use grantor::{credential::{AssertionMaker, LocalKey, preset}, clock::{Clock, SystemClock}, jose::Algorithm};
///
/// let key = LocalKey::from_pem(&std::fs::read_to_string("app.pem")?, Some(Algorithm::Rs256))?;
/// let maker = AssertionMaker::new("Iv1.8a61f9b3a7aba766", key).preset(&preset::GITHUB_APP);
/// let jwt = maker.make(None, None, SystemClock.now()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AssertionMaker {
    signer: Arc<dyn Signer>,
    issuer: String,
    pub(crate) audience: Audience,
    lifetime: Duration,
    backdate: Duration,
    typ: Option<Cow<'static, str>>,
    #[cfg_attr(
        not(feature = "client"),
        expect(dead_code, reason = "only a grant asks for a scope")
    )]
    pub(crate) scope: ScopePlace,
    claims: Object,
    header: Object,
    pub(crate) preset: Option<&'static Preset>,
}

impl AssertionMaker {
    /// Valid for 60 seconds, for the configured server's issuer identifier, `typ: JWT`.
    pub fn new(issuer: impl Into<String>, signer: impl Signer) -> Self {
        Self {
            signer: Arc::new(signer),
            issuer: issuer.into(),
            audience: Audience::Issuer,
            lifetime: Duration::from_secs(60),
            backdate: Duration::ZERO,
            typ: Some(Cow::Borrowed("JWT")),
            scope: ScopePlace::Form,
            claims: Object::new(),
            header: Object::new(),
            preset: None,
        }
    }

    /// Takes over what a vendor's rules say. What is set afterwards wins, within those rules.
    #[must_use]
    pub fn preset(self, preset: &'static Preset) -> Self {
        Self {
            audience: preset.audience.clone(),
            lifetime: preset.lifetime,
            backdate: preset.backdate,
            typ: preset.typ.map(Cow::Borrowed),
            scope: preset.scope,
            preset: Some(preset),
            ..self
        }
    }

    /// `aud`
    #[must_use]
    pub fn audience(self, audience: Audience) -> Self {
        Self { audience, ..self }
    }

    /// How long an assertion is valid from the moment it is made: `exp` is that much after the
    /// clock's time. In whole seconds.
    #[must_use]
    pub fn lifetime(self, lifetime: Duration) -> Self {
        Self { lifetime, ..self }
    }

    /// Sets `iat` this much before the clock's time, for servers whose clock may be behind. `exp`
    /// does not move.
    #[must_use]
    pub fn backdate(self, backdate: Duration) -> Self {
        Self { backdate, ..self }
    }

    /// The header's `typ`; `None` leaves it out.
    #[must_use]
    pub fn typ(self, typ: Option<Cow<'static, str>>) -> Self {
        Self { typ, ..self }
    }

    /// Where the requested scope goes.
    #[must_use]
    pub fn scope_in(self, scope: ScopePlace) -> Self {
        Self { scope, ..self }
    }

    /// A further claim. `iss`, `sub`, `aud`, `iat`, `exp` and `jti` cannot be replaced: a `jti`
    /// that is given would be sent twice.
    #[must_use]
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// A further protected header parameter. `alg`, `kid` and `typ` cannot be replaced.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.header.insert(name.into(), value.into());
        self
    }

    /// `iss`
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The `alg` of the key.
    pub fn algorithm(&self) -> Algorithm {
        self.signer.algorithm()
    }

    /// Holds these settings against the preset's rules, and the audience against the server.
    ///
    /// # Errors
    /// [`CredentialError`]
    pub fn check(&self, server: &Server) -> Result<(), CredentialError> {
        server.audience(&self.audience)?;
        let Some(preset) = self.preset else {
            return Ok(());
        };
        let broken = |rule: String| Err(preset.broken(rule));
        let (algorithm, header) = (self.algorithm(), self.signer.header());
        if !preset.algorithms.contains(&algorithm) {
            return broken(format!(
                "algorithm {algorithm}, expected one of {}",
                names(preset.algorithms)
            ));
        }
        // Whole life as the server counts it, from `iat` to `exp`.
        if self.lifetime.saturating_add(self.backdate) > preset.longest_lifetime {
            return broken(format!(
                "a lifetime of at most {} s from iat to exp",
                preset.longest_lifetime.as_secs()
            ));
        }
        if preset.key_name == KeyName::KeyId && self.signer.key_id().is_none() {
            return broken("a key with a kid".to_owned());
        }
        if preset.key_name == KeyName::Certificate && !header.contains_key("x5t#S256") {
            return broken("a key with its certificate (x5t#S256)".to_owned());
        }
        Ok(())
    }

    /// Makes and signs an assertion: `iat` and `exp` around `now`, a `jti` of 128 random bits.
    ///
    /// # Errors
    /// [`SignerError`]
    pub async fn make(
        &self,
        subject: Option<&str>,
        audience: Option<&str>,
        now: UnixTime,
    ) -> Result<Zeroizing<String>, SignerError> {
        self.make_with(subject, audience, now, None).await
    }

    /// As [`AssertionMaker::make`], with a `scope` claim.
    pub(crate) async fn make_with(
        &self,
        subject: Option<&str>,
        audience: Option<&str>,
        now: UnixTime,
        scope: Option<String>,
    ) -> Result<Zeroizing<String>, SignerError> {
        let mut claims = self.claims.clone();
        if let Some(scope) = scope {
            claims.insert("scope".to_owned(), scope.into());
        }
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        let issued_at = now.seconds().saturating_sub(seconds(self.backdate));
        let expires = now.seconds().saturating_add(seconds(self.lifetime));
        let payload = payload(claims, &self.issuer, subject, audience, issued_at..expires);
        let algorithm = self.signer.algorithm();
        let input = signing_input(algorithm, self.protected_header(), &payload);
        let signature = self.signer.sign(input.as_bytes()).await?;
        match algorithm.signature_bytes() {
            Some(expected) if expected != signature.len() => Err(SignerError::Length {
                algorithm,
                expected,
                got: signature.len(),
            }),
            _ => Ok(Zeroizing::new(compact(input, &signature))),
        }
    }

    fn protected_header(&self) -> Object {
        let mut header = self.header.clone();
        header.extend(self.signer.header());
        for (name, value) in [("kid", self.signer.key_id()), ("typ", self.typ.as_deref())] {
            match value {
                Some(value) => header.insert(name.to_owned(), value.into()),
                None => header.remove(name),
            };
        }
        header
    }
}

/// The claims of a new assertion with a new `jti`, 128 random bits, as JSON. The six named here
/// replace those in `claims`.
fn payload(
    mut claims: Object,
    issuer: &str,
    subject: Option<&str>,
    audience: Option<&str>,
    valid: Range<i64>,
) -> Vec<u8> {
    let texts = [("iss", Some(issuer)), ("sub", subject), ("aud", audience)];
    for (name, value) in texts {
        match value {
            Some(value) => claims.insert(name.to_owned(), value.into()),
            None => claims.remove(name),
        };
    }
    claims.insert("iat".to_owned(), valid.start.into());
    claims.insert("exp".to_owned(), valid.end.into());
    claims.insert(
        "jti".to_owned(),
        base64url_encode(crypto::random_bytes::<16>()).into(),
    );
    serde_json::to_vec(&claims).expect("a JSON object is JSON")
}

fn names(algorithms: &[Algorithm]) -> String {
    algorithms
        .iter()
        .map(|algorithm| algorithm.name())
        .collect::<Vec<_>>()
        .join(", ")
}

impl fmt::Debug for AssertionMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssertionMaker")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("alg", &self.algorithm())
            .field("kid", &self.signer.key_id())
            .finish_non_exhaustive()
    }
}
