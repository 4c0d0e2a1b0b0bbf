//! `grantor backup` and `grantor restore`

use std::path::PathBuf;

use clap::Args;
use grantor_stores::{
    Create, Upkeep,
    sqlite::{Restored, Revocations},
};
use serde_json::json;

use super::{Failure, Global, output::time};

/// Write a copy of the database to a file, while servers go on
///
/// The copy is whole and of one moment. The master key is not in it, and without it the copy is of
/// no use: keep both, in different places.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  grantor backup /backups/grantor-2027-01-15.db")]
pub struct Backup {
    /// The new file; one that exists is never overwritten
    file: PathBuf,
}

impl Backup {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let config = global.start()?;
        global.place(&config).is_file().map_err(Failure::usage)?;
        let store = global.open_store(&config, Create::Never, Upkeep::ByOthers);
        store.await?.backup(&self.file).map_err(Failure::failed)?;
        let octets = std::fs::metadata(&self.file)
            .map(|metadata| metadata.len())
            .unwrap_or_default();
        let text = format!(
            "{} written ({octets} octets); keep the master key too, in another place",
            self.file.display()
        );
        global
            .output()
            .done(&json!({"backup": self.file, "octets": octets}), text)
    }
}

/// Put a backup in the place of the database; running servers follow by themselves
///
/// What was registered, changed, decided or used since the backup is gone. So that no assertion is
/// accepted a second time, those that were issued before now are refused (503): clients send a new
/// one, which is taken half a minute later.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  grantor restore /backups/grantor-2027-01-15.db --replace

Copying a file over the database by hand is not the same: what a crashed server left in grantor.db-wal would be applied to it.")]
pub struct Restore {
    /// The backup
    file: PathBuf,
    /// Replace the database that is there
    #[arg(long)]
    replace: bool,
}

impl Restore {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let config = global.start()?;
        let place = global.place(&config);
        place.is_file().map_err(Failure::usage)?;
        if !self.replace && place.exists() {
            return Err(Failure::usage(format!(
                "there is a database in {}, which would be replaced; add --replace",
                global.data.display()
            )));
        }
        let restored = place.restore(&self.file).map_err(super::unopened)?;
        let Restored {
            fence,
            revocations,
            set_aside,
            ..
        } = restored;
        let aside = set_aside.as_ref().map(|path| {
            format!(
                "; the damaged database is now {}, start servers anew",
                path.display()
            )
        });
        let text = format!(
            "{} restored; assertions issued before {} are refused; {}{}",
            self.file.display(),
            time(fence),
            match revocations {
                Revocations::Kept =>
                    "tokens and signing keys that were revoked since the backup stay so",
                Revocations::Unknown => {
                    "what was revoked since the backup is not known: tokens issued before now are inactive, and a signing key that has \
                     leaked since has to be revoked again (grantor key revoke)"
                }
            },
            aside.unwrap_or_default()
        );
        let revocations = if revocations == Revocations::Kept {
            "kept"
        } else {
            "unknown"
        };
        let value = json!({"restored": self.file, "fence": time(fence), "revocations": revocations, "set_aside": set_aside});
        global.output().done(&value, text)
    }
}
