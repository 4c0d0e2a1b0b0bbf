//! How a person signs in: password, passkeys, and where they are signed in (C063, C084, C093).

use std::sync::Arc;

use askama::Template;
use async_trait::async_trait;
use grantor::{
    registry::CredentialId,
    server::{
        Answer, Body, Context, Decision, Endpoint, Metadata, Path, Refusal, Request, Route,
        authorization,
    },
    types::{DisplayName, ErrorCode, Rule},
};
use http::{Method, Response};

use super::{
    BrowserSecret, Link, Markup, Named, Notice, TO, Waiting,
    desk::{Desk, Visitor, busy, is_busy},
    html::{self, Frame, apart, with_cookie},
    markup,
    me::{done, nobody, person, sign_in_first},
    passkey::{options, passkeys},
    refusal::refused,
    time::{day, distance, minute},
    words::Words,
};
use crate::person::{
    NewPasskey, OpenSession, PasskeyError, PasskeyPage, Password, Session, SessionKind,
};

/// Where the page is, and the action of its forms.
const WAYS: &str = "me/signin";

/// Where a browser asks what a passkey is to be made of.
const OPTIONS: &str = "me/signin/options";

/// The person's ways to sign in.
pub struct WaysPage(pub Arc<Desk>);

/// What a passkey of theirs is to be made of.
pub struct MakingOptions(pub Arc<Desk>);

#[derive(Template)]
#[template(path = "ways.html")]
struct View {
    frame: Frame,
    words: Words,
    me: String,
    ticket: String,
    subject: String,
    done: Option<Notice>,
    fault: Option<String>,
    /// Whether that is the password's.
    is_password_wrong: bool,
    /// Which passkey is to be removed, if one is asked about.
    removing: Option<(String, String)>,
    /// Whether the person proved a moment ago who they are; else where they do.
    confirm: Option<Markup>,
    has_passwords: bool,
    password: Option<String>,
    has_passkeys: bool,
    passkeys: Vec<PasskeyRow>,
    options: String,
    sessions: Vec<SessionRow>,
}

struct PasskeyRow {
    name: String,
    made: String,
    used: Option<String>,
    remove: String,
}

struct SessionRow {
    kind: &'static str,
    is_this: bool,
    signed_in: String,
    used: String,
}

/// What a form of the page does.
enum Wish {
    Password,
    Passkey,
    Remove,
    EndOthers,
}

impl Wish {
    fn of(request: &Request) -> Option<Self> {
        match request.parameter("do")? {
            "password" => Some(Self::Password),
            "passkey" => Some(Self::Passkey),
            "remove" => Some(Self::Remove),
            "end" => Some(Self::EndOthers),
            _ => None,
        }
    }
}

impl WaysPage {
    async fn view(
        &self,
        context: &Context,
        request: &Request,
        visitor: &Visitor,
        fault: Option<(Rule, String)>,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let Some((session, secret)) = visitor.session.as_ref().zip(visitor.secret.as_ref()) else {
            return Ok(sign_in_first(desk));
        };
        let (subject, now) = (&session.subject, context.now());
        let frame = desk.frame(request, WAYS);
        let (words, language) = (frame.words(), frame.language());
        let password = desk.registry.passwords.get(&subject.id).await?;
        let mut passkeys = Vec::new();
        if let Some(of_desk) = &desk.passkeys {
            for own in of_desk.of(context, subject).await? {
                let id = own.passkey.credential.to_string();
                passkeys.push(PasskeyRow {
                    name: own.passkey.name.to_string(),
                    made: day(own.passkey.created_at),
                    used: own.used_at.map(|at| distance(at, now, language)),
                    remove: id,
                });
            }
        }
        let asked = request.query("remove").unwrap_or_default();
        let removing = passkeys.iter().find(|passkey| passkey.remove == asked);
        let removing = removing.map(|passkey| (passkey.remove.clone(), passkey.name.clone()));
        let open = OpenSession::all(context.artifacts(), subject, now).await?;
        let row = |open: &OpenSession| SessionRow {
            kind: match open.kind {
                SessionKind::Person => words.your_pages(),
                SessionKind::Console => words.console(),
            },
            is_this: open.is_of(secret),
            signed_in: minute(open.signed_in_at),
            used: distance(open.used_at, now, language),
        };
        let view = View {
            words,
            me: desk.site.path("me"),
            ticket: desk.ticket(context, WAYS, secret),
            subject: subject.id.to_string(),
            done: done(context, request, secret),
            is_password_wrong: matches!(fault, Some((Rule::Password, _))),
            fault: fault.map(|(_, text)| text),
            removing,
            confirm: (!session.is_fresh(context.now())).then(|| {
                let waiting = Waiting::page(desk.site.path(WAYS)).anew();
                let sealed = waiting.sealed(context, secret);
                let place = format!("{}?{TO}={sealed}", desk.site.path(desk.sign_in()));
                words.confirm_first(Link::to(&place, words.confirm_it_is_you()))
            }),
            has_passwords: desk.has_passwords,
            password: password.map(|password| day(password.changed_at)),
            has_passkeys: desk.passkeys.is_some(),
            options: desk.site.path(OPTIONS),
            passkeys,
            sessions: open.iter().map(row).collect(),
            frame,
        };
        Ok(Answer::new(apart(desk.page(request, &view))))
    }

