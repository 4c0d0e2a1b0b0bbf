//! One field on top of each page finds what has a name (M117).

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

use super::{Error, Page, Route, Section, Shell, Visit, address};
use crate::{
    admin::{
        Input, Operation, Portion, Slug,
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
    let search = Search { visit, query };
    let mut groups = vec![
        search.clients().await?,
        search.subjects().await?,
        search.issuers().await?,
        search.trusts().await?,
        search.decisions().await?,
        search.changes().await?,
    ];
    groups.retain(|group| !group.found.is_empty());
    for group in &mut groups {
        group.found.sort_by_key(|found| !found.is_exact);
    }
    Ok(groups)
}

/// A search of each kind.
struct Search<'v> {
    visit: &'v Visit,
    query: &'v str,
}

impl Search<'_> {
    async fn clients(&self) -> Result<Group, Error> {
        let mut filter = ClientFilter::default();
        filter.q = Some(self.query.to_owned());
        let list = self.visit.ask(listed::<ListClients>(filter)).await?;
        let names = list.items.iter().map(|client| client.client_id.to_string());
        let exact = ClientId::parse(self.query).ok();
        let names = self
            .with_exact::<ShowClient>(names.collect(), exact)
            .await?;
        let more = list.next.map(|_| self.list(Section::Clients, "q"));
        Ok(self.group(Section::Clients, "/clients/{client}", names, more))
    }

    async fn subjects(&self) -> Result<Group, Error> {
        let query = SubjectQuery {
            q: Some(self.query.to_owned()),
            ..SubjectQuery::default()
        };
        let list = self.visit.ask(listed::<ListSubjects>(query)).await?;
        let names = list.items.iter().map(|state| state.subject.id.to_string());
        let exact = SubjectId::parse(self.query).ok();
        let names = self
            .with_exact::<ShowSubject>(names.collect(), exact)
            .await?;
        let more = list.next.map(|_| self.list(Section::Subjects, "q"));
        Ok(self.group(Section::Subjects, "/subjects/{subject}", names, more))
    }

    async fn issuers(&self) -> Result<Group, Error> {
        let mut filter = IssuerFilter::default();
        filter.q = Some(self.query.to_owned());
        let list = self.visit.ask(listed::<ListIssuers>(filter)).await?;
        let names = list.items.iter().map(|issuer| issuer.name.to_string());
        let exact = Some(self.query.to_owned());
        let names = self
            .with_exact::<ShowIssuer>(names.collect(), exact)
            .await?;
        let more = list.next.map(|_| self.list(Section::Issuers, "q"));
        Ok(self.group(Section::Issuers, "/issuers/{issuer}", names, more))
    }

    async fn trusts(&self) -> Result<Group, Error> {
        let mut filter = TrustFilter::default();
        filter.q = Some(self.query.to_owned());
        let list = self.visit.ask(listed::<ListTrusts>(filter)).await?;
        let names = list.items.iter().map(|trust| trust.name.to_string());
        let exact = Name::parse(self.query).ok();
        let names = self.with_exact::<ShowTrust>(names.collect(), exact).await?;
        let more = list.next.map(|_| self.list(Section::Trusts, "q"));
        Ok(self.group(Section::Trusts, "/trusts/{trust}", names, more))
    }

    async fn decisions(&self) -> Result<Group, Error> {
        let found = beginning_with(self.visit, self.query).await?;
        let has_more = found.len() > MOST as usize;
        let newest = found.into_iter().rev().take(MOST as usize).collect();
        let exact = Some(self.query.to_owned());
        let names = self.with_exact::<ShowDecision>(newest, exact).await?;
        let more = has_more.then(|| self.list(Section::Decisions, "id_begins"));
        Ok(self.group(Section::Decisions, "/decisions/{decision}", names, more))
    }

    async fn changes(&self) -> Result<Group, Error> {
        let exact = Some(self.query.to_owned());
        let names = self.with_exact::<ShowChange>(Vec::new(), exact).await?;
        Ok(self.group(Section::Changes, "/changes/{change}", names, None))
    }

    fn group(
        &self,
        section: Section,
        template: &str,
        names: Vec<String>,
        more: Option<String>,
    ) -> Group {
        let found = names.into_iter().map(|name| Found {
            path: self.visit.at(template, &[&name]),
            is_exact: name == self.query,
            text: name,
        });
        Group {
            title: self.visit.words().section(section),
            found: found.collect(),
            more,
        }
    }

    /// The list that has all of what is found, by this member of its filter.
    fn list(&self, section: Section, member: &str) -> String {
        let list = self.visit.at(section.path(), &[]);
        address(&list, &[(member, self.query)], &[])
    }

    /// These names, and what has exactly the one looked for, which a long list may begin behind.
    async fn with_exact<O>(
        &self,
        mut names: Vec<String>,
        path: Option<O::Path>,
    ) -> Result<Vec<String>, Error>
    where
        O: Operation<Body = ()>,
        O::Query: Default,
    {
        let Some(path) = path.filter(|_| names.iter().all(|name| name != self.query)) else {
            return Ok(names);
        };
        match self.visit.ask(Input::<O>::at(path)).await {
            Ok(_) => names.push(self.query.to_owned()),
            Err(Error::NothingHere) => {}
            Err(Error::Told(problem, _)) if problem.slug == Slug::Invalid => {}
            Err(error) => return Err(error),
        }
        Ok(names)
    }
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
