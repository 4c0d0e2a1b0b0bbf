//! One field on top of each page finds what has a name (M117).

use std::fmt::Display;

use askama::Template;
use grantor::{
    admin::ClientFilter,
    registry::{IssuerFilter, TrustFilter},
    server::Body,
    storage::DecisionFilter,
    types::{ClientId, Name, SubjectId},
};
use http::Response;
use serde::Deserialize;

use super::{Error, Page, Route, Section, Shell, Visit};
use crate::{
    admin::{
        Input, Operation, Portion,
        changes::ShowChange,
        clients::{ListClients, ShowClient},
        decisions::{Kept, ListDecisions, ShowDecision},
        issuers::{ListIssuers, ShowIssuer},
        subjects::{ListSubjects, ShowSubject, SubjectQuery},
        trusts::{ListTrusts, ShowTrust},
    },
    pages::{html, words},
};

/// Finds clients, subjects, issuers and trusts by a part of their names, decisions by the beginning
/// of their ids, and all of these and changes by the whole of it.
pub struct FindPage;

/// Most of each kind that are shown.
const MOST: u32 = 20;

/// How many letters of the id of a decision it is found by, at least: what is decided within half a
/// minute begins alike.
const BEGINNING: usize = 4;

/// What is looked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Query {
    q: String,
}

words! {
    /// What the page says.
    pub struct Words;
    heading: "Go to", "Aller à";
    nothing: "Nothing has this name, or this in its name. Decisions are found by at least four letters that their ids begin with, changes by their whole numbers.", "Rien ne porte ce nom, ni ne le contient. Les décisions se trouvent par au moins quatre lettres du début de leur identifiant, les changements par leur numéro entier.";
    look_for: "Type a name, a part of one, the id of a decision or how it begins, or the number of a change.", "Saisissez un nom, une partie de nom, l'identifiant d'une décision ou son début, ou le numéro d'un changement.";
    more: "More of them", "Les autres";
}

#[derive(Template)]
#[template(path = "console/find/show.html")]
struct View {
    shell: Shell,
    words: Words,
    query: String,
    groups: Vec<Group>,
}

/// What was found of one kind.
struct Group {
    title: &'static str,
    found: Vec<Found>,
    more: Option<String>,
}

struct Found {
    path: String,
    text: String,
    is_exact: bool,
}

impl Page for FindPage {
    type Path = ();
    type Query = Query;

    const ROUTE: Route = Route::page("/find", Section::Overview);

    async fn show(visit: &Visit, (): (), Query { q }: Query) -> Result<Response<Body>, Error> {
        let query = q.trim().to_owned();
        let groups = match query.is_empty() {
            true => Vec::new(),
            false => groups(visit, &query).await?,
        };
        let mut exact = groups
            .iter()
            .flat_map(|group| &group.found)
            .filter(|found| found.is_exact);
        // The only thing of exactly this name is what was meant.
        if let (Some(only), None) = (exact.next(), exact.next()) {
            return Ok(html::see_other(&only.path));
        }
        let view = View {
            words: Words(visit.language()),
            query,
            groups,
            shell: visit.shell(),
        };
        Ok(visit.page(&view))
    }
}

