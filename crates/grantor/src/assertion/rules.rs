//! The rules (1) to (7) of RFC 7523 §3, one function each, in the RFC's order. Each is pure: claims,
//! expectation and time in, nothing or the broken rule out. Rule (9), the signature, is checked by
//! the verifier, and (10), a valid JWT, where the assertion is parsed; (8) lets other claims be.

use grantor_jose::{AudienceClaim, Claims, Header, NumericDate};

use super::{
    AssertionError, AudienceForm, AudienceRule, ConfirmationRule, Expectation, IssuedAtRule,
    IssuerRule, SubjectRule, TokenIdRule, spiffe_id,
};
use crate::{
    registry::TrustedIssuer,
    types::{Rule, Shown, SubjectId},
};

/// Longest `jti`, in octets.
pub const MAX_TOKEN_ID_BYTES: usize = 255;

/// RFC 8725 §3.11: a JWT of another kind is refused.
pub(super) fn typ(header: &Header, expectation: &Expectation<'_>) -> Result<(), AssertionError> {
    match header.typ() {
        Some(typ) if !expectation.typ.iter().any(|known| header.typ_is(known)) => {
            Err(AssertionError::WrongType {
                expected: expectation.typ.to_vec(),
                got: typ.into(),
            })
        }
        _ => Ok(()),
    }
}

/// RFC 7800: a JWT that is bound to a key is no bearer token.
pub(super) fn confirmation(
    claims: &Claims,
    expectation: &Expectation<'_>,
) -> Result<(), AssertionError> {
    match expectation.confirmation {
        ConfirmationRule::Absent if claims.other.contains("cnf") => Err(AssertionError::Bound),
        ConfirmationRule::Absent | ConfirmationRule::Ignored => Ok(()),
    }
}

/// RFC 7523 §3 (1): `iss` is the party whose key verified the signature.
pub(super) fn issuer(claims: &Claims, expectation: &Expectation<'_>) -> Result<(), AssertionError> {
    match &claims.issuer {
        None if expectation.issuer_rule == IssuerRule::MayBeAbsent => Ok(()),
        None => Err(AssertionError::MissingClaim(Rule::IssuerClaim)),
        Some(issuer) if issuer == expectation.issuer => Ok(()),
        Some(issuer) => Err(AssertionError::WrongIssuer {
            expected: registered(expectation.issuer),
            got: issuer.as_str().into(),
        }),
    }
}

/// RFC 7523 §3 (2): `sub` is present, and for client authentication is the client. Answers whom it
/// names; `None` where that is for a trust to say.
pub(super) fn subject(
    claims: &Claims,
    expectation: &Expectation<'_>,
) -> Result<Option<SubjectId>, AssertionError> {
    if let SubjectRule::Foreign | SubjectRule::SpiffeId(_) = expectation.subject {
        return foreign_subject(claims, expectation.subject).map(|()| None);
    }
    let subject = match (&claims.subject, expectation.subject) {
        (Some(subject), _) => subject.as_str(),
        (None, SubjectRule::IssuerIfAbsent) => expectation.issuer,
        (None, _) => return Err(AssertionError::MissingClaim(Rule::SubjectClaim)),
    };
    if expectation.subject == SubjectRule::IsIssuer && subject != expectation.issuer {
        return Err(AssertionError::WrongSubject {
            expected: registered(expectation.issuer),
            got: subject.into(),
        });
    }
    let subject = SubjectId::parse(subject);
    subject
        .map(Some)
        .map_err(|error| malformed_subject(error.to_string()))
}

/// The subject that somebody else has named: present, and not too long to be read.
fn foreign_subject(claims: &Claims, rule: SubjectRule<'_>) -> Result<(), AssertionError> {
    let subject = claims.subject.as_deref();
    let subject = subject.ok_or(AssertionError::MissingClaim(Rule::SubjectClaim))?;
    if subject.len() > TrustedIssuer::MAX_SUBJECT_BYTES {
        return Err(malformed_subject("is longer than 2,048 octets".to_owned()));
    }
    let SubjectRule::SpiffeId(domain) = rule else {
        return Ok(());
    };
    let id = spiffe_id(subject);
    let id = id.ok_or_else(|| malformed_subject("is no SPIFFE ID".to_owned()))?;
    match id.domain == domain {
        true => Ok(()),
        false => Err(AssertionError::WrongTrustDomain {
            expected: registered(domain),
            got: id.domain.into(),
        }),
    }
}

fn malformed_subject(error: String) -> AssertionError {
    let claim = Rule::SubjectClaim;
    AssertionError::MalformedClaim { claim, error }
}

/// RFC 7523 §3 (3), RFC 10070 §4: `aud` is this server, as the sole value, compared to the letter.
pub(super) fn audience(
    claims: &Claims,
    expectation: &Expectation<'_>,
) -> Result<(), AssertionError> {
    let audience = claims
        .audience
        .as_ref()
        .ok_or(AssertionError::MissingClaim(Rule::Audience))?;
    let AudienceRule {
        allowed,
        form,
        is_of_issuer,
    } = expectation.audience;
    if form == AudienceForm::Plain && matches!(audience, AudienceClaim::Many(_)) {
        return Err(AssertionError::AudienceArray);
    }
    let is_allowed = |name: &str| allowed.iter().any(|allowed| allowed == name);
    let is_ours = match form {
        AudienceForm::Any => audience.values().iter().any(|name| is_allowed(name)),
        AudienceForm::Sole | AudienceForm::Plain => audience.sole().is_some_and(is_allowed),
    };
    match is_ours {
        true => Ok(()),
        false => Err(AssertionError::WrongAudience {
            is_of_issuer,
            expected: allowed.to_vec(),
            got: Shown::list(audience.values().iter().map(|value| value.as_str())),
        }),
    }
}

