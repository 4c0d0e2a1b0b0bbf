//! Presets: what is sent to each vendor, held against the vendor's published rules.

use std::time::Duration;

use crate::support::{Asked, Double, NOW, ReadJwt, answer, clock, key};
use grantor::{
    client::{
        AssertionMaker, Audience, ConfigError, CredentialError, JwtBearer, LocalKey, Preset,
        PrivateKeyJwt, Server as AuthorizationServer, TokenError, TokenSource, preset,
    },
    clock::Clock as _,
    jose::{Algorithm, PrivateJwk, base64url_encode, crypto::sha256},
};
use serde_json::{Value, json};

/// What a grant by a preset sends. The token endpoint of a vendor is played by a local server, so
/// an audience that is the token endpoint is the local one's.
async fn grant(
    preset: &'static Preset,
    change: impl FnOnce(JwtBearer) -> JwtBearer,
) -> (Asked, ReadJwt, String) {
    let server = Double::tokens().await;
    let (key, signer) = key(Algorithm::Rs256);
    let at = AuthorizationServer::at(&server.token_endpoint()).expect("a URL");
    let source = TokenSource::jwt_bearer(
        at,
        change(JwtBearer::new("the-issuer", signer).preset(preset)),
    )
    .clock(clock());
    let source = source
        .scope("a b".parse().expect("a scope"))
        .build()
        .expect("within the rules");
    source.token().await.expect("a token");
    let asked = server.last();
    let jwt = asked.jwt("assertion");
    jwt.is_by(&key);
    assert_eq!(jwt.header["alg"], "RS256");
    assert_eq!(jwt.claim("iss"), "the-issuer");
    (asked, jwt, server.token_endpoint())
}

/// What client authentication by a preset sends.
async fn authentication(
    preset: &'static Preset,
    key: LocalKey,
    issuer: &str,
) -> (Asked, ReadJwt, String) {
    let server = Double::tokens().await;
    let at = AuthorizationServer::at(&server.token_endpoint())
        .expect("a URL")
        .with_issuer(issuer);
    let auth = PrivateKeyJwt::new("the-client", key).preset(preset);
    let source = TokenSource::client_credentials(at, auth)
        .clock(clock())
        .build()
        .expect("within the rules");
    source.token().await.expect("a token");
    let asked = server.last();
    let jwt = asked.jwt("client_assertion");
    assert_eq!(
        (jwt.claim("iss"), jwt.claim("sub")),
        (&json!("the-client"), &json!("the-client"))
    );
    assert_eq!(asked.parameter("client_id").as_deref(), Some("the-client"));
    assert!(jwt.claim("jti").is_string());
    (asked, jwt, server.token_endpoint())
}

fn seconds(value: &Value) -> i64 {
    value.as_i64().expect("whole seconds")
}

/// `iss`, `scope`, `aud`, `exp`, `iat`; `exp` at most an hour after `iat`; `sub` only to act for a
/// user; the scope as a claim.
#[tokio::test]
async fn google() {
    let (asked, jwt, endpoint) = grant(&preset::GOOGLE, |grant| grant).await;
    assert_eq!(
        preset::GOOGLE.token_endpoint,
        Some("https://oauth2.googleapis.com/token")
    );
    assert_eq!(jwt.claim("aud"), &json!(endpoint), "the token endpoint");
    assert_eq!(jwt.claim("scope"), "a b");
    assert_eq!(jwt.claims.get("sub"), None);
    assert!(jwt.header["kid"].is_string() && jwt.header["typ"] == "JWT");
    assert_eq!(seconds(jwt.claim("exp")) - seconds(jwt.claim("iat")), 3600);
    assert!(seconds(jwt.claim("iat")) < NOW && seconds(jwt.claim("exp")) > NOW);
    assert_eq!(
        (asked.form().len(), asked.parameter("scope")),
        (2, None),
        "grant_type and assertion"
    );
    let (_, delegated, _) = grant(&preset::GOOGLE, |grant| {
        grant.subject("user@domain.example")
    })
    .await;
    assert_eq!(delegated.claim("sub"), "user@domain.example");
    let (_, delegated, _) = grant(&preset::GOOGLE, |grant| {
        grant.subject("user@domain.example").preset(&preset::GOOGLE)
    })
    .await;
    assert_eq!(
        delegated.claim("sub"),
        "user@domain.example",
        "a preset does not forget whom to act for"
    );
}

