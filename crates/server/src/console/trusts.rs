//! Pages of trusts: what JWTs of issuers are worth (M127).

mod by_hand;
mod by_template;
mod delete;
mod edit;
mod fields;
mod job;
mod list;
mod mode;
mod report;
mod show;
mod test;
mod words;

pub use self::{
    by_hand::NewPage, by_template::ByTemplatePage, delete::DeletePage, edit::EditPage,
    list::ListPage, mode::ModePage, report::ReportPage, show::TrustPage, test::TestPage,
};

/// The template of the path of a trust's page.
pub const TRUST: &str = "/trusts/{trust}";
