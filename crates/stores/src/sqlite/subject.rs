//! Subjects in SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    registry::{Operator, Password, Subject, SubjectFilter},
    storage::{StoreError, SubjectSource},
    types::SubjectId,
};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{
    SqliteStore,
    error::{Failure, expect_row, on_constraint},
    passkey, permission,
    registry::{Changing, Stored},
    revision,
    search::Search,
};
use crate::{
    MasterKey,
    form::subject::{SubjectRow, display_name, language, manager},
};

#[async_trait]
impl SubjectSource for SqliteStore {
    async fn subject(&self, id: &SubjectId) -> Result<Option<Subject>, StoreError> {
        self.0.cached.subject(id).await
    }
}

impl Stored for Subject {
    fn insert(&self, connection: &Connection, _: &MasterKey) -> Result<(), Failure> {
        create(connection, self)
    }

    fn update(&self, connection: &Connection, _: &MasterKey) -> Result<(), Failure> {
        update(connection, self)
    }

    fn delete(connection: &Connection, id: &SubjectId) -> Result<(), Failure> {
        delete(connection, id)
    }

    fn find(
        connection: &Connection,
        _: &MasterKey,
        id: &SubjectId,
    ) -> Result<Option<Arc<Self>>, Failure> {
        Ok(load(connection, id)?.map(Arc::new))
    }

    fn search(filter: &SubjectFilter) -> Search {
        let name = &["subject.id"];
        let mut search = Search::all("subject INDEXED BY subject_by_name", name);
        match filter.enabled {
            Some(true) => search.want("subject.enabled = 1", []),
            Some(false) => {
                let from = "subject INDEXED BY subject_disabled";
                search.enter(from, name, "subject.enabled = 0", []);
            }
            None => {}
        }
        if let Some(manager) = &filter.managed_by {
            let from = "subject INDEXED BY subject_by_manager";
            let manager = manager.to_string().into();
            search.enter(from, name, "subject.managed_by = ?", [manager]);
        }
        search.want_part(filter.q.as_ref(), &["subject.id", "subject.display_name"]);
        search.by_text(filter.q.as_ref(), "subject_text", "subject");
        search
    }

    fn record_what_goes_along(changing: &mut Changing<'_>, id: &SubjectId) -> Result<(), Failure> {
        changing.goes_along(permission::of_subject(changing.connection, id))?;
        record_credentials(changing, id)?;
        let operator = Operator::find(changing.connection, changing.master_key, id);
        let operator = operator.map(|found| found.map(Arc::unwrap_or_clone));
        changing.goes_along(operator.map(Vec::from_iter))
    }
}

/// Removes what a subject signs in with, and records it.
pub(super) fn end_credentials(changing: &mut Changing<'_>, id: &SubjectId) -> Result<(), Failure> {
    record_credentials(changing, id)?;
    let number = number(changing.connection, id)?;
    for delete in [
        "DELETE FROM password WHERE subject = ?1",
        "DELETE FROM passkey WHERE subject = ?1",
    ] {
        changing.connection.execute(delete, [number])?;
    }
    Ok(())
}

fn record_credentials(changing: &mut Changing<'_>, id: &SubjectId) -> Result<(), Failure> {
    let password = Password::find(changing.connection, changing.master_key, id);
    let password = password.map(|found| found.map(Arc::unwrap_or_clone));
    changing.goes_along(password.map(Vec::from_iter))?;
    changing.goes_along(passkey::of_subject(changing.connection, id))
}

fn create(connection: &Connection, subject: &Subject) -> Result<(), Failure> {
    let id = subject.id.as_str();
    let taken = StoreError::Exists("client or subject");
    on_constraint(
        connection.execute(
            "INSERT INTO party (name, kind) VALUES (?1, 'subject')",
            [id],
        ),
        taken,
    )?;
    let insert = "INSERT INTO subject (id, enabled, created_at, managed_by, display_name, language) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let values = (
        id,
        subject.enabled,
        subject.created_at.map(UnixTime::millis),
        manager(subject),
        display_name(subject),
        language(subject),
    );
    connection.execute(insert, values)?;
    Ok(())
}

fn update(connection: &Connection, subject: &Subject) -> Result<(), Failure> {
    let id = subject.id.as_str();
    let update = "UPDATE subject SET enabled = ?4, managed_by = ?5, display_name = ?6, language = ?7, \
                  version = version + 1 WHERE id = ?1 AND number = ?2 AND version = ?3";
    let (number, version) = revision::columns(subject.revision);
    let values = (
        id,
        number,
        version,
        subject.enabled,
        manager(subject),
        display_name(subject),
        language(subject),
    );
    connection.execute(update, values)?;
    Ok(())
}

fn delete(connection: &Connection, id: &SubjectId) -> Result<(), Failure> {
    let statement = "DELETE FROM party WHERE name = ?1 AND kind = 'subject'";
    expect_row(connection.execute(statement, [id.as_str()])?, "subject")
}

pub(super) fn load(connection: &Connection, id: &SubjectId) -> Result<Option<Subject>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT id, enabled, created_at, number, version, managed_by, display_name, language \
         FROM subject WHERE id = ?1",
    )?;
    statement
        .query_row([id.as_str()], |row| Ok(subject(row)))
        .optional()?
        .transpose()
}

/// The number of this subject's row.
pub(super) fn number(connection: &Connection, id: &SubjectId) -> Result<i64, Failure> {
    let mut statement = connection.prepare_cached("SELECT number FROM subject WHERE id = ?1")?;
    let number = statement.query_row([id.as_str()], |row| row.get(0));
    Ok(number.optional()?.ok_or(StoreError::Missing("subject"))?)
}

fn subject(row: &Row<'_>) -> Result<Subject, Failure> {
    let row = SubjectRow {
        id: row.get(0)?,
        enabled: row.get(1)?,
        created_at: row.get(2)?,
        revision: revision::read(row, 3)?,
        managed_by: row.get(5)?,
        display_name: row.get(6)?,
        language: row.get(7)?,
    };
    Ok(row.read()?)
}
