//! The list of issuers.

use askama::Template;
use grantor::{
    admin::{IssuerDocument, IssuerFilter},
    server::Body,
};
use http::Response;

use super::{ISSUER, words::Words};
use crate::{
    admin::{Input, issuers::ListIssuers},
    console::{Error, Page, Pager, Route, Section, Shell, Table, Visit},
};

/// The list of issuers.
pub struct ListPage;

#[derive(Template)]
#[template(path = "console/issuers/list.html")]
struct View {
    shell: Shell,
    words: Words,
    filter: IssuerFilter,
    rows: Vec<Row>,
    new: Option<String>,
    pager: Pager,
}

struct Row {
    path: String,
    place: &'static str,
    replay: &'static str,
    issuer: IssuerDocument,
}

const TABLE: Table = Table {
    name: "issuers",
    columns: &[
        "name",
        "iss",
        "enabled",
        "keys",
        "audiences",
        "algorithms",
        "max_lifetime",
        "leeway",
        "replay",
        "tenant_claims",
        "template",
        "managed_by",
        "created_at",
    ],
};

impl Page for ListPage {
    type Path = ();
    type Query = IssuerFilter;

    const ROUTE: Route = Route::page("/issuers", Section::Issuers);

    async fn show(visit: &Visit, (): (), filter: IssuerFilter) -> Result<Response<Body>, Error> {
        if let Some(file) = visit.download::<ListIssuers>((), &filter, &TABLE).await? {
            return Ok(file);
        }
        let input = Input::<ListIssuers> {
            path: (),
            query: filter.clone(),
            portion: visit.list.portion(),
            body: (),
        };
        let found = visit.ask(input).await?;
        let words = Words(visit.language());
        let row = |issuer: IssuerDocument| Row {
            path: visit.at(ISSUER, &[issuer.name.as_str()]),
            place: place(words, &issuer),
            replay: words.policy(issuer.replay),
            issuer,
        };
        let view = View {
            words,
            new: visit.may_edit().then(|| visit.at("/issuers/new", &[])),
            pager: Pager::of(visit, &filter, found.next.as_deref()),
            rows: found.items.into_iter().map(row).collect(),
            shell: visit.shell(),
            filter,
        };
        Ok(visit.page(&view))
    }
}

/// Where the keys of an issuer come from, in a word.
pub fn place(words: Words, issuer: &IssuerDocument) -> &'static str {
    let keys = &issuer.keys;
    match () {
        () if keys.discovery.is_some() => words.place_discovery(),
        () if keys.jwks_uri.is_some() => words.source_jwks_uri(),
        () if keys.spiffe_bundle.is_some() => words.place_bundle(),
        () => words.place_uploaded(),
    }
}
