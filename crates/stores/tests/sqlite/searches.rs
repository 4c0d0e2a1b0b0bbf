//! Lists of a large registry: what their pages hold, and how long they take.

#![expect(clippy::print_stdout, reason = "a measurement tells its numbers")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use grantor::{
    clock::UnixTime,
    registry::{
        Actor, ChangeRecord, Client, ClientFilter, ClientMetadata, Filter as _, PermissionFilter,
        Resource, Subject, SubjectFilter,
    },
    server::Decision,
    storage::{
        Change, DecisionFilter, DecisionStore as _, List, Log, Logged, Page, Registries, Registry,
        Start,
    },
    types::{AuthMethod, Name},
};
use grantor_stores::sqlite::SqliteStore;
use grantor_testkit::rows::{self, CLIENTS, DECISIONS, PERMISSIONS, SUBJECTS, fill};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{given::id, laws::open};

/// 2027-01-15
const NOW: i64 = 1_800_000_000_000;
const DAY: i64 = 86_400_000;
/// What the pages of a list of operators may take (M008, MA38).
const MOST: Duration = Duration::from_millis(50);

/// How many rows there are.
#[derive(Clone, Copy)]
struct Size {
    clients: u32,
    subjects: u32,
    decisions: u32,
}

/// A store with so many rows, of which few are not as nearly all are.
fn filled(size: Size) -> (SqliteStore, TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    drop(open(directory.path()));
    let connection = rows::connect(&directory.path().join("grantor.db"));
    fill(&connection, size.clients, CLIENTS);
    fill(&connection, size.subjects, SUBJECTS);
    fill(&connection, size.subjects, PERMISSIONS);
    fill(&connection, size.decisions, DECISIONS);
    (open(directory.path()), directory)
}

fn of<F: serde::de::DeserializeOwned>(filter: Value) -> F {
    serde_json::from_value(filter).expect("a filter")
}

fn time(days: i64) -> String {
    grantor::clock::time_text(UnixTime::from_millis(NOW + days * DAY))
}

/// The filters of clients that are asked for here.
fn client_filters() -> Vec<Value> {
    let mut filters: Vec<_> = [
        "a",
        "11",
        "999",
        "client-",
        "client-0001234",
        "client-0512343",
        "t-07123",
        "0001234",
        "billing",
        "billing-0000",
        "été%_\"\\",
        "_\"",
        "%",
        "client%",
        "The accounts",
        "accounts of 40",
        "Client",
        "no such name",
        "zz",
        "9\"",
        "-",
        "\0",
        "ent-000\0",
    ]
    .iter()
    .map(|q| json!({"q": q}))
    .collect();
    filters.push(json!({"q": "x".repeat(10 * 1024)}));
    filters.extend([
        json!({}),
        json!({"enabled": false}),
        json!({"enabled": true}),
        json!({"auth_method": "none"}),
        json!({"auth_method": "private_key_jwt"}),
        json!({"auth_method": "client_secret_post"}),
        json!({"audience_policy": "legacy"}),
        json!({"audience_policy": "strict"}),
        json!({"consent": "ask"}),
        json!({"consent": "implied"}),
        json!({"consent": "off"}),
        json!({"managed_by": "team-9"}),
        json!({"managed_by": "nobody"}),
        json!({"power": true}),
        json!({"power": false}),
        json!({"ends_before": time(-1)}),
        json!({"ends_before": time(1)}),
        json!({"ends_before": time(400)}),
        json!({"q": "client-0000", "enabled": false}),
        json!({"q": "0007", "enabled": false, "consent": "off"}),
        json!({"ends_before": time(30), "enabled": true, "q": "billing"}),
        json!({"managed_by": "team-9", "enabled": false}),
    ]);
    filters
}

/// All pages, and how many of them were not full.
async fn pages<R: Resource>(
    registry: &dyn Registry<R>,
    filter: &R::Filter,
    limit: u32,
) -> (Vec<R::Id>, usize) {
    let (mut found, mut after, mut short) = (Vec::new(), None, 0);
    loop {
        let page: Page<Arc<R>> = registry
            .page(filter, after.as_ref(), limit)
            .await
            .expect("a page");
        assert!(page.items.len() <= limit as usize);
        found.extend(page.items.iter().map(|one| one.id()));
        after = page.next;
        match after {
            Some(_) => short += usize::from(page.items.len() < limit as usize),
            None => return (found, short),
        }
    }
}

