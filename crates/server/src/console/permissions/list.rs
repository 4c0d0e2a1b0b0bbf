//! The list of permissions (M125).

use askama::Template;
use grantor::{
    admin::{PermissionDocument, PermissionFilter},
    clock::UnixTime,
    registry::Origin,
    server::Body,
    types::{ClientId, Name, SubjectId},
};
use http::Response;
use serde::{Deserialize, Serialize};

use super::words::Words;
use crate::{
    admin::{Input, permissions::ListPermissions},
    cli::parse::short_name,
    console::{
        Error, FewScopes, Page, Pager, Pick, Route, Section, Shell, Table, Visit, clients::End,
        days_from,
    },
    pages::time::{distance, hour, minute},
};

/// The list of permissions.
pub struct ListPage;

/// Which permissions are wanted: the filter of the API, and how long ago as people say it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wanted {
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<ClientId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<SubjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
    /// Those that were not used for so many days.
    #[serde(skip_serializing_if = "Option::is_none")]
    unused: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    managed_by: Option<Name>,
}

impl Wanted {
    fn filter(&self, now: UnixTime) -> PermissionFilter {
        let mut filter = PermissionFilter::default();
        filter.client.clone_from(&self.client);
        filter.subject.clone_from(&self.subject);
        filter.origin = self.origin;
        filter.unused_since = self.unused.map(|unused| days_from(now, -i32::from(unused)));
        filter.managed_by.clone_from(&self.managed_by);
        filter
    }
}

/// The days for which something may be unused, as the filter offers them.
const DAYS: [u16; 3] = [30, 90, 365];

#[derive(Template)]
#[template(path = "console/permissions/list.html")]
struct View {
    shell: Shell,
    words: Words,
    wanted: Wanted,
    origins: Vec<Pick>,
    unused: Vec<Pick>,
    rows: Vec<Row>,
    new: Option<String>,
    preview: String,
    pager: Pager,
}

struct Row {
    path: String,
    permission: PermissionDocument,
    shown: Shown,
    scope: Option<FewScopes>,
}

/// A permission, as pages show it.
pub struct Shown {
    pub origin: &'static str,
    pub scope: Option<String>,
    pub grants: Vec<String>,
    /// Until when it counts; until it is withdrawn if absent.
    pub end: Option<End>,
    pub last_used: String,
    pub given: String,
}

const TABLE: Table = Table {
    name: "permissions",
    columns: &[
        "client",
        "subject",
        "origin",
        "scope",
        "grants",
        "created_at",
        "expires_at",
        "last_used_at",
        "managed_by",
    ],
};

impl Page for ListPage {
    type Path = ();
    type Query = Wanted;

    const ROUTE: Route = Route::page("/permissions", Section::Permissions);

    async fn show(visit: &Visit, (): (), wanted: Wanted) -> Result<Response<Body>, Error> {
        let filter = wanted.filter(visit.now());
        let file = visit.download::<ListPermissions>((), &filter, &TABLE);
        if let Some(file) = file.await? {
            return Ok(file);
        }
        let words = Words(visit.language());
        let input = Input::<ListPermissions> {
            path: (),
            query: filter,
            portion: visit.list.portion(),
            body: (),
        };
        let found = visit.ask(input).await?;
        let row = |permission: PermissionDocument| Row {
            path: path_of(visit, &permission.client, &permission.subject),
            shown: Shown::of(visit, &permission),
            scope: permission
                .scope
                .as_ref()
                .map(|scope| FewScopes::of(scope, visit.words())),
            permission,
        };
        let any = visit.words().any();
        let origins = [
            Pick::new("operator", words.by_operator()),
            Pick::new("person", words.by_person()),
        ];
        let days = DAYS.map(|days| Pick::new(days.to_string(), words.days(u64::from(days)).0));
        let view = View {
            origins: Pick::any_of(any, origins, wanted.origin),
            unused: Pick::any_of(any, days, wanted.unused),
            new: visit.may_edit().then(|| visit.at("/permissions/new", &[])),
            preview: visit.at("/permissions/preview", &[]),
            pager: Pager::of(visit, &wanted, found.next.as_deref()),
            rows: found.items.into_iter().map(row).collect(),
            wanted,
            words,
            shell: visit.shell(),
        };
        Ok(visit.page(&view))
    }
}

/// The page of what a client may do for a subject.
pub fn path_of(visit: &Visit, client: &ClientId, subject: &SubjectId) -> String {
    visit.at(
        "/permissions/{client}/{subject}",
        &[client.as_str(), subject.as_str()],
    )
}

impl Shown {
    /// This permission.
    pub fn of(visit: &Visit, permission: &PermissionDocument) -> Self {
        let words = Words(visit.language());
        let (now, language) = (visit.now(), visit.language());
        let used = permission.last_used_at;
        Self {
            origin: match permission.origin {
                Origin::Operator => words.by_operator(),
                Origin::Person => words.by_person(),
            },
            scope: permission.scope.as_ref().map(ToString::to_string),
            grants: permission
                .grants
                .iter()
                .map(|grant| short_name(grant).to_owned())
                .collect(),
            end: permission.expires_at.map(|end| End::of(visit, Some(end))),
            last_used: used.map_or_else(
                || visit.words().never().to_owned(),
                |at| format!("{}, {}", hour(at, language), distance(at, now, language)),
            ),
            given: permission
                .created_at
                .map_or_else(|| words.not_known().to_owned(), minute),
        }
    }
}
