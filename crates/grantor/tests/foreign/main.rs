//! Authorization servers that others wrote, as processes on loopback: Authlib (PyPI) and
//! node-oidc-provider (npm). What each one needs is in docs/servers.md. Both refuse a `jti` that
//! was used before, so a source that gives two tokens in a row made two.
#![cfg(all(feature = "client", feature = "reqwest"))]

mod client;
mod code;
mod process;

use std::{slice, time::Duration};

use bytes::Bytes;
use client::{
    Client, Credential, answer, by_assertion, by_credentials, refusal, said, scope, twice, verified,
};
use grantor::{
    client::{
        AccessToken, Audience, JwtBearer, LocalKey, PrivateKeyJwt, Server, TokenSource, Wanted,
        preset,
    },
    jose::Algorithm,
    types::GrantType,
};
use http::{Request, header};
use process::{Address, Process};
use serde_json::{Value, json};
use url::form_urlencoded;

/// What our client signs with.
const SIGNATURES: [Algorithm; 11] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::Ed25519,
    Algorithm::EdDsa,
];
const MACS: [Algorithm; 3] = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];

/// Authlib, knowing itself by its issuer identifier, with opaque tokens; `changes` say what is
/// otherwise.
fn authlib(clients: &[Client], changes: &[(&str, Value)]) -> Process {
    let both = [GrantType::CLIENT_CREDENTIALS, GrantType::JWT_BEARER];
    let clients: Vec<_> = clients
        .iter()
        .map(|client| client.registration(&both))
        .collect();
    let mut settings =
        json!({"clients": clients, "audience": "issuer", "tokens": "opaque", "permissions": {}});
    for (name, value) in changes {
        settings[name] = value.clone();
    }
    Process::authlib(&settings)
}

/// What Authlib's API learns from a token: client, subject, scope.
async fn whoami(at: &Address, token: &AccessToken) -> [Value; 3] {
    let (mut parts, body) = Request::get(format!("{}/whoami", at.issuer))
        .body(Bytes::new())
        .expect("a request")
        .into_parts();
    token.authorize(&mut parts);
    let mut known = answer(Request::from_parts(parts, body)).await;
    ["client_id", "sub", "scope"].map(|name| known[name].take())
}

#[tokio::test]
async fn authlib_gives_tokens_by_every_method() {
    let clients = [
        Client::basic("basic"),
        Client::post("post"),
        Client::mac("mac", Algorithm::Hs256),
        Client::signing("ecdsa", Algorithm::Es256),
        Client::signing("rsa", Algorithm::Rs256),
    ];
    let server = authlib(&clients, &[]);
    for client in &clients {
        for token in
            twice(by_credentials(&server.at, client.auth()).scope(scope("invoices:read"))).await
        {
            assert_eq!(token.scope(), Some(&scope("invoices:read")));
            assert_eq!(token.lifetime(), Some(Duration::from_secs(864_000)));
            assert_eq!(
                whoami(&server.at, &token).await,
                [json!(client.id), Value::Null, json!("invoices:read")]
            );
        }
    }
}

#[tokio::test]
async fn authlib_exchanges_assertions() {
    let clients = [
        Client::signing("ecdsa", Algorithm::Es256),
        Client::signing("rsa", Algorithm::Rs256),
    ];
    let server = authlib(&clients, &[]);
    for client in &clients {
        let alone = by_assertion(&server.at, client.grant());
        let authenticated = by_assertion(&server.at, client.grant()).client_auth(client.auth());
        for source in [alone, authenticated] {
            for token in twice(source.scope(scope("invoices:read"))).await {
                assert_eq!(token.lifetime(), Some(Duration::from_secs(3600)));
                assert_eq!(
                    whoami(&server.at, &token).await,
                    [json!(client.id), json!(client.id), json!("invoices:read")]
                );
            }
        }
    }
}

