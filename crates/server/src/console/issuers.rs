//! Pages of issuers: third parties whose JWTs are taken where a trust takes them (M127).

mod add_keys;
mod by_hand;
mod delete;
mod edit;
mod fields;
mod list;
mod refresh;
mod show;
mod switch;
mod test;
mod words;

pub use self::{
    add_keys::AddKeysPage, by_hand::ByHandPage, delete::DeletePage, edit::EditPage, list::ListPage,
    refresh::RefreshPage, show::IssuerPage, switch::SwitchPage, test::TestPage,
};

/// The template of the path of an issuer's page.
pub const ISSUER: &str = "/issuers/{issuer}";
