//! Passwords in SQLite: digests, sealed by the master key, so that a copied database is not enough
//! to guess them.

use std::sync::Arc;

use grantor::{
    clock::UnixTime,
    registry::{Password, PasswordDigest, PasswordFilter},
    storage::StoreError,
    types::SubjectId,
};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{
    error::{Failure, expect_row, on_constraint, unreadable},
    registry::Stored,
    revision,
    search::Search,
    subject,
};
use crate::MasterKey;

macro_rules! select_password {
    ($which:literal) => {
        concat!(
            "SELECT subject.id, subject.number, digest, changed_at, password.number, password.version ",
            "FROM password JOIN subject ON subject.number = password.subject ",
            $which
        )
    };
}

impl Stored for Password {
    fn insert(&self, connection: &Connection, master_key: &MasterKey) -> Result<(), Failure> {
        let subject = subject::number(connection, &self.subject)?;
        let insert = "INSERT INTO password (subject, digest, changed_at) VALUES (?1, ?2, ?3)";
        let values = (
            subject,
            sealed(self, master_key, subject),
            self.changed_at.millis(),
        );
        on_constraint(
            connection.execute(insert, values),
            StoreError::Exists("password"),
        )?;
        Ok(())
    }

    fn update(&self, connection: &Connection, master_key: &MasterKey) -> Result<(), Failure> {
        let subject = subject::number(connection, &self.subject)?;
        let update = "UPDATE password SET digest = ?3, changed_at = ?4, version = version + 1 WHERE number = ?1 AND version = ?2";
        let (number, version) = revision::columns(self.revision);
        let sealed = sealed(self, master_key, subject);
        connection.execute(update, (number, version, sealed, self.changed_at.millis()))?;
        Ok(())
    }

    fn delete(connection: &Connection, id: &SubjectId) -> Result<(), Failure> {
        let delete =
            "DELETE FROM password WHERE subject = (SELECT number FROM subject WHERE id = ?1)";
        expect_row(connection.execute(delete, [id.as_str()])?, "password")
    }

    fn find(
        connection: &Connection,
        master_key: &MasterKey,
        id: &SubjectId,
    ) -> Result<Option<Arc<Self>>, Failure> {
        let mut statement = connection.prepare_cached(select_password!("WHERE subject.id = ?1"))?;
        statement
            .query_row([id.as_str()], |row| Ok(password(row, master_key)))
            .optional()?
            .transpose()
    }

    fn search(_: &PasswordFilter) -> Search {
        let from = "subject CROSS JOIN password ON password.subject = subject.number";
        Search::all(from, &["subject.id"])
    }
}

/// Binds a sealed digest to its subject: moved to another row, it does not open.
fn purpose(subject: i64) -> String {
    format!("password of subject {subject}")
}

fn sealed(password: &Password, master_key: &MasterKey, subject: i64) -> Vec<u8> {
    master_key.seal(&purpose(subject), password.digest.expose().as_bytes())
}

fn password(row: &Row<'_>, master_key: &MasterKey) -> Result<Arc<Password>, Failure> {
    let subject: String = row.get(0)?;
    let subject = SubjectId::parse(&subject).map_err(|error| unreadable("password", error))?;
    let sealed: Vec<u8> = row.get(2)?;
    let opened = master_key
        .open(&purpose(row.get(1)?), &sealed)
        .ok_or_else(|| unreadable("password", "it does not open"))?;
    let text = std::str::from_utf8(&opened).map_err(|error| unreadable("password", error))?;
    let digest = PasswordDigest::parse(text).map_err(|error| unreadable("password", error))?;
    let mut password = Password::new(subject, digest, UnixTime::from_millis(row.get(3)?));
    password.revision = revision::read(row, 4)?;
    Ok(Arc::new(password))
}
