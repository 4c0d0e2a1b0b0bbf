//! What the pages share: where they are, who signs in and how, and what is registered.

use std::{sync::Arc, time::Duration};

use grantor::{
    clock::UnixTime,
    registry::{Operator, Password, Permission, ScopeText},
    server::{
        Context, Refusal, Request, SealKind,
        authorization::{self, SignedIn},
    },
    storage::{Registry, SubjectPermissions},
    types::{ErrorCode, Rule},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{BrowserSecret, Site};
use crate::person::{Busy, Passwords, Session, Sessions};

/// How long a page may be open before its form is sent.
const PAGE_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// Where people come to.
pub struct Desk {
    pub site: Site,
    pub sessions: Sessions,
    pub passwords: Passwords,
    pub registry: Registries,
    /// How long access tokens live: what was given out works that long at most.
    pub token_lifetime: Duration,
}

/// What is registered of people.
pub struct Registries {
    pub operators: Arc<dyn Registry<Operator>>,
    pub passwords: Arc<dyn Registry<Password>>,
    pub permissions: Arc<dyn Registry<Permission>>,
    pub of_subjects: Arc<dyn SubjectPermissions>,
    pub scope_texts: Arc<dyn Registry<ScopeText>>,
}

/// The browser that sent a request, and who is signed in there.
pub struct Visitor {
    pub secret: Option<BrowserSecret>,
    pub session: Option<Session>,
}

/// The ticket of a form that no authorization request stands behind.
#[derive(Serialize, Deserialize)]
struct FormTicket {
    until: UnixTime,
}

const FORM: SealKind = SealKind::new("grantor:form");

impl Desk {
    /// Who sent a request.
    pub async fn visitor(&self, context: &Context, request: &Request) -> Result<Visitor, Refusal> {
        let secret = BrowserSecret::sent(&self.site, request.headers());
        let session = match &secret {
            Some(secret) => self.sessions.find(context, secret).await?,
            None => None,
        };
        Ok(Visitor { secret, session })
    }

    /// The ticket of a form: for this browser, and for this action alone.
    pub fn ticket(&self, context: &Context, action: &str, secret: &BrowserSecret) -> String {
        let ticket = FormTicket {
            until: context.now().plus(PAGE_LIFETIME),
        };
        let holder = holder(action, secret);
        context.seals().seal(FORM, &holder, &ticket)
    }

    /// Lets a form go on, if and only if a page of ours was shown to this browser for this action,
    /// and the form was sent from there (M162).
    pub fn check_form(
        &self,
        context: &Context,
        request: &Request,
        action: &str,
        visitor: &Visitor,
    ) -> Result<(), Refusal> {
        authorization::check_origin(context, request)?;
        let opened = visitor.secret.as_ref().and_then(|secret| {
            let text = request.parameter("t")?;
            let holder = holder(action, secret);
            context.seals().open::<FormTicket>(FORM, &holder, text)
        });
        match opened {
            Some(ticket) if context.now() < ticket.until => Ok(()),
            _ => Err(too_old("the ticket does not open, or no more")),
        }
    }
}

impl Visitor {
    /// The person, as the authorization line knows them.
    pub fn signed_in(&self) -> Option<SignedIn> {
        let (session, secret) = (self.session.as_ref()?, self.secret.as_ref()?);
        let id = session.subject.id.clone();
        let signed_in = SignedIn::new(id, session.signed_in_at, secret.expose());
        Some(signed_in.by("password"))
    }

    /// The browser's secret; a new one if it has none.
    pub fn secret_or_new(&self) -> BrowserSecret {
        self.secret.clone().unwrap_or_else(BrowserSecret::random)
    }
}

fn holder(action: &str, secret: &BrowserSecret) -> String {
    format!("{action}\n{}", secret.expose())
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

/// Too many passwords are being looked at.
pub fn busy(error: Busy) -> Refusal {
    Refusal::new(
        ErrorCode::TEMPORARILY_UNAVAILABLE,
        Rule::Password,
        "too many people are signing in at this moment",
    )
    .because(error)
}
