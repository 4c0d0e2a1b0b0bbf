//! How many claims each issuer has in force, as far as this node knows: it counts its own, and asks
//! the database when these could have carried the issuer, with those of other nodes, over its
//! quota.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use grantor::{
    clock::UnixTime,
    storage::{IssuerTag, StoreError},
};
use tokio::{sync::Notify, time::timeout};

/// Pause before an issuer at its quota is asked about again, and most age of the answer about one that
/// is above half of it.
const ASK_AFTER: Duration = Duration::from_secs(10);
/// Own claims of an issuer that was never asked about, where its quota is not small.
const UNASKED: u64 = 1_000;
/// The largest quota that is small.
const SMALL_QUOTA: u64 = 16_000;
/// Longest wait for claims under way before an issuer is counted: they may be in the answer or not.
const SETTLED_WITHIN: Duration = Duration::from_millis(200);
/// Issuers known from which on those are forgotten that have few claims.
const MOST_ISSUERS: usize = 65_536;

/// The claims of each issuer.
#[derive(Default)]
pub(super) struct Held {
    issuers: Mutex<HashMap<IssuerTag, OfIssuer>>,
    /// Claims that were under way are not any more.
    settled: Notify,
}

/// The claims of one issuer.
#[derive(Default)]
struct OfIssuer {
    /// The last answer, and those of this node that were under way then.
    counted: u64,
    /// When it was asked about.
    at: Option<UnixTime>,
    /// Claims of this node since then.
    since: u64,
    /// Claims of this node of which it is not known whether they are recorded.
    under_way: u64,
    /// Held while it is being counted.
    turn: Option<Arc<tokio::sync::Mutex<()>>>,
}

/// What became of a claim that was under way.
#[derive(Clone, Copy)]
enum Settled {
    /// It is recorded, or may be.
    Recorded,
    GivenBack,
}

/// Whether a claim may be made.
#[derive(Debug, PartialEq, Eq)]
enum MayClaim {
    Yes,
    /// Only the database can tell.
    Ask,
    /// The issuer is at its quota.
    No,
}

impl OfIssuer {
    fn may_claim(&self, more: u64, now: UnixTime, quota: u64) -> MayClaim {
        let known = self.counted.saturating_add(self.since);
        let Some(at) = self.at else {
            let is_few = quota > SMALL_QUOTA && known + more <= UNASKED;
            return if is_few { MayClaim::Yes } else { MayClaim::Ask };
        };
        let is_old = now >= at.plus(ASK_AFTER) || now < at;
        let is_over = known + more > quota;
        if is_old && (is_over || known > quota / 2) {
            return MayClaim::Ask;
        }
        if is_over {
            return MayClaim::No;
        }
        let others_may_have = (quota.saturating_sub(self.counted) / 16).max(1);
        match self.since >= others_may_have {
            true => MayClaim::Ask,
            false => MayClaim::Yes,
        }
    }

    /// One claim less that is under way.
    fn settle(&mut self, settled: Settled) {
        self.under_way = self.under_way.saturating_sub(1);
        match settled {
            Settled::Recorded => {}
            Settled::GivenBack if self.since > 0 => self.since -= 1,
            Settled::GivenBack => self.counted = self.counted.saturating_sub(1),
        }
    }
}

impl Held {
    fn issuers(&self) -> MutexGuard<'_, HashMap<IssuerTag, OfIssuer>> {
        self.issuers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for one claim of each of these issuers, of which each may be there several times; `None`
    /// if one of them is over its quota. `count` answers how many claims of an issuer are in force;
    /// it is waited for only if it has to be asked, by one request for all.
    ///
    /// # Errors
    /// That of `count`
    pub(super) async fn take<F: Future<Output = Result<u64, StoreError>>>(
        self: &Arc<Self>,
        issuers: Box<[IssuerTag]>,
        (now, quota): (UnixTime, u64),
        count: impl Fn(IssuerTag) -> F,
    ) -> Result<Option<Room>, StoreError> {
        let mut asked = Vec::new();
        loop {
            let unsure = match self.try_take(&issuers, (now, quota), &asked) {
                Ok(true) => {
                    let held = self.clone();
                    return Ok(Some(Room { held, issuers }));
                }
                Ok(false) => return Ok(None),
                Err(unsure) => unsure,
            };
            let turn = self.turn(unsure);
            let _turn = turn.lock().await;
            // Somebody else may have counted meanwhile.
            if self.try_ask(unsure, &issuers, (now, quota)) {
                // One that runs out is counted twice, if it is recorded: too many, not too few.
                let _ = timeout(SETTLED_WITHIN, self.settled(unsure)).await;
                let counted = count(unsure).await?;
                self.counted(unsure, counted, now);
                asked.push(unsure);
            }
        }
    }

