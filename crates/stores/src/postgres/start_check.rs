//! Whether the server keeps what is promised: asked on each new connection, before anything is
//! written, each minute, and the part that a running server loses unnoticed with every proof.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use grantor::{
    clock::{Clock as _, SystemClock},
    storage::StoreError,
};
use tokio_postgres::Row;

use super::{
    Durability, Inner, OpenError, Options, Target, agreement,
    connect::{Connector, Mark},
    error::Failure,
    schema,
    session::Session,
};
use crate::Create;

/// How often a running node asks, at the least, where the last answer was bad: the node serves again soon after it is repaired.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How long a statement of [`survey`] may take.
const SURVEY: Duration = Duration::from_secs(2);
/// Oldest version of the server, as `server_version_num`.
const OLDEST_VERSION: i32 = 150_000;
/// How far the clocks may be apart: the margin of what is remembered covers both ends.
const APART: Duration = Duration::from_secs(10);
/// From where on it is told.
const NEARLY_APART: Duration = Duration::from_secs(2);

/// One line of the table of checks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What was asked for.
    pub name: &'static str,
    /// What was found.
    pub found: String,
    /// What is wanted.
    pub wanted: &'static str,
    /// The statement that sets it, or what else helps.
    pub remedy: String,
    /// What follows.
    pub level: Level,
}

/// What follows from a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It is as it has to be.
    Kept,
    /// It is told, and nothing else.
    Warned,
    /// No node runs with it.
    Refused,
}

/// A finding that no node runs with, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit(pub Finding);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding {
            name,
            found,
            wanted,
            remedy,
            ..
        } = &self.0;
        write!(f, "{name}: found {found}, wanted {wanted}; {remedy}")
    }
}

/// All of them, as one error.
#[derive(Debug)]
pub(super) struct Unfits(pub(super) Vec<Unfit>);

impl std::error::Error for Unfits {}

impl fmt::Display for Unfits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join(" | "))
    }
}

/// Those of this level.
pub(super) fn at(level: Level, findings: Vec<Finding>) -> Vec<Unfit> {
    let here = findings
        .into_iter()
        .filter(|finding| finding.level == level);
    here.map(Unfit).collect()
}

/// What a server is.
pub(super) struct Found {
    /// `server_version_num`
    pub(super) version: i32,
    pub(super) findings: Vec<Finding>,
}

/// Which program answers: asked first, as another one may not know the rest.
const PROGRAM: &str = "SELECT version(), to_regproc('pg_catalog.aurora_version') IS NOT NULL, \
    (SELECT min(split_part(name, '.', 1)) FROM pg_catalog.pg_settings WHERE name ~ '^(neon|alloydb|google_columnar_engine)[.]')";

/// Everything about the server and this session, in one statement.
const SERVER: &str = "SELECT current_setting('server_version_num')::int, pg_is_in_recovery(), \
    current_setting('server_encoding'), \
    (SELECT count(*) FROM pg_stat_replication), \
    (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')), \
    (SELECT count(*) FROM pg_stat_replication WHERE sync_state IS NULL), \
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint, \
    quote_ident(current_user), quote_ident(current_database()), current_setting('grantor.session', true)";

/// Settings, how they are written, and where they were set.
const SETTINGS: &str = "SELECT name, setting, source FROM pg_catalog.pg_settings WHERE name IN ( \
    'default_transaction_read_only', 'default_transaction_isolation', 'fsync', 'full_page_writes', 'autovacuum', \
    'synchronous_commit', 'synchronous_standby_names', 'search_path', 'lock_timeout', 'idle_in_transaction_session_timeout', \
    'client_min_messages')";

