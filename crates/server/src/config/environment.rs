//! The environment over the file: each key of `grantor.toml` has a variable, named by section and
//! key.

use std::{env, net::IpAddr, path::Path};

use grantor::{file, types::Shown};
use toml::{Table, Value};

/// How the variables begin.
const PREFIX: &str = "GRANTOR_";
/// A variable of this ending names a file that holds the value.
const FROM_FILE: &str = "_FILE";
/// What stands in an error for what such a file holds. It is never quoted: the file may be another
/// than was meant, with a secret in it.
pub const UNQUOTED: &str = "what the file holds";
/// Variables that are no keys of the file: the command line's own, and those of the project's
/// tests.
const OTHERS: [&str; 5] = [
    "GRANTOR_DATA",
    "GRANTOR_CONFIG",
    "GRANTOR_MASTER_KEY",
    "GRANTOR_VECTORS",
    "GRANTOR_TEST_DATABASE",
];

/// What a key holds, and so how its variable is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    /// Relative to where the process was started, as on the command line.
    Path,
    Whole,
    Truth,
    /// Separated by commas or spaces.
    List,
}

/// Every key of the file: its section, which is empty for those that stand before the first, its
/// name and its kind. A test holds this against what the file may say.
const KEYS: [(&str, &str, Kind); 57] = [
    ("", "issuer", Kind::Text),
    ("", "listen", Kind::Text),
    ("", "drain_seconds", Kind::Whole),
    ("", "master_key_file", Kind::Path),
    ("", "behind_proxy", Kind::Truth),
    ("", "profile", Kind::Text),
    ("database", "url", Kind::Text),
    ("database", "password_file", Kind::Path),
    ("database", "ca_file", Kind::Path),
    ("database", "durability", Kind::Text),
    ("database", "connections", Kind::Whole),
    ("database", "schema", Kind::Text),
    ("tls", "certificate", Kind::Path),
    ("tls", "key", Kind::Path),
    ("tls", "client_certificates", Kind::Text),
    ("proxy", "trusted", Kind::List),
    ("proxy", "hops", Kind::Whole),
    ("proxy", "header", Kind::Text),
    ("outgoing", "allow_internal", Kind::List),
    ("outgoing", "proxy", Kind::Text),
    ("limits", "connections", Kind::Whole),
    ("limits", "connections_per_address", Kind::Whole),
    ("limits", "requests", Kind::Whole),
    ("limits", "client_failures_per_minute", Kind::Whole),
    ("limits", "address_failures_per_minute", Kind::Whole),
    ("limits", "replay_entries_per_issuer", Kind::Whole),
    ("limits", "tokens_per_client", Kind::Whole),
    ("assertion", "algorithms", Kind::List),
    ("assertion", "leeway_seconds", Kind::Whole),
    ("assertion", "maximum_lifetime_seconds", Kind::Whole),
    ("token", "lifetime_seconds", Kind::Whole),
    ("token", "signing_algorithm", Kind::Text),
    ("token", "audience", Kind::Text),
    ("token", "resources", Kind::List),
    ("decisions", "granted", Kind::Truth),
    ("decisions", "rows", Kind::Whole),
    ("decisions", "megabytes", Kind::Whole),
    ("decisions", "days", Kind::Whole),
    ("changes", "rows", Kind::Whole),
    ("changes", "days", Kind::Whole),
    ("log", "format", Kind::Text),
    ("log", "level", Kind::Text),
    ("metrics", "listen", Kind::Text),
    ("metrics", "allow_remote", Kind::Truth),
    ("otel", "endpoint", Kind::Text),
    ("person", "sign_in", Kind::List),
    ("person", "session_idle_minutes", Kind::Whole),
    ("person", "session_hours", Kind::Whole),
    ("person", "permission_unused_days", Kind::Whole),
    ("code", "lifetime_seconds", Kind::Whole),
    ("refresh", "idle_days", Kind::Whole),
    ("refresh", "days", Kind::Whole),
    ("refresh", "retry_seconds", Kind::Whole),
    ("admin", "enabled", Kind::Truth),
    ("admin", "listen", Kind::Text),
    ("admin", "url", Kind::Text),
    ("admin", "requests_per_minute", Kind::Whole),
];