    /// Whether there is room, which is taken then.
    ///
    /// # Errors
    /// An issuer that has to be asked about, and is none of those that were just asked about.
    fn try_take(
        &self,
        issuers: &[IssuerTag],
        (now, quota): (UnixTime, u64),
        asked: &[IssuerTag],
    ) -> Result<bool, IssuerTag> {
        let mut known = self.issuers();
        for issuer in issuers {
            let more = wanted(issuers, *issuer);
            let held = known.entry(*issuer).or_default();
            match held.may_claim(more, now, quota) {
                MayClaim::Yes => {}
                MayClaim::No => return Ok(false),
                MayClaim::Ask if !asked.contains(issuer) => return Err(*issuer),
                MayClaim::Ask if held.counted + held.since + more > quota => return Ok(false),
                MayClaim::Ask => {}
            }
        }
        for issuer in issuers {
            let held = known.entry(*issuer).or_default();
            held.since += 1;
            held.under_way += 1;
        }
        if known.len() > MOST_ISSUERS {
            known.retain(|_, held| held.under_way > 0 || held.counted + held.since > UNASKED);
        }
        Ok(true)
    }

    fn try_ask(
        &self,
        issuer: IssuerTag,
        issuers: &[IssuerTag],
        (now, quota): (UnixTime, u64),
    ) -> bool {
        let more = wanted(issuers, issuer);
        let mut known = self.issuers();
        let held = known.entry(issuer).or_default();
        held.may_claim(more, now, quota) == MayClaim::Ask
    }

    fn turn(&self, issuer: IssuerTag) -> Arc<tokio::sync::Mutex<()>> {
        let mut known = self.issuers();
        let held = known.entry(issuer).or_default();
        held.turn.get_or_insert_default().clone()
    }

    /// Waits until no claim of this issuer is under way. Others wait meanwhile for the answer.
    async fn settled(&self, issuer: IssuerTag) {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            // From now on, so that none is missed.
            settled.as_mut().enable();
            let is_settled = {
                let known = self.issuers();
                known.get(&issuer).is_none_or(|held| held.under_way == 0)
            };
            if is_settled {
                return;
            }
            settled.await;
        }
    }

    /// What is under way may be missing in the answer.
    fn counted(&self, issuer: IssuerTag, counted: u64, now: UnixTime) {
        let mut known = self.issuers();
        let held = known.entry(issuer).or_default();
        held.counted = counted + held.under_way;
        held.at = Some(now);
        held.since = 0;
    }

    fn settle(&self, issuers: &[IssuerTag], settled: Settled) {
        let mut known = self.issuers();
        for issuer in issuers {
            if let Some(held) = known.get_mut(issuer) {
                held.settle(settled);
            }
        }
        drop(known);
        self.settled.notify_waiters();
    }
}

/// How many claims of this issuer are among them.
fn wanted(issuers: &[IssuerTag], issuer: IssuerTag) -> u64 {
    issuers.iter().filter(|other| **other == issuer).count() as u64
}

/// Room for the claims of one request. It is given back when it is dropped.
pub(super) struct Room {
    held: Arc<Held>,
    issuers: Box<[IssuerTag]>,
}

