//! Permissions in SQLite.

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    registry::Permission,
    storage::{PermissionRegistry, PermissionSource, StoreError},
    types::{ClientId, Scope, SubjectId},
};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{
    SqliteStore,
    error::{Failure, expect_row, on_constraint, unreadable},
    revision,
};

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

#[async_trait]
impl PermissionRegistry for SqliteStore {
    async fn permission_create(&self, permission: Permission) -> Result<(), StoreError> {
        self.write(move |transaction, _| Ok(create(transaction, &permission)?))
            .await
    }

    async fn permission_delete(
        &self,
        client: &ClientId,
        subject: &SubjectId,
    ) -> Result<(), StoreError> {
        let key = (client.clone(), subject.clone());
        self.write(move |transaction, _| Ok(delete(transaction, &key)?))
            .await
    }

    async fn permission_list(&self) -> Result<Vec<Permission>, StoreError> {
        self.0.readers().read(list).await
    }
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

fn delete(
    connection: &Connection,
    (client, subject): &(ClientId, SubjectId),
) -> Result<(), Failure> {
    let statement = "DELETE FROM permission WHERE client = ?1 AND subject = ?2";
    expect_row(
        connection.execute(statement, (client.as_str(), subject.as_str()))?,
        "permission",
    )
}

macro_rules! select_permission {
    ($which:literal) => {
        concat!(
            "SELECT client, subject, scope, created_at, number, version FROM permission ",
            $which
        )
    };
}

pub(super) fn load(
    connection: &Connection,
    (client, subject): &(ClientId, SubjectId),
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

fn list(connection: &Connection) -> Result<Vec<Permission>, Failure> {
    let mut statement =
        connection.prepare_cached(select_permission!("ORDER BY client, subject"))?;
    let mut rows = statement.query([])?;
    let mut permissions = Vec::new();
    while let Some(row) = rows.next()? {
        permissions.push(permission(row)?);
    }
    Ok(permissions)
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
