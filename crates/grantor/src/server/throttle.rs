//! Those who fail to prove who they are, again and again, are not heard for a while. Who counts as
//! one sender is for the embedder to say: only it knows where a request came from.

use std::{borrow::Cow, fmt, time::Duration};

use http::Extensions;

use super::{AuthorizationHeader, Blame, Decision, Refusal, Request, Route};
use crate::assertion::{Assertion, Held};

/// Counts failures, and says who failed too often. Its methods must not block.
pub trait Throttle: Send + Sync + 'static {
    /// How long this sender has to wait: `None` if and only if it is heard now. Asked before
    /// anything in the request is verified.
    fn wait(&self, attempt: &Attempt<'_>) -> Option<Duration>;

    /// The credentials or the assertion of this attempt were refused.
    fn failed(&self, attempt: &Attempt<'_>);

    /// This attempt was granted what it asked for.
    fn succeeded(&self, attempt: &Attempt<'_>);

    /// Counts a request that could not be read or had no credentials. Answers how long its sender
    /// has to wait, if it sent too many of them. Other requests of that sender are not
    /// affected.
    fn unreadable(&self, extensions: &Extensions) -> Option<Duration> {
        let _ = extensions;
        None
    }
}

/// Hears everybody, always.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unthrottled;

impl Throttle for Unthrottled {
    fn wait(&self, _: &Attempt<'_>) -> Option<Duration> {
        None
    }

    fn failed(&self, _: &Attempt<'_>) {}

    fn succeeded(&self, _: &Attempt<'_>) {}
}

/// A request of which nothing is known but what it says.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    request: &'a Request,
    route: &'a Route,
    /// The assertion that a stage has read.
    held: Option<&'a Held>,
    /// The assertion is said to be of an issuer.
    is_by_issuer: bool,
}

/// What a request claims to come from. Not proven.
enum Claimed<'a> {
    Client(Cow<'a, str>),
    Issuer(Cow<'a, str>),
    Person(&'a str),
}

impl<'a> Attempt<'a> {
    pub(super) fn new(request: &'a Request, route: &'a Route) -> Self {
        Self {
            request,
            route,
            held: None,
            is_by_issuer: false,
        }
    }

    /// The same, once the stages have told this decision what they read.
    fn decided(self, decision: &'a Decision) -> Self {
        Self {
            held: decision.what_held(),
            is_by_issuer: decision.is_by_issuer(),
            ..self
        }
    }

    /// What the embedder attached to the request.
    pub fn extensions(&self) -> &'a Extensions {
        self.request.extensions()
    }

    /// Whose credentials or assertion these claim to be, registered or not: the name that would be
    /// verified first. A bare `client_id` counts only where there is nothing else. On a page it is
    /// the person's name alone ([`Route::naming`]).
    ///
    /// An issuer is nobody's name, once the stages have found that it is one: strangers may share
    /// it, so what fails counts against the address alone.
    ///
    /// [`Throttle::wait`] comes before the stages, and a name that it asks for is read from the
    /// assertion for it alone: an assertion taken apart borrows from the request, which cannot
    /// keep what borrows from itself for the stage. So a throttle asks only where it knows of
    /// failures. Afterwards the name is the one that the stage has read.
    pub fn claimed_party(&self) -> Option<Cow<'a, str>> {
        match self.claimed()? {
            Claimed::Client(name) | Claimed::Issuer(name) => Some(name),
            Claimed::Person(name) => Some(Cow::Borrowed(name)),
        }
    }

    /// Whether the name is one of a person: a client may have the same.
    pub fn is_of_person(&self) -> bool {
        self.route.is_for_people()
    }

    /// Whether it says who its sender is, so that what was granted proves something. A page that is
    /// shown to everybody proves nothing.
    fn can_succeed(&self) -> bool {
        !self.route.is_for_people() || self.claimed().is_some()
    }

    fn claimed(&self) -> Option<Claimed<'a>> {
        let parameter = |name| self.request.parameter(name);
        if self.route.is_for_people() {
            return parameter(self.route.person()?).map(Claimed::Person);
        }
        if self.is_by_issuer {
            return None;
        }
        let client = |id| Claimed::Client(Cow::Borrowed(id));
        let secret = || parameter("client_secret").and(parameter("client_id"));
        let issuer = |name| {
            let token = parameter(name)?;
            if let Some(held) = self.held.filter(|held| held.parameter == Some(name)) {
                return held.said.claims.issuer.as_deref().map(Cow::Borrowed);
            }
            let assertion = Assertion::parse(token).ok()?;
            assertion
                .claimed_issuer()
                .map(|issuer| Cow::Owned(issuer.to_owned()))
        };
        match self.request.authorization() {
            AuthorizationHeader::Basic { id, .. } => Some(client(id)),
            AuthorizationHeader::Unreadable(_) => None,
            AuthorizationHeader::Absent => issuer("client_assertion")
                .map(Claimed::Client)
                .or_else(|| secret().map(client))
                .or_else(|| issuer("assertion").map(Claimed::Issuer))
                .or_else(|| parameter("client_id").map(client)),
        }
    }
}

/// The request, and no claims.
impl fmt::Debug for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

/// Lets the attempt go on, if and only if its sender is heard now.
pub(super) fn check(
    throttle: &dyn Throttle,
    attempt: &Attempt<'_>,
    decision: &mut Decision,
) -> Result<(), Refusal> {
    let Some(wait) = throttle.wait(attempt) else {
        return Ok(());
    };
    match attempt.claimed() {
        Some(Claimed::Client(id)) => decision.claims_client(&id),
        Some(Claimed::Issuer(issuer)) => decision.claims_issuer(&issuer),
        Some(Claimed::Person(_)) | None => {}
    }
    Err(Refusal::throttled(wait))
}

/// Tells those who send too much that proves nothing to wait, instead of what is wrong with it.
pub(super) fn slow_down(
    throttle: &dyn Throttle,
    extensions: &Extensions,
    refusal: Refusal,
) -> Refusal {
    if refusal.blame() != Blame::NoProof {
        return refusal;
    }
    match throttle.unreadable(extensions) {
        // A connection that is to end ends, whoever sent the request.
        Some(wait) if !refusal.closes_the_connection() => Refusal::throttled(wait),
        _ => refusal,
    }
}

/// Tells how the attempt ended. A refusal for anything but the sender's proof counts neither way.
pub(super) fn conclude<T>(
    throttle: &dyn Throttle,
    attempt: Attempt<'_>,
    decision: &Decision,
    outcome: &Result<T, Refusal>,
) {
    let attempt = attempt.decided(decision);
    match outcome {
        Ok(_) if attempt.can_succeed() => throttle.succeeded(&attempt),
        Err(refusal) if refusal.blame() == Blame::FailedProof => throttle.failed(&attempt),
        Ok(_) | Err(_) => {}
    }
}
