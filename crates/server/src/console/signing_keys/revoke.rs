//! Withdrawing a key, with every token that it signed.

use grantor::{
    admin::{SigningKeyDocument, SigningKeyState},
    server::Body,
};
use http::Response;

use super::{alive::Signing, words::Words};
use crate::{
    admin::{
        Input, Problem, Slug,
        signing_keys::{ListSigningKeys, RevocationQuery, RevokeSigningKey},
    },
    console::{Confirm, Done, Error, Form, Notice, Route, Section, Tick, Typed, Visit},
    pages::{Coded, Markup, markup, time::distance},
};

/// The question before a key is withdrawn.
pub struct RevokePage;

const WHILE_SIGNING: &str = "while_signing";

impl Form for RevokePage {
    type Path = String;

    const ROUTE: Route = Route::form("/signing-keys/{kid}/revoke", Section::SigningKeys)
        .for_owners()
        .grave();

    async fn show(visit: &Visit, kid: &String, typed: &Typed) -> Result<Response<Body>, Error> {
        let keys = visit.ask(Input::<ListSigningKeys>::at(())).await?.items;
        let key = keys.iter().find(|key| key.kid == *kid);
        let key = key.ok_or(Error::NothingHere)?;
        let words = Words(visit.language());
        let list = visit.at("/signing-keys", &[]);
        let question = words.revoke_it(Coded(kid));
        let mut page = Confirm::ask(visit, typed, question, words.revoke(), list.clone())
            .below(list, words.heading())
            .saying_all(breaks(visit, words, &keys, key).await?);
        if key.state == SigningKeyState::Signing {
            page = page.saying(markup(words.it_signs())).offering(Tick {
                name: WHILE_SIGNING,
                text: words.while_signing(),
                hint: words.while_signing_hint(),
            });
        }
        Ok(page.page(visit))
    }

    async fn submit(visit: &Visit, kid: &String, typed: &Typed) -> Result<Done, Error> {
        let words = Words(visit.language());
        let query = RevocationQuery {
            while_signing: Some(typed.has(WHILE_SIGNING, "true")),
        };
        let asked = Input::<RevokeSigningKey>::at(kid.clone()).asking(query);
        let revoked = visit.ask(asked).await;
        revoked.map_err(|error| match error.problem() {
            Some(problem) if problem.slug == Slug::SignsNow => {
                let problem = Problem::new(Slug::SignsNow, words.signs_now());
                Error::worded(problem, visit.language())
            }
            _ => error,
        })?;
        let notice = Notice::of(words.is_revoked(Coded(kid)));
        Ok(Done::Go(visit.at("/signing-keys", &[]), notice))
    }
}

/// What stops working, for whom, and when it was used last.
async fn breaks(
    visit: &Visit,
    words: Words,
    keys: &[SigningKeyDocument],
    key: &SigningKeyDocument,
) -> Result<Vec<Markup>, Error> {
    let Some(signing) = Signing::of(visit, keys, &key.kid) else {
        return Ok(vec![markup(words.signed_nothing())]);
    };
    let away = |at| distance(at, visit.now(), visit.language());
    let ends = away(signing.last_ends);
    let alive = signing.alive(visit).await?;
    let mut sentences = vec![match alive {
        None => markup(words.breaks_unknown()),
        Some(0) => markup(words.breaks_none()),
        Some(1) => words.breaks_one(&ends),
        Some(count) => words.breaks_many(count, &ends),
    }];
    if alive != Some(0) {
        sentences.push(markup(words.for_clients()));
    }
    if key.state != SigningKeyState::Signing {
        sentences.push(words.last_signed(&away(signing.until)));
    }
    Ok(sentences)
}
