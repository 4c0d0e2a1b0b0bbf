//! The shape of a token request: method, content type, query, parameters, size (RFC 6749 §3.2,
//! appendix B).

use bytes::Bytes;
use grantor::jose::json::MAX_ITEMS;
use grantor_testkit::{Answer, Form, JWT_BEARER, Party, Use, World, keys};
use http::{Method, Request, Response, StatusCode, header};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};
use tower_service::Service;

/// The two kinds of good request, over a fresh world.
async fn good() -> Vec<(World, Party)> {
    let mut all = Vec::new();
    for usage in Use::PUBLIC_KEY {
        let (world, party) = World::with_party(usage).await;
        all.push((world, party));
    }
    all
}

/// The changed request is refused as a form, the same request without the change passes.
async fn refuses(row: &str, change: impl Fn(Form) -> Form, error: &str, cause: &str) {
    for (world, party) in good().await {
        let form = party.good_form();
        world
            .send(&change(form.clone()))
            .await
            .refused(row, error, "form", cause);
        world.send(&form).await.granted(row);
    }
}

#[tokio::test]
async fn refuses_repeated_parameters_whatever_their_values() {
    let names = "grant_type assertion client_assertion client_assertion_type client_id client_secret scope code code_verifier \
                 redirect_uri refresh_token some_unknown_parameter";
    for name in names.split_whitespace() {
        for value in ["another-value", ""] {
            let twice = |form: Form| {
                if form.pairs.iter().any(|(known, _)| known == name) {
                    form
                } else {
                    form.with(name, "")
                }
            };
            refuses(
                name,
                |form| twice(form).with(name, value),
                "invalid_request",
                "a parameter is repeated",
            )
            .await;
        }
        let same = |form: Form| {
            let value = form
                .pairs
                .iter()
                .find(|(known, _)| known == name)
                .map_or("value-1", |(_, value)| value)
                .to_owned();
            let form = form.set(name, &value);
            form.with(name, &value)
        };
        refuses(name, same, "invalid_request", "a parameter is repeated").await;
    }
}

#[tokio::test]
async fn ignores_unknown_parameters_and_takes_empty_ones_as_omitted() {
    for (world, party) in good().await {
        let form = party
            .good_form()
            .with("foo", "bar")
            .with("assertion[]", "a")
            .with("scope", "")
            .with("resource", "");
        world
            .send(
                &form
                    .with("audience", "a")
                    .with("audience", "b")
                    .with("", "x"),
            )
            .await
            .granted("unknown and empty");
    }
    refuses(
        "empty",
        |form| form.set("grant_type", ""),
        "invalid_request",
        "parameter grant_type is missing",
    )
    .await;
    let (world, party) = World::with_party(Use::Grant).await;
    let form = party.good_form();
    for without in [
        form.clone().without("assertion"),
        form.clone().set("assertion", ""),
    ] {
        world.send(&without).await.refused(
            "no assertion",
            "invalid_request",
            "form",
            "parameter assertion is missing",
        );
    }
    world.send(&form).await.granted("with assertion");
}

#[tokio::test]
async fn a_parameter_of_another_name_is_not_taken_for_the_right_one() {
    for (world, party) in good().await {
        let form = party.good_form();
        for name in ["Grant_Type", "grant_type[]", "grant_type ", "grant%5Ftype"] {
            let renamed = form
                .clone()
                .without("grant_type")
                .with(name, form.value("grant_type"));
            world.send(&renamed).await.refused(
                name,
                "invalid_request",
                "form",
                "parameter grant_type is missing",
            );
        }
    }
}

#[tokio::test]
async fn grant_types_are_compared_to_the_letter() {
    refuses(
        "missing",
        |form| form.without("grant_type"),
        "invalid_request",
        "parameter grant_type is missing",
    )
    .await;
    for grant_type in [
        "urn:ietf:params:oauth:grant-type:JWT-bearer",
        "URN:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:jwt-bearer ",
        " client_credentials",
        "Client_Credentials",
        "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer",
        "urn:ietf:params:oauth:grant-type:saml2-bearer",
        "password",
        "authorization_code",
        "refresh_token",
        "line\r\nbreak\"quoted\\",
        "\u{fc}nknown-grant",
    ] {
        let change = |form: Form| form.set("grant_type", grant_type);
        refuses(
            grant_type,
            change,
            "unsupported_grant_type",
            "grant_type is not supported",
        )
        .await;
    }
}