    /// Does what a form of the page asks for.
    async fn change(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let visitor = desk.visitor(context, request.headers()).await?;
        let session = visitor.session.as_ref().ok_or_else(nobody)?;
        desk.check_form(context, request, WAYS, &visitor)?;
        decision.is_by(&session.subject.id);
        if !session.is_fresh(context.now()) {
            let secret = visitor.secret_or_new();
            let waiting = Waiting::page(desk.site.path(WAYS)).anew();
            let sealed = waiting.sealed(context, &secret);
            let place = desk.site.path(desk.sign_in());
            return Ok(Answer::new(html::see_other(&format!(
                "{place}?{TO}={sealed}"
            ))));
        }
        match Wish::of(request) {
            Some(Wish::Password) => {
                self.set_password(context, request, &visitor, session, decision)
                    .await
            }
            Some(Wish::Passkey) => {
                self.add_passkey(context, request, &visitor, session, decision)
                    .await
            }
            Some(Wish::Remove) => {
                self.remove_passkey(context, request, &visitor, decision)
                    .await
            }
            Some(Wish::EndOthers) => {
                let secret = desk.sessions.end_others(context, session).await?;
                let words = desk.frame(request, WAYS).words();
                let back = self.back(context, words.others_ended(), &secret);
                Ok(Answer::new(with_cookie(back, secret.set(&desk.site))))
            }
            None => Err(unfit(Rule::Form, "the form does nothing that is known")),
        }
    }

    async fn set_password(
        &self,
        context: &Context,
        request: &Request,
        visitor: &Visitor,
        session: &Session,
        decision: &Decision,
    ) -> Result<Answer, Refusal> {
        let (desk, subject) = (&self.0, &session.subject);
        if !desk.has_passwords {
            return Err(unfit(Rule::Form, "passwords are not used here"));
        }
        let typed = request.parameter("password").unwrap_or_default();
        let password = Password::chosen(typed, &subject.id, desk.site.host());
        let words = desk.frame(request, WAYS).words();
        let password =
            password.map_err(|error| unfit(Rule::Password, words.unfit(error)).because(error))?;
        let digest = desk.passwords.hash(password).await.map_err(busy)?;
        let actor = authorization::actor(request, subject, decision);
        let role = desk.registry.operators.get(&subject.id).await?;
        let (now, role) = (context.now(), role.as_deref());
        let set = desk.set_password(&subject.id, role, digest, now, &actor);
        let proof = set.await?;
        // Behind the change, so that nobody comes in by the password of before (C093).
        desk.sessions.end_all(context, subject).await?;
        let before = visitor.secret.as_ref();
        let secret = desk.sessions.begin(context, before, subject, proof).await?;
        let back = self.back(context, words.password_is_set(), &secret);
        Ok(Answer::new(with_cookie(back, secret.set(&desk.site))))
    }

