//! PostgreSQL: many nodes on one registry. What was answered is committed as durably as was chosen;
//! each node reads what others have changed, and answers only while it knows that it is current.

mod agreement;
mod arriving;
mod artifact;
mod artifact_group;
mod backoff;
mod change;
mod change_record;
mod claim_group;
mod claim_row;
mod client;
mod connect;
mod connections;
mod decision;
mod error;
mod fence;
mod finding;
mod fitness;
mod health;
mod held;
mod issuer;
mod judgement;
mod log;
mod meta;
mod node;
mod open;
mod open_error;
mod operator;
mod options;
mod passkey;
mod password;
mod permission;
mod permission_use;
mod queue;
mod registry;
mod replay;
mod revision;
mod schema;
mod scope_text;
mod search;
mod session;
mod signing_key;
mod source;
mod start_check;
mod statistics;
mod subject;
mod survey;
mod sweeper;
mod trust;

use std::sync::Arc;

use grantor::{
    clock::UnixTime,
    server::{Seals, TokenIds},
    storage::StoreError,
};

pub(crate) use self::{arriving::Arriving, claim_row::Short, error::Failure};
use self::{
    connections::Connections,
    source::{NAMES, Source},
};
pub use self::{
    finding::{Finding, Level, Unfit},
    node::NodeInfo,
    open_error::OpenError,
    options::{Durability, Options, Target, Windows},
    survey::{Survey, survey},
};
use crate::{MasterKey, cached::Cached, quota::Quota, tally::Tally};

/// A store on a PostgreSQL server. Cloning it shares everything.
#[derive(Clone)]
pub struct PostgresStore(Arc<Inner>);

/// What all ports share.
struct Inner {
    cached: Arc<Cached<Source>>,
    claims: claim_group::Claims,
    puts: artifact_group::Puts,
    quota: Quota,
    decisions: decision::Writer,
    counts: Arc<Tally>,
    last_check: health::LastCheck,
    /// The id of this node.
    node: String,
    leaving: Arc<node::Leaving>,
    options: Options,
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PostgresStore(..)")
    }
}

impl PostgresStore {
    /// The names of all clients and subjects.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn names(&self) -> Result<Vec<String>, StoreError> {
        let page = format!("SELECT name FROM party WHERE name > $1 ORDER BY name LIMIT {NAMES}");
        let mut names: Vec<String> = Vec::new();
        loop {
            let last = names.last().map_or("", String::as_str);
            // Others have their turn between pages.
            let session = self.0.connections().lend_in_turn().await?;
            let rows = session.query(&page, &[&last]).await?;
            session.give_back();
            names.extend(rows.iter().map(|row| row.get::<_, String>(0)));
            if rows.len() < NAMES {
                return Ok(names);
            }
        }
    }

    /// Makes the `jti` of access tokens under a key that comes from the master key: every node knows
    /// them.
    pub fn token_ids(&self) -> TokenIds {
        let since = self.0.source().fence.sealed_since();
        self.0.master_key().token_ids().clone().since(since)
    }

    /// Seals codes and tickets under a key that comes from the master key: those of one node are good
    /// on every other.
    pub fn seals(&self) -> Seals {
        self.0.master_key().seals().clone()
    }
}

impl Inner {
    fn source(&self) -> &Source {
        self.cached.source()
    }

    fn connections(&self) -> &Connections {
        &self.source().connections
    }

    fn master_key(&self) -> &MasterKey {
        &self.source().master_key
    }

    fn now(&self) -> UnixTime {
        self.options.clock.now()
    }
}
