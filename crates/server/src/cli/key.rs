//! `grantor key`

use std::time::Duration;

use clap::{Args, Subcommand};
use grantor::{admin::SigningKeyState, jose::Algorithm};
use serde_json::json;

use super::{
    Connection, Failure, Global, Output,
    output::time,
    parse::{algorithm, duration},
};
use crate::admin::{
    Input, NoQuery,
    signing_keys::{
        ListSigningKeys, RevocationQuery, RevokeSigningKey, RotateSigningKey, Rotation,
    },
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
  grantor key rotate --ahead 0s        sign with the new key at once; after 10 s where nodes share the database

If the old key is known to somebody else, withdraw it: grantor key revoke KID")]
pub struct Rotate {
    /// How long the new key is published before it signs: as long as APIs may cache the key set
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = duration)]
    ahead: Duration,
    /// Algorithm of the new key [default: the configuration's token.signing_algorithm]
    #[arg(long, value_name = "ALG", value_parser = algorithm)]
    alg: Option<Algorithm>,
}

impl KeyCommand {
    /// Whether it changes what is registered.
    pub fn is_change(&self) -> bool {
        !matches!(self, Self::List)
    }

    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let server = &global.connect().await?;
        let output = global.output();
        match self {
            Self::List => list(server, output).await,
            Self::Revoke(command) => command.run(server, output).await,
            Self::Rotate(command) => command.run(server, output).await,
        }
    }
}

async fn list(server: &Connection, output: Output) -> Result<(), Failure> {
    let head = ["KID", "ALG", "STATE", "SIGNS FROM", "PUBLISHED UNTIL"];
    let keys = server.every::<ListSigningKeys, _>((), NoQuery {}).await?;
    output.print_list(&keys, &head, |key| {
        vec![
            key.kid.clone(),
            key.alg.clone(),
            key.state.as_str().to_owned(),
            time(key.signs_from),
            key.published_until.map(time).unwrap_or_default(),
        ]
    })
}

impl Revoke {
    async fn run(self, server: &Connection, output: Output) -> Result<(), Failure> {
        // Whoever types the command and a kid means it: the key that signs is the one to withdraw.
        let query = RevocationQuery {
            while_signing: Some(true),
        };
        let input = Input::<RevokeSigningKey>::at(self.kid).asking(query);
        let done = server.call(input).await?;
        let (kid, left) = (&done.revoked, &done.keys);
        let signing = left
            .iter()
            .find(|key| key.state == SigningKeyState::Signing)
            .map(|key| key.kid.as_str())
            .unwrap_or_default();
        let text = format!(
            "key {kid} is withdrawn, and {signing} signs; tokens that {kid} signed are inactive, so clients get new ones; APIs that \
             validate by themselves refuse them once they have read the key set again"
        );
        output.done(&json!(done), text)
    }
}

impl Rotate {
    async fn run(self, server: &Connection, output: Output) -> Result<(), Failure> {
        let (alg, ahead) = (self.alg, self.ahead);
        let input = Input::<RotateSigningKey>::with((), Rotation { alg, ahead });
        let key = server.call(input).await?;
        let given = key.signs_from.seconds();
        let given = given.saturating_sub(key.created_at.seconds());
        let raised = match ahead < Rotation::LEAST_OF_MANY
            && given > ahead.as_secs().cast_signed() + 1
        {
            true => {
                "; --ahead was raised to 10s, so that every node publishes the key before any signs with it"
            }
            false => "",
        };
        let text = format!(
            "key {} signs from {} on ({}){raised}",
            key.kid,
            time(key.signs_from),
            key.alg
        );
        output.done(&key, text)
    }
}
