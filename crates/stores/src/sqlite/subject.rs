//! Subjects in SQLite.

use async_trait::async_trait;
use grantor::{
    storage::{StoreError, Subject, SubjectRegistry, SubjectSource},
    types::SubjectId,
};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{
    SqliteStore,
    error::{Failure, expect_row, on_constraint, unreadable},
};

#[async_trait]
impl SubjectSource for SqliteStore {
    async fn subject(&self, id: &SubjectId) -> Result<Option<Subject>, StoreError> {
        let load = || self.0.readers.read_here(|connection| load(connection, id));
        self.0.cache.get_or_load(&self.0.cache.subjects, id, load)
    }
}

#[async_trait]
impl SubjectRegistry for SqliteStore {
    async fn subject_create(&self, subject: Subject) -> Result<(), StoreError> {
        self.write(move |transaction, _| Ok(create(transaction, &subject)?)).await
    }

    async fn subject_update(&self, subject: Subject) -> Result<(), StoreError> {
        self.write(move |transaction, _| Ok(update(transaction, &subject)?)).await
    }

    async fn subject_delete(&self, id: &SubjectId) -> Result<(), StoreError> {
        let id = id.clone();
        self.write(move |transaction, _| Ok(delete(transaction, &id)?)).await
    }

    async fn subject_list(&self) -> Result<Vec<Subject>, StoreError> {
        self.0.readers.read(list).await
    }
}

fn create(connection: &Connection, subject: &Subject) -> Result<(), Failure> {
    let id = subject.id.as_str();
    let taken = StoreError::Exists("client or subject");
    on_constraint(connection.execute("INSERT INTO party (name, kind) VALUES (?1, 'subject')", [id]), taken)?;
    connection.execute("INSERT INTO subject (id, enabled) VALUES (?1, ?2)", (id, subject.enabled))?;
    Ok(())
}

fn update(connection: &Connection, subject: &Subject) -> Result<(), Failure> {
    let statement = "UPDATE subject SET enabled = ?2 WHERE id = ?1";
    expect_row(connection.execute(statement, (subject.id.as_str(), subject.enabled))?, "subject")
}

fn delete(connection: &Connection, id: &SubjectId) -> Result<(), Failure> {
    let statement = "DELETE FROM party WHERE name = ?1 AND kind = 'subject'";
    expect_row(connection.execute(statement, [id.as_str()])?, "subject")
}

fn load(connection: &Connection, id: &SubjectId) -> Result<Option<Subject>, Failure> {
    let mut statement = connection.prepare_cached("SELECT id, enabled FROM subject WHERE id = ?1")?;
    statement.query_row([id.as_str()], |row| Ok(subject(row))).optional()?.transpose()
}

fn list(connection: &Connection) -> Result<Vec<Subject>, Failure> {
    let mut statement = connection.prepare_cached("SELECT id, enabled FROM subject ORDER BY id")?;
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
    Ok(Subject { id, enabled: row.get(1)? })
}
