//! The authorization server in an axum program, with that program's own login and consent page:
//! a person signs in and says yes, and a client gets a token for them. To run it:
//! `cargo run -p grantor --example code_grant`.

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use axum::{Router, body, http};
use grantor::{
    clock::{Clock, SystemClock, UnixTime},
    registry::{Actor, Client, ClientMetadata, ConsentPolicy, Subject},
    server::{authorization::*, *},
    storage::{MemoryStore, Registries},
    types::{AuthMethod, GrantType, Issuer, RedirectUri, Scope, SubjectId},
};
use tower_service::Service;

const ISSUER: &str = "http://localhost:8080";
const SESSION: SealKind = SealKind::new("urn:example:session");
type Answered<T = Answer> = Result<T, Refusal>;
type Browsed = Result<String, Box<dyn Error>>;

/// The program's own login and consent pages. Here each is the ticket of its form, and no more.
struct Pages;

/// A session is a sealed cookie: who has signed in, and when. Before that it names nobody.
fn cookie(request: &Request) -> Option<&str> {
    let cookie = request.headers().get("cookie")?.to_str().ok()?;
    cookie.strip_prefix("__Host-session=")
}

fn with_cookie(answer: Answer, session: &str) -> Answer {
    let cookie = format!("__Host-session={session}; Path=/; Secure; HttpOnly; SameSite=Lax");
    let mut response = answer.into_response();
    let cookie = cookie.parse().expect("base64url is header text");
    response.headers_mut().insert("set-cookie", cookie);
    Answer::new(response)
}

#[async_trait]
impl SignIn for Pages {
    async fn signed_in(&self, context: &Context, sent: &Request) -> Answered<Option<SignedIn>> {
        let cookie = cookie(sent).unwrap_or_default();
        let session: Option<(SubjectId, UnixTime)> = context.seals().open(SESSION, "", cookie);
        Ok(session.map(|(person, at)| SignedIn::new(person, at, cookie)))
    }

    async fn ask(&self, context: &Context, _: &Request, wanted: SignInRequest) -> Answered {
        let browser = context.seals().seal(SESSION, "", &());
        let ticket = wanted.request.ticket(context, &browser);
        let page = http::Response::new(ticket.into());
        Ok(with_cookie(Answer::new(page), &browser))
    }
}

#[async_trait]
impl ConsentPage for Pages {
    async fn show(&self, context: &Context, _: &Request, question: ConsentRequest) -> Answered {
        let ticket = question.ticket(context);
        Ok(Answer::new(http::Response::new(ticket.into())))
    }
}

/// What the form of the login page is sent to: a name, and the ticket as the field `t`.
#[async_trait]
impl Endpoint for Pages {
    fn route(&self) -> Route {
        Route::form("login", Path::Suffix("login"))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(&self, context: &Context, sent: &Request, log: &mut Decision) -> Answered {
        check_origin(context, sent)?;
        let (ticket, browser) = (sent.required("t")?, cookie(sent).unwrap_or_default());
        let request = AuthorizationRequest::resume(context, ticket, browser, log).await?;
        // Here a password would be looked at.
        let name = SubjectId::parse(sent.required("name")?);
        let name = name.map_err(|_| Refusal::invalid_grant("that is no name"))?;
        let session = context.seals().seal(SESSION, "", &(&name, context.now()));
        let person = SignedIn::new(name, context.now(), &*session);
        let step = advance(context, request, Some(&person), log).await?;
        Ok(with_cookie(step.answer(context, sent).await?, &session))
    }
}

/// Opens a page or sends a form, and answers where that leads, or else what there is to read.
async fn browse(app: &mut Router, cookie: &mut String, url: &str, form: &str) -> Browsed {
    let request = http::Request::builder()
        .method(if form.is_empty() { "GET" } else { "POST" })
        .uri(url)
        .header("cookie", &*cookie)
        .header("origin", ISSUER)
        .header("content-type", "application/x-www-form-urlencoded");
    let request = request.body(body::Body::from(form.to_owned()))?;
    let (head, body) = app.call(request).await?.into_parts();
    let field = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let new = field("set-cookie").unwrap_or(cookie);
    *cookie = new.split(';').take(1).collect();
    if let Some(place) = field("location").or(field("refresh")) {
        return Ok(place.trim_start_matches("0; url=").to_owned());
    }
    let body = body::to_bytes(body, 10_000).await?;
    Ok(String::from_utf8(body.to_vec())?)
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
    let server = AuthorizationServer::builder(Issuer::parse(ISSUER)?)
        .standard()
        .code_grant(People::new(Pages, Pages, store.clone(), store.clone()))
        .endpoint(Pages)
        .store(store)
        .build()?;
    let app = &mut Router::new().fallback_service(server);

    // The client sends the browser here; the person signs in and says yes.
    let asked = "/authorize?response_type=code&client_id=mail\
        &redirect_uri=https://mail.example/back&code_challenge_method=S256\
        &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let cookie = &mut String::new();
    let ticket = browse(app, cookie, asked, "").await?;
    let question = browse(app, cookie, "/login", &format!("t={ticket}&name=anna")).await?;
    let ticket = browse(app, cookie, &question, "").await?;
    let form = format!("t={ticket}&decision=allow");
    let back = browse(app, cookie, "/consent/decision", &form).await?;
    let code = back.split(['=', '&']).nth(1).ok_or("no code")?;

    // The client redeems the code, once.
    let form = format!(
        "grant_type=authorization_code&client_id=mail&code={code}\
         &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    let token = browse(app, &mut String::new(), "/token", &form).await?;
    assert!(token.contains("access_token"), "{token}");
    let again = browse(app, &mut String::new(), "/token", &form).await?;
    assert!(again.contains("invalid_grant"), "{again}");
    Ok(())
}
