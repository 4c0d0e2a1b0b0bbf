//! What went wrong, for programs and people (RFC 9457): one conversion from what the use cases say.

use std::fmt;

use grantor::{
    admin::{self, Conflict, Fault, Named},
    registry::{Denial, Role},
    storage::StoreError,
};
use http::StatusCode;

/// Declares the kinds of problems: of each its name in `type`, its status, its title, and what to do
/// about it.
macro_rules! slugs {
    ($($(#[$doc:meta])* $kind:ident: $name:literal, $status:ident, $title:literal, $remedy:literal;)*) => {
        /// The kinds of problems. Each has a page that explains it, `problems/SLUG`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Slug {
            $($(#[$doc])* $kind,)*
        }

        impl Slug {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// As it stands in the problem's `type`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// The status of the answer.
            pub fn status(self) -> StatusCode {
                match self {
                    $(Self::$kind => StatusCode::$status,)*
                }
            }

            /// The same for every problem of the kind.
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$kind => $title,)*
                }
            }

            /// What to do about it.
            pub fn explanation(self) -> &'static str {
                match self {
                    $(Self::$kind => $remedy,)*
                }
            }
        }
    };
}

slugs! {
    /// The request cannot be read.
    Malformed: "malformed", BAD_REQUEST, "The request cannot be read",
        "The body is no JSON, has a member twice, or the query has a parameter that is unknown or makes no sense. `errors` says where.";
    /// There is no access token that is in force here.
    Unauthenticated: "unauthenticated", UNAUTHORIZED, "An access token is needed",
        "Send `Authorization: Bearer TOKEN` with an access token of this server whose audience is the admin API alone: ask the token endpoint with `resource=ISSUER/admin/v1` and a scope such as `grantor:read`. A token that has expired or was revoked, or whose client was disabled, is refused alike.";
    /// The caller's role is too small.
    InsufficientScope: "insufficient_scope", FORBIDDEN, "The role does not suffice",
        "`needed` names the scope. A reader looks, an editor changes, and an owner also changes whatever gives power over the server. The token, its client and the subject that it is about all have to have it.";
    /// There is nothing of this name.
    NotFound: "not_found", NOT_FOUND, "There is nothing of this name",
        "Names in paths are one percent-encoded segment, or `~` and base64url of the name.";
    /// The path takes other methods.
    Method: "method", METHOD_NOT_ALLOWED, "The method is not allowed here",
        "The header `Allow` names those that are.";
    /// The request took too long.
    Timeout: "timeout", REQUEST_TIMEOUT, "The request took too long",
        "All of it has to come, and be done, within 15 seconds. One that was there whole may have been done: look, then repeat.";
    /// The name is taken.
    Exists: "exists", CONFLICT, "The name is taken",
        "Clients and subjects share their names, and an issuer's `iss` is no client.";
    /// Others depend on it.
    InUse: "in_use", CONFLICT, "Others depend on it",
        "Remove those first, or along with it where the operation says how.";
    /// A file says how it is.
    Managed: "managed", CONFLICT, "A file says how this is",
        "Change the file and apply it; or add `override=true`, and the next apply changes it back.";
    /// The client would have no key.
    LastKey: "last_key", CONFLICT, "This is the client's last key",
        "Add another key first, or choose another client authentication method.";
    /// Nobody could administrate the server.
    LastOwner: "last_owner", CONFLICT, "This is the last owner",
        "Make another owner first. A command on the machine of the database can do without.";
    /// The key signs tokens now.
    SignsNow: "signs_now", CONFLICT, "This key signs tokens now",
        "Rotate first: the key that comes then signs, and this one can be revoked.";
    /// The resource is in no state for it.
    State: "state", CONFLICT, "Not in this state",
        "`detail` says what is in the way, and what to do first.";
    /// It is in another state than the request says.
    Changed: "changed", PRECONDITION_FAILED, "It was changed meanwhile",
        "Read it again, and send its new `ETag`.";
    /// What the plan was made from has changed.
    MovedOn: "moved_on", PRECONDITION_FAILED, "What the plan was made from has changed",
        "Make a new plan, and read it.";
    /// The body is too long.
    TooLarge: "too_large", PAYLOAD_TOO_LARGE, "The body is too long",
        "A body has at most 64 KiB, that of `apply` 16 MiB.";
    /// The body is of another media type.
    MediaType: "media_type", UNSUPPORTED_MEDIA_TYPE, "The body is of another media type",
        "Send `Content-Type: application/json`, once and without a content encoding; for PATCH `application/merge-patch+json` will do.";
    /// The body makes no sense.
    Invalid: "invalid", UNPROCESSABLE_ENTITY, "It makes no sense",
        "`errors` names each member that is wrong as a JSON Pointer, and what to do.";
    /// Too many requests.
    SlowDown: "slow_down", TOO_MANY_REQUESTS, "Too many requests",
        "`Retry-After` says when to go on.";
    /// The server cannot do it now.
    Busy: "busy", SERVICE_UNAVAILABLE, "Not now",
        "The storage is busy or out of reach. Nothing was changed unless `detail` says otherwise; the same request may succeed later.";
    /// The server is at fault.
    Broken: "broken", INTERNAL_SERVER_ERROR, "The server is at fault",
        "The server's log says why, under the id in `instance`.";
}

impl Slug {
    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|slug| slug.as_str() == name)
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
        Conflict::ScopeInUse(..) => Problem::new(Slug::InUse, text).about("scope"),
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
