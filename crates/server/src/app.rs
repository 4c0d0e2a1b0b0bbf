//! The composition root: configuration in, server out. The one place that knows every concrete type.

use std::{path::Path, sync::Arc};

use grantor::{
    assertion::Lifetimes,
    server::{AuthorizationServer, BuildError, Settings, TracingLog},
};
use grantor_stores::sqlite::{OpenError, Options, SqliteStore};

use crate::{config::Config, metrics::Metrics, throttle::FailureThrottle};

/// Opens the database in the data directory, creating it if there is none.
pub fn open_store(data: &Path, config: &Config) -> Result<Arc<SqliteStore>, OpenError> {
    let options =
        Options { signing_algorithm: config.token.signing_algorithm, retention: config.decisions, ..Options::default() };
    SqliteStore::open(data, &options).map(Arc::new)
}

/// Puts the server together. Each decision is logged, kept and counted.
pub fn build_server(config: &Config, store: Arc<SqliteStore>, metrics: Metrics) -> Result<AuthorizationServer, BuildError> {
    let settings = Settings {
        assertion_algorithms: config.assertion.algorithms.clone(),
        token_lifetime: config.token.lifetime,
        default_audience: config.token.audience.clone(),
        resources: config.token.resources.clone(),
        ..Settings::of(config.assertion.profile)
    };
    let lifetimes = Lifetimes { leeway: config.assertion.leeway, maximum: config.assertion.maximum_lifetime };
    AuthorizationServer::builder(config.issuer.clone())
        .signing_keys(store.clone())
        .decisions(((TracingLog, store.clone()), metrics))
        .store(store)
        .settings(settings)
        .lifetimes(lifetimes)
        .throttle(FailureThrottle::new(&config.limits))
        .standard()
        .build()
}
