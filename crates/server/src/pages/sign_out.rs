//! Signing out, and signing in as somebody else.

use std::sync::Arc;

use askama::Template;
use async_trait::async_trait;
use grantor::server::{
    Answer, Context, Decision, Endpoint, Metadata, Path, Refusal, Request, Route,
    authorization::{self, AuthorizationRequest},
};
use http::Method;

use super::{
    BrowserSecret, Named,
    desk::{Desk, Visitor},
    html::{self, Frame, with_cookie},
    refusal::refused,
    words::Words,
};
use crate::person::SessionKind;

/// The form of signing out, wherever it is shown.
pub const ACTION: &str = "signout";

/// Where people sign out.
pub struct SignOutPage(pub Arc<Desk>);

#[derive(Template)]
#[template(path = "signed_out.html")]
struct View {
    frame: Frame,
    words: Words,
    /// The person who is still signed in, with the ticket of the form that ends it.
    subject: Option<(String, String)>,
    signin: String,
}

impl SignOutPage {
    async fn sign_out(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let visitor = desk.visitor(context, request.headers()).await?;
        desk.check_form(context, request, ACTION, &visitor)?;
        let Visitor {
            secret: Some(secret),
            session,
            ..
        } = visitor
        else {
            return Ok(Answer::new(html::see_other(
                &desk.site.path(desk.sign_out()),
            )));
        };
        if let Some(session) = session {
            decision.is_by(&session.subject.id);
        }
        // Also that of somebody who is nobody for now.
        desk.sessions.sign_out(context, &secret).await?;
        let waiting = request.parameter("request");
        let Some(ticket) = waiting.filter(|_| desk.kind == SessionKind::Person) else {
            let response = html::see_other(&desk.site.path(desk.sign_out()));
            let cookie = BrowserSecret::forget(&desk.site);
            return Ok(Answer::new(with_cookie(response, cookie)));
        };
        // "Not you?": what was asked for waits for whoever signs in now.
        let waiting = AuthorizationRequest::resume(context, ticket, secret.expose(), decision);
        let waiting = waiting.await?;
        let fresh = BrowserSecret::random();
        let ticket = waiting.ticket(context, fresh.expose());
        let place = desk.site.path(desk.sign_in());
        let response = html::see_other(&format!("{place}?t={ticket}"));
        Ok(Answer::new(with_cookie(response, fresh.set(&desk.site))))
    }

    async fn show(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        decision.waits();
        let desk = &self.0;
        let visitor = desk.visitor(context, request.headers()).await?;
        let subject =
            visitor
                .session
                .as_ref()
                .zip(visitor.secret.as_ref())
                .map(|(session, secret)| {
                    let ticket = desk.ticket(context, ACTION, secret);
                    (session.subject.id.to_string(), ticket)
                });
        let frame = desk.frame(request, desk.sign_out());
        let view = View {
            words: frame.words(),
            frame,
            subject,
            signin: desk.site.path(desk.sign_in()),
        };
        Ok(Answer::new(desk.page(request, &view)))
    }
}

#[async_trait]
impl Endpoint for SignOutPage {
    fn route(&self) -> Route {
        let name = match self.0.kind {
            SessionKind::Person => "signout",
            SessionKind::Console => "console_signout",
        };
        Route::page(name, Path::Suffix(self.0.sign_out()))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        match request.method() == Method::POST {
            true => self.sign_out(context, request, decision).await,
            false => self.show(context, request, decision).await,
        }
    }

    /// Whoever asked to sign in as somebody else may have a client that waits, and is told.
    async fn refuse(
        &self,
        context: &Context,
        request: &Request,
        refusal: &Refusal,
        decision: &Decision,
    ) -> Answer {
        match self.0.kind {
            SessionKind::Person => authorization::refuse(context, request, refusal, decision).await,
            SessionKind::Console => refused(&self.0, request, refusal, decision),
        }
    }
}
