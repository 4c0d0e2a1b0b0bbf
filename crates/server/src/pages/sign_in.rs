//! The sign-in page: a name and a password, and on to what was asked for.

use std::sync::Arc;

use askama::Template;
use async_trait::async_trait;
use grantor::{
    registry::{Revision, Subject},
    server::{
        Answer, Blame, Context, Decision, Endpoint, Metadata, Path, Refusal, Request, Route,
        authorization::{AuthorizationRequest, SignIn, SignInRequest, SignedIn, advance},
    },
    types::{ErrorCode, Rule, SubjectId},
};
use http::{StatusCode, header};

use super::{
    BrowserSecret, Coded, Markup, Named,
    desk::{Desk, Visitor, busy, too_old},
    html::{self, Frame},
    markup,
    refusal::refused,
    waiting::{TO, Waiting},
    words::Words,
};
use crate::person::{Password, Presence, Proof, SessionKind};

/// The form of a sign-in that nothing waits for.
const ACTION: &str = "signin";

/// Where people sign in, or prove anew that it is them.
pub struct SignInPage(pub Arc<Desk>);

/// How the authorization line learns who is there.
pub struct AtTheDesk(pub Arc<Desk>);

#[derive(Template)]
#[template(path = "signin.html")]
struct View<'a> {
    frame: Frame,
    words: Words,
    ticket: &'a str,
    username: &'a str,
    /// Who has to prove anew that it is them.
    anew: Option<&'a str>,
    /// Where a passkey is sent, and where the browser asks what to sign; `None` where there are none.
    passkey: Option<[String; 2]>,
    has_password: bool,
    /// What waits, as it came.
    waiting: Option<&'a str>,
    client: Option<String>,
    fault: Option<&'a str>,
    no_way_in: Markup,
}

#[async_trait]
impl SignIn for AtTheDesk {
    async fn signed_in(
        &self,
        context: &Context,
        request: &Request,
    ) -> Result<Option<SignedIn>, Refusal> {
        let visitor = self.0.visitor(context, request.headers()).await?;
        Ok(visitor.signed_in())
    }

    async fn ask(
        &self,
        context: &Context,
        request: &Request,
        wanted: SignInRequest,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let sent = BrowserSecret::sent(&desk.site, request.headers());
        let secret = sent.clone().unwrap_or_else(BrowserSecret::random);
        let ticket = wanted.request.ticket(context, secret.expose());
        let place = desk.site.path(desk.sign_in());
        let mut response = html::see_other(&format!("{place}?t={ticket}"));
        if sent.is_none() {
            let cookie = secret.set(&desk.site);
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        Ok(Answer::new(response))
    }
}

/// A form of signing in.
pub struct Asked {
    /// The browser that sent it.
    pub visitor: Visitor,
    purpose: Purpose,
}

/// Somebody who proved who they are.
pub struct Proven {
    pub subject: Subject,
    pub by: Proof,
    /// In a word, as the authorization line knows it.
    pub method: &'static str,
}

/// What a sign-in leads to.
enum Purpose {
    /// On with the request of a client.
    Request(Box<AuthorizationRequest>),
    /// To the page that waits, or else to the first one.
    Page(Option<Waiting>),
}

impl Purpose {
    /// The person who has to prove anew that it is them, and is still signed in.
    fn anew<'v>(&self, visitor: &'v Visitor) -> Option<&'v Subject> {
        match self {
            Self::Page(Some(waiting)) if waiting.is_anew() => {
                visitor.session.as_ref().map(|session| &session.subject)
            }
            _ => None,
        }
    }
}

impl SignInPage {
    /// Where a passkey is sent, and where the browser asks what to sign.
    fn passkey(&self) -> Option<[String; 2]> {
        let desk = &self.0;
        let paths = [desk.passkey_sign_in(), desk.passkey_options()];
        desk.passkeys
            .as_ref()
            .map(|_| paths.map(|path| desk.site.path(path)))
    }

    /// What the ticket of a client's request stands for, if this browser got it; else what waits.
    async fn purpose(
        &self,
        context: &Context,
        visitor: &Visitor,
        ticket: Option<&str>,
        waiting: Option<&str>,
        decision: &mut Decision,
    ) -> Result<Purpose, Refusal> {
        let Some(ticket) = ticket.filter(|_| self.0.kind == SessionKind::Person) else {
            let waits = |(secret, text)| Waiting::open(context, secret, text);
            let waiting = visitor.secret.as_ref().zip(waiting).and_then(waits);
            return Ok(Purpose::Page(waiting));
        };
        let secret = visitor
            .secret
            .as_ref()
            .ok_or_else(|| too_old("the browser sent no cookie"))?;
        let resumed = AuthorizationRequest::resume(context, ticket, secret.expose(), decision);
        Ok(Purpose::Request(Box::new(resumed.await?)))
    }

