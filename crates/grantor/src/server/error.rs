//! What can be refused on the straight line, stage by stage, and the one place where a refusal
//! becomes an OAuth error code.

use std::{borrow::Cow, time::Duration};

use grantor_jose::SigningError;

use crate::{
    assertion::AssertionError,
    keys::KeyError,
    storage::StoreError,
    types::{AuthMethod, Rule, Shown},
};

/// The error codes this server answers with (RFC 6749 §5.2, RFC 8707 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The request is malformed.
    InvalidRequest,
    /// Client authentication failed.
    InvalidClient,
    /// The assertion is not acceptable.
    InvalidGrant,
    /// This client may not use this grant.
    UnauthorizedClient,
    /// No such grant here.
    UnsupportedGrantType,
    /// The scope is malformed, unknown or too wide.
    InvalidScope,
    /// The resource is malformed or not served.
    InvalidTarget,
    /// Something broke.
    ServerError,
    /// Something is busy or away.
    TemporarilyUnavailable,
}

impl ErrorCode {
    /// The value of `error`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }
}

/// The request's form is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// Not exactly one Content-Type of a UTF-8 form, but these.
    #[error("content type is not application/x-www-form-urlencoded: got {0}")]
    ContentType(Shown),
    /// A compressed body.
    #[error("content encoding is not supported: got {0:?}")]
    ContentEncoding(Shown),
    /// More than 64 KiB.
    #[error("request is too large")]
    TooLarge,
    /// The body stopped coming.
    #[error("request body was not received")]
    Incomplete,
    /// A bad escape, or not UTF-8, in the parameter of this name.
    #[error("form is not correctly encoded: {0:?}")]
    Encoding(Shown),
    /// The parameter of this name occurs twice (RFC 6749 §3.2).
    #[error("a parameter is repeated: {0:?}")]
    DuplicateParameter(Shown),
    /// More than 64 parameters.
    #[error("too many parameters")]
    TooManyParameters,
    /// Parameters in the request URI (RFC 6749 §2.3.1).
    #[error("parameters belong in the request body: {0} is in the query")]
    ParameterInQuery(&'static str),
    /// Two Authorization headers.
    #[error("more than one Authorization header")]
    DuplicateAuthorization,
    /// A required parameter is absent or empty.
    #[error("parameter {0} is missing")]
    MissingParameter(&'static str),
    /// No grant is registered under this `grant_type`.
    #[error("grant_type is not supported: got {0:?}")]
    UnsupportedGrantType(Shown),
}

impl FormError {
    /// The public reason: the rule in fixed words, without what was sent.
    fn public_text(&self) -> Cow<'static, str> {
        match self {
            Self::ContentType(_) => "content type is not application/x-www-form-urlencoded".into(),
            Self::ContentEncoding(_) => "content encoding is not supported".into(),
            Self::Encoding(_) => "form is not correctly encoded".into(),
            Self::DuplicateParameter(_) => "a parameter is repeated".into(),
            Self::ParameterInQuery(_) => "parameters belong in the request body".into(),
            Self::UnsupportedGrantType(_) => "grant_type is not supported".into(),
            Self::TooLarge
            | Self::Incomplete
            | Self::TooManyParameters
            | Self::DuplicateAuthorization
            | Self::MissingParameter(_) => self.to_string().into(),
        }
    }
}

