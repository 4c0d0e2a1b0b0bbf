//! The file as written and the environment over it, before anything is checked. Unknown keys are
//! errors: a misspelt setting must not be silently ignored.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use grantor::{
    assertion::Profile,
    storage::{DEFAULT_REPLAY_QUOTA, DEFAULT_TOKEN_QUOTA},
};
use serde::Deserialize;

use super::{LogFormat, database::Durability};
use crate::http::{ClientCertificates, ForwardedHeader};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawConfig {
    pub issuer: Option<String>,
    pub listen: Option<SocketAddr>,
    pub drain_seconds: u64,
    pub master_key_file: Option<PathBuf>,
    pub behind_proxy: bool,
    pub profile: Profile,
    pub database: Database,
    pub tls: Option<Tls>,
    pub proxy: Option<Proxy>,
    pub outgoing: Outgoing,
    pub limits: Limits,
    pub assertion: Assertion,
    pub token: Token,
    pub decisions: Decisions,
    pub changes: Changes,
    pub log: Log,
    pub metrics: Option<Metrics>,
    pub otel: Option<Otel>,
    pub person: Option<Person>,
    pub code: Option<Code>,
    pub refresh: Option<Refresh>,
    pub admin: Admin,
}

impl Default for RawConfig {
    fn default() -> Self {
        Self {
            issuer: None,
            listen: None,
            drain_seconds: 0,
            master_key_file: None,
            behind_proxy: false,
            profile: Profile::Default,
            database: Database::default(),
            tls: None,
            proxy: None,
            outgoing: Outgoing::default(),
            limits: Limits::default(),
            assertion: Assertion::default(),
            token: Token::default(),
            decisions: Decisions::default(),
            changes: Changes::default(),
            log: Log::default(),
            metrics: None,
            otel: None,
            person: None,
            code: None,
            refresh: None,
            admin: Admin::default(),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    pub url: Option<String>,
    pub password_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
    pub durability: Option<Durability>,
    pub connections: Option<u64>,
    pub schema: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
    #[serde(default)]
    pub client_certificates: ClientCertificates,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proxy {
    pub trusted: Option<Vec<String>>,
    pub hops: Option<u8>,
    pub header: ForwardedHeader,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outgoing {
    pub allow_internal: Vec<String>,
    pub proxy: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    pub connections: u32,
    pub connections_per_address: Option<u32>,
    pub requests: Option<u32>,
    pub client_failures_per_minute: u32,
    pub address_failures_per_minute: u32,
    pub replay_entries_per_issuer: u64,
    pub tokens_per_client: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_address: None,
            requests: None,
            client_failures_per_minute: 20,
            address_failures_per_minute: 200,
            replay_entries_per_issuer: DEFAULT_REPLAY_QUOTA,
            tokens_per_client: DEFAULT_TOKEN_QUOTA,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Assertion {
    pub algorithms: Option<Vec<String>>,
    pub leeway_seconds: u64,
    pub maximum_lifetime_seconds: u64,
}

impl Default for Assertion {
    fn default() -> Self {
        Self {
            algorithms: None,
            leeway_seconds: 30,
            maximum_lifetime_seconds: 3600,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Token {
    pub lifetime_seconds: u64,
    pub signing_algorithm: String,
    pub audience: Option<String>,
    pub resources: Vec<String>,
}

impl Default for Token {
    fn default() -> Self {
        Self {
            lifetime_seconds: 3600,
            signing_algorithm: "ES256".to_owned(),
            audience: None,
            resources: Vec::new(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decisions {
    pub granted: bool,
    pub rows: u64,
    pub megabytes: u64,
    pub days: u64,
}

impl Default for Decisions {
    fn default() -> Self {
        Self {
            granted: true,
            rows: 100_000,
            megabytes: 256,
            days: 30,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Changes {
    pub rows: u64,
    pub days: u64,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            rows: 1_000_000,
            days: 400,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    pub format: LogFormat,
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Auto,
            level: "info".to_owned(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    pub listen: SocketAddr,
    pub allow_remote: bool,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9464)),
            allow_remote: false,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Otel {
    pub endpoint: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Person {
    pub sign_in: Vec<String>,
    pub session_idle_minutes: u64,
    pub session_hours: u64,
    pub permission_unused_days: u64,
}

impl Default for Person {
    fn default() -> Self {
        Self {
            sign_in: vec!["passkey".to_owned(), "password".to_owned()],
            session_idle_minutes: 30,
            session_hours: 12,
            permission_unused_days: 400,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Code {
    pub lifetime_seconds: u64,
}

impl Default for Code {
    fn default() -> Self {
        Self {
            lifetime_seconds: 60,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Refresh {
    pub idle_days: u64,
    pub days: u64,
    pub retry_seconds: u64,
}

impl Default for Refresh {
    fn default() -> Self {
        Self {
            idle_days: 30,
            days: 365,
            retry_seconds: 10,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    pub enabled: Option<bool>,
    pub listen: Option<SocketAddr>,
    pub url: Option<String>,
    pub requests_per_minute: u32,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            enabled: None,
            listen: None,
            url: None,
            requests_per_minute: 600,
        }
    }
}
