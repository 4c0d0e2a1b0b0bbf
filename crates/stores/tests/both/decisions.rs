//! Decisions: recorded without being waited for, found again, and kept for a bounded time
//! and number.

use std::{sync::Arc, time::Duration};

use grantor::{
    clock::{Clock, ManualClock, UnixTime},
    server::{AuthorizationServer, Decision},
    storage::{DecisionFilter, DecisionStore as _, Entry, Log, LogPage, Start, StoreError},
    types::Issuer,
};
use grantor_stores::Retention;

use crate::engine::{DECISION_RECORDS, Database, Store};

pub fn decisions(store: &Store) -> &dyn Log<Decision> {
    store
}

pub struct World {
    pub store: Arc<Store>,
    server: AuthorizationServer,
}

impl World {
    pub async fn open(database: &Database, clock: Arc<ManualClock>, retention: Retention) -> Self {
        let opened = database.open_with(|options| {
            options.clock = clock.clone();
            options.retention = retention;
        });
        let store = Arc::new(opened.await);
        let issuer = Issuer::parse("https://as.example").expect("an issuer");
        let builder = AuthorizationServer::builder(issuer)
            .store(store.clone())
            .clock(clock)
            .decisions(store.clone());
        Self {
            store,
            server: builder.standard().build().expect("a server"),
        }
    }

    /// A request that is refused; answers its decision's id.
    pub async fn refused(&self, form: &str) -> String {
        let request = http::Request::post("/token")
            .header("content-type", "application/x-www-form-urlencoded");
        let response = self
            .server
            .respond(request.body(form.to_owned()).expect("a request"))
            .await;
        let body = http_body_util::BodyExt::collect(response.into_body())
            .await
            .expect("a body")
            .to_bytes();
        let text = String::from_utf8(body.to_vec()).expect("UTF-8");
        let (_, id) = text
            .rsplit_once("(decision ")
            .expect("every refusal carries an id");
        id.trim_end_matches(")\"}").to_owned()
    }

    pub async fn list(&self, filter: DecisionFilter) -> Vec<Entry> {
        self.store.flush().await.expect("flushed");
        let page = decisions(&self.store)
            .page(&filter, Start::Oldest, 5000)
            .await;
        page.expect("a page").entries
    }

    /// How many there are behind a sweep: it is due, and one more decision was recorded before it.
    async fn swept(&self, database: &Database, clock: &ManualClock) -> usize {
        clock.advance(Duration::from_millis(100));
        self.refused(GRANT).await;
        self.store.flush().await.expect("flushed");
        database.mark_for_sweep();
        database.swept().await;
        self.list(DecisionFilter::default()).await.len()
    }
}

fn filter(set: impl FnOnce(&mut DecisionFilter)) -> DecisionFilter {
    let mut filter = DecisionFilter::default();
    set(&mut filter);
    filter
}

pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(UnixTime::from_millis(1_800_000_000_000)))
}

const SCOPE: &str = "grant_type=client_credentials&client_id=a&client_secret=b";
pub const GRANT: &str = "grant_type=password";

#[tokio::test]
async fn a_decision_is_found_by_its_id_and_by_what_it_says() {
    let Some(database) = Database::new() else {
        return;
    };
    let world = World::open(&database, clock(), Retention::default()).await;
    let (unknown, unsupported) = (world.refused(SCOPE).await, world.refused(GRANT).await);
    assert_eq!(world.list(DecisionFilter::default()).await.len(), 2);

    let of = |id: &str| filter(|filter| filter.id = Some(id.to_owned()));
    let found = world.list(of(&unknown)).await;
    assert!(
        found.len() == 1 && found[0].document.contains("is not registered"),
        "{found:?}"
    );
    assert!(world.list(of("no such id")).await.is_empty());

    let form = filter(|filter| (filter.rule, filter.refused) = (Some("form".to_owned()), true));
    assert!(
        world
            .list(form)
            .await
            .iter()
            .all(|decision| decision.document.contains(&unsupported))
    );
    let party = filter(|filter| filter.party = Some("a".to_owned()));
    assert!(
        world
            .list(party)
            .await
            .iter()
            .all(|decision| decision.document.contains(&unknown))
    );
    let all = DecisionFilter::default();
    let first = world.list(DecisionFilter::default()).await;
    let later = Start::After(first[0].cursor.clone());
    let later = decisions(&world.store).page(&all, later, 10).await;
    assert_eq!(later.expect("a page").entries.len(), 1);
    let of_another = Start::After(found[0].cursor.clone());
    let refused = decisions(&world.store).page(&all, of_another, 10).await;
    assert!(matches!(refused, Err(StoreError::Cursor)));
}

#[tokio::test]
async fn nothing_is_lost_when_the_store_is_closed_and_opened_again() {
    let Some(database) = Database::new() else {
        return;
    };
    let world = World::open(&database, clock(), Retention::default()).await;
    for _ in 0..2000 {
        world.refused(GRANT).await;
    }
    world.store.flush().await.expect("flushed");
    assert_eq!(world.store.dropped(), 0);
    drop(world);
    let world = World::open(&database, clock(), Retention::default()).await;
    assert_eq!(world.list(DecisionFilter::default()).await.len(), 2000);
}

#[tokio::test]
async fn no_more_than_the_retention_is_kept() {
    let Some(database) = Database::new() else {
        return;
    };
    let clock = clock();
    let retention = Retention {
        rows: 10,
        age: Duration::from_secs(3600),
        ..Retention::default()
    };
    let world = World::open(&database, clock.clone(), retention).await;
    for _ in 0..25 {
        world.refused(GRANT).await;
    }
    assert_eq!(world.swept(&database, &clock).await, 10);
    // A clock that is an hour ahead for a moment removes nothing.
    let now = clock.now();
    clock.set(now.plus(Duration::from_secs(3620)));
    assert_eq!(world.swept(&database, &clock).await, 10);
    drop(world);
    // What it says at a start is believed.
    let world = World::open(&database, clock.clone(), retention).await;
    assert_eq!(
        world.swept(&database, &clock).await,
        2,
        "those of the last two sweeps"
    );
}

#[tokio::test]
async fn no_more_octets_than_the_retention_are_kept_and_lists_are_read_in_pages() {
    let Some(database) = Database::new() else {
        return;
    };
    let clock = clock();
    let retention = Retention {
        octets: 20_000,
        ..Retention::default()
    };
    let world = World::open(&database, clock.clone(), retention).await;
    let octets = || {
        let sum = "SELECT coalesce(sum(octet_length(record)), 0) FROM";
        database.number(&format!("{sum} {DECISION_RECORDS}"))
    };
    for round in 0..3 {
        for _ in 0..200 {
            world.refused(GRANT).await;
        }
        world.store.flush().await.expect("flushed");
        world.swept(&database, &clock).await;
        assert!(
            (10_000..=20_000).contains(&octets()),
            "{round}: {}",
            octets()
        );
    }
    let all = world.list(DecisionFilter::default()).await;
    let page = async |start, limit| {
        let everything = DecisionFilter::default();
        let page = decisions(&world.store)
            .page(&everything, start, limit)
            .await;
        page.expect("a page")
    };
    assert_eq!(
        page(Start::Last(7), 1000).await.entries,
        all[all.len() - 7..]
    );
    let (mut paged, mut start) = (Vec::new(), Start::Oldest);
    while let LogPage { entries, next, .. } = page(start, 10).await
        && !entries.is_empty()
    {
        start = Start::After(next);
        paged.extend(entries);
    }
    assert_eq!(paged, all);
}
