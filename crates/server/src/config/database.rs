//! Which database: a file of this machine, unless `[database]` names a PostgreSQL server.

use std::path::PathBuf;

use serde::Deserialize;

use super::{ConfigError, raw, value, value_of};

/// A PostgreSQL server, and what it promises.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    /// Where it is. No password is in it.
    pub url: String,
    /// The file of the password.
    pub password_file: Option<PathBuf>,
    /// The root certificates of the server; else those of the system.
    pub ca_file: Option<PathBuf>,
    pub durability: Durability,
    /// Most connections of one process.
    pub connections: u8,
    /// The schema that all tables are in.
    pub schema: String,
}

impl DatabaseConfig {
    /// A server that a command names, with the rest as it is by default.
    ///
    /// # Errors
    /// What is wrong with the URL, or with the name of the schema.
    pub fn named(url: String, schema: Option<String>) -> Result<Self, ConfigError> {
        check_url(&url)?;
        Ok(Self {
            url,
            password_file: None,
            ca_file: None,
            durability: Durability::Local,
            connections: CONNECTIONS,
            schema: self::schema(schema)?.unwrap_or_else(|| SCHEMA.to_owned()),
        })
    }
}

/// What a commit is on when it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The disk of one server.
    Local,
    /// The disks of two.
    Replicated,
}

/// Connections of one process, unless said otherwise.
const CONNECTIONS: u8 = 6;
/// The least and the most of them.
const CONNECTIONS_WITHIN: std::ops::RangeInclusive<u64> = 4..=100;
/// The schema, unless said otherwise.
const SCHEMA: &str = "grantor";
/// Longest name in PostgreSQL, in octets.
const LONGEST_SCHEMA: usize = 63;

/// The PostgreSQL server, if the section names one.
pub fn database(raw: raw::Database) -> Result<Option<DatabaseConfig>, ConfigError> {
    let connections = connections(raw.connections)?;
    let schema = schema(raw.schema)?;
    let Some(url) = raw.url else {
        let needs_url = [
            ("database.password_file", raw.password_file.is_some()),
            ("database.ca_file", raw.ca_file.is_some()),
            ("database.durability", raw.durability.is_some()),
            ("database.connections", connections.is_some()),
            ("database.schema", schema.is_some()),
        ];
        return match needs_url.into_iter().find(|(_, is_set)| *is_set) {
            Some((key, _)) => Err(value(
                key,
                "says how a PostgreSQL server is used, and none is named; set database.url, or leave it out",
            )),
            None => Ok(None),
        };
    };
    check_url(&url)?;
    let durability = raw.durability.ok_or_else(|| {
        value(
            "database.durability",
            "has to be said: \"local\" if what is committed is on the disk of one server, \"replicated\" if it is on the disks of two",
        )
    })?;
    Ok(Some(DatabaseConfig {
        url,
        password_file: raw.password_file,
        ca_file: raw.ca_file,
        durability,
        connections: connections.unwrap_or(CONNECTIONS),
        schema: schema.unwrap_or_else(|| SCHEMA.to_owned()),
    }))
}

/// The URL is not quoted: there may be a password in it.
fn check_url(url: &str) -> Result<(), ConfigError> {
    let key = "database.url";
    if has_password(url) {
        return Err(value(
            key,
            "has a password in it, which logs and process lists would show; write it to a file, and name that as database.password_file",
        ));
    }
    let is_url = ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    match is_url || (!url.contains("://") && url.contains('=')) {
        true => Ok(()),
        false => Err(value(
            key,
            "is neither postgres://user@host:port/database nor a list such as host=/run/postgresql dbname=grantor",
        )),
    }
}

/// Whether there is a password in `user:password@host`, or in a parameter of this name.
fn has_password(url: &str) -> bool {
    let is_parameter = url
        .split(['?', '&', ' ', '\t', '\n'])
        .any(|part| part.trim_start().starts_with("password"));
    let Some((_, rest)) = url.split_once("://") else {
        return is_parameter;
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    is_parameter || user.is_some_and(|user| user.contains(':'))
}

fn connections(number: Option<u64>) -> Result<Option<u8>, ConfigError> {
    let Some(number) = number else {
        return Ok(None);
    };
    match u8::try_from(number) {
        Ok(few) if CONNECTIONS_WITHIN.contains(&number) => Ok(Some(few)),
        _ => Err(value_of(
            "database.connections",
            number,
            "is not between 4 and 100",
        )),
    }
}

/// A name that means the same with and without quotes.
fn schema(name: Option<String>) -> Result<Option<String>, ConfigError> {
    let is_name = |name: &str| {
        let is_of_it =
            |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'_';
        let begins = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
        begins
            && name.bytes().all(is_of_it)
            && name.len() <= LONGEST_SCHEMA
            && !name.starts_with("pg_")
    };
    match name {
        Some(name) if !is_name(&name) => Err(value_of(
            "database.schema",
            name,
            "is no name of small letters, digits and _, or one of PostgreSQL's own",
        )),
        name => Ok(name),
    }
}