/// What is asked of each new connection, and each minute.
pub(super) async fn check_all(
    session: &Session,
    durability: Durability,
    mark: &Mark,
) -> Result<Found, Failure> {
    let program = session.query_one(PROGRAM, &[]).await?;
    let program = of_program(&program);
    if program.level == Level::Refused {
        return Ok(Found {
            version: 0,
            findings: vec![program],
        });
    }
    let statement = session.prepared(SERVER).await?;
    let (began, before) = (Instant::now(), SystemClock.now().millis());
    let server = session.run(&statement, &[]).await?;
    let way = began.elapsed();
    let Some(server) = server.first() else {
        return Err(Failure::Lost(
            "a statement that always has a row had none".into(),
        ));
    };
    let settings = session.query(SETTINGS, &[]).await?;
    let settings = Settings::read(&settings, server);
    let ahead = before + i64::try_from(way.as_millis() / 2).unwrap_or(0) - server.get::<_, i64>(6);
    let mut findings = vec![program];
    findings.extend(of_server(server));
    findings.extend(settings.of_disk());
    findings.extend(settings.of_durability(durability, server));
    findings.push(of_clock(ahead));
    findings.push(settings.of_session(server.get(9), mark));
    Ok(Found {
        version: server.get(0),
        findings,
    })
}

fn finding(
    name: &'static str,
    found: impl Into<String>,
    wanted: &'static str,
    is_kept: bool,
    remedy: impl Into<String>,
) -> Finding {
    Finding {
        name,
        found: found.into(),
        wanted,
        remedy: remedy.into(),
        level: if is_kept { Level::Kept } else { Level::Refused },
    }
}

/// What speaks the protocol is not always the database: CockroachDB's advisory locks do nothing
/// (cockroach#13546), YugabyteDB's inserts fail by priority (yugabyte-db#2954).
fn of_program(row: &Row) -> Finding {
    let version: String = row.get(0);
    program(&version, row.get(1), row.get(2))
}

fn program(version: &str, is_aurora: bool, of_others: Option<&str>) -> Finding {
    let is_other = !version.starts_with("PostgreSQL ")
        || ["CockroachDB", "-YB-", "Yugabyte"]
            .iter()
            .any(|name| version.contains(name));
    let other = match of_others {
        _ if is_aurora => Some("Aurora"),
        Some("neon") => Some("Neon"),
        Some(_) => Some("AlloyDB"),
        None => None,
    };
    let short: String = version.chars().take(60).collect();
    match other {
        Some(other) if !is_other => Finding {
            level: Level::Warned,
            ..finding(
                "program",
                format!("{other} ({short})"),
                "PostgreSQL",
                true,
                "what is promised was not proven there",
            )
        },
        _ => finding(
            "program",
            short,
            "PostgreSQL",
            !is_other,
            "name a PostgreSQL server with [database] url",
        ),
    }
}

fn of_server(row: &Row) -> [Finding; 3] {
    let (version, is_standby): (i32, bool) = (row.get(0), row.get(1));
    let (encoding, database): (String, String) = (row.get(2), row.get(8));
    let is_utf8 = encoding == "UTF8";
    let create = format!(
        "run: CREATE DATABASE {database} ENCODING 'UTF8' TEMPLATE template0 (in place of this one)"
    );
    [
        finding(
            "server_version_num",
            version.to_string(),
            "150000 or later",
            version >= OLDEST_VERSION,
            "upgrade the server with pg_upgrade",
        ),
        finding(
            "pg_is_in_recovery()",
            is_standby.to_string(),
            "false",
            !is_standby,
            "name the primary with [database] url; or, to make this one the primary, run: SELECT pg_promote()",
        ),
        finding("server_encoding", encoding, "UTF8", is_utf8, create),
    ]
}

/// By the middle of the way there and back, in milliseconds ahead of the server.
fn of_clock(ahead: i64) -> Finding {
    let apart = Duration::from_millis(ahead.unsigned_abs());
    let side = if ahead < 0 { "behind" } else { "ahead of" };
    let found = format!("{} ms {side} the server's", apart.as_millis());
    let remedy = "run an NTP client on both machines";
    let judged = finding(
        "this machine's clock",
        found,
        "within 10 s of the server's",
        apart <= APART,
        remedy,
    );
    match judged.level {
        Level::Kept if apart > NEARLY_APART => Finding {
            level: Level::Warned,
            ..judged
        },
        _ => judged,
    }
}

/// What the server goes by in this session.
struct Settings {
    rows: Vec<(String, String, String)>,
    user: String,
    database: String,
}

