//! The list of subjects.

use askama::Template;
use grantor::{registry::Role, server::Body};
use http::Response;

use super::{SUBJECT, SUBJECTS, words::Words};
use crate::{
    admin::{
        Input,
        subjects::{ListSubjects, SubjectQuery, SubjectState},
    },
    console::{Error, Page, Pager, Route, Section, Shell, Table, Visit},
    pages::time,
};

/// The list of subjects.
pub struct ListPage;

#[derive(Template)]
#[template(path = "console/subjects/list.html")]
struct View {
    shell: Shell,
    words: Words,
    filter: SubjectQuery,
    roles: [&'static str; 3],
    rows: Vec<Row>,
    new: Option<String>,
    pager: Pager,
}

struct Row {
    path: String,
    id: String,
    /// What it is called.
    name: Option<String>,
    is_enabled: bool,
    role: &'static str,
    made: Option<String>,
}

const TABLE: Table = Table {
    name: "subjects",
    columns: &[
        "id",
        "enabled",
        "role",
        "managed_by",
        "created_at",
        "display_name",
        "language",
    ],
};

impl Page for ListPage {
    type Path = ();
    type Query = SubjectQuery;

    const ROUTE: Route = Route::page(SUBJECTS, Section::Subjects);

    async fn show(visit: &Visit, (): (), filter: SubjectQuery) -> Result<Response<Body>, Error> {
        if let Some(file) = visit.download::<ListSubjects>((), &filter, &TABLE).await? {
            return Ok(file);
        }
        let found = visit.ask(Input::<ListSubjects> {
            path: (),
            query: filter.clone(),
            portion: visit.list.portion(),
            body: (),
        });
        let found = found.await?;
        let words = Words(visit.language());
        let row = |state: &SubjectState| row(visit, words, state);
        let view = View {
            words,
            rows: found.items.iter().map(row).collect(),
            roles: Role::ALL.map(Role::as_str),
            new: visit.may_edit().then(|| visit.at("/subjects/new", &[])),
            pager: Pager::of(visit, &filter, found.next.as_deref()),
            shell: visit.shell(),
            filter,
        };
        Ok(visit.page(&view))
    }
}

fn row(visit: &Visit, words: Words, state: &SubjectState) -> Row {
    let id = state.subject.id.as_str();
    Row {
        path: visit.at(SUBJECT, &[id]),
        id: id.to_owned(),
        name: state.subject.display_name.as_ref().map(ToString::to_string),
        is_enabled: state.subject.enabled,
        role: words.role_or_none(state.role),
        made: state.subject.created_at.map(time::day),
    }
}
