//! The console: pages for operators below `/console`, on the operations of `/admin/v1`. A page shows
//! what the API answers, and a form asks for an operation: the console has no use cases of its own, but
//! for an operator's own ways to sign in and sessions, which no token changes.

mod account;
mod changes;
mod clients;
mod confirm;
mod count;
mod decisions;
mod error;
mod explain;
mod find;
mod help;
mod issuers;
mod last;
mod list;
mod once;
mod operators;
mod overview;
mod page;
mod permissions;
mod pick;
mod picture;
mod problem;
mod route;
mod router;
mod scopes;
mod server;
mod shell;
mod shown_file;
mod signing_keys;
mod statistics;
mod subjects;
#[cfg(test)]
mod tests;
mod tried;
mod trusts;
mod typed;
mod visit;
mod words;

use std::sync::Arc;

use grantor::server::AuthorizationServer;
use tokio::sync::Semaphore;

use self::page::{FormLeaf, Leaf, PageLeaf};
pub use self::{
    confirm::{Confirm, Tick},
    count::Count,
    error::Error,
    list::{FewScopes, ListQuery, Pager, Table, address, days_from},
    once::Once,
    page::{Done, Form, Page},
    pick::Pick,
    route::{Route, Section},
    router::NAME,
    shell::{Shell, Summary},
    shown_file::ShownFile,
    typed::{Members, Typed},
    visit::Visit,
};
pub use crate::pages::Notice;
use crate::{
    admin::SPARINGLY, backend::Backend, config::Config, pages::Desk, throttle::RequestBudgets,
};

/// Below the issuer: where the console is.
pub const PATH: &str = "console";

/// How many pages that take long are made at once.
const LONG_AT_ONCE: usize = 2;

/// The console of a server.
pub struct Console {
    config: Arc<Config>,
    store: Backend,
    server: AuthorizationServer,
    desk: Desk,
    /// The path of its first page.
    path: String,
    routes: matchit::Router<usize>,
    leaves: Vec<Box<dyn Leaf>>,
    /// Whose turn it is to make what takes long.
    long: Arc<Semaphore>,
    /// For what is much work.
    sparing: RequestBudgets,
}

impl Console {
    /// The console of a server, on its store. Operators sign in at this desk.
    pub fn new(
        config: &Config,
        store: &Backend,
        server: &AuthorizationServer,
        desk: Desk,
    ) -> Option<Self> {
        config.admin.as_ref()?;
        let leaves = leaves();
        let mut routes = matchit::Router::new();
        for (position, leaf) in leaves.iter().enumerate() {
            routes
                .insert(leaf.route().path, position)
                .expect("paths of pages are different");
        }
        Some(Self {
            config: Arc::new(config.clone()),
            store: store.clone(),
            server: server.clone(),
            desk,
            path: config.issuer.endpoint_path(PATH),
            routes,
            leaves,
            long: Arc::new(Semaphore::new(LONG_AT_ONCE)),
            sparing: RequestBudgets::new(SPARINGLY),
        })
    }
}

/// Every page.
fn leaves() -> Vec<Box<dyn Leaf>> {
    macro_rules! leaves {
        (pages: $($page:ty),* ; forms: $($form:ty),* $(;)?) => {
            vec![$(PageLeaf::<$page>::boxed(),)* $(FormLeaf::<$form>::boxed()),*]
        };
    }
    leaves![
        pages:
            account::AccountPage,
            changes::ListPage,
            changes::ChangePage,
            clients::ListPage,
            clients::ClientPage,
            decisions::ListPage,
            decisions::DecisionPage,
            statistics::StatisticsPage,
            help::HelpPage,
            find::FindPage,
            issuers::ListPage,
            issuers::IssuerPage,
            operators::ListPage,
            overview::OverviewPage,
            permissions::ListPage,
            permissions::PermissionPage,
            permissions::PreviewPage,
            scopes::ListPage,
            scopes::ScopePage,
            server::ServerPage,
            signing_keys::ListPage,
            subjects::ListPage,
            subjects::SubjectPage,
            trusts::ListPage,
            trusts::TrustPage,
            trusts::ReportPage;
        forms:
            account::PasswordPage,
            account::NewPasskeyPage,
            account::RemovePasskeyPage,
            account::EndOthersPage,
            clients::SwitchPage,
            clients::NewPage,
            clients::EditPage,
            clients::DeletePage,
            clients::AddKeyPage,
            clients::RemoveKeyPage,
            clients::NewSecretPage,
            clients::RemoveSecretPage,
            explain::ExplainPage,
            issuers::ByHandPage,
            issuers::EditPage,
            issuers::SwitchPage,
            issuers::DeletePage,
            issuers::AddKeysPage,
            issuers::RefreshPage,
            issuers::TestPage,
            operators::NewPage,
            operators::RolePage,
            permissions::NewPage,
            permissions::EditPage,
            permissions::WithdrawPage,
            scopes::NewPage,
            scopes::EditPage,
            scopes::DeletePage,
            shown_file::SavePage,
            signing_keys::RotatePage,
            signing_keys::RevokePage,
            subjects::NewPage,
            subjects::EditPage,
            subjects::SwitchPage,
            subjects::DeletePage,
            subjects::InvitePage,
            subjects::RecoverPage,
            subjects::EndSessionsPage,
            subjects::EndCredentialsPage,
            subjects::TakePasskeyPage,
            subjects::EndInvitationsPage,
            trusts::ByTemplatePage,
            trusts::NewPage,
            trusts::EditPage,
            trusts::ModePage,
            trusts::DeletePage,
            trusts::TestPage;
    ]
}
