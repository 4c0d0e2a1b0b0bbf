//! Configuration: `grantor.toml`, then the environment, then flags, over safe defaults. Everything
//! is checked at start; an error names the key and the remedy.

mod admin;
mod database;
mod environment;
mod last_start;
mod observe;
mod outgoing;
mod person;
mod proxy;
mod raw;

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use grantor::{
    assertion::Profile,
    file,
    jose::Algorithm,
    types::{Issuer, Shown},
};
use grantor_stores::{ChangeRetention, Retention};
use serde::{Deserialize, de::DeserializeOwned};

pub use self::{
    admin::AdminConfig,
    database::{DatabaseConfig, Durability},
    environment::Environment,
    last_start::LastStart,
    outgoing::OutgoingConfig,
    person::{PersonConfig, Way},
};
use self::{
    environment::{EnvironmentError, Laid},
    raw::RawConfig,
};
use crate::{
    http::{ClientCertificates, Proxy, Room, TlsFiles},
    telemetry,
};

/// How logs look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    #[default]
    Auto,
    Json,
    Text,
}

/// What flags say over the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub issuer: Option<String>,
    pub listen: Option<SocketAddr>,
    pub behind_proxy: Option<bool>,
    pub purpose: Purpose,
}

/// What the configuration is read for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To serve: how it is reached is checked.
    Serve,
    /// To speak about a server. If nothing names it, it is the one that was last started.
    #[default]
    Command,
}

/// The configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub issuer: Issuer,
    pub listen: SocketAddr,
    /// How long the server goes on after it was told to end.
    pub drain: Duration,
    /// The file of the master key, where one is named.
    pub master_key_file: Option<PathBuf>,
    /// The PostgreSQL server; `None` for the file in the data directory.
    pub database: Option<DatabaseConfig>,
    pub proxy: Proxy,
    pub outgoing: OutgoingConfig,
    pub tls: Option<TlsConfig>,
    pub limits: LimitsConfig,
    pub assertion: AssertionConfig,
    pub token: TokenConfig,
    pub decisions: Retention,
    pub changes: ChangeRetention,
    pub log: LogConfig,
    pub metrics: Option<SocketAddr>,
    /// Whether people sign in here.
    pub person: Option<PersonConfig>,
    /// Whether the admin API is served.
    pub admin: Option<AdminConfig>,
    #[cfg(feature = "otel")]
    pub otel: Option<http::Uri>,
}

#[derive(Clone, Debug)]
pub struct TlsConfig {
    pub files: TlsFiles,
    pub client_certificates: ClientCertificates,
}

#[derive(Clone, Debug)]
pub struct LimitsConfig {
    pub room: Room,
    /// Failures in a minute of one client at one address.
    pub client_failures: NonZeroU32,
    /// Failures in a minute of everybody at one address.
    pub address_failures: NonZeroU32,
    /// Used assertions of one issuer that are remembered at once.
    pub replay_entries: u64,
    /// Opaque tokens of one client that are kept at once, and revocations.
    pub tokens: u64,
}

#[derive(Clone, Debug)]
pub struct AssertionConfig {
    pub profile: Profile,
    pub algorithms: Vec<Algorithm>,
    pub leeway: Duration,
    pub maximum_lifetime: Duration,
}

#[derive(Clone, Debug)]
pub struct TokenConfig {
    pub lifetime: Duration,
    pub signing_algorithm: Algorithm,
    pub audience: Option<String>,
    pub resources: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct LogConfig {
    pub format: LogFormat,
    pub level: String,
}

/// A configuration that cannot be used.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// The file is not TOML, or has a key or type that does not exist: the parser's words, which
    /// name line and key.
    Syntax(PathBuf, String),
    /// A variable makes no sense.
    Environment(EnvironmentError),
    /// A value that makes no sense, and the value where the problem is about it.
    Value {
        key: &'static str,
        given: Option<String>,
        problem: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "configuration {}: {error}", path.display()),
            Self::Syntax(path, message) => write!(f, "configuration {}: {message}", path.display()),
            Self::Environment(error) => error.fmt(f),
            Self::Value {
                key,
                given: Some(given),
                problem,
            } => {
                write!(
                    f,
                    "configuration key '{key}': {:?} {problem}",
                    Shown::of(given)
                )
            }
            Self::Value {
                key,
                given: None,
                problem,
            } => write!(f, "configuration key '{key}': {problem}"),
        }
    }
}

