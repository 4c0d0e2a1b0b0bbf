//! Permissions: which client may act for which subject.

mod edit;
mod list;
mod preview;
mod show;
mod withdraw;
mod words;

pub use self::{
    edit::{EditPage, NewPage},
    list::ListPage,
    preview::PreviewPage,
    show::PermissionPage,
    withdraw::WithdrawPage,
};
