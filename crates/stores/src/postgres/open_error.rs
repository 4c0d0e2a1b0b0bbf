//! Why a database is not opened.

use std::path::PathBuf;

use grantor::storage::StoreError;

use super::{
    error::{Failure, because},
    finding::{Unfit, Unfits},
};
use crate::MasterKeyError;

/// Why a database is not opened. Each text names the option or the statement that helps.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL cannot be read.
    #[error("[database] url: {}; write postgres://USER@HOST:PORT/DATABASE", because(.0))]
    Url(tokio_postgres::Error),
    /// An option says what is not done.
    #[error("[database] {option}: {problem}")]
    Target {
        /// The option.
        option: &'static str,
        /// What is wrong with it, and what to write.
        problem: String,
    },
    /// The server is there, and what is configured does not lead into it.
    #[error("the database ([database] url): {0}")]
    Misconfigured(String),
    /// The server did not answer, or answered with an error.
    #[error("the database ([database] url): {0}")]
    Server(String),
    /// The server does not keep what is promised: one line for each.
    #[error("{}", lines(.0))]
    Unfit(Vec<Unfit>),
    /// There are no tables, and none were to be made.
    #[error(
        "there are no tables of Grantor in this database; name the right one with [database] url, or run `grantor serve` to make them"
    )]
    Absent,
    /// The database is used by programs that are newer than this one may be.
    #[error(
        "this is grantor {own}, and the database needs at least {oldest}; run a newer grantor, nothing was changed"
    )]
    TooOld {
        /// This program.
        own: &'static str,
        /// The oldest that may run.
        oldest: String,
    },
    /// Another node is configured otherwise in what has to be the same on all.
    #[error(
        "{what} is {configured} here and {agreed} on the other nodes of this database; make them the same{remedy}; nothing was changed"
    )]
    Disagrees {
        /// The option.
        what: &'static str,
        /// As this node has it.
        configured: String,
        /// As the database has it.
        agreed: String,
        /// What else may be done.
        remedy: &'static str,
    },
    /// Nodes are running that would go by the windows of before.
    #[error(
        "{0} nodes are running with the windows of now; stop them, wait 10 s, and repeat; nothing was changed"
    )]
    Running(i64),
    /// The master key is missing or unreadable.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// The master key belongs to another database.
    #[error(
        "{0}: this master key does not open the database, which was made with another; name the file that the other nodes have with \
         --master-key (master_key_file), or restore it from a backup; nothing was changed"
    )]
    WrongMasterKey(PathBuf),
    /// The content cannot be read.
    #[error("the database: {}", because(.0))]
    Content(StoreError),
}

/// The server's answer to what is configured, and what helps.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Misconfigured(pub(super) String);

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Content(error)
    }
}

impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(StoreError::Unavailable(cause)) => match cause.downcast::<Unfits>() {
                Ok(unfits) => Self::Unfit(unfits.0),
                Err(cause) if cause.is::<Misconfigured>() => Self::Misconfigured(because(&*cause)),
                Err(cause) => Self::Server(because(&*cause)),
            },
            Failure::Refused(error) => Self::Server(because(&error)),
            Failure::Lost(cause) => Self::Server(because(&*cause)),
            Failure::Store(error) => Self::Content(error),
            Failure::Unreadable(unreadable) => Self::Content(unreadable.into()),
        }
    }
}

/// One line for each.
fn lines(unfit: &[Unfit]) -> String {
    let lines: Vec<_> = unfit.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
