//! Clients.

mod about;
mod activity;
mod add_key;
mod delete;
mod edit;
mod end;
mod key_begins;
mod list;
mod made;
mod new;
mod people;
mod public_keys;
mod remove;
mod secrets;
mod show;
mod snippets;
mod switch;
mod words;

pub use self::{
    about::{is_power, may_change, to_change},
    add_key::AddKeyPage,
    delete::DeletePage,
    edit::EditPage,
    end::End,
    list::ListPage,
    new::NewPage,
    remove::{RemoveKeyPage, RemoveSecretPage},
    secrets::NewSecretPage,
    show::ClientPage,
    snippets::token_for,
    switch::SwitchPage,
};
