//! The metadata document tells what is registered, and nothing else (RFC 8414 §2).

use bytes::Bytes;
use grantor::{
    jose::Algorithm,
    server::{
        AuthorizationServer, ClientAssertion, ClientAuthRequirement, ClientCredentials,
        ClientSecretPost, JwtBearer, Settings,
    },
    storage::MemoryStore,
    types::{AuthMethod, Issuer},
};
use grantor_testkit::{Form, World};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

const PATH: &str = "/.well-known/oauth-authorization-server";

async fn document(server: &AuthorizationServer, path: &str) -> Value {
    let request = Request::get(path)
        .body(Full::<Bytes>::default())
        .expect("a request");
    let response = server.respond(request).await;
    assert_eq!(
        (response.status(), &response.headers()[header::CONTENT_TYPE]),
        (
            StatusCode::OK,
            &"application/json".parse().expect("a value")
        )
    );
    let text = response
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    serde_json::from_slice(&text).expect("JSON")
}

#[tokio::test]
async fn the_standard_server_tells_all_it_can_do() {
    let world = World::new();
    let expected = json!({
        "issuer": "https://as.example",
        "token_endpoint": "https://as.example/token",
        "jwks_uri": "https://as.example/jwks",
        "response_types_supported": [],
        "grant_types_supported": ["urn:ietf:params:oauth:grant-type:jwt-bearer", "client_credentials"],
        "token_endpoint_auth_methods_supported":
            ["private_key_jwt", "client_secret_jwt", "client_secret_basic", "client_secret_post", "none"],
        "token_endpoint_auth_signing_alg_values_supported":
            ["RS256", "PS256", "ES256", "ES384", "Ed25519", "EdDSA", "HS256", "HS384", "HS512"],
        "introspection_endpoint": "https://as.example/introspect",
        "introspection_endpoint_auth_methods_supported":
            ["private_key_jwt", "client_secret_jwt", "client_secret_basic", "client_secret_post"],
        "introspection_endpoint_auth_signing_alg_values_supported":
            ["RS256", "PS256", "ES256", "ES384", "Ed25519", "EdDSA", "HS256", "HS384", "HS512"],
        "revocation_endpoint": "https://as.example/revoke",
        "revocation_endpoint_auth_methods_supported":
            ["private_key_jwt", "client_secret_jwt", "client_secret_basic", "client_secret_post", "none"],
        "revocation_endpoint_auth_signing_alg_values_supported":
            ["RS256", "PS256", "ES256", "ES384", "Ed25519", "EdDSA", "HS256", "HS384", "HS512"],
    });
    assert_eq!(document(&world.server, PATH).await, expected);
}

#[tokio::test]
async fn grants_and_methods_are_listed_if_and_only_if_they_are_registered() {
    let grants_only = World::bare(|builder| {
        builder
            .grant(ClientCredentials::new())
            .client_auth(ClientSecretPost)
    });
    let document = document(&grants_only.server, PATH).await;
    assert_eq!(
        document["grant_types_supported"],
        json!(["client_credentials"])
    );
    assert_eq!(
        document["token_endpoint_auth_methods_supported"],
        json!(["client_secret_post"])
    );
    assert_eq!(
        document.get("token_endpoint_auth_signing_alg_values_supported"),
        None,
        "no assertion method, no algorithms"
    );
}

#[tokio::test]
async fn a_method_that_no_grant_takes_is_not_listed() {
    let requirement = ClientAuthRequirement {
        methods: vec![AuthMethod::PRIVATE_KEY_JWT],
        optional: false,
    };
    let world = World::bare(|builder| {
        let grant = builder.grant(JwtBearer::with_client_auth(requirement));
        grant
            .client_auth(ClientAssertion)
            .client_auth(ClientSecretPost)
    });
    let document = document(&world.server, PATH).await;
    assert_eq!(
        document["token_endpoint_auth_methods_supported"],
        json!(["private_key_jwt"])
    );
    let algorithms = document["token_endpoint_auth_signing_alg_values_supported"]
        .as_array()
        .expect("an array");
    assert!(
        algorithms.contains(&json!("RS256")) && !algorithms.contains(&json!("HS256")),
        "{algorithms:?}"
    );
}

