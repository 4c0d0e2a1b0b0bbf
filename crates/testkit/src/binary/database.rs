//! Which database the binary under test runs on: a file in its data directory, or, with
//! `GRANTOR_TEST_DATABASE=postgres`, a new PostgreSQL database for each data directory.

use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

use crate::postgres::{Database, Postgres};

/// The variable that chooses it.
const CHOICE: &str = "GRANTOR_TEST_DATABASE";

/// Whether tests run on PostgreSQL.
///
/// # Panics
/// For another database than `sqlite` and `postgres`.
#[expect(
    clippy::disallowed_methods,
    reason = "the variable chooses the database of a whole run"
)]
pub fn is_postgres() -> bool {
    match env::var(CHOICE).as_deref() {
        Err(_) | Ok("" | "sqlite") => false,
        Ok("postgres") => true,
        Ok(other) => unreachable!("{CHOICE}={other}: expected sqlite or postgres"),
    }
}

/// Whether a test is SQLite's own, because it looks at the file itself, and this run is another's:
/// says so, past the test program's capture.
#[must_use]
pub fn is_not_of_sqlite(why: &str) -> bool {
    use std::io::Write as _;
    if is_postgres() {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test");
        let _ = writeln!(std::io::stderr(), "{test}: SQLite's own: {why}");
    }
    is_postgres()
}

/// The variables that lead the binary to the database of this data directory.
///
/// # Panics
/// If PostgreSQL was chosen and is not installed: a run that tests nothing must not pass.
pub fn variables(data: &Path) -> Vec<(&'static str, String)> {
    match is_postgres() {
        true => vec![
            ("GRANTOR_DATABASE_URL", url(data)),
            ("GRANTOR_DATABASE_DURABILITY", "local".to_owned()),
        ],
        false => Vec::new(),
    }
}

/// The octets of all that is stored: the files of the data directory, and those of its database in
/// PostgreSQL.
pub fn stored(data: &Path) -> Vec<u8> {
    let files = fs::read_dir(data).expect("a directory");
    let files = files.map(|file| fs::read(file.expect("an entry").path()));
    let mut stored: Vec<u8> = files.filter_map(Result::ok).flatten().collect();
    let databases = DATABASES.get_or_init(Mutex::default);
    let databases = databases.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(database) = databases.get(data) {
        stored.extend(database.on_disk());
    }
    stored
}

/// Databases by data directory. They go with their server, which ends with this program.
static DATABASES: OnceLock<Mutex<HashMap<PathBuf, Database>>> = OnceLock::new();

fn url(data: &Path) -> String {
    let databases = DATABASES.get_or_init(Mutex::default);
    let mut databases = databases.lock().unwrap_or_else(PoisonError::into_inner);
    let database = databases.entry(data.to_owned()).or_insert_with(|| {
        let server = Postgres::shared().expect("PostgreSQL is installed");
        server.database()
    });
    database.url.clone()
}