/// The name of a registered party.
fn registered(name: &str) -> Shown {
    Shown::known(name, Shown::MAX_BYTES)
}

/// RFC 7523 §3 (4): `exp` is present, not past, and not unreasonably far ahead. Answers when the
/// assertion ends for good.
pub(super) fn expiry(
    claims: &Claims,
    expectation: &Expectation<'_>,
    now: NumericDate,
) -> Result<NumericDate, AssertionError> {
    let lifetimes = expectation.lifetimes;
    let expires = claims
        .expires
        .ok_or(AssertionError::MissingClaim(Rule::Expiry))?;
    let end = expires.plus(lifetimes.leeway);
    if now >= end {
        return Err(AssertionError::Expired {
            seconds_ago: now.seconds() - expires.seconds(),
        });
    }
    if end > now.plus(lifetimes.maximum + 2 * lifetimes.leeway) {
        let ahead = expires.seconds() - now.seconds();
        return Err(AssertionError::ExpiresTooLate {
            seconds_ahead: ahead,
            maximum: lifetimes.maximum.as_secs(),
        });
    }
    match (expectation.issued_at, claims.issued_at) {
        (IssuedAtRule::Required, Some(issued)) if expires > issued.plus(lifetimes.maximum) => {
            Err(AssertionError::LivesTooLong {
                seconds: expires.seconds() - issued.seconds(),
                maximum: lifetimes.maximum.as_secs(),
            })
        }
        _ => Ok(end),
    }
}

/// RFC 7523 §3 (5): `nbf`, where present, has come, and comes before `exp`.
pub(super) fn not_before(
    claims: &Claims,
    expectation: &Expectation<'_>,
    now: NumericDate,
) -> Result<(), AssertionError> {
    let lifetimes = expectation.lifetimes;
    let Some(not_before) = claims.not_before else {
        return Ok(());
    };
    if not_before > now.plus(lifetimes.leeway) {
        return Err(AssertionError::NotYetValid {
            seconds_ahead: not_before.seconds() - now.seconds(),
        });
    }
    in_order(claims, not_before, "nbf")
}

/// RFC 7523 §3 (6): `iat`, where present, is neither in the future nor unreasonably old, and comes
/// before `exp`.
pub(super) fn issued_at(
    claims: &Claims,
    expectation: &Expectation<'_>,
    now: NumericDate,
) -> Result<(), AssertionError> {
    let lifetimes = expectation.lifetimes;
    let Some(issued) = claims.issued_at else {
        return match expectation.issued_at {
            IssuedAtRule::Optional => Ok(()),
            IssuedAtRule::Required => Err(AssertionError::MissingClaim(Rule::IssuedAt)),
        };
    };
    if issued > now.plus(lifetimes.leeway) {
        return Err(AssertionError::IssuedInFuture {
            seconds_ahead: issued.seconds() - now.seconds(),
        });
    }
    if now > issued.plus(lifetimes.maximum + lifetimes.leeway) {
        let age = now.seconds() - issued.seconds();
        return Err(AssertionError::TooOld {
            seconds: age,
            maximum: lifetimes.maximum.as_secs(),
        });
    }
    in_order(claims, issued, "iat")
}

fn in_order(
    claims: &Claims,
    earlier: NumericDate,
    claim: &'static str,
) -> Result<(), AssertionError> {
    match claims.expires {
        Some(expires) if expires <= earlier => Err(AssertionError::EndsBeforeStart(claim)),
        _ => Ok(()),
    }
}

/// RFC 7523 §3 (7): `jti` is present where it must be, and short enough to be remembered. Answers
/// the one to claim.
pub(super) fn token_id<'c>(
    claims: &'c Claims,
    expectation: &Expectation<'_>,
) -> Result<Option<&'c str>, AssertionError> {
    let token_id = match expectation.token_id {
        TokenIdRule::Required | TokenIdRule::Optional => claims.token_id.as_deref(),
        TokenIdRule::Digest | TokenIdRule::Reusable => return Ok(None),
    };
    match token_id {
        None if expectation.token_id == TokenIdRule::Required => {
            Err(AssertionError::MissingClaim(Rule::TokenId))
        }
        None => Ok(None),
        Some(token_id) if token_id.len() > MAX_TOKEN_ID_BYTES => {
            Err(malformed_token_id("is longer than 255 octets"))
        }
        Some(token_id) if token_id.trim().is_empty() => Err(malformed_token_id("is empty")),
        Some(token_id) if token_id.chars().any(char::is_control) => {
            Err(malformed_token_id("contains control characters"))
        }
        Some(token_id) => Ok(Some(token_id)),
    }
}

fn malformed_token_id(error: &str) -> AssertionError {
    AssertionError::MalformedClaim {
        claim: Rule::TokenId,
        error: error.to_owned(),
    }
}
