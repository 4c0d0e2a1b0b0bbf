//! The page of an invitation: a person chooses how to sign in, once (C080 to C083).

use std::sync::Arc;

use askama::Template;
use async_trait::async_trait;
use grantor::{
    registry::{self, PasswordDigest, Subject},
    server::{
        Answer, Blame, Context, Decision, Endpoint, Metadata, Path, Refusal, Request, Route,
        authorization,
    },
    types::{ErrorCode, Rule},
};
use http::Method;

use super::{
    Named,
    desk::{Desk, Visitor, busy},
    html::{self, Frame, with_cookie},
    refusal::refused,
    words::Words,
};
use crate::person::{Invitation, Password};

const ACTION: &str = "invitation";

/// Where an invitation is accepted.
pub struct InvitationPage(pub Arc<Desk>);

#[derive(Template)]
#[template(path = "invitation.html")]
struct View<'a> {
    frame: Frame,
    words: Words,
    subject: &'a str,
    recover: bool,
    /// Who is signed in at this browser, if it is somebody else.
    signed_out: Option<&'a str>,
    ticket: &'a str,
    token: &'a str,
    fault: Option<&'a str>,
}

impl InvitationPage {
    /// Shows the page. Nothing is used up (C081).
    async fn show(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let token = request.query("token").unwrap_or_default();
        let invitation = Invitation::find(context.artifacts(), token, context.now()).await?;
        let (subject, invitation) = self.meant(context, invitation).await?;
        decision.waits();
        let visitor = desk.visitor(context, request.headers()).await?;
        let secret = visitor.secret_or_new();
        let other = visitor.session.as_ref().map(|session| &session.subject.id);
        let frame = desk.frame(request, "invitation");
        let view = View {
            words: frame.words(),
            frame,
            subject: subject.id.as_str(),
            recover: invitation.recover,
            signed_out: other
                .filter(|other| **other != subject.id)
                .map(|other| other.as_str()),
            ticket: &desk.ticket(context, ACTION, &secret),
            token,
            fault: None,
        };
        let response = desk.page(request, &view);
        Ok(Answer::new(match visitor.secret {
            Some(_) => response,
            None => with_cookie(response, secret.set(&desk.site)),
        }))
    }

    /// Uses the invitation up, sets the password, and signs the person in.
    async fn accept(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let visitor = desk.visitor(context, request.headers()).await?;
        desk.check_form(context, request, ACTION, &visitor)?;
        let (artifacts, now) = (context.artifacts(), context.now());
        let token = request.required("token")?;
        let invitation = Invitation::find(artifacts, token, now).await?;
        let (subject, _) = self.meant(context, invitation).await?;
        decision.is_by(&subject.id);
        let typed = request.parameter("password").unwrap_or_default();
        let password = Password::chosen(typed, &subject.id, desk.site.host());
        let password = password.map_err(|unfit| unfit_password(unfit.to_string()))?;
        let digest = desk.passwords.hash(password).await.map_err(busy)?;
        // From here on it is used, whoever tried at the same time.
        let taken = Invitation::take(artifacts, token, now).await?;
        let (subject, invitation) = self.meant(context, taken).await?;
        self.set_password(context, request, &subject, digest, decision)
            .await?;
        // Behind the change, so that nobody comes in by the password of before.
        self.end_others(context, &subject, invitation.recover)
            .await?;
        let next = match invitation.recover {
            true => desk.site.path("me") + "?recovered",
            false => desk.site.path("me"),
        };
        self.begin(context, &visitor, &subject, &next).await
    }

