//! Which database the binary under test runs on: a file in its data directory, or, with
//! `GRANTOR_TEST_DATABASE=postgres`, a new PostgreSQL database for each data directory.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::clock::Clock;
use crate::{
    postgres::{Database, Postgres},
    wait,
};

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

/// The variables that lead the binary to the database of this data directory. Where its server
/// stands under a clock that can be set, the binary does so too, for it refuses to work by another.
///
/// # Panics
/// If PostgreSQL was chosen and is not installed: a run that tests nothing must not pass.
pub fn variables(data: &Path) -> Vec<(&'static str, OsString)> {
    match is_postgres() {
        true => with_database(data, |place| {
            let mut variables = place.clock.clone();
            variables.push(("GRANTOR_DATABASE_URL", (&place.database.url).into()));
            variables.push(("GRANTOR_DATABASE_DURABILITY", "local".into()));
            variables
        }),
        false => Vec::new(),
    }
}

/// Puts the database of a new data directory under this clock, where it is one of PostgreSQL.
pub(super) fn put_under(data: &Path, clock: &Clock) {
    if is_postgres() {
        let server = Postgres::new_under(clock, &[]).expect("PostgreSQL is installed");
        let place = Place {
            database: server.database().into(),
            clock: clock
                .variables()
                .map(|(name, path)| (name, path.into_os_string()))
                .into(),
        };
        places().insert(data.to_owned(), place);
    }
}

/// Whether a server on this data directory may be put under this clock: PostgreSQL has to be so, too.
pub(super) fn may_be_under(data: &Path, clock: &Clock) -> bool {
    let [(_, library), _] = clock.variables();
    let is_it = |place: &Place| place.clock.iter().any(|(_, path)| *path == library);
    !is_postgres() || places().get(data).is_some_and(is_it)
}

/// Does this, which sets the clock. Nodes under it whose proof was under way have compared their time
/// of before with their server's of now, and are not ready until the next one: it is waited for.
pub(super) fn stepping(clock: &Clock, set: impl FnOnce()) {
    let live: Vec<_> = under(clock)
        .into_iter()
        .filter_map(|database| {
            let ids = "SELECT coalesce(string_agg(quote_literal(id), ','), '''''') FROM node \
                WHERE seen > clock_timestamp() - interval '5 s'";
            // Where nothing was started yet there is no table.
            let ids = database.psql(ids).ok()?;
            Some((database, ids))
        })
        .collect();
    set();
    for (database, ids) in live {
        let unproven = format!(
            "SELECT count(*) FROM node WHERE id IN ({ids}) AND ( \
                abs(extract(epoch FROM seen - clock_timestamp())) > 5 \
                OR abs(clock_ms - extract(epoch FROM seen) * 1000) > 5000)"
        );
        let is_proven = || database.psql(&unproven).is_ok_and(|count| count == "0");
        // One that was killed meanwhile proves nothing any more.
        let _ = wait::blocking::comes(Duration::from_secs(5), is_proven);
    }
}

/// The databases under this clock.
fn under(clock: &Clock) -> Vec<Arc<Database>> {
    let [(_, library), _] = clock.variables();
    let places = places();
    let is_under = |place: &&Place| place.clock.iter().any(|(_, path)| *path == library);
    let found = places.values().filter(is_under);
    found.map(|place| place.database.clone()).collect()
}

/// Removes the databases under this clock, and their server.
pub(super) fn remove_those_under(clock: &Clock) {
    let [(_, library), _] = clock.variables();
    let mut places = places();
    let is_under = |place: &Place| place.clock.iter().any(|(_, path)| *path == library);
    let under = places.extract_if(.., |_, place| is_under(place));
    let removed: Vec<_> = under.collect();
    drop(places);
    drop(removed);
}

/// The octets of all that is stored: the files of the data directory, and those of its database in
/// PostgreSQL.
pub fn stored(data: &Path) -> Vec<u8> {
    let files = fs::read_dir(data).expect("a directory");
    let files = files.map(|file| fs::read(file.expect("an entry").path()));
    let mut stored: Vec<u8> = files.filter_map(Result::ok).flatten().collect();
    if let Some(place) = places().get(data) {
        stored.extend(place.database.on_disk());
    }
    stored
}

/// The number that this statement finds, in the SQL of both databases: read past the binary.
///
/// # Panics
/// Where it finds none.
pub fn number(data: &Path, select: &str) -> i64 {
    if is_postgres() {
        let database = with_database(data, |place| place.database.clone());
        let number = database.psql(select).expect("an answer");
        return number.parse().expect("a number");
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = Connection::open_with_flags(data.join("grantor.db"), flags);
    let database = database.expect("the file of the database");
    database.busy_timeout(wait::PATIENCE).expect("set");
    let number = database.query_row(select, [], |row| row.get(0));
    number.expect("a number")
}

/// Where a data directory has its database.
struct Place {
    database: Arc<Database>,
    /// The variables of the clock that its server stands under, if it can be set.
    clock: Vec<(&'static str, OsString)>,
}

/// Databases by data directory. They go with their server, which ends with this program.
static PLACES: Mutex<BTreeMap<PathBuf, Place>> = Mutex::new(BTreeMap::new());

fn places() -> MutexGuard<'static, BTreeMap<PathBuf, Place>> {
    PLACES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `read` makes of the place of this data directory's database, which is made if there is none.
fn with_database<T>(data: &Path, read: impl FnOnce(&Place) -> T) -> T {
    let mut places = places();
    let place = places.entry(data.to_owned()).or_insert_with(|| {
        let server = Postgres::shared().expect("PostgreSQL is installed");
        Place {
            database: server.database().into(),
            clock: Vec::new(),
        }
    });
    read(place)
}
