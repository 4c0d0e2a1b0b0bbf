//! A valid authorization request: what a client asks a person for, and how it travels from page to
//! page without anything being written.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    AuthorizationError, RedirectTarget, SignedIn, challenge::Challenge, form::AuthorizationForm,
    target::client_of,
};
use crate::{
    clock::UnixTime,
    registry::Client,
    server::{Context, Decision, Refusal, Request, SealKind, policy},
    types::{ClientId, Scope, Shown},
};

/// How long a ticket is good for.
pub(super) const TICKET_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// What a client asks a person for: an authorization request (RFC 6749 §4.1.1) whose client,
/// redirect URI and parameters are good, or a consent link.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    client: Arc<Client>,
    /// `None` for a consent link, which no client waits for.
    reply: Option<Reply>,
    wanted: Wanted,
    scope: Scope,
    is_answered: bool,
}

/// What is needed to answer the client.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) target: RedirectTarget,
    pub(super) challenge: Challenge,
    pub(super) resource: Option<String>,
}

/// What is wanted, as it was asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Wanted {
    pub(super) scope: Option<Scope>,
    pub(super) prompt: Prompt,
    pub(super) max_age: Option<u64>,
    pub(super) login_hint: Option<String>,
    pub(super) ui_locales: Option<String>,
    /// When the request was read.
    pub(super) at: UnixTime,
}

impl Wanted {
    /// Nothing in particular.
    pub(super) fn at(at: UnixTime) -> Self {
        Self {
            scope: None,
            prompt: Prompt::default(),
            max_age: None,
            login_hint: None,
            ui_locales: None,
            at,
        }
    }
}

/// Which pages have to be shown, or must not be (OpenID Connect Core §3.1.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Prompt {
    /// `none`: no page at all.
    pub(super) none: bool,
    /// `login` or `select_account`: sign in again.
    pub(super) login: bool,
    /// `consent`: ask again.
    pub(super) consent: bool,
}

impl Prompt {
    /// The values that are understood.
    pub(super) const VALUES: [&str; 4] = ["none", "login", "consent", "select_account"];

    pub(super) fn parse(text: &str) -> Result<Self, AuthorizationError> {
        let mut prompt = Self::default();
        for value in text.split(' ') {
            match value {
                "none" => prompt.none = true,
                "login" | "select_account" => prompt.login = true,
                "consent" => prompt.consent = true,
                _ => return Err(AuthorizationError::Prompt(text.into())),
            }
        }
        match prompt.none && (prompt.login || prompt.consent) {
            true => Err(AuthorizationError::Prompt(text.into())),
            false => Ok(prompt),
        }
    }
}

/// What a ticket is inside, beside what its page adds.
#[derive(Serialize, Deserialize)]
struct Travelling<T> {
    client: ClientId,
    number: u64,
    reply: Option<TravellingReply>,
    wanted: Wanted,
    until: UnixTime,
    page: T,
}

#[derive(Serialize, Deserialize)]
struct TravellingReply {
    uri: String,
    state: Option<String>,
    challenge: Challenge,
    resource: Option<String>,
}

impl AuthorizationRequest {
    /// Asks for this, if and only if it may be asked for: within the client's registered scope, and
    /// for nothing that is the server's own.
    pub(super) fn new(
        client: Arc<Client>,
        reply: Option<Reply>,
        wanted: Wanted,
    ) -> Result<Self, AuthorizationError> {
        let registered = &client.metadata().scope;
        let scope = match &wanted.scope {
            None => registered.clone().without_reserved(),
            Some(scope) => {
                if let Some(reserved) = scope.reserved_tokens().next() {
                    return Err(AuthorizationError::ReservedScope(Shown::of(reserved)));
                }
                policy::within(scope, registered)?;
                scope.clone()
            }
        };
        Ok(Self {
            client,
            reply,
            wanted,
            scope,
            is_answered: false,
        })
    }

