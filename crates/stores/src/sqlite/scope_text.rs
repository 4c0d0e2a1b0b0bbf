//! The catalogue of scopes in SQLite.

use std::sync::Arc;

use grantor::{
    registry::{ScopeFilter, ScopeText},
    storage::StoreError,
    types::ScopeToken,
};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{
    error::{Failure, expect_row, on_constraint, text},
    registry::Stored,
    revision,
    search::Search,
};
use crate::{
    MasterKey,
    form::{self, document},
};

impl Stored for ScopeText {
    fn insert(&self, connection: &Connection, _: &MasterKey) -> Result<(), Failure> {
        let insert = "INSERT INTO scope_text (name, document) VALUES (?1, ?2)";
        on_constraint(
            connection.execute(insert, (self.name.as_str(), document(self))),
            StoreError::Exists("scope"),
        )?;
        Ok(())
    }

    fn update(&self, connection: &Connection, _: &MasterKey) -> Result<(), Failure> {
        let update = "UPDATE scope_text SET document = ?3, version = version + 1 WHERE number = ?1 AND version = ?2";
        let (number, version) = revision::columns(self.revision);
        connection.execute(update, (number, version, document(self)))?;
        Ok(())
    }

    fn delete(connection: &Connection, name: &ScopeToken) -> Result<(), Failure> {
        let delete = "DELETE FROM scope_text WHERE name = ?1";
        expect_row(connection.execute(delete, [name.as_str()])?, "scope")
    }

    fn find(
        connection: &Connection,
        _: &MasterKey,
        name: &ScopeToken,
    ) -> Result<Option<Arc<Self>>, Failure> {
        let mut statement = connection
            .prepare_cached("SELECT document, number, version FROM scope_text WHERE name = ?1")?;
        statement
            .query_row([name.as_str()], |row| Ok(scope_text(row)))
            .optional()?
            .transpose()
    }

    fn search(filter: &ScopeFilter) -> Search {
        let mut search = Search::all("scope_text", &["scope_text.name"]);
        search.want_manager("scope_text.document", filter.managed_by.as_ref());
        search.want_part(filter.q.as_ref(), &["scope_text.name"]);
        search
    }
}

fn scope_text(row: &Row<'_>) -> Result<Arc<ScopeText>, Failure> {
    let document = text(row, 0, "scope")?;
    let text = form::scope_text::read(document, revision::read(row, 1)?)?;
    Ok(Arc::new(text))
}
