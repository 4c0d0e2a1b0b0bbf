//! Clients.

mod list;
mod show;
mod switch;
mod words;

pub use self::{list::ListPage, show::ClientPage, switch::SwitchPage};
