//! Clients as a server knows them and as we play them, and what is asked of every source.

use async_trait::async_trait;
use bytes::Bytes;
use grantor::{
    client::{
        AccessToken, AssertionMaker, Audience, Builder, ClientAuth, ClientSecretBasic,
        ClientSecretJwt, ClientSecretPost, CredentialError, EndpointRequest, Grant, JwtBearer,
        LocalKey, PrivateKeyJwt, Server, TokenError, TokenRequest, TokenSource,
    },
    clock::{Clock as _, SystemClock},
    jose::{Algorithm, JwkSet, PrivateJwk, Unverified, base64url_encode, crypto::random_bytes},
    remote::{Fetch as _, HttpFetch},
    types::{AuthMethod, GrantType, Scope},
};
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::process::Address;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client with a new key or secret.
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) credential: Credential,
}

pub(crate) enum Credential {
    Key(PrivateJwk),
    Basic(String),
    Post(String),
    Mac(String, Algorithm),
}

impl Client {
    /// `private_key_jwt`, and the grant.
    pub(crate) fn signing(id: &str, algorithm: Algorithm) -> Self {
        Self::new(
            id,
            Credential::Key(PrivateJwk::generate(algorithm).expect("a key")),
        )
    }

    /// `client_secret_jwt`
    pub(crate) fn mac(id: &str, algorithm: Algorithm) -> Self {
        Self::new(id, Credential::Mac(secret(), algorithm))
    }

    /// `client_secret_basic`
    pub(crate) fn basic(id: &str) -> Self {
        Self::new(id, Credential::Basic(secret()))
    }

    /// `client_secret_post`
    pub(crate) fn post(id: &str) -> Self {
        Self::new(id, Credential::Post(secret()))
    }

    pub(crate) fn new(id: &str, credential: Credential) -> Self {
        Self {
            id: id.to_owned(),
            credential,
        }
    }

    /// The same client, as somebody who does not have its key or secret would play it.
    pub(crate) fn impostor(&self) -> Self {
        let credential = match &self.credential {
            // Under the same kid, so that it is the signature that is wrong.
            Credential::Key(key) => {
                let other = PrivateJwk::generate(key.algorithm()).expect("a key");
                let mut jwk: Value = serde_json::from_str(other.expose_json()).expect("JSON");
                jwk["kid"] = key.key_id().into();
                Credential::Key(
                    PrivateJwk::parse(jwk.to_string().as_bytes(), Some(key.algorithm()))
                        .expect("a key"),
                )
            }
            Credential::Basic(_) => Credential::Basic(secret()),
            Credential::Post(_) => Credential::Post(secret()),
            Credential::Mac(_, algorithm) => Credential::Mac(secret(), *algorithm),
        };
        Self::new(&self.id, credential)
    }

    /// As a server registers it (RFC 7591 §2).
    pub(crate) fn registration(&self, grant_types: &[GrantType]) -> Value {
        let grant_types: Vec<_> = grant_types
            .iter()
            .map(|grant_type| grant_type.as_str())
            .collect();
        let mut registration = json!({
            "client_id": self.id,
            "token_endpoint_auth_method": self.auth().method().as_str(),
            "grant_types": grant_types,
            "scope": "invoices:read",
        });
        match &self.credential {
            Credential::Key(key) => {
                registration["jwks"] = json!({"keys": [key.public().to_object()]});
                registration["token_endpoint_auth_signing_alg"] = key.algorithm().name().into();
            }
            Credential::Mac(secret, algorithm) => {
                registration["client_secret"] = secret.as_str().into();
                registration["token_endpoint_auth_signing_alg"] = algorithm.name().into();
            }
            Credential::Basic(secret) | Credential::Post(secret) => {
                registration["client_secret"] = secret.as_str().into();
            }
        }
        registration
    }

    pub(crate) fn auth(&self) -> Box<dyn ClientAuth> {
        self.auth_for(Audience::Issuer)
    }

    pub(crate) fn auth_for(&self, audience: Audience) -> Box<dyn ClientAuth> {
        let id = self.id.as_str();
        match &self.credential {
            Credential::Key(_) => {
                Box::new(PrivateKeyJwt::new(id, self.signer()).audience(audience))
            }
            Credential::Basic(secret) => Box::new(ClientSecretBasic::new(id, secret)),
            Credential::Post(secret) => Box::new(ClientSecretPost::new(id, secret)),
            Credential::Mac(secret, algorithm) => {
                let auth = ClientSecretJwt::new(id, secret, Some(*algorithm))
                    .expect("a secret of 64 octets");
                Box::new(auth.with(|assertion| assertion.audience(audience)))
            }
        }
    }

