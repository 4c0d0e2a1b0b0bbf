//! Files of registrations, planned and applied on the database.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use grantor::{
    admin::{
        Gate, PlanRequest, PlanStores, Plans, Ports, Registrations, Rights, ServerTerms, Summary,
    },
    clock::{Clock as _, SystemClock},
    jose::{Algorithm, PrivateJwk},
    registry::{Actor, ChangeRecord, Role},
    storage::{ChangeFilter, Registries as _, Start},
};
use serde_json::{Value, json};

use crate::engine::{Database, Store};

/// So many clients of a file. Without optimisation, and beside all other tests on two cores, a
/// client takes about ten times as long.
const MANY: usize = if cfg!(debug_assertions) {
    1_000
} else {
    10_000
};
/// How long a file of so many may take; without optimisation, and beside other tests, that it ends.
const LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 10 });

fn file(scope: &str) -> PlanRequest {
    let key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let key = serde_json::to_value(key.public()).expect("JSON");
    let client = |number| {
        json!({"client_id": format!("client-{number}"), "token_endpoint_auth_method": "private_key_jwt",
            "scope": scope, "jwks": {"keys": [key]}})
    };
    let clients: Vec<Value> = (0..MANY).map(client).collect();
    let text = json!({"client": clients}).to_string();
    PlanRequest::new(Registrations::parse(text.as_bytes()).expect("registrations"))
}

/// Plans and applies, and says how long that took.
async fn apply(store: &Store, request: &PlanRequest) -> (Summary, Duration) {
    let terms = ServerTerms::new("https://as.example".parse().expect("an issuer"));
    let gate = Gate::new(Ports::of(Arc::new(store.clone())), Rights::of(Role::Owner));
    let plans = Plans::new(PlanStores::of(&gate), &terms, SystemClock.now());
    let start = Instant::now();
    let planned = plans.make(request).await.expect("a plan");
    let outcome = plans.apply(planned, &Actor::program("test")).await;
    (outcome.expect("applied").plan.summary, start.elapsed())
}

#[tokio::test]
async fn m071_a_large_file_is_compared_and_changed_within_ten_seconds() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = database.open().await;
    let request = file("read");
    let (made, took) = apply(&store, &request).await;
    assert_eq!((made.create, made.same), (MANY, 0));
    let (again, compared) = apply(&store, &request).await;
    assert_eq!((again.is_change(), again.same), (false, MANY));
    // All are in one transaction, and each is on record.
    let filter = ChangeFilter::default();
    let last = store.changes().page(&filter, Start::Last(1), 1).await;
    let last = ChangeRecord::read(&last.expect("a page").entries[0].document);
    assert_eq!(last.expect("a record").id, MANY as u64);
    let (changed, replaced) = apply(&store, &file("read write")).await;
    assert_eq!(changed.update, MANY);
    let all = [took, compared, replaced];
    assert!(all.iter().all(|took| *took < LIMIT), "{all:?}");
}
