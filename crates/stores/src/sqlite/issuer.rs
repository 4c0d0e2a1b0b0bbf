//! Issuers in SQLite, and what requests find issuers and trusts by.

use std::sync::Arc;

use async_trait::async_trait;
use grantor::{
    registry::{IssuerFilter, Issuers, TrustedIssuer, Trusts},
    storage::{IssuerSource, StoreError},
    types::IssuerId,
};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{
    SqliteStore,
    error::{Failure, expect_row, on_constraint, text},
    registry::{Changing, Stored},
    revision,
    search::Search,
    trust,
};
use crate::{
    MasterKey,
    form::{self, document, unreadable},
};

macro_rules! select_issuer {
    ($which:literal) => {
        concat!(
            "SELECT iss, name, trust_domain, document, number, version FROM issuer ",
            $which
        )
    };
}

#[async_trait]
impl IssuerSource for SqliteStore {
    async fn issuers(&self) -> Result<Arc<Issuers>, StoreError> {
        self.0.cached.issuers().await
    }

    /// By the number: an issuer that was registered again has another.
    async fn trusts(&self, issuer: &TrustedIssuer) -> Result<Arc<Trusts>, StoreError> {
        self.0.cached.trusts(issuer.revision.number).await
    }
}

impl Stored for TrustedIssuer {
    fn insert(&self, connection: &Connection, _: &MasterKey) -> Result<(), Failure> {
        let iss = self.id.as_str();
        if number(connection, iss)?.is_some() {
            return Err(StoreError::Exists("issuer").into());
        }
        check_unique(connection, self)?;
        let insert =
            "INSERT INTO issuer (iss, name, trust_domain, document) VALUES (?1, ?2, ?3, ?4)";
        let values = (iss, self.name.as_str(), &self.trust_domain, document(self));
        // Of what may be in the way only a client's id is left.
        on_constraint(
            connection.execute(insert, values),
            StoreError::Exists("client or issuer"),
        )?;
        Ok(())
    }

    fn update(&self, connection: &Connection, _: &MasterKey) -> Result<(), Failure> {
        check_unique(connection, self)?;
        let update = "UPDATE issuer SET name = ?3, trust_domain = ?4, document = ?5, version = version + 1 \
            WHERE number = ?1 AND version = ?2";
        let (number, version) = revision::columns(self.revision);
        let values = (
            number,
            version,
            self.name.as_str(),
            &self.trust_domain,
            document(self),
        );
        connection.execute(update, values)?;
        Ok(())
    }

    fn delete(connection: &Connection, id: &IssuerId) -> Result<(), Failure> {
        let delete = "DELETE FROM issuer WHERE iss = ?1";
        expect_row(connection.execute(delete, [id.as_str()])?, "issuer")
    }

    fn find(
        connection: &Connection,
        _: &MasterKey,
        id: &IssuerId,
    ) -> Result<Option<Arc<Self>>, Failure> {
        let mut statement = connection.prepare_cached(select_issuer!("WHERE iss = ?1"))?;
        statement
            .query_row([id.as_str()], |row| Ok(issuer(row)))
            .optional()?
            .transpose()
    }

    fn search(filter: &IssuerFilter) -> Search {
        let mut search = Search::all("issuer", &["issuer.iss"]);
        search.want_manager("issuer.document", filter.managed_by.as_ref());
        search.want_part(filter.q.as_ref(), &["issuer.iss", "issuer.name"]);
        search
    }

    fn record_what_goes_along(changing: &mut Changing<'_>, id: &IssuerId) -> Result<(), Failure> {
        changing.goes_along(trust::of_issuer(changing.connection, id))
    }
}

/// The number of the issuer with this `iss`, if there is one.
pub(super) fn number(connection: &Connection, iss: &str) -> Result<Option<i64>, Failure> {
    let mut statement = connection.prepare_cached("SELECT number FROM issuer WHERE iss = ?1")?;
    Ok(statement.query_row([iss], |row| row.get(0)).optional()?)
}

/// Whether no other issuer has its name or its trust domain.
fn check_unique(connection: &Connection, issuer: &TrustedIssuer) -> Result<(), Failure> {
    let has_other = |query, value| {
        let mut statement = connection.prepare_cached(query)?;
        statement.exists((issuer.id.as_str(), value))
    };
    let named = "SELECT 1 FROM issuer WHERE iss <> ?1 AND name = ?2";
    if has_other(named, Some(issuer.name.as_str()))? {
        return Err(StoreError::Exists("issuer name").into());
    }
    // NULL equals nothing.
    let of_domain = "SELECT 1 FROM issuer WHERE iss <> ?1 AND trust_domain = ?2";
    match has_other(of_domain, issuer.trust_domain.as_deref())? {
        true => Err(StoreError::Exists("trust domain").into()),
        false => Ok(()),
    }
}

/// All of them. One that cannot be read is left out, so that it is trusted in nothing and hides no
/// other.
pub(super) fn load_all(connection: &Connection) -> Result<Arc<Issuers>, Failure> {
    let mut statement = connection.prepare_cached(select_issuer!("ORDER BY iss"))?;
    let mut rows = statement.query([])?;
    let mut issuers = Vec::new();
    while let Some(row) = rows.next()? {
        match issuer(row) {
            Ok(issuer) => issuers.push(issuer),
            Err(Failure::Unreadable(error)) => {
                let iss = row.get_ref(0)?.as_bytes().unwrap_or_default();
                let issuer = String::from_utf8_lossy(iss);
                tracing::error!(%issuer, %error, "a stored issuer is left out; remove it");
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(Arc::new(Issuers::new(issuers)))
}

fn issuer(row: &Row<'_>) -> Result<Arc<TrustedIssuer>, Failure> {
    let document = text(row, 3, "issuer")?;
    let domain = row.get_ref(2)?.as_str_or_null();
    let domain = domain.map_err(|error| unreadable("issuer", error))?;
    let name = [text(row, 0, "issuer")?, text(row, 1, "issuer")?];
    let issuer = form::issuer::read(document, name, domain, revision::read(row, 4)?)?;
    Ok(Arc::new(issuer))
}
