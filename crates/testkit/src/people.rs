//! People at their browsers: a sign-in and a consent page that say in JSON what a page would show,
//! and a browser that does nothing by itself.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use grantor::{
    clock::{Clock as _, UnixTime},
    jose::{base64url_encode, crypto::sha256},
    registry::{Permission, ScopeText},
    server::{
        Answer, AuthorizationServer, Context, Decision, Endpoint, Metadata, Outcome, Path, Refusal,
        Request, Route,
        authorization::{
            Allowed, AskedPart, AuthorizationRequest, ConsentPage, ConsentRequest, People, SignIn,
            SignInRequest, SignedIn, advance, check_origin, refuse,
        },
    },
    storage::Registry,
    types::SubjectId,
};
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use url::Url;

use crate::{
    form::encode,
    world::{ISSUER, World},
};

/// A verifier, and what requests say of it (RFC 7636).
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CALLBACK: &str = "https://app.example/callback";

/// The challenge of a verifier.
pub fn challenge(verifier: &str) -> String {
    base64url_encode(sha256(&[verifier.as_bytes()]))
}

/// Who is signed in, by the value of the session cookie.
#[derive(Clone, Default)]
pub struct Sessions(Arc<Mutex<BTreeMap<String, SignedIn>>>);

impl Sessions {
    /// The hooks that know these sessions.
    pub fn people<S>(&self, store: &Arc<S>) -> People
    where
        S: Registry<Permission> + Registry<ScopeText>,
    {
        People::new(self.clone(), Shown, store.clone(), store.clone())
    }

    /// Signs a person in at a browser, as at this time.
    pub fn begin(&self, session: &str, subject: &str, at: UnixTime) {
        let subject = SubjectId::parse(subject).expect("a subject");
        let signed_in = SignedIn::new(subject, at, session).by("word of mouth");
        self.0
            .lock()
            .expect("no panic while locked")
            .insert(session.to_owned(), signed_in);
    }

    fn at(&self, request: &Request) -> Option<SignedIn> {
        let cookie = request.headers().get(header::COOKIE)?.to_str().ok()?;
        let session = cookie.strip_prefix("session=")?;
        let sessions = self.0.lock().expect("no panic while locked");
        sessions.get(session).cloned()
    }
}

/// What a ticket for signing in is bound to.
fn browser(request: &Request) -> String {
    let cookie = request.headers().get(header::COOKIE);
    let cookie = cookie.and_then(|cookie| cookie.to_str().ok());
    cookie.unwrap_or("nobody").to_owned()
}

#[async_trait]
impl SignIn for Sessions {
    async fn signed_in(&self, _: &Context, request: &Request) -> Result<Option<SignedIn>, Refusal> {
        Ok(self.at(request))
    }

    async fn ask(
        &self,
        context: &Context,
        request: &Request,
        wanted: SignInRequest,
    ) -> Result<Answer, Refusal> {
        let ticket = wanted.request.ticket(context, &browser(request));
        Ok(Answer::see_other(&format!("{ISSUER}/signin?t={ticket}")))
    }
}

/// The page on which anybody signs in as anybody: POST with `t` and `username`.
#[async_trait]
impl Endpoint for Sessions {
    fn route(&self) -> Route {
        Route::page("signin", Path::Suffix("signin"))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        if request.method() == Method::POST {
            check_origin(context, request)?;
        }
        let ticket = request.parameter("t").or(request.query("t"));
        let (ticket, browser) = (ticket.unwrap_or_default(), browser(request));
        let asked = AuthorizationRequest::resume(context, ticket, &browser, decision).await?;
        let Some(name) = request.parameter("username") else {
            let hint = asked.login_hint();
            return Ok(Answer::json(StatusCode::OK, &json!({"username": hint})));
        };
        let session = browser.replace("session=", "");
        self.begin(&session, name, context.now());
        let signed_in = self.at(request);
        let step = advance(context, asked, signed_in.as_ref(), decision).await?;
        step.answer(context, request).await
    }

    async fn refuse(
        &self,
        context: &Context,
        request: &Request,
        refusal: &Refusal,
        decision: &Decision,
    ) -> Answer {
        refuse(context, request, refusal, decision).await
    }
}

