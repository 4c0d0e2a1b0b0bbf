//! Permissions in SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    registry::{Permission, PermissionFilter, PermissionId, Permissions},
    storage::{PermissionSource, StoreError, SubjectPermissions},
    types::{ClientId, Name, SubjectId},
};
use rusqlite::{Connection, OptionalExtension as _, Params, Row};

use super::{
    SqliteStore,
    error::{Failure, expect_row, on_constraint, text},
    registry::Stored,
    revision,
    search::Search,
};
use crate::{
    MasterKey,
    form::{
        self,
        permission::{PermissionRow, grants, scope},
    },
};

macro_rules! select_permission {
    ($which:literal) => {
        concat!(
            "SELECT client, subject, scope, created_at, number, version, origin, grants, expires_at, text_version, \
             (SELECT used_at FROM permission_use WHERE permission_use.number = permission.number), managed_by FROM permission ",
            $which
        )
    };
}

#[async_trait]
impl PermissionSource for SqliteStore {
    async fn permissions_of(
        &self,
        client: &ClientId,
        subject: &SubjectId,
    ) -> Result<Permissions, StoreError> {
        self.0.cached.permissions(client, subject).await
    }
}

#[async_trait]
impl SubjectPermissions for SqliteStore {
    async fn permissions_for(
        &self,
        subject: &SubjectId,
    ) -> Result<Vec<Arc<Permission>>, StoreError> {
        let subject = subject.clone();
        let read = move |connection: &Connection| of_subject(connection, &subject);
        let permissions = self.0.readers().read(read).await?;
        Ok(permissions.into_iter().map(Arc::new).collect())
    }
}

impl Stored for Permission {
    fn insert(&self, connection: &Connection, _: &MasterKey) -> Result<(), Failure> {
        create(connection, self)
    }

    fn update(&self, connection: &Connection, _: &MasterKey) -> Result<(), Failure> {
        update(connection, self)
    }

    fn delete(connection: &Connection, id: &PermissionId) -> Result<(), Failure> {
        delete(connection, id)
    }

    fn find(
        connection: &Connection,
        _: &MasterKey,
        id: &PermissionId,
    ) -> Result<Option<Arc<Self>>, Failure> {
        Ok(load(connection, id)?.map(Arc::new))
    }

    fn search(filter: &PermissionFilter) -> Search {
        search(filter)
    }

    fn name(row: &Row<'_>) -> Result<PermissionId, Failure> {
        let [client, subject, origin] = [0, 1, 2].map(|column| text(row, column, "permission"));
        Ok(form::permission::id([client?, subject?, origin?])?)
    }

    fn column(id: &PermissionId, column: &str) -> String {
        match column {
            CLIENT => id.client.to_string(),
            SUBJECT => id.subject.to_string(),
            _ => id.origin.to_string(),
        }
    }
}

const CLIENT: &str = "permission.client";
const SUBJECT: &str = "permission.subject";
const ORIGIN: &str = "permission.origin";
const NAME: &[&str] = &[CLIENT, SUBJECT, ORIGIN];

/// Whichever side is named, an index has its permissions in order.
fn search(filter: &PermissionFilter) -> Search {
    let mut search = Search::all("permission", NAME);
    let client = filter.client.as_ref().map(ClientId::to_string);
    let subject = filter.subject.as_ref().map(SubjectId::to_string);
    match (client, subject) {
        (Some(client), Some(subject)) => {
            let both = "permission.client = ? AND permission.subject = ?";
            search.enter(
                "permission",
                &[ORIGIN],
                both,
                [client.into(), subject.into()],
            );
        }
        (Some(client), None) => {
            let condition = "permission.client = ?";
            search.enter("permission", &[SUBJECT, ORIGIN], condition, [client.into()]);
        }
        (None, Some(subject)) => {
            let from = "permission INDEXED BY permission_by_subject";
            let condition = "permission.subject = ?";
            search.enter(from, &[CLIENT, ORIGIN], condition, [subject.into()]);
        }
        (None, None) => {}
    }
    if let Some(manager) = &filter.managed_by {
        let from = "permission INDEXED BY permission_by_manager";
        let manager = manager.to_string().into();
        search.enter(from, NAME, "permission.managed_by = ?", [manager]);
    }
    if let Some(origin) = filter.origin {
        let from = "permission INDEXED BY permission_by_origin";
        let origin = origin.to_string().into();
        search.enter(from, &[CLIENT, SUBJECT], "permission.origin = ?", [origin]);
    }
    if let Some(since) = filter.unused_from().map(UnixTime::millis) {
        let unused = "coalesce(permission.created_at < ?, 1) AND NOT EXISTS ( \
            SELECT 1 FROM permission_use WHERE permission_use.number = permission.number AND used_at >= ?)";
        search.want(unused, [since.into(), since.into()]);
    }
    search
}

