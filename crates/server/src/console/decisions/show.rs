//! A decision: what is wrong, what to do and who has to do it, then rule by rule (M126).

use askama::Template;
use grantor::{
    admin::DecisionDocument,
    server::{Body, Decision, Outcome},
    storage::DecisionFilter,
    types::{AuthMethod, Scope, Shown, escaped_json},
};
use http::Response;

use super::{
    advice::{Advice, is_signed},
    outcome::{sentence, tag},
    rules::{Rules, TrustView},
    words::Words,
};
use crate::{
    admin::{
        Input, NoQuery,
        decisions::{GroupDecisions, ShowDecision},
    },
    console::{Error, Page, Route, Section, Shell, Visit, address},
    pages::{Coded, Link, Markup, Named, Tag, markup, time},
};

/// A decision.
pub struct DecisionPage;

#[derive(Template)]
#[template(path = "console/decisions/show.html")]
struct View {
    shell: Shell,
    words: Words,
    trail: Vec<(String, String)>,
    id: String,
    tag: Tag,
    heading: Markup,
    at: String,
    ago: String,
    place: Vec<String>,
    party: Option<Markup>,
    advice: Option<Advice>,
    same: Option<Same>,
    rules: Option<Rules>,
    trusts: Vec<TrustView>,
    shadows: Vec<TrustView>,
    facts: Vec<Fact>,
    record: String,
}

struct Same {
    sentence: Markup,
    path: String,
}

struct Fact {
    name: &'static str,
    value: Markup,
    lang: Option<&'static str>,
}

impl Page for DecisionPage {
    type Path = String;
    type Query = NoQuery;

    const ROUTE: Route = Route::page("/decisions/{decision}", Section::Decisions);

    async fn show(visit: &Visit, id: String, _: NoQuery) -> Result<Response<Body>, Error> {
        let shown = visit.ask(Input::<ShowDecision>::at(id)).await?;
        let words = Words(visit.language());
        let decision = &shown.document.decision;
        let explanation = decision.explanation.as_ref();
        let trusts = explanation.map_or(&[][..], |explanation| &explanation.trusts);
        // Of a refusal the explanation has the trusts that were asked.
        let taken = decision.trust.as_slice();
        let trust = |check| TrustView::of(visit, words, check);
        let record = serde_json::to_string_pretty(&shown).expect("a decision is JSON");
        let view = View {
            words,
            trail: vec![(visit.at("/decisions", &[]), words.heading().to_owned())],
            id: decision.id.to_string(),
            tag: tag(&decision.outcome, words),
            heading: sentence(&decision.outcome, words),
            at: time::second(decision.at),
            ago: time::distance(decision.at, visit.now(), visit.language()),
            place: place(decision),
            party: party(decision, words),
            advice: Advice::of(visit, &shown, words),
            same: same(visit, decision).await?,
            rules: explanation.map(|explanation| Rules::of(explanation, words)),
            trusts: taken.iter().chain(trusts).map(trust).collect(),
            shadows: decision.shadows.iter().map(trust).collect(),
            facts: facts(visit, &shown.document, words),
            record: escaped_json(&record),
            shell: visit.shell(),
        };
        Ok(visit.page(&view))
    }
}

/// Where it happened.
fn place(decision: &Decision) -> Vec<String> {
    let grant = decision.grant_type.as_ref().map(ToString::to_string);
    [Some(decision.endpoint.to_string()), grant]
        .into_iter()
        .flatten()
        .collect()
}

/// Who it was, and whether that is proven.
fn party(decision: &Decision, words: Words) -> Option<Markup> {
    let method = decision.auth_method.as_ref().map(AuthMethod::to_string);
    if let (Some(client), Some(method)) = (&decision.client, method) {
        return Some(words.is_proven(Named(client.as_str()), Coded(&method)));
    }
    if let Some(issuer) = &decision.issuer {
        return Some(words.signed_by(Named(issuer.as_str())));
    }
    let claimed = decision.party()?;
    Some(match is_signed(decision) {
        true => words.says_and_signed(Named(claimed)),
        false => words.says_it_is(Named(claimed)),
    })
}

