//! What a trust did, and what a shadow trust would have done, counted from the decisions that are
//! kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Decisions, Error, document::time};
use crate::{
    assertion::{ClaimCheck, ClaimRule, TrustCheck},
    clock::UnixTime,
    server::{Decision, Outcome},
    storage::{DecisionFilter, Start},
    types::Name,
};

/// Decisions that are read at once.
const PORTION: u32 = 256;
/// Most reasons of a report: those of further values are counted together.
const MAX_REASONS: usize = 200;

/// What became of the JWTs that a trust was asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TrustReport {
    /// The trust.
    pub trust: Name,
    /// The first moment that is counted (RFC 3339); null for all that is kept.
    #[serde(with = "time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub since: Option<UnixTime>,
    /// How many it took, while it counted.
    pub granted: u64,
    /// How many it did not take, while it counted: where another trust took them, nothing is kept
    /// of it.
    pub refused: u64,
    /// How many it would have taken, as a shadow.
    pub would_grant: u64,
    /// Of these, how many were refused, so that it would have let them in.
    pub would_let_in: u64,
    /// How many it would not have taken, as a shadow.
    pub would_refuse: u64,
    /// Of these, how many were granted.
    pub would_keep_out: u64,
    /// Why it took not, or would not have taken; the most frequent first.
    pub reasons: Vec<TrustReason>,
}

/// One row that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TrustReason {
    /// What it is.
    pub rule: ClaimRule,
    /// The claim; empty for a condition.
    pub claim: String,
    /// What the trust expects.
    pub expected: String,
    /// What the JWT had; `others` where there were too many values.
    pub got: String,
    /// How often.
    pub count: u64,
    /// When last (RFC 3339).
    #[serde(with = "time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub last_seen: Option<UnixTime>,
}

impl Decisions<'_> {
    /// What this trust did since then, as far as decisions are kept.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub async fn trust_report(
        &self,
        trust: &Name,
        since: Option<UnixTime>,
    ) -> Result<TrustReport, Error> {
        let filter = DecisionFilter {
            since,
            ..DecisionFilter::default()
        };
        let (mut counts, mut start) = (Counts::default(), Start::Oldest);
        loop {
            let page = self.page(&filter, start, PORTION).await?;
            if page.count == 0 {
                return Ok(counts.report(trust, since));
            }
            for decision in &page.decisions {
                counts.count(decision, trust);
            }
            start = Start::After(page.next);
        }
    }
}

/// A report under way.
#[derive(Debug, Default)]
struct Counts {
    granted: u64,
    refused: u64,
    would_grant: u64,
    would_let_in: u64,
    would_refuse: u64,
    would_keep_out: u64,
    reasons: BTreeMap<(ClaimRule, String, String, String), (u64, UnixTime)>,
}

impl Counts {
    fn count(&mut self, decision: &Decision, trust: &Name) {
        let is_granted = matches!(decision.outcome, Outcome::Granted);
        let is_meant = |check: &&TrustCheck| check.trust == *trust && check.set_aside.is_none();
        let mut shadows = decision.shadows.iter();
        if let Some(shadow) = shadows.find(is_meant) {
            match (shadow.takes(), is_granted) {
                (true, _) => self.would_grant += 1,
                (false, _) => self.would_refuse += 1,
            }
            self.would_let_in += u64::from(shadow.takes() && !is_granted);
            self.would_keep_out += u64::from(!shadow.takes() && is_granted);
            self.reason(shadow, decision.at);
            return;
        }
        let taken = decision.trust.iter().find(is_meant);
        if taken.is_some() && is_granted {
            self.granted += 1;
            return;
        }
        let explained = decision.explanation.iter();
        let mut explained = explained.flat_map(|explanation| &explanation.trusts);
        if let Some(check) = explained.find(is_meant).filter(|check| !check.takes()) {
            self.refused += 1;
            self.reason(check, decision.at);
        }
    }

    /// Each row that does not hold.
    fn reason(&mut self, check: &TrustCheck, at: UnixTime) {
        for row in check.failing() {
            let ClaimCheck {
                rule,
                claim,
                expected,
                got,
                ..
            } = row.clone();
            let mut reason = (rule, claim, expected, got);
            if self.reasons.len() >= MAX_REASONS && !self.reasons.contains_key(&reason) {
                reason.3 = "others".to_owned();
            }
            let (count, last) = self.reasons.entry(reason).or_insert((0, at));
            *count += 1;
            *last = at.max(*last);
        }
    }

    fn report(self, trust: &Name, since: Option<UnixTime>) -> TrustReport {
        let reasons = self.reasons.into_iter();
        let mut reasons: Vec<_> = reasons
            .map(
                |((rule, claim, expected, got), (count, last))| TrustReason {
                    rule,
                    claim,
                    expected,
                    got,
                    count,
                    last_seen: Some(last),
                },
            )
            .collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
        TrustReport {
            trust: trust.clone(),
            since,
            granted: self.granted,
            refused: self.refused,
            would_grant: self.would_grant,
            would_let_in: self.would_let_in,
            would_refuse: self.would_refuse,
            would_keep_out: self.would_keep_out,
            reasons,
        }
    }
}
