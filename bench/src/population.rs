//! A database with many rows before the server starts. There is no bulk import, and a million
//! registrations by command would take hours: rows are written into the tables of a throw-away
//! database, in the form in which `grantor` writes them.

use std::{collections::HashMap, error::Error, path::Path, sync::Arc, time::Duration};

use grantor::{
    clock::{Clock as _, SystemClock},
    jose::{Algorithm, PrivateJwk, SigningError},
    registry::ClientMetadata,
    types::{AuthMethod, ClientId},
};
use rusqlite::Connection;

use crate::{
    server::Installation,
    sign::{Signer, on_all_cores},
};

/// Keys that are made at a time.
const CHUNK: usize = 20_000;
/// Issuers among which replay entries are spread: none may have more than a million.
const ISSUERS: u64 = 10_000;
/// Replay entries in a row: what a commit holds when all connections are busy.
const CLAIMS: usize = 20;

/// Numbers that look random and are the same in each run (SplitMix64).
pub struct Numbers(pub u64);

impl Iterator for Numbers {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(mixed ^ (mixed >> 31))
    }
}

/// A database with so many clients, and uses of assertions in force; who signs, drawn from the clients
/// at random.
pub fn fill(
    installation: &Installation,
    clients: usize,
    claims: usize,
    draws: usize,
) -> Result<Vec<Signer>, Box<dyn Error>> {
    // Makes the database, and is one of the clients.
    installation.register("first", &["--generate-key"])?;
    let mut connection = open(&installation.data())?;
    let signers = add_clients(&mut connection, installation.issuer(), clients - 1, draws)?;
    add_replay_entries(&mut connection, claims)?;
    Ok(signers)
}

/// The database file of a data directory, open for as many rows as there may be: should the machine
/// fail now, nothing is lost that was worth anything.
fn open(data: &Path) -> Result<Connection, Box<dyn Error>> {
    let connection = Connection::open(data.join("grantor.db"))?;
    connection.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -262144;",
    )?;
    Ok(connection)
}

/// Registers clients, each with an ES256 key of its own; who signs as them in as many draws.
fn add_clients(
    connection: &mut Connection,
    issuer: &str,
    count: usize,
    draws: usize,
) -> Result<Vec<Signer>, Box<dyn Error>> {
    let drawn: Vec<usize> = Numbers(7)
        .take(draws)
        .map(|number| (number % count.max(1) as u64) as usize)
        .collect();
    let mut signers: HashMap<usize, Option<Signer>> =
        drawn.iter().map(|&number| (number, None)).collect();
    let transaction = connection.transaction()?;
    // No record of a change for each of them.
    transaction.execute("INSERT INTO recording (purpose) VALUES ('changes')", [])?;
    for from in (0..count).step_by(CHUNK) {
        let keys = on_all_cores(CHUNK.min(count - from), |share| {
            share
                .map(|_| PrivateJwk::generate(Algorithm::Es256))
                .collect::<Result<Vec<_>, SigningError>>()
        })?;
        for (number, key) in (from..).zip(keys) {
            let id = format!("client-{number:07}");
            let metadata = ClientMetadata::new(
                ClientId::parse(&id)?,
                AuthMethod::PRIVATE_KEY_JWT,
                SystemClock.now(),
            );
            let metadata = serde_json::to_string(&metadata)?;
            let jwk = serde_json::to_string(&key.public())?;
            transaction
                .prepare_cached("INSERT INTO party (name, kind) VALUES (?1, 'client')")?
                .execute([&id])?;
            let insert = "INSERT INTO client (id, metadata, keys) \
                VALUES (?1, ?2, json_array(json_object('jwk', json(?3), 'expires_at', NULL)))";
            transaction
                .prepare_cached(insert)?
                .execute([&id, &metadata, &jwk])?;
            if let Some(signer) = signers.get_mut(&number) {
                *signer = Some(Signer {
                    client: id,
                    audience: issuer.to_owned(),
                    key: Arc::new(key.signing_key()?),
                });
            }
        }
    }
    // Servers that ran at the time would have read these; a sweep would remove them one by one.
    transaction.execute(
        "DELETE FROM change WHERE sequence < (SELECT max(sequence) FROM change)",
        [],
    )?;
    transaction.execute("DELETE FROM recording", [])?;
    transaction.commit()?;
    Ok(drawn
        .iter()
        .filter_map(|number| signers.get(number).cloned().flatten())
        .collect())
}

/// Records uses of assertions that are in force for most of an hour, [`CLAIMS`] in a row.
fn add_replay_entries(connection: &mut Connection, count: usize) -> Result<(), Box<dyn Error>> {
    let transaction = connection.transaction()?;
    {
        let mut insert =
            transaction.prepare("INSERT INTO replay (until, claims) VALUES (?1, ?2)")?;
        let end = SystemClock
            .now()
            .plus(Duration::from_secs(50 * 60))
            .millis();
        let mut numbers = Numbers(11);
        for first in (0..count).step_by(CLAIMS) {
            let claims = CLAIMS.min(count - first);
            let until = end + (first * 600_000 / count) as i64;
            let mut row = Vec::with_capacity(claims * 40);
            for _ in 0..claims {
                // The issuer's tag, what tells its assertions apart, and until when.
                let issuer = Numbers(numbers.next().unwrap_or_default() % ISSUERS).next();
                issuer
                    .into_iter()
                    .chain(numbers.by_ref().take(3))
                    .for_each(|number| row.extend(number.to_be_bytes()));
                row.extend(until.to_be_bytes());
            }
            insert.execute((until, row))?;
        }
    }
    transaction.commit()?;
    Ok(())
}