/// The columns of a name.
fn columns(id: &PermissionId) -> (&str, &str, &str) {
    (id.client.as_str(), id.subject.as_str(), id.origin.as_str())
}

/// Those of a client.
pub(super) fn of_client(
    connection: &Connection,
    id: &ClientId,
) -> Result<Vec<Permission>, Failure> {
    let which = select_permission!("WHERE client = ?1 ORDER BY client, subject, origin");
    read_all(connection, which, [id.as_str()])
}

/// Those for a subject.
pub(super) fn of_subject(
    connection: &Connection,
    id: &SubjectId,
) -> Result<Vec<Permission>, Failure> {
    let which = select_permission!("WHERE subject = ?1 ORDER BY client, subject, origin");
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
    let insert = "INSERT INTO permission (client, subject, origin, scope, grants, created_at, expires_at, text_version, managed_by) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let values = (
        client,
        subject,
        permission.origin.as_str(),
        scope(permission),
        grants(permission),
        permission.created_at.map(UnixTime::millis),
        permission.expires_at.map(UnixTime::millis),
        &permission.text_version,
        permission.managed_by.as_ref().map(Name::as_str),
    );
    on_constraint(
        connection.execute(insert, values),
        StoreError::Exists("permission"),
    )?;
    Ok(())
}

fn update(connection: &Connection, permission: &Permission) -> Result<(), Failure> {
    let update = "UPDATE permission SET scope = ?3, grants = ?4, created_at = ?5, expires_at = ?6, text_version = ?7, managed_by = ?8, version = version + 1 \
        WHERE number = ?1 AND version = ?2";
    let (number, version) = revision::columns(permission.revision);
    let values = (
        number,
        version,
        scope(permission),
        grants(permission),
        permission.created_at.map(UnixTime::millis),
        permission.expires_at.map(UnixTime::millis),
        &permission.text_version,
        permission.managed_by.as_ref().map(Name::as_str),
    );
    connection.execute(update, values)?;
    Ok(())
}

fn delete(connection: &Connection, id: &PermissionId) -> Result<(), Failure> {
    let statement = "DELETE FROM permission WHERE client = ?1 AND subject = ?2 AND origin = ?3";
    expect_row(connection.execute(statement, columns(id))?, "permission")
}

fn load(connection: &Connection, id: &PermissionId) -> Result<Option<Permission>, Failure> {
    let mut statement = connection.prepare_cached(select_permission!(
        "WHERE client = ?1 AND subject = ?2 AND origin = ?3"
    ))?;
    statement
        .query_row(columns(id), |row| Ok(permission(row)))
        .optional()?
        .transpose()
}

/// All of a client and a subject, if there is one.
pub(super) fn load_all(
    connection: &Connection,
    (client, subject): &(ClientId, SubjectId),
) -> Result<Option<Permissions>, Failure> {
    let which = select_permission!("WHERE client = ?1 AND subject = ?2");
    let records = read_all(connection, which, (client.as_str(), subject.as_str()))?;
    let permissions = Permissions::of(records.into_iter().map(Arc::new));
    Ok(Some(permissions).filter(|permissions| !permissions.is_empty()))
}

