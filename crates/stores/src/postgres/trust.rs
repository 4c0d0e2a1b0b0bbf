//! Trusts in PostgreSQL.

use std::sync::Arc;

use grantor::{
    registry::{Condition, Trust, TrustFilter, Trusts},
    storage::StoreError,
    types::{ClientId, IssuerId, Name},
};
use tokio_postgres::Row;

use super::{
    error::Failure,
    registry::{Changing, Stored, expect_new},
    revision,
    search::{Search, boxed},
    session::{Session, Values},
};
use crate::{
    MasterKey,
    form::{self, document},
};

macro_rules! select_trust {
    ($from:literal) => {
        concat!(
            "SELECT trust.name, iss, client.id, trust.document, trust.number, trust.version FROM ",
            $from
        )
    };
}

macro_rules! select_trust_of_both {
    ($which:literal) => {
        concat!(
            select_trust!("trust JOIN issuer ON issuer.number = trust.issuer JOIN client ON client.number = trust.client "),
            $which
        )
    };
}

impl Stored for Trust {
    async fn insert(&self, changing: &Changing) -> Result<(), Failure> {
        let session = changing.session();
        let (issuer, client) = sides(session, self).await?;
        let insert = "INSERT INTO trust (name, issuer, client, document) VALUES ($1, $2, $3, $4) \
            ON CONFLICT DO NOTHING";
        let values: &Values<'_> = &[&self.name.as_str(), &issuer, &client, &document(self)];
        expect_new(session.execute(insert, values).await?, "trust")
    }

    async fn update(&self, changing: &Changing) -> Result<u64, Failure> {
        let session = changing.session();
        let (issuer, client) = sides(session, self).await?;
        let update = "UPDATE trust SET issuer = $3, client = $4, document = $5, version = version + 1 \
            WHERE number = $1 AND version = $2";
        let (number, version) = revision::columns(self.revision);
        let values: &Values<'_> = &[&number, &version, &issuer, &client, &document(self)];
        session.execute(update, values).await
    }

    async fn delete(changing: &Changing, name: &Name) -> Result<u64, Failure> {
        let delete = "DELETE FROM trust WHERE name = $1";
        changing.session().execute(delete, &[&name.as_str()]).await
    }

    async fn find_all(
        session: &Session,
        _: &MasterKey,
        names: &[Name],
    ) -> Result<Vec<Self>, Failure> {
        let names: Vec<_> = names.iter().map(Name::as_str).collect();
        let which = select_trust_of_both!("WHERE trust.name = ANY($1)");
        let rows = session.query(which, &[&names]).await?;
        rows.iter().map(trust).collect()
    }

    fn search(filter: &TrustFilter) -> Search {
        let name = &["trust.name"];
        let mut search = Search::all("trust", name);
        if let Some(client) = &filter.client {
            let of_client = "trust.client = (SELECT number FROM client WHERE id = ?)";
            search.enter(name, of_client, [boxed(client.to_string())]);
        }
        if let Some(issuer) = &filter.issuer {
            let of_issuer = "trust.issuer = (SELECT number FROM issuer WHERE iss = ?)";
            search.enter(name, of_issuer, [boxed(issuer.to_string())]);
        }
        search.want_manager("trust.document", filter.managed_by.as_ref());
        search.want_part(filter.q.as_ref(), name);
        search
    }
}

/// The numbers of its issuer and its client.
async fn sides(session: &Session, trust: &Trust) -> Result<(i64, i64), Failure> {
    let sides = "SELECT (SELECT number FROM issuer WHERE iss = $1), (SELECT number FROM client WHERE id = $2)";
    let values: &Values<'_> = &[&trust.issuer.as_str(), &trust.client.as_str()];
    let sides = session.query_one(sides, values).await?;
    let issuer: Option<i64> = sides.get(0);
    let client: Option<i64> = sides.get(1);
    let issuer = issuer.ok_or(StoreError::Missing("issuer"))?;
    Ok((issuer, client.ok_or(StoreError::Missing("client"))?))
}

/// Those of an issuer, as far as they can be read.
pub(super) async fn of_issuer(session: &Session, id: &IssuerId) -> Result<Vec<Trust>, Failure> {
    let which = select_trust_of_both!("WHERE iss = $1 ORDER BY trust.name");
    let rows = session.query(which, &[&id.as_str()]).await?;
    read_each(&rows, |_, _| {})
}

/// Those of a client, as far as they can be read.
pub(super) async fn of_client(session: &Session, id: &ClientId) -> Result<Vec<Trust>, Failure> {
    let which = select_trust_of_both!("WHERE client.id = $1 ORDER BY trust.name");
    let rows = session.query(which, &[&id.as_str()]).await?;
    read_each(&rows, |_, _| {})
}

/// All of the issuer with this number, if there is one. A trust that cannot be read is left out, so
/// that it takes nothing and hides no other.
pub(super) async fn load_all(
    session: &Session,
    issuer: u64,
) -> Result<Option<Arc<Trusts>>, Failure> {
    // An issuer without trusts is a row without a name.
    let which = select_trust!(
        "issuer LEFT JOIN (trust JOIN client ON client.number = trust.client) ON trust.issuer = issuer.number WHERE issuer.number = $1"
    );
    let mut rows = session.query(which, &[&revision::column(issuer)]).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    rows.retain(|row| row.get::<_, Option<&str>>(0).is_some());
    let trusts = read_each(&rows, |trust, error| {
        tracing::error!(trust, %error, "a stored trust is left out; remove it");
    })?;
    for trust in &trusts {
        if let Some(error) = trust.condition.as_ref().and_then(Condition::fault) {
            tracing::error!(trust = %trust.name, %error, "the stored condition of a trust is none: the trust takes nothing");
        }
    }
    let trusts = Trusts::new(trusts.into_iter().map(Arc::new));
    Ok(Some(Arc::new(trusts)))
}

/// Those that can be read; of the others the name and what is wrong.
fn read_each(
    rows: &[Row],
    unreadable: impl Fn(&str, &dyn std::error::Error),
) -> Result<Vec<Trust>, Failure> {
    let mut trusts = Vec::with_capacity(rows.len());
    for row in rows {
        match trust(row) {
            Ok(trust) => trusts.push(trust),
            Err(Failure::Unreadable(error)) => unreadable(row.get(0), &error),
            Err(failure) => return Err(failure),
        }
    }
    Ok(trusts)
}

fn trust(row: &Row) -> Result<Trust, Failure> {
    let columns = [row.get(0), row.get(1), row.get(2)];
    Ok(form::trust::read(
        row.get(3),
        columns,
        revision::read(row, 4),
    )?)
}
