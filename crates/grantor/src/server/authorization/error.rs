//! Why an authorization request is refused, and what is told of it.

use http::StatusCode;

use crate::{
    server::{Blame, FormError, PolicyError, Refusal},
    storage::StoreError,
    types::{ErrorCode, Rule, Shown},
};

/// The authorization request, or what a person said about it, is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizationError {
    /// Nobody is registered who could sign in: the server has no code grant.
    #[error("the server was built without people")]
    NoPeople,
    /// No `client_id`.
    #[error("client_id is missing")]
    NoClient,
    /// No such client.
    #[error("client {0:?} is not registered")]
    UnknownClient(Shown),
    /// An operator has disabled the client.
    #[error("client is disabled")]
    DisabledClient,
    /// Another registration has taken over the client's name since the request was made.
    #[error("client is registered anew since the request was made")]
    OtherClient,
    /// No `redirect_uri`.
    #[error("redirect_uri is missing")]
    NoRedirectUri,
    /// `redirect_uri` is none of the client's.
    #[error("redirect_uri is not one of the client's: got {0:?}")]
    UnregisteredRedirectUri(Shown),
    /// The client asks no one for consent, so that no link leads to the question.
    #[error("client does not ask for consent")]
    AsksNobody,
    /// The client is not registered for the code grant.
    #[error("client is not registered for the authorization code grant")]
    NotAllowed,
    /// A request that is a JWT (RFC 9101).
    #[error("parameter request is not supported")]
    RequestObject,
    /// A request that is elsewhere (RFC 9101). It is not fetched.
    #[error("parameter request_uri is not supported: got {0:?}")]
    RequestUri(Shown),
    /// A client that registers itself on the way (OpenID Connect Core §7.2.1).
    #[error("parameter registration is not supported")]
    Registration,
    /// `response_type` is not `code`.
    #[error("response_type is not code: got {0:?}")]
    ResponseType(Shown),
    /// `response_mode` is not `query`.
    #[error("response_mode is not query: got {0:?}")]
    ResponseMode(Shown),
    /// `state` is longer than 2,048 octets, or has other characters than %x20-7E (RFC 6749 appendix
    /// A.5).
    #[error("state has {octets} octets, or characters that it may not have")]
    State {
        /// Its length.
        octets: usize,
    },
    /// `code_challenge` is not a digest in base64url (RFC 7636 §4.2).
    #[error("code_challenge is not 43 characters of base64url: has {octets}")]
    Challenge {
        /// Its length.
        octets: usize,
    },
    /// `code_challenge_method` is not `S256`.
    #[error("code_challenge_method is not S256: got {0:?}")]
    ChallengeMethod(Shown),
    /// `prompt` has an unknown value, or `none` beside another one.
    #[error("prompt is not none, or login, consent, select_account: got {0:?}")]
    Prompt(Shown),
    /// `max_age` is no number of seconds.
    #[error("max_age is not a number of seconds: got {0:?}")]
    MaxAge(Shown),
    /// All parameters together are more than a ticket can carry.
    #[error("the parameters have {octets} octets")]
    TooLarge {
        /// How many.
        octets: usize,
    },
    /// The scope is the server's own: no person consents to it.
    #[error("scope {0:?} is the server's own")]
    ReservedScope(Shown),
    /// Scope or resource.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Nobody is signed in, or not recently enough, and `prompt` forbids to ask.
    #[error("{0}, and prompt is none")]
    LoginRequired(&'static str),
    /// The person would have to be asked, and `prompt` forbids it.
    #[error("the person has to be asked, and prompt is none")]
    ConsentRequired,
    /// The person does not allow it.
    #[error("the person does not allow it")]
    Denied,
    /// No operator has permitted it, and the client asks no person.
    #[error("client holds no operator's permission for subject {0:?} by this grant")]
    NoPermission(Shown),
    /// A ticket that is none of this page's, browser's or person's, or no more.
    #[error("ticket: {0}")]
    Ticket(&'static str),
    /// A form that comes from elsewhere.
    #[error("origin: {0}")]
    Origin(Shown),
    /// Nobody is signed in at this browser.
    #[error("nobody is signed in")]
    NobodySignedIn,
    /// The form of the consent page says something that is not on the page.
    #[error("{0}")]
    Answer(String),
    /// A parameter is missing.
    #[error(transparent)]
    Form(#[from] FormError),
    /// A hook refused.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The person said yes as often at once as is remembered.
    #[error("too many answers of this person are remembered")]
    OverQuota,
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is told where no redirect URI is proven, so that it does not tell who is registered.
const NOWHERE: &str = "the request names no client, or no redirect URI of one, that is known here";

impl From<AuthorizationError> for Refusal {
    fn from(error: AuthorizationError) -> Self {
        use AuthorizationError as E;
        let nowhere =
            |rule| Self::new(ErrorCode::INVALID_REQUEST, rule, NOWHERE).blaming(Blame::NoProof);
        let invalid = |rule, text| Self::new(ErrorCode::INVALID_REQUEST, rule, text);
        let forbidden = |rule, text| {
            Self::new(ErrorCode::ACCESS_DENIED, rule, text)
                .with_status(StatusCode::FORBIDDEN)
                .blaming(Blame::NoProof)
        };
        let cause = error.to_string();
        let refusal = match error {
            E::NoPeople => Self::broken(Rule::Defect),
            E::NoClient
            | E::UnknownClient(_)
            | E::DisabledClient
            | E::OtherClient
            | E::AsksNobody => nowhere(Rule::Client),
            E::NoRedirectUri | E::UnregisteredRedirectUri(_) => nowhere(Rule::RedirectUri),
            E::NotAllowed => Self::new(
                ErrorCode::UNAUTHORIZED_CLIENT,
                Rule::Grant,
                "the client may not use this grant",
            ),
            E::RequestObject => Self::new(
                ErrorCode::REQUEST_NOT_SUPPORTED,
                Rule::Form,
                "parameter request is not supported",
            ),
            E::RequestUri(_) => Self::new(
                ErrorCode::REQUEST_URI_NOT_SUPPORTED,
                Rule::Form,
                "parameter request_uri is not supported",
            ),
            E::Registration => Self::new(
                ErrorCode::REGISTRATION_NOT_SUPPORTED,
                Rule::Form,
                "parameter registration is not supported",
            ),
            E::ResponseType(_) => Self::new(
                ErrorCode::UNSUPPORTED_RESPONSE_TYPE,
                Rule::Form,
                "response_type must be code",
            ),
            E::ResponseMode(_) => invalid(Rule::Form, "response_mode must be query"),
            E::State { .. } => invalid(
                Rule::Form,
                "state must be at most 2048 characters of printable ASCII",
            ),
            E::Challenge { .. } => invalid(
                Rule::Pkce,
                "code_challenge must be 43 characters of base64url",
            ),
            E::ChallengeMethod(_) => invalid(Rule::Pkce, "code_challenge_method must be S256"),
            E::Prompt(_) => invalid(
                Rule::Form,
                "prompt must be none, or login, consent and select_account",
            ),
            E::MaxAge(_) => invalid(Rule::Form, "max_age must be a number of seconds"),
            E::TooLarge { .. } => invalid(Rule::Form, "the parameters are too large together"),
            E::ReservedScope(_) => Self::new(
                ErrorCode::INVALID_SCOPE,
                Rule::Scope,
                "scope exceeds what is allowed",
            ),
            E::LoginRequired(_) => Self::new(
                ErrorCode::LOGIN_REQUIRED,
                Rule::Session,
                "the person has to sign in",
            ),
            E::ConsentRequired => Self::new(
                ErrorCode::CONSENT_REQUIRED,
                Rule::Consent,
                "the person has to be asked",
            ),
            // Without a client to tell, a page says so: nothing is wrong with that.
            E::Denied => Self::new(
                ErrorCode::ACCESS_DENIED,
                Rule::Consent,
                "the person does not allow it",
            )
            .with_status(StatusCode::OK),
            E::NoPermission(_) => Self::new(
                ErrorCode::ACCESS_DENIED,
                Rule::Permission,
                "the client may not act for this person",
            ),
            E::Ticket(_) => forbidden(
                Rule::Ticket,
                "this page is too old, was used, or belongs to another browser",
            ),
            E::Origin(_) => forbidden(Rule::Origin, "the form was sent from elsewhere"),
            E::NobodySignedIn => forbidden(Rule::Session, "nobody is signed in here"),
            E::Answer(_) => invalid(Rule::Consent, "the answer does not fit the question"),
            E::OverQuota => Self::over_quota(Rule::ReplayQuota),
            E::Store(store) => Self::of_store(&store),
            E::Policy(policy) => return policy.into(),
            E::Form(form) => return form.into(),
            E::Refused(refusal) => return refusal,
        };
        refusal.because(cause)
    }
}
