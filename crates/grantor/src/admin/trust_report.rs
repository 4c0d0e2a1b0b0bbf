//! What a trust did, and what a shadow trust would have done, counted from the decisions that are
//! kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Decisions, Error, document::time};
use crate::{
    assertion::{ClaimCheck, ClaimRule, TrustCheck},
    clock::UnixTime,
    server::Decision,
    storage::{LOOKED_THROUGH, TrustOutcome},
    types::Name,
};

/// Most decisions whose reasons are read: so a report never takes long.
const EXPLAINED: u32 = 256;
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
    /// How many of the newest decisions were looked through.
    pub looked_through: u32,
    /// The first moment that is counted (RFC 3339); null for all that is looked through.
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
    /// How many of those that it did not take, or would not have taken, `reasons` are of: the newest.
    pub explained: u64,
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

impl TrustReport {
    /// How many JWTs it did not take, or would not have taken.
    pub fn not_taken(&self) -> u64 {
        self.refused + self.would_refuse
    }
}

impl Decisions<'_> {
    /// What this trust did since then, among the newest [`LOOKED_THROUGH`] decisions. All are counted;
    /// the reasons are those of the newest.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub async fn trust_report(
        &self,
        trust: &Name,
        since: Option<UnixTime>,
    ) -> Result<TrustReport, Error> {
        let found = self.store.outcomes_of(trust, since, EXPLAINED).await?;
        let mut reasons = Reasons::default();
        for document in &found.against {
            match Decision::read(document) {
                Ok(decision) => reasons.read(&decision, trust),
                // One of many. That one is damaged must not hide the others.
                Err(error) => {
                    tracing::warn!(%error, "a stored decision cannot be read, and is left out");
                }
            }
        }
        let count = |outcome| found.counts.get(&outcome).copied().unwrap_or_default();
        let [would_let_in, would_keep_out] =
            [TrustOutcome::WouldLetIn, TrustOutcome::WouldKeepOut].map(count);
        Ok(TrustReport {
            trust: trust.clone(),
            looked_through: LOOKED_THROUGH,
            since,
            granted: count(TrustOutcome::Granted),
            refused: count(TrustOutcome::Refused),
            would_grant: count(TrustOutcome::WouldGrant) + would_let_in,
            would_let_in,
            would_refuse: count(TrustOutcome::WouldRefuse) + would_keep_out,
            would_keep_out,
            explained: reasons.explained,
            reasons: reasons.sorted(),
        })
    }
}

/// Why a trust did not take JWTs.
#[derive(Debug, Default)]
struct Reasons {
    explained: u64,
    found: BTreeMap<(ClaimRule, String, String, String), (u64, UnixTime)>,
}

impl Reasons {
    /// Those of this decision.
    fn read(&mut self, decision: &Decision, trust: &Name) {
        let all = TrustOutcome::all_of(decision).into_iter();
        let mut against = all.filter(|(check, _)| check.trust == *trust);
        // Of a long record parts may have been left out.
        if let Some((check, _)) = against.find(|(_, outcome)| outcome.is_against()) {
            self.explained += 1;
            self.add(check, decision.at);
        }
    }

    /// Each row that does not hold.
    fn add(&mut self, check: &TrustCheck, at: UnixTime) {
        for row in check.failing() {
            let ClaimCheck {
                rule,
                claim,
                expected,
                got,
                ..
            } = row.clone();
            let mut reason = (rule, claim, expected, got);
            if self.found.len() >= MAX_REASONS && !self.found.contains_key(&reason) {
                reason.3 = "others".to_owned();
            }
            let (count, last) = self.found.entry(reason).or_insert((0, at));
            *count += 1;
            *last = at.max(*last);
        }
    }

    /// The most frequent first.
    fn sorted(self) -> Vec<TrustReason> {
        let found = self.found.into_iter();
        let mut reasons: Vec<_> = found
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
        reasons
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{server::DecisionLog as _, storage::MemoryStore};

    /// MA38: all are counted, and why not is read of the newest.
    #[tokio::test]
    async fn ma38_why_not_is_read_of_the_newest_that_a_trust_did_not_take() {
        let store = MemoryStore::default();
        let row = |got| json!({"rule": "pin", "claim": "team", "expected": "web", "got": got, "verdict": "fail"});
        let trust = Name::parse("next").expect("a name");
        let mut reports = Vec::new();
        for number in 0..u64::from(EXPLAINED) + 5 {
            let got = if number < 3 { "old" } else { "new" };
            let record = json!({
                "id": "GUh6hQcaTtaH2WdpMNzYNA", "at": 1_800_000_000_000_i64, "endpoint": "token", "outcome": {"outcome": "granted"},
                "shadows": [{"trust": "next", "client": "a", "mode": "shadow", "rows": [row(got)]}],
            });
            store.record(&Decision::read(&record.to_string()).expect("a decision"));
            if number == 4 || number == u64::from(EXPLAINED) + 4 {
                let report = Decisions::new(&store).trust_report(&trust, None).await;
                reports.push(report.expect("a report"));
            }
        }
        let [few, many] = &reports[..] else {
            unreachable!("two reports")
        };
        let reasons = |report: &TrustReport| -> Vec<_> {
            let reasons = report.reasons.iter();
            reasons
                .map(|reason| (reason.got.clone(), reason.count))
                .collect()
        };
        assert_eq!((few.explained, few.not_taken()), (5, 5));
        let both = [("old".to_owned(), 3), ("new".to_owned(), 2)];
        assert_eq!(reasons(few), both);
        assert_eq!((many.explained, many.not_taken()), (256, 261));
        assert_eq!(reasons(many), [("new".to_owned(), 256)]);
        assert_eq!(many.would_keep_out, 261);
    }
}
