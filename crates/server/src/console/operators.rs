//! Operators: who may do what over this server.

mod list;
mod new;
mod role;
mod words;

use grantor::{registry::Operator, storage::Registries as _, types::SubjectId};

pub use self::{list::ListPage, new::NewPage, role::RolePage};
use super::{Error, Visit};

/// The path of the list below the console.
const OPERATORS: &str = "/operators";

/// What a subject may do now, in the state in which it was given.
async fn operator(visit: &Visit, id: &SubjectId) -> Result<Option<Operator>, Error> {
    let operators = visit.admin.gate().operators();
    let found = operators.get(id).await?;
    Ok(found.map(|operator| Operator::clone(&operator)))
}
