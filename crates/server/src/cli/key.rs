//! `grantor key`

use std::time::Duration;

use clap::{Args, Subcommand};
use grantor::{
    jose::Algorithm,
    storage::{SigningKeyInfo, StoreError},
};
use serde::Serialize;
use serde_json::json;

use super::{
    Failure, Global,
    output::time,
    parse::{algorithm, duration},
};

/// List, rotate and withdraw the server's signing keys
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// List the keys that are published, the one that signs first
    List,
    /// Make a new key: published now, signing soon; the old one is published until its last token
    /// has expired
    Rotate(Rotate),
    /// Withdraw a key that somebody else may have: at once, with every token that it signed
    Revoke(Revoke),
}

/// Withdraw a key that somebody else may have: at once, with every token that it signed
///
/// The price: introspection calls every token that it signed inactive from the next request on, so
/// that each client has to get a new one. An API that validates tokens by itself goes on accepting
/// what the key signs until it reads the key set again. Where the key was the one that signs, the
/// next one signs at once, or a new one.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  grantor key list
  grantor key revoke 2nGq7cZkJ0VnS3w1")]
pub struct Revoke {
    /// `kid` of the key, as `grantor key list` has it
    #[arg(allow_hyphen_values = true)]
    kid: String,
}

/// Make a new key: published now, signing soon
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor key rotate
  grantor key rotate --ahead 0s        sign with the new key at once

If the old key is known to somebody else, withdraw it: grantor key revoke KID")]
pub struct Rotate {
    /// How long the new key is published before it signs: as long as APIs may cache the key set
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = duration)]
    ahead: Duration,
    /// Algorithm of the new key [default: the configuration's token.signing_algorithm]
    #[arg(long, value_name = "ALG", value_parser = algorithm)]
    alg: Option<Algorithm>,
}

/// A key as operators see it.
#[derive(Serialize)]
struct View {
    kid: String,
    alg: &'static str,
    state: &'static str,
    created_at: String,
    signs_from: String,
    published_until: Option<String>,
}

impl View {
    fn of(key: &SigningKeyInfo) -> Self {
        Self {
            kid: key.key_id.clone(),
            alg: key.algorithm.name(),
            state: match (key.is_signing, key.retires_at) {
                (true, _) => "signing",
                (false, None) => "next",
                (false, Some(_)) => "retired",
            },
            created_at: time(key.created_at),
            signs_from: time(key.signs_from),
            published_until: key.retires_at.map(time),
        }
    }
}

impl KeyCommand {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let (config, store) = global.open()?;
        let output = global.output();
        match self {
            Self::List => {
                let keys: Vec<View> = store
                    .keys
                    .signing_key_list()
                    .await?
                    .iter()
                    .map(View::of)
                    .collect();
                output.print_list(
                    &keys,
                    &["KID", "ALG", "STATE", "SIGNS FROM", "PUBLISHED UNTIL"],
                    |key| {
                        let until = key.published_until.clone().unwrap_or_default();
                        vec![
                            key.kid.clone(),
                            key.alg.to_owned(),
                            key.state.to_owned(),
                            key.signs_from.clone(),
                            until,
                        ]
                    },
                )
            }
            Self::Revoke(Revoke { kid }) => {
                let left = store
                    .keys
                    .signing_key_revoke(&kid, config.token.signing_algorithm)
                    .await;
                let left = left.map_err(|error| match error {
                    StoreError::Missing(_) => {
                        Failure::failed(format!("no key has the kid {kid}; see: grantor key list"))
                    }
                    other => other.into(),
                })?;
                let signing = left
                    .iter()
                    .find(|key| key.is_signing)
                    .map(|key| key.key_id.as_str())
                    .unwrap_or_default();
                let text = format!(
                    "key {kid} is withdrawn, and {signing} signs; tokens that {kid} signed are inactive, so clients get new ones; APIs that \
                     validate by themselves refuse them once they have read the key set again"
                );
                output.done(
                    &json!({"revoked": kid, "keys": left.iter().map(View::of).collect::<Vec<_>>()}),
                    text,
                )
            }
            Self::Rotate(Rotate { ahead, alg }) => {
                let algorithm = alg.unwrap_or(config.token.signing_algorithm);
                if algorithm.is_mac() {
                    return Err(Failure::usage(format!(
                        "--alg {algorithm}: access tokens are signed, not MACed"
                    )));
                }
                let overlap = config.token.lifetime + config.assertion.leeway;
                let key = store
                    .keys
                    .signing_key_rotate(algorithm, ahead, overlap)
                    .await?;
                output.done(
                    &View::of(&key),
                    format_args!(
                        "key {} signs from {} on ({algorithm})",
                        key.key_id,
                        time(key.signs_from)
                    ),
                )
            }
        }
    }
}