/// RS256; `iss` the consumer key, `sub` the user, `aud` the login host, `exp` within 3 minutes; no
/// `expires_in` in the answer.
#[tokio::test]
async fn salesforce() {
    for (preset, host) in [
        (&preset::SALESFORCE, "https://login.salesforce.com"),
        (&preset::SALESFORCE_SANDBOX, "https://test.salesforce.com"),
    ] {
        let (_, jwt, _) = grant(preset, |grant| grant.subject("user@org.example")).await;
        assert_eq!(
            (jwt.claim("aud"), jwt.claim("sub")),
            (&json!(host), &json!("user@org.example"))
        );
        assert!((NOW + 1..=NOW + 180).contains(&seconds(jwt.claim("exp"))));
        assert_eq!(
            preset.token_endpoint.map(|url| url.strip_prefix(host)),
            Some(Some("/services/oauth2/token"))
        );
    }
    let server = Double::start(|number, _| async move {
        let body = json!({
            "access_token": format!("00Dxx0000000001!AQ{number}"), "token_type": "Bearer", "scope": "api web",
            "instance_url": "https://my.salesforce.example", "id": "https://login.salesforce.com/id/x/y",
        });
        answer(200, &body)
    })
    .await;
    let clock = clock();
    let at = AuthorizationServer::at(&server.token_endpoint()).expect("a URL");
    let grant = JwtBearer::new("key", key(Algorithm::Rs256).1)
        .preset(&preset::SALESFORCE)
        .subject("user@org.example");
    let source = TokenSource::jwt_bearer(at, grant)
        .clock(clock.clone())
        .build()
        .expect("a source");
    let token = source.token().await.expect("a token");
    assert_eq!(
        token.member("instance_url"),
        Some(&json!("https://my.salesforce.example"))
    );
    clock.advance(Duration::from_secs(600));
    assert_eq!(
        source.token().await.expect("a token").expose(),
        token.expose(),
        "kept for longer than other servers' tokens"
    );
}

/// RS256; `iss` the integration key, `sub` the user's GUID, `aud` the host without scheme, `scope`
/// a claim.
#[tokio::test]
async fn docusign() {
    for (preset, host) in [
        (&preset::DOCUSIGN, "account.docusign.com"),
        (&preset::DOCUSIGN_DEMO, "account-d.docusign.com"),
    ] {
        let (asked, jwt, _) = grant(preset, |grant| {
            grant.subject("464f7988-601d-4ee2-b75e-5b01d0fbb1c8")
        })
        .await;
        assert_eq!(
            (jwt.claim("aud"), jwt.claim("scope")),
            (&json!(host), &json!("a b"))
        );
        assert_eq!(jwt.claim("sub"), "464f7988-601d-4ee2-b75e-5b01d0fbb1c8");
        assert!(seconds(jwt.claim("exp")) - seconds(jwt.claim("iat")) <= 3600);
        assert_eq!(asked.parameter("scope"), None);
        assert_eq!(
            preset.token_endpoint,
            Some(format!("https://{host}/oauth/token").as_str())
        );
    }
}

