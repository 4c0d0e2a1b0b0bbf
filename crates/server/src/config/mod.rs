//! Configuration: `grantor.toml`, then flags, over safe defaults. Everything is checked at start; an error names the key and the
//! remedy.

mod raw;

use std::{
    fmt, fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use grantor::{assertion::Profile, jose::Algorithm, types::Issuer};
use grantor_stores::sqlite::Retention;
use serde::Deserialize;

use self::raw::RawConfig;

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
}

/// The configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub issuer: Issuer,
    pub listen: SocketAddr,
    pub assertion: AssertionConfig,
    pub token: TokenConfig,
    pub decisions: Retention,
    pub log: LogConfig,
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
    /// The file is not TOML, or has a key or type that does not exist: the parser's words, which name line and key.
    Syntax(PathBuf, String),
    /// A value that makes no sense.
    Value { key: &'static str, problem: String },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "configuration {}: {error}", path.display()),
            Self::Syntax(path, message) => write!(f, "configuration {}: {message}", path.display()),
            Self::Value { key, problem } => write!(f, "configuration key '{key}': {problem}"),
        }
    }
}

impl Config {
    /// Reads `explicit`, which must exist, or `grantor.toml` in the data directory, which need not.
    pub fn load(data: &Path, explicit: Option<&Path>, overrides: &Overrides) -> Result<Self, ConfigError> {
        let path = explicit.map_or_else(|| data.join("grantor.toml"), Path::to_owned);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && explicit.is_none() => String::new(),
            Err(error) => return Err(ConfigError::Unreadable(path, error)),
        };
        let raw = parse(&text).map_err(|problem| ConfigError::Syntax(path, problem))?;
        Self::check(raw, overrides)
    }

    fn check(raw: RawConfig, overrides: &Overrides) -> Result<Self, ConfigError> {
        let issuer = overrides.issuer.clone().or(raw.issuer).unwrap_or_else(|| "http://127.0.0.1:8080".to_owned());
        let issuer = Issuer::parse(&issuer).map_err(|error| value("issuer", format!("{issuer:?} {error}")))?;
        let listen = overrides.listen.unwrap_or(raw.listen);
        check_listen(listen, raw.behind_proxy)?;
        Ok(Self {
            issuer,
            listen,
            assertion: assertion(raw.profile, raw.assertion)?,
            token: token(raw.token)?,
            decisions: decisions(raw.decisions)?,
            log: log(raw.log),
        })
    }
}

fn value(key: &'static str, problem: impl Into<String>) -> ConfigError {
    ConfigError::Value { key, problem: problem.into() }
}

/// RFC 6749 §3.2: credentials never travel in the clear.
fn check_listen(listen: SocketAddr, behind_proxy: bool) -> Result<(), ConfigError> {
    if listen.ip().is_loopback() || behind_proxy {
        return Ok(());
    }
    let problem = format!(
        "{listen} is reachable from outside without TLS; listen on a loopback address, or set behind_proxy = true if a proxy \
         in front of it terminates TLS"
    );
    Err(value("listen", problem))
}

fn assertion(profile: Profile, raw: raw::Assertion) -> Result<AssertionConfig, ConfigError> {
    let algorithms: Vec<Algorithm> = match raw.algorithms {
        None => profile.default_algorithms(),
        Some(names) => names.iter().map(|name| signature_algorithm("assertion.algorithms", name)).collect::<Result<_, _>>()?,
    };
    if algorithms.is_empty() {
        return Err(value("assertion.algorithms", "name at least one algorithm"));
    }
    if let Some(refused) = algorithms.iter().find(|algorithm| !profile.accepts_algorithm(**algorithm)) {
        return Err(value("assertion.algorithms", format!("profile fapi2 does not allow {refused}")));
    }
    let leeway = seconds("assertion.leeway_seconds", raw.leeway_seconds, 0, 300)?;
    let maximum_lifetime = seconds("assertion.maximum_lifetime_seconds", raw.maximum_lifetime_seconds, 1, 86_400)?;
    Ok(AssertionConfig { profile, algorithms, leeway, maximum_lifetime })
}

fn token(raw: raw::Token) -> Result<TokenConfig, ConfigError> {
    let lifetime = seconds("token.lifetime_seconds", raw.lifetime_seconds, 1, 86_400)?;
    let signing_algorithm = signature_algorithm("token.signing_algorithm", &raw.signing_algorithm)?;
    Ok(TokenConfig { lifetime, signing_algorithm, audience: raw.audience, resources: raw.resources })
}

fn decisions(raw: raw::Decisions) -> Result<Retention, ConfigError> {
    let age = seconds("decisions.days", raw.days.saturating_mul(86_400), 86_400, 3650 * 86_400)?;
    Ok(Retention { rows: raw.rows, age })
}

fn log(raw: raw::Log) -> LogConfig {
    LogConfig { format: raw.format, level: raw.level }
}

/// An asymmetric algorithm by name.
fn signature_algorithm(key: &'static str, name: &str) -> Result<Algorithm, ConfigError> {
    let found = Algorithm::from_name(name).filter(|algorithm| !algorithm.is_mac());
    let known = || Algorithm::ALL.iter().filter(|algorithm| !algorithm.is_mac()).map(|algorithm| algorithm.name());
    found.ok_or_else(|| value(key, format!("{name:?} is not one of {}", known().collect::<Vec<_>>().join(", "))))
}

fn seconds(key: &'static str, seconds: u64, least: u64, most: u64) -> Result<Duration, ConfigError> {
    match (least..=most).contains(&seconds) {
        true => Ok(Duration::from_secs(seconds)),
        false => Err(value(key, format!("{seconds} is not between {least} and {most}"))),
    }
}

/// Reads TOML. The error, on one line, quotes the line that is wrong, and so its key.
fn parse(text: &str) -> Result<RawConfig, String> {
    toml::from_str(text).map_err(|error| {
        let message = error.message().replace('\n', ", ");
        let Some(span) = error.span() else { return message };
        let number = text[..span.start].matches('\n').count();
        let line = text.lines().nth(number).unwrap_or_default().trim();
        format!("line {}, {line:?}: {message}", number + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Config, String> {
        let raw = parse(text)?;
        Config::check(raw, &Overrides::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_file_is_the_default() {
        let config = check("").expect("the default");
        assert_eq!(config.issuer.as_str(), "http://127.0.0.1:8080");
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    }

    #[test]
    fn errors_name_the_key_and_the_remedy() {
        for (text, key, remedy) in [
            ("issuer = \"http://as.example\"", "issuer", "https"),
            ("listen = \"0.0.0.0:80\"", "listen", "behind_proxy"),
            ("lisen = \"127.0.0.1:80\"", "lisen", "listen"),
            ("listen = 8080", "listen", "socket address"),
            ("[token]\nsigning_algorithm = \"HS256\"", "token.signing_algorithm", "ES256"),
            ("[token]\nlifetime_seconds = 0", "token.lifetime_seconds", "between 1"),
            ("profile = \"fapi2\"\n[assertion]\nalgorithms = [\"RS256\"]", "assertion.algorithms", "fapi2 does not allow RS256"),
            ("profile = \"fapi3\"", "profile", "fapi2"),
            ("[assertion]\nalgorithms = [\"none\"]", "assertion.algorithms", "RS256"),
            ("[assertion]\nleeway_seconds = 4000", "assertion.leeway_seconds", "300"),
        ] {
            let error = check(text).expect_err(text);
            assert!(error.contains(key) && error.contains(remedy), "{text}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
        assert!(check("listen = \"0.0.0.0:80\"\nbehind_proxy = true").is_ok());
    }
}
