//! Holding an assertion against an expectation: signature, then the rules in RFC order, then, last,
//! the claim of its `jti`.

use std::{sync::Arc, time::Duration};

use grantor_jose::{Claims, Header, Unverified, VerificationKey, base64url_encode, crypto};

use super::{AssertionError, Expectation, TokenIdRule, rules, spiffe_id};
use crate::{
    clock::UnixTime,
    keys::Candidate,
    storage::{Claim, ReplayGuard, ReplayKey},
    types::SubjectId,
};

/// A JWT taken apart. Anybody may have written it.
#[derive(Debug)]
pub struct Assertion<'a> {
    token: &'a str,
    jws: Unverified<'a>,
    claims: Claims,
}

impl<'a> Assertion<'a> {
    /// Takes a JWT apart.
    ///
    /// # Errors
    /// [`AssertionError::Jws`] or [`AssertionError::Claims`]
    pub fn parse(token: &'a str) -> Result<Self, AssertionError> {
        let jws = Unverified::parse(token)?;
        let claims = Claims::parse(jws.dangerously_unverified_payload())?;
        Ok(Self { token, jws, claims })
    }

    /// The header, to choose keys by.
    pub fn header(&self) -> &Header {
        self.jws.header()
    }

    /// How many octets the signature has.
    pub(crate) fn signature_bytes(&self) -> usize {
        self.jws.signature_bytes()
    }

    /// The first of these keys with which the signature verifies: for work whose outcome decides
    /// nothing.
    pub(crate) fn verified_by<'k>(
        &self,
        keys: impl Iterator<Item = &'k VerificationKey>,
    ) -> Option<&'k VerificationKey> {
        self.jws.verified_by(keys).ok()
    }

    /// The claims, to find the issuer by.
    pub fn dangerously_unverified_claims(&self) -> &Claims {
        &self.claims
    }

    /// `iss`, to find the party by.
    pub fn claimed_issuer(&self) -> Option<&str> {
        self.claims.issuer.as_deref()
    }

    /// SHA-256 of header and payload, as they were signed, in base64url. The signature is no part
    /// of it: one of ECDSA can be rewritten by anybody.
    fn digest(&self) -> String {
        base64url_encode(crypto::sha256(&[signed_part(self.token).as_bytes()]))
    }

    /// The SPIFFE trust domain of `sub`, to find the party by where there is no `iss`.
    pub(crate) fn claimed_domain(&self) -> Option<&str> {
        match (&self.claims.issuer, &self.claims.subject) {
            (None, Some(subject)) => Some(spiffe_id(subject)?.domain),
            _ => None,
        }
    }

    /// What it says, for its explanation.
    pub(crate) fn into_said(self) -> Said {
        Said {
            header: self.jws.into_header(),
            claims: self.claims,
        }
    }
}

/// Header and payload of a JWT, as they are signed.
pub(crate) fn signed_part(token: &str) -> &str {
    token.rsplit_once('.').map_or(token, |(signed, _)| signed)
}

/// What a JWT says, without its signature.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) header: Header,
    pub(crate) claims: Claims,
}

/// An assertion that met its expectation and, if it has a `jti`, was never used before.
#[derive(Debug)]
pub struct VerifiedAssertion<'a> {
    claims: &'a Claims,
    subject: Option<SubjectId>,
    key: Candidate,
    key_source: String,
    replay_key: Option<ReplayKey>,
}

impl<'a> VerifiedAssertion<'a> {
    /// The claims.
    pub fn claims(&self) -> &'a Claims {
        self.claims
    }

    /// `sub`, or the issuer where the profile allows `sub` to be absent; `None` of a JWT whose `sub`
    /// names nobody here, because a trust says whom it is about.
    pub fn subject(&self) -> Option<&SubjectId> {
        self.subject.as_ref()
    }

    /// The subject alone.
    pub(crate) fn into_subject(self) -> Option<SubjectId> {
        self.subject
    }

    /// The key that verified.
    pub fn key(&self) -> &VerificationKey {
        &self.key.key
    }

    /// Where the key that verified comes from, such as `registered key 2 of billing`.
    pub fn key_source(&self) -> &str {
        &self.key_source
    }

    /// The digest of issuer and `jti` under which this use is recorded.
    pub fn replay_key(&self) -> Option<ReplayKey> {
        self.replay_key
    }
}

