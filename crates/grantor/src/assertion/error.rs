//! Which rule an assertion broke: the private cause in full, and the little of it that the public
//! may read.

use std::{borrow::Cow, time::Duration};

use grantor_jose::{Algorithm, ClaimsError, JwsError};

use crate::{
    storage::StoreError,
    types::{Rule, Shown},
};

/// Why an assertion is refused. The text is the private cause: it names what was expected and what
/// came.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssertionError {
    /// Not a JWS this server reads (RFC 7515 §5.2), or the signature does not verify.
    #[error("{0}")]
    Jws(#[from] JwsError),
    /// No acceptable claims set (RFC 7519 §7.2).
    #[error("{0}")]
    Claims(#[from] ClaimsError),
    /// The server does not accept this algorithm, or the client is registered with another one (RFC
    /// 8725 §3.1).
    #[error("algorithm: expected {expected}, got {got}")]
    WrongAlgorithm {
        /// What is accepted.
        expected: String,
        /// `alg`
        got: Algorithm,
    },
    /// `typ` says that this is another kind of JWT (RFC 8725 §3.11).
    #[error("typ: expected none, {}; got {got:?}", expected.join(" or "))]
    WrongType {
        /// What is accepted beside none.
        expected: Vec<Cow<'static, str>>,
        /// `typ`
        got: Shown,
    },
    /// The JWT is bound to a key, so it is no bearer token (RFC 7800).
    #[error("cnf: expected none, for the JWT is presented without the key that it is bound to")]
    Bound,
    /// The claim that this rule is about, and named for, is absent.
    #[error("claim '{0}' is missing")]
    MissingClaim(Rule),
    /// A claim has the right type, but a value nobody could work with.
    #[error("claim '{claim}' {error}")]
    MalformedClaim {
        /// The rule about it, named for it.
        claim: Rule,
        /// What is wrong with it.
        error: String,
    },
    /// RFC 7523 §3 (1)
    #[error("iss: expected {expected:?}, got {got:?}")]
    WrongIssuer {
        /// The party whose key verified.
        expected: Shown,
        /// `iss`
        got: Shown,
    },
    /// RFC 7523 §3 (2)
    #[error("sub: expected the client {expected:?}, got {got:?}")]
    WrongSubject {
        /// The client.
        expected: Shown,
        /// `sub`
        got: Shown,
    },
    /// SPIFFE-ID §2.1
    #[error("sub: expected the trust domain {expected:?}, got {got:?}")]
    WrongTrustDomain {
        /// That of the issuer.
        expected: Shown,
        /// That of `sub`.
        got: Shown,
    },
    /// RFC 7523 §3 (3), RFC 10070 §4
    #[error("aud: expected one of {expected:?} as sole value, got {got}")]
    WrongAudience {
        /// Whether these are an issuer's own, registered with it.
        is_of_issuer: bool,
        /// What is accepted.
        expected: Vec<String>,
        /// `aud`
        got: Shown,
    },
    /// FAPI 2.0 §5.3.2.1 (8)
    #[error("aud: expected a plain string, got an array")]
    AudienceArray,
    /// RFC 7523 §3 (4)
    #[error("exp: expired {seconds_ago:.0} s ago")]
    Expired {
        /// Seconds since `exp`, by the server's clock.
        seconds_ago: f64,
    },
    /// RFC 7523 §3 (4)
    #[error("exp: expected at most {maximum} s ahead, got {seconds_ahead:.0} s")]
    ExpiresTooLate {
        /// Seconds until `exp`.
        seconds_ahead: f64,
        /// Seconds allowed.
        maximum: u64,
    },
    /// RFC 7523 §3 (4)
    #[error("exp: expected at most {maximum} s behind iat, got {seconds:.0} s")]
    LivesTooLong {
        /// Seconds from `iat` to `exp`.
        seconds: f64,
        /// Seconds allowed.
        maximum: u64,
    },
    /// RFC 7523 §3 (5)
    #[error("nbf: not valid for another {seconds_ahead:.0} s")]
    NotYetValid {
        /// Seconds until `nbf`.
        seconds_ahead: f64,
    },
    /// RFC 7523 §3 (6)
    #[error("iat: {seconds_ahead:.0} s in the future")]
    IssuedInFuture {
        /// Seconds until `iat`.
        seconds_ahead: f64,
    },
    /// RFC 7523 §3 (6)
    #[error("iat: expected at most {maximum} s ago, got {seconds:.0} s")]
    TooOld {
        /// Seconds since `iat`.
        seconds: f64,
        /// Seconds allowed.
        maximum: u64,
    },
    /// `exp` is not after `iat` or `nbf`.
    #[error("exp: not after {0}")]
    EndsBeforeStart(&'static str),
    /// RFC 7523 §3 (7)
    #[error("jti: used before")]
    Replayed,
    /// The issuer has used up its part of the replay guard for now. The assertion was not used.
    #[error(
        "jti: the issuer has {0} used assertions that have not expired yet, which is its quota"
    )]
    OverQuota(u64),
    /// Uses were lost when the storage was restored, and this assertion may have been used before
    /// that. New ones are taken when this time has passed.
    #[error("iat: not issued after the storage was restored; newly issued ones are taken in {} ms", .0.as_millis())]
    BeforeFence(Duration),
    /// The replay guard could not answer; the assertion is refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AssertionError {
    /// The broken rule, for logs and metrics.
    pub fn rule(&self) -> Rule {
        match self {
            Self::Jws(JwsError::Signature) => Rule::Signature,
            Self::Jws(JwsError::AlgorithmNotForKey(_)) | Self::WrongAlgorithm { .. } => {
                Rule::Algorithm
            }
            Self::Jws(_) => Rule::Jws,
            Self::Claims(_) => Rule::Claims,
            Self::WrongType { .. } => Rule::Type,
            Self::Bound => Rule::Confirmation,
            Self::MissingClaim(rule) | Self::MalformedClaim { claim: rule, .. } => rule.clone(),
            Self::WrongIssuer { .. } => Rule::IssuerClaim,
            Self::WrongSubject { .. } | Self::WrongTrustDomain { .. } => Rule::SubjectClaim,
            Self::WrongAudience { .. } | Self::AudienceArray => Rule::Audience,
            Self::Expired { .. }
            | Self::ExpiresTooLate { .. }
            | Self::LivesTooLong { .. }
            | Self::EndsBeforeStart(_) => Rule::Expiry,
            Self::NotYetValid { .. } => Rule::NotBefore,
            Self::IssuedInFuture { .. } | Self::TooOld { .. } => Rule::IssuedAt,
            Self::Replayed => Rule::Replay,
            Self::OverQuota(_) => Rule::ReplayQuota,
            Self::BeforeFence(_) => Rule::Fence,
            Self::Store(_) => Rule::Storage,
        }
    }

    /// What the public may read: the rule in fixed words once the signature has verified, nothing
    /// before (law 6). Free of anything the token contained, but for differences to the
    /// server's clock.
    pub fn public_text(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            Self::Jws(_) | Self::Claims(_) | Self::WrongAlgorithm { .. } | Self::Store(_) => return None,
            Self::WrongType { .. } => "typ names another kind of JWT".into(),
            Self::Bound => "the JWT is bound to a key, and no bearer token".into(),
            Self::WrongTrustDomain { .. } => "subject is of another trust domain".into(),
            Self::LivesTooLong { maximum, .. } => format!("lives longer than {maximum} s").into(),
            Self::MissingClaim(claim) => format!("claim {claim} is missing").into(),
            Self::MalformedClaim { claim, .. } => format!("claim {claim} is malformed").into(),
            Self::WrongIssuer { .. } => "issuer is not the party that signed".into(),
            Self::WrongSubject { .. } => "subject is not the client".into(),
            Self::WrongAudience { is_of_issuer: true, .. } => {
                "audience is not the one that is registered for this issuer".into()
            }
            Self::WrongAudience { expected, .. } if expected.len() == 1 => {
                "audience is not this server's issuer identifier as the sole value (a client library that can only send the \
                 token endpoint URL needs audience policy legacy in its registration)"
                    .into()
            }
            Self::WrongAudience { .. } => {
                "audience is not this server's issuer identifier or token endpoint as the sole value".into()
            }
            Self::AudienceArray => "audience must be a plain string, not an array".into(),
            Self::Expired { seconds_ago } => format!("expired {} ago by our clock", span(*seconds_ago)).into(),
            Self::ExpiresTooLate { maximum, .. } => format!("expires more than {maximum} s ahead of our clock").into(),
            Self::NotYetValid { seconds_ahead } => format!("not valid for another {} by our clock", span(*seconds_ahead)).into(),
            Self::IssuedInFuture { seconds_ahead } => {
                format!("issued {} in the future of our clock", span(*seconds_ahead)).into()
            }
            Self::TooOld { maximum, .. } => format!("issued more than {maximum} s ago by our clock").into(),
            Self::EndsBeforeStart(claim) => format!("exp is not after {claim}").into(),
            Self::Replayed => "jti was used before; each assertion needs a new one".into(),
            Self::BeforeFence(_) => "it was issued too early for this server; send a new one in a minute".into(),
            Self::OverQuota(_) => "too many assertions that have not expired; use access tokens until they expire".into(),
        })
    }
}

/// Seconds in words. A claim can be 300 digits long; nobody needs to read them.
fn span(seconds: f64) -> String {
    if seconds < 1e10 {
        format!("{seconds:.0} s")
    } else {
        "centuries".to_owned()
    }
}
