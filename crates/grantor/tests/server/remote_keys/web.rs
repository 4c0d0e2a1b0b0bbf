//! A web in memory, behind the guard: what each URL answers, and what was asked for.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use grantor::{
    clock::ManualClock,
    jose::{Algorithm, Unverified},
    keys::{
        Candidate, HeldKeys, KeyError, KeyKind, KeyOwner, KeyResolver as _, KeysObserver,
        RemoteKeys,
    },
    registry::{Client, KeyOrigin, Revision, TrustedIssuer},
    remote::{Connect, FetchError, KeySetError, Outgoing, Resolve},
    types::{IssuerId, Name},
};
use grantor_testkit::{Jwt, Key, at, double::publisher::key_set, quote, wait};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use url::Url;

pub(crate) const ISS: &str = "https://ci.example";
pub(crate) const METADATA: &str = "https://ci.example/.well-known/openid-configuration";
pub(crate) const OTHER_METADATA: &str = "https://ci.example/.well-known/oauth-authorization-server";
pub(crate) const JWKS: &str = "https://ci.example/jwks";

/// What a URL answers.
#[derive(Clone)]
pub(crate) struct Page {
    status: u16,
    headers: Vec<(HeaderName, String)>,
    body: String,
    /// Not before it is let through.
    gate: Option<Arc<Semaphore>>,
}

impl Page {
    pub(crate) fn json(body: &Value) -> Self {
        Self::text(200, body.to_string())
    }

    pub(crate) fn text(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            gate: None,
        }
    }

    pub(crate) fn keys(keys: &[&Key]) -> Self {
        Self::json(&key_set(keys))
    }

    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn max_age(self, seconds: u64) -> Self {
        self.with(header::CACHE_CONTROL, &format!("max-age={seconds}"))
    }

    pub(crate) fn behind(self, gate: &Arc<Semaphore>) -> Self {
        Self {
            gate: Some(gate.clone()),
            ..self
        }
    }
}

/// A request that was let through by the guard.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) url: String,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) authorization: Option<String>,
    pub(crate) limit: usize,
}

/// URLs without a page do not answer. Hosts have a public address unless they are given others.
#[derive(Default)]
pub(crate) struct Web {
    pages: Mutex<HashMap<String, Page>>,
    hosts: Mutex<HashMap<String, Vec<IpAddr>>>,
    sent: Mutex<Vec<Sent>>,
    open: Mutex<(usize, usize)>,
}

impl Web {
    pub(crate) fn says(&self, url: &str, page: Page) {
        self.pages
            .lock()
            .expect("no panic")
            .insert(url.to_owned(), page);
    }

    pub(crate) fn falls_silent(&self, url: &str) {
        self.pages.lock().expect("no panic").remove(url);
    }

    pub(crate) fn resolves(&self, host: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse());
        let addresses = addresses.collect::<Result<_, _>>().expect("addresses");
        self.hosts
            .lock()
            .expect("no panic")
            .insert(host.to_owned(), addresses);
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().expect("no panic").clone()
    }

    /// How often this URL was asked for.
    pub(crate) fn hits(&self, url: &str) -> usize {
        self.sent().iter().filter(|sent| sent.url == url).count()
    }

    /// All that was asked for, in order.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.sent().into_iter().map(|sent| sent.url).collect()
    }

    pub(crate) async fn hits_become(&self, url: &str, hits: usize) {
        let what = format!("{url} is asked for {hits} times");
        wait::until(&what, async || self.hits(url) >= hits).await;
    }

    /// How many requests were under way at once, at most.
    pub(crate) fn most_at_once(&self) -> usize {
        self.open.lock().expect("no panic").1
    }

    pub(crate) fn at_once(&self) -> usize {
        self.open.lock().expect("no panic").0
    }
}

#[async_trait]
impl Resolve for Web {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let known = self.hosts.lock().expect("no panic").get(host).cloned();
        Ok(known.unwrap_or_else(|| vec![[1, 1, 1, 1].into()]))
    }
}

/// Ends a request, however it ends.
struct Open<'w>(&'w Web);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.lock().expect("no panic").0 -= 1;
    }
}

