//! The tables, made and changed under one lock: nodes that start at once make them once.

use super::{OpenError, error::Failure, meta, session::Session};

/// One entry per schema version, never changed once released. Each leaves the program before it
/// working: what is not needed any more is removed a release later.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/postgres/0001_base.sql"),
    include_str!("../../migrations/postgres/0002_signing_key.sql"),
    include_str!("../../migrations/postgres/0003_claim.sql"),
    include_str!("../../migrations/postgres/0004_artifact.sql"),
    include_str!("../../migrations/postgres/0005_registry.sql"),
    include_str!("../../migrations/postgres/0006_people.sql"),
    include_str!("../../migrations/postgres/0007_issuer.sql"),
    include_str!("../../migrations/postgres/0008_log.sql"),
    include_str!("../../migrations/postgres/0009_node_place.sql"),
];

/// The newest schema version that this program knows. With a newer one it runs as long as
/// [`agree`](super::agreement::agree) lets it.
const KNOWN: i64 = MIGRATIONS.len() as i64;

/// The schema version that is there; `None` where there are no tables of ours.
pub(super) async fn version(session: &Session) -> Result<Option<i64>, Failure> {
    let there = session.query_one("SELECT to_regclass('meta') IS NOT NULL", &[]);
    if !there.await?.get::<_, bool>(0) {
        return Ok(None);
    }
    let version = "SELECT value::bigint FROM meta WHERE name = 'schema'";
    let version = session.query_opt(version, &[]).await?;
    Ok(version.map(|row| row.get(0)))
}

/// Which triggers there have to be, for whoever checks whether they are there.
const NOTE_TRIGGERS: &str = "INSERT INTO meta (name, value) \
    SELECT 'triggers', json_agg(json_build_object('table', relname, 'name', tgname, 'statement', pg_get_triggerdef(pg_trigger.oid, true)) \
        ORDER BY relname, tgname)::text \
    FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace \
    WHERE nspname = current_schema() AND NOT tgisinternal \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// The lock of whoever changes the schema, until the transaction ends.
pub(super) const LOCK: &str = "SELECT pg_advisory_xact_lock(7523, 0)";

/// Makes what is missing, in the open transaction, behind the lock.
pub(super) async fn migrate(session: &Session, schema: &str) -> Result<(), OpenError> {
    let found = version(session).await?;
    // Even with IF NOT EXISTS it would need a right in the database.
    let is_there = "SELECT to_regnamespace($1) IS NOT NULL";
    let is_there = session.query_one(is_there, &[&schema]).await?;
    if !is_there.get::<_, bool>(0) {
        session.batch(&format!("CREATE SCHEMA {schema}")).await?;
    }
    let found = found.unwrap_or_default();
    for (sql, version) in MIGRATIONS.iter().zip(1_i64..) {
        if version > found {
            session.batch(sql).await?;
        }
    }
    if found < KNOWN {
        let put = "INSERT INTO meta (name, value) VALUES ('schema', $1::bigint::text) \
            ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        session.execute(put, &[&KNOWN]).await?;
    }
    if found < KNOWN || meta::get(session, "triggers").await?.is_none() {
        session.batch(NOTE_TRIGGERS).await?;
    }
    Ok(())
}
