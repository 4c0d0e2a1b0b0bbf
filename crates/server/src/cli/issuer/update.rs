//! `grantor issuer update`

use std::time::Duration;

use clap::Args;
use grantor::{
    admin::{Patch, Updated},
    types::Name,
};
use serde_json::json;
use url::Url;

use super::{key_source::KeySource, members::Members};
use crate::{
    admin::{
        Input, State,
        issuers::{AddIssuerKeys, IssuerChange, UpdateIssuer, UploadedKeys},
    },
    cli::{Connection, Failure, Output, difference, parse::duration},
};

/// Change an issuer: what is named is replaced, the rest stays; what differs is printed
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor issuer update github --max-lifetime 10m --alg RS256
  grantor issuer update bitbucket --audience-match any
  grantor issuer update cluster-a --jwks new-keys.json --overlap 7d     the keys before work for 7 days more
  grantor issuer update partner --pem next.pem --add                    beside those that are there")]
pub struct Update {
    /// The issuer, by `iss` or name
    #[arg(value_name = "ISS")]
    iss: String,
    /// What you call it from now on
    #[arg(long, value_name = "NAME")]
    name: Option<Name>,
    #[command(flatten)]
    keys: KeySource,
    /// Where its metadata is, if at neither of the usual places. It has to name the issuer all the
    /// same
    #[arg(long, value_name = "URL")]
    metadata_url: Option<Url>,
    /// Add the keys of a file to those that are there, which work on
    #[arg(long, requires = "key_source", conflicts_with = "overlap")]
    add: bool,
    /// Add the keys of a file to those that are there, which end after this time, such as 7d
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "key_source")]
    overlap: Option<Duration>,
    #[command(flatten)]
    members: Members,
    /// Take another place of its keys without asking there
    #[arg(long)]
    no_check: bool,
}

impl Update {
    pub async fn run(self, server: &Connection, output: Output) -> Result<(), Failure> {
        let adds = self.add || self.overlap.is_some();
        if adds && !self.keys.is_upload() {
            return Err(Failure::usage(
                "--add and --overlap go with keys of a file: --jwks FILE, --pem FILE or --spiffe-bundle FILE",
            ));
        }
        let keys = self.keys.read(self.metadata_url)?;
        let mut patch = self.members.patch()?;
        if let Some(name) = &self.name {
            patch = patch.with("name", json!(name));
        }
        let (mut updated, mut state) = (None, State::default());
        match keys {
            Some(keys) if adds => {
                let overlap = self.overlap.map(|overlap| overlap.as_secs());
                let new = UploadedKeys { keys, overlap };
                let input = Input::<AddIssuerKeys>::with(self.iss.clone(), new);
                let seen = server.look(input).await?;
                (updated, state) = (Some(seen.document), seen.state);
            }
            Some(keys) => patch = patch.with("keys", json!(keys)),
            None => {}
        }
        if updated.is_none() || patch != Patch::default() {
            let change = IssuerChange {
                check: self.no_check.then_some(false),
                revoke_tokens: None,
            };
            let input = Input::<UpdateIssuer>::with(self.iss.clone(), patch.into());
            let changed = server.call_at(input.asking(change), &state).await?;
            updated = Some(match updated {
                Some(before) => joined(before, changed.document),
                None => changed.document,
            });
        }
        let updated = updated.ok_or_else(|| Failure::failed("nothing was changed"))?;
        difference::print(&updated, format_args!("issuer {}", self.iss), output)
    }
}

/// Both changes as one.
fn joined<D>(mut before: Updated<D>, after: Updated<D>) -> Updated<D> {
    before.document = after.document;
    before.differences.extend(after.differences);
    before
}
