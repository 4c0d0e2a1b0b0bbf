//! Packages from other languages' registries that tests and the bench need: exact versions,
//! installed once below the target directory and kept for later runs.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

const REMEDY: &str = "needed: python3 (3.11 or newer) with its venv and pip modules and a package index that pip reaches \
                      (Debian: apt-get install python3 python3-venv)";

/// The interpreter of a virtual environment with exactly the packages in `requirements`.
///
/// # Errors
/// What to do about it, and what failed.
pub fn python(name: &str, requirements: &Path) -> Result<PathBuf, String> {
    let interpreter = |directory: &Path| directory.join("bin/python");
    let works =
        |directory: &Path| succeed(Command::new(interpreter(directory)).arg("--version")).is_ok();
    let directory = once(name, &[requirements], works, |directory| {
        succeed(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(directory),
        )?;
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            "--requirement",
        ];
        succeed(
            Command::new(interpreter(directory))
                .args(pip)
                .arg(requirements),
        )
    });
    directory
        .map(|directory| interpreter(&directory))
        .map_err(|problem| format!("{REMEDY}; what failed: {problem}"))
}

/// A directory with these files, `package.json` and its lock among them, and with the packages that
/// they pin, installed by the Node.js beside `interpreter`.
///
/// # Errors
/// What to do about it, and what failed.
pub fn node(name: &str, files: &[PathBuf], interpreter: &Path) -> Result<PathBuf, String> {
    let pins: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let works = |directory: &Path| directory.join("node_modules").is_dir();
    let made = once(name, &pins, works, |directory| {
        fs::create_dir_all(directory).map_err(|error| error.to_string())?;
        for file in files {
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
        succeed(npm.env(
            "PATH",
            env::join_paths(path).expect("no colon in the target directory"),
        ))
    });
    made.map_err(|problem| {
        format!("needed: a package registry that npm reaches; what failed: {problem}")
    })
}

/// Makes a directory below the target directory, unless it is there already, is made of the same
/// `pins`, and works.
///
/// # Errors
/// What `install` failed with.
pub fn once(
    name: &str,
    pins: &[&Path],
    works: impl FnOnce(&Path) -> bool,
    install: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let directory = target_tmp().join(name);
    fs::create_dir_all(target_tmp()).map_err(|error| error.to_string())?;
    // Another test run may be making the same directory.
    let lock = File::create(directory.with_extension("lock")).expect("a lock file");
    lock.lock().expect("the lock");
    let pins: String = pins
        .iter()
        .map(|file| fs::read_to_string(file).expect("a file of versions"))
        .collect();
    let complete = directory.join("complete");
    let is_current = fs::read_to_string(&complete).is_ok_and(|installed| installed == pins);
    if !is_current || !works(&directory) {
        install(&directory)?;
        fs::write(complete, pins).expect("a note of what is installed");
    }
    Ok(directory)
}

/// The directory `tmp` in the target directory, which cargo keeps for tests. Programs are built two
/// levels below the target directory, tests a level deeper.
fn target_tmp() -> PathBuf {
    let program = env::current_exe().expect("a program");
    let mut profile = program.parent().expect("a directory");
    if profile.ends_with("deps") {
        profile = profile.parent().expect("a profile's directory");
    }
    profile.parent().expect("a target directory").join("tmp")
}

/// Runs a command.
///
/// # Errors
/// The command failed: what it says.
pub fn succeed(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{:?}: {error}", command.get_program()))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}
