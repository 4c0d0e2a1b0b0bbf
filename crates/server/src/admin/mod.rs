//! The server's administration: every operation once, for `/admin/v1`, for commands on the machine
//! and for those that come from elsewhere.

mod administration;
pub mod advice;
mod answer;
pub mod attention;
mod audiences;
mod caller;
pub mod changes;
pub mod clients;
mod content;
pub mod decisions;
mod etag;
pub mod explain;
pub mod fetched;
mod handler;
pub mod issuers;
pub mod jwt_body;
pub mod key_check;
mod listed;
pub mod look_alike;
mod me;
pub mod notes;
mod openapi;
mod operation;
mod parameters;
pub mod permissions;
pub mod plan;
mod problem;
pub mod records;
pub mod remedy;
mod remote;
mod router;
pub mod scopes;
mod segment;
mod server;
pub mod signing_keys;
pub mod statistics;
pub mod subjects;
pub mod templates;
pub mod tokens;
pub mod tried;
pub mod trusts;
mod turns;
mod warned;

use std::{num::NonZeroU32, sync::Arc};

use grantor::{admin::Rights, registry::Actor, server::AuthorizationServer};

pub use self::{
    administration::{Administration, CLOCK, terms},
    audiences::ListAudiences,
    caller::Caller,
    content::{Content, PatchOf},
    etag::{Seen, State, etag, revision_of, state_of},
    listed::Listed,
    me::{Me, ShowMe},
    openapi::ProblemDocument,
    operation::{Answered, Input, Operation, Portion, Route},
    parameters::{NoQuery, Parameters, Query, written},
    problem::{Problem, Slug},
    records::Recorded,
    remote::{Remote, RemoteError},
    segment::{Segments, encoded_path_of, name_of, path_of},
    server::{ServerDocument, ShowServer},
    warned::Warned,
};
use self::{
    handler::{Handler, Handles},
    turns::Turns,
};
use crate::{
    backend::Backend,
    config::Config,
    person::{Invitation, OpenSession},
    throttle::RequestBudgets,
};

/// Below the issuer: where the interface is, and the resource that its tokens are for.
pub const PATH: &str = "admin/v1";

/// The name of the interface in decisions and metrics.
pub const NAME: &str = "admin";

/// How many callers do at once what takes long.
const LONG_AT_ONCE: usize = 2;

/// The interface.
pub struct Api {
    config: Arc<Config>,
    store: Backend,
    server: AuthorizationServer,
    /// Where it is: the path of a request, and the URL.
    path: String,
    base: String,
    /// The audience of its tokens.
    resource: String,
    routes: matchit::Router<usize>,
    /// The operations at each path.
    operations: Vec<Vec<Box<dyn Handler>>>,
    openapi: String,
    budgets: RequestBudgets,
    /// Whose turn it is to do what takes long.
    turns: Turns,
    /// For what is much work.
    sparing: RequestBudgets,
}

/// How often in a minute a caller may ask for what is much work (M166).
pub const SPARINGLY: NonZeroU32 = NonZeroU32::new(30).expect("not zero");

impl Api {
    /// That of a server, on its store.
    pub fn new(config: &Config, store: &Backend, server: &AuthorizationServer) -> Option<Self> {
        let admin = config.admin.as_ref()?;
        let base = format!(
            "{}/{PATH}",
            admin.url.as_deref().unwrap_or(config.issuer.as_str())
        );
        let (routes, operations) = by_path(operations());
        let every = operations.iter().flatten().map(|handler| &**handler);
        let openapi = openapi::document(&base, every);
        Some(Self {
            config: Arc::new(config.clone()),
            store: store.clone(),
            server: server.clone(),
            path: config.issuer.endpoint_path(PATH),
            resource: config.issuer.endpoint(PATH),
            base,
            routes,
            operations,
            openapi,
            budgets: RequestBudgets::new(admin.requests_per_minute),
            turns: Turns::new(LONG_AT_ONCE),
            sparing: RequestBudgets::new(SPARINGLY),
        })
    }

    /// The use cases, for an actor with these rights.
    fn administration(&self, rights: Rights, actor: Actor) -> Administration {
        Administration::new(self.config.clone(), self.store.clone(), rights, actor)
            .of_server(self.server.clone())
    }
}

/// Files operations under their paths.
fn by_path(
    handlers: Vec<Box<dyn Handler>>,
) -> (matchit::Router<usize>, Vec<Vec<Box<dyn Handler>>>) {
    let mut routes = matchit::Router::new();
    let mut operations: Vec<Vec<Box<dyn Handler>>> = Vec::new();
    for handler in handlers {
        let path = handler.route().path;
        let known = operations.iter_mut().find(|known| {
            known
                .first()
                .is_some_and(|first| first.route().path == path)
        });
        match known {
            Some(known) => known.push(handler),
            None => {
                routes
                    .insert(path, operations.len())
                    .expect("paths of operations are different");
                operations.push(vec![handler]);
            }
        }
    }
    (routes, operations)
}

/// Every operation.
fn operations() -> Vec<Box<dyn Handler>> {
    macro_rules! operations {
        ($($operation:ty),* $(,)?) => { vec![$(Handles::<$operation>::boxed()),*] };
    }
    operations![
        clients::ListClients,
        clients::CreateClient,
        clients::ShowClient,
        clients::UpdateClient,
        clients::DeleteClient,
        clients::ListKeys,
        clients::AddKeys,
        clients::RemoveKey,
        clients::MakeSecret,
        clients::RemoveSecret,
        clients::PreviewClient,
        subjects::ListSubjects,
        subjects::CreateSubject,
        subjects::ShowSubject,
        subjects::UpdateSubject,
        subjects::DeleteSubject,
        subjects::ShowRole,
        subjects::PutRole,
        subjects::DeleteRole,
        subjects::ListOpen<Invitation>,
        subjects::InviteSubject,
        subjects::EndOpen<Invitation>,
        subjects::ShowCredentials,
        subjects::DeleteCredentials,
        subjects::DeletePasskey,
        subjects::ListOpen<OpenSession>,
        subjects::EndOpen<OpenSession>,
        permissions::ListPermissions,
        permissions::CreatePermission,
        permissions::ShowPermission,
        permissions::AskPermission,
        permissions::PutPermission,
        permissions::DeletePermission,
        scopes::ListScopes,
        scopes::ShowScope,
        scopes::PutScope,
        scopes::DeleteScope,
        ListAudiences,
        ShowMe,
        plan::Apply,
        plan::Export,
        issuers::ListIssuers,
        issuers::CreateIssuer,
        issuers::ShowIssuer,
        issuers::UpdateIssuer,
        issuers::DeleteIssuer,
        issuers::AddIssuerKeys,
        issuers::RefreshIssuer,
        tried::TestIssuer,
        trusts::ListTrusts,
        trusts::CreateTrust,
        trusts::ShowTrust,
        trusts::UpdateTrust,
        trusts::DeleteTrust,
        trusts::ReportTrust,
        tried::TestTrust,
        tried::TestJwt,
        templates::ListTemplates,
        templates::ShowTemplate,
        signing_keys::ListSigningKeys,
        signing_keys::RotateSigningKey,
        signing_keys::RevokeSigningKey,
        decisions::ListDecisions,
        decisions::GroupDecisions,
        decisions::ShowDecision,
        changes::ListChanges,
        changes::ShowChange,
        statistics::CountDecisions,
        attention::ShowAttention,
        explain::Explain,
        tokens::ListTokens,
        ShowServer,
    ]
}
