//! `grantor client update`

use clap::Args;
use grantor::types::ClientId;
use serde_json::{Value, json};
use url::Url;

use super::members::Members;
use crate::{
    admin::{Input, clients::UpdateClient},
    cli::{Connection, Failure, Output, connection::warn},
};

/// Change a client: what is named is replaced, the rest stays
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor client update billing --scope 'invoices:read'
  grantor client update old-partner --audience-policy legacy
  grantor client update portal --jwks-uri https://portal.example/jwks.json
  grantor client update billing --display-name Billing --consent ask
  grantor client update portal --redirect-uri https://portal.example/callback --grant authorization-code --grant refresh-token")]
pub struct Update {
    /// Client identifier
    id: ClientId,
    #[command(flatten)]
    members: Members,
    /// Fetch its public keys from this URL (https, port 443) from now on; the registered ones end
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<Url>,
}

impl Update {
    pub async fn run(self, connection: &Connection, output: Output) -> Result<(), Failure> {
        let mut patch = self.members.patch()?;
        if let Some(url) = &self.jwks_uri {
            // Keys are in one place.
            patch = patch
                .with("jwks_uri", json!(url))
                .with("jwks", Value::Null)
                .with("keys", Value::Null);
        }
        let input = Input::<UpdateClient>::with(self.id.clone(), patch.into());
        let changed = connection.call(input).await?;
        warn(&changed.warnings);
        output.done(
            &changed.document,
            format_args!("client {} updated", self.id),
        )
    }
}