#[tokio::test]
async fn the_content_type_is_a_form_in_utf_8() {
    for (world, party) in good().await {
        for value in [
            "application/x-www-form-urlencoded;charset=UTF-8",
            "Application/X-WWW-Form-URLEncoded ; charset=\"utf-8\"",
        ] {
            world
                .send(&party.good_form().set_header("content-type", value))
                .await
                .granted(value);
        }
    }
    for value in [
        "application/jwt",
        "multipart/form-data; boundary=xxxxxxxx",
        "text/plain",
        "text/[html]",
        "</><script>",
        "application/x-www-form-urlencoded; charset=iso-8859-1",
        "application/x-www-form-urlencoded-not",
        "",
    ] {
        let change = |form: Form| form.set_header("content-type", value);
        refuses(
            value,
            change,
            "invalid_request",
            "content type is not application/x-www-form-urlencoded",
        )
        .await;
    }
    let without = |mut form: Form| {
        form.headers.clear();
        form
    };
    refuses("none", without, "invalid_request", "content type is not").await;
    let twice = |form: Form| form.header("content-type", "application/x-www-form-urlencoded");
    refuses("two", twice, "invalid_request", "content type is not").await;
    refuses(
        "gzip",
        |form| form.header("content-encoding", "gzip"),
        "invalid_request",
        "content encoding is not supported",
    )
    .await;
}

/// Keycloak's cases: whatever stands there, at every endpoint, the answer is the one error and
/// repeats nothing (the oracle sees to it).
#[tokio::test]
async fn a_malformed_content_type_is_invalid_at_every_endpoint() {
    let (world, party) = World::with_party(Use::PrivateKeyJwt).await;
    for uri in ["/token", "/introspect", "/revoke"] {
        let good = || Form {
            uri: uri.to_owned(),
            ..party.good_form().with("token", "some-token")
        };
        for value in [
            "text/[html]",
            "</><script>",
            "application/jwt",
            "a/b; charset=\"",
            "/",
            "form",
        ] {
            let form = good().set_header("content-type", value);
            world.send(&form).await.refused(
                value,
                "invalid_request",
                "form",
                "content type is not",
            );
        }
        let (status, _) = world.send_plain(&good()).await;
        assert_eq!(status, StatusCode::OK, "the control at {uri}");
    }
}

#[tokio::test]
async fn credentials_and_choices_are_refused_in_the_query() {
    for (world, party) in good().await {
        let form = party.good_form();
        let moved = Form {
            uri: format!("/token?{}", form.body()),
            pairs: vec![],
            ..form.clone()
        };
        world.send(&moved).await.refused(
            "all of it",
            "invalid_request",
            "form",
            "belong in the request body",
        );
        for name in [
            "grant_type",
            "assertion",
            "client_id",
            "client_secret",
            "client_assertion",
            "client%5Fassertion_type",
            "scope",
            "token",
            "refresh_token",
            "code",
            "subject_token",
            "password",
        ] {
            let queried = Form {
                uri: format!("/token?a=b&{name}=some-value"),
                ..form.clone()
            };
            world.send(&queried).await.refused(
                name,
                "invalid_request",
                "form",
                "belong in the request body",
            );
        }
        let harmless = Form {
            uri: "/token?tenant=main&trace=on".to_owned(),
            ..form
        };
        world
            .send(&harmless)
            .await
            .granted("a query of other names");
    }
}

