//! The servers that others wrote, as installed for tests and for the bench: the same exact
//! versions.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

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
    let pins = ["package.json", "package-lock.json"].map(|file| Path::new(PINS).join(file));
    let works = |directory: &Path| directory.join("node_modules/oidc-provider").is_dir();
    let made = packages::once(
        "third-party-servers-node",
        &[&pins[0], &pins[1]],
        works,
        |directory| {
            fs::create_dir_all(directory).map_err(|error| error.to_string())?;
            for file in &pins {
                let name = file.file_name().expect("a file");
                fs::copy(file, directory.join(name)).map_err(|error| error.to_string())?;
            }
            // npm is a script of Node.js, which it looks up in PATH.
            let beside = interpreter.parent().expect("a directory");
            let path = [
                beside.to_owned(),
                PathBuf::from("/usr/bin"),
                PathBuf::from("/bin"),
            ];
            let mut npm = Command::new(beside.join("npm"));
            npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
                .current_dir(directory);
            packages::succeed(npm.env(
                "PATH",
                env::join_paths(path).expect("no colon in the target directory"),
            ))
        },
    );
    made.map_err(|problem| {
        format!("needed: a package registry that npm reaches; what failed: {problem}")
    })
}
