//! The authorization server in an axum program, with that program's own login and consent page:
//! a person signs in and says yes, and a client gets a token for them.
//!
//! ```text
//! cargo run -p grantor --example code_grant
//! ```

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use axum::{Router, body::Body, routing::get};
use grantor::{
    clock::{Clock, SystemClock, UnixTime},
    registry::{Actor, Client, ClientMetadata, ConsentPolicy, Subject},
    server::{
        Answer, AuthorizationServer, Context, Decision, Endpoint, Metadata, Path, Refusal, Request,
        Route, SealKind, authorization as auth,
    },
    storage::{MemoryStore, Registries},
    types::{AuthMethod, GrantType, Issuer, RedirectUri, Scope, SubjectId},
};
use http::{HeaderValue, Response, header};
use http_body_util::BodyExt;
use tower_service::Service;

const ISSUER: &str = "http://localhost:8080";
/// What the client makes up for each request (RFC 7636), and its digest.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const SESSION: SealKind = SealKind::new("urn:example:session");

/// The program's own login. A sealed cookie says who one is and since when.
struct Login;

fn cookie(request: &Request) -> Option<&str> {
    request.headers().get(header::COOKIE)?.to_str().ok()
}

#[async_trait]
impl auth::SignIn for Login {
    async fn signed_in(
        &self,
        context: &Context,
        request: &Request,
    ) -> Result<Option<auth::SignedIn>, Refusal> {
        let Some(cookie) = cookie(request) else {
            return Ok(None);
        };
        let session: Option<(SubjectId, UnixTime)> = context.seals().open(SESSION, "", cookie);
        Ok(session.map(|(person, at)| auth::SignedIn::new(person, at, cookie)))
    }

    async fn ask(
        &self,
        context: &Context,
        request: &Request,
        wanted: auth::SignInRequest,
    ) -> Result<Answer, Refusal> {
        let browser = cookie(request).unwrap_or_default();
        let ticket = wanted.request.ticket(context, browser);
        Ok(Answer::see_other(&format!("{ISSUER}/login?t={ticket}")))
    }
}

/// What the form of the login page is sent to: a name, and the ticket as the field `t`.
#[async_trait]
impl Endpoint for Login {
    fn route(&self) -> Route {
        Route::form("login", Path::Suffix("login/done"))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        auth::check_origin(context, request)?;
        let (ticket, browser) = (request.required("t")?, cookie(request).unwrap_or_default());
        let resumed = auth::AuthorizationRequest::resume(context, ticket, browser, decision);
        let asked = resumed.await?;
        // Here a password would be looked at.
        let name = request.required("name")?.parse::<SubjectId>();
        let name = name.map_err(|_| Refusal::invalid_grant("that is no name"))?;
        let at = context.now();
        let session = context.seals().seal(SESSION, "", &(&name, at));
        let person = auth::SignedIn::new(name, at, &*session);
        let step = auth::advance(context, asked, Some(&person), decision).await?;
        let mut answer = step.answer(context, request).await?.into_response();
        let session = HeaderValue::from_str(&session).expect("base64url is header text");
        answer.headers_mut().insert(header::SET_COOKIE, session);
        Ok(Answer::new(answer))
    }
}

/// The program's own consent page. Here the form's ticket is all that it says.
struct Page;

#[async_trait]
impl auth::ConsentPage for Page {
    async fn show(
        &self,
        context: &Context,
        _: &Request,
        consent: auth::ConsentRequest,
    ) -> Result<Answer, Refusal> {
        let ticket = consent.ticket(context);
        Ok(Answer::new(Response::new(ticket.into())))
    }
}

/// What a browser with this cookie gets: where it is led, its new cookie, what it reads.
async fn browse(
    app: &mut Router,
    cookie: &str,
    url: &str,
    form: &str,
) -> Result<[String; 3], Box<dyn Error>> {
    let request = http::Request::builder()
        .method(if form.is_empty() { "GET" } else { "POST" })
        .uri(url.trim_start_matches(ISSUER))
        .header("cookie", cookie)
        .header("origin", ISSUER)
        .header("content-type", "application/x-www-form-urlencoded");
    let request = request.body(Body::from(form.to_owned()))?;
    let (head, body) = app.call(request).await?.into_parts();
    let field = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let place = field("location").or(field("refresh")).unwrap_or_default();
    let place = place.trim_start_matches("0; url=").to_owned();
    let cookie = field("set-cookie").unwrap_or(cookie).to_owned();
    let body = body.collect().await?.to_bytes();
    Ok([place, cookie, String::from_utf8(body.to_vec())?])
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (store, by) = (Arc::new(MemoryStore::new()), Actor::program("example"));
    let mut mail = ClientMetadata::new("mail".parse()?, AuthMethod::NONE, SystemClock.now());
    mail.grant_types = vec![GrantType::AUTHORIZATION_CODE];
    mail.redirect_uris = vec![RedirectUri::parse("https://mail.example/back")?];
    mail.scope = Scope::parse("read")?;
    mail.consent = ConsentPolicy::Ask;
    let mail = Client::new(mail, vec![], vec![])?;
    store.clients().create(mail, &by).await?;
    let anna = Subject::new("anna".parse()?);
    store.subjects().create(anna, &by).await?;
    let people = auth::People::new(Login, Page, store.clone(), store.clone());
    let server = AuthorizationServer::builder(Issuer::parse(ISSUER)?)
        .store(store)
        .standard()
        .code_grant(people) // the one line
        .endpoint(Login)
        .build()?;
    let app = &mut Router::new()
        .route("/login", get(|| async { "the page with that form" }))
        .fallback_service(server);

    // The client sends the browser here; the person signs in and says yes.
    let asked = format!(
        "/authorize?response_type=code&client_id=mail&redirect_uri=https://mail.example/back\
         &code_challenge={CHALLENGE}&code_challenge_method=S256"
    );
    let [login, cookie, _] = browse(app, "", &asked, "").await?;
    let ticket = login.split_once("/login?t=").ok_or("no login")?.1;
    let form = format!("t={ticket}&name=anna");
    let [question, cookie, _] = browse(app, &cookie, "/login/done", &form).await?;
    let [_, cookie, ticket] = browse(app, &cookie, &question, "").await?;
    let form = format!("t={ticket}&decision=allow");
    let [back, cookie, _] = browse(app, &cookie, "/consent/decision", &form).await?;
    let code = back.strip_prefix("https://mail.example/back?code=");
    let code = code
        .and_then(|rest| rest.split('&').next())
        .ok_or("no code")?;

    // The client redeems the code, once.
    let form = format!(
        "grant_type=authorization_code&code={code}&code_verifier={VERIFIER}&client_id=mail"
    );
    let [_, _, token] = browse(app, "", "/token", &form).await?;
    assert!(token.contains("access_token"), "{token}");
    let [_, _, again] = browse(app, "", "/token", &form).await?;
    assert!(
        again.contains("invalid_grant"),
        "a code works once: {again}"
    );
    let [back, _, _] = browse(app, &cookie, &asked, "").await?;
    assert!(back.contains("?code="), "nobody is asked twice: {back}");
    Ok(())
}
