//! The list of scopes that are described.

use askama::Template;
use grantor::{
    admin::{ScopeDocument, ScopeFilter},
    server::Body,
};
use http::Response;

use super::words::Words;
use crate::{
    admin::{Input, scopes::ListScopes},
    console::{Error, Page, Pager, Route, Section, Shell, Table, Visit},
};

/// The list of scopes that are described.
pub struct ListPage;

#[derive(Template)]
#[template(path = "console/scopes/list.html")]
struct View {
    shell: Shell,
    words: Words,
    filter: ScopeFilter,
    rows: Vec<Row>,
    new: Option<String>,
    pager: Pager,
}

struct Row {
    path: String,
    scope: ScopeDocument,
}

const TABLE: Table = Table {
    name: "scopes",
    columns: &["name", "en", "fr", "sensitive", "optional", "managed_by"],
};

impl Page for ListPage {
    type Path = ();
    type Query = ScopeFilter;

    const ROUTE: Route = Route::page("/scopes", Section::Scopes);

    async fn show(visit: &Visit, (): (), filter: ScopeFilter) -> Result<Response<Body>, Error> {
        if let Some(file) = visit.download::<ListScopes>((), &filter, &TABLE).await? {
            return Ok(file);
        }
        let input = Input::<ListScopes> {
            path: (),
            query: filter.clone(),
            portion: visit.list.portion(),
            body: (),
        };
        let found = visit.ask(input).await?;
        let row = |scope: ScopeDocument| Row {
            path: visit.at("/scopes/{name}", &[scope.name.as_str()]),
            scope,
        };
        let view = View {
            words: Words(visit.language()),
            new: visit.may_edit().then(|| visit.at("/scopes/new", &[])),
            pager: Pager::of(visit, &filter, found.next.as_deref()),
            rows: found.items.into_iter().map(row).collect(),
            shell: visit.shell(),
            filter,
        };
        Ok(visit.page(&view))
    }
}