#[tokio::test]
async fn algorithms_are_those_of_the_settings() {
    let settings = Settings {
        assertion_algorithms: vec![Algorithm::Ps256, Algorithm::Es512],
        secret_algorithms: vec![Algorithm::Hs512],
        ..Settings::default()
    };
    let world = World::with(|builder| builder.settings(settings));
    let document = document(&world.server, PATH).await;
    assert_eq!(
        document["token_endpoint_auth_signing_alg_values_supported"],
        json!(["PS256", "ES512", "HS512"])
    );
}

#[tokio::test]
async fn a_method_without_an_algorithm_is_not_listed() {
    let settings = [
        (
            Settings {
                secret_algorithms: Vec::new(),
                ..Settings::default()
            },
            "client_secret_jwt",
        ),
        (
            Settings {
                assertion_algorithms: Vec::new(),
                ..Settings::default()
            },
            "private_key_jwt",
        ),
    ];
    for (settings, gone) in settings {
        let world = World::with(|builder| builder.settings(settings));
        let document = document(&world.server, PATH).await;
        for endpoint in ["token", "introspection", "revocation"] {
            let listed = document[format!("{endpoint}_endpoint_auth_methods_supported")]
                .as_array()
                .expect("an array")
                .clone();
            for method in ["private_key_jwt", "client_secret_jwt"] {
                assert_eq!(
                    listed.contains(&json!(method)),
                    method != gone,
                    "{endpoint}: {listed:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_document_comes_from_configuration_and_may_be_cached() {
    let world = World::new();
    let request = Request::get(format!("{PATH}?any=query"))
        .header("host", "evil.example")
        .header("x-forwarded-host", "evil.example");
    let response = world
        .server
        .respond(request.body(Full::<Bytes>::default()).expect("a request"))
        .await;
    assert_eq!(
        response.headers()[header::CACHE_CONTROL],
        "public, max-age=60"
    );
    let text = response
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    assert!(!String::from_utf8_lossy(&text).contains("evil"));
}

#[tokio::test]
async fn an_issuer_with_a_path_has_its_documents_where_rfc_8414_puts_them() {
    let store = std::sync::Arc::new(MemoryStore::new());
    let issuer = Issuer::parse("https://as.example/tenant").expect("an issuer");
    let server = AuthorizationServer::builder(issuer)
        .store(store)
        .standard()
        .build()
        .expect("a server");
    let document = document(&server, &format!("{PATH}/tenant")).await;
    assert_eq!(document["issuer"], "https://as.example/tenant");
    assert_eq!(
        document["token_endpoint"],
        "https://as.example/tenant/token"
    );
    for (path, status) in [
        ("/tenant/token", StatusCode::BAD_REQUEST),
        ("/token", StatusCode::NOT_FOUND),
    ] {
        let form = Form {
            uri: path.to_owned(),
            ..Form::new("client_credentials")
        };
        assert_eq!(
            server.respond(form.request()).await.status(),
            status,
            "{path}"
        );
    }
    for path in [
        "/.well-known/openid-configuration/tenant",
        "/tenant/.well-known/openid-configuration",
    ] {
        assert_eq!(
            self::document(&server, path).await,
            document,
            "the same at {path}"
        );
    }
    for (path, status) in [
        ("/tenant/jwks", StatusCode::OK),
        ("/.well-known/openid-configuration", StatusCode::NOT_FOUND),
        (PATH, StatusCode::NOT_FOUND),
        ("/jwks", StatusCode::NOT_FOUND),
    ] {
        let request = Request::get(path)
            .body(Full::<Bytes>::default())
            .expect("a request");
        assert_eq!(server.respond(request).await.status(), status, "{path}");
    }
}

/// Pages of any origin may read what is public; the rest has no header for them
/// (`h18_no_origin_is_allowed`).
#[tokio::test]
async fn documents_may_be_read_by_pages_of_any_origin() {
    let world = World::new();
    for path in [PATH, "/.well-known/openid-configuration", "/jwks"] {
        for (method, status) in [("GET", StatusCode::OK), ("OPTIONS", StatusCode::NO_CONTENT)] {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header("origin", "https://app.example");
            let response = world
                .server
                .respond(request.body(Full::<Bytes>::default()).expect("a request"))
                .await;
            assert_eq!(response.status(), status, "{method} {path}");
            assert_eq!(
                response.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN],
                "*",
                "{method} {path}"
            );
        }
    }
    for path in ["/token", "/introspect", "/revoke"] {
        let request = Request::options(path)
            .header("origin", "https://app.example")
            .body(Full::<Bytes>::default());
        let response = world.server.respond(request.expect("a request")).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(
            response.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN),
            None,
            "{path}"
        );
    }
}
