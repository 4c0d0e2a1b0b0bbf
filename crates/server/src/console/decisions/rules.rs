//! An explanation as a table: each rule with its result, what was expected and what came.

use grantor::assertion::{
    Check, ClaimRule, ClockDifference, Explanation, TrustCheck, Usage, Verdict,
};

use super::words::Words;
use crate::{
    console::Visit,
    pages::{Markup, Tag, time},
};

/// The rules of an explanation.
pub struct Rules {
    pub caption: &'static str,
    pub rows: Vec<Row>,
    pub keys: Vec<String>,
    pub clock: Vec<Markup>,
}

/// A rule.
pub struct Row {
    pub name: String,
    pub source: String,
    pub result: Tag,
    pub expected: String,
    pub got: String,
}

/// How a rule went.
fn tag(verdict: Verdict, words: Words) -> Tag {
    match verdict {
        Verdict::Pass => Tag::good(words.passes()),
        Verdict::Fail => Tag::bad(words.fails()),
        Verdict::NotReached => Tag::plain(words.not_reached()),
    }
}

impl Rules {
    /// The rules of this explanation.
    pub fn of(explanation: &Explanation, words: Words) -> Self {
        let row = |check: &Check| Row {
            name: check.rule.to_string(),
            source: check.source.to_string(),
            result: tag(check.verdict, words),
            expected: check.expected.clone(),
            got: check.got.clone(),
        };
        let clock = explanation.clock.as_ref();
        Self {
            caption: match explanation.usage {
                Usage::Grant => words.as_grant(),
                Usage::ClientAuthentication => words.as_authentication(),
            },
            rows: explanation.checks.iter().map(row).collect(),
            keys: explanation.keys.iter().map(ToString::to_string).collect(),
            clock: clock.map_or_else(Vec::new, |clock| sentences(clock, words)),
        }
    }
}

/// What the server's clock said, and how far the times of the JWT were from it.
fn sentences(clock: &ClockDifference, words: Words) -> Vec<Markup> {
    let far = |seconds: f64| words.seconds(seconds);
    let issued = clock.since_issued.map(|since| match since < 0.0 {
        true => words.issued_ahead(&far(since)),
        false => words.issued_before(&far(since)),
    });
    let ends = clock.until_expiry.map(|until| match until < 0.0 {
        true => words.ended_before(&far(until)),
        false => words.ends_after(&far(until)),
    });
    let ours = words.our_clock(&time::second(clock.now));
    [Some(ours), issued, ends].into_iter().flatten().collect()
}

/// What a trust made of a JWT.
pub struct TrustView {
    pub path: String,
    pub name: String,
    pub client: String,
    pub result: Tag,
    /// Why it was not asked.
    pub set_aside: Option<String>,
    pub rows: Vec<ClaimRow>,
}

/// A claim that a trust compared.
pub struct ClaimRow {
    pub claim: String,
    pub result: Tag,
    pub expected: String,
    pub got: String,
}

impl TrustView {
    /// The outcome of this check.
    pub fn of(visit: &Visit, words: Words, check: &TrustCheck) -> Self {
        let takes_it = check.rows.iter().all(|row| row.verdict == Verdict::Pass);
        let result = match (check.set_aside, takes_it) {
            (Some(_), _) => Tag::plain(words.not_asked()),
            (None, true) => Tag::good(words.takes_it()),
            (None, false) => Tag::bad(words.takes_not()),
        };
        Self {
            path: visit.at("/trusts/{trust}", &[check.trust.as_str()]),
            name: check.trust.to_string(),
            client: check.client.to_string(),
            result,
            set_aside: check.set_aside.map(|why| why.to_string()),
            rows: check
                .rows
                .iter()
                .map(|row| ClaimRow {
                    claim: match row.rule {
                        ClaimRule::Condition => words.condition().to_owned(),
                        _ => row.claim.clone(),
                    },
                    result: tag(row.verdict, words),
                    expected: row.expected.clone(),
                    got: row.got.clone(),
                })
                .collect(),
        }
    }
}
