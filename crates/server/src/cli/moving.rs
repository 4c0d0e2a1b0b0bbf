//! `grantor move`: from the file of one machine to a server that many nodes share.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Args;
use serde_json::{Map, Value, json};

use super::{
    Failure, Global,
    output::{table, time},
};
use crate::{
    backend::{Abandoned, MoveError, Moved, Step},
    config::{Config, DatabaseConfig},
};

/// Move the database of this machine to a PostgreSQL server, for many nodes
///
/// Everything goes: what is registered with its numbers, signing keys, used assertions, tokens,
/// revocations, sessions, decisions, records of changes, counts. Each row is read back and compared.
/// It is there whole or not at all. The server is stopped before; afterwards the database of this
/// directory is marked as moved, and no server starts on it any more. Where it was interrupted, the
/// same command again ends it.
///
/// The master key does not move: each node needs the same file.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor move --to postgres://grantor@db.example/grantor --password-file /etc/grantor/database.password
  grantor move                                         to the server that [database] of the configuration names
  grantor move --abandon --to postgres://grantor@db.example/grantor

Making the database and its role: docs/many-nodes.md.")]
pub struct Move {
    /// The database, in which the schema is empty or absent, without a password [default:
    /// database.url of the configuration]
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// File of the password there [default: database.password_file]
    #[arg(long, value_name = "FILE", requires = "to")]
    password_file: Option<PathBuf>,
    /// Root certificates of the server there, in PEM [default: database.ca_file, else the system's]
    #[arg(long, value_name = "FILE", requires = "to")]
    ca_file: Option<PathBuf>,
    /// Schema of the tables there [default: database.schema, else grantor]
    #[arg(long, value_name = "NAME", requires = "to")]
    schema: Option<String>,
    /// Give up a move that was interrupted, so that servers start here again. With --to, that
    /// database is asked whether the move has arrived; without, what was issued before now is
    /// refused, as after a restore
    #[arg(long)]
    abandon: bool,
}

impl Move {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let config = global.start()?;
        let server = self.server(&config)?;
        if self.abandon {
            return self.give_up(global, &config, server.as_ref()).await;
        }
        let Some(server) = server else {
            return Err(Failure::usage(
                "say where to: --to postgres://USER@HOST/DATABASE, or database.url in the configuration",
            ));
        };
        let place = global.place(&config);
        let mut progress = Progress::new();
        let moved = place.move_to(&server, |step, table, rows| {
            progress.tell(step, table, rows);
        });
        let moved = moved.await;
        progress.clear();
        let moved = moved.map_err(|error| self.failure(&error))?;
        let key = place.master_key_file();
        let rows: Map<String, Value> = moved
            .tables
            .iter()
            .map(|(table, rows)| ((*table).to_owned(), json!(rows)))
            .collect();
        let value = json!({
            "moved_to": {"url": server.url, "schema": server.schema},
            "rows": rows,
            "master_key": key,
        });
        let is_configured = config.database.is_some();
        let text = [
            told(&moved, &server),
            next(&server, is_configured, &key.display().to_string()),
        ];
        global.output().done(&value, text.join("\n"))
    }

    /// The server that is named, by flags over the configuration.
    fn server(&self, config: &Config) -> Result<Option<DatabaseConfig>, Failure> {
        let mut server = match (&self.to, &config.database) {
            (None, configured) => return Ok(configured.clone()),
            (Some(to), Some(configured)) if *to == configured.url => configured.clone(),
            (Some(_), Some(_)) => {
                return Err(Failure::usage(
                    "--to and database.url of the configuration name different databases, and nodes go by the configuration; make them the same",
                ));
            }
            (Some(to), None) => {
                let named = DatabaseConfig::named(to.clone(), self.schema.clone());
                named.map_err(|error| Failure::usage(by_flags(&error.to_string())))?
            }
        };
        if let (Some(schema), Some(_)) = (&self.schema, &config.database)
            && *schema != server.schema
        {
            return Err(Failure::usage(format!(
                "--schema is not database.schema of the configuration, {:?}, and nodes go by that; make them the same",
                server.schema
            )));
        }
        let password_file = self.password_file.clone();
        server.password_file = password_file.or(server.password_file);
        server.ca_file = self.ca_file.clone().or(server.ca_file);
        Ok(Some(server))
    }

    async fn give_up(
        &self,
        global: &Global,
        config: &Config,
        server: Option<&DatabaseConfig>,
    ) -> Result<(), Failure> {
        // A server that is gone for good cannot be asked.
        let server = server.filter(|_| self.to.is_some());
        let given_up = global.place(config).abandon_move(server).await;
        let given_up = given_up.map_err(|error| self.failure(&error))?;
        let data = global.data.display();
        let (fence, text) = match given_up {
            Abandoned::Fenced(fence) => (
                Some(time(fence)),
                format!(
                    "the move is given up, and servers start on {data} again; as it is not known whether it has arrived, assertions issued before {} \
                     are refused, and tokens issued before now are inactive; start no node on the other database; what was disabled, deleted or withdrawn \
                     there is not so here: look it through",
                    time(fence)
                ),
            ),
            _ => (
                None,
                format!(
                    "the move is given up: nothing had arrived, and servers start on {data} again"
                ),
            ),
        };
        let value = json!({"abandoned": global.data, "fence": fence});
        global.output().done(&value, text)
    }

    fn failure(&self, error: &MoveError) -> Failure {
        let text = match self.to {
            Some(_) => by_flags(&error.to_string()),
            None => error.to_string(),
        };
        match error.is_usage() {
            true => Failure::usage_lines(text),
            false => Failure::failed(text),
        }
    }
}

