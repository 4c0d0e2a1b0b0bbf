//! The list of operators: people, and clients that hold power.

use askama::Template;
use grantor::{
    admin::ClientFilter,
    clock::UnixTime,
    registry::Role,
    server::{Body, Outcome},
    storage::DecisionFilter,
    types::SubjectId,
};
use http::Response;

use super::{OPERATORS, words::Words};
use crate::{
    admin::{
        Input, NoQuery, Portion,
        clients::ListClients,
        decisions::ListDecisions,
        subjects::{ListOpen, ListSubjects, ShowCredentials, SubjectQuery, SubjectState},
    },
    console::{Error, Page, Route, Section, Shell, Visit, subjects},
    pages::time,
    person::OpenSession,
};

/// The list of operators.
pub struct ListPage;

#[derive(Template)]
#[template(path = "console/operators/list.html")]
struct View {
    shell: Shell,
    words: Words,
    people: Vec<Person>,
    clients: Vec<Machine>,
    give: Option<String>,
}

struct Person {
    path: String,
    change: Option<String>,
    name: String,
    is_enabled: bool,
    role: &'static str,
    means: &'static str,
    signs_in_with: Vec<String>,
    last_seen: Option<[String; 2]>,
}

struct Machine {
    path: String,
    name: String,
    is_enabled: bool,
    role: &'static str,
}

impl Page for ListPage {
    type Path = ();
    type Query = NoQuery;

    const ROUTE: Route = Route::page(OPERATORS, Section::Operators);

    async fn show(visit: &Visit, (): (), _: NoQuery) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let mut people = Vec::new();
        for role in Role::ALL.into_iter().rev() {
            for state in with_role(visit, role).await? {
                people.push(person(visit, words, &state, role).await?);
            }
        }
        let is_owner = visit.may(Role::Owner);
        let view = View {
            words,
            people,
            clients: clients(visit).await?,
            give: is_owner.then(|| visit.at("/operators/new", &[])),
            shell: visit.shell(),
        };
        Ok(visit.page(&view))
    }
}

/// Everybody with this role: they are few.
async fn with_role(visit: &Visit, role: Role) -> Result<Vec<SubjectState>, Error> {
    let query = SubjectQuery {
        role: Some(role),
        ..SubjectQuery::default()
    };
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let found = visit.ask(Input::<ListSubjects> {
            path: (),
            query: query.clone(),
            portion: portion(after),
            body: (),
        });
        let found = found.await?;
        all.extend(found.items);
        match found.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

async fn clients(visit: &Visit) -> Result<Vec<Machine>, Error> {
    let mut powerful = ClientFilter::default();
    powerful.power = Some(true);
    let found = visit.ask(Input::<ListClients> {
        path: (),
        query: powerful,
        portion: portion(None),
        body: (),
    });
    let machine = found.await?.items.into_iter().filter_map(|client| {
        let role = Role::of_scope(&client.scope)?;
        Some(Machine {
            path: visit.at("/clients/{client}", &[client.client_id.as_str()]),
            name: client.client_id.to_string(),
            is_enabled: client.enabled,
            role: role.as_str(),
        })
    });
    Ok(machine.collect())
}

fn portion(after: Option<String>) -> Portion {
    Portion {
        after,
        limit: Portion::MOST,
        ..Portion::default()
    }
}

async fn person(
    visit: &Visit,
    words: Words,
    state: &SubjectState,
    role: Role,
) -> Result<Person, Error> {
    let id = &state.subject.id;
    let ways = visit.ask(Input::<ShowCredentials>::at(id.clone())).await?;
    let seen = last_seen(visit, id).await?;
    Ok(Person {
        path: visit.at(subjects::SUBJECT, &[id.as_str()]),
        change: visit
            .may(Role::Owner)
            .then(|| visit.at("/operators/{subject}/role", &[id.as_str()])),
        name: id.to_string(),
        is_enabled: state.subject.enabled,
        role: role.as_str(),
        means: words.means(role),
        signs_in_with: {
            let password = ways.password.map(|_| words.a_password().to_owned());
            let passkeys = words.so_many_passkeys(ways.passkeys.len());
            password.into_iter().chain(passkeys).collect()
        },
        last_seen: seen.map(|at| {
            let ago = time::distance(at, visit.now(), visit.language());
            [time::minute(at), ago]
        }),
    })
}

/// When an operator was last here: by the sessions that are open, else when they last came in, as far
/// as that is on record.
pub async fn last_seen(visit: &Visit, id: &SubjectId) -> Result<Option<UnixTime>, Error> {
    let input = Input::<ListOpen<OpenSession>>::at(id.clone());
    let open = visit.ask(input).await?.items;
    match open.iter().map(|session| session.used_at).max() {
        Some(at) => Ok(Some(at)),
        None => came_in(visit, id).await,
    }
}

/// The pages by which operators come in, by the names of their endpoints.
const WAYS_IN: [&str; 3] = ["console_signin", "console_open", "console_invitation"];

async fn came_in(visit: &Visit, id: &SubjectId) -> Result<Option<UnixTime>, Error> {
    let mut last = None;
    for endpoint in WAYS_IN {
        let mut filter = DecisionFilter::default();
        filter.subject = Some(id.to_string());
        filter.endpoint = Some(endpoint.to_owned());
        let found = visit.ask(Input::<ListDecisions> {
            path: (),
            query: filter,
            portion: Portion {
                limit: LOOKED_AT,
                ..Portion::default()
            },
            body: (),
        });
        let came = found.await?.items.into_iter().filter_map(|kept| {
            let came_in = matches!(kept.0.outcome, Outcome::Granted);
            came_in.then_some(kept.0.at)
        });
        last = last.max(came.max());
    }
    Ok(last)
}

/// How many of the newest decisions are looked through.
const LOOKED_AT: u32 = 10;
