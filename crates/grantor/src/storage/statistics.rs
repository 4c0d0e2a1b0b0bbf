//! How many requests were decided, and how: counts beside the decisions, of which only some are
//! kept. Every decision counts, also one of a sender that has to wait.
//!
//! A count has a time, an endpoint, an outcome and a rule. All of these are words of the program:
//! nothing that a sender chooses makes a row.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::{
    clock::UnixTime,
    server::{Decision, DecisionLog, Outcome},
};

/// How long counts are kept by the minute: 7 days. Then they are added up by the hour.
pub const MINUTES_KEPT: Duration = Duration::from_secs(7 * 86_400);
/// How long they are kept at all: 400 days.
pub const HOURS_KEPT: Duration = Duration::from_secs(400 * 86_400);

/// Counts decisions, and tells how many there were.
#[async_trait]
pub trait StatisticsStore: Send + Sync + 'static {
    /// Counts a decision, in the minute in which its request was read. Never waits.
    fn count(&self, decision: &Decision);

    /// The counts that are asked for, oldest first, then by key; at most `limit` rows. What was
    /// counted is there within a second.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn counts(&self, query: &CountQuery, limit: u32) -> Result<Vec<Count>, StoreError>;
}

/// Hands every decision to a store to be counted. It stands beside the log of decisions: what that
/// leaves out counts too.
#[derive(Clone)]
pub struct Counted(Arc<dyn StatisticsStore>);

impl Counted {
    /// By this store.
    pub fn by(store: Arc<dyn StatisticsStore>) -> Self {
        Self(store)
    }
}

impl DecisionLog for Counted {
    fn record(&self, decision: &Decision) {
        self.0.count(decision);
    }
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counted(..)")
    }
}

/// Which counts are asked for. Complete: a backend knows all, or does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountQuery {
    /// The beginning.
    pub from: UnixTime,
    /// The end: what begins then is not asked for.
    pub to: UnixTime,
    /// How long each row is.
    pub step: CountStep,
    /// What each row is of.
    pub by: CountBy,
}

/// Requests that were decided alike within one step of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// When the step begins.
    pub start: UnixTime,
    /// What they have in common, as [`CountBy`] says.
    pub key: String,
    /// How many there were: not 0.
    pub count: u64,
}

/// How long the time of a row is. Hours and days begin in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CountStep {
    /// A minute. Of a time that is longer ago than [`MINUTES_KEPT`] there are hours only.
    #[default]
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
}

impl CountStep {
    /// How long it is.
    pub const fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 86_400,
        })
    }

    /// The beginning of the step that this time is in.
    #[must_use]
    pub fn start(self, at: UnixTime) -> UnixTime {
        let length = i64::try_from(self.length().as_millis()).unwrap_or(i64::MAX);
        UnixTime::from_millis(at.millis().saturating_sub(at.millis().rem_euclid(length)))
    }
}

/// What the requests of a row have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CountBy {
    /// How they ended: `granted`, `refused`, `undecided`.
    #[default]
    Outcome,
    /// The rule that was broken. Only what was refused is in these rows.
    Rule,
    /// The endpoint.
    Endpoint,
}

impl CountBy {
    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outcome => "outcome",
            Self::Rule => "rule",
            Self::Endpoint => "endpoint",
        }
    }
}

/// What is counted together: words of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DecisionKind {
    endpoint: &'static str,
    outcome: &'static str,
    rule: Option<&'static str>,
}

impl DecisionKind {
    /// What stands for a name that was made while the program ran, by an extension perhaps: a
    /// sender may have had a hand in it. No endpoint and no rule is called so.
    pub const OTHER: &'static str = "(other)";

    /// That of this decision.
    pub fn of(decision: &Decision) -> Self {
        let (outcome, rule) = match &decision.outcome {
            Outcome::Granted => ("granted", None),
            Outcome::Undecided => ("undecided", None),
            Outcome::Refused { rule, .. } => ("refused", Some(rule.word().unwrap_or(Self::OTHER))),
        };
        let endpoint = match decision.endpoint {
            Cow::Borrowed(endpoint) => endpoint,
            Cow::Owned(_) => Self::OTHER,
        };
        Self {
            endpoint,
            outcome,
            rule,
        }
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &'static str {
        self.endpoint
    }

    /// How the request ended.
    pub fn outcome(&self) -> &'static str {
        self.outcome
    }

    /// The rule, if one was broken.
    pub fn rule(&self) -> Option<&'static str> {
        self.rule
    }

    /// What a row that it is in is called, if there is one.
    pub fn key(&self, by: CountBy) -> Option<&'static str> {
        match by {
            CountBy::Outcome => Some(self.outcome),
            CountBy::Rule => self.rule,
            CountBy::Endpoint => Some(self.endpoint),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        server::Request,
        types::{ErrorCode, Rule},
    };

    fn refused(rule: Rule) -> Decision {
        let mut decision = Decision::new("token", &Request::blank(UnixTime::from_millis(0)));
        decision.outcome = Outcome::Refused {
            error: ErrorCode::INVALID_GRANT,
            rule,
            cause: String::new(),
        };
        decision
    }

    #[test]
    fn m084_a_kind_is_made_of_words_of_the_program_and_of_nothing_else() {
        let rule = |rule| DecisionKind::of(&refused(rule)).rule();
        assert_eq!(rule(Rule::Audience), Some("aud"));
        assert_eq!(rule(Rule::named("seat")), Some("seat"));
        assert_eq!(rule(Rule::named("a".repeat(2))), Some(DecisionKind::OTHER));
        // A rule of the program is one, however its name was come by.
        assert_eq!(rule(Rule::named("aud".to_owned())), Some("aud"));
        let mut decision = refused(Rule::Audience);
        decision.endpoint = Cow::Owned("made up".to_owned());
        assert_eq!(DecisionKind::of(&decision).endpoint(), DecisionKind::OTHER);
    }

    #[test]
    fn m084_a_step_begins_in_utc() {
        let at = UnixTime::from_millis(1_800_000_000_123);
        let start = |step: CountStep| step.start(at).seconds();
        assert_eq!(start(CountStep::Minute), 1_800_000_000);
        assert_eq!(start(CountStep::Hour), 1_800_000_000);
        assert_eq!(start(CountStep::Day), 1_799_971_200);
        let early = UnixTime::from_millis(-1);
        assert_eq!(CountStep::Minute.start(early).seconds(), -60);
    }
}
