//! The consent page and what comes after it, as the authorization line asks for them.

use std::sync::Arc;

use askama::Template;
use async_trait::async_trait;
use grantor::server::{
    Answer, Context, Decision, Endpoint, Metadata, Path, Refusal, Request, Route,
    authorization::{Allowed, AskedPart, ConsentPage, ConsentRequest, HandOver},
};

use super::{
    BrowserSecret, Link, Named,
    desk::Desk,
    html::{self, Frame},
    refusal::refused,
    sign_out,
    time::minute,
    views::{ClientView, ScopeView},
    words::Words,
};

/// Most octets of a way to the client that are sent through a query, of which 8 KiB are read. A
/// longer one, by a long `state` or redirect URI, is answered with the form.
const LONGEST_IN_QUERY: usize = 6 * 1024;

/// What people are asked, and how it ended.
pub struct ConsentPages(pub Arc<Desk>);

/// Leads to the client, by a page of ours (C027).
pub struct HandOverPage(pub Arc<Desk>);

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentView {
    frame: Frame,
    words: Words,
    client: ClientView,
    subject: String,
    scopes: Vec<ScopeView>,
    optional: Vec<ScopeView>,
    already: Vec<ScopeView>,
    absent: bool,
    leads_to: Option<String>,
    ticket: String,
    switch: String,
    switch_ticket: String,
    switch_request: String,
    me: String,
}

#[derive(Template)]
#[template(path = "done.html")]
struct DoneView {
    frame: Frame,
    words: Words,
    client: ClientView,
    scopes: Vec<ScopeView>,
    until: Option<String>,
    me: String,
}

#[derive(Template)]
#[template(path = "handover.html")]
struct HandOverView<'a> {
    frame: Frame,
    words: Words,
    url: &'a str,
    host: &'a str,
}

#[async_trait]
impl ConsentPage for ConsentPages {
    async fn show(
        &self,
        context: &Context,
        request: &Request,
        consent: ConsentRequest,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let frame = desk.frame(request, "consent/decision");
        let language = frame.language();
        let part = |part| {
            let of_part = consent.scopes().iter().filter(|scope| scope.part == part);
            of_part
                .map(|scope| ScopeView::of(&scope.name, scope.text.as_deref(), language))
                .collect()
        };
        let secret = BrowserSecret::sent(&desk.site, request.headers());
        let secret = secret.unwrap_or_else(BrowserSecret::random);
        let view = ConsentView {
            words: frame.words(),
            frame,
            client: ClientView::of(consent.request().client()),
            subject: consent.subject().id.to_string(),
            scopes: part(AskedPart::Needed),
            optional: part(AskedPart::Optional),
            already: part(AskedPart::Allowed),
            absent: consent.acts_when_absent(),
            leads_to: consent.place(),
            ticket: consent.ticket(context),
            switch: desk.site.path("signout"),
            switch_ticket: desk.ticket(context, sign_out::ACTION, &secret),
            switch_request: consent.request().ticket(context, secret.expose()),
            me: desk.site.path("me"),
        };
        Ok(Answer::new(desk.page(request, &view)))
    }

    async fn done(
        &self,
        _: &Context,
        request: &Request,
        allowed: Allowed,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let client = allowed.request.client();
        let record = allowed.permissions.person();
        let scope = record
            .and_then(|record| record.scope.clone())
            .unwrap_or_default();
        let frame = desk.frame(request, "consent");
        let texts = &*desk.registry.scope_texts;
        let view = DoneView {
            words: frame.words(),
            client: ClientView::of(client),
            scopes: ScopeView::all(texts, &scope, frame.language()).await?,
            until: record.and_then(|record| record.expires_at).map(minute),
            me: desk.site.path("me"),
            frame,
        };
        Ok(Answer::new(desk.page(request, &view)))
    }

    async fn hand_over(&self, context: &Context, request: &Request, to: HandOver) -> Answer {
        let sealed = to.sealed(context);
        if sealed.len() > LONGEST_IN_QUERY {
            return lead(&self.0, request, &to);
        }
        let place = self.0.site.path("handover");
        Answer::new(html::see_other(&format!("{place}?t={sealed}")))
    }

    async fn refused(
        &self,
        _: &Context,
        request: &Request,
        refusal: &Refusal,
        decision: &Decision,
    ) -> Answer {
        refused(&self.0, request, refusal, decision)
    }
}

/// The page that leads to the client.
fn lead(desk: &Desk, request: &Request, to: &HandOver) -> Answer {
    let frame = desk.frame(request, "");
    let view = HandOverView {
        words: frame.words(),
        frame,
        url: to.url(),
        host: to.place(),
    };
    to.lead(desk.page(request, &view))
}

#[async_trait]
impl Endpoint for HandOverPage {
    fn route(&self) -> Route {
        Route::query("handover", Path::Suffix("handover"))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        decision.waits();
        let to = HandOver::open(context, request.query("t").unwrap_or_default())?;
        Ok(lead(&self.0, request, &to))
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
