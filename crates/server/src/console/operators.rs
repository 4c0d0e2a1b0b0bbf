//! Operators: who may do what over this server.

mod list;
mod new;
mod role;
mod words;

pub use self::{list::ListPage, new::NewPage, role::RolePage};
/// The path of the list below the console.
const OPERATORS: &str = "/operators";