    pub(crate) fn grant(&self) -> JwtBearer {
        JwtBearer::new(self.id.as_str(), self.signer())
    }

    pub(crate) fn key(&self) -> &PrivateJwk {
        match &self.credential {
            Credential::Key(key) => key,
            _ => unreachable!("{} has no key", self.id),
        }
    }

    pub(crate) fn signer(&self) -> LocalKey {
        LocalKey::new(self.key()).expect("a signer")
    }

    /// One assertion, to be sent more than once.
    pub(crate) async fn same_assertion(&self, at: &Address) -> Same {
        let maker = AssertionMaker::new(self.id.as_str(), self.signer());
        let assertion = maker
            .make(Some(&self.id), Some(&at.issuer), SystemClock.now())
            .await
            .expect("a signature");
        Same {
            client: self.id.clone(),
            assertion: assertion.to_string(),
        }
    }
}

/// 64 octets: enough for HS512.
fn secret() -> String {
    base64url_encode(random_bytes::<48>())
}

/// What no source of ours does by itself: the same assertion each time.
pub(crate) struct Same {
    client: String,
    assertion: String,
}

#[async_trait]
impl ClientAuth for Same {
    fn method(&self) -> AuthMethod {
        AuthMethod::PRIVATE_KEY_JWT
    }

    async fn authenticate(&self, request: &mut EndpointRequest<'_>) -> Result<(), CredentialError> {
        request.set("client_id", self.client.as_str());
        request.set("client_assertion_type", ASSERTION_TYPE);
        request.set("client_assertion", self.assertion.as_str());
        Ok(())
    }
}

#[async_trait]
impl Grant for Same {
    fn grant_type(&self) -> GrantType {
        GrantType::JWT_BEARER
    }

    async fn fill(&self, request: &mut TokenRequest<'_>) -> Result<(), TokenError> {
        request.set("assertion", self.assertion.as_str());
        Ok(())
    }
}

/// Tokens for the client itself, from a server of which only the issuer is known.
pub(crate) fn by_credentials(at: &Address, auth: impl ClientAuth) -> Builder {
    TokenSource::client_credentials(discovered(at), auth)
}

/// Tokens for assertions, from a server of which only the issuer is known.
pub(crate) fn by_assertion(at: &Address, grant: impl Grant) -> Builder {
    Builder::new(discovered(at), grant)
}

fn discovered(at: &Address) -> Server {
    Server::discover(&at.issuer).expect("a loopback URL")
}

pub(crate) fn scope(text: &str) -> Scope {
    text.parse().expect("a scope")
}

/// Two tokens by one source, the second because the first is said to be refused.
pub(crate) async fn twice(source: Builder) -> [AccessToken; 2] {
    let source = source.build().expect("a source");
    let first = source.token().await.expect("a token");
    source.invalidate(&first);
    let second = source.token().await.expect("a second token");
    assert_ne!(first.expose(), second.expose());
    [first, second]
}

/// How a server refuses: status, code, description.
pub(crate) async fn refusal(source: Builder) -> (u16, String, String) {
    said(
        &source
            .build()
            .expect("a source")
            .token()
            .await
            .expect_err("a refusal"),
    )
}

/// What the server said: status, code, description.
pub(crate) fn said(error: &TokenError) -> (u16, String, String) {
    match error {
        TokenError::Refused(error) => (
            error.status.as_u16(),
            error.code.clone(),
            error.description.clone().unwrap_or_default(),
        ),
        other => unreachable!("not the server's words: {other}"),
    }
}

/// Sends a request, and reads the JSON in its answer.
pub(crate) async fn answer(request: Request<Bytes>) -> Value {
    let fetch = HttpFetch::new().expect("an HTTP client");
    let answer = fetch.fetch(request, 64 * 1024).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK, "{:?}", answer.body());
    serde_json::from_slice(answer.body()).expect("JSON")
}

/// The header and the claims of an access token by this server's keys.
pub(crate) async fn verified(at: &Address, token: &AccessToken) -> (Option<String>, Value) {
    let request = Request::get(format!("{}/jwks", at.issuer))
        .body(Bytes::new())
        .expect("a request");
    let keys = JwkSet::parse(answer(request).await.to_string().as_bytes()).expect("a key set");
    let jws = Unverified::parse(token.expose()).expect("a JWS");
    let key = keys
        .keys
        .iter()
        .find(|key| key.key_id() == jws.header().key_id())
        .expect("the key that is named");
    let verified = jws.verify(key).expect("a signature by it");
    (
        verified.header().typ().map(str::to_owned),
        serde_json::from_slice(verified.payload()).expect("claims"),
    )
}
