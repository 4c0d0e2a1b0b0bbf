//! Who else may read or change a file with a private key.

use std::{fs, path::Path};

use grantor_stores::Exposure;

/// Others may change a key file.
#[derive(Debug, thiserror::Error)]
#[error("key file {0}: others may change it; run: chmod 600 {0}")]
pub struct OthersMayChange(String);

/// Refuses a key file that others may change, for they decide what is signed with whose key, and
/// where it is sent. That others may read it is logged only: orchestrators mount secrets so that
/// all users in a container can, and often there is one.
pub fn check_access(path: &Path) -> Result<(), OthersMayChange> {
    match exposure(path) {
        Some(Exposure::Writable) => Err(OthersMayChange(path.display().to_string())),
        _ => {
            warn_if_exposed(path);
            Ok(())
        }
    }
}

/// Logs that others than the owner and the groups of this process may read or write a file with a
/// private key.
pub fn warn_if_exposed(path: &Path) {
    if let Some(exposure) = exposure(path) {
        tracing::warn!(
            "key file {path}: others may {exposure} it; run: chmod 600 {path}",
            path = path.display()
        );
    }
}

/// A pipe or a terminal is not looked at.
fn exposure(path: &Path) -> Option<Exposure> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Exposure::of(&metadata)
}