/// Every way to search gives what a look at each one gives, in the same order.
#[tokio::test]
async fn m008_what_is_found_by_an_index_is_what_passes() {
    let size = Size {
        clients: 12_000,
        subjects: 3_000,
        decisions: 0,
    };
    let (store, _directory) = filled(size);
    let all = store.clients().all().await.expect("all clients");
    assert_eq!(all.len(), 12_000);
    for asked in client_filters() {
        let filter: ClientFilter = of(asked.clone());
        let passing = all.iter().filter(|client| filter.passes(client));
        let passing: Vec<_> = passing.map(|client| client.id().clone()).collect();
        let (found, _) = pages(store.clients(), &filter, 700).await;
        assert_eq!(found, passing, "{asked}");
    }
    let all = store.subjects().all().await.expect("all subjects");
    for asked in [
        json!({"enabled": false}),
        json!({"q": "0123"}),
        json!({"q": "01", "enabled": true}),
    ] {
        let filter: SubjectFilter = of(asked.clone());
        let passing = all.iter().filter(|subject| filter.passes(subject));
        let passing: Vec<_> = passing.map(|subject| subject.id.clone()).collect();
        assert_eq!(
            pages(store.subjects(), &filter, 70).await.0,
            passing,
            "{asked}"
        );
    }
    let all = store.permissions().all().await.expect("all permissions");
    assert_eq!(all.len(), 3_000);
    for asked in [
        json!({"client": "client-0000012"}),
        json!({"subject": "person-0000012"}),
        json!({"client": "client-0000012", "subject": "person-0000012"}),
        json!({"client": "client-0000012", "origin": "person"}),
        json!({"origin": "operator"}),
        json!({"origin": "person"}),
        json!({"unused_since": time(-1)}),
        json!({"unused_since": time(1)}),
        json!({"subject": "person-0000012", "origin": "person", "unused_since": time(1)}),
    ] {
        let filter: PermissionFilter = of(asked.clone());
        let passing = all.iter().filter(|permission| filter.passes(permission));
        let passing: Vec<_> = passing.map(|permission| permission.id()).collect();
        assert_eq!(
            pages(store.permissions(), &filter, 7).await.0,
            passing,
            "{asked}"
        );
    }
}

/// Triggers keep what lists find by: whoever changes the registry, and by which tool.
#[tokio::test]
async fn m008_what_is_changed_by_hand_is_found() {
    let size = Size {
        clients: 3_000,
        subjects: 0,
        decisions: 0,
    };
    let (store, directory) = filled(size);
    let connection = Connection::open(directory.path().join("grantor.db")).expect("a connection");
    let found = async |asked: Value| {
        let filter: ClientFilter = of(asked);
        pages(store.clients(), &filter, 50).await.0.len()
    };
    let (by_name, by_end) = (json!({"q": "by hand"}), json!({"ends_before": time(-9)}));
    assert_eq!(
        (found(by_name.clone()).await, found(by_end.clone()).await),
        (0, 0)
    );
    for statement in [
        "PRAGMA foreign_keys = ON",
        "UPDATE client SET metadata = json_set(metadata, '$.display_name', 'Changed by hand') WHERE id = 'client-0002999'",
        "UPDATE client SET keys = json_set(keys, '$[0].expires_at', 7) WHERE id = 'client-0002998'",
    ] {
        connection.execute_batch(statement).expect("changed");
    }
    assert_eq!(
        (found(by_name.clone()).await, found(by_end.clone()).await),
        (1, 1)
    );
    let remove = "DELETE FROM party WHERE name IN ('client-0002999', 'client-0002998')";
    connection.execute_batch(remove).expect("removed");
    assert_eq!((found(by_name).await, found(by_end).await), (0, 0));
    let check = "INSERT INTO client_text (client_text, rank) VALUES ('integrity-check', 1)";
    connection
        .execute_batch(check)
        .expect("the index has what the table has");
}

/// How long each page took that begins at the beginning, in the middle and near the end.
struct Times {
    list: String,
    found: usize,
    times: Vec<Duration>,
}

impl Times {
    fn print(&self) {
        let times: Vec<_> = self
            .times
            .iter()
            .map(|time| format!("{:.1} ms", time.as_secs_f64() * 1e3))
            .collect();
        println!(
            "{:60} {:>4} found, {}",
            self.list,
            self.found,
            times.join(", ")
        );
    }
}

/// The median of five tries.
async fn median<T>(read: impl AsyncFn() -> T) -> (T, Duration) {
    let mut times = Vec::new();
    loop {
        let started = Instant::now();
        let answer = read().await;
        times.push(started.elapsed());
        if times.len() == 5 {
            times.sort_unstable();
            return (answer, times[2]);
        }
    }
}

