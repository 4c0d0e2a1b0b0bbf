//! Accepting an invitation by a passkey (C082): what it is to be made of, and that it was made.

use std::sync::Arc;

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    registry::{Actor, Passkey, Subject},
    server::{
        Answer, Context, Decision, Endpoint, Metadata, Path, Refusal, Request, Route, SealKind,
        authorization,
    },
    storage::StoreError,
    types::DisplayName,
};
use http::Method;
use serde::{Deserialize, Serialize};

use super::InvitationPage;
use crate::{
    pages::{
        BrowserSecret,
        desk::{Desk, PAGE_LIFETIME, too_old},
        html,
        passkey::{options, passkeys},
        refusal::refused,
    },
    person::{Invitation, NewPasskey, PasskeyPage, Proof, SessionKind},
};

const TICKET: SealKind = SealKind::new("grantor:invitation-ticket");

/// The ticket of the form: which invitation it is about. The script that asks for options sends
/// nothing else.
#[derive(Serialize, Deserialize)]
struct Ticket {
    token: String,
    until: UnixTime,
}

/// What the passkey of somebody who is invited is to be made of.
pub struct OptionsEndpoint(pub Arc<Desk>);

/// Where an invitation is accepted by a passkey.
pub struct AcceptEndpoint(pub InvitationPage);

/// The ticket of the form that accepts this invitation.
pub fn ticket(context: &Context, secret: &BrowserSecret, token: &str) -> String {
    let ticket = Ticket {
        token: token.to_owned(),
        until: context.now().plus(PAGE_LIFETIME),
    };
    context.seals().seal(TICKET, secret.expose(), &ticket)
}

/// The token of the invitation that a form is about, and the browser that sent it.
fn opened(
    desk: &Desk,
    context: &Context,
    request: &Request,
) -> Result<(String, BrowserSecret), Refusal> {
    desk.check_origin(request.headers())?;
    let secret = BrowserSecret::sent(&desk.site, request.headers());
    let secret = secret.ok_or_else(|| too_old("the browser sent no cookie"))?;
    let text = request.parameter("t").unwrap_or_default();
    let ticket: Option<Ticket> = context.seals().open(TICKET, secret.expose(), text);
    match ticket {
        Some(ticket) if context.now() < ticket.until => Ok((ticket.token, secret)),
        _ => Err(too_old("the ticket does not open, or no more")),
    }
}

#[async_trait]
impl Endpoint for OptionsEndpoint {
    fn route(&self) -> Route {
        let name = match self.0.kind {
            SessionKind::Person => "invitation_options",
            SessionKind::Console => "console_invitation_options",
        };
        Route::page(name, Path::Suffix(self.0.invitation_options()))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    /// Nothing is used up (C081), and nothing is kept.
    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        decision.waits();
        if request.method() != Method::POST {
            let place = desk.site.path(desk.invitation());
            return Ok(Answer::new(html::see_other(&place)));
        }
        let (token, secret) = opened(desk, context, request)?;
        let invitation = Invitation::find(context.artifacts(), &token, context.now()).await?;
        let (subject, _) = InvitationPage(desk.clone())
            .meant(context, invitation)
            .await?;
        decision.is_by(&subject.id);
        let page = PasskeyPage {
            context,
            browser: &secret,
        };
        let asked = passkeys(desk)?.creation_options(&page, &subject).await?;
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

impl AcceptEndpoint {
    /// Registers the passkey, and uses the invitation up. Where somebody else was faster with that,
    /// the passkey goes again.
    async fn accept(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let invitations = &self.0;
        let desk = &invitations.0;
        let (token, secret) = opened(desk, context, request)?;
        let (artifacts, now) = (context.artifacts(), context.now());
        let invitation = Invitation::find(artifacts, &token, now).await?;
        let (subject, _) = invitations.meant(context, invitation).await?;
        decision.is_by(&subject.id);
        let actor = authorization::actor(request, &subject, decision);
        let passkey = self
            .make(context, request, &secret, &subject, &actor)
            .await?;
        let taken = async {
            let taken = Invitation::take(artifacts, &token, now).await?;
            invitations.meant(context, taken).await
        };
        let (subject, invitation) = match taken.await {
            Ok(meant) => meant,
            Err(refusal) => {
                let passkeys = &desk.registry.passkeys;
                match passkeys.delete(&passkey.credential, &actor).await {
                    Ok(()) | Err(StoreError::Missing(_)) => return Err(refusal),
                    Err(error) => return Err(error.into()),
                }
            }
        };
        if invitation.recover {
            invitations
                .end_ways(context, &subject, Some(&passkey.credential), &actor)
                .await?;
        }
        invitations
            .end_others(context, &subject, invitation.recover)
            .await?;
        let visitor = desk.visitor(context, request.headers()).await?;
        let proof = Proof::passkey(&passkey);
        let next = invitations.next(&invitation);
        invitations
            .begin(context, &visitor, (&subject, proof), &next)
            .await
    }

    async fn make(
        &self,
        context: &Context,
        request: &Request,
        browser: &BrowserSecret,
        subject: &Subject,
        actor: &Actor,
    ) -> Result<Arc<Passkey>, Refusal> {
        let desk = &self.0.0;
        let words = desk.frame(request, "").words();
        let new = NewPasskey {
            subject,
            name: DisplayName::parse(words.usual_name()).expect("a name of ours"),
            sent: request.required("credential")?,
        };
        let role = desk.registry.operators.get(&subject.id).await?;
        let page = PasskeyPage { context, browser };
        let made = passkeys(desk)?.make(&page, new, role.as_deref(), actor);
        made.await.map_err(|error| error.at_change())
    }
}

#[async_trait]
impl Endpoint for AcceptEndpoint {
    fn route(&self) -> Route {
        let desk = &self.0.0;
        let name = match desk.kind {
            SessionKind::Person => "invitation_passkey",
            SessionKind::Console => "console_invitation_passkey",
        };
        Route::page(name, Path::Suffix(desk.invitation_passkey()))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        if request.method() == Method::POST {
            return self.accept(context, request, decision).await;
        }
        decision.waits();
        let desk = &self.0.0;
        let place = desk.site.path(desk.invitation());
        Ok(Answer::new(html::see_other(&place)))
    }

    async fn refuse(
        &self,
        _: &Context,
        request: &Request,
        refusal: &Refusal,
        decision: &Decision,
    ) -> Answer {
        refused(&self.0.0, request, refusal, decision)
    }
}
