//! A refusal: all that is said, shown and counted about one. Each stage's error makes it in one
//! match, in the error's own file.

use std::{borrow::Cow, error::Error, fmt, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::authorization::RedirectTarget;
use crate::{
    assertion::{AssertionError, PartyError},
    keys::KeyError,
    storage::StoreError,
    types::{ErrorCode, Rule},
};

/// What a refusal says about the sender; a [`Throttle`](super::Throttle) counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blame {
    /// The sender is not blamed.
    None,
    /// The sender did not prove what it claims to be.
    FailedProof,
    /// The request could not be read, or carried no credentials: it says nothing of which anything
    /// could be proven.
    NoProof,
}

/// When it is worth sending the request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// The sender sent too much, and waits for this long: status 429.
    TooMany(Duration),
    /// The server cannot decide now, and may after this long: status 503.
    Unavailable(Duration),
}

/// Why a request is refused: what the sender is told, and what only the decision log is.
#[derive(Debug)]
pub struct Refusal(Box<Parts>);

#[derive(Debug)]
struct Parts {
    code: ErrorCode,
    rule: Rule,
    public: Cow<'static, str>,
    cause: String,
    blame: Blame,
    retry: Option<Retry>,
    status: Option<StatusCode>,
    is_challenging: bool,
    headers: HeaderMap,
    target: Option<RedirectTarget>,
    members: Vec<(&'static str, String)>,
}

/// What is told where something broke.
const BROKEN: &str = "the server failed";
/// What is told where something is busy or away.
const BUSY: &str = "the server cannot decide right now; try again";

impl Refusal {
    /// What a party over its quota is told to wait: about as long as assertions commonly live.
    const QUOTA_WAIT: Duration = Duration::from_secs(60);
    /// What is told to wait for keys that cannot be had: about as long as until the next try.
    const KEYS_WAIT: Duration = Duration::from_secs(10);

    /// A refusal for a broken rule. `public` is what the sender is told: fixed words, and nothing
    /// that would tell an unauthenticated caller who is registered. The sender is not blamed.
    pub fn new(code: ErrorCode, rule: Rule, public: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Parts {
            code,
            rule,
            public: public.into(),
            cause: String::new(),
            blame: Blame::None,
            retry: None,
            status: None,
            is_challenging: false,
            headers: HeaderMap::new(),
            target: None,
            members: Vec::new(),
        }))
    }

    /// What a request presents is not good: `invalid_grant`, for the rule [`Rule::Grant`].
    pub fn invalid_grant(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::INVALID_GRANT, Rule::Grant, public)
    }

    /// Sets the private cause, for the decision log alone. A cause that was set before stands
    /// behind it.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = match &*self.0.cause {
            "" => cause.to_string(),
            behind => format!("{cause}: {behind}"),
        };
        self
    }

    /// Sets what the refusal says about the sender.
    #[must_use]
    pub fn blaming(mut self, blame: Blame) -> Self {
        self.0.blame = blame;
        self
    }

    /// Sets when it is worth trying again. The answer's status and its `Retry-After` follow.
    #[must_use]
    pub fn retrying(mut self, retry: Retry) -> Self {
        self.0.retry = Some(retry);
        self
    }

    /// Sets the answer's status. Otherwise it follows from code and retry.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Adds a field to the answer's head.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.append(name, value);
        self
    }

    /// Adds a member to the answer's JSON object, beside `error` and `error_description`.
    #[must_use]
    pub fn with_member(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.members.push((name, value.into()));
        self
    }

    /// Challenges the client where its authentication failed, also if it sent no Authorization
    /// header (RFC 9110 §15.5.2).
    #[must_use]
    pub fn challenging(mut self) -> Self {
        self.0.is_challenging = true;
        self
    }

    /// Tells the client, by way of the browser (RFC 6749 §4.1.2.1).
    pub(super) fn towards(mut self, target: RedirectTarget) -> Self {
        self.0.target = Some(target);
        self
    }

    /// The client that is told, by way of the browser.
    pub(super) fn target(&self) -> Option<&RedirectTarget> {
        self.0.target.as_ref()
    }

    /// The connection is closed: the rest of the request was not read.
    pub(super) fn closing_the_connection(self) -> Self {
        self.with_header(header::CONNECTION, HeaderValue::from_static("close"))
    }

    /// The error code.
    pub fn code(&self) -> &ErrorCode {
        &self.0.code
    }

    /// The broken rule.
    pub fn rule(&self) -> &Rule {
        &self.0.rule
    }

    /// What the sender is told.
    pub fn public_text(&self) -> &str {
        &self.0.public
    }

    /// What only the decision log is told: what was expected, what came.
    pub fn cause(&self) -> &str {
        match &*self.0.cause {
            "" => &self.0.public,
            cause => cause,
        }
    }

    /// What it says about the sender.
    pub fn blame(&self) -> Blame {
        self.0.blame
    }

    /// When it is worth trying again, if that is known.
    pub fn retry(&self) -> Option<Retry> {
        self.0.retry
    }

    /// The fields that the answer's head has beside the usual ones.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The members that the answer's JSON object has beside the usual ones.
    pub fn members(&self) -> &[(&'static str, String)] {
        &self.0.members
    }

    pub(super) fn is_challenging(&self) -> bool {
        self.0.is_challenging
    }

    pub(super) fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// Whether the connection ends with the answer.
    pub(super) fn closes_the_connection(&self) -> bool {
        self.0.headers.contains_key(header::CONNECTION)
    }
}

