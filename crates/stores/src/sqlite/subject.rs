//! Subjects in SQLite.

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    registry::Subject,
    storage::{StoreError, SubjectRegistry, SubjectSource},
    types::SubjectId,
};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{
    SqliteStore,
    error::{Failure, expect_row, on_constraint, unreadable},
    revision::{self, expect_unchanged},
};

#[async_trait]
impl SubjectSource for SqliteStore {
    async fn subject(&self, id: &SubjectId) -> Result<Option<Subject>, StoreError> {
        self.0.cached.subject(id).await
    }
}

#[async_trait]
impl SubjectRegistry for SqliteStore {
    async fn subject_create(&self, subject: Subject) -> Result<(), StoreError> {
        self.write(move |transaction, _| Ok(create(transaction, &subject)?))
            .await
    }

    async fn subject_update(&self, subject: Subject) -> Result<(), StoreError> {
        self.write(move |transaction, _| Ok(update(transaction, &subject)?))
            .await
    }

    async fn subject_delete(&self, id: &SubjectId) -> Result<(), StoreError> {
        let id = id.clone();
        self.write(move |transaction, _| Ok(delete(transaction, &id)?))
            .await
    }

    async fn subject_list(&self) -> Result<Vec<Subject>, StoreError> {
        self.0.readers().read(list).await
    }
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
    let insert = "INSERT INTO subject (id, enabled, created_at) VALUES (?1, ?2, ?3)";
    connection.execute(
        insert,
        (
            id,
            subject.enabled,
            subject.created_at.map(UnixTime::millis),
        ),
    )?;
    Ok(())
}

fn update(connection: &Connection, subject: &Subject) -> Result<(), Failure> {
    let id = subject.id.as_str();
    let update = "UPDATE subject SET enabled = ?4, version = version + 1 WHERE id = ?1 AND number = ?2 AND version = ?3";
    let (number, version) = revision::columns(subject.revision);
    expect_unchanged(
        connection,
        connection.execute(update, (id, number, version, subject.enabled))?,
        "subject",
        id,
    )
}

fn delete(connection: &Connection, id: &SubjectId) -> Result<(), Failure> {
    let statement = "DELETE FROM party WHERE name = ?1 AND kind = 'subject'";
    expect_row(connection.execute(statement, [id.as_str()])?, "subject")
}

pub(super) fn load(connection: &Connection, id: &SubjectId) -> Result<Option<Subject>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT id, enabled, created_at, number, version FROM subject WHERE id = ?1",
    )?;
    statement
        .query_row([id.as_str()], |row| Ok(subject(row)))
        .optional()?
        .transpose()
}

fn list(connection: &Connection) -> Result<Vec<Subject>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT id, enabled, created_at, number, version FROM subject ORDER BY id",
    )?;
    let mut rows = statement.query([])?;
    let mut subjects = Vec::new();
    while let Some(row) = rows.next()? {
        subjects.push(subject(row)?);
    }
    Ok(subjects)
}

fn subject(row: &Row<'_>) -> Result<Subject, Failure> {
    let id: String = row.get(0)?;
    let id = SubjectId::parse(&id).map_err(|error| unreadable("subject", error))?;
    let mut subject = Subject::new(id);
    subject.enabled = row.get(1)?;
    subject.created_at = row.get::<_, Option<i64>>(2)?.map(UnixTime::from_millis);
    subject.revision = revision::read(row, 3)?;
    Ok(subject)
}
