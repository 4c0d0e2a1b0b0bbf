//! `grantor trust update`

use clap::Args;
use grantor::types::Name;

use super::members::{Members, Removed};
use crate::cli::{Administered, Failure, Output, difference};

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
    pub async fn run(self, admin: &Administered, output: Output) -> Result<(), Failure> {
        let trusts = admin.trusts();
        let before = trusts.get(&self.name).await?;
        let patch = self.members.of_change(&before, &self.removed)?;
        let updated = trusts.update(&self.name, &patch, admin.actor()).await?;
        difference::print(&updated, format_args!("trust {}", self.name), output)
    }
}
