//! Clients in PostgreSQL.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    registry::{Client, ClientFilter, ClientSecret},
    storage::{ClientEnds, ClientSource, StoreError},
    types::ClientId,
};
use tokio_postgres::Row;

use super::{
    PostgresStore,
    error::Failure,
    permission,
    registry::{Changing, Stored},
    revision,
    search::{Search, boxed},
    session::{Session, Values},
    trust,
};
use crate::{
    MasterKey,
    form::{
        self,
        client::{SecretRow, keys, read_keys, read_metadata, word},
    },
};

#[async_trait]
impl ClientSource for PostgresStore {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        self.0.cached.client(id).await
    }
}

#[async_trait]
impl ClientEnds for PostgresStore {
    async fn clients_ending(
        &self,
        now: UnixTime,
        within: Duration,
        limit: usize,
    ) -> Result<Vec<ClientId>, StoreError> {
        let (before, after) = (now.minus(within), now.plus(within));
        let session = self.0.connections().lend_in_turn().await?;
        let mut found = ending(&session, &COMING, [now, after], limit).await?;
        let mut over = ending(&session, &OVER, [before, now], limit).await?;
        session.give_back();
        found.sort_unstable();
        over.sort_unstable_by(|one, other| other.cmp(one));
        Ok([found, over].map(|part| first_of(part, limit)).concat())
    }
}

/// From `$1` on and before `$2`, each in the order of an index. A client may be found once for each
/// of its ends.
const COMING: [&str; 2] = [
    "SELECT ends_at, id FROM client_key_end JOIN client ON client.number = client_key_end.client \
        WHERE ends_at >= $1 AND ends_at < $2 AND enabled ORDER BY ends_at LIMIT $3",
    "SELECT expires_at, id FROM client_secret JOIN client ON client.id = client_secret.client \
        WHERE expires_at >= $1 AND expires_at < $2 AND enabled ORDER BY expires_at LIMIT $3",
];
const OVER: [&str; 2] = [
    "SELECT ends_at, id FROM client_key_end JOIN client ON client.number = client_key_end.client \
        WHERE is_last AND ends_at >= $1 AND ends_at < $2 AND enabled ORDER BY ends_at DESC LIMIT $3",
    "SELECT expires_at, id FROM client_secret AS secret JOIN client ON client.id = secret.client \
        WHERE expires_at >= $1 AND expires_at < $2 AND enabled AND coalesce(expires_at = ( \
            SELECT max(coalesce(other.expires_at, 9223372036854775807)) \
            FROM client_secret AS other WHERE other.client = secret.client \
        ), false) ORDER BY expires_at DESC LIMIT $3",
];
/// More ends than these no client has.
const ENDS_OF_ONE: i64 = 100;

/// The ends that these queries find, of `limit` clients each.
async fn ending(
    session: &Session,
    queries: &[&str],
    [from, until]: [UnixTime; 2],
    limit: usize,
) -> Result<Vec<(i64, ClientId)>, Failure> {
    let mut found = Vec::new();
    let most = i64::try_from(limit)
        .unwrap_or(i64::MAX)
        .saturating_mul(ENDS_OF_ONE);
    for query in queries {
        let values: [i64; 3] = [from.millis(), until.millis(), most];
        let [from, until, most] = &values;
        let rows = session.query(query, &[from, until, most]).await?;
        let mut clients = BTreeSet::new();
        for row in rows {
            if clients.len() == limit {
                break;
            }
            // A name that somebody wrote there by hand and that is none hides no other.
            if let Ok(id) = ClientId::parse(row.get(1)) {
                clients.insert(id.clone());
                found.push((row.get(0), id));
            }
        }
    }
    Ok(found)
}

/// The first clients, each once.
fn first_of(found: Vec<(i64, ClientId)>, limit: usize) -> Vec<ClientId> {
    let mut clients = Vec::new();
    for (_, id) in found {
        if clients.len() < limit && !clients.contains(&id) {
            clients.push(id);
        }
    }
    clients
}

