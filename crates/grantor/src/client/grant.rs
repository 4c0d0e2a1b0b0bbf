//! What is exchanged for a token: an assertion (RFC 7523 §2.1), the client's own authority (RFC
//! 6749 §4.4), or a grant of one's own.

use std::{borrow::Cow, time::Duration};

use async_trait::async_trait;
use grantor_jose::json::Value;

use super::{
    AssertionMaker, Audience, ConfigError, CredentialError, Preset, ScopePlace, Server, Signer,
    TokenError, TokenRequest, preset::SubjectDefault,
};
use crate::types::GrantType;

/// A grant, from the client's side.
#[async_trait]
pub trait Grant: Send + Sync + 'static {
    /// `grant_type`
    fn grant_type(&self) -> GrantType;

    /// Whether it can work with this server at all. Asked once, when a source is built.
    ///
    /// # Errors
    /// [`ConfigError`]
    fn check(&self, server: &Server) -> Result<(), ConfigError> {
        let _ = server;
        Ok(())
    }

    /// How long a token may be kept where the answer does not say.
    fn token_lifetime(&self) -> Option<Duration> {
        None
    }

    /// Adds the grant's parameters to a request, in which `grant_type`, `scope` and `resource` are
    /// set already. Called once for each try: whatever may be used once only is new each time.
    ///
    /// # Errors
    /// [`TokenError`]
    async fn fill(&self, request: &mut TokenRequest<'_>) -> Result<(), TokenError>;
}

/// The JWT bearer grant (RFC 7523 §2.1): an assertion about a subject is exchanged for a token.
#[derive(Clone, Debug)]
pub struct JwtBearer {
    maker: AssertionMaker,
    subject: Option<String>,
    /// Who it is about where no subject is set or wanted.
    default: SubjectDefault,
}

impl JwtBearer {
    /// Assertions by `issuer`, whose key `signer` holds, about `issuer` itself unless another
    /// subject is set or wanted. Their audience is the server's issuer identifier.
    pub fn new(issuer: impl Into<String>, signer: impl Signer) -> Self {
        Self {
            maker: AssertionMaker::new(issuer, signer),
            subject: None,
            default: SubjectDefault::Issuer,
        }
    }

    /// Takes over what a vendor's rules say. What is set afterwards wins, within those rules.
    #[must_use]
    pub fn preset(self, preset: &'static Preset) -> Self {
        Self {
            maker: self.maker.preset(preset),
            default: preset.subject,
            ..self
        }
    }

    /// `sub`, where none is [wanted](super::Wanted::subject).
    #[must_use]
    pub fn subject(self, subject: impl Into<String>) -> Self {
        Self {
            subject: Some(subject.into()),
            ..self
        }
    }

    /// No `sub` where none is wanted: service accounts that act for themselves. RFC 7523 §3 asks
    /// for one.
    #[must_use]
    pub fn without_subject(self) -> Self {
        Self {
            subject: None,
            default: SubjectDefault::OnlyIfSet,
            ..self
        }
    }

    /// `aud`
    #[must_use]
    pub fn audience(self, audience: Audience) -> Self {
        self.map(|maker| maker.audience(audience))
    }

    /// How long an assertion is valid. 60 s if not set.
    #[must_use]
    pub fn lifetime(self, lifetime: Duration) -> Self {
        self.map(|maker| maker.lifetime(lifetime))
    }

    /// Sets `iat` this much in the past, for servers whose clock may be behind.
    #[must_use]
    pub fn backdate(self, backdate: Duration) -> Self {
        self.map(|maker| maker.backdate(backdate))
    }

    /// The header's `typ`; `None` leaves it out.
    #[must_use]
    pub fn typ(self, typ: Option<Cow<'static, str>>) -> Self {
        self.map(|maker| maker.typ(typ))
    }

    /// Where the requested scope goes.
    #[must_use]
    pub fn scope_in(self, place: ScopePlace) -> Self {
        self.map(|maker| maker.scope_in(place))
    }

    /// A further claim; see [`AssertionMaker::claim`].
    #[must_use]
    pub fn claim(self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.map(|maker| maker.claim(name, value))
    }

    /// A further protected header parameter; see [`AssertionMaker::header`].
    #[must_use]
    pub fn header(self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.map(|maker| maker.header(name, value))
    }

    /// Whether there is a subject where the preset wants one.
    fn check_subject(&self, subject: Option<&str>) -> Result<(), CredentialError> {
        match self.maker.preset {
            Some(preset) if subject.is_none() && preset.subject == SubjectDefault::Required => {
                Err(preset.broken("a subject".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn map(self, change: impl FnOnce(AssertionMaker) -> AssertionMaker) -> Self {
        Self {
            maker: change(self.maker),
            ..self
        }
    }
}

#[async_trait]
impl Grant for JwtBearer {
    fn grant_type(&self) -> GrantType {
        GrantType::JWT_BEARER
    }

    fn check(&self, server: &Server) -> Result<(), ConfigError> {
        Ok(self.maker.check(server)?)
    }

    fn token_lifetime(&self) -> Option<Duration> {
        self.maker.preset.and_then(|preset| preset.token_lifetime)
    }

    async fn fill(&self, request: &mut TokenRequest<'_>) -> Result<(), TokenError> {
        let audience = request.server().audience(&self.maker.audience)?;
        let of_itself = (self.default == SubjectDefault::Issuer).then(|| self.maker.issuer());
        let subject = request.subject().or(self.subject.as_deref()).or(of_itself);
        self.check_subject(subject)?;
        let in_claim = self.maker.scope == ScopePlace::Claim;
        let scope = request
            .scope()
            .filter(|scope| in_claim && !scope.is_empty())
            .map(ToString::to_string);
        if in_claim {
            request.remove("scope");
        }
        let assertion = self
            .maker
            .make_with(subject, audience, request.now(), scope)
            .await?;
        request.set("assertion", assertion.as_str());
        Ok(())
    }
}

/// The client credentials grant (RFC 6749 §4.4): a token for the client itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientCredentials;

#[async_trait]
impl Grant for ClientCredentials {
    fn grant_type(&self) -> GrantType {
        GrantType::CLIENT_CREDENTIALS
    }

    async fn fill(&self, request: &mut TokenRequest<'_>) -> Result<(), TokenError> {
        match request.subject() {
            Some(_) => Err(TokenError::SubjectNotPossible(
                GrantType::CLIENT_CREDENTIALS,
            )),
            None => Ok(()),
        }
    }
}
