//! Moves all that is in an SQLite database to PostgreSQL. What is committed there was read back and
//! compared, and the database that was left says where to, so that no server goes on with it.
//!
//! Three marks tell how far it is, whenever it is interrupted. In SQLite `moving`, with an identifier
//! of the move, from before the copy; in PostgreSQL the same identifier, in the one transaction of
//! the copy; in SQLite `moved_to`, when that is committed. A move that finds its own identifier in
//! PostgreSQL has only the last to do.
//!
//! Copied as it is: `party`, `client`, `client_secret`, `subject`, `operator`, `password`, `passkey`,
//! `scope_text`, `permission`, `permission_use`, `issuer`, `trust`, `signing_key`, `withdrawn_key`,
//! `artifact`, `decision` (which is two tables there), `change_record`, `statistic`, of `meta` the
//! fences and what belongs to them, and the last number that each table has given. `replay` becomes
//! `claim`. Not copied: `client_key_end`, `change_hour`, `client_text` and `subject_text`, which
//! triggers and indexes make anew; `change`, which tells processes of this database what to forget;
//! `recording`, which is empty between transactions; of `meta` what is of this file alone (proof of
//! the master key, last check).

mod table;

use std::path::{Path, PathBuf};

use grantor::{
    clock::UnixTime,
    jose::{base64url_encode, crypto},
};

pub(crate) use self::table::{CLAIMS, Row, TABLES, Table, Value};
use crate::{
    Create, Upkeep,
    postgres::{self, Arriving, Failure, Short, Target},
    sqlite::{self, Begun, Kept, Leaving},
};

/// Rows that are moved at once.
const BATCH: usize = 1000;

/// The schema of a configuration that names none.
const SCHEMA: &str = "grantor";

/// What is done to the rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// They are written.
    Copying,
    /// They are read back and compared.
    Comparing,
}

/// What was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moved {
    /// How many rows of each table; empty where an earlier attempt had moved them.
    pub tables: Vec<(&'static str, u64)>,
}

/// What a move that was given up left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Abandoned {
    /// Nothing: the other database was asked, and has none of it.
    Clean,
    /// It is not known whether servers have worked on what was moved. Assertions that were not
    /// certainly issued after this are refused, and tokens issued before now are inactive.
    Fenced(UnixTime),
}

/// Why nothing was moved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The database that is left.
    #[error(transparent)]
    Source(#[from] sqlite::OpenError),
    /// The database that is moved to.
    #[error(transparent)]
    Target(#[from] postgres::OpenError),
    /// A server runs.
    #[error(
        "{0}: another process has this database open; stop `grantor serve` and every other process that uses it, then repeat; nothing was \
         changed"
    )]
    InUse(PathBuf),
    /// There is something already.
    #[error(
        "the schema {schema} of that database is in use: there are rows in its table {table}; name another with --schema (database.schema), \
         or, if nobody needs them, run: DROP SCHEMA {schema} CASCADE; nothing was changed"
    )]
    NotEmpty {
        /// The schema.
        schema: String,
        /// The first table in which something is.
        table: &'static str,
    },
    /// A table could not be written.
    #[error("table {table}: {error}; nothing was moved")]
    Table {
        /// The table.
        table: &'static str,
        /// What the server said.
        error: postgres::OpenError,
    },
    /// What was read back is not what was written.
    #[error(
        "table {table}: {wanted} rows were read and {found} written, and they are not the same; nothing was moved"
    )]
    Differs {
        /// The table.
        table: &'static str,
        /// How many rows there are in SQLite.
        wanted: u64,
        /// How many in PostgreSQL.
        found: u64,
    },
    /// The move that has begun goes elsewhere, where all may be.
    #[error(
        "{path}: a move of this database to another place has begun, and all may be there; run `grantor move` again with {to}, or give it \
         up: grantor move --abandon; nothing was changed"
    )]
    Elsewhere {
        /// The database that is left.
        path: PathBuf,
        /// Where to, as the configuration says it.
        to: String,
    },
    /// It is not known whether it was committed.
    #[error(
        "it is not known whether the move was committed: {0}; run the same command again, which finds out"
    )]
    Unknown(postgres::OpenError),
    /// It is committed, and the database that was left does not say so yet.
    #[error(
        "all of it is in the other database, and this one could not be marked: {0}; run the same command again, which marks it"
    )]
    NotMarked(sqlite::OpenError),
    /// No move has begun.
    #[error("{0}: no move of this database has begun; nothing was changed")]
    NotMoving(PathBuf),
    /// All is there.
    #[error(
        "{0}: all of it is in the other database already, and servers may work there; run `grantor move` again, which marks it as moved; \
         nothing was changed"
    )]
    Committed(PathBuf),
}