impl Stored for Client {
    async fn insert_all(clients: &[Self], changing: &Changing) -> Result<(), Failure> {
        let ids: Vec<_> = clients.iter().map(|client| client.id().as_str()).collect();
        let metadata = clients
            .iter()
            .map(|client| form::document(client.metadata()));
        let metadata: Vec<_> = metadata.collect();
        let keys: Vec<_> = clients.iter().map(keys).collect();
        let Secrets {
            clients,
            positions,
            kinds,
            values,
            ends,
        } = Secrets::of(clients, changing.master_key());
        let columns: &Values<'_> = &[
            &ids, &metadata, &keys, &clients, &positions, &kinds, &values, &ends,
        ];
        let row = changing.session().query_one(INSERT, columns).await?;
        match (
            row.get::<_, i64>(0).unsigned_abs() == ids.len() as u64,
            row.get(1),
        ) {
            (true, _) => Ok(()),
            (false, true) => Err(StoreError::Exists("client or issuer").into()),
            (false, false) => Err(StoreError::Exists("client or subject").into()),
        }
    }

    async fn update(&self, changing: &Changing) -> Result<u64, Failure> {
        let Secrets {
            kinds,
            values,
            ends,
            ..
        } = Secrets::of(std::slice::from_ref(self), changing.master_key());
        let (metadata, keys) = (form::document(self.metadata()), keys(self));
        let (number, version) = revision::columns(self.revision());
        let id = self.id().as_str();
        let columns: &Values<'_> = &[
            &id, &number, &version, &metadata, &keys, &kinds, &values, &ends,
        ];
        let row = changing.session().query_one(UPDATE, columns).await?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    }

    async fn delete(changing: &Changing, id: &ClientId) -> Result<u64, Failure> {
        let delete = "DELETE FROM party WHERE name = $1 AND kind = 'client'";
        changing.session().execute(delete, &[&id.as_str()]).await
    }

    async fn find_all(
        session: &Session,
        master_key: &MasterKey,
        ids: &[ClientId],
    ) -> Result<Vec<Self>, Failure> {
        let ids: Vec<_> = ids.iter().map(ClientId::as_str).collect();
        let rows = session.query(FIND, &[&ids]).await?;
        // The rows of a client are one behind the other.
        let is_one = |one: &Row, other: &Row| one.get::<_, &str>(0) == other.get::<_, &str>(0);
        let clients = rows.chunk_by(is_one);
        clients.map(|rows| client(rows, master_key)).collect()
    }

    fn search(filter: &ClientFilter) -> Search {
        search(filter)
    }

    async fn record_what_goes_along(changing: &mut Changing, id: &ClientId) -> Result<(), Failure> {
        let permissions = permission::of_client(changing.session(), id).await;
        changing.goes_along(permissions)?;
        let trusts = trust::of_client(changing.session(), id).await;
        changing.goes_along(trusts)
    }
}

/// Clients with their secrets, of those whose names are free: how many, and whether an issuer has
/// the name of one.
const INSERT: &str = "WITH wanted AS ( \
        SELECT id, metadata, keys \
        FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (id, metadata, keys) \
    ), named AS ( \
        INSERT INTO party (name, kind) SELECT id, 'client' FROM wanted \
        WHERE NOT EXISTS (SELECT 1 FROM issuer WHERE iss = wanted.id) ON CONFLICT DO NOTHING RETURNING name \
    ), added AS ( \
        INSERT INTO client (id, metadata, keys) \
        SELECT id, metadata, keys FROM wanted JOIN named ON name = id RETURNING id \
    ), secrets AS ( \
        INSERT INTO client_secret (client, position, kind, value, expires_at) \
        SELECT client, position, kind, value, expires_at FROM added JOIN \
            unnest($4::text[], $5::bigint[], $6::text[], $7::bytea[], $8::bigint[]) \
            AS secret (client, position, kind, value, expires_at) ON client = id \
    ) SELECT (SELECT count(*) FROM added), EXISTS (SELECT 1 FROM issuer WHERE iss = ANY($1))";
/// A state of a client, with its secrets in place of those it had.
const UPDATE: &str = "WITH changed AS ( \
        UPDATE client SET metadata = $4, keys = $5, version = version + 1 \
        WHERE id = $1 AND number = $2 AND version = $3 RETURNING id \
    ), removed AS ( \
        DELETE FROM client_secret USING changed \
        WHERE client = changed.id AND position >= cardinality($6::text[]) \
    ), secrets AS ( \
        INSERT INTO client_secret (client, position, kind, value, expires_at) \
        SELECT id, position - 1, kind, value, expires_at FROM changed, \
            unnest($6::text[], $7::bytea[], $8::bigint[]) WITH ORDINALITY \
            AS secret (kind, value, expires_at, position) \
        ON CONFLICT (client, position) DO UPDATE \
        SET kind = excluded.kind, value = excluded.value, expires_at = excluded.expires_at \
    ) SELECT count(*) FROM changed";
/// In one statement, so that the parts of a client belong together: a row for each secret, or one
/// row without.
const FIND: &str = "SELECT id, metadata, keys, number, version, secret.kind, value, expires_at \
    FROM client LEFT JOIN client_secret AS secret ON secret.client = id \
    WHERE id = ANY($1) ORDER BY id, position";

