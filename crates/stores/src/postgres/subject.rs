//! Subjects in PostgreSQL.

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    registry::{Operator, Password, Subject, SubjectFilter},
    storage::{StoreError, SubjectSource},
    types::SubjectId,
};
use tokio_postgres::Row;

use super::{
    PostgresStore,
    error::Failure,
    passkey, permission,
    registry::{Changing, Stored},
    revision,
    search::{Search, boxed},
    session::{Session, Values},
};
use crate::{
    MasterKey,
    form::subject::{SubjectRow, display_name, language, manager},
};

#[async_trait]
impl SubjectSource for PostgresStore {
    async fn subject(&self, id: &SubjectId) -> Result<Option<Subject>, StoreError> {
        self.0.cached.subject(id).await
    }
}

impl Stored for Subject {
    async fn insert_all(subjects: &[Self], changing: &Changing) -> Result<(), Failure> {
        let insert = "WITH wanted AS ( \
                SELECT * FROM unnest($1::text[], $2::boolean[], $3::bigint[], $4::text[], $5::text[], $6::text[]) \
                AS wanted (id, enabled, created_at, managed_by, display_name, language) \
            ), named AS ( \
                INSERT INTO party (name, kind) SELECT id, 'subject' FROM wanted \
                ON CONFLICT DO NOTHING RETURNING name \
            ) INSERT INTO subject (id, enabled, created_at, managed_by, display_name, language) \
            SELECT wanted.* FROM wanted JOIN named ON name = id";
        let ids: Vec<_> = subjects.iter().map(|subject| subject.id.as_str()).collect();
        let enabled: Vec<_> = subjects.iter().map(|subject| subject.enabled).collect();
        let created_at = subjects.iter().map(|subject| subject.created_at);
        let created_at: Vec<_> = created_at.map(|at| at.map(UnixTime::millis)).collect();
        let managers: Vec<_> = subjects.iter().map(manager).collect();
        let names: Vec<_> = subjects.iter().map(display_name).collect();
        let languages: Vec<_> = subjects.iter().map(language).collect();
        let columns: &Values<'_> = &[&ids, &enabled, &created_at, &managers, &names, &languages];
        let added = changing.session().execute(insert, columns).await?;
        match added == ids.len() as u64 {
            true => Ok(()),
            false => Err(StoreError::Exists("client or subject").into()),
        }
    }

    async fn update(&self, changing: &Changing) -> Result<u64, Failure> {
        let update = "UPDATE subject SET enabled = $4, managed_by = $5, display_name = $6, \
            language = $7, version = version + 1 WHERE id = $1 AND number = $2 AND version = $3";
        let id = self.id.as_str();
        let (number, version) = revision::columns(self.revision);
        let (manager, name, language) = (manager(self), display_name(self), language(self));
        let values: &Values<'_> = &[
            &id,
            &number,
            &version,
            &self.enabled,
            &manager,
            &name,
            &language,
        ];
        changing.session().execute(update, values).await
    }

    async fn delete(changing: &Changing, id: &SubjectId) -> Result<u64, Failure> {
        let delete = "DELETE FROM party WHERE name = $1 AND kind = 'subject'";
        changing.session().execute(delete, &[&id.as_str()]).await
    }

    async fn find_all(
        session: &Session,
        _: &MasterKey,
        ids: &[SubjectId],
    ) -> Result<Vec<Self>, Failure> {
        let ids: Vec<_> = ids.iter().map(SubjectId::as_str).collect();
        let rows = session.query(FIND, &[&ids]).await?;
        rows.iter().map(subject).collect()
    }

    fn search(filter: &SubjectFilter) -> Search {
        let name = &["subject.id"];
        let mut search = Search::all("subject", name);
        match filter.enabled {
            Some(true) => search.want("subject.enabled", []),
            Some(false) => search.enter(name, "NOT subject.enabled", []),
            None => {}
        }
        if let Some(manager) = &filter.managed_by {
            let manager = boxed(manager.to_string());
            search.enter(name, "subject.managed_by = ?", [manager]);
        }
        search.want_part(filter.q.as_ref(), TEXTS);
        search.by_text(filter.q.as_ref(), TEXTS, "subject.number % 1024 = 0");
        search
    }

    async fn record_what_goes_along(
        changing: &mut Changing,
        id: &SubjectId,
    ) -> Result<(), Failure> {
        let permissions = permission::of_subject(changing.session(), id).await;
        changing.goes_along(permissions)?;
        record_credentials(changing, id).await?;
        let operator = found::<Operator>(changing, id).await;
        changing.goes_along(operator)
    }
}

/// The texts that parts are looked for in.
const TEXTS: &[&str] = &["subject.id", "subject.display_name"];

const FIND: &str = "SELECT id, enabled, created_at, number, version, managed_by, display_name, \
    language FROM subject WHERE id = ANY($1)";

/// Removes what a subject signs in with, and records it.
pub(super) async fn end_credentials(
    changing: &mut Changing,
    id: &SubjectId,
) -> Result<(), Failure> {
    record_credentials(changing, id).await?;
    let session = changing.session();
    let number = number(session, id).await?;
    for delete in [
        "DELETE FROM password WHERE subject = $1",
        "DELETE FROM passkey WHERE subject = $1",
    ] {
        session.execute(delete, &[&number]).await?;
    }
    Ok(())
}

async fn record_credentials(changing: &mut Changing, id: &SubjectId) -> Result<(), Failure> {
    let password = found::<Password>(changing, id).await;
    changing.goes_along(password)?;
    let passkeys = passkey::of_subject(changing.session(), id).await;
    changing.goes_along(passkeys)
}

/// The one that a subject has of these, if it has one.
async fn found<R: Stored<Id = SubjectId>>(
    changing: &Changing,
    id: &SubjectId,
) -> Result<Vec<R>, Failure> {
    R::find_all(
        changing.session(),
        changing.master_key(),
        std::slice::from_ref(id),
    )
    .await
}

/// The number of this subject's row.
pub(super) async fn number(session: &Session, id: &SubjectId) -> Result<i64, Failure> {
    let number = "SELECT number FROM subject WHERE id = $1";
    let number = session.query_opt(number, &[&id.as_str()]).await?;
    let number = number.ok_or(StoreError::Missing("subject"))?;
    Ok(number.get(0))
}

fn subject(row: &Row) -> Result<Subject, Failure> {
    let row = SubjectRow {
        id: row.get(0),
        enabled: row.get(1),
        created_at: row.get(2),
        revision: revision::read(row, 3),
        managed_by: row.get(5),
        display_name: row.get(6),
        language: row.get(7),
    };
    Ok(row.read()?)
}