impl Settings {
    fn read(rows: &[Row], server: &Row) -> Self {
        Self {
            rows: rows
                .iter()
                .map(|row| (row.get(0), row.get(1), row.get(2)))
                .collect(),
            user: server.get(7),
            database: server.get(8),
        }
    }

    fn value(&self, name: &str) -> &str {
        let row = self.rows.iter().find(|row| row.0 == name);
        row.map_or("nothing", |row| row.1.as_str())
    }

    /// The statement that sets it where it was set: what is set for a role or a database goes before
    /// what is set for the server.
    fn set(&self, name: &str, value: &str) -> String {
        let source = self.rows.iter().find(|row| row.0 == name);
        let (user, database) = (&self.user, &self.database);
        match source.map(|row| row.2.as_str()) {
            Some("command line") => {
                format!("start the server without -c {name}=..., or with -c {name}={value}")
            }
            Some("user") => format!("run: ALTER ROLE {user} SET {name} = {value}"),
            Some("database user") => {
                format!("run: ALTER ROLE {user} IN DATABASE {database} SET {name} = {value}")
            }
            Some("database") => format!("run: ALTER DATABASE {database} SET {name} = {value}"),
            _ => format!("run: ALTER SYSTEM SET {name} = {value}; SELECT pg_reload_conf()"),
        }
    }

    fn expect(&self, name: &'static str, wanted: &'static str, value: &str) -> Finding {
        let found = self.value(name);
        finding(name, found, wanted, found == wanted, self.set(name, value))
    }

    fn of_disk(&self) -> [Finding; 5] {
        [
            self.expect("default_transaction_read_only", "off", "off"),
            self.expect(
                "default_transaction_isolation",
                "read committed",
                "'read committed'",
            ),
            self.expect("fsync", "on", "on"),
            self.expect("full_page_writes", "on", "on"),
            self.expect("autovacuum", "on", "on"),
        ]
    }

    fn of_durability(&self, durability: Durability, server: &Row) -> Vec<Finding> {
        let found = self.value("synchronous_commit");
        let is_kept = confirms(found);
        let remedy = self.set("synchronous_commit", "on");
        let mut findings = vec![finding(
            "synchronous_commit",
            found,
            "on or remote_apply",
            is_kept,
            remedy,
        )];
        if durability == Durability::Replicated {
            let names = self.value("synchronous_standby_names");
            let shown = if names.is_empty() { "nothing" } else { names };
            let set = self.set("synchronous_standby_names", "'ANY 1 (a, b)'");
            findings.push(finding(
                "synchronous_standby_names",
                shown,
                "the standbys that confirm a commit (durability = \"replicated\")",
                !names.is_empty(),
                set,
            ));
            findings.push(of_standbys(
                server.get(3),
                server.get(4),
                server.get(5),
                &self.user,
            ));
        }
        findings
    }

    /// A pooler in transaction mode does not pass them on, or gives those of another.
    fn of_session(&self, mark: Option<String>, asked: &Mark) -> Finding {
        let expected = [
            ("search_path", asked.schema.as_str()),
            ("lock_timeout", "500"),
            ("idle_in_transaction_session_timeout", "5000"),
            ("client_min_messages", "warning"),
        ];
        let mut differing: Vec<_> = expected
            .iter()
            .filter(|(name, value)| self.value(name) != *value)
            .map(|(name, _)| format!("{name} = {}", self.value(name)))
            .collect();
        if mark.as_deref() != Some(&asked.value) {
            differing.push("grantor.session of another".to_owned());
        }
        let found = match differing.as_slice() {
            [] => "as they were set".to_owned(),
            differing => differing.join(", "),
        };
        let remedy = "connect to the server itself with [database] url, or have the pooler between use pool_mode = session and pass `options` on";
        finding(
            "settings of the session",
            found,
            "those that Grantor sets",
            differing.is_empty(),
            remedy,
        )
    }
}

/// Whether an answer to a commit means that it is on the disk, and on the standby's where there is
/// one.
fn confirms(synchronous_commit: &str) -> bool {
    ["on", "remote_apply"].contains(&synchronous_commit)
}

