//! Passwords in SQLite: digests, sealed by the master key, so that a copied database is not enough
//! to guess them.

use std::sync::Arc;

use grantor::{
    registry::{Password, PasswordFilter},
    storage::StoreError,
    types::SubjectId,
};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{
    error::{Failure, expect_row, on_constraint},
    registry::Stored,
    revision,
    search::Search,
    subject,
};
use crate::{
    MasterKey,
    form::password::{PasswordRow, sealed},
};

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
            sealed(self, subject, master_key),
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
        let sealed = sealed(self, subject, master_key);
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

fn password(row: &Row<'_>, master_key: &MasterKey) -> Result<Arc<Password>, Failure> {
    let row = PasswordRow {
        subject: row.get(0)?,
        number: row.get(1)?,
        sealed: row.get(2)?,
        changed_at: row.get(3)?,
        revision: revision::read(row, 4)?,
    };
    Ok(Arc::new(row.open(master_key)?))
}
