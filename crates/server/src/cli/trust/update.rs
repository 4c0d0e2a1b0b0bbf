//! `grantor trust update`

use clap::Args;
use grantor::types::Name;

use super::members::{Members, Removed};
use crate::{
    admin::{
        Input,
        trusts::{ShowTrust, UpdateTrust},
    },
    cli::{Connection, Failure, Output, difference},
};

/// Change a trust: what is named is replaced, the rest stays; what differs is printed
///
/// A pin takes the place of those of the same claim, and the pins of other claims stay; so it is
/// with --match and --claim.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor trust update ci --pin ref=refs/heads/release
  grantor trust update ci --unpin environment --match 'ref=refs/heads/release/*'
  grantor trust update ci --scope 'deploy status' --lifetime 15m
  grantor trust update ci --condition ''")]
pub struct Update {
    /// Name of the trust
    name: Name,
    #[command(flatten)]
    members: Members,
    #[command(flatten)]
    removed: Removed,
}

impl Update {
    pub async fn run(self, server: &Connection, output: Output) -> Result<(), Failure> {
        let before = server.look::<ShowTrust>(Input::at(self.name.clone()));
        let before = before.await?;
        let patch = self.members.of_change(&before.document, &self.removed)?;
        let input = Input::<UpdateTrust>::with(self.name.clone(), patch.into());
        let updated = server.call_at(input, &before.state).await?;
        difference::print(
            &updated.document,
            format_args!("trust {}", self.name),
            output,
        )
    }
}