/// A role without `pg_monitor` sees that there are standbys, and nothing of them.
fn of_standbys(all: i64, confirming: i64, hidden: i64, user: &str) -> Finding {
    let (found, remedy) = match confirming {
        0 if hidden > 0 => (
            "standbys of which this role may see nothing".to_owned(),
            format!("run: GRANT pg_monitor TO {user}"),
        ),
        0 => (
            format!("{all} standbys, none of them sync or quorum"),
            "start a standby whose application_name is in synchronous_standby_names; see: SELECT application_name, sync_state FROM pg_stat_replication"
                .to_owned(),
        ),
        _ => (format!("{confirming} of {all} standbys sync or quorum"), String::new()),
    };
    finding(
        "pg_stat_replication",
        found,
        "a standby that is sync or quorum",
        confirming > 0,
        remedy,
    )
}

/// Tables that a crash empties, and triggers that a replication worker passes by: one row for each.
const TABLES: &str = "SELECT 'UNLOGGED', format('%I.%I', nspname, relname), '' \
        FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
        WHERE nspname = current_schema() AND relkind = 'r' AND relpersistence <> 'p' \
    UNION ALL \
    SELECT 'TRIGGER', format('%I.%I', nspname, relname), quote_ident(tgname) \
        FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace \
        WHERE nspname = current_schema() AND NOT tgisinternal AND tgenabled <> 'A'";

/// What this role may not do: one row for each. A schema that it may not use is no current schema.
/// $1: whether it makes the tables where there are none.
const PRIVILEGES: &str = "WITH our AS (SELECT current_setting('search_path')::text AS schema, \
        (SELECT oid FROM pg_namespace WHERE nspname = current_setting('search_path')) AS oid, \
        EXISTS (SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
            WHERE nspname = current_setting('search_path') AND relname = 'meta') AS is_made) \
    SELECT 'CREATE', 'DATABASE ' || quote_ident(current_database()), quote_ident(current_user) FROM our \
        WHERE $1 AND our.oid IS NULL AND NOT has_database_privilege(current_database(), 'CREATE') \
    UNION ALL \
    SELECT right_, format('SCHEMA %I', our.schema), quote_ident(current_user) FROM our, unnest(ARRAY['USAGE', 'CREATE']) right_ \
        WHERE our.oid IS NOT NULL AND NOT has_schema_privilege(our.oid, right_) AND (right_ = 'USAGE' OR $1 AND NOT our.is_made) \
    UNION ALL \
    SELECT right_, format('%I.%I', our.schema, relname), quote_ident(current_user) \
        FROM our JOIN pg_class ON relnamespace = our.oid, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) right_ \
        WHERE relkind = 'r' AND NOT has_table_privilege(pg_class.oid, right_)";

/// What this role may not do, and has to.
pub(super) async fn privileges(session: &Session, create: Create) -> Result<Vec<Finding>, Failure> {
    let makes_tables = create != Create::Never;
    let rows = session.query(PRIVILEGES, &[&makes_tables]).await?;
    let finding_of = |row: &Row| {
        let (right, on, role): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        finding(
            "privileges",
            format!("no {right} on {on}"),
            "what Grantor does with its tables",
            false,
            format!("run: GRANT {right} ON {on} TO {role}"),
        )
    };
    Ok(rows.iter().map(finding_of).collect())
}

/// What is wrong with our tables: nothing, where there are none.
pub(super) async fn tables(session: &Session) -> Result<Vec<Finding>, Failure> {
    let rows = session.query(TABLES, &[]).await?;
    let finding_of = |row: &Row| {
        let (kind, table, name): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        match kind.as_str() {
            "UNLOGGED" => finding(
                "relpersistence",
                format!("table {table} that is not logged"),
                "p",
                false,
                format!("run: ALTER TABLE {table} SET LOGGED"),
            ),
            _ => finding(
                "tgenabled",
                format!("trigger {name} of {table} that is not enabled always"),
                "A",
                false,
                format!("run: ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"),
            ),
        }
    };
    Ok(rows.iter().map(finding_of).collect())
}

/// This role may do what it has to.
///
/// # Errors
/// [`OpenError::Unfit`]
pub(super) async fn of_privileges(session: &Session, create: Create) -> Result<(), OpenError> {
    none_refused(privileges(session, create).await?)
}