/// PS256; `typ` JWT; `x5t#S256` the certificate's SHA-256; `aud` the token endpoint; `exp` 5 to 10
/// minutes ahead at most.
#[tokio::test]
async fn entra() {
    // Only its octets count here: a sequence of one number.
    let certificate = [0x30, 3, 2, 1, 5];
    let pem = "-----BEGIN CERTIFICATE-----\nMAMCAQU=\n-----END CERTIFICATE-----\n";
    let pair = PrivateJwk::generate(Algorithm::Ps256).expect("a key");
    let key = || LocalKey::new(&pair).expect("a signer").without_key_id();
    let with_certificate = key().with_certificate_pem(pem).expect("a certificate");
    let (_, jwt, endpoint) = authentication(
        &preset::ENTRA,
        with_certificate,
        "https://login.microsoftonline.com/tenant/v2.0",
    )
    .await;
    jwt.is_by(&pair);
    let thumbprint = base64url_encode(sha256(&[&certificate]));
    assert_eq!(
        jwt.header,
        json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint})
    );
    assert_eq!(jwt.claim("aud"), &json!(endpoint));
    assert!(seconds(jwt.claim("exp")) <= NOW + 600);
    let at = AuthorizationServer::at("https://login.microsoftonline.com/t/oauth2/v2.0/token")
        .expect("a URL");
    let auth = |key| PrivateKeyJwt::new("the-client", key).preset(&preset::ENTRA);
    let error = TokenSource::client_credentials(at, auth(key()))
        .build()
        .expect_err("no certificate");
    assert_eq!(
        error.to_string(),
        "preset Microsoft Entra ID wants a key with its certificate (x5t#S256) \
         (https://learn.microsoft.com/entra/identity-platform/certificate-credentials)"
    );
    assert!(key().with_certificate_pem("no PEM").is_err());
    assert!(
        key()
            .with_certificate_pem(&pem.replace("CERTIFICATE", "PRIVATE KEY"))
            .is_err()
    );
}

/// `aud` the token endpoint; `exp` at most an hour ahead.
#[tokio::test]
async fn okta() {
    let (key, signer) = key(Algorithm::Rs256);
    let (_, jwt, endpoint) =
        authentication(&preset::OKTA, signer, "https://org.okta.example").await;
    assert_eq!(
        (jwt.claim("aud"), &jwt.header["typ"]),
        (&json!(endpoint), &json!("JWT"))
    );
    assert_eq!(jwt.header["kid"], key.key_id());
    assert!(seconds(jwt.claim("exp")) <= NOW + 3600);
}

/// `aud` the tenant's URL with the slash at its end; at most 5 minutes; `iss`, `sub` and `jti` at
/// most 64 characters, `alg` 16.
#[tokio::test]
async fn auth0() {
    let (_, jwt, _) = authentication(
        &preset::AUTH0,
        key(Algorithm::Rs256).1,
        "https://tenant.auth0.example/",
    )
    .await;
    assert_eq!(jwt.claim("aud"), "https://tenant.auth0.example/");
    assert!(seconds(jwt.claim("exp")) - seconds(jwt.claim("iat")) <= 300);
    assert!((NOW - 10..=NOW + 10).contains(&seconds(jwt.claim("iat"))));
    assert!(jwt.claim("jti").as_str().is_some_and(|jti| jti.len() <= 64));
}

/// `aud` the realm's URL; at most 60 s old.
#[tokio::test]
async fn keycloak() {
    let (_, jwt, _) = authentication(
        &preset::KEYCLOAK,
        key(Algorithm::Es256).1,
        "https://keycloak.example/realms/a",
    )
    .await;
    assert_eq!(jwt.claim("aud"), "https://keycloak.example/realms/a");
    assert_eq!(seconds(jwt.claim("exp")) - seconds(jwt.claim("iat")), 60);
}

