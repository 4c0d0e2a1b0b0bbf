//! Opening a database: a look before anything is touched, then one transaction in which the tables,
//! the master key's proof and the first signing key are made, once for all nodes that start at once.

use std::{path::Path, sync::Arc, time::Instant};

use grantor::jose::base64url_encode;

use super::{
    Inner, Options, PostgresStore, Target, agreement, artifact_group,
    change::Position,
    claim_group,
    connect::Connector,
    connections::Connections,
    decision,
    error::Failure,
    fence::Fence,
    fitness::{self, Fitness},
    health::LastCheck,
    meta, node,
    open_error::OpenError,
    schema,
    session::Session,
    signing_key,
    source::{Proof, Source, add_names},
    start_check, sweeper,
};
use crate::{
    Create, MasterKey, Upkeep,
    cached::{Cached, KnownNames},
    quota::Quota,
};

/// Others may make the tables meanwhile.
pub(super) const BEGIN: &str =
    "BEGIN; SET LOCAL lock_timeout = '25s'; SET LOCAL grantor.recording = 'on'";
/// Under which name the proof of the master key is kept, in base64url.
const PROOF: &str = "master_key_proof";

impl PostgresStore {
    /// Connects, checks that the server keeps what is promised, and makes the tables in the schema
    /// if there are none, unless told not to, with a signing key. Where this process is a node, it
    /// reads the feed and removes what has ended from then on, on the runtime of the caller.
    ///
    /// # Errors
    /// [`OpenError`]; then nothing was written, but where the answer to the commit was lost.
    pub async fn open(target: &Target, options: &Options) -> Result<Self, OpenError> {
        let connections = Connections::new(Connector::new(target)?, target.connections);
        // The server is checked while it is opened. Nothing else needs this one yet, and it has time.
        let session = connections.records.session().await?;
        session.batch(BEGIN).await?;
        let begun = begin(&session, target, options).await?;
        session.batch("COMMIT").await.map_err(Failure::of_commit)?;
        // The database that it opens is there.
        MasterKey::keep(&options.master_key)?;
        drop(session);
        start(connections, begun, target, options).await
    }
}

/// What the first transaction has found, or made.
struct Begun {
    master_key: MasterKey,
    fence: Fence,
    node: String,
}

async fn begin(session: &Session, target: &Target, options: &Options) -> Result<Begun, OpenError> {
    let master_key = prepare(session, target, options).await?;
    let now = options.clock.now();
    signing_key::ensure(session, &master_key, options.signing_algorithm, now).await?;
    let fence = Fence::load(session, target.durability, options).await?;
    let node = session.query_one("SELECT gen_random_uuid()::text", &[]);
    Ok(Begun {
        master_key,
        fence,
        node: node.await?.get(0),
    })
}

/// Checks what is there, and makes the tables, in the open transaction. Answers the key to them.
pub(super) async fn prepare(
    session: &Session,
    target: &Target,
    options: &Options,
) -> Result<MasterKey, OpenError> {
    session.query(schema::LOCK, &[]).await?;
    start_check::of_privileges(session, options.create).await?;
    let found = schema::version(session).await?;
    if found.is_none() && options.create == Create::Never {
        return Err(OpenError::Absent);
    }
    let master_key = master_key(&options.master_key, found.is_none(), options)?;
    schema::migrate(session, &target.schema).await?;
    check_master_key(session, &master_key, &options.master_key).await?;
    agreement::agree(session, options).await?;
    start_check::of_tables(session).await?;
    Ok(master_key)
}

/// The key that is there, or a new one for a new database where none was given.
fn master_key(path: &Path, is_new: bool, options: &Options) -> Result<MasterKey, OpenError> {
    let key = match is_new {
        false => MasterKey::read_or_unfinished(path),
        true if options.makes_master_key && !path.exists() => MasterKey::prepare(path),
        true => MasterKey::read_given(path),
    };
    Ok(key?)
}

/// Proves that the master key is the one this database was made with; a new database gets its
/// proof.
async fn check_master_key(
    session: &Session,
    master_key: &MasterKey,
    path: &Path,
) -> Result<(), OpenError> {
    match meta::get(session, PROOF).await? {
        None => Ok(meta::put(session, PROOF, &base64url_encode(master_key.proof())).await?),
        Some(proof) => {
            let proof = grantor::jose::base64url_decode(proof).unwrap_or_default();
            let is_of_another = || OpenError::WrongMasterKey(path.to_owned());
            master_key
                .made(&proof)
                .then_some(())
                .ok_or_else(is_of_another)
        }
    }
}

async fn start(
    connections: Connections,
    begun: Begun,
    target: &Target,
    options: &Options,
) -> Result<PostgresStore, OpenError> {
    let session = connections.looks.session().await?;
    // The connection of claims is opened now, so that the first claim does not make everything be
    // read anew.
    connections.claims.session().await?;
    let began = Instant::now();
    // First how far the feed goes: what is added meanwhile is read twice.
    let position = Position::newest(&session, connections.epoch()).await?;
    let names = KnownNames::default();
    add_names(&connections, &names).await?;
    let now = options.clock.now();
    let moment = signing_key::read_moment(&session, &begun.master_key, now).await?;
    let source = Source {
        connections,
        master_key: begun.master_key,
        fence: begun.fence,
        proof: Proof::new(options.upkeep),
        fitness: Fitness::new(target.durability, options),
    };
    source.proof.looked(began);
    let cached = Cached::new(source, options.clock.clone(), position, names, moment);
    let cached = Arc::new(cached);
    let (decisions, counts) = decision::start(cached.clone(), options);
    let inner = Arc::new(Inner {
        claims: claim_group::Claims::start(cached.clone(), options),
        puts: artifact_group::Puts::start(cached.clone()),
        cached,
        quota: Quota::default(),
        decisions,
        counts,
        last_check: LastCheck::default(),
        node: begun.node,
        leaving: Arc::default(),
        options: options.clone(),
    });
    if options.upkeep == Upkeep::Here {
        inner.prove().await?;
        inner.connections().hurry();
        node::start_pulse(&inner);
        fitness::start(&inner);
        sweeper::start(&inner);
    }
    Ok(PostgresStore(inner))
}
