//! What to do about a refusal.

use grantor::{
    assertion::{Check, Explanation, Verdict},
    server::{Decision, Outcome},
    types::{ClientId, Rule, Shown, SubjectId},
};

use super::words::Words;
use crate::{
    admin::{
        NoQuery,
        decisions::ExplainedDecision,
        remedy::{Remedy, Whose},
    },
    console::{Visit, address},
    pages::{Coded, Markup, markup, time},
};

/// What to do about a refusal, and who has to do it.
pub struct Advice {
    pub whose: Option<&'static str>,
    pub text: Markup,
    /// The language of the text, where it is what the use cases say: English.
    pub lang: Option<&'static str>,
    /// What was expected, and what came.
    pub compared: Option<Markup>,
    pub about: Markup,
    /// The page on which an operator does it: path and text.
    pub next: Option<(String, &'static str)>,
}

impl Advice {
    /// What to do, complete enough to be sent to whoever has to do it.
    pub fn of(visit: &Visit, shown: &ExplainedDecision, words: Words) -> Option<Self> {
        let decision = &shown.document.decision;
        let Outcome::Refused { rule, .. } = &decision.outcome else {
            return None;
        };
        let own = shown.advice.as_deref()?;
        let of_rule = Remedy::of(rule).map(|remedy| remedy.advice);
        let of_rule = of_rule.filter(|advice| advice.english == own);
        let failed = decision.explanation.as_ref().and_then(failed);
        let told = failed.filter(|check| !check.expected.is_empty());
        Some(Self {
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
            next: next(visit, decision, rule, words),
        })
    }
}

/// Where an operator who may does what is advised. Only what was proven stands in the link.
fn next(
    visit: &Visit,
    decision: &Decision,
    rule: &Rule,
    words: Words,
) -> Option<(String, &'static str)> {
    if !visit.may_edit() {
        return None;
    }
    match rule {
        Rule::Subject => Some((visit.at("/subjects/new", &[]), words.to_new_subject())),
        Rule::Permission => {
            let client = decision.client.as_ref().map(ClientId::as_str);
            let signer = decision.claimed_issuer.as_ref().map(Shown::as_str);
            let client = client.or(signer.filter(|_| is_signed(decision)));
            let subject = decision.subject.as_ref().map(SubjectId::as_str);
            let known = [("client", client), ("subject", subject)];
            let known: Vec<_> = known
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect();
            let form = visit.at("/permissions/new", &[]);
            Some((
                address(&form, &NoQuery {}, &known),
                words.to_new_permission(),
            ))
        }
        _ => None,
    }
}

/// Whether the signature of the JWT is right.
pub fn is_signed(decision: &Decision) -> bool {
    let signed = |check: &Check| check.rule == Rule::Signature && check.verdict == Verdict::Pass;
    let explanation = decision.explanation.as_ref();
    explanation.is_some_and(|explanation| explanation.checks.iter().any(signed))
}

/// The rule that it was refused for.
pub fn failed(explanation: &Explanation) -> Option<&Check> {
    let mut checks = explanation.checks.iter();
    checks.find(|check| check.verdict == Verdict::Fail)
}

/// A sentence in which commands and names of members stand between backticks.
pub fn with_code(sentence: &str) -> Markup {
    let pieces = sentence.split('`').enumerate();
    let pieces = pieces.map(|(place, piece)| match place % 2 {
        0 => markup(piece).0,
        _ => markup(Coded(piece)).0,
    });
    askama::filters::Safe(pieces.collect())
}