    /// Reads a request to the authorization endpoint.
    ///
    /// # Errors
    /// [`Refusal`]; one that goes to the client as soon as client and redirect URI are proven.
    pub async fn read(
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Self, Refusal> {
        let form = AuthorizationForm::of(request);
        let target = form.target(context, decision).await?;
        form.request(context, target.clone())
            .map_err(|error| Refusal::from(error).towards(target))
    }

    /// Reads a consent link: `client_id`, and perhaps `scope` and `login_hint`, of a client that asks
    /// for consent.
    ///
    /// # Errors
    /// [`Refusal`]
    pub async fn read_link(
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Self, Refusal> {
        Ok(AuthorizationForm::of(request)
            .link(context, decision)
            .await?)
    }

    /// The client that asks.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// What it asks for: all that it may get, where it does not say.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Where the person goes afterwards; `None` for a consent link.
    pub fn target(&self) -> Option<&RedirectTarget> {
        self.reply.as_ref().map(|reply| &reply.target)
    }

    /// The name that the client believes the person has (OpenID Connect Core §3.1.2.1). It proves
    /// nothing.
    pub fn login_hint(&self) -> Option<&str> {
        self.wanted.login_hint.as_deref()
    }

    /// The languages that the client believes the person reads, the best first, separated by spaces.
    pub fn ui_locales(&self) -> Option<&str> {
        self.wanted.ui_locales.as_deref()
    }

    pub(super) fn reply(&self) -> Option<&Reply> {
        self.reply.as_ref()
    }

    pub(super) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Whether the person has just said yes to it.
    pub(super) fn is_answered(&self) -> bool {
        self.is_answered
    }

    /// The same, to which the person has just said yes.
    pub(super) fn answered(self) -> Self {
        Self {
            is_answered: true,
            ..self
        }
    }

    /// A refusal of this request, which goes to the client if one waits.
    pub(in crate::server) fn refused(&self, error: impl Into<Refusal>) -> Refusal {
        let refusal = error.into();
        match self.target() {
            Some(target) => refusal.towards(target.clone()),
            None => refusal,
        }
    }

    /// A ticket with which the request goes on after somebody has signed in at this browser.
    /// `browser` is a text that nobody else knows, kept in a cookie.
    pub fn ticket(&self, context: &Context, browser: &str) -> String {
        self.sealed(context, SealKind::SIGN_IN, browser, ())
    }

    /// The request of a [`ticket`](Self::ticket), if it is one of this browser's, from the last 15
    /// minutes, and the client may still ask.
    ///
    /// # Errors
    /// [`Refusal`]
    pub async fn resume(
        context: &Context,
        ticket: &str,
        browser: &str,
        decision: &mut Decision,
    ) -> Result<Self, Refusal> {
        let opened = Self::opened(context, SealKind::SIGN_IN, browser, ticket, decision);
        let (request, ()) = opened.await?;
        Ok(request)
    }

    /// As text, with what a page adds.
    pub(super) fn sealed(
        &self,
        context: &Context,
        kind: SealKind,
        holder: &str,
        page: impl Serialize,
    ) -> String {
        let reply = self.reply.as_ref().map(|reply| TravellingReply {
            uri: reply.target.uri().to_owned(),
            state: reply.target.state().map(str::to_owned),
            challenge: reply.challenge.clone(),
            resource: reply.resource.clone(),
        });
        let travelling = Travelling {
            client: self.client.id().clone(),
            number: self.client.revision().number,
            reply,
            wanted: self.wanted.clone(),
            until: context.now().plus(TICKET_LIFETIME),
            page,
        };
        context.seals().seal(kind, holder, &travelling)
    }

    /// Opens what [`sealed`](Self::sealed) made. Client and redirect URI are looked at again.
    pub(super) async fn opened<T: for<'d> Deserialize<'d>>(
        context: &Context,
        kind: SealKind,
        holder: &str,
        ticket: &str,
        decision: &mut Decision,
    ) -> Result<(Self, T), AuthorizationError> {
        let opened: Option<Travelling<T>> = context.seals().open(kind, holder, ticket);
        let travelling = opened.ok_or(AuthorizationError::Ticket("does not open"))?;
        if travelling.until <= context.now() {
            return Err(AuthorizationError::Ticket("is older than 15 minutes"));
        }
        let client = client_of(context, Some(travelling.client.as_str()), decision).await?;
        if client.revision().number != travelling.number {
            return Err(AuthorizationError::OtherClient);
        }
        let reply = |reply: TravellingReply| {
            let target = RedirectTarget::of(client.clone(), &reply.uri)?;
            Ok::<_, AuthorizationError>(Reply {
                target: target.with_state(reply.state).behind_form(),
                challenge: reply.challenge,
                resource: reply.resource,
            })
        };
        let reply = travelling.reply.map(reply).transpose()?;
        let target = reply.as_ref().map(|reply| reply.target.clone());
        let request = Self::new(client, reply, travelling.wanted);
        let request = request.map_err(|error| match target {
            Some(target) => Refusal::from(error).towards(target).into(),
            None => error,
        })?;
        Ok((request, travelling.page))
    }

    /// Whether this person signed in recently enough: at most so long ago, or since the client asked.
    pub(super) fn has_signed_in_within(
        &self,
        signed_in: &SignedIn,
        longest: Duration,
        now: UnixTime,
    ) -> bool {
        signed_in.at() >= self.wanted.at || now.minus(longest) <= signed_in.at()
    }
}