/// What a stage says where the reason is that of another layer.
impl Refusal {
    /// The storage failed.
    pub(super) fn of_store(error: &StoreError) -> Self {
        let failed = || Self::broken(Rule::Storage);
        let refusal = match error {
            // What may have been done is not repeated here: the next request of the client's will
            // find out.
            StoreError::Unavailable(_) | StoreError::Unknown(_) => {
                Self::busy(Rule::Storage).retrying(Retry::Unavailable(Duration::ZERO))
            }
            StoreError::Failed(_)
            | StoreError::Exists(_)
            | StoreError::Conflict(_)
            | StoreError::Missing(_)
            | StoreError::Cursor
            | StoreError::Denied(_) => failed(),
        };
        match error.source().map(chain) {
            Some(cause) => refusal.because(cause),
            None => refusal,
        }
    }

    /// An assertion has no party that could have signed it. `code` and `public` are those of the
    /// use that it was put to.
    pub(super) fn of_party(error: &PartyError, code: ErrorCode, public: &'static str) -> Self {
        let refused = |rule| Self::new(code.clone(), rule, public);
        match error {
            PartyError::NoIssuer | PartyError::Unknown(_) | PartyError::Disabled(_) => {
                refused(Rule::Issuer).blaming(Blame::FailedProof)
            }
            PartyError::WrongMethod { .. } => refused(Rule::Method).blaming(Blame::FailedProof),
            PartyError::NotCaller { .. } => refused(Rule::Caller),
            PartyError::Key { error, .. } => Self::of_key(error, code, public),
            PartyError::Store(error) => Self::of_store(error),
        }
    }

    /// There is no key to verify an assertion with.
    fn of_key(error: &KeyError, code: ErrorCode, public: &'static str) -> Self {
        match error {
            KeyError::Store(error) => Self::of_store(error),
            KeyError::Unavailable(_) => {
                Self::busy(Rule::IssuerKeys).retrying(Retry::Unavailable(Self::KEYS_WAIT))
            }
            KeyError::UnknownKeyId
            | KeyError::NotPublished(_)
            | KeyError::NoKeyForAlgorithm(_)
            | KeyError::KeyExpired { .. }
            | KeyError::KeyUnusable { .. }
            | KeyError::SecretExpired => {
                Self::new(code, Rule::Key, public).blaming(Blame::FailedProof)
            }
        }
    }

    /// An assertion broke a rule. `code` is that of the use that it was put to, `before` what is
    /// told of rules that come before the signature has verified.
    pub(super) fn of_assertion(
        error: &AssertionError,
        code: ErrorCode,
        before: &'static str,
    ) -> Self {
        use AssertionError as E;
        let told = |code| {
            let public = error.public_text().unwrap_or(before.into());
            Self::new(code, error.rule(), public)
        };
        match error {
            E::Store(error) => Self::of_store(error),
            E::OverQuota(_) => {
                told(ErrorCode::TEMPORARILY_UNAVAILABLE).retrying(Retry::TooMany(Self::QUOTA_WAIT))
            }
            E::BeforeFence(wait) => told(ErrorCode::TEMPORARILY_UNAVAILABLE)
                .retrying(Retry::Unavailable(*wait))
                .blaming(Blame::FailedProof),
            E::Jws(_)
            | E::Claims(_)
            | E::WrongAlgorithm { .. }
            | E::WrongType { .. }
            | E::Bound
            | E::WrongTrustDomain { .. }
            | E::LivesTooLong { .. }
            | E::MissingClaim(_)
            | E::MalformedClaim { .. }
            | E::WrongIssuer { .. }
            | E::WrongSubject { .. }
            | E::WrongAudience { .. }
            | E::AudienceArray
            | E::Expired { .. }
            | E::ExpiresTooLate { .. }
            | E::NotYetValid { .. }
            | E::IssuedInFuture { .. }
            | E::TooOld { .. }
            | E::EndsBeforeStart(_)
            | E::Replayed => told(code).blaming(Blame::FailedProof),
        }
    }

    /// Something broke.
    pub(super) fn broken(rule: Rule) -> Self {
        Self::new(ErrorCode::SERVER_ERROR, rule, BROKEN)
    }

    /// Something is busy or away.
    fn busy(rule: Rule) -> Self {
        Self::new(ErrorCode::TEMPORARILY_UNAVAILABLE, rule, BUSY)
    }

    /// What the decision rests on is not as it was read: the same request may be granted now.
    pub(super) fn changed() -> Self {
        Self::busy(Rule::Unchanged).retrying(Retry::Unavailable(Duration::ZERO))
    }

    /// The client has as much in force as it may have.
    pub(super) fn over_quota(rule: Rule) -> Self {
        Self::busy(rule).retrying(Retry::TooMany(Self::QUOTA_WAIT))
    }

    /// The sender failed too often, and is not heard for this long.
    pub(super) fn throttled(wait: Duration) -> Self {
        Self::new(
            ErrorCode::TEMPORARILY_UNAVAILABLE,
            Rule::Throttled,
            "too many failed attempts; wait before the next",
        )
        .retrying(Retry::TooMany(wait))
        .because(format_args!(
            "too many failed attempts from there; heard again in {} ms",
            wait.as_millis()
        ))
    }

    /// The code that decides panicked: a defect of the server, or of one of its extensions.
    pub(super) fn panicked() -> Self {
        Self::broken(Rule::Defect)
            .because("a panic while the request was decided: a defect of the server")
    }
}

/// The storage failed.
impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::of_store(&error)
    }
}

/// The text of an error, and behind it those of its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// The private cause.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cause())
    }
}

impl Error for Refusal {}
