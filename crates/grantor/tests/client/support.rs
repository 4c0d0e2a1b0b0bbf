//! A local authorization server that answers by script and remembers what it was asked, and
//! shorthands for what clients need.
#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses a part of this"
)]

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use grantor::{
    client::LocalKey,
    clock::{ManualClock, UnixTime},
    jose::{Algorithm, PrivateJwk, Unverified, VerificationKey},
};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::form_urlencoded;

/// When the clock stands at the start, in seconds.
pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) type Body = BoxBody<Bytes, Infallible>;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Asked {
    /// The form; that no parameter is there twice is checked.
    pub(crate) fn form(&self) -> BTreeMap<String, String> {
        let mut form = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(self.body.as_bytes()) {
            assert!(
                form.insert(name.to_string(), value.into_owned()).is_none(),
                "{name} twice"
            );
        }
        form
    }

    /// A form parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.form().remove(name)
    }

    /// The assertion in this parameter.
    pub(crate) fn jwt(&self, name: &str) -> Jwt {
        Jwt::read(
            &self
                .parameter(name)
                .unwrap_or_else(|| unreachable!("no {name}: {}", self.body)),
        )
    }

    pub(crate) fn authorization(&self) -> Option<&str> {
        self.headers
            .get("authorization")
            .map(|value| value.to_str().expect("ASCII"))
    }
}

/// A JWT taken apart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Jwt {
    pub(crate) text: String,
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl Jwt {
    pub(crate) fn read(text: &str) -> Self {
        let decode = |part| {
            grantor::jose::base64url_decode(text.split('.').nth(part).expect("a part"))
                .expect("base64url")
        };
        let json = |part| serde_json::from_slice(&decode(part)).expect("JSON");
        Self {
            text: text.to_owned(),
            header: json(0),
            claims: json(1),
        }
    }

    pub(crate) fn claim(&self, name: &str) -> &Value {
        &self.claims[name]
    }

    /// Asserts that `key` signed it.
    pub(crate) fn is_by(&self, key: &PrivateJwk) {
        let public = VerificationKey::from_jwk(key.public()).expect("a public key");
        Unverified::parse(&self.text)
            .and_then(|jws| jws.verify(&public))
            .expect("a signature by the key");
    }
}

/// A server on a loopback port. It ends with the test's runtime.
pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Starts a server that answers the `n`th request, counted from 0, with what `script` gives for
    /// it.
    pub(crate) async fn start<F, A>(script: F) -> Self
    where
        F: Fn(usize, Asked) -> A + Send + Sync + 'static,
        A: Future<Output = Response<Body>> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (script, log) = (Arc::new(script), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                let service = service_fn(move |request: Request<Incoming>| {
                    let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await.expect("a body").to_bytes();
                        let body = String::from_utf8(body.to_vec()).expect("a form");
                        let asked = Asked {
                            uri: parts.uri,
                            headers: parts.headers,
                            body,
                        };
                        let number = {
                            let mut log = log.lock().expect("no panic");
                            log.push(asked.clone());
                            log.len() - 1
                        };
                        Ok::<_, Infallible>(script(number, asked).await)
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { url, asked }
    }

    /// A server that always answers `answer`.
    pub(crate) async fn always(status: u16, body: Value) -> Self {
        Self::start(move |_, _| {
            let body = body.clone();
            async move { answer(status, &body) }
        })
        .await
    }

    /// A server that gives tokens, `token-0` first, valid for an hour.
    pub(crate) async fn tokens() -> Self {
        Self::start(|number, _| async move { token(&format!("token-{number}"), 3600) }).await
    }

    pub(crate) fn token_endpoint(&self) -> String {
        format!("{}/token", self.url)
    }

    /// Everything that was asked.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.lock().expect("no panic").len()
    }

    /// The last request.
    pub(crate) fn last(&self) -> Asked {
        self.asked().pop().expect("a request")
    }
}

/// An answer in JSON.
pub(crate) fn answer(status: u16, body: &Value) -> Response<Body> {
    text(status, "application/json", body.to_string())
}

/// An answer of any type.
pub(crate) fn text(status: u16, content_type: &str, body: impl Into<Bytes>) -> Response<Body> {
    let answer = Response::builder()
        .status(status)
        .header("content-type", content_type);
    answer
        .body(Full::new(body.into()).boxed())
        .expect("an answer")
}

/// A token.
pub(crate) fn token(token: &str, expires_in: u64) -> Response<Body> {
    answer(
        200,
        &json!({"access_token": token, "token_type": "Bearer", "expires_in": expires_in}),
    )
}

/// A refusal.
pub(crate) fn refusal(status: u16, code: &str) -> Response<Body> {
    answer(
        status,
        &json!({"error": code, "error_description": "as scripted"}),
    )
}

/// An answer with a further header.
pub(crate) fn with_header(
    mut answer: Response<Body>,
    name: &'static str,
    value: &str,
) -> Response<Body> {
    answer
        .headers_mut()
        .insert(name, value.parse().expect("a header value"));
    answer
}

pub(crate) fn redirect(to: &str) -> Response<Body> {
    with_header(
        text(StatusCode::TEMPORARY_REDIRECT.as_u16(), "text/plain", ""),
        "location",
        to,
    )
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(UnixTime::from_millis(NOW * 1000)))
}

/// A new key, and the signer with it.
pub(crate) fn key(algorithm: Algorithm) -> (PrivateJwk, LocalKey) {
    let key = PrivateJwk::generate(algorithm).expect("a key");
    let signer = LocalKey::new(&key).expect("a signer");
    (key, signer)
}