    /// Where somebody turns to who cannot sign in.
    fn no_way_in(&self, words: Words) -> Markup {
        match self.0.kind {
            SessionKind::Person => markup(words.no_way_in()),
            SessionKind::Console => words.no_way_into_console(Coded("grantor console")),
        }
    }

    async fn show(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let visitor = desk.visitor(context, request.headers()).await?;
        let (ticket, waiting) = (request.query("t"), request.query(TO));
        let purpose = self.purpose(context, &visitor, ticket, waiting, decision);
        let purpose = purpose.await?;
        decision.waits();
        let anew = purpose.anew(&visitor);
        if let (Purpose::Page(_), Some(_), None) = (&purpose, &visitor.session, anew) {
            return Ok(Answer::new(html::see_other(&desk.site.path(desk.home()))));
        }
        let secret = visitor.secret_or_new();
        let (ticket, hint, client) = match &purpose {
            Purpose::Request(wanted) => (
                ticket.unwrap_or_default().to_owned(),
                wanted.login_hint().unwrap_or_default(),
                Some(wanted.client().metadata().shown_name().to_owned()),
            ),
            Purpose::Page(_) => (desk.ticket(context, ACTION, &secret), "", None),
        };
        let frame = desk.frame(request, desk.sign_in());
        let view = View {
            words: frame.words(),
            passkey: self.passkey(),
            has_password: desk.has_passwords,
            ticket: &ticket,
            username: anew.map_or(hint, |subject| subject.id.as_str()),
            anew: anew.map(|subject| subject.id.as_str()),
            waiting,
            client,
            fault: None,
            no_way_in: self.no_way_in(frame.words()),
            frame,
        };
        let mut response = desk.page(request, &view);
        if visitor.secret.is_none() {
            let cookie = secret.set(&desk.site);
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        Ok(Answer::new(response))
    }

    /// Takes name and password, and begins a session if they are right.
    async fn sign_in(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let asked = self.asked(context, request, decision).await?;
        let name = request.parameter("username").unwrap_or_default();
        let password = request.parameter("password").unwrap_or_default();
        let (subject, known) = self.authenticate(context, name, password).await?;
        if let Some(person) = asked.purpose.anew(&asked.visitor)
            && person.id != subject.id
        {
            return Err(wrong("the person who is signed in is somebody else"));
        }
        let proven = Proven {
            subject,
            by: Proof::password(known),
            method: "password",
        };
        self.let_in(context, request, asked, proven, decision).await
    }

    /// What a form asks for, if it came from a page of this desk.
    pub async fn asked(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Asked, Refusal> {
        let desk = &self.0;
        let visitor = desk.visitor(context, request.headers()).await?;
        desk.check_origin(request.headers())?;
        let (ticket, waiting) = (request.required("t")?, request.parameter(TO));
        let of_client = desk
            .check_ticket(context, Some(ticket), ACTION, &visitor)
            .err()
            .map(|_| ticket);
        if let (SessionKind::Console, Some(_)) = (desk.kind, of_client) {
            return Err(too_old("the ticket does not open, or no more"));
        }
        let purpose = self.purpose(context, &visitor, of_client, waiting, decision);
        let purpose = purpose.await?;
        Ok(Asked { visitor, purpose })
    }

    /// Begins a session of somebody who proved who they are, and goes on to what was asked for.
    pub async fn let_in(
        &self,
        context: &Context,
        request: &Request,
        asked: Asked,
        proven: Proven,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let Proven {
            subject,
            by,
            method,
        } = proven;
        self.check_role(&subject).await?;
        decision.is_by(&subject.id);
        let before = asked.visitor.secret.as_ref();
        let fresh = desk.sessions.begin(context, before, &subject, by).await?;
        // Nothing is handed over by what was changed meanwhile.
        let begun = desk.sessions.find(context, &fresh, Presence::Person);
        if begun.await?.is_none() {
            desk.sessions.sign_out(context, &fresh).await?;
            return Err(wrong("what it was proven by was changed meanwhile"));
        }
        let answer = match asked.purpose {
            Purpose::Page(Some(waiting)) => {
                Answer::new(html::see_other(&waiting.location(context, &fresh)))
            }
            Purpose::Page(None) => Answer::new(html::see_other(&desk.site.path(desk.home()))),
            Purpose::Request(wanted) => {
                let signed_in = SignedIn::new(subject.id, context.now(), fresh.expose());
                let signed_in = signed_in.by(method);
                match advance(context, *wanted, Some(&signed_in), decision).await {
                    Ok(step) => step.answer(context, request).await?,
                    Err(refusal) => {
                        // The person is signed in all the same.
                        let cookie = fresh.set(&desk.site);
                        return Err(refusal.with_header(header::SET_COOKIE, cookie));
                    }
                }
            }
        };
        let mut response = answer.into_response();
        let cookie = fresh.set(&desk.site);
        response.headers_mut().append(header::SET_COOKIE, cookie);
        Ok(Answer::new(response))
    }

    /// Succeeds if the subject may come in here: to the console with a role alone. It is told as a
    /// wrong password is (C095).
    async fn check_role(&self, subject: &Subject) -> Result<(), Refusal> {
        let desk = &self.0;
        if desk.kind == SessionKind::Person {
            return Ok(());
        }
        match desk.registry.operators.get(&subject.id).await? {
            Some(_) => Ok(()),
            None => Err(wrong("the subject has no role")),
        }
    }

    /// The subject with this name and this password, and which state of the password that is.
    /// Whatever is wrong, it takes as long and is told in one text (C095).
    async fn authenticate(
        &self,
        context: &Context,
        name: &str,
        password: &str,
    ) -> Result<(Subject, Revision), Refusal> {
        let subject = match SubjectId::parse(name) {
            Ok(id) => context.subjects().subject(&id).await?,
            Err(_) => None,
        };
        let stored = match &subject {
            Some(subject) => self.0.registry.passwords.get(&subject.id).await?,
            None => None,
        };
        let typed = Password::typed(password).ok();
        let is_typed = typed.is_some();
        let hash = stored.as_ref().map(|password| password.digest.expose());
        // What cannot be a password is compared as an empty one, which nobody has.
        let typed = typed.unwrap_or_default();
        let matches = self.0.passwords.matches(typed, hash).await.map_err(busy)?;
        let cause = match &subject {
            None => "no such subject",
            Some(subject) if !subject.enabled => "the subject is disabled",
            Some(_) if stored.is_none() => "the subject has no password",
            Some(_) if !is_typed || !matches => "the password is wrong",
            Some(_) => "",
        };
        match subject.zip(stored) {
            Some((subject, password)) if cause.is_empty() => Ok((subject, password.revision)),
            _ => Err(wrong(cause)),
        }
    }
}

/// C095: one text, one status.
fn wrong(cause: &'static str) -> Refusal {
    Refusal::new(
        ErrorCode::ACCESS_DENIED,
        Rule::Password,
        "Name or password is wrong, or this account cannot sign in.",
    )
    .with_status(StatusCode::UNAUTHORIZED)
    .blaming(Blame::FailedProof)
    .because(cause)
}

#[async_trait]
impl Endpoint for SignInPage {
    fn route(&self) -> Route {
        let name = match self.0.kind {
            SessionKind::Person => "signin",
            SessionKind::Console => "console_signin",
        };
        Route::page(name, Path::Suffix(self.0.sign_in())).naming("username")
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        match request.method() == http::Method::POST {
            true => self.sign_in(context, request, decision).await,
            false => self.show(context, request, decision).await,
        }
    }

    /// After a wrong password the form is there again, with the name that was typed.
    async fn refuse(
        &self,
        context: &Context,
        request: &Request,
        refusal: &Refusal,
        decision: &Decision,
    ) -> Answer {
        self.again(context, request, refusal, decision)
    }
}

impl SignInPage {
    /// The form again, with the name that was typed and what is wrong.
    pub fn again(
        &self,
        context: &Context,
        request: &Request,
        refusal: &Refusal,
        decision: &Decision,
    ) -> Answer {
        if !matches!(refusal.rule(), Rule::Password | Rule::Passkey) {
            return refused(&self.0, request, refusal, decision);
        }
        let desk = &self.0;
        let waiting = request.parameter(TO);
        let secret = BrowserSecret::sent(&desk.site, request.headers());
        let is_anew = secret
            .zip(waiting)
            .and_then(|(secret, text)| Waiting::open(context, &secret, text))
            .is_some_and(|waiting| waiting.is_anew());
        let username = request.parameter("username").unwrap_or_default();
        let frame = desk.frame(request, desk.sign_in());
        let words = frame.words();
        let fault = match (refusal.rule(), refusal.blame()) {
            (Rule::Passkey, Blame::FailedProof) => words.wrong_passkey(),
            (_, Blame::FailedProof) => words.wrong_sign_in(),
            _ => words.too_many_sign_in(),
        };
        let view = View {
            words,
            no_way_in: self.no_way_in(words),
            passkey: self.passkey(),
            has_password: desk.has_passwords,
            frame,
            ticket: request.parameter("t").unwrap_or_default(),
            username,
            anew: is_anew.then_some(username),
            waiting,
            client: None,
            fault: Some(fault),
        };
        Answer::refusing(refusal, self.0.page(request, &view))
    }
}
