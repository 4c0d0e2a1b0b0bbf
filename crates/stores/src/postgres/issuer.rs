//! Issuers in PostgreSQL, and what requests find issuers and trusts by.

use std::sync::Arc;

use async_trait::async_trait;
use grantor::{
    registry::{IssuerFilter, Issuers, TrustedIssuer, Trusts},
    storage::{IssuerSource, StoreError},
    types::IssuerId,
};
use tokio_postgres::Row;

use super::{
    PostgresStore,
    error::Failure,
    registry::{Changing, Stored, expect_new},
    revision,
    search::Search,
    session::{Session, Values},
    trust,
};
use crate::{
    MasterKey,
    form::{self, document},
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
impl IssuerSource for PostgresStore {
    async fn issuers(&self) -> Result<Arc<Issuers>, StoreError> {
        self.0.cached.issuers().await
    }

    /// By the number: an issuer that was registered again has another.
    async fn trusts(&self, issuer: &TrustedIssuer) -> Result<Arc<Trusts>, StoreError> {
        self.0.cached.trusts(issuer.revision.number).await
    }
}

impl Stored for TrustedIssuer {
    async fn insert(&self, changing: &Changing) -> Result<(), Failure> {
        let session = changing.session();
        let iss = self.id.as_str();
        if number(session, iss).await?.is_some() {
            return Err(StoreError::Exists("issuer").into());
        }
        check_unique(session, self).await?;
        if is_client(session, iss).await? {
            return Err(StoreError::Exists("client or issuer").into());
        }
        let insert = "INSERT INTO issuer (iss, name, trust_domain, document) \
            VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        let values: &Values<'_> = &[
            &iss,
            &self.name.as_str(),
            &self.trust_domain,
            &document(self),
        ];
        // Somebody else may have written past the lock of changes meanwhile.
        expect_new(session.execute(insert, values).await?, "issuer")
    }

    async fn update(&self, changing: &Changing) -> Result<u64, Failure> {
        let session = changing.session();
        check_unique(session, self).await?;
        let update = "UPDATE issuer SET name = $3, trust_domain = $4, document = $5, version = version + 1 \
            WHERE number = $1 AND version = $2";
        let (number, version) = revision::columns(self.revision);
        let values: &Values<'_> = &[
            &number,
            &version,
            &self.name.as_str(),
            &self.trust_domain,
            &document(self),
        ];
        session.execute(update, values).await
    }

    async fn delete(changing: &Changing, id: &IssuerId) -> Result<u64, Failure> {
        let delete = "DELETE FROM issuer WHERE iss = $1";
        changing.session().execute(delete, &[&id.as_str()]).await
    }

    async fn find_all(
        session: &Session,
        _: &MasterKey,
        ids: &[IssuerId],
    ) -> Result<Vec<Self>, Failure> {
        let names: Vec<_> = ids.iter().map(IssuerId::as_str).collect();
        let which = select_issuer!("WHERE iss = ANY($1)");
        let rows = session.query(which, &[&names]).await?;
        rows.iter().map(issuer).collect()
    }

    fn search(filter: &IssuerFilter) -> Search {
        let mut search = Search::all("issuer", &["issuer.iss"]);
        search.want_manager("issuer.document", filter.managed_by.as_ref());
        search.want_part(filter.q.as_ref(), &["issuer.iss", "issuer.name"]);
        search
    }

    async fn record_what_goes_along(changing: &mut Changing, id: &IssuerId) -> Result<(), Failure> {
        let trusts = trust::of_issuer(changing.session(), id).await;
        changing.goes_along(trusts)
    }
}

/// The number of the issuer with this `iss`, if there is one.
async fn number(session: &Session, iss: &str) -> Result<Option<i64>, Failure> {
    let number = "SELECT number FROM issuer WHERE iss = $1";
    let number = session.query_opt(number, &[&iss]).await?;
    Ok(number.map(|row| row.get(0)))
}

/// Whether no other issuer has its name or its trust domain.
async fn check_unique(session: &Session, issuer: &TrustedIssuer) -> Result<(), Failure> {
    // NULL equals nothing.
    let taken = "SELECT EXISTS (SELECT 1 FROM issuer WHERE iss <> $1 AND name = $2), \
        EXISTS (SELECT 1 FROM issuer WHERE iss <> $1 AND trust_domain = $3)";
    let values: &Values<'_> = &[
        &issuer.id.as_str(),
        &issuer.name.as_str(),
        &issuer.trust_domain,
    ];
    let taken = session.query_one(taken, values).await?;
    match (taken.get(0), taken.get(1)) {
        (true, _) => Err(StoreError::Exists("issuer name").into()),
        (false, true) => Err(StoreError::Exists("trust domain").into()),
        (false, false) => Ok(()),
    }
}

/// Whether a client has this name.
async fn is_client(session: &Session, iss: &str) -> Result<bool, Failure> {
    let found = "SELECT 1 FROM client WHERE id = $1";
    Ok(session.query_opt(found, &[&iss]).await?.is_some())
}

/// All of them. One that cannot be read is left out, so that it is trusted in nothing and hides no
/// other.
pub(super) async fn load_all(session: &Session) -> Result<Arc<Issuers>, Failure> {
    let rows = session.query(select_issuer!("ORDER BY iss"), &[]).await?;
    let mut issuers = Vec::with_capacity(rows.len());
    for row in &rows {
        match issuer(row) {
            Ok(issuer) => issuers.push(Arc::new(issuer)),
            Err(Failure::Unreadable(error)) => {
                let issuer: &str = row.get(0);
                tracing::error!(issuer, %error, "a stored issuer is left out; remove it");
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(Arc::new(Issuers::new(issuers)))
}

fn issuer(row: &Row) -> Result<TrustedIssuer, Failure> {
    let names = [row.get(0), row.get(1)];
    let revision = revision::read(row, 4);
    Ok(form::issuer::read(row.get(3), names, row.get(2), revision)?)
}