#[tokio::test]
async fn parameters_are_decoded_exactly_once() {
    for (world, party) in good().await {
        let form = party.good_form();
        let body = form.body();
        for bad in ["%zz", "%", "%2", "%ff", "%ED%A0%80"] {
            let request = form.request_of(format!("{body}&foo={bad}"));
            let answer = world.send_request(&form, request).await;
            answer.refused(
                bad,
                "invalid_request",
                "form",
                "form is not correctly encoded",
            );
        }
        let raw = [body.as_bytes(), b"&foo=\xff\xfe"].concat();
        world
            .send_request(&form, form.request_of(raw))
            .await
            .refused("raw", "invalid_request", "form", "not correctly encoded");
        let twice = form.clone().set(
            "grant_type",
            &grantor_testkit::form::encode(form.value("grant_type")),
        );
        world.send(&twice).await.refused(
            "twice",
            "unsupported_grant_type",
            "form",
            "grant_type is not supported",
        );
        world
            .send(&form.clone().with("scope", "read write"))
            .await
            .granted("%20 is a space");
        let plus = party.good_form();
        let request = plus.request_of(format!("{}&scope=read+write", plus.body()));
        assert_eq!(
            world.send_request(&plus, request).await.body["scope"],
            "read write",
            "+ is a space"
        );
    }
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let (world, party) = World::with_party(Use::Grant).await;
    for method in [
        "GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "post", "PROPFIND",
    ] {
        let mut request = party
            .good_form()
            .header("x-http-method-override", "POST")
            .request();
        *request.method_mut() = Method::from_bytes(method.as_bytes()).expect("a method");
        let response = world.server.respond(request).await;
        assert_eq!(
            response.status(),
            StatusCode::METHOD_NOT_ALLOWED,
            "{method}"
        );
        assert_eq!(response.headers()[header::ALLOW], "POST", "{method}");
        assert_eq!(
            response.headers()[header::CACHE_CONTROL],
            "no-store",
            "{method}"
        );
    }
    assert!(world.log.take().is_empty(), "nothing was decided");
    let mut answer = world
        .server
        .respond(
            Request::post("/jwks")
                .body(Full::<Bytes>::default())
                .expect("a request"),
        )
        .await;
    assert_eq!(
        (answer.status(), &answer.headers()[header::ALLOW]),
        (
            StatusCode::METHOD_NOT_ALLOWED,
            &"GET, HEAD, OPTIONS".parse().expect("a value")
        )
    );
    for path in [
        "/",
        "/token/",
        "/Token",
        "//token",
        "/token%20",
        "/.well-known/openid",
    ] {
        let mut request = party.good_form().request();
        *request.uri_mut() = path.parse().expect("a path");
        answer = world.server.respond(request).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn no_origin_is_allowed_to_read_an_answer() {
    let (world, party) = World::with_party(Use::Grant).await;
    for origin in ["https://evil.example", "null"] {
        let answer = world
            .send(&party.good_form().header("origin", origin))
            .await;
        answer.granted(origin);
        assert!(
            !answer
                .headers
                .contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN),
            "{origin}"
        );
    }
}

#[tokio::test]
async fn headers_that_name_the_server_change_nothing() {
    for (world, party) in good().await {
        let spoof = |form: Form| {
            form.header("host", "evil.example")
                .header("x-forwarded-host", "evil.example")
                .header("forwarded", "host=evil.example")
        };
        world
            .send(&spoof(party.good_form()))
            .await
            .granted("its own audience");
        let token = party
            .jwt()
            .text("aud", "https://evil.example")
            .sign(&party.key);
        let answer = world.send(&spoof(party.form(&token))).await;
        answer.refused(
            "the spoofed audience",
            party.usage.error(),
            "aud",
            "aud: expected one of",
        );
    }
}

/// The largest form: 64 KiB.
const LIMIT: usize = 64 * 1024;

#[tokio::test]
async fn a_body_beyond_64_kib_is_too_large() {
    for (world, party) in good().await {
        let form = party.good_form();
        let filled = |length: usize| {
            let body = format!("{}&fill=", form.body());
            let fill = "x".repeat(length - body.len());
            format!("{body}{fill}")
        };
        let is_too_large = |answer: &Answer| {
            assert_eq!(
                (answer.status, &answer.body["error"]),
                (StatusCode::PAYLOAD_TOO_LARGE, &"invalid_request".into())
            );
            assert!(answer.description().contains("request is too large"));
            assert_eq!(answer.headers[header::CONNECTION], "close");
        };
        is_too_large(
            &world
                .send_request(&form, form.request_of(filled(LIMIT + 1)))
                .await,
        );
        is_too_large(
            &world
                .send_request(&form, form.request_of("x".repeat(10 * 1024 * 1024)))
                .await,
        );
        let declared = form.clone().header("content-length", "65537");
        is_too_large(&world.send(&declared).await);
        world
            .send_request(&form, form.request_of(filled(LIMIT)))
            .await
            .granted("exactly 64 KiB");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_request() {
    let (world, party) = World::with_party(Use::Grant).await;
    let form = party.good_form();
    let frames = [
        Ok(Frame::data(Bytes::from(form.body()))),
        Err(std::io::Error::other(
            "the connection was reset by the peer",
        )),
    ];
    let (parts, _) = form.request().into_parts();
    let response = world
        .server
        .respond(Request::from_parts(parts, Frames(frames.into_iter())))
        .await;
    let answer = Answer::read(&form, response, world.log.take()).await;
    answer.refused(
        "broken off",
        "invalid_request",
        "form",
        "request body was not received",
    );
    world.send(&form).await.granted("complete");
}

/// A body of these frames.
struct Frames<I>(I);

impl<I: Iterator<Item = Result<Frame<Bytes>, std::io::Error>> + Unpin> Body for Frames<I> {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }
}

#[tokio::test]
async fn more_than_64_parameters_are_refused() {
    for (world, party) in good().await {
        let form = party.good_form();
        let fill = |count: usize| {
            (form.pairs.len()..count).fold(form.clone(), |form, index| {
                form.with(&format!("p{index}"), "1")
            })
        };
        world
            .send(&fill(65))
            .await
            .refused("65", "invalid_request", "form", "too many parameters");
        world.send(&fill(5_000)).await.refused(
            "5000",
            "invalid_request",
            "form",
            "too many parameters",
        );
        world.send(&fill(64)).await.granted("64");
    }
}

#[tokio::test]
async fn an_oversized_assertion_is_refused_before_it_is_parsed() {
    for (world, party) in good().await {
        for size in [17 * 1024, 60 * 1024] {
            let long = party.jwt().text("fill", &"x".repeat(size)).sign(&party.key);
            // Three quarters of base64url: 60 KiB of claims make 80 KiB of form.
            let answer = world.send(&party.form(&long)).await;
            match answer.status {
                StatusCode::PAYLOAD_TOO_LARGE => {
                    assert_eq!(answer.body["error"], "invalid_request");
                }
                _ => answer.refused("long", party.usage.error(), "jws", "token is too large"),
            }
        }
        let header = party
            .jwt()
            .header("fill", grantor_testkit::quote(&"x".repeat(5000)))
            .sign(&party.key);
        world.send(&party.form(&header)).await.refused(
            "header",
            party.usage.error(),
            "jws",
            "token is too large",
        );
        world
            .accepts(&party, "a few KiB", |jwt| {
                jwt.text("fill", &"x".repeat(4000))
            })
            .await;
    }
}

#[tokio::test]
async fn deep_and_wide_json_is_refused() {
    for (world, party) in good().await {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let many = format!("[{}]", vec!["1"; MAX_ITEMS].join(","));
        for (json, cause) in [
            (nested(17), "nested too deeply"),
            (nested(5000), "nested too deeply"),
            (many, "too many members"),
        ] {
            let token = party.jwt().claim("deep", json).sign(&party.key);
            world.send(&party.form(&token)).await.refused(
                cause,
                party.usage.error(),
                "claims",
                cause,
            );
        }
        world
            .accepts(&party, "a little depth", |jwt| {
                jwt.claim("deep", nested(10))
            })
            .await;
    }
}

#[tokio::test]
async fn is_a_tower_service() {
    let world = World::new();
    let party = world
        .party_with(Use::Grant, keys::RSA.clone(), |_| ())
        .await;
    let mut service = world.server.clone();
    let response: Result<Response<grantor::server::Body>, Infallible> =
        service.call(party.good_form().request()).await;
    let body = response.expect("infallible").into_body();
    assert!(body.size_hint().exact().is_some_and(|length| length > 100));
    let text = body.collect().await.expect("a body").to_bytes();
    assert!(String::from_utf8_lossy(&text).contains("access_token"));
    let missing = Form::new(JWT_BEARER);
    assert_eq!(
        service
            .call(missing.request())
            .await
            .expect("infallible")
            .status(),
        StatusCode::BAD_REQUEST
    );
}
