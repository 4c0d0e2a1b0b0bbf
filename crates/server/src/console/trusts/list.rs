//! The list of trusts.

use askama::Template;
use grantor::{
    admin::{TrustDocument, TrustFilter},
    registry::Mode,
    server::Body,
};
use http::Response;

use super::{TRUST, mode::MODES, words::Words};
use crate::{
    admin::{Input, trusts::ListTrusts},
    console::{Error, Page, Pager, Route, Section, Shell, Table, Visit},
};

/// The list of trusts.
pub struct ListPage;

#[derive(Template)]
#[template(path = "console/trusts/list.html")]
struct View {
    shell: Shell,
    words: Words,
    filter: TrustFilter,
    modes: [(&'static str, Mode); 3],
    rows: Vec<Row>,
    new: Option<String>,
    pager: Pager,
}

struct Row {
    path: String,
    issuer: String,
    client: Option<(String, String)>,
    trust: TrustDocument,
}

const TABLE: Table = Table {
    name: "trusts",
    columns: &[
        "name",
        "issuer",
        "client",
        "mode",
        "uses",
        "pins",
        "matches",
        "condition",
        "subject",
        "scope",
        "resources",
        "lifetime",
        "allowed_lints",
        "template",
        "managed_by",
        "created_at",
    ],
};

impl Page for ListPage {
    type Path = ();
    type Query = TrustFilter;

    const ROUTE: Route = Route::page("/trusts", Section::Trusts);

    async fn show(visit: &Visit, (): (), filter: TrustFilter) -> Result<Response<Body>, Error> {
        if let Some(file) = visit.download::<ListTrusts>((), &filter, &TABLE).await? {
            return Ok(file);
        }
        let input = Input::<ListTrusts> {
            path: (),
            query: filter.clone(),
            portion: visit.list.portion(),
            body: (),
        };
        let found = visit.ask(input).await?;
        let view = View {
            words: Words(visit.language()),
            modes: MODES,
            new: visit.may_edit().then(|| visit.at("/issuers/new", &[])),
            pager: Pager::of(visit, &filter, found.next.as_deref()),
            rows: found
                .items
                .into_iter()
                .map(|trust| row(visit, trust))
                .collect(),
            shell: visit.shell(),
            filter,
        };
        Ok(visit.page(&view))
    }
}

fn row(visit: &Visit, trust: TrustDocument) -> Row {
    let client = trust.client.as_ref().map(ToString::to_string);
    Row {
        path: visit.at(TRUST, &[trust.name.as_str()]),
        issuer: visit.at("/issuers/{issuer}", &[trust.issuer.as_str()]),
        client: client.map(|id| (visit.at("/clients/{client}", &[&id]), id)),
        trust,
    }
}
