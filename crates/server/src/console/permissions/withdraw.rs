//! Withdrawing a permission.

use grantor::{
    admin::PermissionDocument,
    registry::Origin,
    server::Body,
    types::{ClientId, SubjectId},
};
use http::Response;

use super::{list::path_of, words::Words};
use crate::{
    admin::{
        Input, Segments,
        permissions::{DeletePermission, ShowPermission, Whose},
    },
    console::{
        Confirm, Done, Error, Form, Notice, Route, Section, Typed, Visit,
        clients::{is_power, to_change},
    },
    pages::{
        Markup, Named, markup,
        time::{distance, minute},
    },
};

/// The question before a permission is withdrawn.
pub struct WithdrawPage;

/// Whose permission: in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By(Origin);

impl Segments for By {
    fn of_names(names: &[String]) -> Option<Self> {
        Origin::from_name(names.first()?).map(Self)
    }

    fn names(&self) -> Vec<String> {
        vec![self.0.as_str().to_owned()]
    }
}

/// Client, subject, and whose permission.
type Which = (ClientId, (SubjectId, By));

impl Form for WithdrawPage {
    type Path = Which;

    const ROUTE: Route = Route::form(
        "/permissions/{client}/{subject}/{origin}/withdraw",
        Section::Permissions,
    );

    async fn show(visit: &Visit, which: &Which, typed: &Typed) -> Result<Response<Body>, Error> {
        let (client, (subject, By(origin))) = which;
        let (own, has_other) = find(visit, which).await?;
        let words = Words(visit.language());
        let names = (Named(client.as_str()), Named(subject.as_str()));
        let (question, last) = match origin {
            Origin::Operator => (words.withdraw_it(names.0, names.1), None),
            Origin::Person => (
                words.withdraw_consent(names.0, names.1),
                Some(markup(words.only_person_gives())),
            ),
        };
        let back = path_of(visit, client, subject);
        let until = visit.now().plus(visit.admin.config.token.lifetime);
        let page = Confirm::ask(visit, typed, question, words.withdraw(), back.clone())
            .below(visit.at("/permissions", &[]), words.heading())
            .below(back, format!("{client} · {subject}"))
            .saying(words.withdrawing(&minute(until)))
            .saying_all(has_other.then(|| markup(words.other_stays())))
            .saying(used(visit, &own))
            .saying_all(last)
            .in_state(Some(own.revision))
            .managed_by(own.managed_by.as_ref().map(ToString::to_string));
        Ok(page.page(visit))
    }

    async fn submit(visit: &Visit, which: &Which, _: &Typed) -> Result<Done, Error> {
        let (client, (subject, By(origin))) = which;
        find(visit, which).await?;
        let pair = (client.clone(), subject.clone());
        let whose = Whose {
            origin: Some(*origin),
        };
        let input = Input::<DeletePermission>::at(pair).asking(whose);
        visit.ask(input).await?;
        let words = Words(visit.language());
        let names = [client.as_str(), subject.as_str()];
        let notice = Notice::of(words.is_withdrawn(Named(names[0]), Named(names[1])));
        let edit = visit.at("/permissions/{client}/{subject}/edit", &names);
        Ok(Done::Go(
            path_of(visit, client, subject),
            match origin {
                Origin::Operator => notice.then(edit, words.give_again()),
                Origin::Person => notice,
            },
        ))
    }
}

/// The permission, and whether there is another one of the same client for the same subject. Who
/// takes power proves anew who they are (M112).
async fn find(visit: &Visit, which: &Which) -> Result<(PermissionDocument, bool), Error> {
    let (client, (subject, By(origin))) = which;
    to_change(visit, client).await?;
    let pair = (client.clone(), subject.clone());
    let mut records = visit.ask(Input::<ShowPermission>::at(pair)).await?.records;
    let place = records.iter().position(|record| record.origin == *origin);
    let own = records.swap_remove(place.ok_or(Error::NothingHere)?);
    if own.scope.as_ref().is_some_and(is_power) {
        visit.check_fresh()?;
    }
    Ok((own, !records.is_empty()))
}

fn used(visit: &Visit, permission: &PermissionDocument) -> Markup {
    let words = Words(visit.language());
    match permission.last_used_at {
        Some(at) => words.used_at(&minute(at), &distance(at, visit.now(), visit.language())),
        None => markup(words.never_used()),
    }
}
