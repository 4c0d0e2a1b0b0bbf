//! What a server is told that is not `grantor` itself: who it is, and its clients. The same file
//! for the floor, the embedding program and the peers.

use std::{
    error::Error,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use grantor::jose::{Algorithm, PrivateJwk};
use grantor_testkit::port::held_address;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sign::Signer;

#[derive(Serialize, Deserialize)]
pub struct Settings {
    pub issuer: String,
    pub port: u16,
    pub clients: Vec<Client>,
    /// Where peers keep used `jti`: a file for SQLite, or nothing for memory.
    pub replay: Option<PathBuf>,
    /// Where the embedding program keeps used `jti`, or nothing for memory.
    pub database: Option<Database>,
}

#[derive(Serialize, Deserialize)]
pub struct Database {
    /// That of a PostgreSQL database.
    pub url: String,
    /// The file that the master key is made in.
    pub master_key: PathBuf,
}

#[derive(Serialize, Deserialize)]
pub struct Client {
    pub client_id: String,
    pub jwks: Value,
}

impl Settings {
    /// A free port, and `clients` clients with RSA keys; who signs as the first.
    pub fn new(clients: usize, replay: Option<PathBuf>) -> Result<(Self, Signer), Box<dyn Error>> {
        let address = held_address();
        let keys = (0..clients)
            .map(|_| PrivateJwk::generate(Algorithm::Rs256))
            .collect::<Result<Vec<_>, _>>()?;
        let client = |(number, key): (usize, &PrivateJwk)| {
            let jwks = json!({"keys": [key.public().to_object()]});
            Client {
                client_id: format!("bench-{number}"),
                jwks,
            }
        };
        let issuer = format!("http://{address}");
        let registered = keys.iter().enumerate().map(client).collect();
        let settings = Self {
            issuer: issuer.clone(),
            port: address.port(),
            clients: registered,
            replay,
            database: None,
        };
        let first = keys.into_iter().next().ok_or("no clients")?;
        Ok((
            settings,
            Signer {
                client: "bench-0".to_owned(),
                audience: issuer,
                key: Arc::new(first.signing_key()?),
            },
        ))
    }

    pub fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}