/// A variable that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    #[error("environment variable {name} is not known; {}", nearest.as_ref().map_or("remove it".to_owned(), |nearest| format!("{nearest} is the nearest that is")))]
    Unknown {
        name: String,
        nearest: Option<String>,
    },
    #[error("environment variable {0} is not UTF-8")]
    NotText(String),
    #[error("environment variable {name}: {value} is not a whole number")]
    NotWhole { name: String, value: String },
    #[error("environment variable {name}: {value} is neither true nor false")]
    NotTruth { name: String, value: String },
    #[error(
        "environment variables {name} and {name}_FILE say the same thing twice; keep one of them"
    )]
    Twice { name: String },
    #[error("environment variable {name}: {path:?}: {problem}")]
    File {
        name: String,
        path: Shown,
        problem: String,
    },
    #[error("environment variable {name}: {problem}")]
    Value { name: String, problem: String },
}

/// Variables that begin with `GRANTOR_`, those without a value left out: containers cannot unset
/// what they inherit.
#[derive(Clone, Debug, Default)]
pub struct Environment(Vec<(String, String)>);

impl Environment {
    /// What this process was started with.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place that looks, so that all else can be tried with another environment"
    )]
    pub fn of_process() -> Result<Self, EnvironmentError> {
        let ours =
            env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let ours = ours.filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty());
        let text = |(name, value): (String, std::ffi::OsString)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(EnvironmentError::NotText(name)),
        };
        Ok(Self(ours.map(text).collect::<Result<_, _>>()?))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lays the variables over what the file says. One of a section's variables makes the section.
    pub fn lay_over(&self, table: &mut Table) -> Result<Vec<Laid>, EnvironmentError> {
        let mut laid = Vec::new();
        for (name, value) in &self.0 {
            if OTHERS.contains(&name.as_str()) || is_service_link(name, value) {
                continue;
            }
            let (key, value, is_from_file) = match Key::named(name) {
                Some(key) => (key, value.clone(), false),
                None => match name.strip_suffix(FROM_FILE).and_then(Key::named) {
                    Some(key) => (key, read(name, value)?, true),
                    None => return Err(unknown(name)),
                },
            };
            if laid.iter().any(|laid: &Laid| laid.key == key) {
                return Err(EnvironmentError::Twice {
                    name: key.variable(),
                });
            }
            let quoted = if is_from_file {
                UNQUOTED.to_owned()
            } else {
                format!("{:?}", Shown::of(&value))
            };
            let value = key.kind.read(name, value, quoted)?;
            if let (Kind::Path, true, Value::String(path)) = (key.kind, is_from_file, &value)
                && !Path::new(path).exists()
            {
                let problem = format!("{UNQUOTED} is not the path of a file that is there");
                return Err(EnvironmentError::Value {
                    name: name.clone(),
                    problem,
                });
            }
            laid.push(Laid {
                name: name.clone(),
                is_from_file,
                key,
                before: key.put(table, value),
            });
        }
        Ok(laid)
    }

    /// The variable that names the file with the value of this key, written `section.name`, if one
    /// does.
    pub fn file_variable(&self, key: &str) -> Option<String> {
        let variable = format!(
            "{PREFIX}{}{FROM_FILE}",
            key.replace('.', "_").to_ascii_uppercase()
        );
        self.0
            .iter()
            .any(|(name, _)| *name == variable)
            .then_some(variable)
    }
}

/// A variable that was laid over the file.
#[derive(Debug)]
pub struct Laid {
    pub name: String,
    pub is_from_file: bool,
    key: Key,
    before: Option<Value>,
}

impl Laid {
    /// What the table would be without this one.
    pub fn taken_away(&self, table: &Table) -> Table {
        let mut table = table.clone();
        match &self.before {
            Some(before) => drop(self.key.put(&mut table, before.clone())),
            None => self.key.remove(&mut table),
        }
        table
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    section: &'static str,
    name: &'static str,
    kind: Kind,
}

impl Key {
    fn all() -> impl Iterator<Item = Self> {
        KEYS.into_iter().map(|(section, name, kind)| Self {
            section,
            name,
            kind,
        })
    }

