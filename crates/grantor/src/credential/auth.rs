//! How a client proves who it is at an endpoint of the server (RFC 6749 §2.3, RFC 7523 §2.2): the
//! five methods, as values. A resource that asks about a token is such a client too (RFC 7662
//! §2.1).

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use grantor_jose::{Algorithm, SigningError, json::Value};
use zeroize::Zeroizing;

use super::{
    AssertionMaker, Audience, Credential, CredentialError, EndpointRequest, KeyFile, LocalKey,
    Preset, Server, Signer, basic,
};
use crate::{
    assertion::{CLIENT_ASSERTION_TYPE, CLIENT_AUTHENTICATION_TYP},
    types::{AuthMethod, KnownMethod},
};

/// Authenticates a client at an endpoint: the token endpoint, or that of introspection.
///
/// Another method is one `impl`: a bearer token (RFC 7662 §2.1) is one header field.
#[async_trait]
pub trait ClientAuth: Send + Sync + 'static {
    /// The method's registered name.
    fn method(&self) -> AuthMethod;

    /// Whether it can work with this server at all. Asked once, when a source or a validator is
    /// built.
    ///
    /// # Errors
    /// [`CredentialError`]
    fn check(&self, server: &Server) -> Result<(), CredentialError> {
        let _ = server;
        Ok(())
    }

    /// Adds the client's credential to a request. Called once for each try: whatever may be used
    /// once only is new each time.
    ///
    /// # Errors
    /// [`CredentialError`]
    async fn authenticate(&self, request: &mut EndpointRequest<'_>) -> Result<(), CredentialError>;
}

#[async_trait]
impl ClientAuth for Box<dyn ClientAuth> {
    fn method(&self) -> AuthMethod {
        (**self).method()
    }

    fn check(&self, server: &Server) -> Result<(), CredentialError> {
        (**self).check(server)
    }

    async fn authenticate(&self, request: &mut EndpointRequest<'_>) -> Result<(), CredentialError> {
        (**self).authenticate(request).await
    }
}

#[async_trait]
impl ClientAuth for Arc<dyn ClientAuth> {
    fn method(&self) -> AuthMethod {
        (**self).method()
    }

    fn check(&self, server: &Server) -> Result<(), CredentialError> {
        (**self).check(server)
    }

    async fn authenticate(&self, request: &mut EndpointRequest<'_>) -> Result<(), CredentialError> {
        (**self).authenticate(request).await
    }
}

/// `private_key_jwt`: an assertion signed with the client's private key (RFC 7523 §2.2).
///
/// `iss` and `sub` are the client, `aud` is the server's issuer identifier alone and `typ` is
/// `client-authentication+jwt` (RFC 10070 §4), unless changed here. `jti` is new for each try.
#[derive(Clone, Debug)]
pub struct PrivateKeyJwt(AssertionMaker);

impl PrivateKeyJwt {
    /// For the client `client_id`, whose key `signer` holds.
    pub fn new(client_id: impl Into<String>, signer: impl Signer) -> Self {
        Self(AssertionMaker::new(client_id, signer).typ(Some(CLIENT_AUTHENTICATION_TYP.into())))
    }

    /// Takes over what a vendor's rules say.
    #[must_use]
    pub fn preset(self, preset: &'static Preset) -> Self {
        Self(self.0.preset(preset))
    }

    /// `aud`, for servers that do not take their issuer identifier.
    #[must_use]
    pub fn audience(self, audience: Audience) -> Self {
        Self(self.0.audience(audience))
    }

    /// How long an assertion is valid. 60 s if not set.
    #[must_use]
    pub fn lifetime(self, lifetime: Duration) -> Self {
        Self(self.0.lifetime(lifetime))
    }

    /// Sets `iat` this much in the past, for servers whose clock may be behind.
    #[must_use]
    pub fn backdate(self, backdate: Duration) -> Self {
        Self(self.0.backdate(backdate))
    }

    /// The header's `typ`, for servers that do not know `client-authentication+jwt`; `None` leaves
    /// it out.
    #[must_use]
    pub fn typ(self, typ: Option<Cow<'static, str>>) -> Self {
        Self(self.0.typ(typ))
    }

