//! Accepting an invitation by a passkey (C082): what it is to be made of, and that it was made.

use std::sync::Arc;

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    server::{
        Answer, Context, Decision, Endpoint, Metadata, Path, Refusal, Request, Route, SealKind,
        authorization,
    },
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
        let (subject, invitation) = InvitationPage(desk.clone())
            .meant(context, invitation)
            .await?;
        decision.is_by(&subject.id);
        let page = PasskeyPage {
            context,
            browser: &secret,
        };
        let passkeys = passkeys(desk)?;
        let asked = match invitation.recover {
            true => passkeys.recovery_options(&page, &subject),
            false => passkeys.creation_options(&page, &subject).await?,
        };
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
    /// Uses the invitation up, registers the passkey, and signs the person in. What a browser could
    /// not make uses nothing up.
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
        let page = PasskeyPage {
            context,
            browser: &secret,
        };
        let words = desk.frame(request, "").words();
        let new = NewPasskey {
            subject: &subject,
            name: DisplayName::parse(words.usual_name()).expect("a name of ours"),
            sent: request.required("credential")?,
        };
        let passkeys = passkeys(desk)?;
        let checked = passkeys.check(&page, new).await;
        let checked = checked.map_err(|error| error.at_change(words))?;
        // From here on it is used, whoever tried at the same time.
        let taken = Invitation::take(artifacts, &token, now).await?;
        let (_, invitation) = invitations.meant(context, taken).await?;
        if invitation.recover {
            invitations.end_ways(context, &subject, &actor).await?;
        }
        let role = desk.registry.operators.get(&subject.id).await?;
        invitations.check_role(&invitation, role.as_deref())?;
        let made = passkeys.register(context, checked, role.as_deref(), &actor);
        let passkey = made.await.map_err(|error| error.at_change(words))?;
        invitations
            .end_others(context, &subject, invitation.recover)
            .await?;
        let visitor = desk.visitor(context, request.headers()).await?;
        let proof = Proof::passkey(&passkey);
        let next = invitations.next(request, &invitation);
        invitations
            .begin(context, &visitor, (&subject, proof), next)
            .await
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
