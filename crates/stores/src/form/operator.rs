//! Operators: the subject, and the word for its role.

use grantor::{
    registry::{Operator, Revision},
    types::SubjectId,
};

use super::{Unreadable, unreadable};

const WHAT: &str = "operator";

/// The inverse of the subject's id and `Role::as_str`.
pub(crate) fn read(subject: &str, role: &str, revision: Revision) -> Result<Operator, Unreadable> {
    let subject = SubjectId::parse(subject).map_err(|error| unreadable(WHAT, error))?;
    let role = role.parse().map_err(|error| unreadable(WHAT, error))?;
    let mut operator = Operator::new(subject, role);
    operator.revision = revision;
    Ok(operator)
}
