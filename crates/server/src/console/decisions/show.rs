//! A decision: what is wrong, what to do and who has to do it, then rule by rule (M126).

use askama::Template;
use grantor::{
    admin::DecisionDocument,
    assertion::{Check, Explanation, Verdict},
    server::{Body, Decision, Outcome},
    storage::DecisionFilter,
    types::{AuthMethod, Rule, Scope, Shown, escaped_json},
};
use http::Response;

use super::{
    outcome::{Tag, sentence},
    rules::{Rules, TrustView},
    words::Words,
};
use crate::{
    admin::{
        Input, NoQuery,
        decisions::{ExplainedDecision, GroupDecisions, ShowDecision},
        remedy::{Remedy, Whose},
    },
    console::{Error, Page, Route, Section, Shell, Visit, address},
    pages::{Coded, Link, Markup, Named, markup, time},
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

struct Advice {
    whose: Option<&'static str>,
    text: Markup,
    /// Of what the use cases say: English.
    lang: Option<&'static str>,
    /// What was expected, and what came.
    compared: Option<Markup>,
    about: Markup,
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
            tag: Tag::of(&decision.outcome, words),
            heading: sentence(&decision.outcome, words),
            at: time::second(decision.at),
            ago: time::distance(decision.at, visit.now(), visit.language()),
            place: place(decision),
            party: party(decision, words),
            advice: advice(&shown, words),
            same: same(visit, decision).await?,
            rules: explanation.map(|explanation| Rules::of(explanation, words)),
            trusts: taken.iter().chain(trusts).map(trust).collect(),
            shadows: decision.shadows.iter().map(trust).collect(),
            facts: facts(visit, &shown.document, words),
            record: escaped_json(&record).to_string(),
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
    let is_signed = |explanation: &Explanation| {
        let mut checks = explanation.checks.iter();
        checks.any(|check| check.rule == Rule::Signature && check.verdict == Verdict::Pass)
    };
    Some(match decision.explanation.as_ref().is_some_and(is_signed) {
        true => words.says_and_signed(Named(claimed)),
        false => words.says_it_is(Named(claimed)),
    })
}

/// What to do, complete enough to be sent to whoever has to do it.
fn advice(shown: &ExplainedDecision, words: Words) -> Option<Advice> {
    let decision = &shown.document.decision;
    let Outcome::Refused { rule, .. } = &decision.outcome else {
        return None;
    };
    let own = shown.advice.as_deref()?;
    let of_rule = Remedy::of(rule).map(|remedy| remedy.advice);
    let of_rule = of_rule.filter(|advice| advice.english == own);
    let failed = decision.explanation.as_ref().and_then(failed);
    let told = failed.filter(|check| !check.expected.is_empty());
    Some(Advice {
        whose: shown.whose.map(|whose| match whose {
            Whose::Sender => words.by_sender(),
            Whose::Operator => words.by_operator(),
            Whose::Person => words.by_person(),
            Whose::Host => words.by_host(),
        }),
        text: with_code(of_rule.map_or(own, |advice| advice.of(words.0))),
        lang: of_rule.is_none().then_some("en"),
        compared: told.map(|check| words.expected_and_got(&check.expected, &check.got)),
        about: words.this_decision(Coded(decision.id.as_str()), &time::second(decision.at)),
    })
}

fn failed(explanation: &Explanation) -> Option<&Check> {
    let mut checks = explanation.checks.iter();
    checks.find(|check| check.verdict == Verdict::Fail)
}

/// A sentence in which commands and names of members stand between backticks.
fn with_code(sentence: &str) -> Markup {
    let pieces = sentence.split('`').enumerate();
    let pieces = pieces.map(|(place, piece)| match place % 2 {
        0 => markup(piece).0,
        _ => markup(Coded(piece)).0,
    });
    askama::filters::Safe(pieces.collect())
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
                .or_else(|| claimed(&decision.claimed_issuer)),
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
