//! An authorization server that answers by script, on a real port, and remembers what it was asked.

pub mod asked;
pub mod canary;
pub mod foreign;
pub mod publisher;
pub mod reply;

use std::{
    convert::Infallible,
    net::TcpListener,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use crate::wait;

pub use asked::{Asked, ReadJwt};
pub use canary::{Canary, Raw};
pub use foreign::{Foreign, Script};
pub use publisher::Publisher;
pub use reply::{Body, Gate, Reply, answer, redirect, refusal, text, token, with_header};

/// A running server. It ends with the runtime that it was started on.
#[derive(Clone)]
pub struct Double {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// Which `Date` an answer has.
#[derive(Clone, Copy)]
enum Dates {
    /// That of this machine.
    Right,
    /// What the script gives it, if any.
    Scripted,
}

impl Double {
    /// Starts a server that answers the `n`th request, counted from 0, with what `script` gives for
    /// it.
    pub async fn start<F, A>(script: F) -> Self
    where
        F: Fn(usize, Asked) -> A + Send + Sync + 'static,
        A: Future<Output = Response<Body>> + Send + 'static,
    {
        let (double, listener) = Self::bind();
        tokio::spawn(double.clone().serve(listener, Dates::Right, script));
        double
    }

    /// A server that always answers `body`.
    pub async fn always(status: u16, body: Value) -> Self {
        Self::start(move |_, _| {
            let body = body.clone();
            async move { answer(status, &body) }
        })
        .await
    }

    /// A server that gives tokens, `token-0` first, valid for an hour.
    pub async fn tokens() -> Self {
        Self::start(|number, _| async move { token(&format!("token-{number}"), 3600) }).await
    }

    pub fn token_endpoint(&self) -> String {
        format!("{}/token", self.url)
    }

    /// Everything that was asked.
    pub fn asked(&self) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.clone()
    }

    /// What was asked at this path.
    pub fn asked_at(&self, path: &str) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|asked| asked.uri.path() == path);
        asked
    }

    pub fn count(&self) -> usize {
        self.asked().len()
    }

    /// Waits until it was asked that often.
    pub async fn count_becomes(&self, count: usize) {
        let what = format!("it is asked {count} times");
        wait::until(&what, async || self.count() >= count).await;
    }

    /// Waits until it was asked that often at this path.
    pub async fn hits_become(&self, path: &str, hits: usize) {
        let what = format!("{path} is asked {hits} times");
        wait::until(&what, async || self.asked_at(path).len() >= hits).await;
    }

    /// The last request.
    pub fn last(&self) -> Asked {
        self.asked().pop().expect("a request")
    }

    fn bind() -> (Self, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::default();
        (Self { url, asked }, listener)
    }

    /// Serves on a thread of its own, for tests without a runtime. It ends with the test program.
    fn serve_apart<F, A>(self, listener: TcpListener, dates: Dates, script: F)
    where
        F: Fn(usize, Asked) -> A + Send + Sync + 'static,
        A: Future<Output = Response<Body>> + Send + 'static,
    {
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = runtime.expect("a runtime");
            runtime.block_on(self.serve(listener, dates, script));
        });
    }

    async fn serve<F, A>(self, listener: TcpListener, dates: Dates, script: F)
    where
        F: Fn(usize, Asked) -> A + Send + Sync + 'static,
        A: Future<Output = Response<Body>> + Send + 'static,
    {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a runtime");
        let script = Arc::new(script);
        while let Ok((stream, _)) = listener.accept().await {
            let (double, script) = (self.clone(), Arc::clone(&script));
            let service = service_fn(move |request| {
                let (double, script) = (double.clone(), Arc::clone(&script));
                async move {
                    let (number, asked) = double.remember(request).await;
                    Ok::<_, Infallible>(script(number, asked).await)
                }
            });
            let mut builder = http1::Builder::new();
            builder.auto_date_header(matches!(dates, Dates::Right));
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            // A client that goes away in the middle is part of the tests.
            tokio::spawn(async move { drop(connection.await) });
        }
    }

    /// Writes a request down; answers its number.
    async fn remember(&self, request: Request<Incoming>) -> (usize, Asked) {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes());
        let asked = Asked {
            uri: parts.uri,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body.unwrap_or_default()).into_owned(),
        };
        let mut log = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        log.push(asked.clone());
        (log.len() - 1, asked)
    }
}
