//! What a scripted server answers.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{Interval, interval},
};

pub type Body = BoxBody<Bytes, Infallible>;

/// What a path answers, again and again.
#[derive(Clone)]
pub enum Reply {
    Answer {
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
    },
    /// Never.
    Hang,
    /// A body without end.
    Endless,
    /// A body without end, an octet a second.
    Trickle,
    /// Another reply, after this time.
    Late(Duration, Box<Reply>),
    /// Another reply, when this becomes true.
    Held(watch::Receiver<bool>, Box<Reply>),
}

impl Reply {
    pub fn json(body: &Value) -> Self {
        Self::Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.to_string().into(),
        }
    }

    pub fn status(status: u16) -> Self {
        Self::Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    #[must_use]
    pub fn with_header(mut self, name: header::HeaderName, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.insert(name, value.parse().expect("a header value"));
        }
        self
    }

    /// The same, after this time.
    #[must_use]
    pub fn late(self, time: Duration) -> Self {
        Self::Late(time, Box::new(self))
    }

    /// The same, when the gate is opened.
    #[must_use]
    pub fn behind(self, gate: &Gate) -> Self {
        Self::Held(gate.0.subscribe(), Box::new(self))
    }

    /// A body of these octets.
    pub fn octets(body: impl Into<Bytes>) -> Self {
        Self::Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.into(),
        }
    }

    /// The answer, when it comes.
    #[expect(
        clippy::disallowed_methods,
        reason = "a server that is slow does nothing else"
    )]
    pub(super) async fn answer(mut self) -> Response<Body> {
        loop {
            self = match self {
                Self::Late(time, reply) => {
                    tokio::time::sleep(time).await;
                    *reply
                }
                Self::Held(mut gate, reply) => {
                    // A gate that is gone is open.
                    let _ = gate.wait_for(|is_open| *is_open).await;
                    *reply
                }
                reply => return reply.at_once().await,
            };
        }
    }

    async fn at_once(self) -> Response<Body> {
        match self {
            Self::Answer {
                status,
                headers,
                body,
            } => {
                let mut response = Response::new(Full::new(body).boxed());
                *response.status_mut() = status;
                *response.headers_mut() = headers;
                response
            }
            Self::Hang => std::future::pending().await,
            Self::Endless => Response::new(Endless.boxed()),
            Self::Trickle => Response::new(Trickle(interval(Duration::from_secs(1))).boxed()),
            Self::Late(..) | Self::Held(..) => unreachable!("waited for"),
        }
    }
}

/// What replies wait behind.
pub struct Gate(watch::Sender<bool>);

impl Gate {
    /// Shut.
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    pub fn open(&self) {
        self.0.send_replace(true);
    }
}

struct Endless;

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; 4096])))))
    }
}

struct Trickle(Interval);

impl hyper::body::Body for Trickle {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let tick = self.0.poll_tick(context);
        tick.map(|_| Some(Ok(Frame::data(Bytes::from_static(b" ")))))
    }
}

/// An answer in JSON.
pub fn answer(status: u16, body: &Value) -> Response<Body> {
    text(status, "application/json", body.to_string())
}

/// An answer of any type.
pub fn text(status: u16, content_type: &str, body: impl Into<Bytes>) -> Response<Body> {
    let answer = Response::builder()
        .status(status)
        .header("content-type", content_type);
    answer
        .body(Full::new(body.into()).boxed())
        .expect("an answer")
}

/// A token.
pub fn token(token: &str, expires_in: u64) -> Response<Body> {
    answer(
        200,
        &json!({"access_token": token, "token_type": "Bearer", "expires_in": expires_in}),
    )
}

/// A refusal.
pub fn refusal(status: u16, code: &str) -> Response<Body> {
    answer(
        status,
        &json!({"error": code, "error_description": "as scripted"}),
    )
}

/// An answer with a further header.
pub fn with_header(mut answer: Response<Body>, name: &'static str, value: &str) -> Response<Body> {
    let value = value.parse().expect("a header value");
    answer.headers_mut().insert(name, value);
    answer
}

pub fn redirect(to: &str) -> Response<Body> {
    let status = StatusCode::TEMPORARY_REDIRECT.as_u16();
    with_header(text(status, "text/plain", ""), "location", to)
}
