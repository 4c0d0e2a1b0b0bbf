//! PostgreSQL, as the tests of every engine ask for it.

use std::{sync::Arc, time::Duration};

use grantor::clock::Clock;
use grantor_stores::postgres::{Durability, Target};
pub use grantor_stores::postgres::{Options, PostgresStore as Store};
use grantor_testkit::{postgres, wait};
use tempfile::TempDir;

/// A new database, which several stores may open.
pub struct Database {
    pub database: postgres::Database,
    keys: TempDir,
}

impl Database {
    /// None where PostgreSQL is not installed: the test says that it is skipped.
    pub fn new() -> Option<Self> {
        postgres::Database::of_test().map(Self::of)
    }

    pub fn of(database: postgres::Database) -> Self {
        let keys = tempfile::tempdir().expect("a temporary directory");
        Self { database, keys }
    }

    /// Where it is. Each store has few connections, as many tests share the server.
    pub fn target(&self) -> Target {
        let mut target = Target::new(&*self.database.url, Durability::Local);
        target.connections = 5;
        target
    }

    /// The defaults, with a master key that all stores of this database share.
    pub fn options(&self) -> Options {
        Options::new(self.keys.path().join("master.key"))
    }

    pub async fn open(&self) -> Store {
        self.open_with(|_| {}).await
    }

    pub async fn open_at(&self, clock: Arc<dyn Clock>) -> Store {
        self.open_with(|options| options.clock = clock).await
    }

    pub async fn open_with(&self, set: impl FnOnce(&mut Options)) -> Store {
        let mut options = self.options();
        set(&mut options);
        let opened = Store::open(&self.target(), &options).await;
        opened.expect("the store opens")
    }

    /// Has statements done as another tool would, in one transaction.
    pub fn by_hand(&self, statements: &str) -> Result<(), String> {
        self.database.psql(statements).map(drop)
    }

    /// Lays out two rows that the next sweep of a node removes: one with its first part, which puts
    /// the other there for its last. The first store has to have been opened.
    pub fn mark_for_sweep(&self) {
        let marks = "CREATE OR REPLACE FUNCTION swept() RETURNS trigger LANGUAGE plpgsql
                SET search_path FROM CURRENT AS $$ BEGIN
                INSERT INTO node (id, version, seen, clock_ms, confirmed)
                    VALUES ('swept', '0', now() - interval '2 days', 0, pg_current_snapshot());
                RETURN NULL;
            END $$;
            CREATE OR REPLACE TRIGGER swept AFTER DELETE ON claim FOR EACH ROW
                WHEN (OLD.issuer = 0) EXECUTE FUNCTION swept();
            ALTER TABLE claim ENABLE ALWAYS TRIGGER swept;
            INSERT INTO claim (issuer, name, until) VALUES (0, gen_random_uuid(), 0)";
        self.by_hand(marks).expect("marked");
    }

    /// Waits until a node has swept once since [`Self::mark_for_sweep`]: each does every ten seconds.
    pub async fn swept(&self) {
        let marks = "SELECT (SELECT count(*) FROM claim WHERE issuer = 0)
            + (SELECT count(*) FROM node WHERE id = 'swept')";
        wait::until("a sweep", async || self.number(marks) == 0).await;
    }

    /// The one number that is asked for.
    pub fn number(&self, query: &str) -> i64 {
        let answer = self.database.psql(query).expect("an answer");
        answer.parse().expect("a number")
    }

    /// All that lies on the disk of the database.
    pub fn on_disk(&self) -> Vec<u8> {
        self.database.on_disk()
    }
}

/// The table whose column `record` has the documents of decisions.
pub const DECISION_RECORDS: &str = "decision_record";

/// Within what time that which was handed over is written when a store is dropped without a flush. A
/// drop cannot wait for another machine: the store's task writes on.
pub const WRITTEN_AFTER_DROP: Duration = Duration::from_secs(5);

/// The document of a column, in which this member is this JSON.
pub fn set(column: &str, member: &str, json: &str) -> String {
    format!("jsonb_set({column}::jsonb, '{{{member}}}', '{json}')::text")
}

/// The document of a column without this member.
pub fn without(column: &str, member: &str) -> String {
    format!("({column}::jsonb - '{member}')::text")
}

/// The document of a column, whose array of this name has this JSON at its end, too.
pub fn pushed(column: &str, array: &[&str], json: &str) -> String {
    let path = array.join(",");
    format!("jsonb_insert({column}::jsonb, '{{{path},-1}}', '{json}', true)::text")
}

/// These octets, which are told in hexadecimal digits.
pub fn octets(digits: &str) -> String {
    format!("'\\x{digits}'::bytea")
}

/// Makes every INSERT into this table fail.
pub fn refuses(table: &str) -> String {
    format!(
        "CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'; END $$;
         CREATE TRIGGER refuses BEFORE INSERT ON {table} EXECUTE FUNCTION refuses()"
    )
}

/// Ends what [`refuses`] began.
pub fn accepts(table: &str) -> String {
    format!("DROP TRIGGER refuses ON {table}; DROP FUNCTION refuses()")
}

/// Ways to put another record in the place of one, and to remove all.
pub const REPLACE_RECORDS: &[&str] = &["TRUNCATE change_record"];
