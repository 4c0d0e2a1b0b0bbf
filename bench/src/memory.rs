//! A program that embeds Grantor over hyper, and keeps everything in memory, but for used assertions
//! where a database is named for them.

use std::{convert::Infallible, error::Error, sync::Arc};

use grantor::{
    clock::{Clock as _, SystemClock},
    jose::JwkSet,
    registry::{Actor, Client, ClientKey, ClientMetadata},
    server::AuthorizationServer,
    storage::{MemoryStore, Registries},
    types::{AuthMethod, ClientId, Issuer},
};
use grantor_stores::postgres::{Durability, Options, PostgresStore, Target};
use tokio::runtime::Builder;

use crate::{serve::serve, settings::Settings};

/// Serves until killed.
pub fn run(settings: &Settings) -> Result<Infallible, Box<dyn Error>> {
    let store = Arc::new(MemoryStore::new());
    // As many threads beside those that answer as `grantor serve` has.
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    for client in &settings.clients {
        let metadata = ClientMetadata::new(
            ClientId::parse(&client.client_id)?,
            AuthMethod::PRIVATE_KEY_JWT,
            SystemClock.now(),
        );
        let keys = JwkSet::parse(client.jwks.to_string().as_bytes())?.keys;
        let client = Client::new(
            metadata,
            keys.into_iter().map(ClientKey::from).collect(),
            Vec::new(),
        )?;
        runtime.block_on(store.clients().create(client, &Actor::program("bench")))?;
    }
    let mut server = AuthorizationServer::builder(Issuer::parse(&settings.issuer)?).store(store);
    if let Some(database) = &settings.database {
        let target = Target::new(&database.url, Durability::Local);
        let options = Options::new(&database.master_key);
        let opened = runtime.block_on(PostgresStore::open(&target, &options))?;
        server = server.replay(Arc::new(opened));
    }
    let server = server.standard().build()?;
    serve(settings.address(), move |request| {
        let server = server.clone();
        async move { server.respond(request).await }
    })
}
