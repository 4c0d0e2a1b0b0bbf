//! The consent page and what comes after it, as the authorization line asks for them.

use std::sync::Arc;

use askama::Template;
use async_trait::async_trait;
use grantor::{
    server::{
        Answer, Context, Decision, Endpoint, Metadata, Path, Refusal, Request, Retry, Route,
        authorization::{self, Allowed, AskedPart, ConsentPage, ConsentRequest, HandOver},
    },
    types::Rule,
};

use super::{
    BrowserSecret,
    desk::Desk,
    html::{self, Frame},
    sign_out,
    views::{ClientView, ScopeView, minute},
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
    client: ClientView,
    scopes: Vec<ScopeView>,
    until: Option<String>,
    me: String,
}

#[derive(Template)]
#[template(path = "handover.html")]
struct HandOverView<'a> {
    frame: Frame,
    url: &'a str,
    host: &'a str,
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalView<'a> {
    frame: Frame,
    heading: &'a str,
    text: String,
    again: Option<String>,
    decision: String,
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
        let part = |part| {
            let of_part = consent.scopes().iter().filter(|scope| scope.part == part);
            of_part
                .map(|scope| ScopeView::of(&scope.name, scope.text.as_deref()))
                .collect()
        };
        let secret = BrowserSecret::sent(&desk.site, request.headers());
        let secret = secret.unwrap_or_else(BrowserSecret::random);
        let view = ConsentView {
            frame: Frame::new(&desk.site, "consent/decision"),
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
        Ok(Answer::new(html::page(&view)))
    }

    async fn done(&self, _: &Context, _: &Request, allowed: Allowed) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let client = allowed.request.client();
        let record = allowed.permissions.person();
        let scope = record
            .and_then(|record| record.scope.clone())
            .unwrap_or_default();
        let view = DoneView {
            frame: Frame::new(&desk.site, "consent"),
            client: ClientView::of(client),
            scopes: ScopeView::all(&*desk.registry.scope_texts, &scope).await?,
            until: record.and_then(|record| record.expires_at).map(minute),
            me: desk.site.path("me"),
        };
        Ok(Answer::new(html::page(&view)))
    }

    async fn hand_over(&self, context: &Context, _: &Request, to: HandOver) -> Answer {
        let sealed = to.sealed(context);
        if sealed.len() > LONGEST_IN_QUERY {
            return lead(&self.0, &to);
        }
        let place = self.0.site.path("handover");
        Answer::new(html::see_other(&format!("{place}?t={sealed}")))
    }

    async fn refused(
        &self,
        _: &Context,
        _: &Request,
        refusal: &Refusal,
        decision: &Decision,
    ) -> Answer {
        let site = &self.0.site;
        let (heading, text) = words(refusal);
        let again = matches!(refusal.rule(), Rule::Ticket | Rule::Session);
        let view = RefusalView {
            frame: Frame::new(site, ""),
            heading,
            text,
            again: again.then(|| site.path("signin")),
            decision: decision.id.to_string(),
        };
        Answer::refusing(refusal, html::page(&view))
    }
}

/// The page that leads to the client.
fn lead(desk: &Desk, to: &HandOver) -> Answer {
    let view = HandOverView {
        frame: Frame::new(&desk.site, ""),
        url: to.url(),
        host: to.place(),
    };
    to.lead(html::page(&view))
}

/// What people are told, by the rule that was broken.
fn words(refusal: &Refusal) -> (&'static str, String) {
    if let Some(Retry::TooMany(wait)) = refusal.retry() {
        let seconds = wait.as_secs() + 1;
        let text = format!("Too many wrong tries from here. Go on in {seconds} seconds.");
        return ("Wait a little", text);
    }
    match refusal.rule() {
        Rule::Client | Rule::RedirectUri => (
            "This link does not work",
            "The program that sent you here is not registered with this address.".to_owned(),
        ),
        Rule::Ticket => (
            "This page was open too long",
            "Nothing has been changed.".to_owned(),
        ),
        Rule::Session => (
            "You are not signed in",
            "Nothing has been changed.".to_owned(),
        ),
        Rule::Origin => (
            "This form did not come from here",
            "Nothing has been changed.".to_owned(),
        ),
        Rule::Consent => (
            "Nothing was allowed",
            "The program may do no more than before.".to_owned(),
        ),
        Rule::Invitation => (
            "This link does not work any more",
            "It was used, it has ended, or a newer one was made. Whoever sent it can send another."
                .to_owned(),
        ),
        _ => ("This did not work", sentence(refusal.public_text())),
    }
}

/// With a capital letter, and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
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
        Ok(lead(&self.0, &to))
    }

    async fn refuse(
        &self,
        context: &Context,
        request: &Request,
        refusal: &Refusal,
        decision: &Decision,
    ) -> Answer {
        authorization::refuse(context, request, refusal, decision).await
    }
}
