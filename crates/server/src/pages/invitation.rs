//! The page of an invitation: a person chooses how to sign in, once (C080 to C083).

use std::sync::Arc;

use askama::Template;
use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    registry::{Actor, Operator, PasskeyFilter, PasswordDigest, Subject},
    server::{
        Answer, Blame, Context, Decision, Endpoint, Metadata, Path, Refusal, Request, Route,
        authorization,
    },
    storage::StoreError,
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
use crate::person::{Invitation, Password, Proof, SessionKind};

const ACTION: &str = "invitation";

/// Where an invitation is accepted: at the pages of people, or at the console by who has a role.
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
        let frame = desk.frame(request, desk.invitation());
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
        let actor = authorization::actor(request, &subject, decision);
        if invitation.recover {
            self.end_passkeys(context, &subject, &actor).await?;
        }
        let proof = self
            .set_password(&subject, &invitation, digest, now, &actor)
            .await?;
        // Behind the change, so that nobody comes in by the password of before.
        self.end_others(context, &subject, invitation.recover)
            .await?;
        let next = match (desk.kind, invitation.recover) {
            (SessionKind::Person, true) => desk.site.path("me") + "?recovered",
            (SessionKind::Person, false) => desk.site.path("me"),
            (SessionKind::Console, _) => desk.site.path("console/account"),
        };
        self.begin(context, &visitor, (&subject, proof), &next)
            .await
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

    /// C083: all passkeys of the person end. The sessions end before them: a passkey that is made in
    /// one of them at this moment goes by itself.
    async fn end_passkeys(
        &self,
        context: &Context,
        subject: &Subject,
        actor: &Actor,
    ) -> Result<(), Refusal> {
        let desk = &self.0;
        desk.sessions.end_all(context, subject).await?;
        let (passkeys, of_subject) = (&desk.registry.passkeys, PasskeyFilter::of(&subject.id));
        for passkey in passkeys.all_of(&of_subject).await? {
            match passkeys.delete(&passkey.credential, actor).await {
                Ok(()) | Err(StoreError::Missing(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn begin(
        &self,
        context: &Context,
        visitor: &Visitor,
        (subject, proof): (&Subject, Proof),
        next: &str,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let before = visitor.secret.as_ref();
        let secret = desk.sessions.begin(context, before, subject, proof).await?;
        let response = html::see_other(next);
        Ok(Answer::new(with_cookie(response, secret.set(&desk.site))))
    }

    /// Sets the password, if the invitation is good for the role that the subject has in the same
    /// commit.
    async fn set_password(
        &self,
        subject: &Subject,
        invitation: &Invitation,
        digest: PasswordDigest,
        now: UnixTime,
        actor: &Actor,
    ) -> Result<Proof, Refusal> {
        let role = self.0.registry.operators.get(&subject.id).await?;
        let role = role.as_deref();
        self.check_role(invitation, role)?;
        let set = self.0.set_password(&subject.id, role, digest, now, actor);
        set.await.map_err(|error| match error {
            StoreError::Conflict(_) => no_invitation("a role or password was set meanwhile"),
            other => other.into(),
        })
    }

    /// Whom an invitation is for, if that is somebody still, with no other role than then.
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
        self.check_role(&invitation, role.as_deref())?;
        Ok((subject, invitation))
    }

    /// Succeeds if the invitation is good for who has this role now, here.
    fn check_role(&self, invitation: &Invitation, role: Option<&Operator>) -> Result<(), Refusal> {
        match (self.0.kind, role) {
            (SessionKind::Console, None) => Err(no_invitation("its subject has no role")),
            _ if invitation.is_good_for(role) => Ok(()),
            _ => Err(no_invitation(
                "it was made before its subject had this role",
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
        let name = match self.0.kind {
            SessionKind::Person => "invitation",
            SessionKind::Console => "console_invitation",
        };
        Route::page(name, Path::Suffix(self.0.invitation()))
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
        let frame = self.0.frame(request, self.0.invitation());
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
