//! Where the published test vectors are: beside the project, never in it. Without them a
//! vector-driven test says so and passes, unless `GRANTOR_VECTORS` promised them.

use std::{env, fs, path::PathBuf};

use serde_json::Value;

#[allow(
    clippy::print_stderr,
    reason = "whoever reads the test's output must see what was not run"
)]
/// The directory of vectors: `GRANTOR_VECTORS`, else `shared/vectors` beside an ancestor of this
/// crate. Says so if absent.
#[allow(
    clippy::disallowed_methods,
    reason = "tests have no configuration but the environment"
)]
pub fn directory() -> Option<PathBuf> {
    if let Some(promised) = env::var_os("GRANTOR_VECTORS").map(PathBuf::from) {
        assert!(
            promised.is_dir(),
            "GRANTOR_VECTORS names no directory: {}",
            promised.display()
        );
        return Some(promised);
    }
    let mut beside = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    while beside.pop() {
        let candidate = beside.join("shared/vectors");
        if candidate.is_dir() {
            return Some(candidate);
        }
    }
    eprintln!(
        "SKIPPED: the published test vectors are absent; set GRANTOR_VECTORS to their directory to run this test"
    );
    None
}

/// One JSON file of the vectors, by its path below [`directory`].
#[allow(dead_code, reason = "each test binary uses a part of this module")]
pub fn json(path: &str) -> Option<Value> {
    let file = directory()?.join(path);
    let text = fs::read(&file).expect("a vector file that the directory's README promises");
    Some(serde_json::from_slice(&text).expect("vectors are JSON"))
}

/// The test groups of a Wycheproof file, each with its tests: `(group, tests)`.
#[allow(dead_code, reason = "each test binary uses a part of this module")]
pub fn wycheproof(name: &str) -> Option<Vec<(Value, Vec<Value>)>> {
    let file = json(&format!("wycheproof/{name}_test.json"))?;
    let groups = file["testGroups"]
        .as_array()
        .expect("a Wycheproof file has test groups")
        .clone();
    let tests = |group: &Value| {
        group["tests"]
            .as_array()
            .expect("a group has tests")
            .clone()
    };
    Some(
        groups
            .into_iter()
            .map(|group| (group.clone(), tests(&group)))
            .collect(),
    )
}
