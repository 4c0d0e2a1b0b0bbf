//! What client authentication and grants send: each method as its RFC says, and as a server wants
//! it.

use std::{collections::HashSet, sync::Arc, time::Duration};

use crate::support::{Double, NOW, clock, key};
use async_trait::async_trait;
use grantor::{
    client::{
        AssertionMaker, Audience, ClientAuth, ClientSecretBasic, ClientSecretJwt, ClientSecretPost,
        ConfigError, Grant, JwtBearer, LocalKey, NoneAuth, PrivateKeyJwt, ScopePlace,
        Server as AuthorizationServer, Signer, SignerError, TokenError, TokenRequest, TokenSource,
        Wanted,
    },
    jose::{Algorithm, JwkError, PrivateJwk, SigningError, Unverified, VerificationKey},
    types::{AuthMethod, GrantType},
};
use serde_json::json;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The server under test, as a client is configured for it: its issuer is not where it listens.
fn at(server: &Double) -> AuthorizationServer {
    AuthorizationServer::at(&server.token_endpoint())
        .expect("a URL")
        .with_issuer("https://as.example")
}

/// Sends a client credentials request with this authentication.
async fn send(auth: impl ClientAuth) -> crate::support::Asked {
    let server = Double::tokens().await;
    let source = TokenSource::client_credentials(at(&server), auth)
        .clock(clock())
        .build()
        .expect("a source");
    source.token().await.expect("a token");
    let asked = server.last();
    assert_eq!(
        asked.parameter("grant_type").as_deref(),
        Some("client_credentials")
    );
    assert_eq!(
        asked.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    assert_eq!(asked.headers["accept"], "application/json");
    asked
}

/// Sends a grant.
async fn exchange(grant: JwtBearer) -> crate::support::Asked {
    let server = Double::tokens().await;
    let source = TokenSource::jwt_bearer(at(&server), grant)
        .clock(clock())
        .scope("read".parse().expect("a scope"));
    source
        .build()
        .expect("a source")
        .token()
        .await
        .expect("a token");
    server.last()
}

#[tokio::test]
async fn private_key_jwt_names_the_issuer_and_takes_alg_and_kid_from_the_key() {
    for algorithm in Algorithm::ALL
        .into_iter()
        .filter(|algorithm| !algorithm.is_mac())
    {
        let (key, signer) = key(algorithm);
        let asked = send(PrivateKeyJwt::new("billing", signer)).await;
        let jwt = asked.jwt("client_assertion");
        jwt.is_by(&key);
        assert_eq!(
            jwt.header,
            json!({"alg": algorithm.name(), "kid": key.key_id(), "typ": "client-authentication+jwt"})
        );
        let expected = json!({
            "iss": "billing", "sub": "billing", "aud": "https://as.example", "iat": NOW, "exp": NOW + 60, "jti": jwt.claim("jti"),
        });
        assert_eq!(jwt.claims, expected);
        assert_eq!(
            jwt.claim("jti").as_str().map(str::len),
            Some(22),
            "128 bits in base64url"
        );
        let form = asked.form();
        assert_eq!(
            (
                form["client_id"].as_str(),
                form["client_assertion_type"].as_str()
            ),
            ("billing", ASSERTION_TYPE)
        );
        assert_eq!((form.len(), asked.authorization()), (4, None), "{form:?}");
    }
}

#[tokio::test]
async fn client_secret_jwt_is_the_same_with_an_hmac() {
    const SECRET: &str = "a secret of at least sixty-four octets, which HMAC with SHA-512 needs";
    for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        let asked =
            send(ClientSecretJwt::new("billing", SECRET, Some(algorithm)).expect("a good secret"))
                .await;
        let jwt = asked.jwt("client_assertion");
        assert_eq!(
            jwt.header,
            json!({"alg": algorithm.name(), "typ": "client-authentication+jwt"})
        );
        assert_eq!(jwt.claim("aud"), "https://as.example");
        let key = VerificationKey::from_secret(SECRET.as_bytes(), Some(algorithm)).expect("a key");
        assert!(
            Unverified::parse(&jwt.text)
                .and_then(|jws| jws.verify(&key))
                .is_ok()
        );
        assert!(
            !asked.body.contains("secret+of"),
            "the secret does not travel"
        );
    }
    let short = ClientSecretJwt::new("billing", "short", None).err();
    assert!(
        matches!(short, Some(SigningError::Jwk(JwkError::WeakSecret { .. }))),
        "{short:?}"
    );
    assert!(
        ClientSecretJwt::new("billing", SECRET, Some(Algorithm::Rs256)).is_err(),
        "no HMAC"
    );
}