/// Consent pages in JSON.
struct Shown;

#[async_trait]
impl ConsentPage for Shown {
    async fn show(
        &self,
        context: &Context,
        _: &Request,
        consent: ConsentRequest,
    ) -> Result<Answer, Refusal> {
        let names = |part| -> Vec<&str> {
            let scopes = consent.scopes().iter().filter(|scope| scope.part == part);
            scopes.map(|scope| scope.name.as_str()).collect()
        };
        let page = json!({
            "t": consent.ticket(context),
            "client": consent.request().client().metadata().shown_name(),
            "subject": consent.subject().id,
            "needed": names(AskedPart::Needed),
            "optional": names(AskedPart::Optional),
            "allowed": names(AskedPart::Allowed),
            "absent": consent.acts_when_absent(),
            "place": consent.place(),
        });
        Ok(Answer::json(StatusCode::OK, &page))
    }

    async fn done(&self, _: &Context, _: &Request, allowed: Allowed) -> Result<Answer, Refusal> {
        let scope = allowed
            .permissions
            .person()
            .and_then(|own| own.scope.clone());
        let page = json!({"client": allowed.request.client().id(), "done": scope});
        Ok(Answer::json(StatusCode::OK, &page))
    }
}

/// What a browser got.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
    pub decision: Option<Decision>,
}

impl Page {
    /// Where it leads: by a redirect, or by a page that leads on.
    pub fn leads_to(&self) -> Option<Url> {
        let text = |name| self.headers.get(name)?.to_str().ok();
        let refresh = text(header::REFRESH).and_then(|text| text.strip_prefix("0; url="));
        let place = text(header::LOCATION).or(refresh)?;
        Some(Url::parse(place).expect("a URL"))
    }

    /// A parameter of where it leads.
    pub fn told(&self, name: &str) -> Option<String> {
        let url = self.leads_to()?;
        let told = url.query_pairs().find(|(known, _)| known == name)?;
        Some(told.1.into_owned())
    }

    /// What the page says, in JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// The ticket of the page's form.
    pub fn ticket(&self) -> String {
        self.json()["t"].as_str().expect("a ticket").to_owned()
    }

    /// The code that the client gets.
    #[track_caller]
    pub fn code(&self) -> String {
        assert!(self.client_is_told(), "{self:?}");
        self.told("code").expect("a code")
    }

    /// The error that the client is told, with the rule in the decision.
    #[track_caller]
    pub fn told_error(&self, row: &str, error: &str, rule: &str) {
        assert!(self.client_is_told(), "{row}: {self:?}");
        assert_eq!(self.told("error").as_deref(), Some(error), "{row}");
        assert_eq!(self.told("code"), None, "{row}");
        let id = &self.decision.as_ref().expect("a decision").id;
        let description = self.told("error_description").expect("a description");
        assert!(description.ends_with(&format!("(decision {id})")), "{row}");
        let (logged, broken, cause) = self.refusal();
        assert_eq!((logged, broken), (error, rule), "{row}: {cause}");
    }

    /// A page says no, and leads nowhere.
    #[track_caller]
    pub fn refused(&self, row: &str, status: u16, rule: &str) {
        assert_eq!(self.leads_to(), None, "{row}");
        assert_eq!(self.status, status, "{row}: {self:?}");
        let (_, broken, cause) = self.refusal();
        assert_eq!(broken, rule, "{row}: {cause}");
    }

    /// No code and no ticket is in the record of its decision.
    fn keeps_what_it_tells_to_itself(&self) {
        let record = self.decision.as_ref().map(Decision::record);
        let record = record.unwrap_or_default();
        for secret in ["code", "t"].into_iter().filter_map(|name| self.told(name)) {
            assert!(!record.contains(&secret), "{record} holds {secret}");
        }
    }

    /// Error, rule and cause in the decision.
    fn refusal(&self) -> (&str, &str, &str) {
        match &self.decision.as_ref().expect("a decision").outcome {
            Outcome::Refused { error, rule, cause } => (error.as_str(), rule.name(), cause),
            Outcome::Granted | Outcome::Undecided => ("granted", "no rule", ""),
        }
    }

