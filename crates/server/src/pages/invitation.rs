//! The page of an invitation: a person chooses how to sign in, once (C080 to C083).

pub mod passkey;

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
    BrowserSecret, Named, Notice,
    desk::{Desk, Visitor, busy, is_busy},
    html::{self, Frame, with_cookie},
    markup,
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
    has_password: bool,
    /// Where a passkey is sent, where the browser asks what it is to be made of, and the ticket of
    /// both.
    passkey: Option<[String; 3]>,
    fault: Option<&'a str>,
}

impl InvitationPage {
    /// What the form of a passkey says, where people sign in by one.
    fn passkey(
        &self,
        context: &Context,
        secret: &BrowserSecret,
        token: &str,
    ) -> Option<[String; 3]> {
        let desk = &self.0;
        desk.passkeys.as_ref()?;
        Some([
            desk.site.path(desk.invitation_passkey()),
            desk.site.path(desk.invitation_options()),
            passkey::ticket(context, secret, token),
        ])
    }

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
            has_password: desk.has_passwords,
            passkey: self.passkey(context, &secret, token),
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
        let words = desk.frame(request, "").words();
        let unfit = |unfit| unfit_password(words.unfit(unfit)).because(unfit);
        let password = password.map_err(unfit)?;
        let digest = desk.passwords.hash(password).await.map_err(busy)?;
        // From here on it is used, whoever tried at the same time.
        let taken = Invitation::take(artifacts, token, now).await?;
        let (subject, invitation) = self.meant(context, taken).await?;
        let actor = authorization::actor(request, &subject, decision);
        if invitation.recover {
            self.end_ways(context, &subject, &actor).await?;
        }
        let proof = self
            .set_password(&subject, &invitation, digest, now, &actor)
            .await?;
        // Behind the change, so that nobody comes in by the password of before.
        self.end_others(context, &subject, invitation.recover)
            .await?;
        let next = self.next(request, &invitation);
        self.begin(context, &visitor, (&subject, proof), next).await
    }

    /// C093: with another password all sessions end. C083: where the person recovers, whoever had a
    /// way in has none any more. Permissions stay: the person looks through them on the page that
    /// comes next.
    pub(super) async fn end_others(
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

    /// C083: all ways to sign in of the person end. The sessions end before them: a passkey that is
    /// made in one of them at this moment goes by itself.
    pub(super) async fn end_ways(
        &self,
        context: &Context,
        subject: &Subject,
        actor: &Actor,
    ) -> Result<(), Refusal> {
        let desk = &self.0;
        desk.sessions.end_all(context, subject).await?;
        let ended = |ended| match ended {
            Ok(()) | Err(StoreError::Missing(_)) => Ok(()),
            Err(error) => Err(error),
        };
        let (passkeys, of_subject) = (&desk.registry.passkeys, PasskeyFilter::of(&subject.id));
        for passkey in passkeys.all_of(&of_subject).await? {
            ended(passkeys.delete(&passkey.credential, actor).await)?;
        }
        ended(desk.registry.passwords.delete(&subject.id, actor).await)?;
        Ok(())
    }

    /// Where one comes to who has accepted, and what is said there.
    pub(super) fn next(
        &self,
        request: &Request,
        invitation: &Invitation,
    ) -> (String, Option<Notice>) {
        let desk = &self.0;
        let recovered = || {
            let words = desk.frame(request, "").words();
            Notice::of(markup(words.recovered()))
        };
        match desk.kind {
            SessionKind::Person => (desk.site.path("me"), invitation.recover.then(recovered)),
            SessionKind::Console => (desk.site.path("console/account"), None),
        }
    }

    pub(super) async fn begin(
        &self,
        context: &Context,
        visitor: &Visitor,
        (subject, proof): (&Subject, Proof),
        (path, notice): (String, Option<Notice>),
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let before = visitor.secret.as_ref();
        let secret = desk.sessions.begin(context, before, subject, proof).await?;
        let place = match notice {
            Some(notice) => notice.on(&path, context, &secret),
            None => path,
        };
        let response = html::see_other(&place);
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
    pub(super) async fn meant(
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
    pub(super) fn check_role(
        &self,
        invitation: &Invitation,
        role: Option<&Operator>,
    ) -> Result<(), Refusal> {
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

fn unfit_password(text: &'static str) -> Refusal {
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
        context: &Context,
        request: &Request,
        refusal: &Refusal,
        decision: &Decision,
    ) -> Answer {
        let subject = decision.subject.as_ref();
        let (Rule::Password, Some(subject)) = (refusal.rule(), subject) else {
            return refused(&self.0, request, refusal, decision);
        };
        let frame = self.0.frame(request, self.0.invitation());
        let token = request.parameter("token").unwrap_or_default();
        let secret = BrowserSecret::sent(&self.0.site, request.headers());
        let passkey = secret.and_then(|secret| self.passkey(context, &secret, token));
        // It was there a moment ago; without it the next try says so.
        let found = Invitation::find(context.artifacts(), token, context.now()).await;
        let recover = matches!(found, Ok(Some(Invitation { recover: true, .. })));
        let view = View {
            has_password: self.0.has_passwords,
            passkey,
            words: frame.words(),
            subject: subject.as_str(),
            recover,
            signed_out: None,
            ticket: request.parameter("t").unwrap_or_default(),
            token,
            fault: Some(match is_busy(refusal) {
                true => frame.words().too_many_sign_in(),
                false => refusal.public_text(),
            }),
            frame,
        };
        Answer::refusing(refusal, self.0.page(request, &view))
    }
}