    fn named(variable: &str) -> Option<Self> {
        Self::all().find(|key| key.variable() == variable)
    }

    fn variable(self) -> String {
        let section = if self.section.is_empty() {
            String::new()
        } else {
            format!("{}_", self.section)
        };
        format!("{PREFIX}{section}{}", self.name).to_ascii_uppercase()
    }

    /// Answers what was there before.
    fn put(self, table: &mut Table, value: Value) -> Option<Value> {
        if self.section.is_empty() {
            return table.insert(self.name.to_owned(), value);
        }
        let section = table
            .entry(self.section)
            .or_insert_with(|| Value::Table(Table::new()));
        // What is no section is an error of the file, which is told when the whole is read.
        section.as_table_mut()?.insert(self.name.to_owned(), value)
    }

    fn remove(self, table: &mut Table) {
        if self.section.is_empty() {
            table.remove(self.name);
            return;
        }
        let Some(section) = table.get_mut(self.section).and_then(Value::as_table_mut) else {
            return;
        };
        section.remove(self.name);
        if section.is_empty() {
            table.remove(self.section);
        }
    }
}

impl Kind {
    /// `quoted` is what an error says of the value.
    fn read(self, name: &str, value: String, quoted: String) -> Result<Value, EnvironmentError> {
        let name = || name.to_owned();
        Ok(match self {
            Self::Text => Value::String(value),
            Self::Path => match std::path::absolute(&value) {
                Ok(path) => Value::String(path.to_string_lossy().into_owned()),
                Err(error) => {
                    return Err(EnvironmentError::Value {
                        name: name(),
                        problem: format!("{quoted} is no path: {error}"),
                    });
                }
            },
            Self::Whole => match value.trim().parse() {
                Ok(number) => Value::Integer(number),
                Err(_) => {
                    return Err(EnvironmentError::NotWhole {
                        name: name(),
                        value: quoted,
                    });
                }
            },
            Self::Truth => match value.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Value::Boolean(true),
                "false" | "0" | "no" | "off" => Value::Boolean(false),
                _ => {
                    return Err(EnvironmentError::NotTruth {
                        name: name(),
                        value: quoted,
                    });
                }
            },
            Self::List => {
                let items = value
                    .split([',', ' ', '\n'])
                    .map(str::trim)
                    .filter(|item| !item.is_empty());
                Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
            }
        })
    }
}

/// The value in a file, without the line break that editors put at the end.
fn read(name: &str, path: &str) -> Result<String, EnvironmentError> {
    let wrong = |problem: String| EnvironmentError::File {
        name: name.to_owned(),
        path: Shown::of(path),
        problem,
    };
    let text = file::read_text(Path::new(path), file::KEY_BYTES)
        .map_err(|error| wrong(error.to_string()))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(wrong("is empty".to_owned())),
        value => Ok(value.to_owned()),
    }
}

fn unknown(name: &str) -> EnvironmentError {
    let known = Key::all()
        .map(Key::variable)
        .chain(OTHERS.map(str::to_owned));
    let near = known
        .map(|known| (strsim::jaro_winkler(&known, name), known))
        .max_by(|one, other| one.0.total_cmp(&other.0));
    EnvironmentError::Unknown {
        name: name.to_owned(),
        nearest: near.map(|(_, known)| known),
    }
}

