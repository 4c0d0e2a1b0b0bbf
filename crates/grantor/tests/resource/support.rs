//! An authorization server that does what a test says, on a real port; tokens that can be changed
//! in one place; and a validator whose clock a test turns.

use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use grantor::{
    clock::{ManualClock, UnixTime},
    jose::JwkSet,
    resource::{SourceError, ValidatedToken, ValidationError, Validator, ValidatorBuilder},
};
pub(crate) use grantor_testkit::{Jwt, Key, keys, quote};
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    body::{Body, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const AUDIENCE: &str = "https://api.example/invoices";
/// When the clock stands at the start, in seconds.
pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) const METADATA: &str = "/.well-known/oauth-authorization-server";
pub(crate) const JWKS: &str = "/jwks";
pub(crate) const INTROSPECT: &str = "/introspect";

/// What a path answers.
#[derive(Clone)]
pub(crate) enum Reply {
    Answer {
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
    },
    /// Never.
    Hang,
    /// A body without end.
    Endless,
}

impl Reply {
    pub(crate) fn json(body: &Value) -> Self {
        Self::Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.to_string().into(),
        }
    }

    pub(crate) fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a status");
        Self::Answer {
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    #[must_use]
    pub(crate) fn with_header(mut self, name: header::HeaderName, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.insert(name, value.parse().expect("a header value"));
        }
        self
    }
}

/// The authorization server, and what it was asked.
#[derive(Clone)]
pub(crate) struct Double {
    pub(crate) issuer: String,
    script: Arc<Mutex<HashMap<String, Reply>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Double {
    /// A server that publishes these keys, and has metadata.
    pub(crate) async fn publishing(keys: &[&Key]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let double = Self {
            issuer,
            script: Arc::default(),
            asked: Arc::default(),
        };
        double.says(METADATA, Reply::json(&double.metadata()));
        double.says(JWKS, Reply::json(&key_set(keys)));
        tokio::spawn(double.clone().serve(listener));
        double
    }

    pub(crate) fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({"issuer": self.issuer, "jwks_uri": at(JWKS), "introspection_endpoint": at(INTROSPECT)})
    }

    /// From now on this is the answer.
    pub(crate) fn says(&self, path: &str, reply: Reply) {
        self.script
            .lock()
            .expect("no panic while locked")
            .insert(path.to_owned(), reply);
    }

    pub(crate) fn publishes(&self, keys: &[&Key]) {
        self.says(JWKS, Reply::json(&key_set(keys)));
    }

    /// What it was asked at this path so far.
    pub(crate) fn asked(&self, path: &str) -> Vec<Asked> {
        let asked = self.asked.lock().expect("no panic while locked");
        asked
            .iter()
            .filter(|asked| asked.path == path)
            .cloned()
            .collect()
    }

    /// How often it was asked at this path.
    pub(crate) fn hits(&self, path: &str) -> usize {
        self.asked(path).len()
    }

    /// Waits until it was asked that often.
    pub(crate) async fn hits_become(&self, path: &str, hits: usize) {
        for _ in 0..500 {
            if self.hits(path) >= hits {
                // And a moment for the answer to arrive.
                return tokio::time::sleep(Duration::from_millis(50)).await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        unreachable!("{path} was asked {} times and not {hits}", self.hits(path));
    }

    async fn serve(self, listener: TcpListener) {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let double = self.clone();
            let service = service_fn(move |request| double.clone().answer(request));
            // A client that goes away in the middle is part of the tests.
            tokio::spawn(async move {
                drop(
                    http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await,
                );
            });
        }
    }

    async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, Infallible> {
        let (parts, body) = request.into_parts();
        let body = body
            .collect()
            .await
            .map(|body| body.to_bytes())
            .unwrap_or_default();
        let path = parts.uri.path().to_owned();
        let body = String::from_utf8_lossy(&body).into_owned();
        let asked = Asked {
            path: path.clone(),
            headers: parts.headers,
            body,
        };
        self.asked
            .lock()
            .expect("no panic while locked")
            .push(asked);
        let reply = self
            .script
            .lock()
            .expect("no panic while locked")
            .get(&path)
            .cloned();
        Ok(match reply.unwrap_or_else(|| Reply::status(404)) {
            Reply::Answer {
                status,
                headers,
                body,
            } => {
                let mut response = Response::new(Full::new(body).boxed_unsync());
                *response.status_mut() = status;
                *response.headers_mut() = headers;
                response
            }
            Reply::Hang => std::future::pending().await,
            Reply::Endless => Response::new(Endless.boxed_unsync()),
        })
    }

    /// A good token of this server.
    pub(crate) fn token(&self, key: &Key) -> Jwt {
        good_token(key).text("iss", &self.issuer)
    }

    /// A validator of this server's tokens, with a clock to turn.
    pub(crate) fn validator(
        &self,
        change: impl FnOnce(ValidatorBuilder) -> ValidatorBuilder,
    ) -> (Validator, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(at(0.0)));
        let builder = Validator::builder(&self.issuer, AUDIENCE).clock(clock.clone());
        (change(builder).build().expect("a validator"), clock)
    }
}

struct Endless;

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; 4096])))))
    }
}

/// A JWK Set of public halves.
pub(crate) fn key_set(keys: &[&Key]) -> Value {
    let jwks: Vec<_> = keys
        .iter()
        .map(|key| key.public().jwk().expect("a public key").to_object())
        .collect();
    json!({"keys": jwks})
}

pub(crate) fn parsed_key_set(keys: &[&Key]) -> JwkSet {
    JwkSet::parse(key_set(keys).to_string().as_bytes()).expect("a key set")
}

/// A token as RFC 9068 wants it, for ten minutes. The issuer is to be filled in.
pub(crate) fn good_token(key: &Key) -> Jwt {
    let jwt = Jwt::default()
        .header("alg", quote(key.algorithm.name()))
        .header("typ", quote("at+jwt"));
    let jwt = jwt
        .header("kid", quote(key.key_id().expect("a key with a name")))
        .text("sub", "alice")
        .text("aud", AUDIENCE);
    let jwt = jwt
        .text("client_id", "billing")
        .text("jti", "token-1")
        .text("scope", "invoices:read invoices:write");
    jwt.claim("iat", NOW.to_string())
        .claim("exp", (NOW + 600).to_string())
}

/// This many seconds after [`NOW`].
pub(crate) fn at(seconds: f64) -> UnixTime {
    UnixTime::from_millis(NOW * 1000 + (seconds * 1000.0).round() as i64)
}

#[track_caller]
pub(crate) fn accepted(
    row: &str,
    result: Result<ValidatedToken, ValidationError>,
) -> ValidatedToken {
    result.unwrap_or_else(|error| unreachable!("{row}: {error}"))
}

/// The private reason.
#[track_caller]
pub(crate) fn refused(row: &str, result: Result<ValidatedToken, ValidationError>) -> String {
    match result {
        Ok(token) => unreachable!("{row}: accepted as {token:?}"),
        Err(error) => error.to_string(),
    }
}

/// Why the authorization server's documents are not there.
#[track_caller]
pub(crate) fn unavailable(
    row: &str,
    result: Result<ValidatedToken, ValidationError>,
) -> Arc<SourceError> {
    match result {
        Err(ValidationError::Unavailable(source)) => source,
        other => unreachable!("{row}: {other:?}"),
    }
}
