//! What is counted: decisions by what they were and why, answers by status, and how long they took.
//!
//! Labels come from small fixed sets: endpoints, error codes and rules are words of this program.
//! What a request says, a client's name above all, never becomes one: it would let anybody grow the
//! list. Issuers and trusts are named: operators register them.

mod exposition;
mod keys;
mod listener;
mod log;
mod storage;

use std::{
    borrow::Cow,
    collections::HashSet,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use grantor::server::{Decision, DecisionLog, Outcome};
use http::{Response, StatusCode};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
};

pub use exposition::Exposition;
pub use keys::KeyMetrics;
pub use listener::serve;

#[cfg(feature = "otel")]
use crate::telemetry::otel;

/// Upper bounds of the latency histogram, in seconds: a claim waits for one sync of the disk, which
/// takes from a fraction of a millisecond to many.
const BUCKETS: [f64; 12] = [
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DecisionLabels {
    endpoint: Cow<'static, str>,
    outcome: &'static str,
    error: String,
    rule: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabels {
    endpoint: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabel {
    endpoint: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TrustLabel {
    trust: String,
}

type Latency = Family<EndpointLabel, Histogram, fn() -> Histogram>;

/// Counters since the start. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Metrics {
    decisions: Family<DecisionLabels, Counter>,
    answers: Family<AnswerLabels, Counter>,
    latency: Latency,
    trusts: TrustCounters,
    pub keys: KeyMetrics,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        Self {
            decisions: Family::default(),
            answers: Family::default(),
            latency: Family::new_with_constructor(histogram),
            trusts: TrustCounters::default(),
            keys: KeyMetrics::default(),
        }
    }
}

/// How often each trust took a JWT. Operators name trusts, and nobody else; the names of those that
/// are gone stay, so that there is an end to them.
#[derive(Clone, Debug, Default)]
struct TrustCounters {
    taken: Family<TrustLabel, Counter>,
    names: Arc<Mutex<HashSet<String>>>,
}

/// Most trusts that are counted by their names.
const MAX_TRUSTS: usize = 1000;
/// What all others are counted as: no trust has this name.
const OTHER_TRUSTS: &str = "(others)";

impl TrustCounters {
    fn count(&self, name: &str) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let is_counted = match names.contains(name) {
            true => true,
            false => names.len() < MAX_TRUSTS && names.insert(name.to_owned()),
        };
        drop(names);
        let trust = if is_counted { name } else { OTHER_TRUSTS };
        let trust = trust.to_owned();
        self.taken.get_or_create(&TrustLabel { trust }).inc();
    }
}

impl Metrics {
    /// Counts an answer of this endpoint and how long it took to make, the request's body included.
    pub async fn observe<B>(
        &self,
        endpoint: &'static str,
        answer: impl Future<Output = Response<B>>,
    ) -> Response<B> {
        #[cfg(feature = "otel")]
        let answer = otel::traced(endpoint, answer);
        let started = Instant::now();
        let response = answer.await;
        self.latency
            .get_or_create(&EndpointLabel { endpoint })
            .observe(started.elapsed().as_secs_f64());
        self.answers
            .get_or_create(&AnswerLabels {
                endpoint,
                status: response.status().as_u16(),
            })
            .inc();
        response
    }

    /// Counts an answer to a request that was not looked at.
    pub fn refused(&self, endpoint: &'static str, status: StatusCode) {
        self.answers
            .get_or_create(&AnswerLabels {
                endpoint,
                status: status.as_u16(),
            })
            .inc();
    }
}

impl DecisionLog for Metrics {
    fn record(&self, decision: &Decision) {
        #[cfg(feature = "otel")]
        otel::record(decision);
        let (outcome, error, rule) = match &decision.outcome {
            Outcome::Granted => ("granted", "", ""),
            Outcome::Refused { error, rule, .. } => ("refused", error.as_str(), rule.name()),
            Outcome::Undecided => ("undecided", "", ""),
        };
        let labels = DecisionLabels {
            endpoint: decision.endpoint.clone(),
            outcome,
            error: error.to_owned(),
            rule: rule.to_owned(),
        };
        self.decisions.get_or_create(&labels).inc();
        if let (Outcome::Granted, Some(check)) = (&decision.outcome, &decision.trust) {
            self.trusts.count(check.trust.as_str());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trusts_are_counted_by_name_up_to_a_number_of_names() {
        let counters = TrustCounters::default();
        for number in 0..MAX_TRUSTS + 3 {
            counters.count(&format!("trust-{number}"));
        }
        counters.count("trust-0");
        let count = |trust: &str| {
            let trust = trust.to_owned();
            counters.taken.get_or_create(&TrustLabel { trust }).get()
        };
        assert_eq!((count("trust-0"), count("trust-999")), (2, 1));
        assert_eq!(count(OTHER_TRUSTS), 3);
    }
}