/// What Kubernetes tells each container about a service whose name begins with `grantor`: not ours
/// to know. Told by the value too, so that a key that is misspelt is not taken for one.
fn is_service_link(name: &str, value: &str) -> bool {
    let is_port = |part: &str| {
        part.split('_').next().is_some_and(|port| {
            !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit())
        })
    };
    (name.ends_with("_SERVICE_HOST") && value.parse::<IpAddr>().is_ok())
        || (name.contains("_SERVICE_PORT") && value.parse::<u16>().is_ok())
        || (name.ends_with("_PORT") && (value.starts_with("tcp://") || value.starts_with("udp://")))
        || name.split("_PORT_").skip(1).any(is_port)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::raw::RawConfig;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment(
            variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    fn laid(file: &str, variables: &[(&str, &str)]) -> Result<Table, EnvironmentError> {
        let mut table = file.parse().expect("TOML");
        environment(variables).lay_over(&mut table)?;
        Ok(table)
    }

    /// What serde says may stand in a section: the names between backquotes behind "expected".
    fn known_keys(section: &str) -> BTreeSet<String> {
        let header = if section.is_empty() {
            String::new()
        } else {
            format!("[{section}]\n")
        };
        let error =
            toml::from_str::<RawConfig>(&format!("{header}zzz = 1")).expect_err("no such key");
        let (_, expected) = error.message().split_once("expected ").expect("the names");
        expected
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn every_key_of_the_file_has_a_variable_and_no_other() {
        let named = |section: &str| -> BTreeSet<String> {
            Key::all()
                .filter(|key| key.section == section)
                .map(|key| key.name.to_owned())
                .collect()
        };
        let sections: BTreeSet<String> = Key::all()
            .map(|key| key.section.to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        assert_eq!(known_keys(""), &named("") | &sections);
        for section in sections {
            assert_eq!(known_keys(&section), named(&section), "[{section}]");
        }
    }

    #[test]
    fn variables_win_over_the_file_and_make_sections() {
        let file = "listen = \"127.0.0.1:1\"\n[limits]\nconnections = 1\nrequests = 2";
        let variables = [
            ("GRANTOR_LISTEN", "127.0.0.1:2"),
            ("GRANTOR_LIMITS_CONNECTIONS", "3"),
            ("GRANTOR_BEHIND_PROXY", "true"),
            ("GRANTOR_PROXY_TRUSTED", "10.0.0.0/8, 127.0.0.1 ::1"),
            ("GRANTOR_TLS_CERTIFICATE", "/etc/a.pem"),
            ("GRANTOR_DATA", "/var/lib/grantor"),
            ("GRANTOR_SERVICE_HOST", "10.0.0.1"),
            ("GRANTOR_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("GRANTOR_METRICS_PORT", "tcp://10.0.0.1:9464"),
        ];
        let expected = "listen = \"127.0.0.1:2\"\nbehind_proxy = true\n[limits]\nconnections = 3\nrequests = 2\n[proxy]\n\
                        trusted = [\"10.0.0.0/8\", \"127.0.0.1\", \"::1\"]\n[tls]\ncertificate = \"/etc/a.pem\"";
        assert_eq!(laid(file, &variables), Ok(expected.parse().expect("TOML")));
    }

    #[test]
    fn a_value_may_be_in_a_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory
            .path()
            .join("issuer")
            .to_string_lossy()
            .into_owned();
        assert!(
            laid("", &[("GRANTOR_ISSUER_FILE", &path)])
                .is_err_and(|error| error.to_string().contains("No such file"))
        );
        std::fs::write(&path, "https://as.example\n").expect("written");
        assert_eq!(
            laid("", &[("GRANTOR_ISSUER_FILE", &path)]),
            Ok("issuer = \"https://as.example\"".parse().expect("TOML"))
        );
        let twice = laid(
            "",
            &[
                ("GRANTOR_ISSUER", "https://as.example"),
                ("GRANTOR_ISSUER_FILE", &path),
            ],
        );
        assert_eq!(
            twice,
            Err(EnvironmentError::Twice {
                name: "GRANTOR_ISSUER".to_owned()
            })
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_the_nearest_that_is_right() {
        for (name, value, words) in [
            (
                "GRANTOR_ISUER",
                "https://as.example",
                &[
                    "GRANTOR_ISUER is not known",
                    "GRANTOR_ISSUER is the nearest",
                ][..],
            ),
            (
                "GRANTOR_LIMITS_CONECTIONS",
                "1",
                &["GRANTOR_LIMITS_CONNECTIONS"],
            ),
            (
                "GRANTOR_LIMITS_CONNECTIONS",
                "many",
                &[
                    "GRANTOR_LIMITS_CONNECTIONS",
                    "\"many\" is not a whole number",
                ],
            ),
            (
                "GRANTOR_BEHIND_PROXY",
                "perhaps",
                &["GRANTOR_BEHIND_PROXY", "neither true nor false"],
            ),
        ] {
            let error = laid("", &[(name, value)]).expect_err(name).to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        }
    }
}