#[tokio::test]
async fn basic_credentials_are_form_encoded_first() {
    let asked = send(ClientSecretBasic::new(
        "https://client.example/a b",
        "s:€%+&=",
    ))
    .await;
    // RFC 6749 §2.3.1: base64 of https%3A%2F%2Fclient.example%2Fa%20b:s%3A%E2%82%AC%25%2B%26%3D
    let expected = "Basic aHR0cHMlM0ElMkYlMkZjbGllbnQuZXhhbXBsZSUyRmElMjBiOnMlM0ElRTIlODIlQUMlMjUlMkIlMjYlM0Q=";
    assert_eq!(asked.authorization(), Some(expected));
    assert_eq!(asked.form().len(), 1, "nothing of it in the form");
    let plain = send(ClientSecretBasic::new("billing", "a-b_c.d")).await;
    assert_eq!(
        plain.authorization(),
        Some("Basic YmlsbGluZzphLWJfYy5k"),
        "what needs no encoding is as it is"
    );
}

#[tokio::test]
async fn post_and_none_write_into_the_form() {
    let asked = send(ClientSecretPost::new("billing", "s€cret&")).await;
    assert_eq!(
        (
            asked.parameter("client_id"),
            asked.parameter("client_secret")
        ),
        (Some("billing".into()), Some("s€cret&".into()))
    );
    assert_eq!(asked.authorization(), None);
    let asked = send(NoneAuth::new("billing")).await;
    assert_eq!(
        (asked.parameter("client_id"), asked.form().len()),
        (Some("billing".into()), 2)
    );
}

#[test]
fn every_method_has_its_registered_name() {
    let (_, signer) = key(Algorithm::Es256);
    let secret = "a secret of at least thirty-two octets";
    let methods: [(Box<dyn ClientAuth>, AuthMethod); 5] = [
        (
            Box::new(PrivateKeyJwt::new("a", signer)),
            AuthMethod::PRIVATE_KEY_JWT,
        ),
        (
            Box::new(ClientSecretJwt::new("a", secret, None).expect("a secret")),
            AuthMethod::CLIENT_SECRET_JWT,
        ),
        (
            Box::new(ClientSecretBasic::new("a", secret)),
            AuthMethod::CLIENT_SECRET_BASIC,
        ),
        (
            Box::new(ClientSecretPost::new("a", secret)),
            AuthMethod::CLIENT_SECRET_POST,
        ),
        (Box::new(NoneAuth::new("a")), AuthMethod::NONE),
    ];
    for (auth, method) in methods {
        assert_eq!(auth.method(), method);
    }
}

#[tokio::test]
async fn the_settings_of_an_assertion_are_written_into_it() {
    let (key, signer) = key(Algorithm::Rs256);
    let server = Double::tokens().await;
    let auth = PrivateKeyJwt::new("billing", signer)
        .audience(Audience::TokenEndpoint)
        .lifetime(Duration::from_secs(30))
        .backdate(Duration::from_secs(5))
        .typ(Some("JWT".into()))
        .claim("tenant", "blue")
        .claim("jti", "mine")
        .claim("aud", "https://evil.example")
        .claim("exp", 9_999_999_999_u64)
        .header("x5t#S256", "abc")
        .header("alg", "none")
        .header("kid", "mine");
    let source = TokenSource::client_credentials(at(&server), auth)
        .clock(clock())
        .build()
        .expect("a source");
    source.token().await.expect("a token");
    let jwt = server.last().jwt("client_assertion");
    jwt.is_by(&key);
    assert_eq!(
        jwt.header,
        json!({"alg": "RS256", "kid": key.key_id(), "typ": "JWT", "x5t#S256": "abc"})
    );
    let claims = json!({
        "iss": "billing", "sub": "billing", "aud": server.token_endpoint(), "tenant": "blue",
        "iat": NOW - 5, "exp": NOW + 30, "jti": jwt.claim("jti"),
    });
    assert_eq!(jwt.claims, claims);
    assert_ne!(
        jwt.claim("jti"),
        "mine",
        "a jti that is given would be sent twice"
    );
}

