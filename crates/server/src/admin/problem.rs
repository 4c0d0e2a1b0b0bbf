//! What went wrong, for programs and people (RFC 9457): one conversion from what the use cases say.

use std::fmt;

use grantor::{
    admin::{self, Conflict, Fault, Named},
    registry::{Denial, Role},
    storage::StoreError,
};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kinds of problems. Each has a page that explains it, `problems/SLUG`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Slug {
    /// The request cannot be read.
    Malformed,
    /// There is no access token that is in force here.
    Unauthenticated,
    /// The caller's role is too small.
    InsufficientScope,
    /// There is nothing of this name.
    NotFound,
    /// The path takes other methods.
    Method,
    /// The request took too long.
    Timeout,
    /// The name is taken.
    Exists,
    /// Others depend on it.
    InUse,
    /// A file says how it is.
    Managed,
    /// The client would have no key.
    LastKey,
    /// Nobody could administrate the server.
    LastOwner,
    /// The key signs tokens now.
    SignsNow,
    /// The resource is in no state for it.
    State,
    /// It is in another state than the request says.
    Changed,
    /// What the plan was made from has changed.
    MovedOn,
    /// The body is too long.
    TooLarge,
    /// The body is of another media type.
    MediaType,
    /// The body makes no sense.
    Invalid,
    /// Too many requests.
    SlowDown,
    /// The server cannot do it now.
    Busy,
    /// The server is at fault.
    Broken,
}

impl Slug {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::Malformed,
        Self::Unauthenticated,
        Self::InsufficientScope,
        Self::NotFound,
        Self::Method,
        Self::Timeout,
        Self::Exists,
        Self::InUse,
        Self::Managed,
        Self::LastKey,
        Self::LastOwner,
        Self::SignsNow,
        Self::State,
        Self::Changed,
        Self::MovedOn,
        Self::TooLarge,
        Self::MediaType,
        Self::Invalid,
        Self::SlowDown,
        Self::Busy,
        Self::Broken,
    ];

    /// As it stands in the problem's `type`.
    pub fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The status of the answer.
    pub fn status(self) -> StatusCode {
        self.row().1
    }

    /// The same for every problem of the kind.
    pub fn title(self) -> &'static str {
        self.row().2
    }

    /// What to do about it.
    pub fn explanation(self) -> &'static str {
        self.row().3
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|slug| slug.as_str() == name)
    }

    fn row(self) -> (&'static str, StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::Malformed => (
                "malformed",
                S::BAD_REQUEST,
                "The request cannot be read",
                "The body is no JSON, has a member twice, or the query has a parameter that is unknown or makes no sense. `errors` says where.",
            ),
            Self::Unauthenticated => (
                "unauthenticated",
                S::UNAUTHORIZED,
                "An access token is needed",
                "Send `Authorization: Bearer TOKEN` with an access token of this server whose audience is the admin API alone: ask the token endpoint with `resource=ISSUER/admin/v1` and a scope such as `grantor:read`. A token that has expired or was revoked, or whose client was disabled, is refused alike.",
            ),
            Self::InsufficientScope => (
                "insufficient_scope",
                S::FORBIDDEN,
                "The role does not suffice",
                "`needed` names the scope. A reader looks, an editor changes, and an owner also changes whatever gives power over the server. The token, its client and the subject that it is about all have to have it.",
            ),
            Self::NotFound => (
                "not_found",
                S::NOT_FOUND,
                "There is nothing of this name",
                "Names in paths are one percent-encoded segment, or `~` and base64url of the name.",
            ),
            Self::Method => (
                "method",
                S::METHOD_NOT_ALLOWED,
                "The method is not allowed here",
                "The header `Allow` names those that are.",
            ),
            Self::Timeout => (
                "timeout",
                S::REQUEST_TIMEOUT,
                "The request took too long",
                "All of it has to come, and be done, within 15 seconds. One that was there whole may have been done: look, then repeat.",
            ),
            Self::Exists => (
                "exists",
                S::CONFLICT,
                "The name is taken",
                "Clients and subjects share their names, and an issuer's `iss` is no client.",
            ),
            Self::InUse => (
                "in_use",
                S::CONFLICT,
                "Others depend on it",
                "Remove those first, or along with it where the operation says how.",
            ),
            Self::Managed => (
                "managed",
                S::CONFLICT,
                "A file says how this is",
                "Change the file and apply it; or add `override=true`, and the next apply changes it back.",
            ),
            Self::LastKey => (
                "last_key",
                S::CONFLICT,
                "This is the client's last key",
                "Add another key first, or choose another client authentication method.",
            ),
            Self::LastOwner => (
                "last_owner",
                S::CONFLICT,
                "This is the last owner",
                "Make another owner first. A command on the machine of the database can do without.",
            ),
            Self::SignsNow => (
                "signs_now",
                S::CONFLICT,
                "This key signs tokens now",
                "Rotate first: the key that comes then signs, and this one can be revoked.",
            ),
            Self::State => (
                "state",
                S::CONFLICT,
                "Not in this state",
                "`detail` says what is in the way, and what to do first.",
            ),
            Self::Changed => (
                "changed",
                S::PRECONDITION_FAILED,
                "It was changed meanwhile",
                "Read it again, and send its new `ETag`.",
            ),
            Self::MovedOn => (
                "moved_on",
                S::PRECONDITION_FAILED,
                "What the plan was made from has changed",
                "Make a new plan, and read it.",
            ),
            Self::TooLarge => (
                "too_large",
                S::PAYLOAD_TOO_LARGE,
                "The body is too long",
                "A body has at most 64 KiB, that of `apply` 16 MiB.",
            ),
            Self::MediaType => (
                "media_type",
                S::UNSUPPORTED_MEDIA_TYPE,
                "The body is of another media type",
                "Send `Content-Type: application/json`, once and without a content encoding; for PATCH `application/merge-patch+json` will do.",
            ),
            Self::Invalid => (
                "invalid",
                S::UNPROCESSABLE_ENTITY,
                "It makes no sense",
                "`errors` names each member that is wrong as a JSON Pointer, and what to do.",
            ),
            Self::SlowDown => (
                "slow_down",
                S::TOO_MANY_REQUESTS,
                "Too many requests",
                "`Retry-After` says when to go on.",
            ),
            Self::Busy => (
                "busy",
                S::SERVICE_UNAVAILABLE,
                "Not now",
                "The storage is busy or out of reach. Nothing was changed unless `detail` says otherwise; the same request may succeed later.",
            ),
            Self::Broken => (
                "broken",
                S::INTERNAL_SERVER_ERROR,
                "The server is at fault",
                "The server's log says why, under the id in `instance`.",
            ),
        }
    }
}