/// Client authentication failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientAuthError {
    /// No credentials, and the grant wants some.
    #[error("no client authentication, but the grant requires it")]
    Missing,
    /// More than one mechanism, none of them an assertion (RFC 6749 §2.3).
    #[error("more than one client authentication mechanism")]
    SeveralMechanisms,
    /// More than one mechanism, an assertion among them (RFC 7521 §4.2.1).
    #[error("more than one client authentication mechanism, one of them an assertion")]
    SeveralMechanismsWithAssertion,
    /// Credentials of a mechanism for which no method is registered here.
    #[error("credentials of a mechanism that this server does not offer")]
    NotOffered,
    /// The Authorization header cannot be read.
    #[error("authorization header: {0}")]
    UnreadableHeader(&'static str),
    /// One half of `client_assertion` and `client_assertion_type` is absent (RFC 7521 §4.2).
    #[error("parameter '{0}' is missing beside the other half of the pair")]
    IncompletePair(&'static str),
    /// `client_assertion_type` is not that of a JWT.
    #[error("client_assertion_type is not jwt-bearer: got {0:?}")]
    WrongAssertionType(Shown),
    /// `client_id` names another client than the credentials do (RFC 7521 §4.2).
    #[error("client_id does not match the credentials: got {0:?}")]
    ClientIdMismatch(Shown),
    /// The JWT has no `iss`.
    #[error("claim 'iss' is missing")]
    NoIssuer,
    /// No such client.
    #[error("client {0:?} is not registered")]
    UnknownClient(Shown),
    /// An operator has disabled the client.
    #[error("client is disabled")]
    DisabledClient,
    /// The client is registered with another method (RFC 7591 §2).
    #[error("method: client is registered with {expected}, used {got}")]
    WrongMethod {
        /// The registered method.
        expected: AuthMethod,
        /// The method of the request.
        got: AuthMethod,
    },
    /// The grant does not accept this method.
    #[error("method: {0} is not accepted by this grant")]
    MethodNotAccepted(AuthMethod),
    /// The secret is wrong or has expired.
    #[error("client secret is wrong or has expired")]
    WrongSecret,
    /// The secret is longer than any; nobody was looked up.
    #[error("client secret is longer than any")]
    OverlongSecret,
    /// No key to verify the assertion with.
    #[error("key: {0}")]
    Key(KeyError),
    /// The assertion broke a rule.
    #[error("assertion: {0}")]
    Assertion(AssertionError),
    /// The registry failed.
    #[error(transparent)]
    Store(StoreError),
}

/// The grant refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// A parameter of this grant is absent.
    #[error(transparent)]
    Form(#[from] FormError),
    /// A `client_id` without credentials beside the assertion names another client than its issuer.
    #[error("client_id does not match the issuer of the assertion: got {0:?}")]
    ClientIdMismatch(Shown),
    /// The assertion has no `iss`.
    #[error("claim 'iss' is missing")]
    NoIssuer,
    /// `iss` is nobody known.
    #[error("issuer {0:?} is not registered")]
    UnknownIssuer(Shown),
    /// An operator has disabled the issuer.
    #[error("issuer is disabled")]
    DisabledIssuer,
    /// The caller is another client than the issuer.
    #[error("caller {caller:?} is not the issuer {issuer:?}")]
    CallerIsNotIssuer {
        /// Who called.
        caller: Shown,
        /// Who signed.
        issuer: Shown,
    },
    /// No key to verify the assertion with.
    #[error("key: {0}")]
    Key(KeyError),
    /// The assertion broke a rule.
    #[error("assertion: {0}")]
    Assertion(AssertionError),
    /// `sub` is neither the client nor anybody known.
    #[error("subject {0:?} is not known")]
    UnknownSubject(Shown),
    /// An operator has disabled the subject.
    #[error("subject is disabled")]
    DisabledSubject,
    /// The client holds no permission for the subject.
    #[error("client holds no permission for subject {0:?}")]
    NoPermission(Shown),
    /// The client is not registered for this grant.
    #[error("client is not registered for this grant")]
    NotAllowed,
    /// The `scope` claim is no scope.
    #[error("the 'scope' claim is malformed: got {0:?}")]
    MalformedScopeClaim(Shown),
    /// A custom grant's own reason, in fixed words that may be shown.
    #[error("{0}")]
    Refused(&'static str),
    /// The registry failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl GrantError {
    /// Whether the assertion itself was refused, and not what it asks for.
    fn is_about_assertion(&self) -> bool {
        match self {
            Self::NoIssuer
            | Self::UnknownIssuer(_)
            | Self::DisabledIssuer
            | Self::Key(_)
            | Self::Assertion(_) => true,
            Self::Form(_)
            | Self::ClientIdMismatch(_)
            | Self::CallerIsNotIssuer { .. }
            | Self::UnknownSubject(_)
            | Self::DisabledSubject
            | Self::NoPermission(_)
            | Self::NotAllowed
            | Self::MalformedScopeClaim(_)
            | Self::Refused(_)
            | Self::Store(_) => false,
        }
    }
}

/// The policy refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// `scope` is no scope (RFC 6749 §3.3).
    #[error("scope is malformed: got {0:?}")]
    MalformedScope(Shown),
    /// More than the client, or the permission, allows.
    #[error("scope: allowed {allowed:?}, requested also {beyond:?}")]
    ScopeTooWide {
        /// What could be granted.
        allowed: Shown,
        /// What was asked for beyond.
        beyond: Shown,
    },
    /// `resource` is no absolute URI, has a fragment, or is not served (RFC 8707 §2).
    #[error("resource {0:?} is not served")]
    UnknownResource(Shown),
    /// More than one `resource`: a token is for one (RFC 9068 §3).
    #[error("more than one resource")]
    SeveralResources,
}

/// The token could not be made or recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// Signing failed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The client has as many opaque tokens, or revocations, in force as it may have. Nothing was
    /// recorded.
    #[error("the client has {0} opaque tokens or revocations in force, which is its quota")]
    OverQuota(u64),
    /// The token store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a party over its quota is told to wait: about as long as assertions commonly live.
const QUOTA_WAIT: Duration = Duration::from_secs(60);

/// Why there is no token: the stage, and its reason.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The request's form.
    #[error(transparent)]
    Form(#[from] FormError),
    /// Client authentication.
    #[error(transparent)]
    ClientAuth(#[from] ClientAuthError),
    /// The grant.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// Scope and resource.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Making the token.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The sender failed too often, and is not heard for this long.
    #[error("too many failed attempts from there; heard again in {} ms", .0.as_millis())]
    Throttled(Duration),
    /// The code that decides panicked: a defect of the server, or of one of its extensions.
    #[error("a panic while the request was decided: a defect of the server")]
    Panicked,
}

impl TokenError {
    /// The OAuth error code: chosen here and nowhere else.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Form(error) | Self::Grant(GrantError::Form(error)) => form_code(error),
            Self::ClientAuth(error) => client_auth_code(error),
            Self::Grant(error) => grant_code(error),
            Self::Policy(error) => policy_code(error),
            Self::Issue(IssueError::Signing(_)) | Self::Panicked => ErrorCode::ServerError,
            Self::Issue(IssueError::Store(error)) => store_code(error),
            Self::Issue(IssueError::OverQuota(_)) | Self::Throttled(_) => {
                ErrorCode::TemporarilyUnavailable
            }
        }
    }

    /// Whether the sender did not prove what it claims to be: what a [`Throttle`](super::Throttle)
    /// counts.
    pub(super) fn is_failed_proof(&self) -> bool {
        match self {
            _ if self.store_error().is_some() || self.wait().is_some() => false,
            Self::ClientAuth(error) => !matches!(error, ClientAuthError::Missing),
            Self::Grant(error) => {
                error.is_about_assertion() || matches!(error, GrantError::ClientIdMismatch(_))
            }
            Self::Form(_)
            | Self::Policy(_)
            | Self::Issue(_)
            | Self::Throttled(_)
            | Self::Panicked => false,
        }
    }

    /// Whether the request could not be read, or carried no credentials: it says nothing of which
    /// anything could be proven.
    pub(super) fn proves_nothing(&self) -> bool {
        matches!(
            self,
            Self::Form(_)
                | Self::Grant(GrantError::Form(_))
                | Self::ClientAuth(ClientAuthError::Missing)
        )
    }

    /// The public reason: fixed words, and nothing that would tell an unauthenticated caller who is
    /// registered (law 6).
    pub fn public_text(&self) -> Cow<'static, str> {
        match self {
            Self::Form(error) | Self::Grant(GrantError::Form(error)) => error.public_text(),
            Self::ClientAuth(error) => client_auth_text(error),
            Self::Grant(error) => grant_text(error),
            Self::Policy(error) => policy_text(error).into(),
            Self::Issue(_) | Self::Panicked => store_text(self.code()).into(),
            Self::Throttled(_) => "too many failed attempts; wait before the next".into(),
        }
    }

    /// How long the sender has to wait before it is worth trying again, if it sent too much.
    pub(super) fn wait(&self) -> Option<Duration> {
        match self {
            Self::Throttled(wait) => Some(*wait),
            Self::ClientAuth(ClientAuthError::Assertion(AssertionError::OverQuota(_)))
            | Self::Grant(GrantError::Assertion(AssertionError::OverQuota(_)))
            | Self::Issue(IssueError::OverQuota(_)) => Some(QUOTA_WAIT),
            Self::Form(_)
            | Self::ClientAuth(_)
            | Self::Grant(_)
            | Self::Policy(_)
            | Self::Issue(_)
            | Self::Panicked => None,
        }
    }

    /// When an assertion that is newly issued is taken again, if it is for the storage that this
    /// one was not.
    pub(super) fn fence_wait(&self) -> Option<Duration> {
        match self {
            Self::ClientAuth(ClientAuthError::Assertion(AssertionError::BeforeFence(wait)))
            | Self::Grant(GrantError::Assertion(AssertionError::BeforeFence(wait))) => Some(*wait),
            Self::Form(_)
            | Self::ClientAuth(_)
            | Self::Grant(_)
            | Self::Policy(_)
            | Self::Issue(_)
            | Self::Throttled(_)
            | Self::Panicked => None,
        }
    }

    /// The failure of the storage behind this refusal, if that is what it was.
    pub(super) fn store_error(&self) -> Option<&StoreError> {
        use AssertionError::Store as InAssertion;
        match self {
            Self::ClientAuth(
                ClientAuthError::Store(error) | ClientAuthError::Key(KeyError::Store(error)),
            )
            | Self::ClientAuth(ClientAuthError::Assertion(InAssertion(error)))
            | Self::Grant(GrantError::Store(error) | GrantError::Key(KeyError::Store(error)))
            | Self::Grant(GrantError::Assertion(InAssertion(error)))
            | Self::Issue(IssueError::Store(error)) => Some(error),
            Self::Form(_)
            | Self::ClientAuth(_)
            | Self::Grant(_)
            | Self::Policy(_)
            | Self::Issue(IssueError::Signing(_) | IssueError::OverQuota(_))
            | Self::Throttled(_)
            | Self::Panicked => None,
        }
    }

    /// The broken rule, for logs and metrics.
    pub fn rule(&self) -> Rule {
        match self {
            Self::Form(_) => Rule::Form,
            Self::ClientAuth(error) => error.rule(),
            Self::Grant(error) => error.rule(),
            Self::Policy(PolicyError::MalformedScope(_) | PolicyError::ScopeTooWide { .. }) => {
                Rule::Scope
            }
            Self::Policy(PolicyError::UnknownResource(_) | PolicyError::SeveralResources) => {
                Rule::Resource
            }
            Self::Issue(IssueError::Signing(_) | IssueError::OverQuota(_)) => Rule::Issue,
            Self::Issue(IssueError::Store(_)) => Rule::Storage,
            Self::Throttled(_) => Rule::Throttled,
            Self::Panicked => Rule::Defect,
        }
    }
}

