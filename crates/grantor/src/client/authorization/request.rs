//! The request that a browser takes to the authorization endpoint (RFC 6749 §4.1.1), with PKCE by
//! S256 always (RFC 7636).

use std::{borrow::Cow, sync::Arc};

use grantor_jose::{
    base64url_encode,
    crypto::{random_bytes, sha256},
};
use url::Url;

use super::{CodeClient, PendingAuthorization};
use crate::{
    remote::{DiscoveryError, ServerMetadata},
    types::{Scope, member},
};

/// Why a person cannot be sent to the server.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizationRequestError {
    /// The metadata cannot be read, or names no `authorization_endpoint`.
    #[error(transparent)]
    Discovery(#[from] Arc<DiscoveryError>),
    /// The server knows PKCE, and not S256: whoever sees the request could redeem the code (RFC
    /// 7636 §7.2).
    #[error("{0} does not take PKCE by S256")]
    NoS256(String),
}

/// What is asked of a person, in the making. [`CodeClient::request`] begins one.
#[derive(Clone, Debug)]
#[must_use]
pub struct AuthorizationRequest<'a> {
    client: &'a CodeClient,
    parameters: Vec<(Cow<'static, str>, String)>,
    resource: Option<String>,
}

/// An authorization request that can be made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StartedAuthorization {
    /// Where to send the browser: a link, or a redirect by 303.
    pub url: Url,
    /// To be kept until the browser comes back.
    pub pending: PendingAuthorization,
}

impl<'a> AuthorizationRequest<'a> {
    pub(super) fn new(client: &'a CodeClient) -> Self {
        Self {
            client,
            parameters: Vec::new(),
            resource: None,
        }
    }

    /// What the client wants to do. If not set, what the server takes for that.
    pub fn scope(self, scope: Scope) -> Self {
        self.parameter("scope", scope.to_string())
    }

    /// The API that the token is for (RFC 8707 §2).
    pub fn resource(self, resource: impl Into<String>) -> Self {
        let resource = resource.into();
        Self {
            resource: Some(resource.clone()),
            ..self.parameter("resource", resource)
        }
    }

    /// Who is to sign in, as far as the client knows. The person may be another all the same.
    pub fn login_hint(self, name: impl Into<String>) -> Self {
        self.parameter("login_hint", name)
    }

    /// A further parameter, such as `prompt` or `max_age`, in place of one of the same name. Those
    /// that this request is made of cannot be set.
    pub fn parameter(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Self {
        let name = name.into();
        self.parameters.retain(|(present, _)| *present != name);
        self.parameters.push((name, value.into()));
        self
    }

    /// Makes the request, with a new verifier and a new `state`. Sends nothing; the server's metadata
    /// is read if it is not known yet.
    ///
    /// # Errors
    /// [`AuthorizationRequestError`]
    pub async fn start(self) -> Result<StartedAuthorization, AuthorizationRequestError> {
        let metadata = self.client.metadata().await?;
        let url = endpoint(&metadata)?;
        let pending = PendingAuthorization::new(
            metadata.issuer.clone(),
            metadata.authorization_response_iss,
            self.client.redirect_uri().clone(),
            [unguessable(), unguessable()],
            self.resource.clone(),
        );
        Ok(StartedAuthorization {
            url: self.written_to(url, &pending),
            pending,
        })
    }

    fn written_to(&self, mut url: Url, pending: &PendingAuthorization) -> Url {
        let challenge = base64url_encode(sha256(&[pending.verifier().as_bytes()]));
        let own = [
            ("response_type", "code"),
            ("client_id", self.client.client_id()),
            ("redirect_uri", self.client.redirect_uri().as_str()),
            ("state", pending.state()),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let further = self.parameters.iter();
        let further = further.map(|(name, value)| (name.as_ref(), value.as_str()));
        let is_free = |name| own.iter().all(|(taken, _)| *taken != name);
        url.query_pairs_mut()
            .extend_pairs(own)
            .extend_pairs(further.filter(|(name, _)| is_free(*name)));
        url
    }
}

fn endpoint(metadata: &ServerMetadata) -> Result<Url, AuthorizationRequestError> {
    let methods = metadata.code_challenge_methods.as_ref();
    if methods.is_some_and(|methods| methods.iter().all(|method| method != "S256")) {
        return Err(AuthorizationRequestError::NoS256(metadata.issuer.clone()));
    }
    let missing = || DiscoveryError::NotInMetadata {
        issuer: metadata.issuer.clone(),
        member: member::AUTHORIZATION_ENDPOINT,
    };
    let endpoint = metadata.authorization_endpoint.clone();
    Ok(endpoint.ok_or_else(|| Arc::new(missing()))?)
}

/// 256 random bits in 43 characters: a verifier (RFC 7636 §4.1), or a `state`.
fn unguessable() -> String {
    base64url_encode(random_bytes::<32>())
}
