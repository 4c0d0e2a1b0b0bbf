//! Passkeys in SQLite.

use std::sync::Arc;

use grantor::{
    registry::{CredentialId, Passkey, PasskeyFilter},
    storage::StoreError,
    types::SubjectId,
};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{
    error::{Failure, expect_row, on_constraint, text},
    registry::Stored,
    revision,
    search::Search,
    subject,
};
use crate::{
    MasterKey,
    form::passkey::{PasskeyRow, key},
};

macro_rules! select_passkey {
    ($which:literal) => {
        concat!(
            "SELECT credential, subject.id, key, name, passkey.created_at, passkey.number, passkey.version ",
            "FROM passkey JOIN subject ON subject.number = passkey.subject ",
            $which
        )
    };
}

impl Stored for Passkey {
    fn insert(&self, connection: &Connection, _: &MasterKey) -> Result<(), Failure> {
        let insert = "INSERT INTO passkey (subject, credential, key, name, created_at) VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = (
            subject::number(connection, &self.subject)?,
            self.credential.as_str(),
            key(self),
            self.name.as_str(),
            self.created_at.millis(),
        );
        on_constraint(
            connection.execute(insert, values),
            StoreError::Exists("passkey"),
        )?;
        Ok(())
    }

    fn update(&self, connection: &Connection, _: &MasterKey) -> Result<(), Failure> {
        let update = "UPDATE passkey SET subject = ?3, key = ?4, name = ?5, created_at = ?6, version = version + 1 WHERE number = ?1 AND version = ?2";
        let (number, version) = revision::columns(self.revision);
        let values = (
            number,
            version,
            subject::number(connection, &self.subject)?,
            key(self),
            self.name.as_str(),
            self.created_at.millis(),
        );
        connection.execute(update, values)?;
        Ok(())
    }

    fn delete(connection: &Connection, id: &CredentialId) -> Result<(), Failure> {
        let delete = "DELETE FROM passkey WHERE credential = ?1";
        expect_row(connection.execute(delete, [id.as_str()])?, "passkey")
    }

    fn find(
        connection: &Connection,
        _: &MasterKey,
        id: &CredentialId,
    ) -> Result<Option<Arc<Self>>, Failure> {
        let mut statement = connection.prepare_cached(select_passkey!("WHERE credential = ?1"))?;
        let found = statement.query_row([id.as_str()], |row| Ok(passkey(row)));
        Ok(found.optional()?.transpose()?.map(Arc::new))
    }

    fn search(filter: &PasskeyFilter) -> Search {
        let name = &["credential"];
        let mut search = Search::all("passkey", name);
        if let Some(subject) = &filter.subject {
            let from = "passkey INDEXED BY passkey_by_subject";
            let of_subject = "passkey.subject = (SELECT number FROM subject WHERE id = ?)";
            search.enter(from, name, of_subject, [subject.to_string().into()]);
        }
        search
    }
}

/// All passkeys of a subject, in the order of their names.
pub(super) fn of_subject(connection: &Connection, id: &SubjectId) -> Result<Vec<Passkey>, Failure> {
    let which = select_passkey!("WHERE subject.id = ?1 ORDER BY credential");
    let mut statement = connection.prepare_cached(which)?;
    let mut rows = statement.query([id.as_str()])?;
    let mut passkeys = Vec::new();
    while let Some(row) = rows.next()? {
        passkeys.push(passkey(row)?);
    }
    Ok(passkeys)
}

fn passkey(row: &Row<'_>) -> Result<Passkey, Failure> {
    let row = PasskeyRow {
        credential: text(row, 0, "passkey")?,
        subject: text(row, 1, "passkey")?,
        key: text(row, 2, "passkey")?,
        name: text(row, 3, "passkey")?,
        created_at: row.get(4)?,
        revision: revision::read(row, 5)?,
    };
    Ok(row.read()?)
}