impl ClientAuthError {
    fn rule(&self) -> Rule {
        match self {
            Self::Assertion(error) => error.rule(),
            Self::Store(_) | Self::Key(KeyError::Store(_)) => Rule::Storage,
            Self::Key(_) => Rule::Key,
            Self::Missing
            | Self::SeveralMechanisms
            | Self::SeveralMechanismsWithAssertion
            | Self::NotOffered
            | Self::UnreadableHeader(_)
            | Self::IncompletePair(_)
            | Self::WrongAssertionType(_)
            | Self::ClientIdMismatch(_)
            | Self::NoIssuer
            | Self::UnknownClient(_)
            | Self::DisabledClient
            | Self::WrongMethod { .. }
            | Self::MethodNotAccepted(_)
            | Self::WrongSecret
            | Self::OverlongSecret => Rule::Client,
        }
    }
}

impl GrantError {
    fn rule(&self) -> Rule {
        match self {
            Self::Form(_) => Rule::Form,
            Self::Assertion(error) => error.rule(),
            Self::Store(_) | Self::Key(KeyError::Store(_)) => Rule::Storage,
            Self::Key(_) => Rule::Key,
            Self::UnknownIssuer(_) | Self::DisabledIssuer | Self::NoIssuer => Rule::IssuerClaim,
            Self::UnknownSubject(_) | Self::DisabledSubject => Rule::SubjectClaim,
            Self::NoPermission(_) => Rule::Permission,
            Self::ClientIdMismatch(_)
            | Self::CallerIsNotIssuer { .. }
            | Self::NotAllowed
            | Self::MalformedScopeClaim(_)
            | Self::Refused(_) => Rule::Grant,
        }
    }
}

