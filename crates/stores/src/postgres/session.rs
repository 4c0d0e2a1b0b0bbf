//! One connection to the server: statements prepared once, a limit of time for each, and an ear for
//! notices, which tell that a commit was not confirmed by the standby.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    task::JoinHandle,
};
use tokio_postgres::{
    AsyncMessage, Client, Connection, Row, Statement, error::SqlState, types::ToSql,
};

use super::error::Failure;

/// A value of a statement, and those of one.
pub(super) type Value<'a> = &'a (dyn ToSql + Sync);
pub(super) type Values<'a> = [Value<'a>];

/// Statements that a session keeps prepared, at most: filters of lists have many texts. Behind the
/// last of them all are prepared anew.
const MOST_STATEMENTS: usize = 256;

/// A session. Statements that are sent at once are sent one behind the other and answered in this
/// order, each a transaction of its own. Dropping it closes the connection, and what is open in it
/// is rolled back; no request to cancel is ever sent: it would have the server commit without its
/// standby, and say that it was done (patroni#1412).
pub(super) struct Session {
    client: Client,
    statements: Mutex<HashMap<String, Statement>>,
    heard: Arc<Heard>,
    driver: JoinHandle<()>,
    limit: Duration,
    failures: Arc<Failures>,
}

/// The statements of all sessions that have failed.
#[derive(Default)]
pub(super) struct Failures {
    count: AtomicU64,
    denied: Notify,
}

impl Failures {
    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Waits until one is refused for a right that this role lacks.
    pub(super) async fn denied(&self) {
        self.denied.notified().await;
    }

    fn add(&self, failure: &Failure) {
        self.count.fetch_add(1, Ordering::Relaxed);
        if failure.is_denied() {
            self.denied.notify_one();
        }
    }
}

/// What the connection said besides answers.
#[derive(Default)]
struct Heard {
    /// A commit was let go without its standby, or the server ends.
    doubtful: AtomicBool,
}

impl Session {
    /// Drives this connection. A statement that is not answered within `limit` ends it. Those that
    /// fail are counted.
    pub(super) fn start<S: Stream, T: Stream>(
        client: Client,
        connection: Connection<S, T>,
        limit: Duration,
        failures: Arc<Failures>,
    ) -> Self {
        let heard = Arc::<Heard>::default();
        let driver = tokio::spawn(drive(connection, heard.clone()));
        Self {
            client,
            statements: Mutex::default(),
            heard,
            driver,
            limit,
            failures,
        }
    }

    /// Whether nothing can be asked any more.
    pub(super) fn has_ended(&self) -> bool {
        self.client.is_closed() || self.heard.doubtful.load(Ordering::Acquire)
    }

    /// The rows.
    pub(super) async fn query(&self, sql: &str, values: &Values<'_>) -> Result<Vec<Row>, Failure> {
        let statement = self.prepared(sql).await?;
        self.run(&statement, values).await
    }

    /// The one row, or none.
    pub(super) async fn query_opt(
        &self,
        sql: &str,
        values: &Values<'_>,
    ) -> Result<Option<Row>, Failure> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    /// The one row that there always is.
    pub(super) async fn query_one(&self, sql: &str, values: &Values<'_>) -> Result<Row, Failure> {
        let statement = self.prepared(sql).await?;
        self.run_one(&statement, values).await
    }

    /// The one row of a prepared statement that always has one.
    pub(super) async fn run_one(
        &self,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<Row, Failure> {
        let row = self.run(statement, values).await?.into_iter().next();
        row.ok_or_else(|| Failure::Lost("a statement that always has a row had none".into()))
    }

    /// How many rows were written.
    pub(super) async fn execute(&self, sql: &str, values: &Values<'_>) -> Result<u64, Failure> {
        let statement = self.prepared(sql).await?;
        let written = self.client.execute(&statement, values);
        self.within_limit(written).await
    }

    /// Several statements without values, or one that cannot be prepared.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Failure> {
        self.batch_within(self.limit, sql).await
    }

    /// The same, of what may take longer.
    pub(super) async fn batch_within(&self, limit: Duration, sql: &str) -> Result<(), Failure> {
        self.within(limit, self.client.batch_execute(sql)).await
    }

    /// The statement of this text, prepared on the first use.
    pub(super) async fn prepared(&self, sql: &str) -> Result<Statement, Failure> {
        let known = self.statements().get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.within_limit(self.client.prepare(sql)).await?;
        let mut statements = self.statements();
        if statements.len() >= MOST_STATEMENTS {
            statements.clear();
        }
        statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// The rows of a prepared statement. Its message is sent when the future is first polled, so
    /// that two futures that are joined are one flight.
    pub(super) async fn run(
        &self,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<Vec<Row>, Failure> {
        self.within_limit(self.client.query(statement, values))
            .await
    }

    fn statements(&self) -> std::sync::MutexGuard<'_, HashMap<String, Statement>> {
        self.statements
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn within_limit<T>(
        &self,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failure> {
        self.within(self.limit, asked).await
    }

    async fn within<T>(
        &self,
        limit: Duration,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failure> {
        let answered = tokio::time::timeout(limit, asked).await;
        let answer = match answered {
            Ok(answer) => answer.map_err(Failure::from),
            Err(_) => Err(Failure::Lost(
                format!("no answer within {} ms", limit.as_millis()).into(),
            )),
        };
        let answer = match answer {
            // What came behind such a notice looks like a success.
            Ok(_) if self.heard.doubtful.load(Ordering::Acquire) => Err(Failure::Lost(
                "the server ended its wait for the standby".into(),
            )),
            answer => answer,
        };
        if let Err(failure) = &answer {
            self.failures.add(failure);
        }
        if matches!(answer, Err(Failure::Lost(_))) {
            self.end();
        }
        answer
    }

    /// Closes the connection.
    pub(super) fn end(&self) {
        self.heard.doubtful.store(true, Ordering::Release);
        self.driver.abort();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Takes notices, until the connection ends.
async fn drive<S: Stream, T: Stream>(mut connection: Connection<S, T>, heard: Arc<Heard>) {
    // An error is told to whoever waits for an answer.
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notice(notice) = message
            && [SqlState::WARNING, SqlState::ADMIN_SHUTDOWN].contains(notice.code())
        {
            heard.doubtful.store(true, Ordering::Release);
        }
    }
}

/// What a connection is made of: a socket, or TLS on one.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}
