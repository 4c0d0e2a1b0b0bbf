//! Clients in SQLite.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    registry::{Client, ClientFilter, ClientSecret},
    storage::{ClientEnds, ClientSource, StoreError},
    types::ClientId,
};
use rusqlite::{Connection, Row, Rows};

use super::{
    SqliteStore,
    error::{Failure, expect_row, on_constraint, text},
    issuer, permission,
    registry::{Changing, Stored},
    revision,
    search::Search,
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
impl ClientSource for SqliteStore {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        self.0.cached.client(id).await
    }
}

#[async_trait]
impl ClientEnds for SqliteStore {
    async fn clients_ending(
        &self,
        now: UnixTime,
        within: Duration,
        limit: usize,
    ) -> Result<Vec<ClientId>, StoreError> {
        let (before, after) = (now.minus(within), now.plus(within));
        let read = move |connection: &Connection| {
            let mut found = ending(connection, &COMING, [now, after], limit)?;
            found.sort_unstable();
            let mut over = ending(connection, &OVER, [before, now], limit)?;
            over.sort_unstable_by(|one, other| other.cmp(one));
            Ok([found, over].map(|part| first_of(part, limit)).concat())
        };
        self.0.lists.read(read).await
    }
}

/// From `?1` on and before `?2`, each in the order of an index.
const COMING: [&str; 2] = [
    "SELECT ends_at, id FROM client_key_end CROSS JOIN client ON client.number = client_key_end.client \
        WHERE ends_at >= ?1 AND ends_at < ?2 AND enabled = 1 ORDER BY ends_at",
    "SELECT expires_at, id FROM client_secret CROSS JOIN client ON client.id = client_secret.client \
        WHERE expires_at >= ?1 AND expires_at < ?2 AND enabled = 1 ORDER BY expires_at",
];
const OVER: [&str; 2] = [
    "SELECT ends_at, id FROM client_key_end CROSS JOIN client ON client.number = client_key_end.client \
        WHERE is_last = 1 AND ends_at >= ?1 AND ends_at < ?2 AND enabled = 1 ORDER BY ends_at DESC",
    "SELECT expires_at, id FROM client_secret AS secret CROSS JOIN client ON client.id = secret.client \
        WHERE expires_at >= ?1 AND expires_at < ?2 AND enabled = 1 AND NOT EXISTS ( \
            SELECT 1 FROM client_secret AS other WHERE other.client = secret.client \
            AND (other.expires_at IS NULL OR other.expires_at > secret.expires_at) \
        ) ORDER BY expires_at DESC",
];

