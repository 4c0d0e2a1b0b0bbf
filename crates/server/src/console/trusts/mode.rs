//! Turning a trust on, off, or into a shadow.

use grantor::{registry::Mode, server::Body, storage::DecisionFilter, types::Name};
use http::Response;

use super::{TRUST, words::Words};
use crate::{
    admin::{
        Input,
        trusts::{ShowTrust, UpdateTrust},
    },
    console::{Confirm, Done, Error, Form, Notice, Route, Section, Typed, Visit, address},
    pages::{Coded, Markup, Named, markup},
};

/// The question before a trust counts otherwise.
pub struct ModePage;

const MODE: &str = "mode";

impl Form for ModePage {
    type Path = Name;

    const ROUTE: Route = Route::form("/trusts/{trust}/mode", Section::Trusts);
    const FROM_QUERY: &'static [&'static str] = &[MODE];

    async fn show(visit: &Visit, name: &Name, typed: &Typed) -> Result<Response<Body>, Error> {
        let trust = visit.ask(Input::<ShowTrust>::at(name.clone())).await?;
        let words = Words(visit.language());
        let named = Named(name.as_str());
        let client = trust.client.as_ref().map_or("", |client| client.as_str());
        let wanted = mode_of(typed.text(MODE)).ok_or(Error::Filter)?;
        let (question, sentence) = match wanted {
            Mode::On => (words.turn_on_it(named), markup(words.turning_on())),
            Mode::Shadow => (words.to_shadow_it(named), words.shadowing(Coded(client))),
            _ => (words.turn_off_it(named), words.turning_off(Coded(client))),
        };
        let back = visit.at(TRUST, &[name.as_str()]);
        let verb = words.turn(wanted);
        let page = Confirm::ask(visit, typed, question, verb, back.clone())
            .below(visit.at("/trusts", &[]), words.heading())
            .below(back, name.as_str())
            .saying(sentence)
            .saying(used_last(visit, words, name).await?)
            .sending(MODE, word_of(&wanted))
            .in_state(Some(trust.revision))
            .managed_by(trust.managed_by.as_ref().map(ToString::to_string));
        Ok(page.page(visit))
    }

    async fn submit(visit: &Visit, name: &Name, typed: &Typed) -> Result<Done, Error> {
        let words = Words(visit.language());
        let before = visit.ask(Input::<ShowTrust>::at(name.clone())).await?.mode;
        let patch = typed.members().text(MODE).body()?;
        let changed = visit.ask(Input::<UpdateTrust>::with(name.clone(), patch));
        let changed = changed.await?.document;
        let named = Named(name.as_str());
        let notice = Notice::of(match changed.mode {
            Mode::On => words.is_on(named),
            Mode::Shadow => words.is_shadow(named),
            _ => words.is_off(named),
        });
        let undo = visit.at("/trusts/{trust}/mode", &[name.as_str()]);
        let undo = address(&undo, &[(MODE, word_of(&before))], &[]);
        let page = visit.at(TRUST, &[name.as_str()]);
        Ok(Done::Go(page, notice.then(undo, words.undo())))
    }
}

/// When a trust took a JWT last, as a sentence.
pub async fn used_last(visit: &Visit, words: Words, name: &Name) -> Result<Markup, Error> {
    let mut by_trust = DecisionFilter::default();
    by_trust.trust = Some(name.to_string());
    Ok(match visit.last_decided(by_trust).await? {
        Some(at) => words.used_last(&visit.moment(at)),
        None => markup(words.never_used()),
    })
}

/// The modes, as members have them.
pub const MODES: [(&str, Mode); 3] = [
    ("on", Mode::On),
    ("shadow", Mode::Shadow),
    ("off", Mode::Off),
];

fn mode_of(wanted: &str) -> Option<Mode> {
    let mut modes = MODES.into_iter();
    modes
        .find(|(word, _)| *word == wanted)
        .map(|(_, mode)| mode)
}

fn word_of(wanted: &Mode) -> &'static str {
    let mut modes = MODES.into_iter();
    modes
        .find(|(_, mode)| mode == wanted)
        .map_or("off", |(word, _)| word)
}
