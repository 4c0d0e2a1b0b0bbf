//! Permissions in SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    registry::Permission,
    storage::{PermissionSource, StoreError},
    types::{ClientId, Scope, SubjectId},
};
use rusqlite::{Connection, OptionalExtension as _, Params, Row};

use super::{
    SqliteStore,
    error::{Failure, expect_row, on_constraint, unreadable},
    registry::Stored,
    revision,
};
use crate::MasterKey;

/// The name of a permission.
type Pair = (ClientId, SubjectId);

macro_rules! select_permission {
    ($which:literal) => {
        concat!(
            "SELECT client, subject, scope, created_at, number, version FROM permission ",
            $which
        )
    };
}

#[async_trait]
impl PermissionSource for SqliteStore {
    async fn permission(
        &self,
        client: &ClientId,
        subject: &SubjectId,
    ) -> Result<Option<Permission>, StoreError> {
        self.0.cached.permission(client, subject).await
    }
}

impl Stored for Permission {
    fn insert(&self, connection: &Connection, _: &MasterKey) -> Result<(), Failure> {
        create(connection, self)
    }

    fn update(&self, connection: &Connection, _: &MasterKey) -> Result<(), Failure> {
        update(connection, self)
    }

    fn delete(connection: &Connection, id: &Pair) -> Result<(), Failure> {
        delete(connection, id)
    }

    fn find(
        connection: &Connection,
        _: &MasterKey,
        id: &Pair,
    ) -> Result<Option<Arc<Self>>, Failure> {
        Ok(load(connection, id)?.map(Arc::new))
    }

    fn list(
        connection: &Connection,
        _: &MasterKey,
        after: Option<&Pair>,
        limit: u32,
    ) -> Result<Vec<Arc<Self>>, Failure> {
        let (client, subject) = after.map_or(("", ""), |(client, subject)| {
            (client.as_str(), subject.as_str())
        });
        let which = select_permission!(
            "WHERE (client, subject) > (?1, ?2) ORDER BY client, subject LIMIT ?3"
        );
        let permissions = read_all(connection, which, (client, subject, limit))?;
        Ok(permissions.into_iter().map(Arc::new).collect())
    }

    fn permissions(_: &Connection, _: &Pair) -> Result<Vec<Permission>, Failure> {
        Ok(Vec::new())
    }
}

/// Those of a client.
pub(super) fn of_client(
    connection: &Connection,
    id: &ClientId,
) -> Result<Vec<Permission>, Failure> {
    let which = select_permission!("WHERE client = ?1 ORDER BY client, subject");
    read_all(connection, which, [id.as_str()])
}

/// Those for a subject.
pub(super) fn of_subject(
    connection: &Connection,
    id: &SubjectId,
) -> Result<Vec<Permission>, Failure> {
    let which = select_permission!("WHERE subject = ?1 ORDER BY client, subject");
    read_all(connection, which, [id.as_str()])
}

fn read_all(
    connection: &Connection,
    query: &str,
    values: impl Params,
) -> Result<Vec<Permission>, Failure> {
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query(values)?;
    let mut permissions = Vec::new();
    while let Some(row) = rows.next()? {
        permissions.push(permission(row)?);
    }
    Ok(permissions)
}

fn create(connection: &Connection, permission: &Permission) -> Result<(), Failure> {
    let (client, subject) = (permission.client.as_str(), permission.subject.as_str());
    for (resource, statement, id) in [
        ("client", "SELECT 1 FROM client WHERE id = ?1", client),
        ("subject", "SELECT 1 FROM subject WHERE id = ?1", subject),
    ] {
        connection
            .query_row(statement, [id], |_| Ok(()))
            .optional()?
            .ok_or(StoreError::Missing(resource))?;
    }
    let scope = permission.scope.as_ref().map(Scope::to_string);
    let insert =
        "INSERT INTO permission (client, subject, scope, created_at) VALUES (?1, ?2, ?3, ?4)";
    let values = (
        client,
        subject,
        scope,
        permission.created_at.map(UnixTime::millis),
    );
    on_constraint(
        connection.execute(insert, values),
        StoreError::Exists("permission"),
    )?;
    Ok(())
}

fn update(connection: &Connection, permission: &Permission) -> Result<(), Failure> {
    let update = "UPDATE permission SET scope = ?3, version = version + 1 WHERE number = ?1 AND version = ?2";
    let (number, version) = revision::columns(permission.revision);
    let scope = permission.scope.as_ref().map(Scope::to_string);
    connection.execute(update, (number, version, scope))?;
    Ok(())
}

fn delete(connection: &Connection, (client, subject): &Pair) -> Result<(), Failure> {
    let statement = "DELETE FROM permission WHERE client = ?1 AND subject = ?2";
    expect_row(
        connection.execute(statement, (client.as_str(), subject.as_str()))?,
        "permission",
    )
}

pub(super) fn load(
    connection: &Connection,
    (client, subject): &Pair,
) -> Result<Option<Permission>, Failure> {
    let mut statement =
        connection.prepare_cached(select_permission!("WHERE client = ?1 AND subject = ?2"))?;
    statement
        .query_row((client.as_str(), subject.as_str()), |row| {
            Ok(permission(row))
        })
        .optional()?
        .transpose()
}

fn permission(row: &Row<'_>) -> Result<Permission, Failure> {
    let (client, subject, scope): (String, String, Option<String>) =
        (row.get(0)?, row.get(1)?, row.get(2)?);
    let mut permission = Permission::new(
        ClientId::parse(&client).map_err(|error| unreadable("permission", error))?,
        SubjectId::parse(&subject).map_err(|error| unreadable("permission", error))?,
        scope
            .map(|scope| Scope::parse(&scope))
            .transpose()
            .map_err(|error| unreadable("permission", error))?,
    );
    permission.created_at = row.get::<_, Option<i64>>(3)?.map(UnixTime::from_millis);
    permission.revision = revision::read(row, 4)?;
    Ok(permission)
}