    /// A further claim; see [`AssertionMaker::claim`].
    #[must_use]
    pub fn claim(self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self(self.0.claim(name, value))
    }

    /// A further protected header parameter; see [`AssertionMaker::header`].
    #[must_use]
    pub fn header(self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self(self.0.header(name, value))
    }
}

#[async_trait]
impl ClientAuth for PrivateKeyJwt {
    fn method(&self) -> AuthMethod {
        AuthMethod::PRIVATE_KEY_JWT
    }

    fn check(&self, server: &Server) -> Result<(), CredentialError> {
        self.0.check(server)
    }

    async fn authenticate(&self, request: &mut EndpointRequest<'_>) -> Result<(), CredentialError> {
        let audience = request.server().audience(&self.0.audience)?;
        let client_id = self.0.issuer();
        let assertion = self
            .0
            .make(Some(client_id), audience, request.now())
            .await?;
        // Optional by RFC 7521 §4.2, and asked for by some servers.
        request.set("client_id", client_id);
        request.set("client_assertion_type", CLIENT_ASSERTION_TYPE);
        request.set("client_assertion", assertion.as_str());
        Ok(())
    }
}

/// `client_secret_jwt`: as [`PrivateKeyJwt`], with an HMAC keyed by the client secret.
#[derive(Clone, Debug)]
pub struct ClientSecretJwt(PrivateKeyJwt);

impl ClientSecretJwt {
    /// HS256, or what `algorithm` says.
    ///
    /// # Errors
    /// [`grantor_jose::JwkError::WeakSecret`] if the secret is shorter than the hash (RFC 7518
    /// §3.2), [`grantor_jose::JwkError::AlgorithmMismatch`] if `algorithm` is no HMAC.
    pub fn new(
        client_id: impl Into<String>,
        secret: &str,
        algorithm: Option<Algorithm>,
    ) -> Result<Self, SigningError> {
        let key = LocalKey::from_secret(secret, algorithm.unwrap_or(Algorithm::Hs256))?;
        Ok(Self(PrivateKeyJwt::new(client_id, key)))
    }

    /// Changes the assertion's settings, which are those of [`PrivateKeyJwt`].
    #[must_use]
    pub fn with(self, change: impl FnOnce(PrivateKeyJwt) -> PrivateKeyJwt) -> Self {
        Self(change(self.0))
    }
}

#[async_trait]
impl ClientAuth for ClientSecretJwt {
    fn method(&self) -> AuthMethod {
        AuthMethod::CLIENT_SECRET_JWT
    }

    fn check(&self, server: &Server) -> Result<(), CredentialError> {
        self.0.check(server)
    }

    async fn authenticate(&self, request: &mut EndpointRequest<'_>) -> Result<(), CredentialError> {
        self.0.authenticate(request).await
    }
}

/// A client's identifier and secret.
#[derive(Clone)]
struct Secret {
    client_id: String,
    secret: Arc<Zeroizing<String>>,
}