/// The secrets of clients, by their columns.
#[derive(Default)]
struct Secrets {
    clients: Vec<String>,
    positions: Vec<i64>,
    kinds: Vec<String>,
    values: Vec<Vec<u8>>,
    ends: Vec<Option<i64>>,
}

impl Secrets {
    fn of(clients: &[Client], master_key: &MasterKey) -> Self {
        let mut secrets = Self::default();
        for client in clients {
            let id = client.id().as_str();
            for (secret, position) in client.secrets().iter().zip(0..) {
                let row = SecretRow::new(secret, id, master_key);
                secrets.clients.push(id.to_owned());
                secrets.positions.push(position);
                secrets.kinds.push(row.kind.to_string());
                secrets.values.push(row.value);
                secrets.ends.push(row.expires_at);
            }
        }
        secrets
    }
}

/// A client of its rows.
fn client(rows: &[Row], master_key: &MasterKey) -> Result<Client, Failure> {
    let first = &rows[0];
    let id: &str = first.get(0);
    let metadata = read_metadata(first.get(1))?;
    let keys = read_keys(first.get(2), id)?;
    let revision = revision::read(first, 3);
    let secrets = rows
        .iter()
        .filter_map(|row| secret(row, master_key, id).transpose());
    let secrets = secrets.collect::<Result<_, _>>()?;
    Ok(form::client::read(metadata, keys, secrets, revision)?)
}

/// The secret of a row, if it has one.
fn secret(row: &Row, master_key: &MasterKey, id: &str) -> Result<Option<ClientSecret>, Failure> {
    let Some(kind) = row.get::<_, Option<String>>(5) else {
        return Ok(None);
    };
    let secret = SecretRow {
        kind: kind.into(),
        value: row.get(6),
        expires_at: row.get(7),
    };
    Ok(Some(secret.open(id, master_key)?))
}

const NAME: &[&str] = &["client.id"];
/// The texts that parts are looked for in.
const TEXTS: &[&str] = &["client.id", "client.display_name"];
/// The clients with a key or a secret that ends before a time.
const ENDS: &str = "SELECT id AS name FROM client_key_end JOIN client AS ending \
        ON ending.number = client_key_end.client WHERE ends_at < ? \
    UNION ALL SELECT client FROM client_secret WHERE expires_at < ?";
/// Whether it is one, row by row.
const HAS_END: &str = "least( \
        (SELECT min(ends_at) FROM client_key_end AS ending WHERE ending.client = client.number), \
        (SELECT min(expires_at) FROM client_secret AS ending WHERE ending.client = client.id) \
    ) < ?";

fn search(filter: &ClientFilter) -> Search {
    let mut search = Search::all("client", NAME);
    if filter.power == Some(true) {
        search.enter(NAME, "client.power", []);
    }
    match filter.enabled {
        Some(true) => search.want("client.enabled", []),
        Some(false) => search.enter(NAME, "NOT client.enabled", []),
        None => {}
    }
    if let Some(manager) = &filter.managed_by {
        let manager = boxed(manager.to_string());
        search.enter(NAME, "client.managed_by = ?", [manager]);
    }
    let consent = filter.consent.as_ref().map(word);
    let policy = filter.audience_policy.as_ref().map(word);
    let method = filter.auth_method.as_ref().map(word);
    // Of what is the same for nearly all clients there is no index.
    for (wanted, usual, column) in [
        (consent, "off", "client.consent"),
        (policy, "strict", "client.audience_policy"),
        (method, "private_key_jwt", "client.auth_method"),
    ] {
        let Some(wanted) = wanted else { continue };
        match wanted == usual {
            true => search.want(&format!("{column} = ?"), [boxed(wanted)]),
            false => {
                let condition = format!("{column} = ? AND {column} <> '{usual}'");
                search.enter(NAME, &condition, [boxed(wanted)]);
            }
        }
    }
    if let Some(scope) = &filter.scope {
        let has = "strpos(' ' || client.scope || ' ', ?) > 0";
        search.want(has, [boxed(format!(" {scope} "))]);
    }
    search.want_part(filter.q.as_ref(), TEXTS);
    search.by_text(filter.q.as_ref(), TEXTS, "client.number % 1024 = 0");
    if let Some(before) = filter.ends_before.map(UnixTime::millis) {
        search.want(HAS_END, [boxed(before)]);
        search.by_names(ENDS, [boxed(before), boxed(before)]);
    }
    search
}
