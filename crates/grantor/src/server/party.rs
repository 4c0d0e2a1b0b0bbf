//! The party behind an assertion in a request, found and recorded: one way for both uses.

use super::{Context, Decision};
use crate::{
    assertion::{Assertion, PartyError, Signed, Usage},
    clock::UnixTime,
};

/// As [`Parties::of`](crate::assertion::Parties::of). The name that the assertion claims is
/// recorded, whole where it is registered.
pub(super) async fn find(
    context: &Context,
    assertion: &Assertion<'_>,
    usage: Usage,
    caller: Option<&str>,
    now: UnixTime,
    decision: &mut Decision,
) -> Result<Signed, PartyError> {
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
