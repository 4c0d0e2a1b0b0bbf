//! Texts of scopes: a document, found by its name.

use grantor::registry::{Revision, ScopeText};

use super::{Unreadable, from_document};

/// The inverse of [`super::document`].
pub(crate) fn read(document: &str, revision: Revision) -> Result<ScopeText, Unreadable> {
    let mut text: ScopeText = from_document("scope", document)?;
    text.revision = revision;
    Ok(text)
}
