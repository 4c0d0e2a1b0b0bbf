//! The text that a scrape gets: OpenMetrics.

use prometheus_client::{
    encoding::text,
    metrics::{gauge::Gauge, info::Info},
    registry::Registry,
};
use tokio::sync::Mutex;

use crate::backend::Backend;

use super::{Metrics, keys::KeyGauges, log::LogCounter, storage::StorageGauges};

/// Everything that is measured, under its names.
pub struct Exposition {
    registry: Registry,
    storage: StorageGauges,
    keys: KeyGauges,
    /// One scrape at a time: however many ask, the storage is read once.
    turn: Mutex<()>,
}

impl Exposition {
    /// Names what `metrics` counts and what `store` knows.
    /// `certificate_expires` is there where TLS is served.
    pub fn new(metrics: &Metrics, store: &Backend, certificate_expires: Option<Gauge>) -> Self {
        let storage = StorageGauges::new(store);
        let keys = KeyGauges::new(metrics.keys.clone(), store.issuer_source.clone());
        let mut registry = Registry::with_prefix("grantor");
        registry.register(
            "build",
            "The running program",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        let help = "Requests decided, by what was decided and which rule was broken";
        registry.register("decisions", help, metrics.decisions.clone());
        registry.register(
            "http_answers",
            "HTTP answers, by endpoint and status",
            metrics.answers.clone(),
        );
        let help = "Seconds from the head of a request to its answer";
        registry.register(
            "http_request_duration_seconds",
            help,
            metrics.latency.clone(),
        );
        registry.register(
            "trusts_taken",
            "JWTs of issuers that a trust took, by trust",
            metrics.trusts.taken.clone(),
        );
        let help = "Fetches of keys and of the metadata that lead to them, by issuer (empty for clients) and outcome; a move is a change of jwks_uri";
        registry.register("key_fetches", help, metrics.keys.fetches.clone());
        if let Some(expires) = certificate_expires {
            let help = "When the certificate that is served ends, in seconds since 1970";
            registry.register("tls_certificate_expires_seconds", help, expires);
        }
        registry.register_collector(Box::new(storage.clone()));
        registry.register_collector(Box::new(keys.clone()));
        registry.register_collector(Box::new(LogCounter));
        Self {
            registry,
            storage,
            keys,
            turn: Mutex::new(()),
        }
    }

    /// The text of this moment.
    pub async fn text(&self) -> String {
        let _turn = self.turn.lock().await;
        self.storage.refresh().await;
        self.keys.refresh().await;
        let mut text = String::new();
        text::encode(&mut text, &self.registry).expect("a string takes any text");
        text
    }
}
