//! The cache on a feed that is a list, and a database that answers when it is told to.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, AtomicUsize},
};

use grantor::{
    clock::{SystemClock, UnixTime},
    jose::{Algorithm, PrivateJwk},
    registry::{ClientMetadata, KeyOrigin, Resource as _, Revision, TrustedIssuer},
    types::{AuthMethod, IssuerId, Name},
};
use tokio::{
    sync::Semaphore,
    task::{JoinSet, yield_now},
};

use super::*;

/// A database.
struct Fake {
    subjects: Mutex<HashMap<SubjectId, Subject>>,
    issuers: Mutex<Vec<Arc<TrustedIssuer>>>,
    changes: Mutex<Vec<Change>>,
    /// How many reads may end.
    permits: Semaphore,
    queries: AtomicUsize,
    looks: AtomicUsize,
    is_down: AtomicBool,
}

const MANY: usize = 1_000_000;

fn store() -> Arc<Cached<Fake>> {
    let fake = Fake {
        subjects: Mutex::default(),
        issuers: Mutex::default(),
        changes: Mutex::default(),
        permits: Semaphore::new(MANY),
        queries: AtomicUsize::new(0),
        looks: AtomicUsize::new(0),
        is_down: AtomicBool::new(false),
    };
    let names = KnownNames::default();
    names.insert("known", 1);
    let (clock, moment) = (Arc::new(SystemClock), moment());
    Arc::new(Cached::new(fake, clock, 0, names, moment))
}

fn moment() -> Moment {
    let key = PrivateJwk::generate(Algorithm::Ed25519).expect("a key");
    Moment {
        ring: Arc::new(KeyRing::new(&key, []).expect("a ring")),
        from: UnixTime::from_millis(0),
        until: None,
    }
}

impl Fake {
    fn answer<T>(&self, answer: T) -> Result<T, StoreError> {
        match self.is_down.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable("down".into())),
            false => Ok(answer),
        }
    }

    /// What was read is of the moment when the read began.
    async fn read<T>(&self, answer: T) -> Result<T, StoreError> {
        self.queries.fetch_add(1, Ordering::SeqCst);
        self.permits.acquire().await.expect("open").forget();
        self.answer(answer)
    }

    fn queries(&self) -> usize {
        self.queries.load(Ordering::SeqCst)
    }

    fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }

    /// Lets no read end.
    fn hold(&self) {
        self.permits.forget_permits(MANY);
    }

    fn release(&self) {
        self.permits.add_permits(MANY / 2);
    }

    fn put(&self, subject: Subject) {
        let id = subject.id.clone();
        let mut subjects = self.subjects.lock().expect("the subjects");
        subjects.insert(id.clone(), subject);
        let mut changes = self.changes.lock().expect("the changes");
        changes.push(Change::Subject(id));
    }
}

/// An issuer with this number.
fn issuer(number: u64) -> TrustedIssuer {
    let id = IssuerId::parse("https://idp.example").expect("an iss");
    let (name, keys) = (Name::parse("idp"), KeyOrigin::Uploaded { keys: vec![] });
    let issuer = TrustedIssuer::new(id, name.expect("a name"), keys, UnixTime::from_millis(0));
    issuer.with_revision(Revision::first(number))
}

impl Fake {
    /// There is this issuer now, and no other.
    fn register(&self, issuer: TrustedIssuer) {
        let mut changes = self.changes.lock().expect("the changes");
        changes.push(Change::Issuer(issuer.revision.number));
        *self.issuers.lock().expect("the issuers") = vec![Arc::new(issuer)];
    }
}

impl Feed for Fake {
    type Position = usize;

    const LOOK_AGAIN: Duration = Duration::from_millis(2);

    /// A list that is shorter than before has been replaced.
    async fn look(&self, position: &usize) -> Result<Look<usize>, StoreError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        let look = {
            let changes = self.changes.lock().expect("the changes");
            let news = changes.get(*position..).map(<[Change]>::to_vec);
            Look {
                news: news.map_or(News::Everything, News::Changes),
                position: changes.len(),
            }
        };
        // Another may come meanwhile.
        yield_now().await;
        self.answer(look)
    }
}

impl Load for Fake {
    async fn client(&self, id: &ClientId, number: i64) -> Result<Option<Arc<Client>>, StoreError> {
        let metadata =
            ClientMetadata::new(id.clone(), AuthMethod::NONE, UnixTime::from_millis(number));
        let client = Client::new(metadata, Vec::new(), Vec::new()).expect("a client");
        self.read(Some(Arc::new(client))).await
    }

    async fn subject(&self, id: &SubjectId) -> Result<Option<Subject>, StoreError> {
        let found = self.subjects.lock().expect("the subjects").get(id).cloned();
        self.read(found).await
    }

    async fn permissions(
        &self,
        _: &(ClientId, SubjectId),
    ) -> Result<Option<Permissions>, StoreError> {
        self.read(None).await
    }

    async fn issuers(&self) -> Result<Arc<Issuers>, StoreError> {
        let issuers = self.issuers.lock().expect("the issuers").clone();
        self.read(Arc::new(Issuers::new(issuers))).await
    }