/// Our tables keep what is promised.
///
/// # Errors
/// [`OpenError::Unfit`]
pub(super) async fn of_tables(session: &Session) -> Result<(), OpenError> {
    none_refused(tables(session).await?)
}

fn none_refused(findings: Vec<Finding>) -> Result<(), OpenError> {
    match at(Level::Refused, findings) {
        unfit if unfit.is_empty() => Ok(()),
        unfit => Err(OpenError::Unfit(unfit)),
    }
}

/// To be returned by the statement of a proof, for [`Fitness::proven`]: the standbys that its commit
/// waits for, and what nodes have agreed on.
pub(super) const PROVEN: &str = "current_setting('synchronous_standby_names'), current_setting('synchronous_commit'), \
    (SELECT value FROM meta WHERE name = 'oldest'), (SELECT value FROM meta WHERE name = 'windows')";

/// Whether a running node may answer, by the checks.
pub(super) struct Fitness {
    durability: Durability,
    /// As `meta` has to have them.
    windows: Option<String>,
    checked: Mutex<Vec<String>>,
    proven: Mutex<Option<String>>,
}

impl Fitness {
    /// A node was just opened.
    pub(super) fn new(durability: Durability, options: &Options) -> Self {
        Self {
            durability,
            windows: options.windows.as_ref().map(agreement::text),
            checked: Mutex::default(),
            proven: Mutex::default(),
        }
    }

    /// What the last check has found.
    pub(super) fn set(&self, unfit: &[Unfit]) {
        let lines = unfit.iter().map(ToString::to_string).collect();
        *self.checked.lock().unwrap_or_else(PoisonError::into_inner) = lines;
    }

    /// Whether what a proof has returned tells that commits are let go without a standby.
    pub(super) fn is_unreplicated(&self, proof: &Row) -> bool {
        let (standbys, commit): (String, String) = (proof.get(0), proof.get(1));
        self.durability == Durability::Replicated && (standbys.is_empty() || !confirms(&commit))
    }

    /// Whether what a proof has returned is as it has to be. It counts for the verdict, too.
    ///
    /// # Errors
    /// Unavailable: the commit proves nothing.
    pub(super) fn proven(&self, row: &Row) -> Result<(), StoreError> {
        let (standbys, commit): (String, String) = (row.get(0), row.get(1));
        let (oldest, windows): (Option<String>, Option<String>) = (row.get(2), row.get(3));
        let verdict = self.verdict_of(&standbys, &commit, oldest.as_deref(), windows.as_deref());
        self.proven
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&verdict);
        verdict.map_or(Ok(()), |line| Err(StoreError::Unavailable(line.into())))
    }

    fn verdict_of(
        &self,
        standbys: &str,
        commit: &str,
        oldest: Option<&str>,
        windows: Option<&str>,
    ) -> Option<String> {
        let oldest = oldest.filter(|oldest| agreement::is_too_old(oldest));
        if self.durability == Durability::Replicated && standbys.is_empty() {
            return Some(
                "synchronous_standby_names: found nothing, wanted the standbys that confirm a commit; run: \
                 ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (a, b)'; SELECT pg_reload_conf()"
                    .to_owned(),
            );
        }
        if !confirms(commit) {
            return Some(format!(
                "synchronous_commit: found {commit}, wanted on or remote_apply; run: ALTER SYSTEM SET synchronous_commit = on; SELECT pg_reload_conf()"
            ));
        }
        if let Some(oldest) = oldest {
            let own = env!("CARGO_PKG_VERSION");
            return Some(format!(
                "this is grantor {own}, and the database needs at least {oldest}; run a newer grantor"
            ));
        }
        match &self.windows {
            Some(own) if windows != Some(own) => Some(
                "the windows of this database were changed; start this node with the same issuer, leeway and longest lifetime as the others"
                    .to_owned(),
            ),
            Some(_) | None => None,
        }
    }

    /// Whether a node may answer.
    ///
    /// # Errors
    /// Unavailable: each reason.
    pub(super) fn verdict(&self) -> Result<(), StoreError> {
        let mut lines = self
            .checked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        lines.extend(
            self.proven
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        );
        match lines.as_slice() {
            [] => Ok(()),
            lines => Err(StoreError::Unavailable(lines.join(" | ").into())),
        }
    }
}

