//! Giving a permission, and changing one that an operator gave.

use askama::Template;
use grantor::{
    admin::{Fault, PermissionDocument},
    registry::Origin,
    server::Body,
    types::{ClientId, GrantType, Scope, SubjectId},
};
use http::Response;

use super::{list::path_of, words::Words};
use crate::{
    admin::{
        Input, Problem, Slug,
        clients::ShowClient,
        permissions::{CreatePermission, PutPermission, ShowPermission},
        state_of,
        subjects::ShowSubject,
    },
    cli::parse::short_name,
    console::{
        Done, Error, Form, Notice, Pick, Route, Section, Shell, Summary, Typed, Visit,
        clients::{is_power, to_change},
    },
    pages::{Markup, Named, markup, time::day},
};

/// Giving a permission.
pub struct NewPage;

/// Changing one.
pub struct EditPage;

#[derive(Template)]
#[template(path = "console/permissions/edit.html")]
struct View {
    shell: Shell,
    words: Words,
    summary: Option<Summary>,
    trail: Vec<(String, String)>,
    title: &'static str,
    heading: Markup,
    typed: Typed,
    grants: Vec<Pick>,
    /// Whether client and subject are still to be said.
    is_new: bool,
    action: String,
    ticket: String,
    state: Option<String>,
    managed_by: Option<String>,
    verb: &'static str,
    back: String,
}

impl Form for NewPage {
    type Path = ();

    const ROUTE: Route = Route::form("/permissions/new", Section::Permissions);
    const FROM_QUERY: &'static [&'static str] = &["client", "subject"];

    async fn show(visit: &Visit, (): &(), typed: &Typed) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let filled = typed
            .or_else(|typed| typed.filling("grants", GrantType::JWT_BEARER.as_str().to_owned()));
        let view = View {
            title: words.new_one(),
            heading: markup(words.new_one()),
            verb: words.give_it(),
            ..view(visit, filled)
        };
        Ok(visit.form(typed, &view))
    }

    async fn submit(visit: &Visit, (): &(), typed: &Typed) -> Result<Done, Error> {
        let mut faults = Vec::new();
        let client = ClientId::parse(typed.text("client"));
        let client = client.map_err(|error| faults.push(Fault::new("client", error.to_string())));
        let subject = SubjectId::parse(typed.text("subject"));
        let subject =
            subject.map_err(|error| faults.push(Fault::new("subject", error.to_string())));
        let (Ok(client), Ok(subject)) = (client, subject) else {
            return Err(Problem::at_fault(Slug::Invalid, faults).into());
        };
        let words = Words(visit.language());
        check_registered(visit, words, &client, &subject).await?;
        check(visit, &client, typed).await?;
        let members = typed
            .members()
            .with("client", client.as_str())
            .with("subject", subject.as_str())
            .text_or_null("scope")
            .ticked("grants")
            .moment("expires_at");
        let body: PermissionDocument = members.body()?;
        let given = visit.ask(Input::<CreatePermission>::with((), body));
        given.await?;
        let sentence = words.is_given(Named(client.as_str()), Named(subject.as_str()));
        Ok(Done::Go(
            path_of(visit, &client, &subject),
            Notice::of(sentence),
        ))
    }
}

impl Form for EditPage {
    type Path = (ClientId, SubjectId);

    const ROUTE: Route = Route::form("/permissions/{client}/{subject}/edit", Section::Permissions);

    async fn show(
        visit: &Visit,
        pair: &(ClientId, SubjectId),
        typed: &Typed,
    ) -> Result<Response<Body>, Error> {
        to_change(visit, &pair.0).await?;
        let shown = visit.ask(Input::<ShowPermission>::at(pair.clone())).await?;
        let mut records = shown.records.iter();
        let own = records.find(|record| record.origin == Origin::Operator);
        let words = Words(visit.language());
        let (client, subject) = (Named(pair.0.as_str()), Named(pair.1.as_str()));
        let back = path_of(visit, &pair.0, &pair.1);
        let filled = typed.or_else(|typed| match own {
            Some(own) => filled(typed, own),
            None => typed.filling("grants", GrantType::JWT_BEARER.as_str().to_owned()),
        });
        let mut view = View {
            title: words.change(),
            heading: words.edit_it(client, subject),
            is_new: false,
            state: own.map(|own| state_of(own.revision)),
            managed_by: own
                .and_then(|own| own.managed_by.as_ref())
                .map(ToString::to_string),
            verb: match own {
                Some(_) => visit.words().save(),
                None => words.give_it(),
            },
            back: back.clone(),
            ..view(visit, filled)
        };
        let name = format!("{} · {}", pair.0, pair.1);
        view.trail.push((back, name));
        Ok(visit.form(typed, &view))
    }