fn form_code(error: &FormError) -> ErrorCode {
    match error {
        FormError::UnsupportedGrantType(_) => ErrorCode::UnsupportedGrantType,
        FormError::ContentType(_)
        | FormError::ContentEncoding(_)
        | FormError::TooLarge
        | FormError::Incomplete
        | FormError::Encoding(_)
        | FormError::DuplicateParameter(_)
        | FormError::TooManyParameters
        | FormError::ParameterInQuery(_)
        | FormError::DuplicateAuthorization
        | FormError::MissingParameter(_) => ErrorCode::InvalidRequest,
    }
}

fn client_auth_code(error: &ClientAuthError) -> ErrorCode {
    match error {
        ClientAuthError::SeveralMechanisms => ErrorCode::InvalidRequest,
        ClientAuthError::Store(error) | ClientAuthError::Key(KeyError::Store(error)) => {
            store_code(error)
        }
        ClientAuthError::Assertion(error) => assertion_code(error, ErrorCode::InvalidClient),
        ClientAuthError::Missing
        | ClientAuthError::SeveralMechanismsWithAssertion
        | ClientAuthError::NotOffered
        | ClientAuthError::UnreadableHeader(_)
        | ClientAuthError::IncompletePair(_)
        | ClientAuthError::WrongAssertionType(_)
        | ClientAuthError::ClientIdMismatch(_)
        | ClientAuthError::NoIssuer
        | ClientAuthError::UnknownClient(_)
        | ClientAuthError::DisabledClient
        | ClientAuthError::WrongMethod { .. }
        | ClientAuthError::MethodNotAccepted(_)
        | ClientAuthError::WrongSecret
        | ClientAuthError::OverlongSecret
        | ClientAuthError::Key(_) => ErrorCode::InvalidClient,
    }
}