#[tokio::test]
async fn authlib_names_the_algorithms_that_it_does_not_take() {
    let taken = [Algorithm::Rs256, Algorithm::Es256, Algorithm::Hs256];
    let others = SIGNATURES
        .into_iter()
        .chain(MACS)
        .filter(|algorithm| !taken.contains(algorithm));
    let with = |algorithm: Algorithm| match algorithm.is_mac() {
        true => Client::mac(algorithm.name(), algorithm),
        false => Client::signing(algorithm.name(), algorithm),
    };
    let clients: Vec<_> = others.map(with).collect();
    let server = authlib(&clients, &[]);
    for client in &clients {
        let words = format!("Algorithm of '{}' is not recommended", client.id);
        let refused = |code: &str| (400, code.to_owned(), words.clone());
        assert_eq!(
            refusal(by_credentials(&server.at, client.auth())).await,
            refused("invalid_client")
        );
        if matches!(client.credential, Credential::Key(_)) {
            assert_eq!(
                refusal(by_assertion(&server.at, client.grant())).await,
                refused("invalid_grant")
            );
        }
    }
}

#[tokio::test]
async fn authlib_lets_a_client_act_for_permitted_subjects_only() {
    let client = Client::signing("billing", Algorithm::Es256);
    let grant = client.grant();
    let server = authlib(
        &[client],
        &[(
            "permissions",
            json!({"billing": ["alice"], "payroll": ["bob"]}),
        )],
    );
    let source = by_assertion(&server.at, grant.clone().subject("alice"))
        .build()
        .expect("a source");
    let alice = source
        .token()
        .await
        .expect("a token for the configured subject");
    let billing = source
        .token_for(Wanted::new().subject("billing"))
        .await
        .expect("a token for the wanted subject");
    let nobody = by_assertion(&server.at, grant.without_subject())
        .build()
        .expect("a source");
    let nobody = nobody.token().await.expect("a token without subject");
    for (token, subject) in [
        (alice, json!("alice")),
        (billing, json!("billing")),
        (nobody, Value::Null),
    ] {
        assert_eq!(whoami(&server.at, &token).await[1], subject);
    }
    for (subject, code, words) in [
        (
            "bob",
            "invalid_client",
            "Client has no permission to access user data",
        ),
        ("carol", "invalid_grant", "Invalid 'sub' value in assertion"),
    ] {
        let error = source
            .token_for(Wanted::new().subject(subject))
            .await
            .expect_err(subject);
        assert_eq!(said(&error), (400, code.to_owned(), words.to_owned()));
    }
}