/// Most faults that are told at once.
const MOST_FAULTS: usize = 100;

/// A problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The kind.
    pub slug: Slug,
    /// What happened and what to do.
    pub detail: String,
    /// The members at fault.
    pub errors: Vec<Fault>,
    /// The role that would do.
    pub needed: Option<Role>,
    /// The kind of resource that it is about.
    pub resource: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl Problem {
    /// Of this kind.
    pub fn new(slug: Slug, detail: impl Into<String>) -> Self {
        Self {
            slug,
            detail: detail.into(),
            errors: Vec::new(),
            needed: None,
            resource: None,
        }
    }

    /// Of this kind, in the words of the kind.
    pub fn plain(slug: Slug) -> Self {
        Self::new(slug, slug.title())
    }

    /// The caller's role is less than this.
    pub fn needs(role: Role) -> Self {
        let detail = format!("this needs the scope {}", role.scope());
        Self {
            needed: Some(role),
            ..Self::new(Slug::InsufficientScope, detail)
        }
    }

    /// These members are at fault. Of very many the first are told.
    pub fn at_fault(slug: Slug, mut errors: Vec<Fault>) -> Self {
        let more = errors.len().saturating_sub(MOST_FAULTS);
        errors.truncate(MOST_FAULTS);
        if more > 0 {
            errors.push(Fault::of_all(format!("{more} more")));
        }
        let texts: Vec<_> = errors.iter().map(Fault::to_string).collect();
        Self {
            errors,
            ..Self::new(slug, texts.join("; "))
        }
    }

    /// The same of a document that is this member of another one.
    #[must_use]
    pub fn below(self, member: &str) -> Self {
        let mut errors = self.errors;
        for fault in &mut errors {
            fault.pointer = format!("/{member}{}", fault.pointer);
        }
        Self::at_fault(self.slug, errors)
    }

    fn about(self, resource: &str) -> Self {
        Self {
            resource: Some(resource.to_owned()),
            ..self
        }
    }
}