fn permission(row: &Row<'_>) -> Result<Permission, Failure> {
    let row = PermissionRow {
        client: row.get(0)?,
        subject: row.get(1)?,
        scope: row.get(2)?,
        created_at: row.get(3)?,
        revision: revision::read(row, 4)?,
        origin: row.get(6)?,
        grants: row.get(7)?,
        expires_at: row.get(8)?,
        text_version: row.get(9)?,
        last_used_at: row.get(10)?,
        managed_by: row.get(11)?,
    };
    Ok(row.read()?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use grantor::{
        registry::{Origin, ResourceId as _},
        types::{GrantType, Scope},
    };
    use rusqlite_migration::Migrations;

    use super::*;
    use crate::sqlite::open::{MIGRATIONS, migrate};

    const EARLIER: &str = "
        INSERT INTO party (name, kind) VALUES ('a', 'client'), ('b', 'subject'), ('c', 'subject');
        INSERT INTO client (id, metadata, keys) VALUES ('a', '{}', '[]');
        INSERT INTO subject (id, enabled) VALUES ('b', 1), ('c', 1);
        INSERT INTO permission (number, client, subject, scope, version, created_at) VALUES (3, 'a', 'b', 'read', 2, 5000), (7, 'a', 'c', NULL, 1, NULL);
        DELETE FROM permission WHERE number = 7;";

    fn number(connection: &Connection, query: &str) -> i64 {
        let read = connection.query_row(query, [], |row| row.get(0));
        read.expect("a number")
    }

    /// A database of schema 14, brought to today's.
    fn migrated() -> Connection {
        let mut connection = Connection::open_in_memory().expect("a database");
        let migrations = Migrations::from_slice(MIGRATIONS);
        let earlier = migrations.to_version(&mut connection, 14);
        earlier.expect("as it was");
        connection.execute_batch(EARLIER).expect("written");
        let logs =
            "SELECT (SELECT max(sequence) FROM change) + (SELECT count(*) FROM change_record)";
        let logged = number(&connection, logs);
        migrate(&mut connection, Path::new("")).expect("migrated");
        let now = number(&connection, logs);
        assert_eq!(now, logged, "nothing has changed for anybody");
        connection
    }

    fn pair(subject: &str) -> (ClientId, SubjectId) {
        let (client, subject) = (ClientId::parse("a"), SubjectId::parse(subject));
        (client.expect("a client"), subject.expect("a subject"))
    }

    fn found(connection: &Connection, subject: &str) -> Permissions {
        let found = load_all(connection, &pair(subject)).map_err(StoreError::from);
        found.expect("read").unwrap_or_default()
    }

    #[test]
    fn what_was_given_before_is_an_operators_for_the_one_grant_there_was() {
        let connection = migrated();
        let (client, subject) = pair("b");
        let scope = Scope::parse("read").ok();
        let mut expected =
            Permission::new(client, subject, scope).given_at(UnixTime::from_millis(5000));
        (expected.revision.number, expected.revision.version) = (3, 2);
        let permissions = found(&connection, "b");
        let permission = permissions.operator().expect("a permission");
        // The hour of the migration.
        let used = permission.last_used_at.expect("counts as used");
        assert_eq!(used, used.start_of_hour());
        expected.last_used_at = Some(used);
        assert_eq!(**permission, expected);
        assert_eq!(expected.grants, [GrantType::JWT_BEARER]);
        assert!(permissions.person().is_none());
    }

    #[test]
    fn the_number_of_a_permission_that_is_gone_is_not_given_again() {
        let connection = migrated();
        let insert = "INSERT INTO permission (client, subject) VALUES ('a', 'c')";
        connection.execute(insert, []).expect("written");
        let permissions = found(&connection, "c");
        let given = permissions.operator().expect("a permission");
        assert_eq!(given.revision.number, 8);
    }

    /// What is changed by hand is told from then on as before, by its whole name.
    #[test]
    fn changes_by_hand_say_who_gave_it() {
        let connection = migrated();
        for statement in [
            "INSERT INTO permission (client, subject, origin, scope) VALUES ('a', 'b', 'person', 'write')",
            "UPDATE permission SET expires_at = 9 WHERE origin = 'person'",
            "DELETE FROM permission WHERE client = 'a'",
        ] {
            connection.execute(statement, []).expect("written");
        }
        let query = "SELECT name, record ->> 'action', record -> 'before' ->> 'origin', record -> 'after' ->> 'expires_at'
            FROM change_record WHERE sequence > (SELECT max(sequence) - 4 FROM change_record) ORDER BY sequence";
        let mut statement = connection.prepare(query).expect("a query");
        let told = statement.query_map([], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, Option<String>>(2)?,
                row.get::<_, Option<i64>>(3)?,
            ))
        });
        let mut told: Vec<_> = told.expect("rows").map(|row| row.expect("a row")).collect();
        told[2..].sort();
        let row = |name: &str, action: &str, before: Option<&str>, end| {
            let before = before.map(str::to_owned);
            (name.to_owned(), action.to_owned(), before, end)
        };
        let (operators, persons) = (r#"["a","b"]"#, r#"["a","b","person"]"#);
        assert_eq!(
            told,
            [
                row(persons, "create", None, None),
                row(persons, "replace", Some("person"), Some(9)),
                row(persons, "delete", Some("person"), None),
                row(operators, "delete", Some("operator"), None),
            ]
        );
        assert!(PermissionId::from_text(persons).is_some_and(|id| id.origin == Origin::Person));
        assert!(PermissionId::from_text(operators).is_some_and(|id| id.origin == Origin::Operator));
    }

    /// A person says what is allowed.
    #[test]
    fn no_row_of_a_person_allows_everything() {
        let connection = migrated();
        let insert = "INSERT INTO permission (client, subject, origin) VALUES ('a', 'b', ?1)";
        connection
            .execute(insert, ["person"])
            .expect_err("without a scope");
        connection
            .execute(&insert.replace("'b'", "'c'"), ["operator"])
            .expect("an operator may");
    }
}
