//! Trusts in SQLite.

use std::sync::Arc;

use grantor::{
    registry::{Condition, Trust, TrustFilter, Trusts},
    storage::StoreError,
    types::{ClientId, IssuerId, Name},
};
use rusqlite::{Connection, OptionalExtension as _, Params, Row};

use super::{
    error::{Failure, expect_row, on_constraint, text},
    issuer,
    registry::Stored,
    revision,
    search::Search,
};
use crate::{
    MasterKey,
    form::{self, document},
};

macro_rules! select_trust {
    ($which:literal) => {
        concat!(
            "SELECT trust.name, iss, client.id, trust.document, trust.number, trust.version FROM trust ",
            "JOIN issuer ON issuer.number = trust.issuer JOIN client ON client.number = trust.client ",
            $which
        )
    };
}

impl Stored for Trust {
    fn insert(&self, connection: &Connection, _: &MasterKey) -> Result<(), Failure> {
        let (issuer, client) = sides(connection, self)?;
        let insert = "INSERT INTO trust (name, issuer, client, document) VALUES (?1, ?2, ?3, ?4)";
        let values = (self.name.as_str(), issuer, client, document(self));
        on_constraint(
            connection.execute(insert, values),
            StoreError::Exists("trust"),
        )?;
        Ok(())
    }

    fn update(&self, connection: &Connection, _: &MasterKey) -> Result<(), Failure> {
        let (issuer, client) = sides(connection, self)?;
        let update = "UPDATE trust SET issuer = ?3, client = ?4, document = ?5, version = version + 1 \
            WHERE number = ?1 AND version = ?2";
        let (number, version) = revision::columns(self.revision);
        connection.execute(update, (number, version, issuer, client, document(self)))?;
        Ok(())
    }

    fn delete(connection: &Connection, name: &Name) -> Result<(), Failure> {
        let delete = "DELETE FROM trust WHERE name = ?1";
        expect_row(connection.execute(delete, [name.as_str()])?, "trust")
    }

    fn find(
        connection: &Connection,
        _: &MasterKey,
        name: &Name,
    ) -> Result<Option<Arc<Self>>, Failure> {
        let mut statement = connection.prepare_cached(select_trust!("WHERE trust.name = ?1"))?;
        statement
            .query_row([name.as_str()], |row| Ok(trust(row).map(Arc::new)))
            .optional()?
            .transpose()
    }

    fn search(filter: &TrustFilter) -> Search {
        let name = &["trust.name"];
        let mut search = Search::all("trust", name);
        if let Some(client) = &filter.client {
            let of_client = "trust.client = (SELECT number FROM client WHERE id = ?)";
            let from = "trust INDEXED BY trust_by_client";
            search.enter(from, name, of_client, [client.to_string().into()]);
        }
        if let Some(issuer) = &filter.issuer {
            let of_issuer = "trust.issuer = (SELECT number FROM issuer WHERE iss = ?)";
            let from = "trust INDEXED BY trust_by_issuer";
            search.enter(from, name, of_issuer, [issuer.to_string().into()]);
        }
        search.want_manager("trust.document", filter.managed_by.as_ref());
        search.want_part(filter.q.as_ref(), name);
        search
    }
}

/// The numbers of its issuer and its client.
fn sides(connection: &Connection, trust: &Trust) -> Result<(i64, i64), Failure> {
    let issuer = issuer::number(connection, trust.issuer.as_str())?;
    let issuer = issuer.ok_or(StoreError::Missing("issuer"))?;
    let mut statement = connection.prepare_cached("SELECT number FROM client WHERE id = ?1")?;
    let client = statement.query_row([trust.client.as_str()], |row| row.get(0));
    let client = client.optional()?.ok_or(StoreError::Missing("client"))?;
    Ok((issuer, client))
}

/// Those of an issuer, as far as they can be read.
pub(super) fn of_issuer(connection: &Connection, id: &IssuerId) -> Result<Vec<Trust>, Failure> {
    let which = select_trust!("WHERE iss = ?1 ORDER BY trust.name");
    read_each(connection, which, [id.as_str()], |_, _| {})
}

/// Those of a client, as far as they can be read.
pub(super) fn of_client(connection: &Connection, id: &ClientId) -> Result<Vec<Trust>, Failure> {
    let which = select_trust!("WHERE client.id = ?1 ORDER BY trust.name");
    read_each(connection, which, [id.as_str()], |_, _| {})
}

/// All of the issuer with this number, if there is one. A trust that cannot be read is left out, so
/// that it takes nothing and hides no other.
pub(super) fn load_all(
    connection: &Connection,
    issuer: u64,
) -> Result<Option<Arc<Trusts>>, Failure> {
    let issuer = revision::column(issuer);
    let mut is_there = connection.prepare_cached("SELECT 1 FROM issuer WHERE number = ?1")?;
    if !is_there.exists([issuer])? {
        return Ok(None);
    }
    let which = select_trust!("WHERE trust.issuer = ?1");
    let leave_out = |trust: &str, error: &dyn std::error::Error| {
        tracing::error!(trust, %error, "a stored trust is left out; remove it");
    };
    let trusts = read_each(connection, which, [issuer], leave_out)?;
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
    connection: &Connection,
    query: &str,
    values: impl Params,
    unreadable: impl Fn(&str, &dyn std::error::Error),
) -> Result<Vec<Trust>, Failure> {
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query(values)?;
    let mut trusts = Vec::new();
    while let Some(row) = rows.next()? {
        match trust(row) {
            Ok(trust) => trusts.push(trust),
            Err(Failure::Unreadable(error)) => {
                let name = row.get_ref(0)?.as_bytes().unwrap_or_default();
                unreadable(&String::from_utf8_lossy(name), &error);
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(trusts)
}

fn trust(row: &Row<'_>) -> Result<Trust, Failure> {
    let document = text(row, 3, "trust")?;
    let columns = [
        text(row, 0, "trust")?,
        text(row, 1, "trust")?,
        text(row, 2, "trust")?,
    ];
    Ok(form::trust::read(
        document,
        columns,
        revision::read(row, 4)?,
    )?)
}
