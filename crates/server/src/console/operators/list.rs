//! The list of operators: people, and clients that hold power.

use askama::Template;
use grantor::{admin::ClientFilter, registry::Role, server::Body};
use http::Response;

use super::{OPERATORS, words::Words};
use crate::{
    admin::{
        Input, NoQuery, Portion,
        clients::ListClients,
        subjects::{ListSubjects, ShowCredentials, SubjectQuery, SubjectState},
    },
    console::{Error, Page, Route, Section, Shell, Visit, subjects},
    pages::time,
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
        last_seen: state.last_seen.map(|at| {
            let ago = time::distance(at, visit.now(), visit.language());
            [time::minute(at), ago]
        }),
    })
}