#[async_trait]
impl Connect for Web {
    async fn send(
        &self,
        request: Request<Bytes>,
        addresses: &[SocketAddr],
        limit: usize,
    ) -> Result<Response<Bytes>, FetchError> {
        let url = request.uri().to_string();
        let authorization = request.headers().get(header::AUTHORIZATION);
        let authorization = authorization.map(|value| value.to_str().expect("ASCII").to_owned());
        self.sent.lock().expect("no panic").push(Sent {
            url: url.clone(),
            addresses: addresses.to_vec(),
            authorization,
            limit,
        });
        let _open = {
            let mut open = self.open.lock().expect("no panic");
            *open = (open.0 + 1, open.1.max(open.0 + 1));
            Open(self)
        };
        let page = self.pages.lock().expect("no panic").get(&url).cloned();
        let Some(page) = page else {
            return Err(FetchError::transport(&io::Error::from(
                io::ErrorKind::ConnectionRefused,
            )));
        };
        if let Some(gate) = &page.gate {
            gate.acquire().await.expect("open").forget();
        }
        if page.body.len() > limit {
            return Err(FetchError::TooLong(limit));
        }
        let mut response = Response::new(Bytes::from(page.body));
        *response.status_mut() = StatusCode::from_u16(page.status).expect("a status");
        for (name, value) in page.headers {
            let value = HeaderValue::from_str(&value).expect("a value");
            response.headers_mut().insert(name, value);
        }
        Ok(response)
    }
}

/// What the observer heard, a line each.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Vec<String>>);

impl Heard {
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }

    fn note(&self, line: String) {
        self.0.lock().expect("no panic").push(line);
    }
}

impl KeysObserver for Heard {
    fn fetched(&self, owner: &KeyOwner, keys: usize) {
        self.note(format!("{owner}: {keys} keys"));
    }

    fn failed(&self, owner: &KeyOwner, error: &KeySetError) {
        self.note(format!("{owner}: {error}"));
    }

    fn jwks_uri_changed(&self, owner: &KeyOwner, before: &Url, now: &Url) {
        self.note(format!("{owner}: {before} is {now}"));
    }
}

/// The keys under test, with all that is around them.
pub(crate) struct Bench {
    pub(crate) web: Arc<Web>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) keys: Arc<RemoteKeys>,
    pub(crate) heard: Arc<Heard>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(|outgoing| outgoing, |keys| keys)
    }

    pub(crate) fn with(
        outgoing: impl FnOnce(Outgoing) -> Outgoing,
        change: impl FnOnce(RemoteKeys) -> RemoteKeys,
    ) -> Self {
        Self::on(
            Arc::default(),
            Arc::new(ManualClock::new(at(0.0))),
            outgoing,
            change,
        )
    }

    /// Another process in the same web, at the same time.
    pub(crate) fn on(
        web: Arc<Web>,
        clock: Arc<ManualClock>,
        outgoing: impl FnOnce(Outgoing) -> Outgoing,
        change: impl FnOnce(RemoteKeys) -> RemoteKeys,
    ) -> Self {
        let heard = Arc::new(Heard::default());
        let outgoing = outgoing(Outgoing::new(web.clone(), web.clone()));
        let keys = RemoteKeys::new(outgoing, clock.clone()).observer(heard.clone());
        Self {
            web,
            clock,
            keys: Arc::new(change(keys)),
            heard,
        }
    }

    /// One whose issuer has discovery, and these keys.
    pub(crate) fn publishing(keys: &[&Key]) -> Self {
        let bench = Self::new();
        bench.web.says(METADATA, Page::json(&metadata(JWKS)));
        bench.web.says(JWKS, Page::keys(keys));
        bench
    }

    pub(crate) fn set(&self, seconds: f64) {
        self.clock.set(at(seconds));
    }

    /// Whether a token verifies by the keys of this issuer.
    pub(crate) async fn takes(&self, issuer: &TrustedIssuer, token: &str) -> Result<(), KeyError> {
        takes(&self.keys, issuer, token).await
    }

    pub(crate) async fn takes_of(&self, client: &Client, token: &str) -> Result<(), KeyError> {
        let jws = Unverified::parse(token).expect("a JWS");
        let (kind, now) = (KeyKind::Public, at(0.0));
        let found = self
            .keys
            .resolve_keys(client, kind, jws.header(), now)
            .await;
        verified(jws, found?);
        Ok(())
    }

    pub(crate) fn held(&self, issuer: &TrustedIssuer) -> HeldKeys {
        let status = self.keys.status(issuer).expect("asked for");
        status.held.expect("held keys")
    }

    /// Waits until the last fetch, which failed, is the one of this time.
    pub(crate) async fn failure_is_at(&self, issuer: &TrustedIssuer, seconds: f64) {
        failure_is_at(&self.keys, issuer, seconds).await;
    }
}