#[tokio::test]
async fn a_grant_is_about_its_issuer_unless_a_subject_is_named() {
    let (key, signer) = key(Algorithm::Es256);
    let grant = JwtBearer::new("billing", signer);
    let asked = exchange(grant.clone()).await;
    let jwt = asked.jwt("assertion");
    jwt.is_by(&key);
    assert_eq!(
        jwt.header,
        json!({"alg": "ES256", "kid": key.key_id(), "typ": "JWT"})
    );
    let claims = json!({
        "iss": "billing", "sub": "billing", "aud": "https://as.example", "iat": NOW, "exp": NOW + 60, "jti": jwt.claim("jti"),
    });
    assert_eq!(jwt.claims, claims);
    let form = asked.form();
    assert_eq!(
        form["grant_type"],
        "urn:ietf:params:oauth:grant-type:jwt-bearer"
    );
    assert_eq!(
        (form["scope"].as_str(), form.len()),
        ("read", 3),
        "no client_id where nobody asked for it: {form:?}"
    );

    assert_eq!(
        exchange(grant.clone().subject("alice"))
            .await
            .jwt("assertion")
            .claim("sub"),
        "alice"
    );
    assert_eq!(
        exchange(grant.clone().without_subject())
            .await
            .jwt("assertion")
            .claims
            .get("sub"),
        None
    );
    let in_claim = exchange(grant.scope_in(ScopePlace::Claim)).await;
    assert_eq!(
        (
            in_claim.jwt("assertion").claim("scope"),
            in_claim.parameter("scope")
        ),
        (&json!("read"), None)
    );
}

#[tokio::test]
async fn a_grant_may_carry_client_authentication_too() {
    let server = Double::tokens().await;
    let (_, signer) = key(Algorithm::Es256);
    let grant = JwtBearer::new("idp.example", signer).subject("alice");
    let (client_key, client_signer) = key(Algorithm::Ed25519);
    let source = TokenSource::jwt_bearer(at(&server), grant)
        .client_auth(PrivateKeyJwt::new("billing", client_signer));
    source
        .clock(clock())
        .build()
        .expect("a source")
        .token()
        .await
        .expect("a token");
    let asked = server.last();
    asked.jwt("client_assertion").is_by(&client_key);
    assert_eq!(asked.jwt("assertion").claim("iss"), "idp.example");
    assert_ne!(
        asked.jwt("client_assertion").claim("jti"),
        asked.jwt("assertion").claim("jti")
    );
}

#[tokio::test]
async fn no_jti_is_ever_made_twice() {
    let (_, signer) = key(Algorithm::Ed25519);
    let maker = AssertionMaker::new("billing", signer);
    let mut seen = HashSet::new();
    let clock = clock();
    for _ in 0..5000 {
        let jwt = maker
            .make(None, None, grantor::clock::Clock::now(&*clock))
            .await
            .expect("an assertion");
        assert!(seen.insert(crate::support::ReadJwt::read(&jwt).claim("jti").to_string()));
    }
}

/// A key management service: the key is elsewhere.
struct Kms(LocalKey, usize);

#[async_trait]
impl Signer for Kms {
    fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }

    fn key_id(&self) -> Option<&str> {
        Some("kms-1")
    }

    fn header(&self) -> grantor::jose::json::Object {
        [("x5t#S256".to_owned(), json!("thumb"))]
            .into_iter()
            .collect()
    }

    async fn sign(&self, signing_input: &[u8]) -> Result<Vec<u8>, SignerError> {
        tokio::task::yield_now().await;
        match self.1 {
            64 => self.0.sign(signing_input).await,
            0 => Err(SignerError::remote("the KMS is on fire")),
            length => Ok(vec![0x30; length]),
        }
    }
}

#[tokio::test]
async fn a_key_elsewhere_signs_and_its_failures_are_told() {
    let jwk = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let kms = |length| {
        PrivateKeyJwt::new(
            "billing",
            Kms(LocalKey::new(&jwk).expect("a signer"), length),
        )
    };
    let jwt = send(kms(64)).await.jwt("client_assertion");
    jwt.is_by(&jwk);
    assert_eq!(
        jwt.header,
        json!({"alg": "ES256", "kid": "kms-1", "typ": "client-authentication+jwt", "x5t#S256": "thumb"})
    );
    for (length, expected) in [
        (0, "signer: the KMS is on fire"),
        (
            71,
            "the signer's ES256 signature has 71 octets, expected 64 (R and S side by side, not DER)",
        ),
    ] {
        let server = Double::tokens().await;
        let source = TokenSource::client_credentials(at(&server), kms(length))
            .build()
            .expect("a source");
        let error = source.token().await.expect_err("no signature");
        assert_eq!((error.to_string().as_str(), server.count()), (expected, 0));
    }
}

