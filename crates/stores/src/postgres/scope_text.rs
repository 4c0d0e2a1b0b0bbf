//! The catalogue of scopes in PostgreSQL.

use grantor::{
    registry::{ScopeFilter, ScopeText},
    types::ScopeToken,
};
use tokio_postgres::Row;

use super::{
    error::Failure,
    registry::{Changing, Stored, expect_new},
    revision,
    search::Search,
    session::{Session, Values},
};
use crate::{
    MasterKey,
    form::{self, document},
};

impl Stored for ScopeText {
    async fn insert(&self, changing: &Changing) -> Result<(), Failure> {
        let insert =
            "INSERT INTO scope_text (name, document) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        let values: &Values<'_> = &[&self.name.as_str(), &document(self)];
        expect_new(changing.session().execute(insert, values).await?, "scope")
    }

    async fn update(&self, changing: &Changing) -> Result<u64, Failure> {
        let update = "UPDATE scope_text SET document = $3, version = version + 1 \
            WHERE number = $1 AND version = $2";
        let (number, version) = revision::columns(self.revision);
        let values: &Values<'_> = &[&number, &version, &document(self)];
        changing.session().execute(update, values).await
    }

    async fn delete(changing: &Changing, name: &ScopeToken) -> Result<u64, Failure> {
        let delete = "DELETE FROM scope_text WHERE name = $1";
        changing.session().execute(delete, &[&name.as_str()]).await
    }

    async fn find_all(
        session: &Session,
        _: &MasterKey,
        names: &[ScopeToken],
    ) -> Result<Vec<Self>, Failure> {
        let select = "SELECT document, number, version FROM scope_text WHERE name = ANY($1)";
        let names: Vec<&str> = names.iter().map(ScopeToken::as_str).collect();
        let rows = session.query(select, &[&names]).await?;
        rows.iter().map(scope_text).collect()
    }

    fn search(filter: &ScopeFilter) -> Search {
        let mut search = Search::all("scope_text", &["scope_text.name"]);
        search.want_manager("scope_text.document", filter.managed_by.as_ref());
        search.want_part(filter.q.as_ref(), &["scope_text.name"]);
        search
    }
}

fn scope_text(row: &Row) -> Result<ScopeText, Failure> {
    Ok(form::scope_text::read(row.get(0), revision::read(row, 1))?)
}
