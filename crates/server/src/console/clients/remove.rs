//! Taking away a key or a secret of a client.

use std::time::Duration;

use grantor::{
    admin::{ClientDocument, SecretEntry},
    clock::UnixTime,
    server::Body,
    types::{ClientId, Shown},
};
use http::Response;

use super::{
    about::{manager, name_of, page_of, to_change, trail},
    activity::latest,
    words::Words,
};
use crate::{
    admin::{
        Input,
        clients::{RemoveKey, RemoveSecret},
    },
    console::{Confirm, Done, Error, Form, Notice, Route, Section, Typed, Visit},
    pages::{
        Coded, Named, markup,
        time::{distance, minute},
    },
};

/// The question before a key is removed.
pub struct RemoveKeyPage;

/// The question before a secret is removed.
pub struct RemoveSecretPage;

/// Decisions that are looked at for the last use of a key, and how old they are at most: 400 days.
const MOST: u32 = 500;
const OLDEST: Duration = Duration::from_secs(400 * 86_400);

impl Form for RemoveKeyPage {
    type Path = (ClientId, String);

    const ROUTE: Route =
        Route::form("/clients/{client}/keys/{name}/remove", Section::Clients).grave();

    async fn show(
        visit: &Visit,
        (id, key): &(ClientId, String),
        typed: &Typed,
    ) -> Result<Response<Body>, Error> {
        let client = to_change(visit, id).await?;
        let words = Words(visit.language());
        let is_it = |name: &str| name == key.as_str();
        if !client.keys.iter().any(|entry| is_it(&entry.name)) {
            return Err(Error::NothingHere);
        }
        let name = Named(name_of(&client));
        let question = words.remove_key(Coded(key));
        let used = key_used_at(visit, id, key).await?;
        let mut page = Confirm::ask(visit, typed, question, words.remove(), page_of(visit, id))
            .below_all(trail(visit, &client))
            .saying(words.removing_key(name))
            .saying(used_sentence(visit, used))
            .in_state(Some(client.revision))
            .managed_by(manager(&client));
        let mut working = client.keys.iter().filter(|entry| entry.refused.is_none());
        if working.all(|entry| is_it(&entry.name)) {
            page = page.saying(markup(words.only_key()));
        }
        Ok(page.page(visit))
    }

    async fn submit(
        visit: &Visit,
        (id, key): &(ClientId, String),
        _: &Typed,
    ) -> Result<Done, Error> {
        to_change(visit, id).await?;
        let input = Input::<RemoveKey>::at((id.clone(), key.clone()));
        visit.ask(input).await?;
        let words = Words(visit.language());
        let notice = Notice::of(words.key_is_removed(Coded(key)));
        let next = visit.at("/clients/{client}/keys/new", &[id.as_str()]);
        Ok(Done::Go(
            page_of(visit, id),
            notice.then(next, words.add_key()),
        ))
    }
}

/// When a request was last signed with this key, as far as the latest decisions tell.
async fn key_used_at(visit: &Visit, id: &ClientId, key: &str) -> Result<Option<UnixTime>, Error> {
    let since = visit.now().minus(OLDEST);
    let decisions = latest(visit, id, since, MOST).await?;
    let shown = Shown::known(key, Shown::MAX_BYTES);
    let mut used = decisions.iter().rev();
    let used = used.find(|decision| {
        let by = decision.key_id.as_ref().map(Shown::as_str);
        by == Some(shown.as_str()) || by == Some(key)
    });
    Ok(used.map(|decision| decision.at))
}

fn used_sentence(visit: &Visit, used: Option<UnixTime>) -> crate::pages::Markup {
    let words = Words(visit.language());
    match used {
        Some(at) => words.key_last_used(&minute(at), &distance(at, visit.now(), visit.language())),
        None => markup(words.key_never_used()),
    }
}

impl Form for RemoveSecretPage {
    type Path = (ClientId, String);

    const ROUTE: Route =
        Route::form("/clients/{client}/secrets/{name}/remove", Section::Clients).grave();

    async fn show(
        visit: &Visit,
        (id, secret): &(ClientId, String),
        typed: &Typed,
    ) -> Result<Response<Body>, Error> {
        let client = to_change(visit, id).await?;
        if !client.secrets.iter().any(|entry| entry.name == *secret) {
            return Err(Error::NothingHere);
        }
        let words = Words(visit.language());
        let question = words.remove_secret(Coded(secret));
        let name = Named(name_of(&client));
        let mut page = Confirm::ask(visit, typed, question, words.remove(), page_of(visit, id))
            .below_all(trail(visit, &client))
            .saying(words.removing_secret(name))
            .in_state(Some(client.revision))
            .managed_by(manager(&client));
        if is_only_secret(visit, &client, secret) {
            page = page.saying(markup(words.only_secret()));
        }
        Ok(page.page(visit))
    }

    async fn submit(
        visit: &Visit,
        (id, secret): &(ClientId, String),
        _: &Typed,
    ) -> Result<Done, Error> {
        to_change(visit, id).await?;
        let input = Input::<RemoveSecret>::at((id.clone(), secret.clone()));
        visit.ask(input).await?;
        let words = Words(visit.language());
        let notice = Notice::of(markup(words.secret_is_removed()));
        let next = visit.at("/clients/{client}/secrets/new", &[id.as_str()]);
        Ok(Done::Go(
            page_of(visit, id),
            notice.then(next, words.new_secret()),
        ))
    }
}

/// Whether no other secret works.
fn is_only_secret(visit: &Visit, client: &ClientDocument, name: &str) -> bool {
    let now = visit.now();
    let is_live = |entry: &SecretEntry| entry.expires_at.is_none_or(|end| now < end);
    let mut others = client.secrets.iter().filter(|entry| entry.name != name);
    !others.any(is_live)
}
