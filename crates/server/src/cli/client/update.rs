//! `grantor client update`

use clap::Args;
use grantor::types::ClientId;

use super::members::Members;
use crate::cli::{Administered, Failure, Output, actor};

/// Change a client: what is named is replaced, the rest stays
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor client update billing --scope 'invoices:read'
  grantor client update old-partner --audience-policy legacy
  grantor client update billing --display-name Billing --consent ask
  grantor client update portal --redirect-uri https://portal.example/callback --grant authorization-code --grant refresh-token")]
pub struct Update {
    /// Client identifier
    id: ClientId,
    #[command(flatten)]
    members: Members,
}

impl Update {
    pub async fn run(self, admin: &Administered, output: Output) -> Result<(), Failure> {
        let (clients, patch) = (admin.clients(), self.members.patch()?);
        let changed = clients.update(&self.id, &patch, &actor()).await?;
        super::warn_of_consent(admin, &changed).await?;
        output.done(&changed, format_args!("client {} updated", self.id))
    }
}
