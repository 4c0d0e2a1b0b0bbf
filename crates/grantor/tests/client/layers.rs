//! The token on each request of an HTTP client: where it goes, and what a 401 does. Each rule
//! through every client.

#[cfg(feature = "reqwest-middleware")]
use std::sync::LazyLock;

use crate::support::{Asked, Body, Double, answer, clock, key, redirect, refusal, text, token};
use bytes::Bytes;
use grantor::{
    client::{
        AccessError, ApiAccess, JwtBearer, Origin, Resend, RetryPolicy,
        Server as AuthorizationServer, TokenSource, Wanted,
    },
    jose::Algorithm,
};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy, rt::TokioExecutor};
use serde_json::json;
use tower_layer::Layer as _;
use tower_service::Service as _;

fn source(server: &Double) -> TokenSource {
    let (_, signer) = key(Algorithm::Es256);
    let server = AuthorizationServer::at(&server.token_endpoint())
        .expect("a URL")
        .with_issuer(&server.url);
    let retry = RetryPolicy {
        tries: 1,
        ..RetryPolicy::default()
    };
    TokenSource::jwt_bearer(server, JwtBearer::new("billing", signer))
        .clock(clock())
        .retry(retry)
        .build()
        .expect("a source")
}

fn access(source: &TokenSource, api: &Double) -> ApiAccess {
    ApiAccess::new(source.clone(), api.url.parse().expect("an origin"))
}

/// An API that takes the tokens of which `good` says so.
async fn api(good: fn(&str) -> bool) -> Double {
    Double::start(move |_, asked| async move { guarded(&asked, good) }).await
}

fn guarded(asked: &Asked, good: fn(&str) -> bool) -> Response<Body> {
    match asked
        .authorization()
        .and_then(|value| value.strip_prefix("Bearer "))
    {
        Some(token) if good(token) => text(200, "text/plain", format!("{token} {}", asked.body)),
        _ => text(401, "text/plain", "no"),
    }
}

/// The HTTP clients there are.
#[derive(Clone, Copy, Debug)]
enum Client {
    Tower,
    #[cfg(feature = "reqwest-middleware")]
    Reqwest,
}

const ALL: &[Client] = &[
    Client::Tower,
    #[cfg(feature = "reqwest-middleware")]
    Client::Reqwest,
];

/// What came back: status and body, or the error.
type Outcome = Result<(u16, String), String>;

impl Client {
    async fn post(
        self,
        access: &ApiAccess,
        url: &str,
        headers: &[(&str, &str)],
        body: &'static str,
    ) -> Outcome {
        match self {
            Self::Tower => {
                let mut request = Request::post(url);
                for (name, value) in headers {
                    request = request.header(*name, *value);
                }
                let request = request
                    .body(Full::new(Bytes::from(body)))
                    .expect("a request");
                let mut http =
                    access.layer(legacy::Client::builder(TokioExecutor::new()).build_http());
                let answer = http
                    .call(request)
                    .await
                    .map_err(|error| error.to_string())?;
                let (parts, body) = answer.into_parts();
                let body = body.collect().await.expect("a body").to_bytes();
                Ok((
                    parts.status.as_u16(),
                    String::from_utf8(body.to_vec()).expect("text"),
                ))
            }
            #[cfg(feature = "reqwest-middleware")]
            Self::Reqwest => {
                // The roots are read once only; connections are not kept, for they end with a
                // test's runtime.
                static HTTP: LazyLock<reqwest::Client> = LazyLock::new(|| {
                    reqwest::Client::builder()
                        .pool_max_idle_per_host(0)
                        .build()
                        .expect("a client")
                });
                let http = reqwest_middleware::ClientBuilder::new(HTTP.clone())
                    .with(access.clone())
                    .build();
                let mut request = http.post(url).body(body);
                for (name, value) in headers {
                    request = request.header(*name, *value);
                }
                let answer = request.send().await.map_err(|error| error.to_string())?;
                Ok((answer.status().as_u16(), answer.text().await.expect("text")))
            }
        }
    }
}

fn ok(text: &str) -> Outcome {
    Ok((200, text.to_owned()))
}

