//! An endpoint of an embedder is one like those of the server.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use grantor::{
    server::{
        Answer, AuthorizationServer, Body, BuildError, ClientCertificate, Context, Decision,
        Endpoint, Metadata, Outcome, Path, Refusal, Request, Route,
    },
    storage::MemoryStore,
    types::{ErrorCode, Issuer, Rule},
};
use grantor_testkit::World;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Full};

/// An endpoint of one's own: what is known of the connection.
struct Connection;

#[async_trait]
impl Endpoint for Connection {
    fn route(&self) -> Route {
        Route::get("connection", Path::Suffix("connection"))
    }

    fn describe(&self, _: &Context, metadata: &mut Metadata) {
        metadata.list("connections_supported", ["tls"]);
    }

    async fn answer(
        &self,
        _: &Context,
        request: &Request,
        _: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let Some(certificate) = request.certificate() else {
            let refusal = Refusal::new(CERTIFICATE_NEEDED, Rule::named("certificate"), "no")
                .because("no certificate")
                .with_status(StatusCode::FORBIDDEN)
                .with_header(header::ALLOW, HeaderValue::from_static("GET"))
                .with_header(header::CACHE_CONTROL, HeaderValue::from_static("public"));
            return Err(refusal);
        };
        let body = Body::stream(Full::new(Bytes::copy_from_slice(certificate.der())));
        Ok(Answer::new(http::Response::new(body)))
    }
}

const CERTIFICATE_NEEDED: ErrorCode = ErrorCode::from_static("certificate_needed");

#[tokio::test]
async fn an_endpoint_answers_with_any_body_and_refuses_with_a_code_a_rule_and_fields_of_its_own() {
    let world = World::with(|builder| builder.endpoint(Connection));
    assert_eq!(
        world.server.endpoint_name("/connection"),
        Some("connection")
    );
    let get = || http::Request::get("/connection").body(Full::<Bytes>::default());
    let mut request = get().expect("a request");
    let certificate = ClientCertificate::from_der(&b"a certificate"[..]);
    request.extensions_mut().insert(certificate);
    let (head, body) = world.server.respond(request).await.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    assert_eq!(
        (head.status, &*body),
        (StatusCode::OK, &b"a certificate"[..])
    );
    assert_eq!(head.headers[header::CACHE_CONTROL], "no-store");

    let refused = world.server.respond(get().expect("a request")).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(refused.headers()[header::ALLOW], "GET");
    assert_eq!(refused.headers()[header::CACHE_CONTROL], "no-store");
    let decisions = world.log.take();
    assert!(
        decisions
            .iter()
            .all(|decision| decision.endpoint == "connection")
    );
    let expected = Outcome::Refused {
        error: CERTIFICATE_NEEDED,
        rule: Rule::named("certificate"),
        cause: "no certificate".to_owned(),
    };
    assert_eq!(
        decisions.last().map(|decision| &decision.outcome),
        Some(&expected)
    );
}

#[test]
fn two_endpoints_have_neither_one_name_nor_one_path() {
    let issuer = Issuer::parse("https://as.example").expect("an issuer");
    let built = AuthorizationServer::builder(issuer)
        .store(Arc::new(MemoryStore::new()))
        .standard()
        .endpoint(Connection)
        .endpoint(Connection)
        .build();
    assert!(matches!(
        built.err(),
        Some(BuildError::DuplicateEndpoint("connection"))
    ));
}

#[tokio::test]
async fn a_document_is_the_same_whatever_the_head_says() {
    let world = World::new();
    for authorizations in 0..3 {
        let mut request = http::Request::get("/jwks")
            .body(Full::<Bytes>::default())
            .expect("a request");
        for _ in 0..authorizations {
            let value = HeaderValue::from_static("Basic Og==");
            request.headers_mut().append(header::AUTHORIZATION, value);
        }
        let answer = world.server.respond(request).await;
        assert_eq!(answer.status(), StatusCode::OK, "{authorizations}");
    }
}

#[tokio::test]
async fn a_field_that_two_extensions_keep_is_kept_once() {
    let kept = header::AUTHORIZATION;
    let world = World::with(|builder| builder.keep_header(kept.clone()).keep_header(kept.clone()));
    let mut headers = http::HeaderMap::new();
    for index in 0..20 {
        let name = http::HeaderName::try_from(format!("x-{index}")).expect("a name");
        headers.insert(name, HeaderValue::from_static("1"));
    }
    headers.insert(kept, HeaderValue::from_static("Basic Og=="));
    world.server.forget_unread(&mut headers);
    assert_eq!(headers.len(), 1, "{headers:?}");
}
