//! The composition root: configuration in, server out. The one place that
//! knows every part of it; which database it is, [`backend`](crate::backend) knows.

use std::{sync::Arc, time::Duration};

use grantor::{
    assertion::Lifetimes,
    clock::SystemClock,
    keys::{KeyResolver, RemoteKeys},
    remote::Outgoing,
    server::{AuthorizationServer, BuildError, Settings, TracingLog},
    storage::{Counted, FromRegistry},
};

use crate::{
    admin,
    backend::Backend,
    config::{Config, OutgoingConfig, PersonConfig, Way},
    metrics::Metrics,
    pages::{self, Desk, Registries, Site},
    person::{Passkeys, Passwords, Proofs, SessionKind, Sessions},
    throttle::{FailureThrottle, Thinned},
};

/// Puts the server together. Each decision is counted; each is logged and kept, but
/// for a part of those about senders that have to wait.
pub fn build_server(
    config: &Config,
    store: &Backend,
    metrics: Metrics,
) -> Result<AuthorizationServer, BuildError> {
    let keys = remote_keys(config, store).observer(Arc::new(metrics.keys.clone()));
    let keys = Arc::new(keys);
    metrics.keys.watch(&keys);
    build_server_with(config, store, metrics, keys)
}

/// As [`build_server`], without a way out: of keys that are fetched it has those that are kept.
pub fn build_server_without_fetching(
    config: &Config,
    store: &Backend,
) -> Result<AuthorizationServer, BuildError> {
    let keys = Arc::new(remote_keys(config, store).without_fetching());
    build_server_with(config, store, Metrics::default(), keys)
}

fn build_server_with(
    config: &Config,
    store: &Backend,
    metrics: Metrics,
    keys: Arc<dyn KeyResolver>,
) -> Result<AuthorizationServer, BuildError> {
    let mut settings = Settings {
        assertion_algorithms: config.assertion.algorithms.clone(),
        token_lifetime: config.token.lifetime,
        default_audience: config.token.audience.clone(),
        resources: config.token.resources.clone(),
        admin_resource: config
            .admin
            .is_some()
            .then(|| config.issuer.endpoint(admin::PATH)),
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
    let kept = Thinned::new((TracingLog, store.decisions.clone()));
    let counted = (Counted::by(store.statistics.clone()), metrics);
    let builder = AuthorizationServer::builder(config.issuer.clone())
        .signing_keys(store.keys.clone())
        .token_ids(store.token_ids())
        .seals(store.seals())
        .decisions((kept, counted))
        .clients(store.client_source.clone())
        .subjects(store.subject_source.clone())
        .permissions(store.permission_source.clone())
        .trusted_issuers(store.issuer_source.clone())
        .operators(Arc::new(FromRegistry::new(store.operators.clone())))
        .key_resolver(keys)
        .clock(Arc::new(SystemClock))
        .replay(store.replay.clone())
        .artifacts(store.artifacts.clone())
        .settings(settings)
        .lifetimes(lifetimes)
        .replay_quota(config.limits.replay_entries)
        .token_quota(config.limits.tokens)
        .throttle(FailureThrottle::new(&config.limits))
        .standard();
    let passwords = Passwords::shared();
    let mut builder = pages::add_assets(builder);
    if config.admin.is_some() {
        let desk = console_desk(config, store, passwords.clone());
        builder = pages::add_console(builder, Arc::new(desk));
    }
    if let Some(person) = &config.person {
        builder = pages::add(builder, desk(config, person, store, passwords));
    }
    builder.build()
}

/// The keys of issuers and clients that are fetched, and kept for other processes.
pub fn remote_keys(config: &Config, store: &Backend) -> RemoteKeys {
    let keys = RemoteKeys::new(outgoing(&config.outgoing), Arc::new(SystemClock));
    keys.keeping(store.artifacts.clone())
}

/// The way out for them.
pub fn outgoing(config: &OutgoingConfig) -> Outgoing {
    let way = match &config.proxy {
        Some(proxy) => Outgoing::through(proxy.clone()),
        None => Outgoing::direct(),
    };
    let networks = config.allow_internal.iter();
    networks.fold(way, |way, network| way.allow_internal(*network))
}

/// Where people sign in, and are asked.
fn desk(config: &Config, person: &PersonConfig, store: &Backend, passwords: Passwords) -> Desk {
    let by_passkey = person.sign_in.contains(&Way::Passkey);
    let base = console_desk(config, store, passwords);
    let site = Site::of(&config.issuer);
    Desk {
        kind: SessionKind::Person,
        has_passwords: person.sign_in.contains(&Way::Password),
        passkeys: by_passkey
            .then(|| passkeys(config, &site, &base.registry))
            .flatten(),
        site,
        sessions: Sessions::new(
            SessionKind::Person,
            person.session_idle,
            person.session_life,
            proofs(store),
        ),
        ..base
    }
}

/// The passkeys of pages at this site.
fn passkeys(config: &Config, site: &Site, registry: &Registries) -> Option<Passkeys> {
    Passkeys::at(&config.issuer, site.origin(), registry.clone())
}

/// What sessions are held against.
fn proofs(store: &Backend) -> Proofs {
    Proofs {
        passwords: store.passwords.clone(),
        passkeys: store.passkeys.clone(),
        operators: store.operators.clone(),
    }
}

/// A session of the console ends when nothing was done in it for so long, and after this time in any
/// case (M110).
const CONSOLE_IDLE: Duration = Duration::from_secs(30 * 60);
const CONSOLE_LIFE: Duration = Duration::from_secs(12 * 3600);

/// Where operators sign in.
pub fn console_desk(config: &Config, store: &Backend, passwords: Passwords) -> Desk {
    let admin = config.admin.as_ref();
    let (kind, proofs) = (SessionKind::Console, proofs(store));
    let site = Site::of_console(&config.issuer, admin.and_then(|admin| admin.url.as_deref()));
    let registry = Registries {
        operators: store.operators.clone(),
        passwords: store.passwords.clone(),
        passkeys: store.passkeys.clone(),
        batch: store.batch.clone(),
        permissions: store.permissions.clone(),
        of_subjects: store.subject_permissions.clone(),
        scope_texts: store.scope_texts.clone(),
    };
    Desk {
        kind,
        has_passwords: true,
        passkeys: passkeys(config, &site, &registry),
        site,
        sessions: Sessions::new(kind, CONSOLE_IDLE, CONSOLE_LIFE, proofs),
        passwords,
        registry,
        decisions: store.decisions.clone(),
        token_lifetime: config.token.lifetime,
    }
}