    async fn trusts(&self, issuer: u64) -> Result<Option<Arc<Trusts>>, StoreError> {
        let is_it = |found: &Arc<TrustedIssuer>| found.revision.number == issuer;
        let is_there = self.issuers.lock().expect("the issuers").iter().any(is_it);
        self.read(is_there.then(Arc::default)).await
    }

    async fn names(&self, known: &Arc<KnownNames>) -> Result<(), StoreError> {
        known.insert("new", 2);
        self.answer(())
    }

    async fn ring(&self, _: UnixTime) -> Result<Moment, StoreError> {
        self.answer(moment())
    }
}

fn client(id: &str) -> ClientId {
    ClientId::parse(id).expect("a client_id")
}

fn alice() -> SubjectId {
    SubjectId::parse("alice").expect("a subject")
}

fn enabled(enabled: bool) -> Subject {
    let mut subject = Subject::new(alice());
    subject.enabled = enabled;
    subject
}

/// So many requests for the same, as far as they come before anything is read.
async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    count: usize,
    request: impl Fn() -> F,
) -> JoinSet<T> {
    let mut requests = JoinSet::new();
    (0..count).for_each(|_| drop(requests.spawn(request())));
    for _ in 0..10 {
        yield_now().await;
    }
    requests
}

#[tokio::test]
async fn a_thousand_requests_for_one_cold_client_are_one_query() {
    let cached = store();
    cached.source().hold();
    let request = || {
        let cached = cached.clone();
        async move { cached.client(&client("known")).await }
    };
    let requests = at_once(1000, request).await;
    cached.source().release();
    let answers = requests.join_all().await;
    assert_eq!(answers.len(), 1000);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Some(_)))));
    assert_eq!(cached.source().queries(), 1);
    request().await.expect("at hand").expect("found");
    assert_eq!(cached.source().queries(), 1);
}

#[tokio::test]
async fn that_nobody_was_found_is_told_to_all_that_wait_and_remembered_until_somebody_is_there() {
    let cached = store();
    cached.source().hold();
    let request = || {
        let cached = cached.clone();
        async move { cached.subject(&alice()).await }
    };
    let requests = at_once(1000, request).await;
    cached.source().release();
    let answers = requests.join_all().await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(None))));
    assert_eq!(cached.source().queries(), 1);
    assert!(matches!(request().await, Ok(None)));
    assert_eq!(cached.source().queries(), 1);
    cached.forget(&News::Changes(vec![Change::Subject(alice())]));
    assert!(matches!(request().await, Ok(None)));
    assert_eq!(cached.source().queries(), 2);
}

#[tokio::test]
async fn a_read_that_fails_is_told_to_all_that_wait_with_its_cause() {
    let cached = store();
    cached.source().hold();
    let request = || {
        let cached = cached.clone();
        async move { cached.subject(&alice()).await }
    };
    let requests = at_once(3, request).await;
    cached.source().is_down.store(true, Ordering::SeqCst);
    cached.source().release();
    for answer in requests.join_all().await {
        let error = answer.expect_err("the database is down");
        assert!(matches!(&error, StoreError::Unavailable(cause) if cause.to_string() == "down"));
    }
    assert_eq!(cached.source().queries(), 1);
}

#[tokio::test]
async fn what_was_read_before_a_change_is_not_put_in_and_nothing_later_waits_for_it() {
    for is_changed in [false, true] {
        let cached = store();
        cached.source().put(enabled(true));
        cached.look().await.expect("a look");
        cached.source().hold();
        let request = || {
            let cached = cached.clone();
            async move { cached.subject(&alice()).await }
        };
        let mut early = at_once(1, request).await;
        if is_changed {
            cached.source().put(enabled(false));
        }
        cached.look().await.expect("a look");
        let mut late = at_once(1, request).await;
        // The control: without a change, the late one waits for the early one.
        let queries = 1 + usize::from(is_changed);
        assert_eq!(cached.source().queries(), queries);
        cached.source().release();
        let answer = |answer: Option<Result<Result<Option<Subject>, _>, _>>| {
            let answer = answer.expect("one").expect("no panic").expect("read");
            answer.expect("found").enabled
        };
        assert!(answer(early.join_next().await));
        assert_eq!(answer(late.join_next().await), !is_changed);
        let at_hand = request().await.expect("at hand").expect("found");
        let seen = (at_hand.enabled, cached.source().queries());
        assert_eq!(seen, (!is_changed, queries));
    }
}

#[tokio::test]
async fn where_the_one_that_reads_goes_away_the_next_one_reads() {
    let cached = store();
    cached.source().put(enabled(true));
    cached.source().hold();
    let request = || {
        let cached = cached.clone();
        async move { cached.subject(&alice()).await }
    };
    let mut first = at_once(1, request).await;
    let others = at_once(10, request).await;
    first.shutdown().await;
    cached.source().release();
    let answers = others.join_all().await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Some(_)))));
    assert_eq!(cached.source().queries(), 2);
}