    /// C093: with another password all sessions end. C083: where the person recovers, whoever had a
    /// way in has none any more. Permissions stay: the person looks through them on the page that
    /// comes next.
    async fn end_others(
        &self,
        context: &Context,
        subject: &Subject,
        recover: bool,
    ) -> Result<(), Refusal> {
        let desk = &self.0;
        desk.sessions.end_all(context, subject).await?;
        if !recover {
            return Ok(());
        }
        let permissions = desk
            .registry
            .of_subjects
            .permissions_for(&subject.id)
            .await?;
        for permission in permissions {
            if let Some(client) = context.clients().client(&permission.client).await? {
                context.end_refresh_tokens(&client, subject).await?;
            }
        }
        Ok(())
    }

    async fn begin(
        &self,
        context: &Context,
        visitor: &Visitor,
        subject: &Subject,
        next: &str,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let before = visitor.secret.as_ref();
        let secret = desk.sessions.begin(context, before, subject).await?;
        let response = html::see_other(next);
        Ok(Answer::new(with_cookie(response, secret.set(&desk.site))))
    }

    async fn set_password(
        &self,
        context: &Context,
        request: &Request,
        subject: &Subject,
        digest: PasswordDigest,
        decision: &Decision,
    ) -> Result<(), Refusal> {
        let actor = authorization::actor(request, subject, decision);
        let now = context.now();
        let passwords = &self.0.registry.passwords;
        match passwords.get(&subject.id).await? {
            None => {
                let password = registry::Password::new(subject.id.clone(), digest, now);
                passwords.create(password, &actor).await?
            }
            Some(known) => {
                passwords
                    .replace(known.changed(digest, now), &actor)
                    .await?
            }
        };
        Ok(())
    }

    /// Whom an invitation is for, if that is somebody still. One that an owner did not make is good
    /// for nobody with a role: whoever kept its link would have that role (M012).
    async fn meant(
        &self,
        context: &Context,
        invitation: Option<Invitation>,
    ) -> Result<(Subject, Invitation), Refusal> {
        let invitation = invitation.ok_or_else(|| no_invitation("unknown, used or ended"))?;
        let subject = context.subjects().subject(&invitation.subject).await?;
        let is_meant =
            |subject: &Subject| subject.enabled && subject.revision.number == invitation.number;
        let subject = subject.filter(is_meant);
        let subject =
            subject.ok_or_else(|| no_invitation("its subject is disabled, or another"))?;
        let role = self.0.registry.operators.get(&subject.id).await?;
        match role.is_none() || invitation.is_of_owner {
            true => Ok((subject, invitation)),
            false => Err(no_invitation(
                "no owner made it, and its subject is an operator",
            )),
        }
    }
}

fn no_invitation(cause: &'static str) -> Refusal {
    Refusal::new(
        ErrorCode::INVALID_REQUEST,
        Rule::Invitation,
        "this invitation was used, has ended, or a newer one was made",
    )
    .blaming(Blame::FailedProof)
    .because(cause)
}

fn unfit_password(text: String) -> Refusal {
    Refusal::new(ErrorCode::INVALID_REQUEST, Rule::Password, text)
}

#[async_trait]
impl Endpoint for InvitationPage {
    fn route(&self) -> Route {
        Route::page("invitation", Path::Suffix("invitation"))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        match request.method() == Method::POST {
            true => self.accept(context, request, decision).await,
            false => self.show(context, request, decision).await,
        }
    }

    /// A password that cannot be one is a fault at its field.
    async fn refuse(
        &self,
        _: &Context,
        request: &Request,
        refusal: &Refusal,
        decision: &Decision,
    ) -> Answer {
        let subject = decision.subject.as_ref();
        let (Rule::Password, Some(subject)) = (refusal.rule(), subject) else {
            return refused(&self.0, request, refusal, decision);
        };
        let frame = self.0.frame(request, "invitation");
        let view = View {
            words: frame.words(),
            frame,
            subject: subject.as_str(),
            recover: false,
            signed_out: None,
            ticket: request.parameter("t").unwrap_or_default(),
            token: request.parameter("token").unwrap_or_default(),
            fault: Some(refusal.public_text()),
        };
        Answer::refusing(refusal, self.0.page(request, &view))
    }
}