impl Room {
    /// The claims are recorded, or may be.
    pub(super) fn fill(mut self) {
        let issuers = std::mem::take(&mut self.issuers);
        self.held.settle(&issuers, Settled::Recorded);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.held.settle(&self.issuers, Settled::GivenBack);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);
    const A: IssuerTag = [1; 8];

    /// A node, and how often it asked the database, which answers this.
    struct Node {
        held: Arc<Held>,
        asked: AtomicU64,
        answer: AtomicU64,
    }

    impl Node {
        fn new() -> Self {
            Self {
                held: Arc::default(),
                asked: AtomicU64::new(0),
                answer: AtomicU64::new(0),
            }
        }

        async fn take(&self, seconds: u64, quota: u64) -> Option<Room> {
            let count = |_| async {
                self.asked.fetch_add(1, Ordering::Relaxed);
                Ok(self.answer.load(Ordering::Relaxed))
            };
            let now = NOW.plus(Duration::from_secs(seconds));
            let taken = self.held.take([A].into(), (now, quota), count).await;
            taken.expect("counted")
        }

        /// A claim that is recorded.
        async fn claim(&self, seconds: u64, quota: u64) -> bool {
            let room = self.take(seconds, quota).await;
            let is_claimed = room.is_some();
            room.into_iter().for_each(Room::fill);
            self.answer
                .fetch_add(u64::from(is_claimed), Ordering::Relaxed);
            is_claimed
        }
    }

    #[tokio::test]
    async fn s048_a_small_issuer_is_not_asked_about() {
        let node = Node::new();
        for _ in 0..1_000 {
            assert!(node.claim(0, 1_000_000).await);
        }
        assert_eq!(node.asked.load(Ordering::Relaxed), 0);
        for _ in 0..50_000 {
            assert!(node.claim(20, 1_000_000).await);
        }
        assert_eq!(node.asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn s006_a_small_quota_is_exact_on_one_node() {
        let node = Node::new();
        for is_claimed in [true, true, true, false, false] {
            assert_eq!(node.claim(0, 3).await, is_claimed);
        }
        let asked = node.asked.load(Ordering::Relaxed);
        assert!(!node.claim(9, 3).await);
        assert_eq!(node.asked.load(Ordering::Relaxed), asked, "too soon");
        node.answer.store(0, Ordering::Relaxed);
        assert!(node.claim(10, 3).await, "counted again");
    }

    #[tokio::test]
    async fn s006_nodes_together_exceed_a_quota_by_a_sixteenth_for_each() {
        let (one, two, quota) = (Node::new(), Node::new(), 10_000);
        let mut total = 0;
        for _ in 0..20_000 {
            for node in [&one, &two] {
                node.answer.store(total, Ordering::Relaxed);
                total += u64::from(node.claim(0, quota).await);
            }
        }
        assert!((quota..=quota + 625).contains(&total), "{total}");
    }

    #[tokio::test]
    async fn what_is_not_recorded_takes_no_room() {
        let node = Node::new();
        for _ in 0..5_000 {
            drop(node.take(0, 1_000_000).await.expect("there is room"));
        }
        assert_eq!(node.asked.load(Ordering::Relaxed), 0);
        // Those under way count.
        let rooms = [node.take(0, 2).await, node.take(0, 2).await];
        assert!(rooms.iter().all(Option::is_some));
        assert!(node.take(0, 2).await.is_none());
        drop(rooms);
        assert!(node.claim(0, 2).await);
    }

    #[tokio::test]
    async fn s006_claims_of_one_request_are_counted_together() {
        let held = Arc::<Held>::default();
        for (quota, fits) in [(1, false), (2, true)] {
            let count = |_| async { Ok(0) };
            let taken = held.take([A, A].into(), (NOW, quota), count).await;
            assert_eq!(taken.expect("counted").is_some(), fits);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_counted_is_not_taken() {
        let held = Arc::<Held>::default();
        let count = |_| async { Err(StoreError::Unavailable("away".into())) };
        let taken = held.take([A].into(), (NOW, 3), count).await;
        assert!(matches!(taken, Err(StoreError::Unavailable(_))));
    }
}
