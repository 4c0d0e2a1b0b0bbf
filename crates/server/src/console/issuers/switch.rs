//! Disabling an issuer, and enabling it again.

use grantor::{admin::IssuerDocument, server::Body, storage::DecisionFilter};
use http::Response;

use super::{ISSUER, show::trusts_of, words::Words};
use crate::{
    admin::{
        Input,
        issuers::{IssuerChange, ShowIssuer, UpdateIssuer},
    },
    console::{Confirm, Done, Error, Form, Notice, Route, Section, Tick, Typed, Visit},
    pages::{Markup, Named, markup, named},
};

/// The question before an issuer is disabled or enabled.
pub struct SwitchPage;

const REVOKE_TOKENS: &str = "revoke_tokens";

impl Form for SwitchPage {
    type Path = String;

    const ROUTE: Route = Route::form("/issuers/{issuer}/switch", Section::Issuers);

    async fn show(visit: &Visit, issuer: &String, typed: &Typed) -> Result<Response<Body>, Error> {
        let issuer = visit.ask(Input::<ShowIssuer>::at(issuer.clone())).await?;
        let issuer = issuer.issuer;
        let words = Words(visit.language());
        let name = issuer.name.as_str();
        let (question, sentence, verb) = match issuer.enabled {
            true => (
                words.disable_it(Named(name)),
                words.disabling(),
                words.disable(),
            ),
            false => (
                words.enable_it(Named(name)),
                words.enabling(),
                words.enable(),
            ),
        };
        let back = visit.at(ISSUER, &[name]);
        let mut page = Confirm::ask(visit, typed, question, verb, back.clone())
            .below(visit.at("/issuers", &[]), words.heading())
            .below(back, name)
            .saying(markup(sentence))
            .saying(concerned(visit, words, name).await?)
            .saying(came_last(visit, words, &issuer).await?)
            .sending("enabled", (!issuer.enabled).to_string())
            .in_state(Some(issuer.revision))
            .managed_by(issuer.managed_by.as_ref().map(ToString::to_string));
        if issuer.enabled {
            page = page.offering(Tick {
                name: REVOKE_TOKENS,
                text: words.revoke_tokens(),
                hint: words.revoke_tokens_hint(),
            });
        }
        Ok(page.page(visit))
    }

    async fn submit(visit: &Visit, issuer: &String, typed: &Typed) -> Result<Done, Error> {
        let words = Words(visit.language());
        let is_on = typed.has("enabled", "true");
        let patch = typed.members().with("enabled", is_on).body()?;
        let change = IssuerChange {
            check: None,
            revoke_tokens: Some(typed.has(REVOKE_TOKENS, "true")),
        };
        let asked = Input::<UpdateIssuer>::with(issuer.clone(), patch).asking(change);
        let changed = visit.ask(asked).await?.document;
        let name = changed.name.as_str();
        let notice = Notice::of(match is_on {
            true => words.is_enabled(Named(name)),
            false => words.is_disabled(Named(name)),
        });
        let undo = visit.at("/issuers/{issuer}/switch", &[name]);
        let page = visit.at(ISSUER, &[name]);
        Ok(Done::Go(page, notice.then(undo, words.undo())))
    }
}

/// Which trusts an issuer has, as a sentence.
pub async fn concerned(visit: &Visit, words: Words, issuer: &str) -> Result<Markup, Error> {
    let found = trusts_of(visit, issuer).await?;
    let count = found.items.len();
    let names = found.items.iter().map(|trust| trust.name.as_str());
    let names = named(names.take(NAMED));
    let is_all = found.next.is_none() && count <= NAMED;
    Ok(match (count, is_all) {
        (0, _) => markup(words.concerns_none()),
        (1, true) => words.has_one_trust(names),
        (count, true) => words.has_trusts(count, names),
        (count, false) => words.has_many_trusts(count - 1, names),
    })
}

/// When a JWT of an issuer came last, as a sentence.
pub async fn came_last(
    visit: &Visit,
    words: Words,
    issuer: &IssuerDocument,
) -> Result<Markup, Error> {
    let mut of_issuer = DecisionFilter::default();
    of_issuer.issuer = Some(issuer.iss.to_string());
    let last = visit.last_decided(of_issuer).await?;
    Ok(match last {
        Some(at) => words.came_last(&visit.moment(at)),
        None => markup(words.never_came()),
    })
}

/// So many are named.
const NAMED: usize = 8;