/// RS256; `iat` 60 s in the past, `exp` at most 10 minutes ahead, `iss` the client id; no `aud`.
#[tokio::test]
async fn github_app() {
    let (pair, signer) = key(Algorithm::Rs256);
    let maker = AssertionMaker::new("Iv1.8a61f9b3a7aba766", signer).preset(&preset::GITHUB_APP);
    let at = AuthorizationServer::at("https://api.github.example").expect("a URL");
    maker.check(&at).expect("within the rules");
    let jwt = ReadJwt::read(
        &maker
            .make(None, None, clock().now())
            .await
            .expect("an assertion"),
    );
    jwt.is_by(&pair);
    assert_eq!(
        (jwt.claim("iss"), seconds(jwt.claim("iat"))),
        (&json!("Iv1.8a61f9b3a7aba766"), NOW - 60)
    );
    assert!((NOW + 60..=NOW + 600).contains(&seconds(jwt.claim("exp"))));
    assert_eq!((jwt.claims.get("aud"), jwt.claims.get("sub")), (None, None));
}

#[tokio::test]
async fn what_breaks_a_vendors_rule_is_refused_before_anything_is_sent() {
    let rsa = || key(Algorithm::Rs256).1;
    let at = || AuthorizationServer::at("https://as.example/token").expect("a URL");
    let build = |grant: JwtBearer| {
        TokenSource::jwt_bearer(at(), grant)
            .build()
            .err()
            .map(|error| error.to_string())
    };
    let google = |key: LocalKey| JwtBearer::new("a@b.example", key).preset(&preset::GOOGLE);
    let rows = [
        (
            google(key(Algorithm::Es256).1),
            "wants algorithm ES256, expected one of RS256",
        ),
        (google(rsa().without_key_id()), "wants a key with a kid"),
        (
            google(rsa()).lifetime(Duration::from_secs(3600)),
            "wants a lifetime of at most 3600 s from iat to exp",
        ),
        (
            JwtBearer::new("key", rsa())
                .preset(&preset::SALESFORCE)
                .subject("a")
                .lifetime(Duration::from_secs(181)),
            "wants a lifetime of at most 180 s",
        ),
    ];
    for (grant, expected) in rows {
        let error = build(grant).expect("a broken rule");
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(build(google(rsa())), None, "the control");
    assert_eq!(
        build(google(rsa()).lifetime(Duration::from_secs(60))),
        None,
        "shorter is within the rules"
    );

    let server = Double::tokens().await;
    let at = AuthorizationServer::at(&server.token_endpoint()).expect("a URL");
    let source =
        TokenSource::jwt_bearer(at, JwtBearer::new("key", rsa()).preset(&preset::DOCUSIGN))
            .build()
            .expect("a source");
    let error = source.token().await.expect_err("no subject");
    assert!(
        matches!(&error, TokenError::Config(error) if matches!(**error, ConfigError::Credential(CredentialError::Preset { .. }))),
        "{error}"
    );
    assert_eq!(server.count(), 0);
    let wanted = grantor::client::Wanted::new().subject("a user");
    let error = source.token_for(wanted).await;
    assert!(error.is_ok(), "the control: {error:?}");
}

/// A preset is data: a program's own is as good as ours.
#[tokio::test]
async fn a_preset_of_ones_own() {
    static PARTNER: Preset = Preset {
        name: "Partner",
        documentation: "https://partner.example/oauth",
        token_endpoint: None,
        audience: Audience::Exactly(std::borrow::Cow::Borrowed("urn:partner")),
        algorithms: &[Algorithm::Rs256],
        typ: None,
        lifetime: Duration::from_secs(20),
        backdate: Duration::ZERO,
        longest_lifetime: Duration::from_secs(20),
        scope: grantor::client::ScopePlace::Form,
        key_name: preset::KeyName::Optional,
        subject: preset::SubjectDefault::Issuer,
        token_lifetime: None,
    };
    let (_, jwt, _) = grant(&PARTNER, |grant| grant).await;
    assert_eq!(
        (
            jwt.claim("aud"),
            seconds(jwt.claim("exp")),
            jwt.claim("sub")
        ),
        (&json!("urn:partner"), NOW + 20, &json!("the-issuer"))
    );
    assert_eq!(jwt.header.get("typ"), None);
}
