//! Pages of the keys that tokens are signed with (M128).

mod alive;
mod list;
mod revoke;
mod rotate;
mod words;

pub use self::{list::ListPage, revoke::RevokePage, rotate::RotatePage};
