//! Permissions in PostgreSQL.

use std::sync::Arc;

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    registry::{Permission, PermissionFilter, PermissionId, Permissions},
    storage::{PermissionSource, StoreError, SubjectPermissions},
    types::{ClientId, Name, SubjectId},
};
use tokio_postgres::Row;

use super::{
    PostgresStore,
    error::Failure,
    registry::{Changing, Stored, expect_new},
    revision,
    search::{Search, boxed},
    session::{Session, Values},
};
use crate::{
    MasterKey,
    form::{
        self,
        permission::{PermissionRow, grants, scope},
    },
};

macro_rules! select_permission {
    ($from:literal) => {
        concat!(
            "SELECT permission.client, permission.subject, scope, created_at, number, version, permission.origin, grants, expires_at, text_version, \
             (SELECT used_at FROM permission_use WHERE permission_use.number = permission.number), managed_by FROM ",
            $from
        )
    };
}

#[async_trait]
impl PermissionSource for PostgresStore {
    async fn permissions_of(
        &self,
        client: &ClientId,
        subject: &SubjectId,
    ) -> Result<Permissions, StoreError> {
        self.0.cached.permissions(client, subject).await
    }
}

#[async_trait]
impl SubjectPermissions for PostgresStore {
    async fn permissions_for(
        &self,
        subject: &SubjectId,
    ) -> Result<Vec<Arc<Permission>>, StoreError> {
        let session = self.0.connections().reads().session().await?;
        let permissions = of_subject(&session, subject).await?;
        Ok(permissions.into_iter().map(Arc::new).collect())
    }
}

impl Stored for Permission {
    async fn insert(&self, changing: &Changing) -> Result<(), Failure> {
        create(changing.session(), self).await
    }

    async fn update(&self, changing: &Changing) -> Result<u64, Failure> {
        update(changing.session(), self).await
    }

    async fn delete(changing: &Changing, id: &PermissionId) -> Result<u64, Failure> {
        let delete = "DELETE FROM permission WHERE client = $1 AND subject = $2 AND origin = $3";
        let [client, subject, origin] = &columns(id);
        let values: &Values<'_> = &[client, subject, origin];
        changing.session().execute(delete, values).await
    }

    /// Each is found by the index of names, however many there are.
    async fn find_all(
        session: &Session,
        _: &MasterKey,
        ids: &[PermissionId],
    ) -> Result<Vec<Self>, Failure> {
        let which = select_permission!(
            "unnest($1::text[], $2::text[], $3::text[]) AS wanted (client, subject, origin), LATERAL ( \
             SELECT * FROM permission WHERE permission.client = wanted.client AND permission.subject = wanted.subject \
             AND permission.origin = wanted.origin LIMIT 1) AS permission"
        );
        let names: Vec<_> = ids.iter().map(columns).collect();
        let [clients, subjects, origins] =
            [0, 1, 2].map(|at| names.iter().map(|name| name[at]).collect::<Vec<_>>());
        read_all(session, which, &[&clients, &subjects, &origins]).await
    }

    fn search(filter: &PermissionFilter) -> Search {
        search(filter)
    }