#[tokio::test]
async fn each_request_carries_the_token_and_what_it_had_before() {
    for client in ALL {
        let (server, api) = (Double::tokens().await, api(|_| true).await);
        let access = access(&source(&server), &api);
        let url = format!("{}/invoices?a=b", api.url);
        for _ in 0..3 {
            assert_eq!(
                client
                    .post(&access, &url, &[("x-trace", "7")], "paid")
                    .await,
                ok("token-0 paid"),
                "{client:?}"
            );
        }
        assert_eq!((server.count(), api.count()), (1, 3), "{client:?}");
        let last = api.last();
        assert_eq!(
            (last.uri.to_string(), last.headers["x-trace"].as_bytes()),
            ("/invoices?a=b".to_owned(), &b"7"[..])
        );
    }
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_and_the_request_repeated_whole() {
    for client in ALL {
        let (server, api) = (
            Double::tokens().await,
            api(|token| token != "token-0").await,
        );
        let access = access(&source(&server), &api);
        let url = format!("{}/a", api.url);
        assert_eq!(
            client
                .post(&access, &url, &[("x-trace", "7")], "paid")
                .await,
            ok("token-1 paid"),
            "{client:?}"
        );
        assert_eq!((server.count(), api.count()), (2, 2), "{client:?}");
        let asked = api.asked();
        assert_eq!(
            (&asked[0].uri, &asked[0].body),
            (&asked[1].uri, &asked[1].body)
        );
        assert_eq!(asked[1].headers["x-trace"], "7");
        assert_eq!(
            client.post(&access, &url, &[], "more").await,
            ok("token-1 more"),
            "{client:?}: the new one is kept"
        );
        assert_eq!((server.count(), api.count()), (2, 3), "{client:?}");
    }
}

#[tokio::test]
async fn a_second_401_is_passed_on() {
    for client in ALL {
        let (server, api) = (Double::tokens().await, api(|_| false).await);
        let access = access(&source(&server), &api);
        let url = format!("{}/a", api.url);
        assert_eq!(
            client.post(&access, &url, &[], "").await,
            Ok((401, "no".to_owned())),
            "{client:?}"
        );
        assert_eq!((server.count(), api.count()), (2, 2), "{client:?}");
        // The new token was refused too: another would be within seconds, and none is asked for.
        assert_eq!(
            client.post(&access, &url, &[], "").await,
            Ok((401, "no".to_owned())),
            "{client:?}"
        );
        assert_eq!((server.count(), api.count()), (2, 3), "{client:?}");
    }
}

#[tokio::test]
async fn other_answers_are_passed_on() {
    for client in ALL {
        for status in [200, 400, 403, 404, 500, 503] {
            let (server, api) = (
                Double::tokens().await,
                Double::always(status, json!({})).await,
            );
            let access = access(&source(&server), &api);
            assert_eq!(
                client.post(&access, &api.url, &[], "").await,
                Ok((status, "{}".to_owned())),
                "{client:?}"
            );
            assert_eq!(
                (server.count(), api.count()),
                (1, 1),
                "{client:?}: {status}"
            );
        }
    }
}

#[tokio::test]
async fn a_401_is_passed_on_where_there_is_no_new_token() {
    for client in ALL {
        let server = Double::start(|number, _| async move {
            if number == 0 {
                token("token-0", 3600)
            } else {
                refusal(400, "invalid_grant")
            }
        })
        .await;
        let api = api(|_| false).await;
        let access = access(&source(&server), &api);
        assert_eq!(
            client.post(&access, &api.url, &[], "").await,
            Ok((401, "no".to_owned())),
            "{client:?}"
        );
        assert_eq!((server.count(), api.count()), (2, 1), "{client:?}");
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    for client in ALL {
        let (server, api) = (
            Double::always(400, json!({"error": "invalid_grant"})).await,
            api(|_| true).await,
        );
        let access = access(&source(&server), &api);
        let error = client
            .post(&access, &api.url, &[], "")
            .await
            .expect_err("no token");
        assert!(
            error.contains("no access token: refused with 400: invalid_grant"),
            "{client:?}: {error}"
        );
        assert_eq!(api.count(), 0, "{client:?}");
    }
}

#[tokio::test]
async fn a_foreign_origin_gets_no_token() {
    for client in ALL {
        let (server, api, foreign) = (
            Double::tokens().await,
            api(|_| true).await,
            api(|_| true).await,
        );
        let one = access(&source(&server), &api);
        assert_eq!(
            client.post(&one, &foreign.url, &[], "").await,
            Ok((401, "no".to_owned())),
            "{client:?}"
        );
        assert_eq!(foreign.last().authorization(), None, "{client:?}");
        // The same host under another name is another origin.
        let other_name = api.url.replace("127.0.0.1", "localhost");
        assert_eq!(
            client.post(&one, &other_name, &[], "").await,
            Ok((401, "no".to_owned())),
            "{client:?}"
        );
        assert_eq!(server.count(), 0, "{client:?}: none was asked for either");
        let both = one.and(foreign.url.parse().expect("an origin"));
        for api in [&api, &foreign] {
            assert_eq!(
                client.post(&both, &api.url, &[], "").await,
                ok("token-0 "),
                "{client:?}"
            );
        }
    }
}

#[tokio::test]
async fn plain_http_beyond_this_machine_is_refused() {
    let server = Double::tokens().await;
    for origin in [
        "http://api.example",
        "http://10.0.0.1:8080",
        "http://localhost.example",
    ] {
        assert!(Origin::parse(origin).is_err(), "{origin}");
    }
    // Nor does the https origin cover its host without TLS.
    let access = ApiAccess::new(
        source(&server),
        "https://127.0.0.1".parse().expect("an origin"),
    );
    let api = api(|_| true).await;
    for client in ALL {
        assert_eq!(
            client.post(&access, &api.url, &[], "").await,
            Ok((401, "no".to_owned())),
            "{client:?}"
        );
        assert_eq!(api.last().authorization(), None, "{client:?}");
    }
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn a_header_that_is_there_stays() {
    for client in ALL {
        let (server, api) = (Double::tokens().await, api(|_| false).await);
        let access = access(&source(&server), &api);
        let own = [("authorization", "Basic b3duOm93bg==")];
        assert_eq!(
            client.post(&access, &api.url, &own, "").await,
            Ok((401, "no".to_owned())),
            "{client:?}"
        );
        assert_eq!(
            api.last().authorization(),
            Some("Basic b3duOm93bg=="),
            "{client:?}"
        );
        assert_eq!((server.count(), api.count()), (0, 1), "{client:?}");
    }
}

/// `reqwest` follows redirects beneath its middleware; the other client follows none.
#[tokio::test]
async fn a_redirect_takes_no_token_to_another_origin() {
    for client in ALL {
        let (server, elsewhere) = (Double::tokens().await, api(|_| true).await);
        let to = elsewhere.url.clone();
        let api = Double::start(move |_, _| {
            let to = to.clone();
            async move { redirect(&to) }
        })
        .await;
        let source = source(&server);
        let access = access(&source, &api);
        let outcome = client.post(&access, &api.url, &[], "").await;
        match client {
            Client::Tower => assert_eq!(outcome, Ok((307, String::new()))),
            #[cfg(feature = "reqwest-middleware")]
            Client::Reqwest => {
                assert_eq!(
                    outcome,
                    Ok((401, "no".to_owned())),
                    "the answer of elsewhere"
                );
                assert_eq!(elsewhere.last().authorization(), None);
            }
        }
        assert_eq!(
            (server.count(), api.count()),
            (1, 1),
            "{client:?}: a 401 from elsewhere says nothing about the token"
        );
        assert_eq!(
            source.token().await.expect("a token").expose(),
            "token-0",
            "{client:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_refusals_at_once_make_one_new_token() {
    for client in ALL {
        let (server, api) = (
            Double::tokens().await,
            api(|token| token != "token-0").await,
        );
        let access = access(&source(&server), &api);
        let callers: Vec<_> = (0..100)
            .map(|_| {
                let (access, url) = (access.clone(), api.url.clone());
                tokio::spawn(async move { client.post(&access, &url, &[], "").await })
            })
            .collect();
        for caller in callers {
            assert_eq!(
                caller.await.expect("no panic"),
                ok("token-1 "),
                "{client:?}"
            );
        }
        assert_eq!(server.count(), 2, "{client:?}");
    }
}

#[tokio::test]
async fn tokens_for_something_in_particular() {
    for client in ALL {
        let (server, api) = (Double::tokens().await, api(|_| true).await);
        let wanted = Wanted::new().scope("invoices:read".parse().expect("a scope"));
        let access = access(&source(&server).wanting(wanted), &api);
        assert_eq!(
            client.post(&access, &api.url, &[], "").await,
            ok("token-0 "),
            "{client:?}"
        );
        assert_eq!(
            server.last().parameter("scope").as_deref(),
            Some("invoices:read"),
            "{client:?}"
        );
    }
}

/// A body that can be sent once only.
struct Stream(Full<Bytes>);

impl Resend for Stream {
    fn resend(&self) -> Option<Self> {
        None
    }
}

impl hyper::body::Body for Stream {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        std::pin::Pin::new(&mut self.0).poll_frame(context)
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_sent_again_is_sent_once() {
    let (server, api) = (
        Double::tokens().await,
        api(|token| token != "token-0").await,
    );
    let access = access(&source(&server), &api);
    let mut http = access.layer(legacy::Client::builder(TokioExecutor::new()).build_http());
    let post = || {
        Request::post(&api.url)
            .body(Stream(Full::new(Bytes::from("paid"))))
            .expect("a request")
    };
    let first = http.call(post()).await.expect("an answer");
    assert_eq!(
        (first.status(), server.count(), api.count()),
        (StatusCode::UNAUTHORIZED, 1, 1)
    );
    let second = http.call(post()).await.expect("an answer");
    assert_eq!(
        (second.status(), server.count(), api.count()),
        (StatusCode::OK, 2, 2),
        "the next request has a new token"
    );
}

#[cfg(feature = "reqwest-middleware")]
#[tokio::test]
async fn a_stream_of_reqwest_is_sent_once() {
    let (server, api) = (
        Double::tokens().await,
        api(|token| token != "token-0").await,
    );
    let access = access(&source(&server), &api);
    let http = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
        .with(access)
        .build();
    let post = || {
        http.post(&api.url)
            .body(reqwest::Body::wrap(Stream(Full::new(Bytes::from("paid")))))
            .send()
    };
    assert_eq!(
        post().await.expect("an answer").status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!((server.count(), api.count()), (1, 1));
    assert_eq!(post().await.expect("an answer").status(), StatusCode::OK);
    assert_eq!(
        (server.count(), api.count(), api.last().body.as_str()),
        (2, 2, "paid")
    );
}

#[cfg(feature = "reqwest-middleware")]
#[tokio::test]
async fn the_error_of_the_middleware_says_why_there_is_no_token() {
    let server = Double::always(400, json!({"error": "invalid_grant"})).await;
    let api = api(|_| true).await;
    let http = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
        .with(access(&source(&server), &api))
        .build();
    let error = http.get(&api.url).send().await.expect_err("no token");
    let reqwest_middleware::Error::Middleware(error) = error else {
        unreachable!("{error:?}")
    };
    let error = error
        .downcast::<AccessError<std::convert::Infallible>>()
        .expect("ours");
    assert!(
        matches!(error, AccessError::Token(error) if error.oauth_code() == Some("invalid_grant"))
    );
}

/// A service that insists on being asked whether it is ready before each call.
#[derive(Default)]
struct Strict {
    is_ready: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl tower_service::Service<Request<Bytes>> for Strict {
    type Response = Response<Bytes>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Response<Bytes>, Self::Error>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        self.is_ready = true;
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.is_ready),
            "called without being ready"
        );
        let is_first = request.headers()[header::AUTHORIZATION] == "Bearer token-0";
        let status = if is_first {
            StatusCode::UNAUTHORIZED
        } else {
            StatusCode::OK
        };
        std::future::ready(Ok(Response::builder()
            .status(status)
            .body(Bytes::new())
            .expect("an answer")))
    }
}

#[tokio::test]
async fn a_service_is_ready_before_each_call() {
    let server = Double::tokens().await;
    let mut http = ApiAccess::new(
        source(&server),
        "https://api.example".parse().expect("an origin"),
    )
    .layer(Strict::default());
    let request = Request::get("https://api.example/a")
        .body(Bytes::new())
        .expect("a request");
    std::future::poll_fn(|context| http.poll_ready(context))
        .await
        .expect("ready");
    let answer: Result<_, AccessError<_>> = http.call(request).await;
    assert_eq!(answer.expect("an answer").status(), StatusCode::OK);
}

#[tokio::test]
async fn a_token_does_not_show_in_debug() {
    let server = Double::start(|_, _| async {
        answer(
            200,
            &json!({"access_token": "hush", "token_type": "Bearer"}),
        )
    })
    .await;
    let source = source(&server);
    source.token().await.expect("a token");
    let access = ApiAccess::new(source, "https://api.example".parse().expect("an origin"));
    assert!(!format!("{access:?}").contains("hush"));
}