    async fn add_passkey(
        &self,
        context: &Context,
        request: &Request,
        visitor: &Visitor,
        session: &Session,
        decision: &Decision,
    ) -> Result<Answer, Refusal> {
        let (desk, subject) = (&self.0, &session.subject);
        let passkeys = passkeys(desk)?;
        let browser = visitor.secret.as_ref().ok_or_else(nobody)?;
        let page = PasskeyPage { context, browser };
        let sent = request.required("credential")?;
        let name = request.parameter("name").unwrap_or_default().trim();
        let words = desk.frame(request, WAYS).words();
        let misnamed = unfit(Rule::Passkey, words.passkey_misnamed());
        let name = DisplayName::parse(name).map_err(|error| misnamed.because(error))?;
        let new = NewPasskey {
            subject,
            name,
            sent,
        };
        let actor = authorization::actor(request, subject, decision);
        let made = passkeys.make_in_session(&page, &desk.sessions, new, &actor);
        made.await.map_err(|error| error.at_change(words))?;
        let back = self.back(context, words.passkey_added(), browser);
        Ok(Answer::new(back))
    }

    async fn remove_passkey(
        &self,
        context: &Context,
        request: &Request,
        visitor: &Visitor,
        decision: &Decision,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let (subject, browser) = person(visitor).ok_or_else(nobody)?;
        let id = request.parameter("passkey").unwrap_or_default();
        let words = desk.frame(request, WAYS).words();
        let unknown = |_| PasskeyError::Unknown.at_change(words);
        let id = CredentialId::parse(id).map_err(unknown)?;
        let actor = authorization::actor(request, subject, decision);
        let removed = passkeys(desk)?.remove(subject, &id, &actor);
        removed.await.map_err(|error| error.at_change(words))?;
        let back = self.back(context, words.passkey_removed(), browser);
        Ok(Answer::new(back))
    }

    /// The page again, which says what was done to the browser with this secret.
    fn back(&self, context: &Context, done: &str, secret: &BrowserSecret) -> Response<Body> {
        let notice = Notice::of(markup(done));
        html::see_other(&notice.on(&self.0.site.path(WAYS), context, secret))
    }
}

fn unfit(rule: Rule, text: &'static str) -> Refusal {
    Refusal::new(ErrorCode::INVALID_REQUEST, rule, text)
}

#[async_trait]
impl Endpoint for WaysPage {
    fn route(&self) -> Route {
        Route::page("ways", Path::Suffix(WAYS))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        if request.method() == Method::POST {
            return self.change(context, request, decision).await;
        }
        decision.waits();
        let visitor = self.0.visitor(context, request.headers()).await?;
        if let Some(session) = &visitor.session {
            decision.is_by(&session.subject.id);
        }
        self.view(context, request, &visitor, None).await
    }

    /// What is wrong with a password or passkey is told on the page.
    async fn refuse(
        &self,
        context: &Context,
        request: &Request,
        refusal: &Refusal,
        decision: &Decision,
    ) -> Answer {
        let is_told = matches!(refusal.rule(), Rule::Password | Rule::Passkey);
        if is_told && let Ok(visitor) = self.0.visitor(context, request.headers()).await {
            let words = self.0.frame(request, WAYS).words();
            let fault = match is_busy(refusal) {
                true => words.too_many_sign_in(),
                false => refusal.public_text(),
            };
            let fault = Some((refusal.rule().clone(), fault.to_owned()));
            if let Ok(page) = self.view(context, request, &visitor, fault).await {
                return Answer::refusing(refusal, page.into_response());
            }
        }
        refused(&self.0, request, refusal, decision)
    }
}

#[async_trait]
impl Endpoint for MakingOptions {
    fn route(&self) -> Route {
        Route::page("passkey_making", Path::Suffix(OPTIONS))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    /// Nothing is kept: a challenge is a sealed value.
    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        decision.waits();
        if request.method() != Method::POST {
            return Ok(Answer::new(html::see_other(&desk.site.path(WAYS))));
        }
        let visitor = desk.visitor(context, request.headers()).await?;
        let session = visitor.session.as_ref().ok_or_else(nobody)?;
        desk.check_form(context, request, WAYS, &visitor)?;
        decision.is_by(&session.subject.id);
        let browser = visitor.secret.as_ref().ok_or_else(nobody)?;
        let page = PasskeyPage { context, browser };
        let asked = passkeys(desk)?.creation_options(&page, &session.subject);
        Ok(Answer::new(options(&asked.await?)))
    }

    async fn refuse(
        &self,
        _: &Context,
        request: &Request,
        refusal: &Refusal,
        decision: &Decision,
    ) -> Answer {
        refused(&self.0, request, refusal, decision)
    }
}