impl ConfigError {
    /// What a file holds that a variable names may be a secret of another purpose: it is not
    /// quoted, and the variable is named instead.
    fn without_text_of_files(self, environment: &Environment, overrides: &Overrides) -> Self {
        match self {
            Self::Value { key: "issuer", .. } if overrides.issuer.is_some() => self,
            Self::Value {
                key,
                given: Some(given),
                problem,
            } => match environment.file_variable(key) {
                Some(name) => Self::Environment(EnvironmentError::Value {
                    name,
                    problem: format!("{} {problem}", environment::UNQUOTED),
                }),
                None => Self::Value {
                    key,
                    given: Some(given),
                    problem,
                },
            },
            other => other,
        }
    }
}

impl Config {
    /// Reads `explicit`, which must exist, or `grantor.toml` in the data directory, which need not.
    pub fn load(
        data: &Path,
        explicit: Option<&Path>,
        environment: &Environment,
        overrides: &Overrides,
    ) -> Result<Self, ConfigError> {
        let path = explicit.map_or_else(|| data.join("grantor.toml"), Path::to_owned);
        let text = match file::read_text(&path, file::DOCUMENT_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && explicit.is_none() => {
                Default::default()
            }
            Err(error) => return Err(ConfigError::Unreadable(path, error)),
        };
        let mut raw = merge(&path, &text, environment)?;
        // Relative files are beside the configuration, wherever the process was started.
        let beside = |file: &mut PathBuf| *file = path.with_file_name(&*file);
        raw.master_key_file.iter_mut().for_each(beside);
        let database = &mut raw.database;
        [&mut database.password_file, &mut database.ca_file]
            .into_iter()
            .flatten()
            .for_each(beside);
        raw.tls.iter_mut().for_each(|tls| {
            [&mut tls.certificate, &mut tls.key]
                .into_iter()
                .for_each(beside);
        });
        let last = match overrides.purpose {
            Purpose::Serve => None,
            Purpose::Command => LastStart::read(data),
        };
        Self::check(raw, overrides, last)
            .map_err(|error| error.without_text_of_files(environment, overrides))
    }

    /// The port is known now, if none was asked for: an issuer that follows the address follows it
    /// there.
    pub fn listens_on(&mut self, address: SocketAddr) -> Result<(), ConfigError> {
        if self.issuer.as_str() == issuer_at(self.listen) {
            let issuer = issuer_at(address);
            self.issuer = Issuer::parse(&issuer)
                .map_err(|error| value_of("issuer", &issuer, error.to_string()))?;
        }
        self.listen = address;
        Ok(())
    }

    fn check(
        raw: RawConfig,
        overrides: &Overrides,
        last: Option<LastStart>,
    ) -> Result<Self, ConfigError> {
        let (last_issuer, last_listen) = last.map(|last| (last.issuer, last.listen)).unzip();
        let listen = overrides
            .listen
            .or(raw.listen)
            .or(last_listen)
            .unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
        let issuer = overrides
            .issuer
            .clone()
            .or(raw.issuer)
            .or(last_issuer)
            .unwrap_or_else(|| issuer_at(listen));
        let issuer = Issuer::parse(&issuer)
            .map_err(|error| value_of("issuer", &issuer, error.to_string()))?;
        let proxy = proxy::proxy(
            overrides.behind_proxy.unwrap_or(raw.behind_proxy),
            raw.proxy,
        )?;
        let tls = raw.tls.map(tls).transpose()?;
        if overrides.purpose == Purpose::Serve {
            check_listen("listen", &issuer, listen, &proxy, tls.as_ref())?;
            if let Some(own) = raw.admin.listen {
                check_listen("admin.listen", &issuer, own, &proxy, tls.as_ref())?;
            }
        }
        #[cfg_attr(
            not(feature = "otel"),
            allow(
                clippy::let_unit_value,
                unused_variables,
                reason = "then there is only an error"
            )
        )]
        let otel = observe::otel(raw.otel)?;
        let person = person::person(raw.person, raw.code, raw.refresh, &issuer, raw.profile)?;
        let admin = admin::admin(raw.admin, &issuer, listen, &proxy)?;
        Ok(Self {
            issuer,
            listen,
            drain: seconds("drain_seconds", raw.drain_seconds, 0, 300)?,
            admin,
            master_key_file: raw.master_key_file,
            database: database::database(raw.database)?,
            proxy,
            outgoing: outgoing::outgoing(raw.outgoing)?,
            tls,
            person,
            limits: limits(&raw.limits)?,
            assertion: assertion(raw.profile, raw.assertion)?,
            token: token(raw.token)?,
            decisions: decisions(&raw.decisions)?,
            changes: changes(raw.changes)?,
            log: log(raw.log)?,
            metrics: observe::metrics(raw.metrics)?,
            #[cfg(feature = "otel")]
            otel,
        })
    }
}

