//! The composition root: configuration in, server out. The one place that
//! knows every part of it; which database it is, [`backend`](crate::backend) knows.

use grantor::{
    assertion::Lifetimes,
    server::{AuthorizationServer, BuildError, Settings, TracingLog},
};

use crate::{
    backend::Backend,
    config::{Config, PersonConfig},
    metrics::Metrics,
    pages::{self, Desk, Registries, Site},
    person::{Passwords, Sessions},
    throttle::{FailureThrottle, Thinned},
};

/// Puts the server together. Each decision is counted; each is logged and kept, but
/// for a part of those about senders that have to wait.
pub fn build_server(
    config: &Config,
    store: &Backend,
    metrics: Metrics,
) -> Result<AuthorizationServer, BuildError> {
    let mut settings = Settings {
        assertion_algorithms: config.assertion.algorithms.clone(),
        token_lifetime: config.token.lifetime,
        default_audience: config.token.audience.clone(),
        resources: config.token.resources.clone(),
        ..Settings::of(config.assertion.profile)
    };
    if let Some(person) = &config.person {
        settings.code_lifetime = person.code;
        settings.refresh_idle = person.refresh.idle;
        settings.refresh_lifetime = person.refresh.life;
        settings.refresh_retry = person.refresh.retry;
    }
    let lifetimes = Lifetimes {
        leeway: config.assertion.leeway,
        maximum: config.assertion.maximum_lifetime,
    };
    let builder = AuthorizationServer::builder(config.issuer.clone())
        .signing_keys(store.keys.clone())
        .token_ids(store.token_ids())
        .seals(store.seals())
        .decisions((Thinned::new((TracingLog, store.decisions.clone())), metrics))
        .clients(store.client_source.clone())
        .subjects(store.subject_source.clone())
        .permissions(store.permission_source.clone())
        .replay(store.replay.clone())
        .artifacts(store.artifacts.clone())
        .settings(settings)
        .lifetimes(lifetimes)
        .replay_quota(config.limits.replay_entries)
        .token_quota(config.limits.tokens)
        .throttle(FailureThrottle::new(&config.limits))
        .standard();
    match &config.person {
        Some(person) => pages::add(builder, desk(config, person, store)).build(),
        None => builder.build(),
    }
}

/// Where people sign in, and are asked.
fn desk(config: &Config, person: &PersonConfig, store: &Backend) -> Desk {
    Desk {
        site: Site::of(&config.issuer),
        sessions: Sessions::new(person.session_idle, person.session_life),
        passwords: Passwords::new(),
        registry: Registries {
            passwords: store.passwords.clone(),
            permissions: store.permissions.clone(),
            of_subjects: store.subject_permissions.clone(),
            scope_texts: store.scope_texts.clone(),
        },
        token_lifetime: config.token.lifetime,
    }
}