fn grant_code(error: &GrantError) -> ErrorCode {
    match error {
        GrantError::Form(error) => form_code(error),
        GrantError::NotAllowed => ErrorCode::UnauthorizedClient,
        GrantError::ClientIdMismatch(_) => ErrorCode::InvalidClient,
        GrantError::MalformedScopeClaim(_) => ErrorCode::InvalidScope,
        GrantError::Store(error) | GrantError::Key(KeyError::Store(error)) => store_code(error),
        GrantError::Assertion(error) => assertion_code(error, ErrorCode::InvalidGrant),
        GrantError::NoIssuer
        | GrantError::UnknownIssuer(_)
        | GrantError::DisabledIssuer
        | GrantError::CallerIsNotIssuer { .. }
        | GrantError::Key(_)
        | GrantError::UnknownSubject(_)
        | GrantError::DisabledSubject
        | GrantError::NoPermission(_)
        | GrantError::Refused(_) => ErrorCode::InvalidGrant,
    }
}

/// `refused` is the code of a broken rule, which depends on what the assertion was used for.
fn assertion_code(error: &AssertionError, refused: ErrorCode) -> ErrorCode {
    match error {
        AssertionError::Store(error) => store_code(error),
        AssertionError::OverQuota(_) | AssertionError::BeforeFence(_) => {
            ErrorCode::TemporarilyUnavailable
        }
        AssertionError::Jws(_)
        | AssertionError::Claims(_)
        | AssertionError::WrongAlgorithm { .. }
        | AssertionError::WrongType { .. }
        | AssertionError::MissingClaim(_)
        | AssertionError::MalformedClaim { .. }
        | AssertionError::WrongIssuer { .. }
        | AssertionError::WrongSubject { .. }
        | AssertionError::WrongAudience { .. }
        | AssertionError::AudienceArray
        | AssertionError::Expired { .. }
        | AssertionError::ExpiresTooLate { .. }
        | AssertionError::NotYetValid { .. }
        | AssertionError::IssuedInFuture { .. }
        | AssertionError::TooOld { .. }
        | AssertionError::EndsBeforeStart(_)
        | AssertionError::Replayed => refused,
    }
}