/// How often the same was refused.
async fn same(visit: &Visit, decision: &Decision) -> Result<Option<Same>, Error> {
    let (Outcome::Refused { rule, .. }, Some(party)) = (&decision.outcome, decision.party()) else {
        return Ok(None);
    };
    let words = Words(visit.language());
    let mut filter = DecisionFilter::default();
    filter.refused = true;
    filter.rule = Some(rule.to_string());
    filter.party = Some(party.to_owned());
    let found = visit.ask(Input::<GroupDecisions>::at(()).asking(filter.clone()));
    let Some(group) = found.await?.groups.into_iter().next() else {
        return Ok(None);
    };
    let times = words.times(group.count);
    Ok(Some(Same {
        sentence: words.the_same(Named(party), &times, &time::second(group.first)),
        path: address(&visit.at("/decisions", &[]), &filter, &[]),
    }))
}

/// What is known.
fn facts(visit: &Visit, document: &DecisionDocument, words: Words) -> Vec<Fact> {
    let DecisionDocument {
        decision,
        nearest_client,
        ..
    } = document;
    let link = |template, name: &str| {
        let to = visit.at(template, &[name]);
        markup(Link::to(&to, name))
    };
    let claimed = |name: &Option<Shown>| {
        let name = name.as_ref()?;
        Some(words.claimed(name.as_str()))
    };
    let code = |text: &str| markup(Coded(text));
    let (error, cause, rule) = match &decision.outcome {
        Outcome::Refused { error, rule, cause } => (
            Some(code(error.as_str())),
            Some(markup(cause.as_str())),
            Some(code(rule.name())),
        ),
        Outcome::Granted | Outcome::Undecided => (None, None, None),
    };
    let client = decision.client.as_ref().map(|client| client.as_str());
    let meant = nearest_client.as_ref().map(|client| {
        let to = visit.at("/clients/{client}", &[client.as_str()]);
        words.meant(Link::to(&to, client.as_str()))
    });
    let issuer = decision.issuer.as_ref().map(|name| name.as_str());
    let trust = decision.trust.as_ref().map(|check| check.trust.as_str());
    let subject = decision.subject.as_ref().map(|subject| subject.as_str());
    let key = decision.key_id.as_ref().or(decision.key_source.as_ref());
    let text = |shown: &Option<Shown>| shown.as_ref().map(|shown| markup(shown.as_str()));
    let all = [
        (words.rule(), rule, None),
        (words.cause(), cause, Some("en")),
        (words.error(), error, None),
        (
            words.client(),
            client
                .map(|client| link("/clients/{client}", client))
                .or_else(|| claimed(&decision.claimed_client)),
            None,
        ),
        (words.client(), meant, None),
        (
            words.issuer(),
            issuer
                .map(|issuer| link("/issuers/{issuer}", issuer))
                .or_else(|| match is_signed(decision) {
                    true => text(&decision.claimed_issuer),
                    false => claimed(&decision.claimed_issuer),
                }),
            None,
        ),
        (
            words.trust(),
            trust.map(|trust| link("/trusts/{trust}", trust)),
            None,
        ),
        (
            words.subject(),
            subject.map(|subject| link("/subjects/{subject}", subject)),
            None,
        ),
        (words.key(), key.map(|key| code(key.as_str())), None),
        (
            words.scope(),
            decision
                .scope
                .as_ref()
                .map(Scope::to_string)
                .map(|scope| code(&scope)),
            None,
        ),
        (words.audience(), text(&decision.audience), None),
        (
            words.sender(),
            decision.sender.map(|sender| code(&sender.to_string())),
            None,
        ),
    ];
    all.into_iter()
        .filter_map(|(name, value, lang)| {
            let value = value?;
            Some(Fact { name, value, lang })
        })
        .collect()
}