async fn times_of<R: Resource>(
    registry: &dyn Registry<R>,
    asked: &Value,
    places: &[&str],
) -> Times {
    let filter: R::Filter = of(asked.clone());
    let list = List::of::<R>(&filter);
    let (mut times, mut found) = (Vec::new(), 0);
    for place in [None].into_iter().chain(places.iter().map(Some)) {
        let after = place.map(|place| list.cursor(place));
        let (page, time) = median(async || registry.page(&filter, after.as_ref(), 50).await).await;
        found += page.expect("a page").items.len();
        times.push(time);
    }
    let asked: String = asked.to_string().chars().take(50).collect();
    let list = format!("{} {asked}", R::NAME);
    Times { list, found, times }
}

async fn times_of_log<R: Logged + 'static>(log: &dyn Log<R>, asked: &Value) -> Times {
    let filter: R::Filter = of(asked.clone());
    let list = List::new(R::NAME, &filter);
    let (mut times, mut found) = (Vec::new(), 0);
    for start in [
        Start::Oldest,
        Start::After(list.cursor("50000")),
        Start::Last(50),
        Start::Last(0),
    ] {
        let (page, time) = median(async || log.page(&filter, start.clone(), 50).await).await;
        found += page.expect("a page").entries.len();
        times.push(time);
    }
    let list = format!("{} {asked}", R::NAME);
    Times { list, found, times }
}

/// MA38
#[tokio::test]
#[ignore = "a million clients: .ci/nightly, on a quiet machine"]
async fn ma38_each_page_of_each_list_and_search_takes_less_than_50_ms() {
    let size = Size {
        clients: 1_000_000,
        subjects: 300_000,
        decisions: 100_000,
    };
    let (store, _directory) = filled(size);
    let mut all = Vec::new();
    let places = ["client-0500000", "client-0990000"];
    for asked in client_filters() {
        all.push(times_of::<Client>(store.clients(), &asked, &places).await);
    }
    let places = ["person-0150000", "person-0299000"];
    for asked in [
        json!({}),
        json!({"q": "0123"}),
        json!({"q": "person-0123456"}),
        json!({"q": "12"}),
        json!({"enabled": false}),
        json!({"enabled": true}),
        json!({"q": "0123", "enabled": false}),
    ] {
        all.push(times_of::<Subject>(store.subjects(), &asked, &places).await);
    }
    let place = r#"["client-0000500","person-0150000","person"]"#;
    for asked in [
        json!({}),
        json!({"client": "client-0000012"}),
        json!({"subject": "person-0000012"}),
        json!({"origin": "operator"}),
        json!({"origin": "person"}),
        json!({"unused_since": time(-1)}),
        json!({"unused_since": time(1)}),
    ] {
        all.push(times_of(store.permissions(), &asked, &[place]).await);
    }
    for asked in [
        json!({}),
        json!({"refused": true}),
        json!({"rule": "signature"}),
        json!({"party": "client-0000012"}),
        json!({"client": "client-0000012"}),
        json!({"client": "nobody"}),
        json!({"issuer": "github"}),
        json!({"issuer": "https://idp.example/7"}),
        json!({"trust": "trust-9"}),
        json!({"subject": "person-0000012"}),
        json!({"endpoint": "introspect"}),
        json!({"since": time(1)}),
        json!({"until": time(1)}),
        json!({"since": time(1), "client": "client-0000012", "refused": true}),
        json!({"id": "d70000"}),
        json!({"id_begins": "d700"}),
    ] {
        all.push(times_of_log::<Decision>(&store, &asked).await);
    }
    for asked in [
        json!({}),
        json!({"actor": "unknown"}),
        json!({"actor": "nobody"}),
        json!({"resource": "client"}),
        json!({"resource": "trust"}),
        json!({"name": "client-0000012"}),
        json!({"resource": "client", "name": "client-0000012"}),
        json!({"since": time(0)}),
        json!({"until": time(0)}),
        json!({"actor": "unknown", "resource": "trust"}),
        json!({"id": 70000}),
    ] {
        all.push(times_of_log::<ChangeRecord>(&store, &asked).await);
    }
    all.iter().for_each(Times::print);
    let slow: Vec<_> = all
        .iter()
        .filter(|list| list.times.iter().any(|time| *time > MOST))
        .map(|list| &list.list)
        .collect();
    assert!(slow.is_empty(), "more than {MOST:?}: {slow:?}");
}