/// Settings of which another value means that commits did not wait for a standby.
const LETS_COMMITS_GO: [&str; 2] = ["synchronous_standby_names", "synchronous_commit"];

/// Checks each minute for as long as the store is in use.
pub(super) fn start(store: &Arc<Inner>) {
    tokio::spawn(watch(Arc::downgrade(store), store.options.checks_every));
}

async fn watch(store: Weak<Inner>, every: Duration) {
    let mut wait = every;
    let mut told = String::new();
    loop {
        pause(wait).await;
        let Some(store) = store.upgrade() else {
            return;
        };
        wait = match store.check_again(&mut told).await {
            Ok(true) => every,
            Ok(false) => ASK_AGAIN.min(every),
            // Nothing was learnt; what was found stays. That the server does not answer, others see.
            Err(_) => ASK_AGAIN.min(every),
        };
    }
}

impl Inner {
    /// Whether the server is as it has to be.
    async fn check_again(&self, told: &mut String) -> Result<bool, Failure> {
        let source = self.source();
        let session = self.connections().records.session().await?;
        let mark = session
            .query_one(
                "SELECT current_setting('grantor.session', true), current_schema()::text",
                &[],
            )
            .await?;
        let mark = Mark {
            value: mark.get::<_, Option<String>>(0).unwrap_or_default(),
            schema: mark.get::<_, Option<String>>(1).unwrap_or_default(),
        };
        let mut findings = check_all(&session, source.fitness.durability, &mark)
            .await?
            .findings;
        findings.extend(privileges(&session, self.options.create).await?);
        findings.extend(tables(&session).await?);
        let unfit = at(Level::Refused, findings.clone());
        source.fitness.set(&unfit);
        if unfit
            .iter()
            .any(|unfit| LETS_COMMITS_GO.contains(&unfit.0.name))
        {
            source.fence.is_unreplicated(&session).await?;
        }
        let text = Unfits(unfit.clone()).to_string();
        if text != *told && !unfit.is_empty() {
            tracing::error!(
                reason = text,
                "the server does not keep what is promised: this node is not ready"
            );
        }
        for warned in at(Level::Warned, findings) {
            tracing::warn!(finding = %warned, "the database server");
        }
        *told = text;
        Ok(unfit.is_empty())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a setting that changes tells nobody"
)]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// What `grantor doctor --database` shows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Survey {
    /// All checks.
    pub findings: Vec<Finding>,
    /// The version of the tables; `None` where there are none.
    pub schema: Option<i64>,
    /// What is promised there.
    pub contract: &'static str,
}

impl Survey {
    /// Whether a node would run.
    pub fn is_fit(&self) -> bool {
        self.findings
            .iter()
            .all(|finding| finding.level != Level::Refused)
    }
}

/// Checks a server without writing anything.
///
/// # Errors
/// [`OpenError`] if it cannot be asked.
pub async fn survey(target: &Target) -> Result<Survey, OpenError> {
    let (session, mark) = Connector::new(target)?.open(SURVEY).await?;
    let mut findings = check_all(&session, target.durability, &mark)
        .await?
        .findings;
    let is_postgres = findings.len() > 1;
    let privileges = match is_postgres {
        true => privileges(&session, Create::IfMissing).await?,
        false => Vec::new(),
    };
    let schema = match is_postgres && privileges.is_empty() {
        true => schema::version(&session).await?,
        false => None,
    };
    findings.extend(privileges);
    if schema.is_some() {
        findings.extend(tables(&session).await?);
    }
    let standbys = match is_postgres {
        true => session
            .query_one("SELECT count(*) FROM pg_stat_replication", &[])
            .await?
            .get(0),
        false => 0,
    };
    Ok(Survey {
        findings,
        schema,
        contract: contract(target.durability, standbys),
    })
}

