//! The keys of issuers and clients that are fetched: how old those in use are, since when they
//! cannot be had, what became of fetches, and what the guard refused.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
};

use grantor::{
    clock::{Clock as _, SystemClock, UnixTime},
    keys::{KeyOwner, KeyStatus, KeysObserver, RemoteKeys},
    remote::KeySetError,
    storage::IssuerSource,
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::ConstGauge,
    },
};
use url::Url;

/// Of clients there may be any number: they are counted together, without a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FetchLabels {
    issuer: String,
    outcome: &'static str,
}

/// What is counted of fetches. Cloning shares it.
#[derive(Clone, Default)]
pub struct KeyMetrics {
    pub(super) fetches: Family<FetchLabels, Counter>,
    /// Not what keeps the keys: they tell this of their fetches.
    keys: Arc<OnceLock<Weak<RemoteKeys>>>,
}

impl fmt::Debug for KeyMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyMetrics(..)")
    }
}

impl KeyMetrics {
    /// Shows of these what is held; the first ones that are named.
    pub fn watch(&self, keys: &Arc<RemoteKeys>) {
        // A second server of this process is not shown.
        let _ = self.keys.set(Arc::downgrade(keys));
    }

    fn count(&self, owner: &KeyOwner, outcome: &'static str) {
        let issuer = match owner {
            KeyOwner::Issuer { name, .. } => name.to_string(),
            _ => String::new(),
        };
        self.fetches
            .get_or_create(&FetchLabels { issuer, outcome })
            .inc();
    }
}

impl KeysObserver for KeyMetrics {
    fn fetched(&self, owner: &KeyOwner, _: usize) {
        self.count(owner, "fetched");
    }

    fn failed(&self, owner: &KeyOwner, _: &KeySetError) {
        self.count(owner, "failed");
    }

    fn jwks_uri_changed(&self, owner: &KeyOwner, _: &Url, _: &Url) {
        self.count(owner, "moved");
    }
}

/// What is held, as seen by a scrape.
#[derive(Clone)]
pub struct KeyGauges {
    metrics: KeyMetrics,
    issuers: Arc<dyn IssuerSource>,
    /// The numbers of the issuers that are registered now.
    registered: Arc<Mutex<HashSet<u64>>>,
}

impl fmt::Debug for KeyGauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyGauges(..)")
    }
}

impl KeyGauges {
    pub fn new(metrics: KeyMetrics, issuers: Arc<dyn IssuerSource>) -> Self {
        Self {
            metrics,
            issuers,
            registered: Arc::default(),
        }
    }

    /// Looks which issuers there are. Where that cannot be told, those of before are shown.
    pub async fn refresh(&self) {
        let Ok(issuers) = self.issuers.issuers().await else {
            return;
        };
        let numbers = issuers.iter().map(|issuer| issuer.revision.number);
        let numbers = numbers.collect();
        *self
            .registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = numbers;
    }

    /// What is held of the keys of each issuer, by its name.
    fn statuses(&self, keys: &RemoteKeys) -> Vec<(String, KeyStatus)> {
        let registered = self.registered.lock();
        let registered = registered.unwrap_or_else(PoisonError::into_inner);
        let statuses = keys.statuses().into_iter();
        statuses
            .filter_map(|(owner, status)| match owner {
                KeyOwner::Issuer { name, number, .. } if registered.contains(&number) => {
                    Some((name.to_string(), status))
                }
                _ => None,
            })
            .collect()
    }
}

impl Collector for KeyGauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(keys) = self.metrics.keys.get().and_then(Weak::upgrade) else {
            return Ok(());
        };
        let refused = ConstCounter::new(keys.outgoing().counts().refused);
        let help = "Fetches of keys and metadata that were refused for their URL or an address of their host: nothing was connected";
        refused.encode(encoder.encode_descriptor(
            "outgoing_refused",
            help,
            None,
            MetricType::Counter,
        )?)?;
        encode(&self.statuses(&keys), &mut encoder, SystemClock.now())
    }
}

fn encode(
    statuses: &[(String, KeyStatus)],
    encoder: &mut DescriptorEncoder<'_>,
    now: UnixTime,
) -> fmt::Result {
    let held = || {
        let held = statuses.iter();
        held.filter_map(|(issuer, status)| Some((issuer, status.held.as_ref()?)))
    };
    let help = "Usable keys of an issuer that are held; none once they are too old";
    let mut gauges = encoder.encode_descriptor("issuer_keys", help, None, MetricType::Gauge)?;
    for (issuer, status) in statuses {
        let held = status.held.as_ref().filter(|held| now < held.stale_ends);
        let count = held.map_or(0, |held| held.keys.len());
        ConstGauge::new(count as u64).encode(gauges.encode_family(&[("issuer", &**issuer)])?)?;
    }
    let help = "Seconds since the keys of an issuer were fetched";
    let mut gauges =
        encoder.encode_descriptor("issuer_keys_age_seconds", help, None, MetricType::Gauge)?;
    for (issuer, held) in held() {
        let age = since(held.loaded_at, now);
        ConstGauge::new(age).encode(gauges.encode_family(&[("issuer", &**issuer)])?)?;
    }
    let help = "Seconds since the life of an issuer's keys ended, while newer ones cannot be had; 0 within it";
    let mut gauges =
        encoder.encode_descriptor("issuer_keys_stale_seconds", help, None, MetricType::Gauge)?;
    for (issuer, held) in held() {
        let stale = since(held.life_ends, now);
        ConstGauge::new(stale).encode(gauges.encode_family(&[("issuer", &**issuer)])?)?;
    }
    Ok(())
}

/// Whole seconds; none of what is to come.
fn since(then: UnixTime, now: UnixTime) -> i64 {
    now.seconds().saturating_sub(then.seconds()).max(0)
}
