//! Every rule that a request can break, by the name that decisions, explanations and metrics give
//! it.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize, Serializer};

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $name:literal,)*) => {
        /// A rule that a request can break. Its name is what is stored, shown and counted, and
        /// never changes.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
        #[serde(from = "Cow<'static, str>")]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[$doc])* $rule,)*
            /// A rule of an extension, or of another version of this program. [`Rule::named`]
            /// makes it.
            Other(Cow<'static, str>),
        }

        impl Rule {
            /// The rules of this program, in the order of its stages.
            pub const ALL: &'static [Self] = &[$(Self::$rule),*];

            /// The rule of this name: one of this program, else [`Rule::Other`].
            pub fn named(name: impl Into<Cow<'static, str>>) -> Self {
                let name = name.into();
                match &*name {
                    $($name => Self::$rule,)*
                    _ => Self::Other(name),
                }
            }

            /// The name, in one word.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$rule => $name,)*
                    Self::Other(name) => name,
                }
            }

            /// The name as a word of the program; none if it was made while that ran.
            pub fn word(&self) -> Option<&'static str> {
                match self {
                    $(Self::$rule => Some($name),)*
                    Self::Other(Cow::Borrowed(name)) => Some(name),
                    Self::Other(Cow::Owned(_)) => None,
                }
            }
        }
    };
}

rules! {
    /// The sender is heard: it did not fail too often.
    Throttled = "throttled",
    /// The request can be read (RFC 6749 §3.2, appendix B).
    Form = "form",
    /// The client proves who it is (RFC 6749 §2.3).
    Client = "client",
    /// The caller of a grant is the party that issued the assertion.
    Caller = "caller",
    /// The assertion is a JWS that can be read (RFC 7515 §5.2).
    Jws = "jws",
    /// The payload is a claims set (RFC 7519 §7.2).
    Claims = "claims",
    /// The issuer of the assertion is registered and enabled (RFC 7523 §3 (1)).
    Issuer = "issuer",
    /// The client is registered for the method by which it authenticates (RFC 7591 §2), and the
    /// grant accepts that.
    Method = "method",
    /// There is a key to verify with (RFC 7515 §4.1.4).
    Key = "key",
    /// The algorithm is the one that the key is registered for (RFC 8725 §3.1).
    Algorithm = "alg",
    /// The signature verifies (RFC 7523 §3 (9)).
    Signature = "signature",
    /// `typ` does not name another kind of JWT (RFC 8725 §3.11).
    Type = "typ",
    /// The JWT is a bearer token, bound to no key (RFC 7800).
    Confirmation = "cnf",
    /// `iss` is the party that signed (RFC 7523 §3 (1)).
    IssuerClaim = "iss",
    /// `sub` is what the use of the assertion asks for (RFC 7523 §3 (2)).
    SubjectClaim = "sub",
    /// `aud` is this server (RFC 7523 §3 (3)).
    Audience = "aud",
    /// `exp` has not passed, and is not too far ahead (RFC 7523 §3 (4)).
    Expiry = "exp",
    /// `nbf` has come (RFC 7523 §3 (5)).
    NotBefore = "nbf",
    /// `iat` has come, and is not too long ago (RFC 7523 §3 (6)).
    IssuedAt = "iat",
    /// `jti` can be remembered (RFC 7523 §3 (7)).
    TokenId = "jti",
    /// The assertion was issued after the storage was restored.
    Fence = "fence",
    /// The assertion was not used before (RFC 7523 §3 (7)).
    Replay = "replay",
    /// The issuer has room for another used assertion.
    ReplayQuota = "replay_quota",
    /// Exactly one trust of the issuer takes the JWT.
    Trust = "trust",
    /// The trust finds a subject in the JWT, which nobody else is.
    MappedSubject = "mapped_subject",
    /// The issuer's keys can be had.
    IssuerKeys = "issuer_keys",
    /// The `scope` claim is a scope (RFC 6749 §3.3).
    ScopeClaim = "scope_claim",
    /// The subject is the client itself, or known and enabled (RFC 7523 §3 (2)).
    Subject = "subject",
    /// The client may act for the subject (RFC 7521 §6.3).
    Permission = "permission",
    /// The client is registered for the grant, and the grant has no reason of its own against it
    /// (RFC 6749 §5.2).
    Grant = "grant",
    /// The answer of an authorization request goes to a redirect URI of the client (RFC 6749
    /// §3.1.2).
    RedirectUri = "redirect_uri",
    /// Who redeems a code is who asked for it (RFC 7636).
    Pkce = "pkce",
    /// A page goes on with its own ticket, in its own browser, in time.
    Ticket = "ticket",
    /// A form comes from a page of this server.
    Origin = "origin",
    /// Somebody is signed in, recently enough.
    Session = "session",
    /// The passkey is one of the person's.
    Passkey = "passkey",
    /// The password is that of the person.
    Password = "password",
    /// The invitation is good.
    Invitation = "invitation",
    /// The person allows it.
    Consent = "consent",
    /// The authorization code is good, for this client, in time, once (RFC 6749 §4.1.3).
    Code = "code",
    /// The refresh token is good, for this client, in time (RFC 6749 §6).
    RefreshToken = "refresh_token",
    /// A refresh token is not used again after its successor was (RFC 9700 §4.14.2).
    RefreshReuse = "refresh_reuse",
    /// The access token is one of this server for this API, in force (RFC 6750 §3.1).
    AccessToken = "access_token",
    /// The role of the token, its client and its subject is great enough for what is asked.
    Role = "role",
    /// The resource is one that is served (RFC 8707 §2).
    Resource = "resource",
    /// The scope is one, and no wider than allowed (RFC 6749 §3.3).
    Scope = "scope",
    /// The token can be made.
    Issue = "issue",
    /// What a decision rests on did not change while it was made.
    Unchanged = "unchanged",
    /// The storage answers.
    Storage = "storage",
    /// The server has no defect.
    Defect = "defect",
}

impl From<Cow<'static, str>> for Rule {
    fn from(name: Cow<'static, str>) -> Self {
        Self::named(name)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_written_and_read_as_its_name_also_one_that_is_unknown_here() {
        for rule in Rule::ALL.iter().cloned().chain([Rule::named("binding")]) {
            let written = serde_json::to_string(&rule).expect("JSON");
            assert_eq!(written, format!("\"{rule}\""));
            let read: Rule = serde_json::from_str(&written).expect("a rule");
            assert_eq!(read, rule);
        }
    }
}
