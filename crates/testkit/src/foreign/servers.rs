//! The servers that others wrote, as installed for tests and for the bench: the same exact
//! versions.

use std::path::{Path, PathBuf};

use super::packages;

/// Where the versions are written down.
const PINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/servers");

/// The interpreter of a virtual environment with the packages in `servers/requirements.txt`,
/// Node.js among them.
///
/// # Errors
/// What to do about it, and what failed.
pub fn interpreter() -> Result<PathBuf, String> {
    let requirements = Path::new(PINS).join("requirements.txt");
    packages::python("third-party-servers-venv", &requirements)
}

/// The directory with the packages of `servers/package.json`, installed by the Node.js beside that
/// interpreter.
///
/// # Errors
/// What to do about it, and what failed.
pub fn node_packages(interpreter: &Path) -> Result<PathBuf, String> {
    let files = ["package.json", "package-lock.json"].map(|file| Path::new(PINS).join(file));
    packages::node("third-party-servers-node", &files, interpreter)
}
