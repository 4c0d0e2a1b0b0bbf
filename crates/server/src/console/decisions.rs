//! Decisions: why requests were granted or refused (M121, M126).

mod list;
mod outcome;
mod rules;
mod show;
mod words;

pub use self::{list::ListPage, show::DecisionPage};
