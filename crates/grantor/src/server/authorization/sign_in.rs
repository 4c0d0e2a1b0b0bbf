//! The person at the browser: who it is, since when, and where one goes who is nobody yet.

use std::time::Duration;

use async_trait::async_trait;

use super::{AuthorizationError, AuthorizationRequest};
use crate::{
    clock::UnixTime,
    registry::Subject,
    server::{Answer, Context, Decision, Refusal, Request},
    types::SubjectId,
};

/// Knows who sits at a browser. How people sign in is its own affair: sessions, passwords and pages
/// are behind it.
#[async_trait]
pub trait SignIn: Send + Sync + 'static {
    /// The person at the browser that sent this request, if and only if the request proves it, by a
    /// session cookie say. Nothing is believed of a person whose account has ended.
    ///
    /// # Errors
    /// [`Refusal`] if it cannot be told.
    async fn signed_in(
        &self,
        context: &Context,
        request: &Request,
    ) -> Result<Option<SignedIn>, Refusal>;

    /// Sends the browser to where a person signs in: a page, or a redirect to one. What is asked for
    /// goes along as a [`ticket`](AuthorizationRequest::ticket), with which the page goes on by
    /// [`advance`](super::advance).
    ///
    /// # Errors
    /// [`Refusal`] if that cannot be done.
    async fn ask(
        &self,
        context: &Context,
        request: &Request,
        wanted: SignInRequest,
    ) -> Result<Answer, Refusal>;
}

/// A person who is signed in at a browser.
#[derive(Clone, Debug)]
pub struct SignedIn {
    subject: SubjectId,
    at: UnixTime,
    session: String,
    method: Option<&'static str>,
}

impl SignedIn {
    /// The subject that signed in, when its password, passkey or the like was last looked at, and a
    /// text that tells this browser's session from all others. Pages of one session are of no use in
    /// another.
    pub fn new(subject: SubjectId, at: UnixTime, session: impl Into<String>) -> Self {
        Self {
            subject,
            at,
            session: session.into(),
            method: None,
        }
    }

    /// Says how, in a word such as `passkey`.
    #[must_use]
    pub fn by(self, method: &'static str) -> Self {
        Self {
            method: Some(method),
            ..self
        }
    }

    /// The subject.
    pub fn subject(&self) -> &SubjectId {
        &self.subject
    }

    /// When it was authenticated.
    pub fn at(&self) -> UnixTime {
        self.at
    }

    /// How, if that was said.
    pub fn method(&self) -> Option<&'static str> {
        self.method
    }

    /// To whom tickets of this session belong.
    pub(super) fn holder(&self) -> String {
        format!("{}\n{}", self.subject, self.session)
    }
}

/// Somebody has to sign in before a request goes on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SignInRequest {
    /// What is asked for.
    pub request: AuthorizationRequest,
    /// Why a person who is signed in has to sign in anew; `None` if nobody is signed in.
    pub anew: Option<Anew>,
}

/// Why somebody who is signed in signs in once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Anew {
    /// The client wants it, perhaps as somebody else.
    Asked,
    /// It was too long ago, for the client or for the scope that it asks for.
    TooLongAgo,
    /// The subject is not registered any more, or is disabled.
    NoSubject,
}

/// A person who is signed in, known and enabled, recently enough for the request. Holding one is the
/// proof of that.
#[derive(Clone, Debug)]
pub(super) struct Present {
    pub(super) subject: Subject,
    pub(super) signed_in: SignedIn,
}

/// The person at the browser, if it is the right one for this request; else why somebody has to
/// sign in.
pub(super) async fn present(
    context: &Context,
    request: &AuthorizationRequest,
    signed_in: Option<&SignedIn>,
    decision: &mut Decision,
) -> Result<Result<Present, Option<Anew>>, AuthorizationError> {
    let Some(signed_in) = signed_in else {
        return Ok(Err(None));
    };
    let subject = context.subjects().subject(signed_in.subject()).await?;
    let Some(subject) = subject.filter(|subject| subject.enabled) else {
        return Ok(Err(Some(Anew::NoSubject)));
    };
    decision.is_by(&subject.id);
    let (wanted, now) = (request.wanted(), context.now());
    let is_within = |longest| request.has_signed_in_within(signed_in, longest, now);
    if wanted.prompt.login && signed_in.at() < wanted.at {
        return Ok(Err(Some(Anew::Asked)));
    }
    if !wanted
        .max_age
        .map(Duration::from_secs)
        .is_none_or(is_within)
    {
        return Ok(Err(Some(Anew::TooLongAgo)));
    }
    Ok(Ok(Present {
        subject,
        signed_in: signed_in.clone(),
    }))
}