/// Waits until the last fetch, which failed, is the one of this time: that it was asked for does not
/// say that it has ended, and while it has not, no other begins.
pub(crate) async fn failure_is_at(keys: &RemoteKeys, issuer: &TrustedIssuer, seconds: f64) {
    let last = || keys.status(issuer)?.last_failure;
    let is_there = || last().is_some_and(|failure| failure.at == at(seconds));
    wait::until("the fetch has failed", async || is_there()).await;
}

pub(crate) async fn takes(
    keys: &RemoteKeys,
    issuer: &TrustedIssuer,
    token: &str,
) -> Result<(), KeyError> {
    let jws = Unverified::parse(token).expect("a JWS");
    let header = jws.header();
    let found = keys.resolve_issuer_keys(issuer, header, at(0.0)).await;
    verified(jws, found?);
    Ok(())
}

#[track_caller]
fn verified(jws: Unverified<'_>, found: Vec<Candidate>) {
    assert!(!found.is_empty() && found.len() <= 4, "{found:?}");
    jws.verified_by(found.iter())
        .expect("a signature by the key");
}

/// An issuer whose keys come from here.
pub(crate) fn issuer(keys: KeyOrigin) -> TrustedIssuer {
    named(ISS, keys)
}

pub(crate) fn named(iss: &str, keys: KeyOrigin) -> TrustedIssuer {
    let id = IssuerId::parse(iss).expect("an iss");
    let name = Name::parse("ci").expect("a name");
    let mut issuer = TrustedIssuer::new(id, name, keys, at(0.0));
    issuer.algorithms = vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::Ed25519];
    issuer.revision = Revision::first(7);
    issuer
}

pub(crate) fn discovered() -> TrustedIssuer {
    issuer(KeyOrigin::Discovery { metadata_url: None })
}

pub(crate) fn at_url(url: &str) -> TrustedIssuer {
    let url = Url::parse(url).expect("a URL");
    issuer(KeyOrigin::JwksUri { url })
}

pub(crate) fn spiffe() -> TrustedIssuer {
    let url = Url::parse(JWKS).expect("a URL");
    issuer(KeyOrigin::SpiffeBundle { url })
}

pub(crate) fn metadata(jwks_uri: &str) -> Value {
    json!({"issuer": ISS, "jwks_uri": jwks_uri,
        "authorization_endpoint": "urn:kubernetes:programmatic_authorization"})
}

/// A SPIFFE bundle of these keys.
pub(crate) fn bundle(keys: &[&Key]) -> Value {
    let svid = [("use", json!("jwt-svid")), ("alg", Value::Null)];
    let keys: Vec<_> = keys.iter().map(|key| key.public_jwk(&svid)).collect();
    json!({"keys": keys})
}

/// A token by this key, which names it.
pub(crate) fn token(key: &Key) -> String {
    token_of(key, key.key_id().expect("a key with a name"))
}

/// A token by this key under another name.
pub(crate) fn token_of(key: &Key, key_id: &str) -> String {
    let jwt = Jwt::default().header("alg", quote(key.algorithm.name()));
    jwt.header("kid", quote(key_id))
        .text("sub", "a job")
        .sign(key)
}

/// A token by this key, which names none.
pub(crate) fn anonymous(key: &Key) -> String {
    let jwt = Jwt::default().header("alg", quote(key.algorithm.name()));
    jwt.text("sub", "a job").sign(key)
}

#[track_caller]
pub(crate) fn unknown(row: &str, result: Result<(), KeyError>) {
    assert!(
        matches!(result, Err(KeyError::NotPublished(_))),
        "{row}: {result:?}"
    );
}

/// Why the keys cannot be had.
#[track_caller]
pub(crate) fn unavailable(row: &str, result: Result<(), KeyError>) -> String {
    match result {
        Err(KeyError::Unavailable(reason)) => reason.to_string(),
        other => unreachable!("{row}: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn accepted(row: &str, result: Result<(), KeyError>) {
    assert!(result.is_ok(), "{row}: {result:?}");
}

/// Fails rather than waits.
pub(crate) async fn at_once<T>(what: &str, future: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(Duration::from_secs(2), future).await;
    result.unwrap_or_else(|_| unreachable!("{what}: it waits"))
}
