//! The rules (1) to (7) of RFC 7523 §3, one function each, in the RFC's order. Each is pure: claims,
//! expectation and time in, nothing or the broken rule out. Rule (9), the signature, is checked by
//! the verifier, and (10), a valid JWT, where the assertion is parsed; (8) lets other claims be.

use grantor_jose::{AudienceClaim, Claims, Header, NumericDate};

use super::{AssertionError, AudienceForm, AudienceRule, Expectation, SubjectRule, TokenIdRule};
use crate::types::{Rule, Shown, SubjectId};

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

/// RFC 7523 §3 (1): `iss` is the party whose key verified the signature.
pub(super) fn issuer(claims: &Claims, expectation: &Expectation<'_>) -> Result<(), AssertionError> {
    match &claims.issuer {
        None => Err(AssertionError::MissingClaim(Rule::IssuerClaim)),
        Some(issuer) if issuer == expectation.issuer => Ok(()),
        Some(issuer) => Err(AssertionError::WrongIssuer {
            expected: registered(expectation.issuer),
            got: issuer.as_str().into(),
        }),
    }
}

/// RFC 7523 §3 (2): `sub` is present, and for client authentication is the client.
pub(super) fn subject(
    claims: &Claims,
    expectation: &Expectation<'_>,
) -> Result<SubjectId, AssertionError> {
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
    SubjectId::parse(subject).map_err(|error| AssertionError::MalformedClaim {
        claim: Rule::SubjectClaim,
        error: error.to_string(),
    })
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
    let AudienceRule { allowed, form } = expectation.audience;
    if form == AudienceForm::Plain && matches!(audience, AudienceClaim::Many(_)) {
        return Err(AssertionError::AudienceArray);
    }
    match audience.sole() {
        Some(sole) if allowed.iter().any(|name| name == sole) => Ok(()),
        _ => Err(AssertionError::WrongAudience {
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
    Ok(end)
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
        return Ok(());
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
        TokenIdRule::Reusable => return Ok(None),
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