/// What the configuration would say, as flags say it.
fn by_flags(text: &str) -> String {
    let flags = [
        ("configuration key 'database.url'", "--to"),
        ("configuration key 'database.schema'", "--schema"),
        ("[database] url", "--to"),
        ("database.password_file", "--password-file"),
        ("[database] password_file", "--password-file"),
        ("[database] ca_file", "--ca-file"),
    ];
    flags
        .iter()
        .fold(text.to_owned(), |text, (key, flag)| text.replace(key, flag))
}

fn told(moved: &Moved, server: &DatabaseConfig) -> String {
    if moved.tables.is_empty() {
        return format!(
            "moved to {}: an earlier attempt had done it, and the database of this directory is marked now",
            server.url
        );
    }
    let rows: u64 = moved.tables.iter().map(|(_, rows)| rows).sum();
    let list = table(&moved.tables, &["TABLE", "ROWS"], |(table, rows)| {
        vec![(*table).to_owned(), rows.to_string()]
    });
    format!(
        "moved to {}: {rows} rows, each read back and compared; no server starts on this directory's database any more\n{list}",
        server.url
    )
}

/// What is left to do.
fn next(server: &DatabaseConfig, is_configured: bool, key: &str) -> String {
    let configuration = match is_configured {
        true => String::new(),
        false => format!(
            "set [database] url = {:?}, schema = {:?} and durability in the configuration of each node; ",
            server.url, server.schema
        ),
    };
    format!(
        "Next: {configuration}give each node the master key {key} (master_key_file), and keep a copy of it; check with `grantor doctor --database`; \
         start the nodes"
    )
}

/// How soon what was told on a terminal is told anew.
const EVERY: Duration = Duration::from_millis(200);

/// One line on a terminal, written again and again. Logs and pipes get none.
struct Progress {
    is_shown: bool,
    told: Option<Instant>,
}

impl Progress {
    fn new() -> Self {
        Self {
            is_shown: io::stderr().is_terminal(),
            told: None,
        }
    }

    fn tell(&mut self, step: Step, table: &str, rows: u64) {
        let is_due = self.told.is_none_or(|told| told.elapsed() >= EVERY);
        if !self.is_shown || !is_due {
            return;
        }
        self.told = Some(Instant::now());
        let done = match step {
            Step::Copying => "copied",
            _ => "compared",
        };
        // A terminal that does not take it misses nothing.
        let _ = write!(io::stderr(), "\r{table}: {rows} rows {done}\u{1b}[K");
    }

    fn clear(&self) {
        if self.told.is_some() {
            let _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}
