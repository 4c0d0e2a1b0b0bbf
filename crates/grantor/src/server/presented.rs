//! An assertion that a request presents: verified in one way for every stage that takes one, and
//! the decision is told what it was held against.

use std::sync::Arc;

use grantor_jose::{Claims, Header};

use super::{Caller, Context, Decision};
use crate::{
    assertion::{
        Assertion, AssertionError, Change, Expectation, Held, Party, PartyError, Signed, Usage,
    },
    clock::UnixTime,
    types::SubjectId,
};

/// An assertion as a request presents it: the JWT, what it is used for, and who has to have issued
/// it. [`Context::verify`] takes it.
///
/// ```
/// # use grantor::server::{Caller, Context, Decision, GrantError, Presented, Request};
/// # async fn authorize(
/// #     context: &Context, request: &Request, caller: &Caller, decision: &mut Decision,
/// # ) -> Result<(), GrantError> {
/// let presented = Presented::grant(request.required("ticket")?, caller);
/// let ticket = context.verify(presented, decision).await?;
/// let seat = ticket.claims().other.get("seat");
/// # let _ = seat;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    token: &'a str,
    usage: Usage,
    caller: Option<&'a str>,
    parameter: Option<&'static str>,
    change: Option<Change>,
}

impl<'a> Presented<'a> {
    /// A grant. Its issuer has to be the caller, where the request names one, proven or not (RFC
    /// 7523 §3 (1)).
    pub fn grant(token: &'a str, caller: &'a Caller) -> Self {
        Self {
            caller: caller.name(),
            ..Self::of(token, Usage::Grant)
        }
    }

    /// A client's authentication.
    pub fn client_authentication(token: &'a str) -> Self {
        Self::of(token, Usage::ClientAuthentication)
    }

    fn of(token: &'a str, usage: Usage) -> Self {
        Self {
            token,
            usage,
            caller: None,
            parameter: None,
            change: None,
        }
    }

    /// Takes the assertion also where its issuer is not the caller, as token exchange does (RFC
    /// 8693 §2.1).
    #[must_use]
    pub fn of_any_issuer(self) -> Self {
        Self {
            caller: None,
            ..self
        }
    }

    /// Changes what is expected: `|expectation| expectation.typ = &MY_TYPES`. Explanations follow.
    #[must_use]
    pub fn expecting(self, change: fn(&mut Expectation<'_>)) -> Self {
        Self {
            change: Some(change),
            ..self
        }
    }

    /// The JWT is the value of this parameter.
    pub(super) fn in_parameter(self, name: &'static str) -> Self {
        Self {
            parameter: Some(name),
            ..self
        }
    }
}

/// An assertion of a registered party that met its expectation and, if it has a `jti`, was never
/// used before. [`Context::verify`] makes it, and nothing else.
#[derive(Debug)]
pub struct ProvenAssertion {
    held: Arc<Held>,
    party: Party,
    subject: SubjectId,
}

impl ProvenAssertion {
    /// The header.
    pub fn header(&self) -> &Header {
        &self.held.said.header
    }

    /// The claims.
    pub fn claims(&self) -> &Claims {
        &self.held.said.claims
    }

    /// The party that issued and signed it.
    pub fn party(&self) -> &Party {
        &self.party
    }

    /// `sub`, or the issuer where the profile allows `sub` to be absent.
    pub fn subject(&self) -> &SubjectId {
        &self.subject
    }
}

/// Why an assertion that a request presents proves nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnprovenAssertion {
    /// It has no party that could have signed it.
    #[error(transparent)]
    Party(#[from] PartyError),
    /// It broke a rule.
    #[error("assertion: {0}")]
    Assertion(#[from] AssertionError),
}

impl Context {
    /// Verifies an assertion, if and only if it is by the registered, enabled party that it names
    /// as its issuer, meets what is expected, and was never used before. It is used up then (RFC
    /// 7523 §3). The decision is told who issued it, which key verified it and, where the request
    /// is refused, for this or for a later reason, its explanation.
    ///
    /// # Errors
    /// [`UnprovenAssertion`], which turns into a [`GrantError`](super::GrantError) or a
    /// [`ClientAuthError`](super::ClientAuthError) by `?`.
    pub async fn verify(
        &self,
        presented: Presented<'_>,
        decision: &mut Decision,
    ) -> Result<ProvenAssertion, UnprovenAssertion> {
        decision.looks_at(presented.usage);
        let assertion = Assertion::parse(presented.token)?;
        let mut signed = None;
        let proven = proven(self, &assertion, &presented, decision, &mut signed).await;
        let held = Arc::new(Held {
            parameter: presented.parameter,
            said: assertion.into_said(),
            signed,
            change: presented.change,
            is_proven: proven.is_ok(),
        });
        decision.held(held.clone());
        let (party, subject) = proven?;
        Ok(ProvenAssertion {
            held,
            party,
            subject,
        })
    }
}

/// Who signed, and whom the assertion is about. What it was held against is left in `held`.
async fn proven(
    context: &Context,
    assertion: &Assertion<'_>,
    presented: &Presented<'_>,
    decision: &mut Decision,
    held: &mut Option<Signed>,
) -> Result<(Party, SubjectId), UnprovenAssertion> {
    let now = context.now();
    let signed = find(context, assertion, presented, now, decision).await;
    let signed = &*held.insert(signed?);
    let expectation = expectation(context, signed, presented.change);
    let verified = context.verifier().verify(assertion, &expectation, now);
    let verified = verified.await?;
    match presented.usage {
        Usage::ClientAuthentication => decision.authenticated_by(&verified),
        Usage::Grant => decision.used_assertion(&verified),
    }
    Ok((signed.party().clone(), verified.into_subject()))
}

/// What is expected of the assertion of this party.
pub(super) fn expectation<'a>(
    context: &'a Context,
    signed: &'a Signed,
    change: Option<Change>,
) -> Expectation<'a> {
    let mut expectation = context.parties().expectation(signed);
    if let Some(change) = change {
        change(&mut expectation);
    }
    expectation
}

/// As [`Parties::of`](crate::assertion::Parties::of). The name that the assertion claims is
/// recorded, whole where it is registered.
async fn find(
    context: &Context,
    assertion: &Assertion<'_>,
    presented: &Presented<'_>,
    now: UnixTime,
    decision: &mut Decision,
) -> Result<Signed, PartyError> {
    let Presented { usage, caller, .. } = *presented;
    if let Some(issuer) = assertion.claimed_issuer() {
        match usage {
            Usage::ClientAuthentication => decision.claims_client(issuer),
            Usage::Grant => decision.claims_issuer(issuer),
        }
    }
    let signed = context.parties().of(assertion, usage, caller, now).await;
    let party = match &signed {
        Ok(signed) => Some(signed.party()),
        Err(error) => error.party(),
    };
    if let Some(party) = party {
        decision.claims_registered_party(usage, party);
    }
    signed
}
