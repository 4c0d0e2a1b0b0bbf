//! The composition root: configuration in, server out. The one place that knows every concrete
//! type.

use std::{path::Path, sync::Arc};

use grantor::{
    assertion::Lifetimes,
    server::{AuthorizationServer, BuildError, Settings, TracingLog},
};
use grantor_stores::sqlite::{OpenError, Options, SqliteStore};

use crate::{
    config::Config,
    metrics::Metrics,
    throttle::{FailureThrottle, Thinned},
};

/// How a database is opened or restored: what the configuration decides, and the rest as it is.
pub fn store_options(config: &Config, options: Options) -> Options {
    Options {
        signing_algorithm: config.token.signing_algorithm,
        retention: config.decisions,
        changes: config.changes,
        leeway: config.assertion.leeway,
        ..options
    }
}

/// Opens the database in the data directory; what the configuration decides is decided by it, the
/// rest by `options`.
pub fn open_store(
    data: &Path,
    config: &Config,
    options: Options,
) -> Result<Arc<SqliteStore>, OpenError> {
    let options = store_options(config, options);
    SqliteStore::open(data, &options).map(Arc::new)
}

/// Puts the server together. Each decision is counted; each is logged and kept, but
/// for a part of those about senders that have to wait.
pub fn build_server(
    config: &Config,
    store: Arc<SqliteStore>,
    metrics: Metrics,
) -> Result<AuthorizationServer, BuildError> {
    let settings = Settings {
        assertion_algorithms: config.assertion.algorithms.clone(),
        token_lifetime: config.token.lifetime,
        default_audience: config.token.audience.clone(),
        resources: config.token.resources.clone(),
        ..Settings::of(config.assertion.profile)
    };
    let lifetimes = Lifetimes {
        leeway: config.assertion.leeway,
        maximum: config.assertion.maximum_lifetime,
    };
    AuthorizationServer::builder(config.issuer.clone())
        .signing_keys(store.clone())
        .token_ids(store.token_ids())
        .decisions((Thinned::new((TracingLog, store.clone())), metrics))
        .store(store)
        .settings(settings)
        .lifetimes(lifetimes)
        .replay_quota(config.limits.replay_entries)
        .token_quota(config.limits.tokens)
        .throttle(FailureThrottle::new(&config.limits))
        .standard()
        .build()
}
