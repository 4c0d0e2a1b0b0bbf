//! Operators in PostgreSQL.

use grantor::{
    registry::{Operator, OperatorFilter},
    types::SubjectId,
};
use tokio_postgres::Row;

use super::{
    error::Failure,
    registry::{Changing, Stored, expect_new},
    revision,
    search::{Search, boxed},
    session::{Session, Values},
    subject,
};
use crate::{MasterKey, form};

impl Stored for Operator {
    async fn insert(&self, changing: &Changing) -> Result<(), Failure> {
        let subject = subject::number(changing.session(), &self.subject).await?;
        let insert = "INSERT INTO operator (subject, role) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        let values: &Values<'_> = &[&subject, &self.role.as_str()];
        expect_new(
            changing.session().execute(insert, values).await?,
            "operator",
        )
    }

    async fn update(&self, changing: &Changing) -> Result<u64, Failure> {
        let update = "UPDATE operator SET role = $3, version = version + 1 \
            WHERE number = $1 AND version = $2";
        let (number, version) = revision::columns(self.revision);
        let role = self.role.as_str();
        let values: &Values<'_> = &[&number, &version, &role];
        changing.session().execute(update, values).await
    }

    async fn delete(changing: &Changing, id: &SubjectId) -> Result<u64, Failure> {
        let delete =
            "DELETE FROM operator WHERE subject = (SELECT number FROM subject WHERE id = $1)";
        changing.session().execute(delete, &[&id.as_str()]).await
    }

    async fn find_all(
        session: &Session,
        _: &MasterKey,
        ids: &[SubjectId],
    ) -> Result<Vec<Self>, Failure> {
        let select = "SELECT subject.id, role, operator.number, operator.version \
            FROM operator JOIN subject ON subject.number = operator.subject \
            WHERE subject.id = ANY($1)";
        let ids: Vec<&str> = ids.iter().map(SubjectId::as_str).collect();
        let rows = session.query(select, &[&ids]).await?;
        rows.iter().map(operator).collect()
    }

    const ENDS_OTHERS: bool = true;

    async fn end_before(changing: &mut Changing, id: &SubjectId) -> Result<(), Failure> {
        subject::end_credentials(changing, id).await
    }

    fn search(filter: &OperatorFilter) -> Search {
        // There are few.
        let from = "operator JOIN subject ON subject.number = operator.subject";
        let mut search = Search::all(from, &["subject.id"]);
        if let Some(role) = filter.role {
            search.want("operator.role = ?", [boxed(role.as_str())]);
        }
        search
    }
}

fn operator(row: &Row) -> Result<Operator, Failure> {
    let (subject, role) = (row.get(0), row.get(1));
    Ok(form::operator::read(subject, role, revision::read(row, 2))?)
}