fn policy_code(error: &PolicyError) -> ErrorCode {
    match error {
        PolicyError::MalformedScope(_) | PolicyError::ScopeTooWide { .. } => {
            ErrorCode::InvalidScope
        }
        PolicyError::UnknownResource(_) | PolicyError::SeveralResources => ErrorCode::InvalidTarget,
    }
}

fn store_code(error: &StoreError) -> ErrorCode {
    match error {
        StoreError::Unavailable(_) => ErrorCode::TemporarilyUnavailable,
        StoreError::Failed(_)
        | StoreError::Exists(_)
        | StoreError::Conflict(_)
        | StoreError::Missing(_) => ErrorCode::ServerError,
    }
}

fn store_text(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::TemporarilyUnavailable => "the server cannot decide right now; try again",
        _ => "the server failed",
    }
}

fn client_auth_text(error: &ClientAuthError) -> Cow<'static, str> {
    let text = match error {
        ClientAuthError::Assertion(error) => {
            return assertion_text(error, "client authentication failed");
        }
        ClientAuthError::Store(error) | ClientAuthError::Key(KeyError::Store(error)) => {
            store_text(store_code(error))
        }
        ClientAuthError::Missing => "this grant requires client authentication",
        ClientAuthError::SeveralMechanisms | ClientAuthError::SeveralMechanismsWithAssertion => {
            "use one client authentication mechanism at a time"
        }
        ClientAuthError::NotOffered
        | ClientAuthError::UnreadableHeader(_)
        | ClientAuthError::IncompletePair(_)
        | ClientAuthError::WrongAssertionType(_)
        | ClientAuthError::ClientIdMismatch(_)
        | ClientAuthError::NoIssuer
        | ClientAuthError::UnknownClient(_)
        | ClientAuthError::DisabledClient
        | ClientAuthError::WrongMethod { .. }
        | ClientAuthError::MethodNotAccepted(_)
        | ClientAuthError::WrongSecret
        | ClientAuthError::OverlongSecret
        | ClientAuthError::Key(_) => "client authentication failed",
    };
    text.into()
}

fn grant_text(error: &GrantError) -> Cow<'static, str> {
    let text = match error {
        GrantError::Form(error) => return error.public_text(),
        GrantError::Assertion(error) => {
            return assertion_text(error, "the assertion is not acceptable");
        }
        GrantError::Store(error) | GrantError::Key(KeyError::Store(error)) => {
            store_text(store_code(error))
        }
        GrantError::Refused(reason) => reason,
        GrantError::UnknownSubject(_)
        | GrantError::DisabledSubject
        | GrantError::NoPermission(_) => "the client may not act for this subject",
        GrantError::MalformedScopeClaim(_) => "the scope claim is malformed",
        GrantError::NotAllowed => "the client may not use this grant",
        GrantError::ClientIdMismatch(_) => "client authentication failed",
        GrantError::NoIssuer
        | GrantError::UnknownIssuer(_)
        | GrantError::DisabledIssuer
        | GrantError::CallerIsNotIssuer { .. }
        | GrantError::Key(_) => "the assertion is not acceptable",
    };
    text.into()
}

/// `before` is what is said of rules that come before the signature has verified.
fn assertion_text(error: &AssertionError, before: &'static str) -> Cow<'static, str> {
    match error {
        AssertionError::Store(error) => store_text(store_code(error)).into(),
        error => error.public_text().unwrap_or(before.into()),
    }
}

fn policy_text(error: &PolicyError) -> &'static str {
    match error {
        PolicyError::MalformedScope(_) => "scope is malformed",
        PolicyError::ScopeTooWide { .. } => "scope exceeds what is allowed",
        PolicyError::UnknownResource(_) => "resource is not served here",
        PolicyError::SeveralResources => "ask for one resource at a time",
    }
}