/// The issuer of a server that nobody gave a name: this machine, with the port that is listened on.
fn issuer_at(listen: SocketAddr) -> String {
    let host = match listen.ip() {
        address if address.is_loopback() => address,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    match SocketAddr::new(host, listen.port()) {
        // A URL in normal form does not name the port that everybody takes.
        address if address.port() == 80 => {
            format!("http://{}", address.to_string().trim_end_matches(":80"))
        }
        address => format!("http://{address}"),
    }
}

fn value(key: &'static str, problem: impl Into<String>) -> ConfigError {
    ConfigError::Value {
        key,
        given: None,
        problem: problem.into(),
    }
}

/// As [`value`]: the value is quoted before the problem, as strangers' texts are.
fn value_of(key: &'static str, given: impl ToString, problem: impl Into<String>) -> ConfigError {
    ConfigError::Value {
        key,
        given: Some(given.to_string()),
        problem: problem.into(),
    }
}

/// Paths are quoted whole by whatever cannot open them; a key in PEM that stands where its path
/// belongs must not be.
fn tls(raw: raw::Tls) -> Result<TlsConfig, ConfigError> {
    for (key, path) in [("tls.certificate", &raw.certificate), ("tls.key", &raw.key)] {
        if path.to_string_lossy().contains('\n') {
            return Err(value(
                key,
                "holds several lines; name the path of a PEM file",
            ));
        }
    }
    Ok(TlsConfig {
        files: TlsFiles {
            certificate: raw.certificate,
            key: raw.key,
        },
        client_certificates: raw.client_certificates,
    })
}

/// RFC 6749 §3.2: credentials never travel in the clear, and the issuer is the way they travel.
fn check_listen(
    key: &'static str,
    issuer: &Issuer,
    listen: SocketAddr,
    proxy: &Proxy,
    tls: Option<&TlsConfig>,
) -> Result<(), ConfigError> {
    match (proxy, tls) {
        (Proxy::Absent, None) if !listen.ip().is_loopback() => {
            let problem = format!(
                "{listen} is reachable from outside without TLS; listen on a loopback address, or name a certificate under [tls], or \
                 set behind_proxy = true (--behind-proxy) if a proxy in front of it terminates TLS"
            );
            Err(value(key, problem))
        }
        (Proxy::Absent, Some(_)) if issuer.as_str().starts_with("http:") => Err(value_of(
            "issuer",
            issuer,
            "says http, but [tls] is set; make it an https URL",
        )),
        (Proxy::Absent | Proxy::InFront(_), _) => Ok(()),
    }
}

fn limits(raw: &raw::Limits) -> Result<LimitsConfig, ConfigError> {
    let room = room(raw)?;
    let failures = |key, failures| match failures {
        0..=1_000_000 => Ok(NonZeroU32::new(failures).unwrap_or(NonZeroU32::MAX)),
        other => Err(value_of(
            key,
            other,
            "is not between 0 and 1000000; 0 is no limit",
        )),
    };
    let client_failures = failures(
        "limits.client_failures_per_minute",
        raw.client_failures_per_minute,
    )?;
    let address_failures = failures(
        "limits.address_failures_per_minute",
        raw.address_failures_per_minute,
    )?;
    let tokens = match raw.tokens_per_client {
        0 => {
            return Err(value(
                "limits.tokens_per_client",
                "0 would refuse every opaque token; the default is 100000",
            ));
        }
        tokens => tokens,
    };
    let replay_entries = match raw.replay_entries_per_issuer {
        0 => {
            return Err(value(
                "limits.replay_entries_per_issuer",
                "0 would refuse every assertion with a jti; the default is 1000000",
            ));
        }
        entries => entries,
    };
    Ok(LimitsConfig {
        room,
        client_failures,
        address_failures,
        replay_entries,
        tokens,
    })
}

/// A quarter of the connections for one address, and two requests a connection, unless said
/// otherwise.
fn room(raw: &raw::Limits) -> Result<Room, ConfigError> {
    let within = |key, number| match number {
        1..=1_000_000 => Ok(number),
        other => Err(value_of(key, other, "is not between 1 and 1000000")),
    };
    let connections = within("limits.connections", raw.connections)?;
    let per_address = raw
        .connections_per_address
        .unwrap_or(connections.div_ceil(4));
    let per_address = within("limits.connections_per_address", per_address)?;
    let requests = raw
        .requests
        .unwrap_or(connections.saturating_mul(2).clamp(256, 1_000_000));
    Ok(Room {
        connections,
        per_address,
        requests: within("limits.requests", requests)?,
    })
}

fn assertion(profile: Profile, raw: raw::Assertion) -> Result<AssertionConfig, ConfigError> {
    let algorithms: Vec<Algorithm> = match raw.algorithms {
        None => profile.default_algorithms(),
        Some(names) => names
            .iter()
            .map(|name| signature_algorithm("assertion.algorithms", name))
            .collect::<Result<_, _>>()?,
    };
    if algorithms.is_empty() {
        return Err(value("assertion.algorithms", "name at least one algorithm"));
    }
    if let Some(refused) = algorithms
        .iter()
        .find(|algorithm| !profile.accepts_algorithm(**algorithm))
    {
        return Err(value(
            "assertion.algorithms",
            format!("profile fapi2 does not allow {refused}"),
        ));
    }
    let leeway = seconds("assertion.leeway_seconds", raw.leeway_seconds, 0, 300)?;
    let maximum_lifetime = seconds(
        "assertion.maximum_lifetime_seconds",
        raw.maximum_lifetime_seconds,
        1,
        86_400,
    )?;
    Ok(AssertionConfig {
        profile,
        algorithms,
        leeway,
        maximum_lifetime,
    })
}

fn token(raw: raw::Token) -> Result<TokenConfig, ConfigError> {
    let lifetime = seconds("token.lifetime_seconds", raw.lifetime_seconds, 1, 86_400)?;
    let signing_algorithm = signature_algorithm("token.signing_algorithm", &raw.signing_algorithm)?;
    Ok(TokenConfig {
        lifetime,
        signing_algorithm,
        audience: raw.audience,
        resources: raw.resources,
    })
}

fn decisions(raw: &raw::Decisions) -> Result<Retention, ConfigError> {
    let age = seconds(
        "decisions.days",
        raw.days.saturating_mul(86_400),
        86_400,
        3650 * 86_400,
    )?;
    Ok(Retention {
        rows: raw.rows,
        octets: raw.megabytes.saturating_mul(1024 * 1024),
        age,
        granted: raw.granted,
    })
}

fn changes(raw: raw::Changes) -> Result<ChangeRetention, ConfigError> {
    let age = seconds(
        "changes.days",
        raw.days.saturating_mul(86_400),
        86_400,
        3650 * 86_400,
    )?;
    Ok(ChangeRetention {
        rows: raw.rows,
        age,
    })
}

fn log(raw: raw::Log) -> Result<LogConfig, ConfigError> {
    match telemetry::level_problem(&raw.level) {
        Some(problem) => Err(value_of("log.level", raw.level, problem)),
        None => Ok(LogConfig {
            format: raw.format,
            level: raw.level,
        }),
    }
}

/// An asymmetric algorithm by name.
fn signature_algorithm(key: &'static str, name: &str) -> Result<Algorithm, ConfigError> {
    let found = Algorithm::from_name(name).filter(|algorithm| !algorithm.is_mac());
    let known = || {
        Algorithm::ALL
            .iter()
            .filter(|algorithm| !algorithm.is_mac())
            .map(|algorithm| algorithm.name())
    };
    found.ok_or_else(|| {
        value_of(
            key,
            name,
            format!("is not one of {}", known().collect::<Vec<_>>().join(", ")),
        )
    })
}

fn seconds(
    key: &'static str,
    seconds: u64,
    least: u64,
    most: u64,
) -> Result<Duration, ConfigError> {
    match (least..=most).contains(&seconds) {
        true => Ok(Duration::from_secs(seconds)),
        false => Err(value_of(
            key,
            seconds,
            format!("is not between {least} and {most}"),
        )),
    }
}

/// The file, and the environment over it.
fn merge(path: &Path, text: &str, environment: &Environment) -> Result<RawConfig, ConfigError> {
    let syntax = |problem| ConfigError::Syntax(path.to_owned(), problem);
    if environment.is_empty() {
        return parse(text).map_err(syntax);
    }
    let mut table: toml::Table = parse(text).map_err(syntax)?;
    let laid = environment
        .lay_over(&mut table)
        .map_err(ConfigError::Environment)?;
    let error = match table.clone().try_into() {
        Ok(raw) => return Ok(raw),
        Err(error) => error,
    };
    // A variable is to blame if all is well without it. Otherwise the file is, if it is wrong by
    // itself: its error names the line.
    let is_to_blame = |laid: &&Laid| laid.taken_away(&table).try_into::<RawConfig>().is_ok();
    let blamed = laid.iter().find(is_to_blame);
    match (blamed.or(laid.first()), parse::<RawConfig>(text)) {
        (Some(first), Ok(_)) => {
            let is_from_file = blamed
                .map_or(&*laid, std::slice::from_ref)
                .iter()
                .any(|laid| laid.is_from_file);
            let problem = if is_from_file {
                unquoted(error.message())
            } else {
                shown(error.message())
            };
            Err(ConfigError::Environment(EnvironmentError::Value {
                name: first.name.clone(),
                problem,
            }))
        }
        (_, Err(problem)) => Err(syntax(problem)),
        (None, Ok(raw)) => Ok(raw),
    }
}

/// Reads TOML. The error, on one line, names the line that is wrong and what it sets. It does not
/// quote it: the file may be another than was meant, with a key in it.
fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let message = shown(error.message());
        let Some(span) = error.span() else {
            return message;
        };
        let number = text[..span.start].matches('\n').count();
        let named = text
            .lines()
            .nth(number)
            .and_then(set_by)
            .map(|name| format!(", '{name}'"))
            .unwrap_or_default();
        format!("line {}{named}: {message}", number + 1)
    })
}

