//! Trusts: a document, and columns of what they are found by.

use grantor::registry::{Revision, Trust};

use super::{Unreadable, from_document, unreadable};

const WHAT: &str = "trust";

/// The inverse of [`super::document`]. The columns are the trust's name, the `iss` of its issuer and
/// the id of its client.
pub(crate) fn read(
    document: &str,
    columns: [&str; 3],
    revision: Revision,
) -> Result<Trust, Unreadable> {
    let mut trust: Trust = from_document(WHAT, document)?;
    let said = [
        trust.name.as_str(),
        trust.issuer.as_str(),
        trust.client.as_str(),
    ];
    if said != columns {
        return Err(unreadable(WHAT, "the document is of another one"));
    }
    trust.revision = revision;
    Ok(trust)
}
