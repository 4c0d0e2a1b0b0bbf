//! What the pages share: where they are, who signs in and how, and what is registered.

use std::{sync::Arc, time::Duration};

use askama::Template;
use grantor::{
    clock::UnixTime,
    registry::{
        Actor, Operator, Passkey, Password, PasswordDigest, Permission, Resource as _, ScopeText,
    },
    server::{
        Body, Context, Refusal, Request, SealKind,
        authorization::{self, SignedIn},
    },
    storage::{
        Artifact, ArtifactKey, ArtifactKind, Batch, Change, DecisionStore, Put, Registry,
        StoreError, SubjectPermissions,
    },
    types::{ErrorCode, Rule, SubjectId},
};
use http::{HeaderMap, Response, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::{
    BrowserSecret, Site,
    html::{self, Frame},
    look::{self, Choice},
};
use crate::person::{Busy, Passkeys, Passwords, Presence, Proof, Session, SessionKind, Sessions};

/// How long a page may be open before its form is sent.
pub const PAGE_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// Where invitations are accepted, below the issuer.
pub const INVITATION: &str = "invitation";
/// The same for operators, who need no pages of people.
pub const INVITATION_TO_CONSOLE: &str = "console/invitation";

/// Where people come to: to their own pages, or to the console.
pub struct Desk {
    pub kind: SessionKind,
    pub site: Site,
    pub sessions: Sessions,
    pub passwords: Passwords,
    /// Whether people sign in by a password here.
    pub has_passwords: bool,
    /// Passkeys, if people sign in by them, and browsers can (DC8).
    pub passkeys: Option<Passkeys>,
    pub registry: Registries,
    pub decisions: Arc<dyn DecisionStore>,
    /// How long access tokens live: what was given out works that long at most.
    pub token_lifetime: Duration,
}

/// What is registered of people.
#[derive(Clone)]
pub struct Registries {
    pub operators: Arc<dyn Registry<Operator>>,
    pub passwords: Arc<dyn Registry<Password>>,
    pub passkeys: Arc<dyn Registry<Passkey>>,
    /// Where several of them are changed at once.
    pub batch: Arc<dyn Batch>,
    pub permissions: Arc<dyn Registry<Permission>>,
    pub of_subjects: Arc<dyn SubjectPermissions>,
    pub scope_texts: Arc<dyn Registry<ScopeText>>,
}

/// The browser that sent a request, and who is signed in there.
pub struct Visitor {
    pub secret: Option<BrowserSecret>,
    pub session: Option<Session>,
    /// At the console: what who is signed in may do.
    pub operator: Option<Arc<Operator>>,
}

/// The ticket of a form that no authorization request stands behind.
#[derive(Serialize, Deserialize)]
struct FormTicket {
    until: UnixTime,
}

/// The ticket of a form that is taken once, and was.
const USED: ArtifactKind = ArtifactKind::new("grantor:form-used");

const FORM: SealKind = SealKind::new("grantor:form");

impl Desk {
    /// The path below the issuer where people sign in.
    pub fn sign_in(&self) -> &'static str {
        match self.kind {
            SessionKind::Person => "signin",
            SessionKind::Console => "console/signin",
        }
    }

    /// Where they choose how, by an invitation.
    pub fn invitation(&self) -> &'static str {
        match self.kind {
            SessionKind::Person => INVITATION,
            SessionKind::Console => INVITATION_TO_CONSOLE,
        }
    }

    /// Where an invitation is accepted by a passkey.
    pub fn invitation_passkey(&self) -> &'static str {
        match self.kind {
            SessionKind::Person => "invitation/passkey",
            SessionKind::Console => "console/invitation/passkey",
        }
    }

    /// Where a browser asks what that passkey is to be made of.
    pub fn invitation_options(&self) -> &'static str {
        match self.kind {
            SessionKind::Person => "invitation/passkey/options",
            SessionKind::Console => "console/invitation/passkey/options",
        }
    }

    /// Where what a passkey proved is taken.
    pub fn passkey_sign_in(&self) -> &'static str {
        match self.kind {
            SessionKind::Person => "signin/passkey",
            SessionKind::Console => "console/signin/passkey",
        }
    }

    /// Where a browser asks what a passkey is to sign.
    pub fn passkey_options(&self) -> &'static str {
        match self.kind {
            SessionKind::Person => "signin/passkey/options",
            SessionKind::Console => "console/signin/passkey/options",
        }
    }

    /// And where they sign out.
    pub fn sign_out(&self) -> &'static str {
        match self.kind {
            SessionKind::Person => "signout",
            SessionKind::Console => "console/signout",
        }
    }

    /// The page that one comes to who wants nothing else.
    pub fn home(&self) -> &'static str {
        match self.kind {
            SessionKind::Person => "me",
            SessionKind::Console => "console",
        }
    }

    /// What stands around a page that answers this request, and whose form goes to this path.
    pub fn frame(&self, request: &Request, action: &str) -> Frame {
        let kept = look::keeping(request.uri().query().unwrap_or_default());
        Frame::new(&self.site, request.headers(), request.uri(), &kept, action)
    }

    /// A page that answers this request. A choice of language or theme in it is kept.
    pub fn page(&self, request: &Request, template: &impl Template) -> Response<Body> {
        let mut response = html::page(template);
        // Clients open the pages of people in popups, and the console nobody does.
        if self.kind == SessionKind::Console {
            response = html::apart(response);
        }
        let choice = Choice::of(request.uri().query().unwrap_or_default());
        for cookie in choice.cookies(&self.site) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }

    /// Who sent a request with these headers. At the console somebody without a role is nobody: it is
    /// looked up on each request (M110).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn visitor(
        &self,
        context: &Context,
        headers: &HeaderMap,
    ) -> Result<Visitor, StoreError> {
        let secret = BrowserSecret::sent(&self.site, headers);
        let session = match &secret {
            Some(secret) => {
                let presence = Presence::of(headers);
                self.sessions.find(context, secret, presence).await?
            }
            None => None,
        };
        let mut visitor = Visitor {
            secret,
            session,
            operator: None,
        };
        if let (SessionKind::Console, Some(session)) = (self.kind, &visitor.session) {
            let operators = &self.registry.operators;
            visitor.operator = operators.get(&session.subject.id).await?;
            visitor.session = visitor.session.filter(|_| visitor.operator.is_some());
        }
        Ok(visitor)
    }

    /// Sets the password of a subject that has this role, or none, in the same commit. Answers what is
    /// proved by it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if role or password were changed meanwhile, or the password was taken.
    pub async fn set_password(
        &self,
        subject: &SubjectId,
        role: Option<&Operator>,
        digest: PasswordDigest,
        now: UnixTime,
        by: &Actor,
    ) -> Result<Proof, StoreError> {
        let passwords = &self.registry.passwords;
        let change = match passwords.get(subject).await? {
            None => Change::Create(Password::new(subject.clone(), digest.clone(), now)),
            Some(known) => Change::Replace(known.changed(digest.clone(), now)),
        };
        let seen = role.map(|role| role.revision);
        let same_role = Change::<Operator>::Expect(subject.clone(), seen);
        let changes = vec![same_role.into(), change.into()];
        self.registry.batch.apply_all(changes, by).await?;
        let set = passwords.get(subject).await?;
        let set = set.filter(|password| password.digest == digest);
        let set = set.ok_or(StoreError::Conflict(Password::NAME))?;
        Ok(Proof::password(set.revision))
    }

    /// The ticket of a form: for this browser, and for this action alone.
    pub fn ticket(&self, context: &Context, action: &str, secret: &BrowserSecret) -> String {
        let ticket = FormTicket {
            until: context.now().plus(PAGE_LIFETIME),
        };
        context
            .seals()
            .seal(FORM, &self.holder(action, secret), &ticket)
    }

    /// Lets a form go on, if and only if a page of ours was shown to this browser for this action,
    /// and the form was sent from there (M162).
    ///
    /// # Errors
    /// [`Rule::Origin`], [`Rule::Ticket`]
    pub fn check_form(
        &self,
        context: &Context,
        request: &Request,
        action: &str,
        visitor: &Visitor,
    ) -> Result<(), Refusal> {
        self.check_origin(request.headers())?;
        self.check_ticket(context, request.parameter("t"), action, visitor)
    }

    /// Lets a form go on, if and only if it was sent from a page of this desk.
    ///
    /// # Errors
    /// [`Rule::Origin`]
    pub fn check_origin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        authorization::check_origin_is(self.site.origin(), headers)
    }

    /// Lets a form go on, if and only if a page of ours was shown to this browser for this action.
    ///
    /// # Errors
    /// [`Rule::Ticket`]
    pub fn check_ticket(
        &self,
        context: &Context,
        ticket: Option<&str>,
        action: &str,
        visitor: &Visitor,
    ) -> Result<(), Refusal> {
        let opened = visitor
            .secret
            .as_ref()
            .zip(ticket)
            .and_then(|(secret, text)| {
                let holder = self.holder(action, secret);
                context.seals().open::<FormTicket>(FORM, &holder, text)
            });
        match opened {
            Some(ticket) if context.now() < ticket.until => Ok(()),
            _ => Err(too_old("the ticket does not open, or no more")),
        }
    }

    /// Succeeds if and only if the form with this ticket has not been sent before.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if it was.
    pub async fn use_up(&self, context: &Context, ticket: &str) -> Result<(), StoreError> {
        let (key, now) = (ArtifactKey::of(USED, ticket), context.now());
        let used = Artifact::new(now, now.plus(PAGE_LIFETIME));
        match context.artifacts().put(key, used, u64::MAX).await? {
            Put::Kept | Put::OverQuota => Ok(()),
        }
    }

    fn holder(&self, action: &str, secret: &BrowserSecret) -> String {
        format!("{}\n{action}\n{}", self.home(), secret.expose())
    }
}

