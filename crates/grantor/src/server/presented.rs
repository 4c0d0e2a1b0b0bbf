//! An assertion that a request presents: verified in one way for every stage that takes one, and
//! the decision is told what it was held against.

use std::sync::Arc;

use grantor_jose::{Claims, Header};

use super::{
    Caller, Context, Decision, TrustError,
    trust::{self, Asking},
};
use crate::{
    assertion::{
        Assertion, AssertionError, Change, Expectation, Held, Party, PartyError, Signed, Tried,
        Usage,
    },
    clock::UnixTime,
    registry::Trust,
    types::{Rule, SubjectId},
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
    /// The caller, if it has proved who it is.
    proven: Option<&'a str>,
    parameter: Option<&'static str>,
    change: Option<Change>,
}

impl<'a> Presented<'a> {
    /// A grant. Its issuer has to be the caller, where the request names one, proven or not (RFC
    /// 7523 §3 (1)); of a JWT of a third party, the client of the trust that takes it.
    pub fn grant(token: &'a str, caller: &'a Caller) -> Self {
        Self {
            caller: caller.name(),
            proven: caller.authenticated().map(|client| client.id().as_str()),
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
            proven: None,
            parameter: None,
            change: None,
        }
    }

    /// A client's authentication, where the request says beside who that is.
    pub(super) fn naming(self, client_id: Option<&'a str>) -> Self {
        Self {
            caller: client_id,
            ..self
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

    /// Who asks for what.
    fn asking(&self) -> Asking<'a> {
        Asking {
            usage: self.usage,
            client: self.caller,
            proven: self.proven,
            is_rehearsed: false,
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
    trust: Option<Arc<Trust>>,
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

    /// `sub`, or the issuer where the profile allows `sub` to be absent. Of a JWT of a third party
    /// it is whom the trust says: for the authentication of a client, that client.
    pub fn subject(&self) -> &SubjectId {
        &self.subject
    }

    /// The trust that took it, where a third party issued it.
    pub fn trust(&self) -> Option<&Arc<Trust>> {
        self.trust.as_ref()
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
    /// It is of an issuer, and no trust grants anything for it.
    #[error(transparent)]
    Trust(#[from] TrustError),
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
        let (mut signed, mut tried) = (None, Tried::default());
        let seen = (&mut signed, &mut tried);
        let proven = proven(self, &assertion, &presented, decision, seen).await;
        let held = Arc::new(Held {
            parameter: presented.parameter,
            said: assertion.into_said(),
            signed,
            change: presented.change,
            is_proven: proven.is_ok(),
            tried,
        });
        decision.held(held.clone());
        let (party, subject, trust) = proven?;
        decision.proofs.add_party(&party, trust.as_ref());
        Ok(ProvenAssertion {
            held,
            party,
            subject,
            trust,
        })
    }
}

/// Who signed, and what came of that.
type Proven = (Party, SubjectId, Option<Arc<Trust>>);

/// Who signed, whom the assertion is about, and which trust took it. What it was held against is
/// left in `held`.
async fn proven(
    context: &Context,
    assertion: &Assertion<'_>,
    presented: &Presented<'_>,
    decision: &mut Decision,
    (held, tried): (&mut Option<Signed>, &mut Tried),
) -> Result<Proven, UnprovenAssertion> {
    let now = context.now();
    let signed = find(context, assertion, presented, now, decision).await;
    let signed = &*held.insert(signed?);
    let expectation = expectation(context, signed, presented.change);
    let verifier = context.verifier();
    let checked = verifier.check(assertion, &expectation, now)?;
    let claims = assertion.dangerously_unverified_claims();
    let trust = match signed.party() {
        Party::Client(_) => None,
        // In a box, for most assertions are of clients.
        Party::Issuer(issuer) => {
            let chosen = trust::choose(context, issuer, claims, presented.asking(), tried);
            let chosen = Box::pin(chosen).await;
            decision.tried(issuer, chosen.as_deref(), claims, tried);
            Some(chosen?)
        }
    };
    let verified = verifier.claim(assertion, &expectation, checked, now);
    let verified = verified.await?;
    match presented.usage {
        Usage::ClientAuthentication => {
            // What a grant is issued under is looked at before it is signed.
            if let (Some(issuer), Some(trust)) = (signed.party().issuer(), &trust) {
                Box::pin(trust::still_in_force(context, issuer, trust)).await?;
            }
            decision.authenticated_by(&verified);
        }
        Usage::Grant => decision.used_assertion(&verified),
    }
    let named = verified.into_subject();
    let subject = subject(context, presented.usage, trust.as_deref(), named, claims).await?;
    Ok((signed.party().clone(), subject, trust))
}

/// Whom the assertion is about: whom it names, or whom its trust says.
pub(super) async fn subject(
    context: &Context,
    usage: Usage,
    trust: Option<&Trust>,
    named: Option<SubjectId>,
    claims: &Claims,
) -> Result<SubjectId, UnprovenAssertion> {
    match (trust, usage, named) {
        (Some(trust), Usage::Grant, _) => {
            Ok(Box::pin(trust::subject(context, trust, claims)).await?)
        }
        (Some(trust), Usage::ClientAuthentication, _) => Ok(trust.client.clone().into()),
        (None, _, Some(named)) => Ok(named),
        (None, _, None) => Err(AssertionError::MissingClaim(Rule::SubjectClaim).into()),
    }
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
    let usage = presented.usage;
    // A client that authenticates says who it is by its assertion; what stands beside is compared
    // by client authentication.
    let caller = presented.caller.filter(|_| usage == Usage::Grant);
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