/// The key or section that a line of TOML sets, if it is a word such as ours are.
fn set_by(line: &str) -> Option<&str> {
    let section = line
        .trim()
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'));
    let (name, _) = section.or_else(|| line.split_once('='))?;
    let name = name.trim();
    let is_word = name
        .bytes()
        .all(|each| each.is_ascii_lowercase() || each == b'_')
        && Shown::of(name) == name;
    (is_word && !name.is_empty()).then_some(name)
}

/// How parsers say what they expected, behind what they found.
const EXPECTED: &str = ", expected ";

/// A parser's message, of which only what it expected is sure to be its own words.
fn shown(message: &str) -> String {
    let message = message.replace('\n', ", ");
    match message.rsplit_once(EXPECTED) {
        Some((found, expected)) => format!("{}{EXPECTED}{expected}", Shown::of(found)),
        None => Shown::of(&message).to_string(),
    }
}

/// A parser's message without what it found.
fn unquoted(message: &str) -> String {
    let expected = message
        .rsplit_once(EXPECTED)
        .map(|(_, expected)| format!("{EXPECTED}{expected}"))
        .unwrap_or_default();
    format!(
        "{} is no value of this key{expected}",
        environment::UNQUOTED
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Config, String> {
        let raw = parse(text)?;
        let overrides = Overrides {
            purpose: Purpose::Serve,
            ..Overrides::default()
        };
        Config::check(raw, &overrides, None).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_file_is_the_default() {
        let config = check("").expect("the default");
        assert_eq!(config.issuer.as_str(), "http://127.0.0.1:8080");
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    }

    #[test]
    fn an_issuer_that_nobody_named_follows_the_address() {
        let issuer = |text: &str| check(text).expect(text).issuer.to_string();
        assert_eq!(
            issuer("listen = \"127.0.0.1:9107\""),
            "http://127.0.0.1:9107"
        );
        assert_eq!(issuer("listen = \"[::1]:9107\""), "http://[::1]:9107");
        assert_eq!(issuer("listen = \"127.0.0.1:80\""), "http://127.0.0.1");
        assert_eq!(
            issuer("listen = \"0.0.0.0:9107\"\nbehind_proxy = true"),
            "http://127.0.0.1:9107"
        );
        assert_eq!(
            issuer("listen = \"127.0.0.1:9107\"\nissuer = \"https://as.example\""),
            "https://as.example"
        );
    }

    #[test]
    fn metrics_are_off_until_their_section_is_there() {
        let listen = |text: &str| {
            check(text)
                .expect(text)
                .metrics
                .map(|address| address.to_string())
        };
        assert_eq!(listen(""), None);
        assert_eq!(listen("[metrics]").as_deref(), Some("127.0.0.1:9464"));
        assert_eq!(
            listen("[metrics]\nlisten = \"0.0.0.0:9464\"\nallow_remote = true").as_deref(),
            Some("0.0.0.0:9464")
        );
    }

    #[test]
    fn documents_of_others_are_fetched_from_public_addresses_unless_more_is_allowed() {
        let outgoing = |text: &str| check(text).expect(text).outgoing;
        let default = outgoing("");
        assert!(default.allow_internal.is_empty() && default.proxy.is_none());
        let more = outgoing(
            "[outgoing]\nallow_internal = [\"10.20.0.0/16\", \"192.168.1.7\"]\nproxy = \"http://proxy.example:3128\"",
        );
        let networks: Vec<_> = more
            .allow_internal
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(networks, ["10.20.0.0/16", "192.168.1.7/32"]);
        assert_eq!(
            more.proxy.expect("a proxy").as_str(),
            "http://proxy.example:3128/"
        );
    }

    #[test]
    fn the_database_is_a_file_until_a_server_is_named() {
        let database = |text: &str| check(text).expect(text).database;
        assert!(database("").is_none());
        assert!(database("[database]").is_none());
        let of_url = "[database]\nurl = \"postgres://grantor@a:5432,b:5432/grantor\"\ndurability = \"local\"";
        let usual = database(of_url).expect("a server");
        assert_eq!(usual.url, "postgres://grantor@a:5432,b:5432/grantor");
        assert_eq!(usual.durability, Durability::Local);
        assert_eq!((usual.connections, &*usual.schema), (6, "grantor"));
        let other = database(
            "[database]\nurl = \"host=/run/postgresql dbname=grantor\"\ndurability = \"replicated\"\nconnections = 4\nschema = \"as_1\"",
        );
        let other = other.expect("a server");
        assert_eq!(other.durability, Durability::Replicated);
        assert_eq!((other.connections, &*other.schema), (4, "as_1"));
    }

    #[test]
    fn a_password_in_the_url_of_the_database_is_refused_and_not_quoted() {
        let with = |url: &str| format!("[database]\nurl = \"{url}\"\ndurability = \"local\"");
        for url in [
            "postgres://grantor:hunter2@db.example/grantor",
            "postgres://grantor@db.example/grantor?password=hunter2",
            "postgres://grantor@db.example/grantor?sslmode=require&password=hunter2",
            "host=db.example password=hunter2 dbname=grantor",
            "host=db.example password = hunter2 dbname=grantor",
        ] {
            let error = check(&with(url)).expect_err(url);
            assert!(error.contains("database.password_file"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        for url in [
            "postgres://grantor@db.example:5432/grantor",
            "postgres://grantor@db.example/grantor?sslmode=require",
            "host=db.example dbname=grantor",
        ] {
            assert!(check(&with(url)).is_ok(), "{url}");
        }
    }

    #[test]
    fn granted_decisions_are_kept_unless_said_otherwise() {
        assert!(check("").expect("the default").decisions.granted);
        let refusals = check("[decisions]\ngranted = false").expect("a configuration");
        assert!(!refusals.decisions.granted);
    }

    #[test]
    fn errors_name_the_key_and_the_remedy() {
        for (text, key, remedy) in [
            ("issuer = \"http://as.example\"", "issuer", "https"),
            ("listen = \"0.0.0.0:80\"", "listen", "behind_proxy"),
            ("lisen = \"127.0.0.1:80\"", "lisen", "listen"),
            ("listen = 8080", "listen", "socket address"),
            (
                "[token]\nsigning_algorithm = \"HS256\"",
                "token.signing_algorithm",
                "ES256",
            ),
            (
                "[token]\nlifetime_seconds = 0",
                "token.lifetime_seconds",
                "between 1",
            ),
            (
                "profile = \"fapi2\"\n[assertion]\nalgorithms = [\"RS256\"]",
                "assertion.algorithms",
                "fapi2 does not allow RS256",
            ),
            ("profile = \"fapi3\"", "profile", "fapi2"),
            (
                "[assertion]\nalgorithms = [\"none\"]",
                "assertion.algorithms",
                "RS256",
            ),
            (
                "[assertion]\nleeway_seconds = 4000",
                "assertion.leeway_seconds",
                "300",
            ),
            (
                "[limits]\nconnections = 0",
                "limits.connections",
                "between 1",
            ),
            (
                "[limits]\nclient_failures_per_minute = 2000000",
                "limits.client_failures_per_minute",
                "0 is no limit",
            ),
            (
                "[limits]\nreplay_entries_per_issuer = 0",
                "limits.replay_entries_per_issuer",
                "1000000",
            ),
            (
                "[limits]\ntokens_per_client = 0",
                "limits.tokens_per_client",
                "100000",
            ),
            (
                "[database]\nurl = \"postgres://grantor@db.example/grantor\"",
                "database.durability",
                "\"replicated\"",
            ),
            (
                "[database]\nurl = \"postgres://grantor@db.example/grantor\"\ndurability = \"asynchronous\"",
                "durability",
                "`local` or `replicated`",
            ),
            (
                "[database]\ndurability = \"local\"",
                "database.durability",
                "set database.url",
            ),
            (
                "[database]\nconnections = 6",
                "database.connections",
                "set database.url",
            ),
            (
                "[database]\nurl = \"mysql://db.example/grantor\"\ndurability = \"local\"",
                "database.url",
                "postgres://user@host",
            ),
            (
                "[database]\nconnections = 3",
                "database.connections",
                "between 4 and 100",
            ),
            (
                "[database]\nconnections = 101",
                "database.connections",
                "between 4 and 100",
            ),
            (
                "[database]\nschema = \"Grantor\"",
                "database.schema",
                "small letters",
            ),
            ("[limits]\nrequests = 0", "limits.requests", "between 1"),
            (
                "[limits]\nconnections_per_address = 0",
                "limits.connections_per_address",
                "between 1",
            ),
            (
                "[proxy]\ntrusted = [\"nowhere\"]",
                "proxy.trusted",
                "10.0.0.0/8",
            ),
            ("[proxy]\ntrusted = []", "proxy.trusted", "leave it out"),
            ("[proxy]\nhops = 0", "proxy.hops", "0 is no proxy"),
            ("[proxy]\nheader = \"via\"", "header", "x-forwarded-for"),
            (
                "[outgoing]\nallow_internal = [\"everywhere\"]",
                "outgoing.allow_internal",
                "10.0.0.0/8",
            ),
            (
                "[outgoing]\nproxy = \"proxy.example:3128\"",
                "outgoing.proxy",
                "http://proxy.example:3128",
            ),
            (
                "[outgoing]\nproxy = \"socks5://proxy.example\"",
                "outgoing.proxy",
                "expected http or https",
            ),
            (
                "[metrics]\nlisten = \"0.0.0.0:9464\"",
                "metrics.listen",
                "allow_remote",
            ),
            (
                "[tls]\ncertificate = \"a.pem\"",
                "tls",
                "missing field `key`",
            ),
            (
                "[tls]\ncertificate = \"a.pem\"\nkey = \"k.pem\"\nclient_certificates = \"require\"",
                "line 4",
                "`off` or `ask`",
            ),
            (
                "[tls]\ncertificate = \"a.pem\"\nkey = \"k.pem\"",
                "issuer",
                "https",
            ),
        ] {
            let error = check(text).expect_err(text);
            assert!(
                error.contains(key) && error.contains(remedy),
                "{text}: {error}"
            );
            assert!(!error.contains('\n'), "{error}");
        }
        assert!(check("listen = \"0.0.0.0:80\"\nbehind_proxy = true").is_ok());
        assert!(
            check("listen = \"0.0.0.0:80\"\n[proxy]\ntrusted = [\"10.0.0.0/8\", \"127.0.0.1\"]")
                .is_ok()
        );
        let tls = "issuer = \"https://as.example\"\nlisten = \"0.0.0.0:443\"\n[tls]\ncertificate = \"a.pem\"\nkey = \"k.pem\"";
        let clients = |text: &str| {
            check(text)
                .expect(text)
                .tls
                .expect("TLS")
                .client_certificates
        };
        assert_eq!(clients(tls), ClientCertificates::Off);
        let asking = format!("{tls}\nclient_certificates = \"ask\"");
        assert_eq!(clients(&asking), ClientCertificates::Ask);
    }
}