impl Visitor {
    /// The person, as the authorization line knows them.
    pub fn signed_in(&self) -> Option<SignedIn> {
        let (session, secret) = (self.session.as_ref()?, self.secret.as_ref()?);
        let id = session.subject.id.clone();
        let signed_in = SignedIn::new(id, session.signed_in_at, secret.expose());
        Some(signed_in.by(session.method()))
    }

    /// The browser's secret; a new one if it has none.
    pub fn secret_or_new(&self) -> BrowserSecret {
        self.secret.clone().unwrap_or_else(BrowserSecret::random)
    }
}

/// The page was open too long, or belongs to another browser.
pub fn too_old(cause: &'static str) -> Refusal {
    Refusal::new(
        ErrorCode::ACCESS_DENIED,
        Rule::Ticket,
        "this page is too old, was used, or belongs to another browser",
    )
    .with_status(StatusCode::FORBIDDEN)
    .because(cause)
}

/// Whether a refusal says [that](busy): nothing that was typed is wrong.
pub fn is_busy(refusal: &Refusal) -> bool {
    *refusal.code() == ErrorCode::TEMPORARILY_UNAVAILABLE
}

/// Too many passwords are being looked at.
pub fn busy(error: Busy) -> Refusal {
    Refusal::new(
        ErrorCode::TEMPORARILY_UNAVAILABLE,
        Rule::Password,
        "too many people are signing in at this moment",
    )
    .because(error)
}
