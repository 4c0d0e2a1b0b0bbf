//! What is known of the whole, by name: table `meta`.

use super::{error::Failure, session::Session};

/// The value of this name, if there is one.
pub(super) async fn get(session: &Session, name: &str) -> Result<Option<String>, Failure> {
    let select = "SELECT value FROM meta WHERE name = $1";
    let row = session.query_opt(select, &[&name]).await?;
    Ok(row.map(|row| row.get(0)))
}

/// Gives this name this value.
pub(super) async fn put(session: &Session, name: &str, value: &str) -> Result<(), Failure> {
    let put = "INSERT INTO meta (name, value) VALUES ($1, $2) \
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    session.execute(put, &[&name, &value]).await.map(drop)
}