    async fn submit(
        visit: &Visit,
        pair: &(ClientId, SubjectId),
        typed: &Typed,
    ) -> Result<Done, Error> {
        check(visit, &pair.0, typed).await?;
        let members = typed
            .members()
            .text_or_null("scope")
            .ticked("grants")
            .moment("expires_at");
        let body = members.body()?;
        let given = visit.ask(Input::<PutPermission>::with(pair.clone(), body));
        given.await?;
        let words = Words(visit.language());
        let sentence = words.is_changed(Named(pair.0.as_str()), Named(pair.1.as_str()));
        Ok(Done::Go(
            path_of(visit, &pair.0, &pair.1),
            Notice::of(sentence),
        ))
    }
}

/// Says at the field which of both is not registered, so that nothing typed is lost (M111).
async fn check_registered(
    visit: &Visit,
    words: Words,
    client: &ClientId,
    subject: &SubjectId,
) -> Result<(), Error> {
    let client = visit.ask(Input::<ShowClient>::at(client.clone())).await;
    let subject = visit.ask(Input::<ShowSubject>::at(subject.clone())).await;
    let mut faults = Vec::new();
    if is_missing(client)? {
        faults.push(Fault::new("client", words.no_such_client()));
    }
    if is_missing(subject)? {
        faults.push(Fault::new("subject", words.no_such_subject()));
    }
    match faults.is_empty() {
        true => Ok(()),
        false => {
            let problem = Problem::at_fault(Slug::Invalid, faults);
            Err(Error::worded(problem, visit.language()))
        }
    }
}

fn is_missing<T>(found: Result<T, Error>) -> Result<bool, Error> {
    match found {
        Ok(_) => Ok(false),
        Err(Error::NothingHere) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Who gives power, or something to a client that has it, is an owner and proves anew who they are
/// (M012, M112).
async fn check(visit: &Visit, client: &ClientId, typed: &Typed) -> Result<(), Error> {
    match to_change(visit, client).await {
        Ok(_) => {}
        // The use case says so at the field.
        Err(Error::NothingHere) => return Ok(()),
        Err(error) => return Err(error),
    }
    match Scope::parse(typed.text("scope")).is_ok_and(|scope| is_power(&scope)) {
        true => visit.check_fresh(),
        false => Ok(()),
    }
}

fn filled(typed: Typed, own: &PermissionDocument) -> Typed {
    let scope = own.scope.as_ref().map_or(String::new(), Scope::to_string);
    let end = own.expires_at.map_or(String::new(), day);
    let typed = typed.filling("scope", scope).filling("expires_at", end);
    let grants = own.grants.iter();
    grants.fold(typed, |typed, grant| typed.adding("grants", grant.as_str()))
}

/// The form with nothing in it but what was typed.
fn view(visit: &Visit, typed: Typed) -> View {
    let words = Words(visit.language());
    let list = visit.at("/permissions", &[]);
    let grants = [
        (GrantType::JWT_BEARER, words.by_jwt_bearer()),
        (GrantType::AUTHORIZATION_CODE, words.by_code()),
        (GrantType::REFRESH_TOKEN, words.by_refresh()),
    ];
    let grants = grants.map(|(grant, hint)| Pick {
        is_chosen: typed.has("grants", grant.as_str()),
        ..Pick::new(grant.as_str(), short_name(&grant)).meaning(hint)
    });
    View {
        summary: Summary::of(&typed),
        trail: vec![(list.clone(), words.heading().to_owned())],
        title: words.new_one(),
        heading: markup(words.new_one()),
        grants: grants.to_vec(),
        is_new: true,
        action: visit.here(),
        ticket: visit.ticket(),
        state: None,
        managed_by: None,
        verb: words.give_it(),
        back: list,
        typed,
        words,
        shell: visit.shell(),
    }
}
