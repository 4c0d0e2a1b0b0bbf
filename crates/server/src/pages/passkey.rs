//! Signing in by a passkey (C090, C091): what a browser is asked for, and what it answers.

use std::sync::Arc;

use async_trait::async_trait;
use grantor::server::{
    Answer, Body, Context, Decision, Endpoint, Metadata, Path, Refusal, Request, Route,
};
use http::{HeaderValue, Method, Response, header};
use serde_json::Value;

use super::{
    BrowserSecret,
    desk::{Desk, too_old},
    html,
    refusal::refused,
    sign_in::{Proven, SignInPage},
};
use crate::person::{PasskeyPage, Passkeys, Proof, Purpose, SessionKind};

/// What a browser is asked for that is to prove who is there.
pub struct OptionsEndpoint(pub Arc<Desk>);

/// Where what a passkey proved is taken.
pub struct PasskeySignIn(pub SignInPage);

/// Options of a ceremony, as JSON.
pub fn options(value: &Value) -> Response<Body> {
    let mut response = html::page_of(Body::from(value.to_string()));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// The passkeys of a desk, if it takes any.
pub fn passkeys(desk: &Desk) -> Result<&Passkeys, Refusal> {
    let none = || too_old("passkeys are not taken here");
    desk.passkeys.as_ref().ok_or_else(none)
}

#[async_trait]
impl Endpoint for OptionsEndpoint {
    fn route(&self) -> Route {
        let name = match self.0.kind {
            SessionKind::Person => "passkey_options",
            SessionKind::Console => "console_passkey_options",
        };
        Route::page(name, Path::Suffix(self.0.passkey_options()))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    /// Whoever is signed in confirms that it is them; whoever is not, signs in. Nothing is kept.
    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        decision.waits();
        if request.method() != Method::POST {
            return Ok(Answer::new(html::see_other(
                &desk.site.path(desk.sign_in()),
            )));
        }
        desk.check_origin(request.headers())?;
        let visitor = desk.visitor(context, request.headers()).await?;
        let browser = visitor.secret.as_ref();
        let browser = browser.ok_or_else(|| too_old("the browser sent no cookie"))?;
        let purpose = match visitor.session {
            Some(_) => Purpose::Confirm,
            None => Purpose::SignIn,
        };
        let page = PasskeyPage { context, browser };
        let asked = passkeys(desk)?.request_options(&page, purpose);
        Ok(Answer::new(options(&asked)))
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

#[async_trait]
impl Endpoint for PasskeySignIn {
    fn route(&self) -> Route {
        let desk = &self.0.0;
        let name = match desk.kind {
            SessionKind::Person => "passkey_signin",
            SessionKind::Console => "console_passkey_signin",
        };
        Route::page(name, Path::Suffix(desk.passkey_sign_in()))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let sign_in = &self.0;
        let desk = &sign_in.0;
        if request.method() != Method::POST {
            decision.waits();
            return Ok(Answer::new(html::see_other(
                &desk.site.path(desk.sign_in()),
            )));
        }
        let asked = sign_in.asked(context, request, decision).await?;
        let browser: &BrowserSecret = asked
            .visitor
            .secret
            .as_ref()
            .ok_or_else(|| too_old("the browser sent no cookie"))?;
        let page = PasskeyPage { context, browser };
        let sent = request.required("credential")?;
        let passkeys = passkeys(desk)?;
        let owner = match &asked.visitor.session {
            Some(session) => passkeys.confirm(&page, &session.subject, sent).await,
            None => passkeys.prove(&page, Purpose::SignIn, sent).await,
        };
        let owner = owner.map_err(|error| error.at_sign_in())?;
        let proven = Proven {
            subject: owner.subject,
            by: Proof::passkey(&owner.passkey),
            method: "passkey",
        };
        sign_in
            .let_in(context, request, asked, proven, decision)
            .await
    }

    async fn refuse(
        &self,
        context: &Context,
        request: &Request,
        refusal: &Refusal,
        decision: &Decision,
    ) -> Answer {
        self.0.again(context, request, refusal, decision)
    }
}
