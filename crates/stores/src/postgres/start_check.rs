//! Whether the server keeps what is promised: asked on each new connection, before anything is
//! written, and each minute.

use std::time::Instant;

use grantor::clock::{Clock as _, SystemClock};
use tokio_postgres::Row;

use super::{
    Durability, OpenError,
    connect::Mark,
    error::Failure,
    finding::{Finding, Level, at, finding},
    judgement::{Settings, of_clock, of_program, of_server},
    session::Session,
};
use crate::Create;

/// What a server is.
pub(super) struct Found {
    /// `server_version_num`; `None` where another program answers, which was asked nothing else.
    pub(super) version: Option<i32>,
    pub(super) findings: Vec<Finding>,
}

/// Which program answers: asked first, as another one may not know the rest.
const PROGRAM: &str = "SELECT version(), to_regproc('pg_catalog.aurora_version') IS NOT NULL, \
    (SELECT min(split_part(name, '.', 1)) FROM pg_catalog.pg_settings WHERE name ~ '^(neon|alloydb|google_columnar_engine)[.]')";

/// Everything about the server and this session, in one statement.
const ABOUT_SERVER: &str = "SELECT current_setting('server_version_num')::int, pg_is_in_recovery(), \
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
            version: None,
            findings: vec![program],
        });
    }
    let statement = session.prepared(ABOUT_SERVER).await?;
    let (began, before) = (Instant::now(), SystemClock.now().millis());
    let server = &session.run_one(&statement, &[]).await?;
    let way = began.elapsed();
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
        version: Some(server.get(0)),
        findings,
    })
}

/// Tables that a crash empties, and triggers that a replication worker passes by: one row for each.
const TABLES: &str = "SELECT 'UNLOGGED', format('%I.%I', nspname, relname), '', '' \
        FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
        WHERE nspname = current_schema() AND relkind = 'r' AND relpersistence <> 'p' \
    UNION ALL \
    SELECT 'TRIGGER', format('%I.%I', nspname, relname), quote_ident(tgname), '' \
        FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace \
        WHERE nspname = current_schema() AND NOT tgisinternal AND tgenabled <> 'A' \
    UNION ALL \
    SELECT 'MISSING', format('%I.%I', current_schema(), made ->> 'table'), quote_ident(made ->> 'name'), \
            format('SET search_path = %I; %s', current_schema(), made ->> 'statement') \
        FROM json_array_elements((SELECT value::json FROM meta WHERE name = 'triggers')) AS made \
        WHERE NOT EXISTS (SELECT FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace \
            WHERE nspname = current_schema() AND relname = made ->> 'table' AND tgname = made ->> 'name')";

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
            "MISSING" => finding(
                "pg_trigger",
                format!("no trigger {name} of {table}"),
                "the triggers that Grantor has made",
                false,
                format!(
                    "run: {}; ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}",
                    row.get::<_, String>(3)
                ),
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
    match at(Level::Refused, &findings) {
        unfit if unfit.is_empty() => Ok(()),
        unfit => Err(OpenError::Unfit(unfit)),
    }
}
