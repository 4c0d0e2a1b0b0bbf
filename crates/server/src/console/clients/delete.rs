//! Deleting a client.

use grantor::{server::Body, types::ClientId};
use http::Response;

use super::{
    about::{manager, name_of, page_of, to_change, trail},
    activity::{is_granted, latest},
    people::People,
    words::Words,
};
use crate::{
    admin::{Input, clients::DeleteClient},
    console::{Confirm, Done, Error, Form, Notice, Route, Section, Typed, Visit, changes},
    pages::{
        Link, Markup, Named, count, markup,
        time::{distance, minute},
    },
};

/// The question before a client is deleted.
pub struct DeletePage;

/// Most tokens that are counted.
const MOST: u32 = 500;

impl Form for DeletePage {
    type Path = ClientId;

    const ROUTE: Route = Route::form("/clients/{client}/delete", Section::Clients).grave();

    async fn show(visit: &Visit, id: &ClientId, typed: &Typed) -> Result<Response<Body>, Error> {
        let client = to_change(visit, id).await?;
        let words = Words(visit.language());
        let name = Named(name_of(&client));
        let people = People::of(visit, id).await?;
        let mut page = Confirm::ask(
            visit,
            typed,
            words.delete_it(name),
            words.delete(),
            page_of(visit, id),
        )
        .below_all(trail(visit, &client))
        .saying(markup(words.deleting()))
        .saying(people.loss(words))
        .saying_all(tokens(visit, id).await?)
        .in_state(Some(client.revision))
        .managed_by(manager(&client));
        if client.enabled {
            page = page.saying(words.rather_disable(Link::to(
                &visit.at("/clients/{client}/switch", &[id.as_str()]),
                words.rather_disable_it(),
            )));
        }
        Ok(page.page(visit))
    }

    async fn submit(visit: &Visit, id: &ClientId, _: &Typed) -> Result<Done, Error> {
        let client = to_change(visit, id).await?;
        visit.ask(Input::<DeleteClient>::at(id.clone())).await?;
        let words = Words(visit.language());
        let notice = Notice::of(words.is_deleted(Named(name_of(&client))));
        let next = changes::all(visit, &changes::of("client", id.as_str()));
        Ok(Done::Go(
            visit.at("/clients", &[]),
            notice.then(next, words.all_changes()),
        ))
    }
}

/// Which of its tokens may be in force, and when it got the last one.
async fn tokens(visit: &Visit, id: &ClientId) -> Result<Vec<Markup>, Error> {
    let (words, now) = (Words(visit.language()), visit.now());
    let lifetime = visit.admin.config.token.lifetime;
    let alive = latest(visit, id, now.minus(lifetime), MOST).await?;
    let is_cut = alive.len() >= usize::try_from(MOST).unwrap_or(usize::MAX);
    let granted: Vec<_> = alive.iter().filter(|one| is_granted(one)).collect();
    let number = u64::try_from(granted.len()).unwrap_or(u64::MAX);
    let number = count(number, visit.language());
    let Some(last) = granted.last() else {
        // The last token is longer ago than tokens live: it is looked for among older decisions.
        let older = latest(visit, id, now.minus(super::people::UNUSED), MOST).await?;
        let last = older.iter().rev().find(|one| is_granted(one));
        let last = last.map_or_else(
            || markup(words.never_granted()),
            |last| words.last_granted(&minute(last.at), &distance(last.at, now, visit.language())),
        );
        return Ok(vec![markup(words.tokens_alive_none()), last]);
    };
    let until = minute(last.at.plus(lifetime));
    let alive = match is_cut {
        true => words.tokens_alive_more(&number, &until),
        false => words.tokens_alive(&number, &until),
    };
    let ago = distance(last.at, now, visit.language());
    Ok(vec![alive, words.last_granted(&minute(last.at), &ago)])
}