#[tokio::test]
async fn authlib_that_knows_its_token_endpoint_only_needs_that_audience() {
    for (known, taken) in [
        ("token_endpoint", Audience::TokenEndpoint),
        ("issuer", Audience::Issuer),
    ] {
        let clients = [
            Client::signing("key", Algorithm::Es256),
            Client::mac("secret", Algorithm::Hs256),
        ];
        let server = authlib(&clients, &[("audience", json!(known))]);
        let configured = Server::at(&server.at.token_endpoint)
            .expect("a URL")
            .with_issuer(&server.at.issuer);
        for audience in [Audience::Issuer, Audience::TokenEndpoint] {
            let grant = clients[0].grant().audience(audience.clone());
            let mut sources = vec![(
                TokenSource::jwt_bearer(configured.clone(), grant),
                "invalid_grant",
            )];
            for client in &clients {
                let auth = client.auth_for(audience.clone());
                sources.push((
                    TokenSource::client_credentials(configured.clone(), auth),
                    "invalid_client",
                ));
            }
            for (source, code) in sources {
                if audience == taken {
                    twice(source).await;
                } else {
                    assert_eq!(
                        refusal(source).await,
                        (400, code.to_owned(), "Invalid claim: 'aud'".to_owned())
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn authlib_refuses_an_assertion_that_is_sent_again() {
    let client = Client::signing("billing", Algorithm::Es256);
    let server = authlib(slice::from_ref(&client), &[]);
    for (source, code) in [
        (
            by_credentials(&server.at, client.same_assertion(&server.at).await),
            "invalid_client",
        ),
        (
            by_assertion(&server.at, client.same_assertion(&server.at).await),
            "invalid_grant",
        ),
    ] {
        let source = source.build().expect("a source");
        source.invalidate(&source.token().await.expect("a token the first time"));
        let error = source.token().await.expect_err("no token the second time");
        assert_eq!(
            said(&error),
            (400, code.to_owned(), "JWT ID is used before.".to_owned())
        );
    }
}

#[tokio::test]
async fn authlib_refuses_whoever_has_another_key_or_secret() {
    let clients = [
        Client::basic("basic"),
        Client::post("post"),
        Client::mac("mac", Algorithm::Hs256),
        Client::signing("ecdsa", Algorithm::Es256),
        Client::signing("rsa", Algorithm::Rs256),
    ];
    let server = authlib(&clients, &[]);
    for client in &clients {
        twice(by_credentials(&server.at, client.auth())).await;
        let (_, code, _) = refusal(by_credentials(&server.at, client.impostor().auth())).await;
        assert_eq!(code, "invalid_client", "{}", client.id);
    }
    for client in &clients[3..] {
        let (status, code, _) = refusal(by_assertion(&server.at, client.impostor().grant())).await;
        assert_eq!(
            (status, code.as_str()),
            (400, "invalid_grant"),
            "{}",
            client.id
        );
    }
}

#[tokio::test]
async fn authlib_narrows_the_scope_and_refuses_one_it_does_not_know() {
    let client = Client::signing("billing", Algorithm::Es256);
    let server = authlib(slice::from_ref(&client), &[]);
    for source in [
        by_credentials(&server.at, client.auth()),
        by_assertion(&server.at, client.grant()),
    ] {
        let source = source
            .scope(scope("invoices:read invoices:write"))
            .build()
            .expect("a source");
        let token = source.token().await.expect("a token");
        assert_eq!(
            token.scope(),
            Some(&scope("invoices:read")),
            "what the client was registered for"
        );
        let error = source
            .token_for(Wanted::new().scope(scope("payroll:read")))
            .await
            .expect_err("an unknown scope");
        assert_eq!(error.oauth_code(), Some("invalid_scope"));
    }
}

#[tokio::test]
async fn authlib_takes_key_files_of_both_forms() {
    let client = Client::signing("billing@ci.example", Algorithm::Rs256);
    let directory = tempfile::tempdir().expect("a directory");
    let (file, id, key) = (directory.path().join("key.json"), &client.id, client.key());
    for known in ["issuer", "token_endpoint"] {
        let server = authlib(slice::from_ref(&client), &[("audience", json!(known))]);
        let (issuer, endpoint) = (&server.at.issuer, &server.at.token_endpoint);
        let jwk: Value = serde_json::from_str(key.expose_json()).expect("JSON");
        let content = match known {
            "issuer" => json!({
                "type": "grantor_client", "client_id": id, "issuer": issuer, "token_endpoint": endpoint, "private_key": jwk,
            }),
            _ => json!({
                "type": "service_account", "client_email": id, "token_uri": endpoint, "private_key_id": key.key_id(),
                "private_key": key.expose_rsa_pem().expect("an RSA key").as_str(),
            }),
        };
        std::fs::write(&file, content.to_string()).expect("a key file");
        let source = TokenSource::from_key_file(&file).expect("a source");
        let token = source.token().await.expect("a token");
        // A service account acts for itself without saying so.
        let subject = if known == "issuer" {
            json!(id)
        } else {
            Value::Null
        };
        assert_eq!(whoami(&server.at, &token).await[..2], [json!(id), subject]);
    }
}

#[tokio::test]
async fn authlib_gives_tokens_of_rfc_9068() {
    let client = Client::signing("billing", Algorithm::Es256);
    let server = authlib(slice::from_ref(&client), &[("tokens", json!("jwt"))]);
    for source in [
        by_credentials(&server.at, client.auth()),
        by_assertion(&server.at, client.grant()),
    ] {
        for token in twice(source.scope(scope("invoices:read"))).await {
            is_rfc_9068(&server.at, &token, "billing").await;
        }
    }
}

/// node-oidc-provider, below this path.
fn oidc_provider(clients: &[Client], path: &str) -> Process {
    let clients: Vec<_> = clients
        .iter()
        .map(|client| client.registration(&[GrantType::CLIENT_CREDENTIALS]))
        .collect();
    Process::oidc_provider(&json!({"clients": clients, "path": path}))
}

/// What node-oidc-provider says of a token when a client with this secret asks (RFC 7662): client,
/// scope.
async fn introspected(at: &Address, token: &AccessToken, asking: &Client) -> [Value; 2] {
    let Credential::Post(secret) = &asking.credential else {
        unreachable!("{} does not post its secret", asking.id)
    };
    let form = [
        ("client_id", asking.id.as_str()),
        ("client_secret", secret),
        ("token", token.expose()),
    ];
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let request = Request::post(format!("{}/introspection", at.token_endpoint))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.into());
    let mut known = answer(request.expect("a request")).await;
    assert_eq!(known["active"], true);
    ["client_id", "scope"].map(|name| known[name].take())
}

#[tokio::test]
async fn oidc_provider_gives_tokens_by_every_method_and_algorithm() {
    let mut clients = vec![Client::post("post"), Client::basic("basic")];
    clients.extend(MACS.map(|algorithm| Client::mac(algorithm.name(), algorithm)));
    clients.extend(SIGNATURES.map(|algorithm| Client::signing(algorithm.name(), algorithm)));
    let server = oidc_provider(&clients, "");
    for client in &clients {
        for token in
            twice(by_credentials(&server.at, client.auth()).scope(scope("invoices:read"))).await
        {
            assert_eq!(token.scope(), Some(&scope("invoices:read")));
            assert_eq!(token.lifetime(), Some(Duration::from_secs(600)));
            let known = introspected(&server.at, &token, &clients[0]).await;
            assert_eq!(known, [json!(client.id), json!("invoices:read")]);
        }
    }
}

#[tokio::test]
async fn oidc_provider_below_a_path_is_found_by_its_openid_configuration() {
    let clients = [Client::signing("billing", Algorithm::Es256)];
    let server = oidc_provider(&clients, "/tenant/one");
    assert!(server.at.issuer.ends_with("/tenant/one"));
    twice(by_credentials(&server.at, clients[0].auth())).await;
}

#[tokio::test]
async fn oidc_provider_takes_either_audience_and_no_other() {
    let clients = [
        Client::signing("key", Algorithm::Es256),
        Client::mac("secret", Algorithm::Hs256),
    ];
    let server = oidc_provider(&clients, "");
    let configured = Server::at(&server.at.token_endpoint)
        .expect("a URL")
        .with_issuer(&server.at.issuer);
    for client in &clients {
        let source = |audience| {
            TokenSource::client_credentials(configured.clone(), client.auth_for(audience))
        };
        twice(source(Audience::Issuer)).await;
        twice(source(Audience::TokenEndpoint)).await;
        let other = refusal(source(Audience::Exactly("https://other.example".into()))).await;
        assert_eq!(
            other,
            (
                401,
                "invalid_client".to_owned(),
                "client authentication failed".to_owned()
            )
        );
    }
}

#[tokio::test]
async fn oidc_provider_takes_what_presets_for_client_authentication_make() {
    let client = Client::signing("billing", Algorithm::Rs256);
    let server = oidc_provider(slice::from_ref(&client), "");
    let configured = Server::at(&server.at.token_endpoint)
        .expect("a URL")
        .with_issuer(&server.at.issuer);
    for preset in [&preset::OKTA, &preset::AUTH0, &preset::KEYCLOAK] {
        let auth = PrivateKeyJwt::new("billing", client.signer()).preset(preset);
        twice(TokenSource::client_credentials(configured.clone(), auth)).await;
    }
}

#[tokio::test]
async fn oidc_provider_wants_the_name_of_ed25519_that_was_registered() {
    let clients = [
        Client::signing("old", Algorithm::EdDsa),
        Client::signing("new", Algorithm::Ed25519),
    ];
    let server = oidc_provider(&clients, "");
    for client in &clients {
        let mut jwk: Value = serde_json::from_str(client.key().expose_json()).expect("JSON");
        jwk.as_object_mut().expect("an object").remove("alg");
        for name in [Algorithm::EdDsa, Algorithm::Ed25519] {
            let key = LocalKey::from_jwk(jwk.to_string().as_bytes(), Some(name)).expect("a signer");
            let source = by_credentials(&server.at, PrivateKeyJwt::new(client.id.as_str(), key));
            if name == client.key().algorithm() {
                twice(source).await;
            } else {
                assert_eq!(refusal(source).await.1, "invalid_client");
            }
        }
    }
}

#[tokio::test]
async fn oidc_provider_refuses_an_assertion_that_is_sent_again() {
    let client = Client::signing("billing", Algorithm::Es256);
    let server = oidc_provider(slice::from_ref(&client), "");
    let source = by_credentials(&server.at, client.same_assertion(&server.at).await)
        .build()
        .expect("a source");
    source.invalidate(&source.token().await.expect("a token the first time"));
    let error = source.token().await.expect_err("no token the second time");
    assert_eq!(error.oauth_code(), Some("invalid_client"));
}

#[tokio::test]
async fn oidc_provider_refuses_whoever_has_another_key_or_secret() {
    let mut clients = vec![
        Client::post("post"),
        Client::basic("basic"),
        Client::mac("mac", Algorithm::Hs256),
    ];
    let algorithms = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
    clients.extend(algorithms.map(|algorithm| Client::signing(algorithm.name(), algorithm)));
    let server = oidc_provider(&clients, "");
    for client in &clients {
        twice(by_credentials(&server.at, client.auth())).await;
        let refused = refusal(by_credentials(&server.at, client.impostor().auth())).await;
        assert_eq!(
            refused,
            (
                401,
                "invalid_client".to_owned(),
                "client authentication failed".to_owned()
            ),
            "{}",
            client.id
        );
    }
}

#[tokio::test]
async fn oidc_provider_refuses_a_scope_that_the_client_does_not_have() {
    let client = Client::signing("billing", Algorithm::Es256);
    let server = oidc_provider(slice::from_ref(&client), "");
    let source = by_credentials(&server.at, client.auth()).scope(scope("invoices:write"));
    let expected = (
        400,
        "invalid_scope".to_owned(),
        "requested scope is not allowed".to_owned(),
    );
    assert_eq!(refusal(source).await, expected);
}

#[tokio::test]
async fn oidc_provider_gives_tokens_of_rfc_9068_for_a_resource() {
    let client = Client::signing("billing", Algorithm::EdDsa);
    let server = oidc_provider(slice::from_ref(&client), "");
    let source = by_credentials(&server.at, client.auth())
        .scope(scope("invoices:read"))
        .resource("https://api.example");
    for token in twice(source).await {
        is_rfc_9068(&server.at, &token, "billing").await;
    }
}

/// Asserts that an API can tell from the token alone, by the server's keys, whom it was given to
/// and what for.
async fn is_rfc_9068(at: &Address, token: &AccessToken, client: &str) {
    let (typ, claims) = verified(at, token).await;
    assert_eq!(typ.as_deref(), Some("at+jwt"));
    let expected = json!({"iss": at.issuer, "aud": "https://api.example", "client_id": client, "sub": client, "scope": "invoices:read"});
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&claims[name], value, "{name}");
    }
}

#[tokio::test]
async fn secrets_with_reserved_characters_are_understood() {
    let secret = "a b+c/d:e%f&g=h?i~j*k-l_m.n%20o|p";
    for id in ["https://client.example/a b", "plain"] {
        let clients = [Client::new(id, Credential::Basic(secret.to_owned()))];
        for server in [authlib(&clients, &[]), oidc_provider(&clients, "")] {
            twice(by_credentials(&server.at, clients[0].auth())).await;
        }
    }
}

#[tokio::test]
async fn a_key_from_a_pem_is_found_without_kid() {
    let clients = [Client::signing("billing", Algorithm::Rs256)];
    let pem = clients[0].key().expose_rsa_pem().expect("an RSA key");
    let signer = || LocalKey::from_pem(&pem, Some(Algorithm::Rs256)).expect("a signer");
    for server in [authlib(&clients, &[]), oidc_provider(&clients, "")] {
        twice(by_credentials(
            &server.at,
            PrivateKeyJwt::new("billing", signer()),
        ))
        .await;
    }
    let server = authlib(&clients, &[]);
    twice(by_assertion(
        &server.at,
        JwtBearer::new("billing", signer()),
    ))
    .await;
}
