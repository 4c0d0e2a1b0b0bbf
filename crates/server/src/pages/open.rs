//! The page of a console link: it opens the console for an operator, once (M062).

use std::sync::Arc;

use askama::Template;
use async_trait::async_trait;
use grantor::{
    registry::Subject,
    server::{Answer, Blame, Context, Decision, Endpoint, Metadata, Path, Refusal, Request, Route},
    types::{ErrorCode, Rule},
};
use http::Method;

use super::{
    Named,
    desk::Desk,
    html::{self, Frame, with_cookie},
    refusal::refused,
    words,
};
use crate::person::{ConsoleLink, Proof};

const ACTION: &str = "console/open";
/// Where one comes in by a link: to the ways to sign in, of which there may be none yet.
const NEXT: &str = "console/account";

/// Where a console link leads.
pub struct OpenPage(pub Arc<Desk>);

words! {
    /// What the page of a console link says.
    struct Words;
    heading: "Open the console", "Ouvrir la console";
    as_whom(name: Named<'_>): "You come in as {name}. This link works once.", "Vous entrez en tant que {name}. Ce lien fonctionne une seule fois.";
    open: "Open the console", "Ouvrir la console";
}

#[derive(Template)]
#[template(path = "open.html")]
struct View<'a> {
    frame: Frame,
    words: Words,
    subject: &'a str,
    ticket: &'a str,
    token: &'a str,
}

impl OpenPage {
    /// Shows the page. Nothing is used up, as mail scanners and previews open links too.
    async fn show(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let token = request.query("token").unwrap_or_default();
        let link = ConsoleLink::find(context.artifacts(), token, context.now()).await?;
        let (subject, _) = self.meant(context, link).await?;
        decision.waits();
        let visitor = desk.visitor(context, request.headers()).await?;
        let secret = visitor.secret_or_new();
        let frame = desk.frame(request, ACTION);
        let view = View {
            words: Words(frame.language()),
            subject: subject.id.as_str(),
            ticket: &desk.ticket(context, ACTION, &secret),
            token,
            frame,
        };
        let response = desk.page(request, &view);
        Ok(Answer::new(match visitor.secret {
            Some(_) => response,
            None => with_cookie(response, secret.set(&desk.site)),
        }))
    }

    /// Uses the link up, and signs the operator in.
    async fn open(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let visitor = desk.visitor(context, request.headers()).await?;
        desk.check_form(context, request, ACTION, &visitor)?;
        let token = request.required("token")?;
        let link = ConsoleLink::take(context.artifacts(), token, context.now()).await?;
        let (subject, proof) = self.meant(context, link).await?;
        decision.is_by(&subject.id);
        let before = visitor.secret.as_ref();
        let secret = desk.sessions.begin(context, before, &subject, proof);
        let secret = secret.await?;
        let response = html::see_other(&desk.site.path(NEXT));
        Ok(Answer::new(with_cookie(response, secret.set(&desk.site))))
    }

    /// The operator whom a link lets in, if that is one still.
    async fn meant(
        &self,
        context: &Context,
        link: Option<ConsoleLink>,
    ) -> Result<(Subject, Proof), Refusal> {
        let link = link.ok_or_else(|| no_link("unknown, used or ended"))?;
        let subject = context.subjects().subject(&link.subject).await?;
        let is_meant =
            |subject: &Subject| subject.enabled && subject.revision.number == link.number;
        let subject = subject.filter(is_meant);
        let subject = subject.ok_or_else(|| no_link("its subject is disabled, or another"))?;
        match self.0.registry.operators.get(&subject.id).await? {
            Some(role) => Ok((subject, Proof::link(&role))),
            None => Err(no_link("its subject has no role")),
        }
    }
}

fn no_link(cause: &'static str) -> Refusal {
    Refusal::new(
        ErrorCode::INVALID_REQUEST,
        Rule::Invitation,
        "this link was used, or has ended",
    )
    .blaming(Blame::FailedProof)
    .because(cause)
}

#[async_trait]
impl Endpoint for OpenPage {
    fn route(&self) -> Route {
        Route::page("console_open", Path::Suffix(ACTION))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        match request.method() == Method::POST {
            true => self.open(context, request, decision).await,
            false => self.show(context, request, decision).await,
        }
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