    fn name(row: &Row) -> Result<PermissionId, Failure> {
        Ok(form::permission::id(
            [0, 1, 2].map(|column| row.get(column)),
        )?)
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
    let client = filter.client.as_ref().map(ClientId::to_string).map(boxed);
    let subject = filter.subject.as_ref().map(SubjectId::to_string).map(boxed);
    match (client, subject) {
        (Some(client), Some(subject)) => {
            let both = "permission.client = ? AND permission.subject = ?";
            search.enter(&[ORIGIN], both, [client, subject]);
        }
        (Some(client), None) => {
            search.enter(&[SUBJECT, ORIGIN], "permission.client = ?", [client]);
        }
        (None, Some(subject)) => {
            search.enter(&[CLIENT, ORIGIN], "permission.subject = ?", [subject]);
        }
        (None, None) => {}
    }
    if let Some(manager) = &filter.managed_by {
        let manager = boxed(manager.to_string());
        search.enter(NAME, "permission.managed_by = ?", [manager]);
    }
    if let Some(origin) = filter.origin {
        let origin = boxed(origin.to_string());
        search.enter(&[CLIENT, SUBJECT], "permission.origin = ?", [origin]);
    }
    if let Some(since) = filter.unused_from().map(UnixTime::millis) {
        let unused = "coalesce(permission.created_at < ?, true) AND coalesce(( \
            SELECT used_at FROM permission_use WHERE permission_use.number = permission.number) < ?, true)";
        search.want(unused, [boxed(since), boxed(since)]);
    }
    search
}

/// The columns of a name.
fn columns(id: &PermissionId) -> [&str; 3] {
    [id.client.as_str(), id.subject.as_str(), id.origin.as_str()]
}

/// Those of a client.
pub(super) async fn of_client(
    session: &Session,
    id: &ClientId,
) -> Result<Vec<Permission>, Failure> {
    let which = select_permission!("permission WHERE client = $1 ORDER BY client, subject, origin");
    read_all(session, which, &[&id.as_str()]).await
}

/// Those for a subject.
pub(super) async fn of_subject(
    session: &Session,
    id: &SubjectId,
) -> Result<Vec<Permission>, Failure> {
    let which =
        select_permission!("permission WHERE subject = $1 ORDER BY client, subject, origin");
    read_all(session, which, &[&id.as_str()]).await
}

/// All of a client and a subject, if there is one.
pub(super) async fn load_all(
    session: &Session,
    (client, subject): &(ClientId, SubjectId),
) -> Result<Option<Permissions>, Failure> {
    let which = select_permission!("permission WHERE client = $1 AND subject = $2");
    let records = read_all(session, which, &[&client.as_str(), &subject.as_str()]).await?;
    let permissions = Permissions::of(records.into_iter().map(Arc::new));
    Ok(Some(permissions).filter(|permissions| !permissions.is_empty()))
}

async fn read_all(
    session: &Session,
    query: &str,
    values: &Values<'_>,
) -> Result<Vec<Permission>, Failure> {
    let rows = session.query(query, values).await?;
    rows.iter().map(permission).collect()
}

async fn create(session: &Session, permission: &Permission) -> Result<(), Failure> {
    let (client, subject) = (permission.client.as_str(), permission.subject.as_str());
    let sides = "SELECT EXISTS (SELECT 1 FROM client WHERE id = $1), EXISTS (SELECT 1 FROM subject WHERE id = $2)";
    let sides = session.query_one(sides, &[&client, &subject]).await?;
    for (column, side) in [(0, "client"), (1, "subject")] {
        if !sides.get::<_, bool>(column) {
            return Err(StoreError::Missing(side).into());
        }
    }
    let insert = "INSERT INTO permission (client, subject, origin, scope, grants, created_at, expires_at, text_version, managed_by) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";
    let values: &Values<'_> = &[
        &client,
        &subject,
        &permission.origin.as_str(),
        &scope(permission),
        &grants(permission),
        &permission.created_at.map(UnixTime::millis),
        &permission.expires_at.map(UnixTime::millis),
        &permission.text_version,
        &permission.managed_by.as_ref().map(Name::as_str),
    ];
    expect_new(session.execute(insert, values).await?, "permission")
}

async fn update(session: &Session, permission: &Permission) -> Result<u64, Failure> {
    let update = "UPDATE permission SET scope = $3, grants = $4, created_at = $5, expires_at = $6, text_version = $7, managed_by = $8, version = version + 1 \
        WHERE number = $1 AND version = $2";
    let (number, version) = revision::columns(permission.revision);
    let values: &Values<'_> = &[
        &number,
        &version,
        &scope(permission),
        &grants(permission),
        &permission.created_at.map(UnixTime::millis),
        &permission.expires_at.map(UnixTime::millis),
        &permission.text_version,
        &permission.managed_by.as_ref().map(Name::as_str),
    ];
    session.execute(update, values).await
}

fn permission(row: &Row) -> Result<Permission, Failure> {
    let row = PermissionRow {
        client: row.get(0),
        subject: row.get(1),
        scope: row.get(2),
        created_at: row.get(3),
        revision: revision::read(row, 4),
        origin: row.get(6),
        grants: row.get(7),
        expires_at: row.get(8),
        text_version: row.get(9),
        last_used_at: row.get(10),
        managed_by: row.get(11),
    };
    Ok(row.read()?)
}