/// How much longer a use is remembered than its assertion is valid: for requests that are under way
/// then, and for a clock that is set back.
const REMEMBERED_BEYOND: Duration = Duration::from_secs(30);

/// Verifies assertions.
#[derive(Clone)]
pub struct Verifier {
    replay: Arc<dyn ReplayGuard>,
    replay_quota: u64,
}

impl Verifier {
    /// A verifier that records uses in `replay`, for each issuer at most `replay_quota` at a time.
    pub fn new(replay: Arc<dyn ReplayGuard>, replay_quota: u64) -> Self {
        Self {
            replay,
            replay_quota,
        }
    }

    /// Verifies if and only if the signature is by one of the expected keys, every rule of RFC 7523
    /// §3 holds at `now`, and the `jti` was not claimed before. The claim comes last, so that a
    /// forged or malformed assertion never uses up a `jti`.
    ///
    /// # Errors
    /// The first broken rule; [`AssertionError::Store`] if the replay guard cannot tell.
    pub async fn verify<'a>(
        &self,
        assertion: &'a Assertion<'_>,
        expectation: &Expectation<'_>,
        now: UnixTime,
    ) -> Result<VerifiedAssertion<'a>, AssertionError> {
        let checked = self.check(assertion, expectation, now)?;
        self.claim(assertion, expectation, checked, now).await
    }

    /// The last rule: what was checked is used for the first time, and is used up now.
    pub(crate) async fn claim<'a>(
        &self,
        assertion: &'a Assertion<'_>,
        expectation: &Expectation<'_>,
        checked: Checked,
        now: UnixTime,
    ) -> Result<VerifiedAssertion<'a>, AssertionError> {
        let Checked {
            key,
            subject,
            end,
            replay_key,
        } = checked;
        if let Some(replay_key) = replay_key {
            self.check_fence(&assertion.claims, expectation, now)?;
            match self
                .replay
                .claim(&[replay_key.until(end)], now, self.replay_quota)
                .await?
            {
                // Once more: uses may have been lost while this one was recorded.
                Claim::Fresh => self.check_fence(&assertion.claims, expectation, now)?,
                Claim::Replayed(_) => return Err(AssertionError::Replayed),
                Claim::OverQuota => return Err(AssertionError::OverQuota(self.replay_quota)),
            }
        }
        Ok(VerifiedAssertion {
            claims: &assertion.claims,
            subject,
            key_source: key.source_of(expectation.issuer),
            key,
            replay_key,
        })
    }

    /// Finds out what [`Verifier::verify`] would answer, and claims nothing. Answers whom the
    /// assertion is about, as [`VerifiedAssertion::subject`] does.
    ///
    /// # Errors
    /// As for [`Verifier::verify`].
    pub async fn rehearse(
        &self,
        assertion: &Assertion<'_>,
        expectation: &Expectation<'_>,
        now: UnixTime,
    ) -> Result<Option<SubjectId>, AssertionError> {
        let checked = self.check(assertion, expectation, now)?;
        self.rehearse_claim(assertion, expectation, checked, now)
            .await
    }

    /// As [`Verifier::claim`], and claims nothing.
    pub(crate) async fn rehearse_claim(
        &self,
        assertion: &Assertion<'_>,
        expectation: &Expectation<'_>,
        checked: Checked,
        now: UnixTime,
    ) -> Result<Option<SubjectId>, AssertionError> {
        if checked.replay_key.is_some() {
            self.check_fence(&assertion.claims, expectation, now)?;
        }
        match checked.replay_key {
            Some(replay_key) if self.replay.is_claimed(replay_key, now).await? => {
                Err(AssertionError::Replayed)
            }
            _ => Ok(checked.subject),
        }
    }

    /// Where uses have been lost, an assertion is refused that may have been used before: unless it
    /// was issued after that, by its `iat` or, without one, because it could not live that
    /// long.
    fn check_fence(
        &self,
        claims: &Claims,
        expectation: &Expectation<'_>,
        now: UnixTime,
    ) -> Result<(), AssertionError> {
        let Some(fence) = self.replay.fence() else {
            return Ok(());
        };
        let maximum = expectation.lifetimes.maximum;
        // How far this one is from being taken; another of the same lifetime will be, so much
        // later.
        let seconds = match (claims.issued_at, claims.expires) {
            (Some(issued_at), _) => fence.date().seconds() - issued_at.seconds(),
            (None, Some(expires)) => fence.plus(maximum).date().seconds() - expires.seconds(),
            (None, None) => maximum.as_secs_f64(),
        };
        if seconds < 0.0 {
            return Ok(());
        }
        let left = fence.plus(maximum).millis().saturating_sub(now.millis());
        let longest = Duration::from_millis(u64::try_from(left).unwrap_or_default());
        Err(AssertionError::BeforeFence(
            Duration::try_from_secs_f64(seconds)
                .unwrap_or(longest)
                .min(longest),
        ))
    }

    /// Everything but the replay guard: the signature, then rules (1) to (7).
    ///
    /// # Errors
    /// The first broken rule.
    pub(crate) fn check(
        &self,
        assertion: &Assertion<'_>,
        expectation: &Expectation<'_>,
        now: UnixTime,
    ) -> Result<Checked, AssertionError> {
        let Assertion { jws, claims, .. } = assertion;
        let date = now.date();
        // Both, whichever fails: the time must not tell a client's registered algorithm.
        let (algorithm, key) = (
            check_algorithm(jws.header(), expectation),
            jws.verified_by(expectation.keys),
        );
        algorithm?;
        let key = key?;
        rules::typ(jws.header(), expectation)?;
        rules::confirmation(claims, expectation)?;
        rules::issuer(claims, expectation)?;
        let subject = rules::subject(claims, expectation)?;
        rules::audience(claims, expectation)?;
        let end = rules::expiry(claims, expectation, date)?;
        let remembered = claims
            .expires
            .map_or(end, |exp| exp.plus(expectation.remembered));
        rules::not_before(claims, expectation, date)?;
        rules::issued_at(claims, expectation, date)?;
        let token_id = rules::token_id(claims, expectation)?;
        let replay_key = match expectation.token_id {
            TokenIdRule::Digest => Some(ReplayKey::new(expectation.issuer, &assertion.digest())),
            _ => token_id.map(|token_id| ReplayKey::new(expectation.issuer, token_id)),
        };
        Ok(Checked {
            key: key.clone(),
            subject,
            end: UnixTime::from_date_rounded_up(end)
                .plus(REMEMBERED_BEYOND)
                .max(UnixTime::from_date_rounded_up(remembered)),
            replay_key,
        })
    }
}

/// What the rules found out: the key that verified, whom the assertion is about, and the use to
/// remember until when.
pub(crate) struct Checked {
    key: Candidate,
    subject: Option<SubjectId>,
    end: UnixTime,
    replay_key: Option<ReplayKey>,
}

/// RFC 8725 §3.1: the algorithm is one the server accepts, and the one the client is registered
/// with.
fn check_algorithm(header: &Header, expectation: &Expectation<'_>) -> Result<(), AssertionError> {
    let got = header.algorithm();
    let registered = expectation
        .only_algorithm
        .is_none_or(|only| only.is_same_as(got));
    if registered && expectation.algorithms.contains(&got) {
        return Ok(());
    }
    let expected = match expectation.only_algorithm {
        Some(only) if !registered => only.name().to_owned(),
        _ => expectation
            .algorithms
            .iter()
            .map(|algorithm| algorithm.name())
            .collect::<Vec<_>>()
            .join(" "),
    };
    Err(AssertionError::WrongAlgorithm { expected, got })
}