/// The ends that these queries find, of `limit` clients each.
fn ending(
    connection: &Connection,
    queries: &[&str],
    [from, until]: [UnixTime; 2],
    limit: usize,
) -> Result<Vec<(i64, ClientId)>, Failure> {
    let mut found = Vec::new();
    for query in queries {
        let mut statement = connection.prepare_cached(query)?;
        let mut rows = statement.query((from.millis(), until.millis()))?;
        let mut clients = BTreeSet::new();
        while clients.len() < limit
            && let Some(row) = rows.next()?
        {
            // A name that somebody wrote there by hand and that is none hides no other.
            if let Ok(id) = ClientId::parse(&row.get::<_, String>(1)?) {
                clients.insert(id.clone());
                found.push((row.get(0)?, id));
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
    fn insert(&self, connection: &Connection, master_key: &MasterKey) -> Result<(), Failure> {
        create(connection, master_key, self)
    }

    fn update(&self, connection: &Connection, master_key: &MasterKey) -> Result<(), Failure> {
        update(connection, master_key, self)
    }

    fn delete(connection: &Connection, id: &ClientId) -> Result<(), Failure> {
        delete(connection, id)
    }

    fn find(
        connection: &Connection,
        master_key: &MasterKey,
        id: &ClientId,
    ) -> Result<Option<Arc<Self>>, Failure> {
        find_by_name(connection, master_key, id.as_str())
    }

    fn search(filter: &ClientFilter) -> Search {
        search(filter)
    }

    fn record_what_goes_along(changing: &mut Changing<'_>, id: &ClientId) -> Result<(), Failure> {
        changing.goes_along(permission::of_client(changing.connection, id))?;
        changing.goes_along(trust::of_client(changing.connection, id))
    }
}

fn create(connection: &Connection, master_key: &MasterKey, client: &Client) -> Result<(), Failure> {
    let id = client.id().as_str();
    if issuer::number(connection, id)?.is_some() {
        return Err(StoreError::Exists("client or issuer").into());
    }
    let taken = StoreError::Exists("client or subject");
    on_constraint(
        connection.execute("INSERT INTO party (name, kind) VALUES (?1, 'client')", [id]),
        taken,
    )?;
    let insert = "INSERT INTO client (id, metadata, keys) VALUES (?1, ?2, ?3)";
    connection.execute(
        insert,
        (id, form::document(client.metadata()), keys(client)),
    )?;
    write_secrets(connection, master_key, client)
}

fn update(connection: &Connection, master_key: &MasterKey, client: &Client) -> Result<(), Failure> {
    let id = client.id().as_str();
    let update = "UPDATE client SET metadata = ?4, keys = ?5, version = version + 1 WHERE id = ?1 AND number = ?2 AND version = ?3";
    let (number, version) = revision::columns(client.revision());
    connection.execute(
        update,
        (
            id,
            number,
            version,
            form::document(client.metadata()),
            keys(client),
        ),
    )?;
    connection.execute("DELETE FROM client_secret WHERE client = ?1", [id])?;
    write_secrets(connection, master_key, client)
}

fn delete(connection: &Connection, id: &ClientId) -> Result<(), Failure> {
    let changed = connection.execute(
        "DELETE FROM party WHERE name = ?1 AND kind = 'client'",
        [id.as_str()],
    )?;
    expect_row(changed, "client")
}

fn write_secrets(
    connection: &Connection,
    master_key: &MasterKey,
    client: &Client,
) -> Result<(), Failure> {
    let id = client.id().as_str();
    let mut insert = connection
        .prepare_cached("INSERT INTO client_secret (client, position, kind, value, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (secret, position) in client.secrets().iter().zip(0_i64..) {
        let SecretRow {
            kind,
            value,
            expires_at,
        } = SecretRow::new(secret, id, master_key);
        insert.execute((id, position, kind, value, expires_at))?;
    }
    Ok(())
}

const NAME: &[&str] = &["client.id"];
/// As in its index.
const HAS_POWER: &str =
    "iif(json_valid(metadata), instr(metadata ->> '$.scope', 'grantor:'), 0) > 0";
/// The numbers of clients with a key or a secret that ends before a time.
const ENDS: &str = "SELECT client AS number FROM client_key_end WHERE ends_at < ?1 \
    UNION SELECT client.number FROM client_secret JOIN client ON client.id = client_secret.client \
    WHERE client_secret.expires_at < ?1";

fn search(filter: &ClientFilter) -> Search {
    let mut search = Search::all("client INDEXED BY client_by_name", NAME);
    if filter.power == Some(true) {
        let from = "client INDEXED BY client_with_power";
        search.enter(from, NAME, HAS_POWER, []);
    }
    if let Some(is_enabled) = filter.enabled {
        match is_enabled {
            true => search.want("client.enabled = 1", []),
            false => {
                let from = "client INDEXED BY client_disabled";
                search.enter(from, NAME, "client.enabled = 0", []);
            }
        }
    }
    if let Some(manager) = &filter.managed_by {
        let from = "client INDEXED BY client_by_manager";
        let manager = manager.to_string().into();
        search.enter(from, NAME, "client.managed_by = ?", [manager]);
    }
    let consent = filter.consent.as_ref().map(word);
    let policy = filter.audience_policy.as_ref().map(word);
    let method = filter.auth_method.as_ref().map(word);
    // Of what is the same for nearly all clients there is no index.
    for (wanted, usual, column, from) in [
        (
            consent,
            "off",
            "client.consent",
            "client INDEXED BY client_by_consent",
        ),
        (
            policy,
            "strict",
            "client.audience_policy",
            "client INDEXED BY client_by_policy",
        ),
        (
            method,
            "private_key_jwt",
            "client.auth_method",
            "client INDEXED BY client_by_method",
        ),
    ] {
        let Some(wanted) = wanted else { continue };
        match wanted == usual {
            true => search.want(&format!("{column} = ?"), [wanted.into()]),
            false => {
                let condition = format!("{column} = ? AND {column} <> '{usual}'");
                search.enter(from, NAME, &condition, [wanted.into()]);
            }
        }
    }
    if let Some(scope) = &filter.scope {
        // What has it nowhere in its document need not be read.
        let has = "instr(client.metadata, ?) > 0 AND iif(json_valid(client.metadata), \
            instr(' ' || (client.metadata ->> '$.scope') || ' ', ?), 0) > 0";
        let token = format!(" {scope} ");
        search.want(has, [scope.to_string().into(), token.into()]);
    }
    search.want_part(filter.q.as_ref(), &["client.id", "client.display_name"]);
    search.by_text(filter.q.as_ref(), "client_text", "client");
    if let Some(before) = filter.ends_before.map(UnixTime::millis) {
        let ends = "(EXISTS (SELECT 1 FROM client_key_end AS ending WHERE ending.client = client.number AND ends_at < ?) \
            OR EXISTS (SELECT 1 FROM client_secret AS ending WHERE ending.client = client.id AND expires_at < ?))";
        search.want(ends, [before.into(), before.into()]);
        search.by_numbers("client", ENDS, [before.into()]);
    }
    search
}

/// Reads a client in one statement, so that its parts belong together: a row for each secret, or
/// one row without.
macro_rules! select_client {
    ($place:literal) => {
        concat!(
            "SELECT metadata, keys, number, version, secret.kind, value, expires_at FROM client ",
            "LEFT JOIN client_secret AS secret ON secret.client = id WHERE ",
            $place,
            " ORDER BY position"
        )
    };
}

/// The client of this name, by the number its row had when somebody last looked, else by its name.
pub(super) fn find(
    connection: &Connection,
    master_key: &MasterKey,
    id: &str,
    number: i64,
) -> Result<Option<Arc<Client>>, Failure> {
    let mut by_number = connection.prepare_cached(select_client!("number = ?1 AND id = ?2"))?;
    if let Some(client) = load(by_number.query((number, id))?, master_key, id)? {
        return Ok(Some(client));
    }
    find_by_name(connection, master_key, id)
}

fn find_by_name(
    connection: &Connection,
    master_key: &MasterKey,
    id: &str,
) -> Result<Option<Arc<Client>>, Failure> {
    let mut by_name = connection.prepare_cached(select_client!("id = ?1"))?;
    load(by_name.query([id])?, master_key, id)
}

fn load(
    mut rows: Rows<'_>,
    master_key: &MasterKey,
    id: &str,
) -> Result<Option<Arc<Client>>, Failure> {
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let metadata = read_metadata(text(row, 0, "client")?)?;
    let keys = read_keys(text(row, 1, "client")?, id)?;
    let revision = revision::read(row, 2)?;
    let mut secrets = Vec::from_iter(secret(row, master_key, id)?);
    while let Some(row) = rows.next()? {
        secrets.extend(secret(row, master_key, id)?);
    }
    let client = form::client::read(metadata, keys, secrets, revision)?;
    Ok(Some(Arc::new(client)))
}

/// The secret of a row, if it has one.
fn secret(
    row: &Row<'_>,
    master_key: &MasterKey,
    id: &str,
) -> Result<Option<ClientSecret>, Failure> {
    let Some(kind) = row.get::<_, Option<String>>(4)? else {
        return Ok(None);
    };
    let secret = SecretRow {
        kind: kind.into(),
        value: row.get(5)?,
        expires_at: row.get(6)?,
    };
    Ok(Some(secret.open(id, master_key)?))
}

#[cfg(test)]
mod tests {
    use std::{iter, path::Path};

    use grantor::{
        registry::{ClientKey, ClientMetadata},
        types::AuthMethod,
    };
    use rusqlite_migration::Migrations;

    use super::*;
    use crate::sqlite::open::{MIGRATIONS, migrate};

    #[test]
    fn clients_of_earlier_databases_keep_their_keys_their_secrets_and_their_permissions() {
        let mut connection = Connection::open_in_memory().expect("a database");
        let migrations = Migrations::from_slice(MIGRATIONS);
        migrations
            .to_version(&mut connection, 9)
            .expect("as it was");
        for (id, method) in [
            ("with-keys", AuthMethod::NONE),
            ("with-secret", AuthMethod::CLIENT_SECRET_POST),
        ] {
            let metadata = ClientMetadata::new(
                ClientId::parse(id).expect("a client_id"),
                method,
                UnixTime::from_millis(0),
            );
            connection
                .execute("INSERT INTO party (name, kind) VALUES (?1, 'client')", [id])
                .expect("written");
            connection
                .execute(
                    "INSERT INTO client (id, metadata) VALUES (?1, ?2)",
                    [id, &form::document(&metadata)],
                )
                .expect("written");
        }
        let good = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"a \"name\""}"#;
        let unusable = ["not \"JSON\"", "[1]", "\"x\"", " { \"kty\": \"RSA\" }"];
        let keys = [(1, good, Some(7_000))].into_iter().chain(
            [0, 2, 3, 4]
                .into_iter()
                .zip(unusable)
                .map(|(at, key)| (at, key, None)),
        );
        for key in keys {
            let insert = "INSERT INTO client_key (client, position, jwk, expires_at) VALUES ('with-keys', ?1, ?2, ?3)";
            connection.execute(insert, key).expect("written");
        }
        let others =
            "INSERT INTO client_secret VALUES ('with-secret', 0, 'digest', zeroblob(32), 5000);
            INSERT INTO party (name, kind) VALUES ('somebody', 'subject');
            INSERT INTO subject (id, enabled) VALUES ('somebody', 1);
            INSERT INTO permission (client, subject) VALUES ('with-secret', 'somebody');";
        connection.execute_batch(others).expect("written");
        let number = |connection: &Connection, query: &str| {
            connection
                .query_row(query, [], |row| row.get::<_, i64>(0))
                .expect("a number")
        };
        let changes =
            |connection: &Connection| number(connection, "SELECT max(sequence) FROM change");
        let logged = changes(&connection);
        migrate(&mut connection, Path::new("")).expect("migrated");
        assert_eq!(
            changes(&connection),
            logged,
            "nothing has changed for anybody"
        );
        assert_eq!(number(&connection, "SELECT count(*) FROM permission"), 1);
        assert_eq!(
            number(
                &connection,
                "SELECT count(*) FROM client WHERE json_type(keys, '$[1].jwk') = 'object'"
            ),
            1
        );

        let directory = tempfile::tempdir().expect("a temporary directory");
        let master_key = MasterKey::create(&directory.path().join("master.key")).expect("a key");
        let read = |id| {
            find(&connection, &master_key, id, 0)
                .map_err(StoreError::from)
                .expect("read")
                .expect("there")
        };
        let client = read("with-keys");
        let [first, good, rest @ ..] = client.keys() else {
            panic!("five keys: {client:?}")
        };
        let broken: Vec<_> = iter::once(first).chain(rest).collect();
        assert!(
            broken
                .iter()
                .all(|key| key.usable().is_err() && key.expires_at.is_none())
        );
        assert_eq!(
            broken.iter().map(|key| key.to_stored()).collect::<Vec<_>>(),
            unusable
        );
        assert_eq!(good.jwk().and_then(|jwk| jwk.key_id()), Some("a \"name\""));
        assert_eq!(good.expires_at, Some(UnixTime::from_millis(7_000)));
        let other = read("with-secret");
        assert_eq!((other.keys().len(), other.secrets().len()), (0, 1));

        let stored: Vec<_> = client.keys().iter().map(ClientKey::to_stored).collect();
        // Written again, a client is what it was, and servers are told.
        update(&connection, &master_key, &client)
            .ok()
            .expect("updated");
        assert_eq!(
            read("with-keys")
                .keys()
                .iter()
                .map(ClientKey::to_stored)
                .collect::<Vec<_>>(),
            stored
        );
        assert_eq!(changes(&connection), logged + 1);

        // What refers to a client still goes with it.
        delete(&connection, other.id()).ok().expect("deleted");
        assert_eq!(
            number(
                &connection,
                "SELECT (SELECT count(*) FROM permission) + (SELECT count(*) FROM client_secret)"
            ),
            0
        );
    }
}