impl From<Kept> for TransferError {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Open(error) => Self::Source(error),
            Kept::InUse(path) => Self::InUse(path),
        }
    }
}

impl From<Failure> for TransferError {
    fn from(failure: Failure) -> Self {
        Self::Target(failure.into())
    }
}

/// Moves all that is in `grantor.db` in `from`, which no other process may have open, to a schema in
/// which nothing is. It is told how many rows of a table were written, or compared, again and again.
/// Repeated after an interruption, it ends what was begun.
///
/// # Errors
/// [`TransferError`]; then nothing is in PostgreSQL, unless it is [`TransferError::Unknown`] or
/// [`TransferError::NotMarked`].
pub async fn transfer(
    from: &Path,
    source: &sqlite::Options,
    target: &Target,
    options: &postgres::Options,
    mut progress: impl FnMut(Step, &'static str, u64) + Send,
) -> Result<Moved, TransferError> {
    let Parties {
        leaving,
        arriving,
        options,
    } = Parties::meet(from, source, target, options).await?;
    let begun = leaving.begun()?;
    let to = told(target);
    if let Some(begun) = begun.as_ref().filter(|begun| begun.to != to) {
        return Err(TransferError::Elsewhere {
            path: from.join("grantor.db"),
            to: begun.to.clone(),
        });
    }
    let ended = arriving.moved_by().await?;
    if begun.is_some() && begun.as_ref().map(|begun| &begun.id) == ended.as_ref() {
        leaving.ends(&to).map_err(TransferError::NotMarked)?;
        return Ok(Moved { tables: Vec::new() });
    }
    if let Some(table) = arriving.used().await? {
        let schema = target.schema.clone();
        return Err(TransferError::NotEmpty { schema, table });
    }
    let begun = begun.unwrap_or_else(|| Begun {
        id: base64url_encode(crypto::random_bytes::<16>()),
        to: to.clone(),
    });
    leaving.begins(&begun)?;
    let copied = match copy(&leaving, &arriving, &mut progress).await {
        Ok(tables) => {
            let completed = arriving.complete(&begun.id, target, &options).await;
            completed.map(|()| tables).map_err(TransferError::Target)
        }
        failed => failed,
    };
    let committed = match copied {
        Ok(tables) => match arriving.commit().await {
            Ok(()) => Ok(tables),
            Err(Failure::Refused(error)) => Err(Failure::Refused(error).into()),
            Err(failure) => return Err(TransferError::Unknown(failure.into())),
        },
        failed => failed,
    };
    match &committed {
        Ok(_) => leaving.ends(&to).map_err(TransferError::NotMarked)?,
        // Nothing was committed: the database may be used as before.
        Err(_) => leaving.stays()?,
    }
    committed.map(|tables| Moved { tables })
}

/// Gives up a move that has begun, and did not end. The database that is moved to is asked, if it is
/// named: where it has none of it, all is as before. Else servers may have worked there, and what
/// was issued before now is refused from then on.
///
/// # Errors
/// [`TransferError`]; then nothing was changed.
pub async fn abandon(
    from: &Path,
    source: &sqlite::Options,
    target: Option<(&Target, &postgres::Options)>,
) -> Result<Abandoned, TransferError> {
    let path = from.join("grantor.db");
    let Some((target, options)) = target else {
        let leaving = leave(from, source).await?;
        return match leaving.begun()? {
            None => Err(TransferError::NotMoving(path)),
            Some(_) => Ok(Abandoned::Fenced(leaving.abandon(source)?)),
        };
    };
    let Parties {
        leaving, arriving, ..
    } = Parties::meet(from, source, target, options).await?;
    match leaving.begun()? {
        None => Err(TransferError::NotMoving(path)),
        Some(Begun { to, .. }) if to != told(target) => Err(TransferError::Elsewhere { path, to }),
        Some(Begun { id, .. }) if arriving.moved_by().await?.as_ref() == Some(&id) => {
            Err(TransferError::Committed(path))
        }
        Some(_) => {
            leaving.stays()?;
            Ok(Abandoned::Clean)
        }
    }
}

/// Both databases, each in the hands of this process alone.
struct Parties {
    leaving: Leaving,
    arriving: Arriving,
    options: postgres::Options,
}

impl Parties {
    async fn meet(
        from: &Path,
        source: &sqlite::Options,
        target: &Target,
        options: &postgres::Options,
    ) -> Result<Self, TransferError> {
        let leaving = leave(from, source).await?;
        // The same key: what it has sealed is moved as it is.
        let options = postgres::Options {
            create: Create::IfMissing,
            upkeep: Upkeep::ByOthers,
            master_key: sqlite::master_key_path(from, source),
            makes_master_key: false,
            ..options.clone()
        };
        let arriving = Arriving::begin(target, &options).await?;
        Ok(Self {
            leaving,
            arriving,
            options,
        })
    }
}

/// The database that is left, if it was not left before.
async fn leave(from: &Path, source: &sqlite::Options) -> Result<Leaving, TransferError> {
    let source = sqlite::Options {
        create: Create::Never,
        upkeep: Upkeep::ByOthers,
        ..source.clone()
    };
    let leaving = Leaving::begin(from, &source).await?;
    match leaving.moved_to()? {
        None => Ok(leaving),
        Some(to) => {
            let path = from.join("grantor.db");
            Err(sqlite::OpenError::Moved { path, to }.into())
        }
    }
}

/// Where to, as the configuration says it.
fn told(target: &Target) -> String {
    match target.schema.as_str() {
        SCHEMA => format!("url = {:?}", target.url),
        other => format!("url = {:?} and schema = {other:?}", target.url),
    }
}

/// Copies every table, and compares what is there then with what was read.
async fn copy(
    leaving: &Leaving,
    arriving: &Arriving,
    progress: &mut (impl FnMut(Step, &'static str, u64) + Send),
) -> Result<Vec<(&'static str, u64)>, TransferError> {
    let mut sums = Vec::new();
    for table in TABLES {
        let mut sum = Sum::default();
        let mut last = None;
        loop {
            let rows = leaving.rows(table, last.as_ref(), BATCH)?;
            write(arriving, table, &rows, &mut sum, progress).await?;
            match rows.into_iter().last() {
                Some(row) => last = Some(row),
                None => break,
            }
        }
        if table.is_numbered {
            let number = leaving.last_number(table.name)?;
            arriving.go_on_from(table, number).await?;
        }
        sums.push((table, sum));
    }
    sums.push((&CLAIMS, copy_claims(leaving, arriving, progress).await?));
    for (table, wanted) in &sums {
        compare(arriving, table, wanted, progress).await?;
    }
    Ok(sums
        .into_iter()
        .map(|(table, sum)| (table.name, sum.rows))
        .collect())
}

/// Copies the claims, in the order in which they are read back.
async fn copy_claims(
    leaving: &Leaving,
    arriving: &Arriving,
    progress: &mut (impl FnMut(Step, &'static str, u64) + Send),
) -> Result<Sum, TransferError> {
    let mut sum = Sum::default();
    let mut claims = leaving.claims(Short::of)?.into_iter();
    loop {
        let row = |(short, until): (Short, UnixTime)| {
            vec![
                Value::Number(short.issuer),
                Value::Octets(short.name.octets().to_owned()),
                Value::Number(until.millis()),
            ]
        };
        let rows: Vec<Row> = claims.by_ref().take(BATCH).map(row).collect();
        if rows.is_empty() {
            return Ok(sum);
        }
        write(arriving, &CLAIMS, &rows, &mut sum, progress).await?;
    }
}

async fn write(
    arriving: &Arriving,
    table: &Table,
    rows: &[Row],
    sum: &mut Sum,
    progress: &mut (impl FnMut(Step, &'static str, u64) + Send),
) -> Result<(), TransferError> {
    if rows.is_empty() {
        return Ok(());
    }
    let written = arriving.write(table, rows).await;
    written.map_err(|failure| TransferError::Table {
        table: table.name,
        error: failure.into(),
    })?;
    sum.add(rows);
    progress(Step::Copying, table.name, sum.rows);
    Ok(())
}

/// Reads a table back.
async fn compare(
    arriving: &Arriving,
    table: &Table,
    wanted: &Sum,
    progress: &mut (impl FnMut(Step, &'static str, u64) + Send),
) -> Result<(), TransferError> {
    let mut found = Sum::default();
    let mut last = None;
    loop {
        let rows = arriving.rows(table, last.as_ref(), BATCH).await?;
        found.add(&rows);
        progress(Step::Comparing, table.name, found.rows);
        match rows.into_iter().last() {
            Some(row) => last = Some(row),
            None => break,
        }
    }
    if found != *wanted {
        return Err(TransferError::Differs {
            table: table.name,
            wanted: wanted.rows,
            found: found.rows,
        });
    }
    Ok(())
}

/// How many rows, and a digest of all in their order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    rows: u64,
    digest: [u8; 32],
}

impl Sum {
    fn add(&mut self, rows: &[Row]) {
        for row in rows {
            let mut octets = Vec::new();
            row.iter().for_each(|value| value.write(&mut octets));
            self.digest = crypto::sha256(&[&self.digest, &octets]);
            self.rows += 1;
        }
    }
}