#[tokio::test]
async fn client_credentials_are_for_the_client_itself() {
    let server = Double::tokens().await;
    let source = TokenSource::client_credentials(at(&server), NoneAuth::new("billing"))
        .build()
        .expect("a source");
    let error = source
        .token_for(Wanted::new().subject("alice"))
        .await
        .expect_err("a subject");
    assert!(
        matches!(error, TokenError::SubjectNotPossible(_)),
        "{error}"
    );
    assert_eq!(server.count(), 0);
    source.token().await.expect("the control");
    let error = grantor::client::Builder::new(at(&server), grantor::client::ClientCredentials)
        .build()
        .err();
    assert!(
        matches!(error, Some(ConfigError::NoClientAuth(_))),
        "{error:?}"
    );
}

/// A grant of one's own (RFC 8693).
struct TokenExchange(Arc<str>);

#[async_trait]
impl Grant for TokenExchange {
    fn grant_type(&self) -> GrantType {
        GrantType::from_static("urn:ietf:params:oauth:grant-type:token-exchange")
    }

    async fn fill(&self, request: &mut TokenRequest<'_>) -> Result<(), TokenError> {
        request.set("subject_token", &*self.0);
        request.set("subject_token_type", "urn:ietf:params:oauth:token-type:jwt");
        Ok(())
    }
}

#[tokio::test]
async fn any_grant_works_at_any_token_endpoint() {
    let server = Double::tokens().await;
    let source = TokenSource::token_endpoint(&server.token_endpoint(), TokenExchange("abc".into()))
        .expect("a URL");
    let source = source
        .client_auth(NoneAuth::new("billing"))
        .parameter("audience", "https://api.example")
        .build();
    source.expect("a source").token().await.expect("a token");
    let form = server.last().form();
    let expected = [
        ("audience", "https://api.example"),
        ("client_id", "billing"),
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("subject_token", "abc"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
    ];
    assert!(
        form.iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .eq(expected),
        "{form:?}"
    );
}

#[tokio::test]
async fn a_token_goes_onto_a_request_in_place_of_another() {
    let server = Double::tokens().await;
    let source = TokenSource::client_credentials(at(&server), NoneAuth::new("billing"))
        .build()
        .expect("a source");
    let request = http::Request::get("https://api.example")
        .header("authorization", "Bearer old")
        .body(())
        .expect("a request");
    let (mut parts, ()) = request.into_parts();
    let token = source.authorize(&mut parts).await.expect("a token");
    let values: Vec<_> = parts.headers.get_all("authorization").iter().collect();
    assert_eq!(values, ["Bearer token-0"]);
    assert!(values[0].is_sensitive());
    assert_eq!(token.expose(), "token-0");
}

#[test]
fn a_key_has_the_kid_that_the_server_knows_or_none() {
    let jwk = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let mut nameless: serde_json::Value = serde_json::from_str(jwk.expose_json()).expect("JSON");
    nameless.as_object_mut().expect("an object").remove("kid");
    let read = |text: &str| LocalKey::from_jwk(text.as_bytes(), None).expect("a key");
    assert_eq!(read(jwk.expose_json()).key_id(), Some(jwk.key_id()));
    assert_eq!(read(&nameless.to_string()).key_id(), None);
    assert_eq!(
        read(&nameless.to_string()).with_key_id("b").key_id(),
        Some("b")
    );
    let pem = PrivateJwk::generate(Algorithm::Rs256)
        .expect("a key")
        .expose_rsa_pem()
        .expect("RSA");
    assert_eq!(
        LocalKey::from_pem(&pem, Some(Algorithm::Ps256))
            .expect("a key")
            .key_id(),
        None
    );
    let unsaid = LocalKey::from_pem(&pem, None).err();
    assert!(
        matches!(unsaid, Some(SigningError::NoAlgorithm)),
        "{unsaid:?}"
    );

    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in [("key.jwk", jwk.expose_json()), ("key.pem", pem.as_str())] {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("a file");
        assert!(
            LocalKey::from_file(&path, (name == "key.pem").then_some(Algorithm::Rs256)).is_ok(),
            "{name}"
        );
    }
    let missing = LocalKey::from_file(directory.path().join("none"), None);
    assert!(matches!(missing, Err(SignerError::File(..))));
}
