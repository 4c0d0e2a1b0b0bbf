//! PostgreSQL keeps the laws of every store: two nodes with connections of their own.

use std::sync::Arc;

use grantor::{clock::ManualClock, storage::conformance::NOW};
use grantor_testkit::postgres::{self, Postgres};

use crate::engine::{Database, Store};

/// So many stores on one new database; none where PostgreSQL is not installed.
async fn nodes(count: usize) -> (Vec<Arc<Store>>, Option<Database>) {
    on(count, Postgres::shared().map(|server| server.database())).await
}

async fn on(
    count: usize,
    database: Option<postgres::Database>,
) -> (Vec<Arc<Store>>, Option<Database>) {
    let database = database.map(Database::of);
    let mut nodes = Vec::new();
    if let Some(database) = &database {
        let clock = Arc::new(ManualClock::new(NOW));
        for _ in 0..count {
            nodes.push(Arc::new(database.open_at(clock.clone()).await));
        }
    }
    (nodes, database)
}

grantor::store_suite!(nodes);

/// S017: lists are in the order of octets, and names equal to the letter, in any locale.
mod in_another_locale {
    use super::{Arc, Database, Postgres, Store, on};

    async fn nodes(count: usize) -> (Vec<Arc<Store>>, Option<Database>) {
        let icu = "LOCALE_PROVIDER icu ICU_LOCALE 'fr-u-ks-level1' ENCODING 'UTF8'";
        on(
            count,
            Postgres::shared().map(|server| server.database_with(icu)),
        )
        .await
    }

    grantor::registry_suite!(nodes);
}