/// All that is found, exact names first.
async fn groups(visit: &Visit, query: &str) -> Result<Vec<Group>, Error> {
    let words = visit.words();
    let q = Some(query.to_owned());
    let (mut clients, mut issuers, mut trusts) = (
        ClientFilter::default(),
        IssuerFilter::default(),
        TrustFilter::default(),
    );
    clients.q.clone_from(&q);
    issuers.q.clone_from(&q);
    trusts.q.clone_from(&q);
    let subjects = SubjectQuery {
        q,
        ..SubjectQuery::default()
    };
    let clients = visit.ask(listed::<ListClients>(clients)).await?;
    let subjects = visit.ask(listed::<ListSubjects>(subjects)).await?;
    let issuers = visit.ask(listed::<ListIssuers>(issuers)).await?;
    let trusts = visit.ask(listed::<ListTrusts>(trusts)).await?;
    let decisions = beginning_with(visit, query).await?;
    let mut groups = Vec::new();
    let mut group = |section: Section, template: &str, names: Vec<String>, has_more: bool| {
        let found = names.into_iter().map(|name| Found {
            path: visit.at(template, &[&name]),
            is_exact: name == query,
            text: name,
        });
        let asked = match section {
            Section::Decisions => "id_begins",
            _ => "q",
        };
        let more = super::address(&visit.at(section.path(), &[]), &[(asked, query)], &[]);
        groups.push(Group {
            title: words.section(section),
            found: found.collect(),
            more: has_more.then_some(more),
        });
    };
    let names = |items: &[_]| {
        items
            .iter()
            .map(|item: &grantor::admin::ClientDocument| item.client_id.to_string())
            .collect()
    };
    let mut found: Vec<String> = names(&clients.items);
    add_exact::<ShowClient>(visit, &mut found, ClientId::parse(query).ok(), query).await?;
    group(
        Section::Clients,
        "/clients/{client}",
        found,
        clients.next.is_some(),
    );
    let mut found: Vec<_> = subjects
        .items
        .iter()
        .map(|state| state.subject.id.to_string())
        .collect();
    add_exact::<ShowSubject>(visit, &mut found, SubjectId::parse(query).ok(), query).await?;
    group(
        Section::Subjects,
        "/subjects/{subject}",
        found,
        subjects.next.is_some(),
    );
    let mut found: Vec<_> = issuers
        .items
        .iter()
        .map(|issuer| text(&issuer.name))
        .collect();
    add_exact::<ShowIssuer>(visit, &mut found, Some(query.to_owned()), query).await?;
    group(
        Section::Issuers,
        "/issuers/{issuer}",
        found,
        issuers.next.is_some(),
    );
    let mut found: Vec<_> = trusts.items.iter().map(|trust| text(&trust.name)).collect();
    add_exact::<ShowTrust>(visit, &mut found, Name::parse(query).ok(), query).await?;
    group(
        Section::Trusts,
        "/trusts/{trust}",
        found,
        trusts.next.is_some(),
    );
    let has_more = decisions.len() > MOST as usize;
    let newest = decisions.into_iter().rev().take(MOST as usize);
    let mut found: Vec<_> = newest.collect();
    add_exact::<ShowDecision>(visit, &mut found, Some(query.to_owned()), query).await?;
    group(Section::Decisions, "/decisions/{decision}", found, has_more);
    let mut found = Vec::new();
    add_exact::<ShowChange>(visit, &mut found, Some(query.to_owned()), query).await?;
    group(Section::Changes, "/changes/{change}", found, false);
    groups.retain(|group| !group.found.is_empty());
    for group in &mut groups {
        group.found.sort_by_key(|found| !found.is_exact);
    }
    Ok(groups)
}

/// The ids of the newest decisions that begin with this, the oldest first: one more than are shown,
/// where there are more.
async fn beginning_with(visit: &Visit, query: &str) -> Result<Vec<String>, Error> {
    if query.len() < BEGINNING {
        return Ok(Vec::new());
    }
    let mut filter = DecisionFilter::default();
    filter.id_begins = Some(query.to_owned());
    let mut input = listed::<ListDecisions>(filter);
    input.portion.limit += 1;
    let found = visit.ask(input).await?.items;
    let id = |Kept(decision): Kept| decision.id.to_string();
    Ok(found.into_iter().map(id).collect())
}

fn text(name: &impl Display) -> String {
    name.to_string()
}

/// The first of a list.
fn listed<O>(query: O::Query) -> Input<O>
where
    O: Operation<Path = (), Body = ()>,
{
    Input {
        path: (),
        query,
        portion: Portion {
            limit: MOST,
            ..Portion::default()
        },
        body: (),
    }
}

/// Adds what has exactly this name, which a long list may begin behind.
async fn add_exact<O>(
    visit: &Visit,
    found: &mut Vec<String>,
    path: Option<O::Path>,
    query: &str,
) -> Result<(), Error>
where
    O: Operation<Body = ()>,
    O::Query: Default,
{
    let Some(path) = path.filter(|_| !found.iter().any(|name| name == query)) else {
        return Ok(());
    };
    match visit.ask(Input::<O>::at(path)).await {
        Ok(_) => {
            found.push(query.to_owned());
            Ok(())
        }
        Err(Error::NothingHere) => Ok(()),
        Err(Error::Told(problem, _)) if problem.slug == crate::admin::Slug::Invalid => Ok(()),
        Err(error) => Err(error),
    }
}
