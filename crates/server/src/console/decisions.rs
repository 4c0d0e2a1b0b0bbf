//! Decisions: why requests were granted or refused (M121, M126).

mod advice;
mod list;
mod outcome;
pub mod rules;
mod show;
pub mod words;

pub use self::{
    advice::{failed, with_code},
    list::ListPage,
    outcome::wrong,
    rules::{Rules, TrustView},
    show::DecisionPage,
    words::Words,
};