    fn client_is_told(&self) -> bool {
        self.leads_to()
            .is_some_and(|url| !url.as_str().starts_with(ISSUER))
            && self.told("iss").as_deref() == Some(ISSUER)
    }
}

/// A request to the authorization endpoint that can be changed in one place at a time.
#[derive(Clone, Debug)]
pub struct Authorize {
    pub path: &'static str,
    pub pairs: Vec<(String, String)>,
}

impl Authorize {
    /// A good one.
    pub fn new(client: &str) -> Self {
        let pairs = [
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", CALLBACK),
            ("state", "a state"),
            ("code_challenge", &challenge(VERIFIER)),
            ("code_challenge_method", "S256"),
        ];
        Self {
            path: "/authorize",
            pairs: pairs.map(|(a, b)| (a.to_owned(), b.to_owned())).into(),
        }
    }

    /// A consent link.
    pub fn link(client: &str) -> Self {
        Self {
            path: "/consent",
            pairs: vec![("client_id".to_owned(), client.to_owned())],
        }
    }

    /// One more parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.pairs.push((name.to_owned(), value.to_owned()));
        self
    }

    /// This parameter and no other of the name.
    #[must_use]
    pub fn set(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    /// Without this parameter.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.pairs.retain(|(known, _)| known != name);
        self
    }

    pub fn uri(&self) -> String {
        let pairs = self.pairs.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        format!("{}?{}", self.path, pairs.join("&"))
    }
}

/// A browser: one session cookie, and what a person does.
pub struct Browser<'w> {
    pub world: &'w World,
    pub sessions: Sessions,
    pub session: String,
}

impl Browser<'_> {
    /// Signs in, so many seconds ago.
    pub fn sign_in(&self, subject: &str, seconds_ago: u64) {
        let at = self.world.clock.now();
        let at = at.minus(Duration::from_secs(seconds_ago));
        self.sessions.begin(&self.session, subject, at);
    }

    /// Follows a link.
    pub async fn get(&self, uri: &str) -> Page {
        self.send(Method::GET, uri, &[], "").await
    }

    /// Asks for a code.
    pub async fn authorize(&self, asked: &Authorize) -> Page {
        self.get(&asked.uri()).await
    }

    /// Asks, and goes on to the consent page.
    pub async fn asked(&self, asked: &Authorize) -> Page {
        let page = self.authorize(asked).await;
        match page.leads_to() {
            Some(place) if place.as_str().starts_with(ISSUER) => self.get(place.as_str()).await,
            _ => page,
        }
    }

    /// Sends a form of a page of the server.
    pub async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Page {
        self.post_from(ISSUER, path, pairs).await
    }

    /// As [`Browser::post`], from a page of this origin.
    pub async fn post_from(&self, origin: &str, path: &str, pairs: &[(&str, &str)]) -> Page {
        let pairs = pairs.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        let head = [
            ("origin", origin),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        self.send(Method::POST, path, &head, &pairs.join("&")).await
    }

    /// Says yes to a consent page.
    pub async fn allow(&self, page: &Page) -> Page {
        self.answer(page, &[("decision", "allow")]).await
    }

    /// Answers a consent page.
    pub async fn answer(&self, page: &Page, pairs: &[(&str, &str)]) -> Page {
        let ticket = page.ticket();
        let pairs = [&[("t", ticket.as_str())], pairs].concat();
        self.post("/consent/decision", &pairs).await
    }

    pub async fn send(&self, method: Method, uri: &str, head: &[(&str, &str)], body: &str) -> Page {
        let mut request = http::Request::builder().method(method).uri(uri);
        request = request.header(header::COOKIE, format!("session={}", self.session));
        for (name, value) in head {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes())));
        send(&self.world.server, self.world, request.expect("a request")).await
    }
}

async fn send(
    server: &AuthorizationServer,
    world: &World,
    request: http::Request<Full<Bytes>>,
) -> Page {
    world.log.take();
    let (parts, body) = server.respond(request).await.into_parts();
    assert_eq!(parts.headers[header::CACHE_CONTROL], "no-store");
    let body = body.collect().await.expect("a body").to_bytes();
    let page = Page {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).expect("UTF-8"),
        decision: world.log.take().pop(),
    };
    page.keeps_what_it_tells_to_itself();
    page
}
