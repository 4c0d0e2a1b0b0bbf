//! What only the storage knows: read when somebody asks, on a thread of its own, and at most every
//! ten seconds.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use grantor::{
    clock::{Clock as _, SystemClock, UnixTime},
    storage::{DecisionStore, EngineFigures, KeyStore, SigningKeyInfo, StoreError, StoreFigures},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use crate::backend::Backend;

/// How long what was read is shown. Counting a million replay entries takes a tenth of a second of
/// one thread.
const HOLDS: Duration = Duration::from_secs(10);

/// The storage as seen by a scrape.
#[derive(Clone)]
pub struct StorageGauges {
    keys: Arc<dyn KeyStore>,
    decisions: Arc<dyn DecisionStore>,
    figures: Arc<dyn StoreFigures>,
    seen: Arc<Mutex<Option<Seen>>>,
}

/// What was read, and when.
struct Seen {
    at: Instant,
    keys: Vec<SigningKeyInfo>,
}

impl fmt::Debug for StorageGauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StorageGauges(..)")
    }
}

impl StorageGauges {
    pub fn new(store: &Backend) -> Self {
        Self {
            keys: store.keys.clone(),
            decisions: store.decisions.clone(),
            figures: store.figures.clone(),
            seen: Arc::default(),
        }
    }

    /// Reads again if what is known is old. What cannot be read is left out of the scrape: no
    /// number is better than a wrong one.
    pub async fn refresh(&self) {
        let is_fresh =
            |seen: &Option<Seen>| seen.as_ref().is_some_and(|seen| seen.at.elapsed() < HOLDS);
        if is_fresh(&self.seen.lock().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let seen = self.read().await;
        if let Err(error) = &seen {
            tracing::warn!(%error, "the metrics of the storage cannot be read");
        }
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen.ok();
    }

    async fn read(&self) -> Result<Seen, StoreError> {
        let keys = self.keys.signing_key_list().await?;
        Ok(Seen {
            at: Instant::now(),
            keys,
        })
    }
}

impl Collector for StorageGauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let dropped = ConstCounter::new(self.decisions.dropped());
        let help = "Decisions that are not in the database: too many were waiting, or they could not be written";
        dropped.encode(encoder.encode_descriptor(
            "decisions_dropped",
            help,
            None,
            MetricType::Counter,
        )?)?;

        if let Some(held) = self.figures.figures().claims_held {
            let help = "Claims of assertion identifiers in memory: those in force, and some that have just ended";
            ConstGauge::new(held).encode(encoder.encode_descriptor(
                "replay_entries",
                help,
                None,
                MetricType::Gauge,
            )?)?;
        }

        if let Some(engine) = self.figures.figures().engine {
            encode_engine(engine, &mut encoder)?;
        }

        match &*self.seen.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(seen) => seen.encode(&mut encoder, SystemClock.now()),
            None => Ok(()),
        }
    }
}

impl Seen {
    fn encode(&self, encoder: &mut DescriptorEncoder<'_>, now: UnixTime) -> fmt::Result {
        let help = "Signing keys in the key set";
        let mut keys = encoder.encode_descriptor("signing_keys", help, None, MetricType::Gauge)?;
        for state in ["upcoming", "signing", "previous"] {
            let count = self
                .keys
                .iter()
                .filter(|key| state_of(key, now) == state)
                .count();
            ConstGauge::new(count as u64).encode(keys.encode_family(&[("state", state)])?)?;
        }

        let help = "Seconds since a signing key was made";
        let mut ages =
            encoder.encode_descriptor("signing_key_age_seconds", help, None, MetricType::Gauge)?;
        for key in &self.keys {
            let labels = [("kid", key.key_id.as_str()), ("state", state_of(key, now))];
            let age = now.seconds().saturating_sub(key.created_at.seconds());
            ConstGauge::new(age).encode(ages.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// What is known of an engine that nodes share.
fn encode_engine(engine: EngineFigures, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let mut gauge = |name, help, value: Option<f64>| match value {
        Some(value) => ConstGauge::new(value).encode(encoder.encode_descriptor(
            name,
            help,
            None,
            MetricType::Gauge,
        )?),
        None => Ok(()),
    };
    gauge(
        "database_look_age_seconds",
        "Seconds since the last proven look at what other nodes have changed",
        engine.age_of_look.map(|ago| ago.as_secs_f64()),
    )?;
    gauge(
        "database_current",
        "1 if this node knows what is in force and answers, else 0",
        Some(f64::from(u8::from(engine.is_current))),
    )?;
    gauge(
        "database_connections",
        "Connections to the database that are open",
        Some(engine.connections as f64),
    )?;
    gauge(
        "replay_fence_timestamp_seconds",
        "Assertions issued before this time are refused, as uses of them may have been lost",
        engine.fence.map(|fence| fence.seconds() as f64),
    )?;
    let mut counter = |name, help, count: u64| {
        ConstCounter::new(count).encode(encoder.encode_descriptor(
            name,
            help,
            None,
            MetricType::Counter,
        )?)
    };
    counter(
        "database_failed_connects",
        "Attempts to connect to the database that have failed",
        engine.failed_connects,
    )?;
    counter(
        "database_failed_statements",
        "Statements that the database has refused, or not answered in time",
        engine.failed_statements,
    )?;
    counter(
        "replay_claims",
        "Uses that were sent to the database to be recorded",
        engine.claims,
    )?;
    counter(
        "replay_claim_groups",
        "Groups in which they were sent, each committed as one",
        engine.claim_groups,
    )
}

/// Published but not signing yet, signing, or published for the tokens it signed.
fn state_of(key: &SigningKeyInfo, now: UnixTime) -> &'static str {
    match () {
        () if key.is_signing => "signing",
        () if key.signs_from > now => "upcoming",
        () => "previous",
    }
}
