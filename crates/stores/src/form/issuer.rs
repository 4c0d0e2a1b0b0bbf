//! Issuers: a document, and columns of what they are found by.

use grantor::registry::{Revision, TrustedIssuer};

use super::{Unreadable, from_document, unreadable};

const WHAT: &str = "issuer";

/// The inverse of [`super::document`]. The columns are `iss` and name, and the trust domain.
pub(crate) fn read(
    document: &str,
    [iss, name]: [&str; 2],
    trust_domain: Option<&str>,
    revision: Revision,
) -> Result<TrustedIssuer, Unreadable> {
    let mut issuer: TrustedIssuer = from_document(WHAT, document)?;
    let said = (
        issuer.id.as_str(),
        issuer.name.as_str(),
        issuer.trust_domain.as_deref(),
    );
    if said != (iss, name, trust_domain) {
        return Err(unreadable(WHAT, "the document is of another one"));
    }
    issuer.revision = revision;
    Ok(issuer)
}