/// What is told of an error. Its source is for the log.
impl From<&admin::Error> for Problem {
    fn from(error: &admin::Error) -> Self {
        let text = error.to_string();
        match error {
            admin::Error::NotFound(named) => Self::new(Slug::NotFound, text).about(kind_of(named)),
            admin::Error::Exists(named) => Self::new(Slug::Exists, text).about(kind_of(named)),
            admin::Error::Invalid(faults) => Self::at_fault(Slug::Invalid, faults.clone()),
            admin::Error::Conflict(conflict) => of_conflict(conflict, text),
            admin::Error::Denied(denial) => of_denial(denial, text),
            admin::Error::MovedOn => Self::new(Slug::MovedOn, text),
            admin::Error::Store(StoreError::Unavailable(_)) => Self::new(Slug::Busy, text),
            admin::Error::Store(StoreError::Unknown(_)) => Self::new(Slug::Busy, text),
            admin::Error::Store(_) => Self::plain(Slug::Broken),
            _ => Self::plain(Slug::Broken),
        }
    }
}

fn of_conflict(conflict: &Conflict, text: String) -> Problem {
    match conflict {
        Conflict::Changed(named) => Problem::new(Slug::Changed, text).about(kind_of(named)),
        Conflict::HasTrusts(..) => Problem::new(Slug::InUse, text).about("issuer"),
        Conflict::LastKey(..) => Problem::new(Slug::LastKey, text).about("client"),
        Conflict::SignsNow(..) => Problem::new(Slug::SignsNow, text).about("signing_key"),
        Conflict::KeysUploaded(..) => Problem::new(Slug::State, text).about("uploaded_keys"),
        Conflict::NoKeys(..) => Problem::new(Slug::State, text).about("issuer_keys"),
        Conflict::TooManySecrets(..) => Problem::new(Slug::State, text).about("client_secret"),
        _ => Problem::new(Slug::State, text),
    }
}

fn of_denial(denial: &Denial, text: String) -> Problem {
    match denial {
        Denial::NeedsOwner { .. } => Problem {
            detail: text,
            ..Problem::needs(Role::Owner)
        },
        Denial::NeedsEditor { .. } => Problem {
            detail: text,
            ..Problem::needs(Role::Editor)
        },
        Denial::LastOwner => Problem::new(Slug::LastOwner, text),
        Denial::Managed { kind, .. } => Problem::new(Slug::Managed, text).about(kind),
        Denial::Changed(kind) => Problem::new(Slug::Changed, text).about(kind),
        _ => Problem::new(Slug::InsufficientScope, text),
    }
}

fn kind_of(named: &Named) -> &'static str {
    match named {
        Named::Client(_) => "client",
        Named::ClientKey(..) => "client_key",
        Named::ClientSecret(..) => "client_secret",
        Named::Subject(_) => "subject",
        Named::Operator(_) => "operator",
        Named::Credentials(_) => "credentials",
        Named::Passkey(..) => "passkey",
        Named::Permission(..) => "permission",
        Named::Scope(_) => "scope",
        Named::SigningKey(_) => "signing_key",
        Named::Decision(_) => "decision",
        Named::Change(_) => "change",
        Named::Issuer(_) | Named::IssuerName(_) | Named::TrustDomain(_) => "issuer",
        Named::Trust(_) | Named::FederatedSubject(..) => "trust",
        Named::Template(_) => "template",
        _ => "resource",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m009_of_very_many_faults_the_first_are_told() {
        let faults = |count: usize| vec![Fault::new("scope", "is no scope"); count];
        let told = |count| Problem::at_fault(Slug::Invalid, faults(count));
        assert_eq!(told(MOST_FAULTS).errors, faults(MOST_FAULTS));
        let many = told(1_000_000);
        assert_eq!(many.errors.len(), MOST_FAULTS + 1);
        assert!(many.detail.ends_with("999900 more"), "{}", many.detail);
    }
}
