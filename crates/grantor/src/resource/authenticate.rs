//! How this resource authenticates to the authorization server when it asks about a token (RFC 7662
//! §2.1).

use std::{error::Error, fmt};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

#[cfg(feature = "client")]
use crate::client::{ClientAuth, Server, TokenRequest, Wanted};
use crate::{clock::UnixTime, remote::basic};

/// An introspection request that is being made. [`Authenticate`] adds header fields or form
/// parameters to it.
pub struct IntrospectionRequest {
    endpoint: Url,
    issuer: String,
    now: UnixTime,
    headers: HeaderMap,
    form: String,
}

impl IntrospectionRequest {
    pub(super) fn new(endpoint: Url, issuer: &str, token: &str, now: UnixTime) -> Self {
        let issuer = issuer.to_owned();
        let mut request = Self {
            endpoint,
            issuer,
            now,
            headers: HeaderMap::new(),
            form: String::new(),
        };
        request.add_parameter("token", token);
        request.add_parameter("token_type_hint", "access_token");
        request
    }

    /// The configured issuer: the audience of a client assertion (RFC 10070 §4).
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where the request goes.
    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// Now, by the validator's clock.
    pub fn now(&self) -> UnixTime {
        self.now
    }

    /// Sets a header field, such as `Authorization`.
    pub fn set_header(&mut self, name: HeaderName, mut value: HeaderValue) {
        value.set_sensitive(true);
        self.headers.insert(name, value);
    }

    /// Adds a form parameter, such as `client_assertion`.
    pub fn add_parameter(&mut self, name: &str, value: &str) {
        form_urlencoded::Serializer::new(&mut self.form).append_pair(name, value);
    }

    /// `None` if the URL is none that a request can go to.
    pub(super) fn finish(self) -> Option<Request<Bytes>> {
        let mut request = Request::post(self.endpoint.as_str())
            .body(self.form.into())
            .ok()?;
        *request.headers_mut() = self.headers;
        let headers = request.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        Some(request)
    }
}

impl fmt::Debug for IntrospectionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionRequest")
            .field("endpoint", &self.endpoint.as_str())
            .finish_non_exhaustive()
    }
}

/// Authenticates introspection requests.
///
/// [`BasicCredentials`] is the method that most servers take. With the feature `client`, every
/// `client::ClientAuth` is one too, such as `PrivateKeyJwt`. Another is one `impl`: a bearer token
/// (RFC 7662 §2.1) is one header field.
#[async_trait]
pub trait Authenticate: Send + Sync + 'static {
    /// Adds the credentials to `request`: new ones each time it is called, where they work only
    /// once.
    ///
    /// # Errors
    /// Whatever keeps the credentials from being made. No request is sent then, and the token
    /// counts as unknown, not as inactive.
    async fn authenticate(
        &self,
        request: &mut IntrospectionRequest,
    ) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// As at the token endpoint: the audience of an assertion is the configured issuer.
/// [`Audience::TokenEndpoint`](crate::client::Audience::TokenEndpoint) is refused, since no such
/// URL is configured here.
#[cfg(feature = "client")]
#[async_trait]
impl<A: ClientAuth> Authenticate for A {
    async fn authenticate(
        &self,
        request: &mut IntrospectionRequest,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let server = Server::discover(&request.issuer)?;
        let wanted = Wanted::new();
        let mut credentials = TokenRequest::new(&server, &wanted, request.now);
        ClientAuth::authenticate(self, &mut credentials).await?;
        let (form, authorization) = credentials.into_parts();
        for (name, value) in &form {
            request.add_parameter(name, value);
        }
        if let Some(authorization) = authorization {
            request.set_header(header::AUTHORIZATION, authorization);
        }
        Ok(())
    }
}

/// `client_secret_basic` (RFC 6749 §2.3.1). `Debug` does not show the secret.
pub struct BasicCredentials {
    client_id: String,
    secret: Zeroizing<String>,
}

impl BasicCredentials {
    /// The credentials this resource is registered with as a client.
    pub fn new(client_id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            secret: Zeroizing::new(secret.into()),
        }
    }
}

#[async_trait]
impl Authenticate for BasicCredentials {
    async fn authenticate(
        &self,
        request: &mut IntrospectionRequest,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        request.set_header(
            header::AUTHORIZATION,
            basic::credentials(&self.client_id, &self.secret),
        );
        Ok(())
    }
}

impl fmt::Debug for BasicCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicCredentials")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
