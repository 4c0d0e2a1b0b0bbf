//! Passwords in PostgreSQL: digests, sealed by the master key, so that a copied database is not
//! enough to guess them.

use grantor::{
    registry::{Password, PasswordFilter},
    types::SubjectId,
};
use tokio_postgres::Row;

use super::{
    error::Failure,
    registry::{Changing, Stored, expect_new},
    revision,
    search::Search,
    session::{Session, Values},
    subject,
};
use crate::{
    MasterKey,
    form::password::{PasswordRow, sealed},
};

impl Stored for Password {
    async fn insert(&self, changing: &Changing) -> Result<(), Failure> {
        let subject = subject::number(changing.session(), &self.subject).await?;
        let insert = "INSERT INTO password (subject, digest, changed_at) VALUES ($1, $2, $3) \
            ON CONFLICT DO NOTHING";
        let sealed = sealed(self, subject, changing.master_key());
        let values: &Values<'_> = &[&subject, &sealed, &self.changed_at.millis()];
        expect_new(
            changing.session().execute(insert, values).await?,
            "password",
        )
    }

    async fn update(&self, changing: &Changing) -> Result<u64, Failure> {
        let subject = subject::number(changing.session(), &self.subject).await?;
        let update = "UPDATE password SET digest = $3, changed_at = $4, version = version + 1 \
            WHERE number = $1 AND version = $2";
        let (number, version) = revision::columns(self.revision);
        let sealed = sealed(self, subject, changing.master_key());
        let values: &Values<'_> = &[&number, &version, &sealed, &self.changed_at.millis()];
        changing.session().execute(update, values).await
    }

    async fn delete(changing: &Changing, id: &SubjectId) -> Result<u64, Failure> {
        let delete =
            "DELETE FROM password WHERE subject = (SELECT number FROM subject WHERE id = $1)";
        changing.session().execute(delete, &[&id.as_str()]).await
    }

    async fn find_all(
        session: &Session,
        master_key: &MasterKey,
        ids: &[SubjectId],
    ) -> Result<Vec<Self>, Failure> {
        let select = "SELECT subject.id, subject.number, digest, changed_at, password.number, password.version \
            FROM password JOIN subject ON subject.number = password.subject \
            WHERE subject.id = ANY($1)";
        let ids: Vec<&str> = ids.iter().map(SubjectId::as_str).collect();
        let rows = session.query(select, &[&ids]).await?;
        rows.iter().map(|row| password(row, master_key)).collect()
    }

    fn search(_: &PasswordFilter) -> Search {
        let from = "subject JOIN password ON password.subject = subject.number";
        Search::all(from, &["subject.id"])
    }
}

fn password(row: &Row, master_key: &MasterKey) -> Result<Password, Failure> {
    let row = PasswordRow {
        subject: row.get(0),
        number: row.get(1),
        sealed: row.get(2),
        changed_at: row.get(3),
        revision: revision::read(row, 4),
    };
    Ok(row.open(master_key)?)
}