/// The promise that follows, by failure.
fn contract(durability: Durability, standbys: i64) -> &'static str {
    match (durability, standbys) {
        (Durability::Local, 0) => {
            "local, one server: a kill of a node or of the server loses no claim, nor does a power cut if the disk keeps its word. If the disk is lost, all \
             claims are: the fence refuses what could have been claimed before. There is no failover"
        }
        (Durability::Local, _) => {
            "local, with a standby that is not waited for: a kill of a node or of the server loses no claim. A failover loses the claims of the lag, and an old \
             primary that goes on accepts them again until it is ended: the fence refuses afterwards what could have been claimed before"
        }
        (Durability::Replicated, _) => {
            "replicated: each claim is on two disks before it is answered. No failure of one machine and no failover to a confirmed standby loses one; while no \
             standby confirms, nodes answer 503"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(finding: &Finding) -> Level {
        finding.level
    }

    #[test]
    fn only_postgresql_is_postgresql() {
        let judged = |version: &str| level(&program(version, false, None));
        assert_eq!(
            judged("PostgreSQL 15.18 (Debian 15.18-0+deb12u1)"),
            Level::Kept
        );
        assert_eq!(judged("CockroachDB CCL v24.1.0"), Level::Refused);
        assert_eq!(
            judged("PostgreSQL 15.2-YB-2.25.0.0-b0 on x86_64"),
            Level::Refused
        );
        let postgres = "PostgreSQL 16.4 on x86_64";
        assert_eq!(level(&program(postgres, true, None)), Level::Warned);
        assert_eq!(
            level(&program(postgres, false, Some("neon"))),
            Level::Warned
        );
        assert_eq!(
            level(&program(postgres, false, Some("alloydb"))),
            Level::Warned
        );
    }

    #[test]
    fn s047_a_clock_is_told_beyond_2_s_and_refused_beyond_10_s() {
        for sign in [1, -1] {
            assert_eq!(level(&of_clock(sign * 2_000)), Level::Kept);
            assert_eq!(level(&of_clock(sign * 2_001)), Level::Warned);
            assert_eq!(level(&of_clock(sign * 10_000)), Level::Warned);
            assert_eq!(level(&of_clock(sign * 10_001)), Level::Refused);
        }
    }

    #[test]
    fn standbys_that_are_hidden_are_shown_by_a_grant() {
        assert_eq!(level(&of_standbys(1, 1, 0, "grantor")), Level::Kept);
        let hidden = of_standbys(1, 0, 1, "grantor");
        assert_eq!(
            Unfit(hidden).to_string(),
            "pg_stat_replication: found standbys of which this role may see nothing, wanted a standby that is sync or quorum; run: GRANT pg_monitor TO grantor"
        );
        assert_eq!(level(&of_standbys(1, 0, 0, "grantor")), Level::Refused);
    }

    #[test]
    fn s034_a_proof_counts_only_under_the_durability_that_was_chosen() {
        let fit = |durability, standbys: &str, commit: &str, oldest: Option<&str>| {
            let fitness = Fitness::new(durability, &Options::new("key"));
            fitness.verdict_of(standbys, commit, oldest, None).is_none()
        };
        let (local, replicated) = (Durability::Local, Durability::Replicated);
        assert!(fit(local, "", "on", None));
        assert!(fit(replicated, "ANY 1 (a)", "remote_apply", Some("0.0.1")));
        assert!(!fit(replicated, "", "on", None));
        for commit in ["off", "local", "remote_write"] {
            assert!(!fit(local, "", commit, None), "{commit}");
        }
        assert!(!fit(local, "", "on", Some("999.0.0")));
    }

    #[test]
    fn what_was_found_is_said_until_it_is_gone() {
        let fitness = Fitness::new(Durability::Local, &Options::new("key"));
        assert!(fitness.verdict().is_ok());
        let found = finding(
            "fsync",
            "off",
            "on",
            false,
            "run: ALTER SYSTEM SET fsync = on",
        );
        fitness.set(&at(Level::Refused, vec![found]));
        let error = fitness.verdict().expect_err("it is not kept");
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        assert_eq!(
            cause.as_deref(),
            Some("fsync: found off, wanted on; run: ALTER SYSTEM SET fsync = on")
        );
        fitness.set(&[]);
        assert!(fitness.verdict().is_ok());
    }
}
