//! How many rows of one kind somebody has at once: a client's artifacts must not fill the disk.
//!
//! An owner's rows are counted when it is first seen, and again behind each sixteenth of its quota,
//! because other processes write too and rows end. An owner that has reached its quota is counted
//! again after a while. A row that is under way may be missing in a count, and is added to it: the
//! quota is never exceeded by this process, and may be reached a few rows early.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use grantor::storage::StoreError;

/// How soon an owner that has reached its quota is counted again.
const RECOUNT_AFTER: Duration = Duration::from_secs(10);

/// Whose rows are counted: of which kind, and of the owner with which number.
pub(crate) type Owner = (&'static str, i64);

/// The rows of each kind and owner.
#[derive(Clone, Default)]
pub(crate) struct Quota(Arc<Mutex<HashMap<Owner, Held>>>);

/// An owner's rows.
#[derive(Default)]
struct Held {
    rows: u64,
    /// When they were counted.
    counted: Option<Instant>,
    /// Rows since then.
    since: u64,
    /// Rows that may not be there yet.
    under_way: u64,
    /// All rows for which there was room.
    taken: u64,
}

impl Held {
    fn may_have(&self, quota: u64) -> MayHave {
        match self.counted {
            None => MayHave::Unknown,
            Some(_) if self.rows < quota && self.since < (quota / 16).max(1) => MayHave::More,
            Some(_) if self.rows < quota => MayHave::Unknown,
            Some(counted) if counted.elapsed() < RECOUNT_AFTER => MayHave::NoMore,
            Some(_) => MayHave::Unknown,
        }
    }
}

/// Whether an owner may have a row more.
enum MayHave {
    More,
    NoMore,
    /// Its rows have to be counted.
    Unknown,
}

/// Room for one row, until it is there or refused.
pub(crate) struct Room(Option<(Quota, Owner)>);

impl Room {
    /// For a row that nobody owns.
    pub(crate) const UNLIMITED: Self = Self(None);
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some((quota, owner)) = &self.0
            && let Some(held) = quota.held().get_mut(owner)
        {
            held.under_way -= 1;
        }
    }
}

impl Quota {
    fn held(&self) -> MutexGuard<'_, HashMap<Owner, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for a row more of this owner, which is counted from then on; `None` where it has its quota.
    /// `count` gives the owner's rows that have not ended; it is waited for only if they have to be
    /// counted.
    ///
    /// # Errors
    /// That of `count`
    pub(crate) async fn take(
        &self,
        owner: Owner,
        quota: u64,
        count: impl Future<Output = Result<u64, StoreError>>,
    ) -> Result<Option<Room>, StoreError> {
        let (may_have, under_way, taken) = {
            let mut held = self.held();
            let held = held.entry(owner).or_default();
            (held.may_have(quota), held.under_way, held.taken)
        };
        match may_have {
            MayHave::More => {}
            MayHave::NoMore => return Ok(None),
            // Counted without the lock: others need not wait for it.
            MayHave::Unknown => {
                let rows = count.await?;
                let mut held = self.held();
                let held = held.entry(owner).or_default();
                // These may be among those that were counted, or not.
                held.rows = rows + under_way + (held.taken - taken);
                held.counted = Some(Instant::now());
                held.since = 0;
            }
        }
        let mut held = self.held();
        let held = held.entry(owner).or_default();
        if held.rows >= quota {
            return Ok(None);
        }
        held.rows += 1;
        held.since += 1;
        held.under_way += 1;
        held.taken += 1;
        Ok(Some(Room(Some((self.clone(), owner)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = ("token", 7);

    #[tokio::test]
    async fn rows_are_counted_at_first_and_behind_each_sixteenth() {
        let (quota, mut counts) = (Quota::default(), 0);
        for rows in 0..33 {
            let count = async {
                counts += 1;
                Ok(rows)
            };
            let room = quota.take(OWNER, 32, count).await.expect("counted");
            assert_eq!(room.is_some(), rows < 32);
        }
        assert_eq!(counts, 16, "at 0, 2, 4 and so on");
        // At the quota nobody asks before some time has passed.
        let none = async { Ok(0) };
        let room = quota.take(OWNER, 32, none).await.expect("not counted");
        assert!(room.is_none());
    }

    #[tokio::test]
    async fn rows_that_have_ended_are_no_rows_any_more() {
        let quota = Quota::default();
        for number in 0..200 {
            let few = async { Ok(2) };
            let room = quota.take(OWNER, 32, few).await.expect("counted");
            assert!(room.is_some(), "{number}");
        }
    }

    #[tokio::test]
    async fn s006_rows_that_are_under_way_are_rows_however_often_it_is_counted() {
        let (quota, mut rooms) = (Quota::default(), Vec::new());
        for number in 0..40 {
            if number == 36
                && let Some(held) = quota.held().get_mut(&OWNER)
            {
                held.counted = held.counted.map(|counted| counted - RECOUNT_AFTER);
            }
            let none = async { Ok(0) };
            rooms.extend(quota.take(OWNER, 32, none).await.expect("counted"));
        }
        assert_eq!(rooms.len(), 32);
        drop(rooms);
        if let Some(held) = quota.held().get_mut(&OWNER) {
            held.counted = held.counted.map(|counted| counted - RECOUNT_AFTER);
        }
        let none = async { Ok(0) };
        let room = quota.take(OWNER, 32, none).await.expect("counted");
        assert!(room.is_some(), "control");
    }

    #[tokio::test]
    async fn what_cannot_be_counted_is_not_taken() {
        let quota = Quota::default();
        let failed = async { Err(StoreError::Unavailable("away".into())) };
        let taken = quota.take(OWNER, 1, failed).await;
        assert!(matches!(taken, Err(StoreError::Unavailable(_))));
        for is_taken in [true, false] {
            let none = async { Ok(u64::from(!is_taken)) };
            let room = quota.take(OWNER, 1, none).await.expect("counted");
            assert_eq!(room.is_some(), is_taken);
        }
    }
}
