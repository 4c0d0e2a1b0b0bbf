//! Operators in SQLite.

use std::sync::Arc;

use grantor::{
    registry::{Operator, OperatorFilter},
    storage::StoreError,
    types::SubjectId,
};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{
    error::{Failure, expect_row, on_constraint, text},
    registry::{Changing, Stored},
    revision,
    search::Search,
    subject,
};
use crate::{MasterKey, form};

macro_rules! select_operator {
    ($which:literal) => {
        concat!(
            "SELECT subject.id, role, operator.number, operator.version ",
            "FROM operator JOIN subject ON subject.number = operator.subject ",
            $which
        )
    };
}

impl Stored for Operator {
    fn insert(&self, connection: &Connection, _: &MasterKey) -> Result<(), Failure> {
        let subject = subject::number(connection, &self.subject)?;
        let insert = "INSERT INTO operator (subject, role) VALUES (?1, ?2)";
        on_constraint(
            connection.execute(insert, (subject, self.role.as_str())),
            StoreError::Exists("operator"),
        )?;
        Ok(())
    }

    fn update(&self, connection: &Connection, _: &MasterKey) -> Result<(), Failure> {
        let update = "UPDATE operator SET role = ?3, version = version + 1 WHERE number = ?1 AND version = ?2";
        let (number, version) = revision::columns(self.revision);
        connection.execute(update, (number, version, self.role.as_str()))?;
        Ok(())
    }

    fn delete(connection: &Connection, id: &SubjectId) -> Result<(), Failure> {
        let delete =
            "DELETE FROM operator WHERE subject = (SELECT number FROM subject WHERE id = ?1)";
        expect_row(connection.execute(delete, [id.as_str()])?, "operator")
    }

    fn find(
        connection: &Connection,
        _: &MasterKey,
        id: &SubjectId,
    ) -> Result<Option<Arc<Self>>, Failure> {
        let mut statement = connection.prepare_cached(select_operator!("WHERE subject.id = ?1"))?;
        statement
            .query_row([id.as_str()], |row| Ok(operator(row)))
            .optional()?
            .transpose()
    }

    fn end_before(changing: &mut Changing<'_>, id: &SubjectId) -> Result<(), Failure> {
        subject::end_credentials(changing, id)
    }

    fn search(filter: &OperatorFilter) -> Search {
        // There are few.
        let from = "operator CROSS JOIN subject ON subject.number = operator.subject";
        let mut search = Search::all(from, &["subject.id"]);
        if let Some(role) = filter.role {
            search.want("operator.role = ?", [role.as_str().to_owned().into()]);
        }
        search
    }
}

fn operator(row: &Row<'_>) -> Result<Arc<Operator>, Failure> {
    let (subject, role) = (text(row, 0, "operator")?, text(row, 1, "operator")?);
    let operator = form::operator::read(subject, role, revision::read(row, 2)?)?;
    Ok(Arc::new(operator))
}
