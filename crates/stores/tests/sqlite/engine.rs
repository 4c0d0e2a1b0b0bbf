//! SQLite, as the tests of every engine ask for it.

use std::{fs, path::Path, sync::Arc, time::Duration};

use grantor::clock::Clock;
pub use grantor_stores::sqlite::{Options, SqliteStore as Store};
use rusqlite::Connection;
use tempfile::TempDir;

/// A new database, which several stores may open.
pub struct Database(TempDir);

impl Database {
    /// SQLite is built in: there always is one.
    pub fn new() -> Option<Self> {
        Some(Self(tempfile::tempdir().expect("a temporary directory")))
    }

    pub async fn open(&self) -> Store {
        self.open_with(|_| {}).await
    }

    pub async fn open_at(&self, clock: Arc<dyn Clock>) -> Store {
        self.open_with(|options| options.clock = clock).await
    }

    #[expect(clippy::unused_async, reason = "other engines are on another machine")]
    pub async fn open_with(&self, set: impl FnOnce(&mut Options)) -> Store {
        let mut options = Options::default();
        set(&mut options);
        Store::open(self.path(), &options).expect("the store opens")
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A connection of another tool.
    pub fn connection(&self) -> Connection {
        let connection = Connection::open(self.path().join("grantor.db")).expect("it opens");
        connection
            .execute_batch("PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000")
            .expect("set");
        connection
    }

    /// Has statements done as another tool would.
    pub fn by_hand(&self, statements: &str) -> Result<(), String> {
        let done = self.connection().execute_batch(statements);
        done.map_err(|error| error.to_string())
    }

    /// Nothing: see [`Self::swept`].
    pub fn mark_for_sweep(&self) {}

    /// Waits for nothing: a sweep that is due is done with the next group that is written.
    #[expect(clippy::unused_async, reason = "other engines sweep later")]
    pub async fn swept(&self) {}

    /// The one number that is asked for.
    pub fn number(&self, query: &str) -> i64 {
        self.connection()
            .query_row(query, [], |row| row.get(0))
            .expect("a number")
    }

    /// All that lies on the disk of the database: not the key that it is sealed with.
    pub fn on_disk(&self) -> Vec<u8> {
        let files = fs::read_dir(self.path()).expect("a directory");
        let paths = files.map(|file| file.expect("a file").path());
        let paths = paths.filter(|path| {
            let is_key = path.file_name().is_some_and(|name| name == "master.key");
            path.is_file() && !is_key
        });
        paths
            .flat_map(|path| fs::read(path).expect("a readable file"))
            .collect()
    }
}

/// The table whose column `record` has the documents of decisions.
pub const DECISION_RECORDS: &str = "decision";

/// Within what time that which was handed over is written when a store is dropped without a flush:
/// before the drop ends.
pub const WRITTEN_AFTER_DROP: Duration = Duration::ZERO;

/// The document of a column, in which this member is this JSON.
pub fn set(column: &str, member: &str, json: &str) -> String {
    format!("json_set({column}, '$.{member}', json('{json}'))")
}

/// The document of a column without this member.
pub fn without(column: &str, member: &str) -> String {
    format!("json_remove({column}, '$.{member}')")
}

/// The document of a column, whose array of this name has this JSON at its end, too.
pub fn pushed(column: &str, array: &[&str], json: &str) -> String {
    let path = array.join(".");
    format!("json_insert({column}, '$.{path}[#]', json('{json}'))")
}

/// These octets, which are told in hexadecimal digits.
pub fn octets(digits: &str) -> String {
    format!("x'{digits}'")
}

/// Makes every INSERT into this table fail.
pub fn refuses(table: &str) -> String {
    format!(
        "CREATE TRIGGER refuses BEFORE INSERT ON {table} BEGIN SELECT RAISE(ROLLBACK, 'full'); END"
    )
}

/// Ends what [`refuses`] began.
pub fn accepts(_table: &str) -> String {
    "DROP TRIGGER refuses".to_owned()
}

/// Ways to put another record in the place of one, and to remove all.
pub const REPLACE_RECORDS: &[&str] = &[
    "INSERT OR REPLACE INTO change_record (sequence, at, actor, resource, name, record)
     VALUES (1, 0, '', '', '', '{}')",
];
