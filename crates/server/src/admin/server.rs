//! The operation that shows the server itself: its version, the configuration in force, how it is.

use std::{net::SocketAddr, time::Duration};

use grantor::{admin::Error, assertion::Profile, jose::Algorithm};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Administration, Answered, Input, NoQuery, Operation, Route,
    notes::{self, Note},
};
use crate::{
    config::{Config, PersonConfig},
    http::Proxy,
};

/// Shows the server.
pub struct ShowServer;

/// The server.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ServerDocument {
    /// The version of the program.
    pub version: String,
    /// The issuer identifier.
    pub issuer: String,
    /// The configuration in force, by the sections of its file. No secret is in it.
    pub configuration: Map<String, Value>,
    /// Whether the next request could be decided.
    pub ready: bool,
    /// Decisions that were lost since the start.
    pub decisions_dropped: u64,
    /// What an operator should know.
    pub notes: Vec<Note>,
}

impl Operation for ShowServer {
    type Path = ();
    type Query = NoQuery;
    type Body = ();
    type Answer = ServerDocument;

    const ROUTE: Route = Route::get(
        "/server",
        "show_server",
        "Show the server: version, configuration without secrets, health, and what should be mended",
    )
    .long()
    .sparingly();

    async fn run(admin: &Administration, _: Input<Self>) -> Result<Answered<Self::Answer>, Error> {
        let config = &*admin.config;
        Ok(ServerDocument {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            issuer: config.issuer.to_string(),
            configuration: configuration(config),
            ready: admin.store.readiness.check().await.is_ok(),
            decisions_dropped: admin.store.decisions.dropped(),
            notes: notes::of_registered(admin).await?,
        }
        .into())
    }
}

/// What the configuration came to: each value that may be shown is named here, so that a new one is
/// not shown by mistake.
fn configuration(config: &Config) -> Map<String, Value> {
    let (assertion, token, limits) = (&config.assertion, &config.token, &config.limits);
    let sections = [
        ("issuer", json!(config.issuer.as_str())),
        ("listen", json!(config.listen)),
        ("profile", json!(profile(assertion.profile))),
        ("behind_proxy", json!(config.proxy != Proxy::Absent)),
        ("tls", json!(config.tls.is_some())),
        ("admin", json!(config.admin.as_ref().map(of_admin))),
        (
            "assertion",
            json!({
                "algorithms": names(&assertion.algorithms),
                "leeway_seconds": assertion.leeway.as_secs(),
                "maximum_lifetime_seconds": assertion.maximum_lifetime.as_secs(),
            }),
        ),
        (
            "token",
            json!({
                "lifetime_seconds": token.lifetime.as_secs(),
                "signing_algorithm": token.signing_algorithm.name(),
                "audience": token.audience,
                "resources": token.resources,
            }),
        ),
        (
            "outgoing",
            json!({
                "allow_internal": config.outgoing.allow_internal,
                // What else stands in its URL may be a secret.
                "proxy": config.outgoing.proxy.as_ref().map(|url| url.origin().ascii_serialization()),
            }),
        ),
        (
            "limits",
            json!({
                "connections": limits.room.connections,
                "connections_per_address": limits.room.per_address,
                "requests": limits.room.requests,
                "client_failures_per_minute": limits.client_failures,
                "address_failures_per_minute": limits.address_failures,
                "replay_entries_per_issuer": limits.replay_entries,
                "tokens_per_client": limits.tokens,
            }),
        ),
        (
            "decisions",
            json!({
                "rows": config.decisions.rows,
                "octets": config.decisions.octets,
                "days": days(config.decisions.age),
            }),
        ),
        (
            "changes",
            json!({"rows": config.changes.rows, "days": days(config.changes.age)}),
        ),
        ("log", json!({"level": config.log.level})),
        (
            "metrics",
            json!(
                config
                    .metrics
                    .map(|listen: SocketAddr| json!({"listen": listen}))
            ),
        ),
        ("person", json!(config.person.as_ref().map(of_person))),
    ];
    let sections = sections.into_iter();
    let named = sections.map(|(name, section)| (name.to_owned(), section));
    named.collect()
}

fn of_admin(admin: &crate::config::AdminConfig) -> Value {
    json!({
        "listen": admin.listen,
        "url": admin.url,
        "requests_per_minute": admin.requests_per_minute,
    })
}

fn of_person(person: &PersonConfig) -> Value {
    json!({
        "session_idle_seconds": person.session_idle.as_secs(),
        "session_life_seconds": person.session_life.as_secs(),
        "permission_unused_seconds": person.permission_unused.as_secs(),
        "code_seconds": person.code.as_secs(),
        "refresh_idle_seconds": person.refresh.idle.as_secs(),
        "refresh_life_seconds": person.refresh.life.as_secs(),
    })
}

fn profile(profile: Profile) -> &'static str {
    match profile {
        Profile::Fapi2 => "fapi2",
        _ => "default",
    }
}

fn names(algorithms: &[Algorithm]) -> Vec<&'static str> {
    algorithms
        .iter()
        .map(|algorithm| algorithm.name())
        .collect()
}

fn days(age: Duration) -> u64 {
    age.as_secs() / 86_400
}