/// MA38, MA41: refusals of few parties, of many, and of as many as there are refusals.
#[tokio::test]
#[ignore = "a measurement: .ci/nightly, on a quiet machine"]
async fn ma38_refusals_are_grouped_in_less_than_50_ms() {
    let mut slow = Vec::new();
    for parties in [0, 20, 5_000, 100_000] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        drop(open(directory.path()));
        let connection = Connection::open(directory.path().join("grantor.db"));
        let connection = connection.expect("a connection");
        fill(&connection, 100_000, DECISIONS);
        let refuse = "UPDATE decision SET refused = 1, rule = iif(sequence % 3 = 0, 'exp', 'aud'), party = 'client-' || (sequence % ?1)";
        if parties > 0 {
            connection.execute(refuse, [parties]).expect("refused");
        }
        let store = open(directory.path());
        for asked in [
            json!({}),
            json!({"since": time(1)}),
            json!({"client": "client-0000012"}),
        ] {
            let filter: DecisionFilter = of(asked.clone());
            let (found, time) = median(async || store.groups(&filter, 50).await).await;
            let found = found.expect("groups");
            println!(
                "{parties} parties, {asked}: {} groups in {time:?}",
                found.all
            );
            if time > MOST {
                slow.push((parties, asked));
            }
        }
    }
    assert!(slow.is_empty(), "more than {MOST:?}: {slow:?}");
}

/// MA38: of a trust that took all JWTs, of one that took none, and of one that was hardly asked.
#[tokio::test]
#[ignore = "a measurement: .ci/nightly, on a quiet machine"]
async fn ma38_a_trust_is_reported_in_less_than_50_ms() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    drop(open(directory.path()));
    let connection = Connection::open(directory.path().join("grantor.db"));
    let connection = connection.expect("a connection");
    fill(&connection, 100_000, DECISIONS);
    let asked = "UPDATE decision SET trusts = ' g:all R:none ' || iif(sequence = 5, 'r:one ', '')";
    connection.execute(asked, []).expect("asked");
    let store = open(directory.path());
    let mut slow = Vec::new();
    for trust in ["all", "none", "one", "nobody"] {
        let name = Name::parse(trust).expect("a name");
        let (found, time) = median(async || store.outcomes_of(&name, None, 256).await).await;
        let found = found.expect("outcomes");
        println!("{trust}: {:?} in {time:?}", found.counts);
        if time > MOST {
            slow.push(trust);
        }
    }
    assert!(slow.is_empty(), "more than {MOST:?}: {slow:?}");
}

/// What it costs a change that lists find it soon: with what they find it by, and without.
#[tokio::test]
#[ignore = "a measurement, on a quiet machine"]
async fn what_a_new_client_costs() {
    for is_found in [true, false] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = open(directory.path());
        if !is_found {
            let connection = Connection::open(directory.path().join("grantor.db"));
            let connection = connection.expect("a connection");
            connection.execute_batch(NOT_FOUND).expect("as it was");
        }
        for round in 0..3 {
            let [alone, together] = costs(&store, round * 10_000).await;
            println!(
                "found by lists: {is_found}; {alone:?} alone in a commit, {together:?} of 5000"
            );
        }
    }
}

const NOT_FOUND: &str = "
    DROP TRIGGER client_text_added; DROP TRIGGER client_key_end_added; DROP TRIGGER change_record_in_hour;
    DROP INDEX client_by_name; DROP INDEX client_by_method;
    DROP INDEX change_record_by_actor_and_resource; DROP INDEX change_record_by_resource";

/// What a client costs that is registered by itself, and one of many.
async fn costs(store: &SqliteStore, first: u32) -> [Duration; 2] {
    let by = Actor::program("test");
    let client = |number: u32| {
        let name = id(&format!("client-{number}"));
        let metadata = ClientMetadata::new(name, AuthMethod::NONE, UnixTime::from_millis(NOW));
        Client::new(metadata, Vec::new(), Vec::new()).expect("a client")
    };
    let started = Instant::now();
    for number in first..first + 2_000 {
        let created = store.clients().create(client(number), &by).await;
        created.expect("registered");
    }
    let alone = started.elapsed() / 2_000;
    let started = Instant::now();
    let changes = (first + 2_000..first + 7_000).map(|number| Change::Create(client(number)));
    let applied = store.clients().apply(changes.collect(), &by).await;
    applied.expect("registered");
    [alone, started.elapsed() / 5_000]
}