impl Secret {
    fn new(client_id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            secret: Arc::new(Zeroizing::new(secret.into())),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// `client_secret_basic`: the secret in the `Authorization` header, both halves form-encoded (RFC
/// 6749 §2.3.1).
#[derive(Clone, Debug)]
pub struct ClientSecretBasic(Secret);

impl ClientSecretBasic {
    /// For the client `client_id`.
    pub fn new(client_id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self(Secret::new(client_id, secret))
    }
}

#[async_trait]
impl ClientAuth for ClientSecretBasic {
    fn method(&self) -> AuthMethod {
        AuthMethod::CLIENT_SECRET_BASIC
    }

    async fn authenticate(&self, request: &mut EndpointRequest<'_>) -> Result<(), CredentialError> {
        request.set_authorization(basic::credentials(&self.0.client_id, &self.0.secret));
        Ok(())
    }
}

/// `client_secret_post`: the secret in the form (RFC 6749 §2.3.1).
#[derive(Clone, Debug)]
pub struct ClientSecretPost(Secret);

impl ClientSecretPost {
    /// For the client `client_id`.
    pub fn new(client_id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self(Secret::new(client_id, secret))
    }
}

#[async_trait]
impl ClientAuth for ClientSecretPost {
    fn method(&self) -> AuthMethod {
        AuthMethod::CLIENT_SECRET_POST
    }

    async fn authenticate(&self, request: &mut EndpointRequest<'_>) -> Result<(), CredentialError> {
        request.set("client_id", &self.0.client_id);
        request.set("client_secret", self.0.secret.as_str());
        Ok(())
    }
}

/// `none`: a public client, which only says who it is (RFC 6749 §3.2.1).
#[derive(Clone, Debug)]
pub struct NoneAuth(String);

impl NoneAuth {
    /// For the client `client_id`.
    pub fn new(client_id: impl Into<String>) -> Self {
        Self(client_id.into())
    }
}

#[async_trait]
impl ClientAuth for NoneAuth {
    fn method(&self) -> AuthMethod {
        AuthMethod::NONE
    }

    async fn authenticate(&self, request: &mut EndpointRequest<'_>) -> Result<(), CredentialError> {
        request.set("client_id", &self.0);
        Ok(())
    }
}

/// What a client holds. `Debug` does not show it.
#[non_exhaustive]
pub enum Proof<'a> {
    /// A key that signs.
    Key(LocalKey),
    /// A client secret.
    Secret(&'a str),
}

impl fmt::Debug for Proof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Key(..)",
            Self::Secret(_) => "Secret(..)",
        })
    }
}

impl Proof<'_> {
    /// Client authentication of `client_id` by this method, its assertions for this audience.
    ///
    /// # Errors
    /// [`CredentialError::AuthMethod`] if the method does not go with what the client holds, or is
    /// one of an extension; [`CredentialError::Signing`]
    pub fn by(
        self,
        method: &AuthMethod,
        client_id: &str,
        audience: Audience,
    ) -> Result<Box<dyn ClientAuth>, CredentialError> {
        Ok(match (method.as_known(), self) {
            (Some(KnownMethod::PrivateKeyJwt), Self::Key(key)) => {
                Box::new(PrivateKeyJwt::new(client_id, key).audience(audience))
            }
            (Some(KnownMethod::ClientSecretJwt), Self::Secret(secret)) => {
                let auth = ClientSecretJwt::new(client_id, secret, None)?;
                Box::new(auth.with(|assertion| assertion.audience(audience)))
            }
            (Some(KnownMethod::ClientSecretBasic), Self::Secret(secret)) => {
                Box::new(ClientSecretBasic::new(client_id, secret))
            }
            (Some(KnownMethod::ClientSecretPost), Self::Secret(secret)) => {
                Box::new(ClientSecretPost::new(client_id, secret))
            }
            // Nothing is proven, whatever could be.
            (Some(KnownMethod::None), _) => Box::new(NoneAuth::new(client_id)),
            _ => return Err(CredentialError::AuthMethod(method.clone())),
        })
    }
}

impl KeyFile {
    /// What the client holds by this file.
    ///
    /// # Errors
    /// [`CredentialError::Signing`]
    pub fn proof(&self) -> Result<Proof<'_>, CredentialError> {
        Ok(match &self.credential {
            Credential::PrivateKey(key) => Proof::Key(LocalKey::new(key)?),
            Credential::Secret(secret) => Proof::Secret(secret),
        })
    }

    /// The client authentication that the file is for.
    ///
    /// # Errors
    /// [`CredentialError::AuthMethod`] if the method does not fit the credential,
    /// [`CredentialError::Signing`].
    pub fn client_auth(&self) -> Result<Box<dyn ClientAuth>, CredentialError> {
        // A file that holds something and proves nothing with it is a mistake.
        if self.auth_method == AuthMethod::NONE {
            return Err(CredentialError::AuthMethod(AuthMethod::NONE));
        }
        let client_id = self.client_id.as_str();
        self.proof()?
            .by(&self.auth_method, client_id, Audience::Issuer)
    }
}
