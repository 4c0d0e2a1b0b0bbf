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

/// An endpoint whose refusals are pages.
struct Page;

#[async_trait]
impl Endpoint for Page {
    fn route(&self) -> Route {
        Route::form("page", Path::Suffix("page"))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    #[expect(clippy::panic, reason = "the defect")]
    async fn answer(
        &self,
        _: &Context,
        request: &Request,
        _: &mut Decision,
    ) -> Result<Answer, Refusal> {
        request.required("name")?;
        panic!("a defect of the endpoint")
    }

    async fn refuse(
        &self,
        _: &Context,
        request: &Request,
        refusal: &Refusal,
        decision: &Decision,
    ) -> Answer {
        assert_ne!(request.parameter("name"), Some("broken"), "so broken");
        let text = format!("{} is {:?}", decision.id, decision.outcome);
        Answer::refusing(refusal, http::Response::new(Body::from(text)))
    }
}

#[tokio::test]
async fn an_endpoint_says_in_its_own_form_that_a_request_is_refused_also_one_that_was_not_read() {
    let world = World::with(|builder| builder.endpoint(Page));
    for (form, status, rule) in [
        ("", StatusCode::BAD_REQUEST, Rule::Form),
        ("name=%zz", StatusCode::BAD_REQUEST, Rule::Form),
        ("name=a", StatusCode::INTERNAL_SERVER_ERROR, Rule::Defect),
    ] {
        let answer = world.server.respond(post(form)).await;
        assert_eq!(answer.status(), status, "{form}");
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        let body = answer.into_body().collect().await.expect("a body");
        let decision = world.log.take().pop().expect("a decision");
        let expected = format!("{} is {:?}", decision.id, decision.outcome);
        assert_eq!(&*body.to_bytes(), expected.as_bytes(), "{form}");
        assert!(
            matches!(decision.outcome, Outcome::Refused { rule: broken, .. } if broken == rule)
        );
    }
    let answer = world.server.respond(post("name=broken")).await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
}

fn post(form: &'static str) -> http::Request<Full<Bytes>> {
    http::Request::post("/page")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::from(form))
        .expect("a request")
}
