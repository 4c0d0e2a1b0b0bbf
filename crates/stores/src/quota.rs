//! How many rows of one kind somebody has at once: a client's artifacts must not fill the disk.
//!
//! An owner's rows are counted when it is first seen, again behind each sixteenth of its quota,
//! because other processes write too, and again when it has reached its quota.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use grantor::storage::StoreError;

/// How soon an owner that has reached its quota is counted again.
const RECOUNT_AFTER: Duration = Duration::from_secs(10);

/// Whose rows are counted: of which kind, and of the owner with which number.
pub(crate) type Owner = (&'static str, i64);

/// The rows of each kind and owner.
#[derive(Default)]
pub(crate) struct Quota(Mutex<HashMap<Owner, Held>>);

/// An owner's rows.
struct Held {
    rows: u64,
    /// When those that had ended were let go.
    counted: Instant,
    /// Rows since then.
    since: u64,
}

/// What a count does to the number that is known.
enum Recount {
    /// Rows of others are added; those of ours that are under way, which it misses, stay.
    Upwards,
    /// Rows that have ended are let go.
    Anew,
}

impl Quota {
    fn held(&self) -> MutexGuard<'_, HashMap<Owner, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this owner may have a row more, which is counted from then on. `count` gives the
    /// owner's rows that have not ended; it is waited for only if they have to be counted.
    pub(crate) async fn take(
        &self,
        owner: Owner,
        quota: u64,
        count: impl Future<Output = Result<u64, StoreError>>,
    ) -> Result<bool, StoreError> {
        let known = self
            .held()
            .get(&owner)
            .map(|held| (held.rows, held.counted, held.since));
        let recount = match known {
            Some((rows, _, since)) if rows < quota && since < (quota / 16).max(1) => None,
            Some((rows, _, _)) if rows < quota => Some(Recount::Upwards),
            Some((_, counted, _)) if counted.elapsed() < RECOUNT_AFTER => return Ok(false),
            Some(_) | None => Some(Recount::Anew),
        };
        // Counted without the lock: others need not wait for it.
        if let Some(recount) = recount {
            let rows = count.await?;
            let mut held = self.held();
            let (rows, counted) = match (recount, held.get(&owner)) {
                (Recount::Upwards, Some(known)) => (rows.max(known.rows), known.counted),
                (Recount::Anew, _) | (Recount::Upwards, None) => (rows, Instant::now()),
            };
            held.insert(
                owner,
                Held {
                    rows,
                    counted,
                    since: 0,
                },
            );
        }
        let mut held = self.held();
        let Some(held) = held.get_mut(&owner).filter(|held| held.rows < quota) else {
            return Ok(false);
        };
        held.rows += 1;
        held.since += 1;
        Ok(true)
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
            assert!(quota.take(OWNER, 32, count).await.expect("counted") == (rows < 32));
        }
        assert_eq!(counts, 16, "at 0, 2, 4 and so on");
        // At the quota nobody asks before some time has passed.
        let none = async { Ok(0) };
        assert!(!quota.take(OWNER, 32, none).await.expect("not counted"));
    }

    #[tokio::test]
    async fn an_owner_whose_rows_end_is_counted_anew_when_it_would_be_at_its_quota() {
        let quota = Quota::default();
        let few = async || Ok(2);
        for _ in 0..30 {
            assert!(quota.take(OWNER, 32, few()).await.expect("counted"));
        }
        if let Some(held) = quota.held().get_mut(&OWNER) {
            held.counted -= RECOUNT_AFTER;
        }
        for _ in 0..30 {
            assert!(quota.take(OWNER, 32, few()).await.expect("counted"));
        }
        assert!(!quota.take(OWNER, 32, few()).await.expect("not so soon"));
    }

    #[tokio::test]
    async fn what_cannot_be_counted_is_not_taken() {
        let quota = Quota::default();
        let failed = async { Err(StoreError::Unavailable("away".into())) };
        let taken = quota.take(OWNER, 1, failed).await;
        assert!(matches!(taken, Err(StoreError::Unavailable(_))));
        for is_taken in [true, false] {
            let none = async { Ok(0) };
            assert_eq!(quota.take(OWNER, 1, none).await.ok(), Some(is_taken));
        }
    }
}