#[tokio::test]
async fn issuers_are_read_once_until_one_changes() {
    let cached = store();
    let issuers = async || cached.issuers().await.expect("read");
    assert!(issuers().await.get("https://idp.example").is_none());
    let request = || {
        let cached = cached.clone();
        async move { cached.issuers().await }
    };
    cached.source().register(issuer(7));
    cached.look().await.expect("a look");
    cached.source().hold();
    let requests = at_once(100, request).await;
    cached.source().release();
    for answer in requests.join_all().await {
        let found = answer.expect("read");
        assert!(found.numbered(7).is_some());
    }
    assert_eq!(cached.source().queries(), 2, "one before the change");
    assert!(Arc::ptr_eq(&issuers().await, &issuers().await));
    let change = Change::Subject(alice());
    let changes = || cached.source().changes.lock().expect("the changes");
    changes().push(change);
    cached.look().await.expect("a look");
    issuers().await;
    assert_eq!(cached.source().queries(), 2, "of something else");
}

#[tokio::test]
async fn a_request_that_asks_for_issuers_looks_for_changes() {
    let cached = store();
    cached.issuers().await.expect("read");
    cached.source().register(issuer(7));
    let looks = cached.source().looks();
    // As long as a look is due.
    cached.looks.due.store(0, Ordering::Release);
    let found = cached.issuers().await.expect("read");
    assert!(found.numbered(7).is_some());
    assert_eq!(cached.source().looks(), looks + 1);
    cached.source().is_down.store(true, Ordering::SeqCst);
    cached.looks.due.store(0, Ordering::Release);
    assert!(cached.issuers().await.is_err(), "nobody knows what changed");
}

#[tokio::test]
async fn trusts_are_read_anew_where_a_trust_of_their_issuer_or_it_changed() {
    let cached = store();
    cached.source().register(issuer(7));
    cached.look().await.expect("a look");
    let trusts = async || cached.trusts(7).await.expect("read");
    for (change, is_about_them) in [
        (Change::TrustsOf(8), false),
        (Change::TrustsOf(7), true),
        (Change::Issuer(7), true),
    ] {
        let before = trusts().await;
        assert!(Arc::ptr_eq(&before, &trusts().await));
        let changes = || cached.source().changes.lock().expect("the changes");
        changes().push(change.clone());
        cached.look().await.expect("a look");
        let after = trusts().await;
        assert_eq!(!Arc::ptr_eq(&before, &after), is_about_them, "{change:?}");
    }
    let (before, queries) = (cached.trusts(8).await, cached.source().queries());
    assert!(before.expect("read").all().is_empty());
    cached.trusts(8).await.expect("read");
    let read_again = cached.source().queries() - queries;
    assert_eq!(
        read_again, 1,
        "of an issuer that is not there, nothing is kept"
    );
}

#[tokio::test]
async fn strangers_at_once_are_one_look_and_no_query() {
    let cached = store();
    let request = || {
        let cached = cached.clone();
        async move { cached.client(&client("stranger")).await }
    };
    let answers = at_once(1000, request).await.join_all().await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(None))));
    assert_eq!((cached.source().looks(), cached.source().queries()), (1, 0));
}

#[tokio::test]
async fn a_look_for_no_request_leaves_the_next_request_its_own() {
    let cached = store();
    cached.look().await.expect("a look");
    let change = Change::Client {
        id: client("new"),
        number: Some(7),
    };
    cached
        .source()
        .changes
        .lock()
        .expect("the changes")
        .push(change);
    let found = cached.client(&client("new")).await.expect("read");
    assert!(found.is_some());
    assert_eq!(cached.source().looks(), 2);
}

#[tokio::test]
async fn a_look_that_fails_forgets_everything_and_is_made_again() {
    let cached = store();
    cached.source().put(enabled(true));
    cached.subject(&alice()).await.expect("read");
    cached.source().is_down.store(true, Ordering::SeqCst);
    cached.look().await.expect_err("the database is down");
    assert!(cached.subject(&alice()).await.is_err());
    cached.source().is_down.store(false, Ordering::SeqCst);
    cached.look().await.expect("a look");
    assert_eq!(*cached.looks.position(), 1);
}

#[tokio::test]
async fn where_changes_were_missed_names_and_keys_are_read_anew() {
    let cached = store();
    cached.source().put(enabled(true));
    cached.look().await.expect("a look");
    cached.subject(&alice()).await.expect("read");
    let before = cached.key_ring();
    cached.source().changes.lock().expect("the changes").clear();
    cached.look().await.expect("a look");
    assert!(!Arc::ptr_eq(&before, &cached.key_ring()));
    assert_eq!(cached.names.number("new"), Some(2));
    assert!(cached.subjects.get(&alice()).is_none());
}

#[test]
fn keys_that_were_read_earlier_replace_none_that_were_read_later() {
    let ring = Ring::new(moment());
    let (earlier, later) = (moment(), moment());
    let expected = later.ring.clone();
    ring.put(later, 2);
    ring.put(earlier, 1);
    assert!(Arc::ptr_eq(&ring.keys(), &expected));
}
