//! Who has failed too often: each claimed party at each address has a budget of failures, and each
//! address a larger one for all.
//!
//! A budget fills up again evenly within a minute. What is kept has a fixed size: one number for
//! each of the latest failing senders, under a keyed digest, so that no name that somebody made up
//! is ever stored.

use std::{
    convert::Infallible,
    hash::{BuildHasher as _, RandomState},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use grantor::{
    server::{Attempt, Decision, DecisionLog, Outcome, Throttle},
    types::Rule,
};
use http::Extensions;
use quick_cache::sync::Cache;

use crate::{config::LimitsConfig, http::Origin};

/// Failing senders that are remembered; beyond, those who failed longest ago are forgotten.
const REMEMBERED: usize = 65_536;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Counts failures by party and address. A sender whose address is not known is always heard:
/// whoever cannot be told apart from others must not be able to shut them out.
pub struct FailureThrottle {
    digest: RandomState,
    parties: Budgets,
    addresses: Budgets,
    /// Requests that cannot be read or carry no credentials, by address.
    unreadable: Budgets,
}

impl FailureThrottle {
    /// With these budgets.
    pub fn new(limits: &LimitsConfig) -> Self {
        let budgets = |limit| Budgets::new(Quota::per(MINUTE, limit));
        Self {
            digest: RandomState::new(),
            parties: budgets(limits.client_failures),
            addresses: budgets(limits.address_failures),
            unreadable: budgets(limits.address_failures),
        }
    }

    /// The address, and who is claimed to be there, if anybody is.
    fn party(&self, origin: Origin, attempt: &Attempt<'_>) -> Option<u64> {
        let named = (attempt.is_of_person(), attempt.claimed_party()?);
        Some(self.digest.hash_one((origin, named)))
    }

    /// The address, if something failed there lately. Where not, which is nearly always, claimed
    /// names are not even read.
    fn failing(&self, attempt: &Attempt<'_>) -> Option<(Origin, u64)> {
        let origin = *attempt.extensions().get::<Origin>()?;
        let address = self.digest.hash_one(origin);
        self.addresses.knows(address).then_some((origin, address))
    }
}

impl Throttle for FailureThrottle {
    fn wait(&self, attempt: &Attempt<'_>) -> Option<Duration> {
        let (origin, address) = self.failing(attempt)?;
        let party = self.party(origin, attempt);
        let waits = party.and_then(|party| self.parties.wait(party));
        self.addresses.wait(address).max(waits)
    }

    fn failed(&self, attempt: &Attempt<'_>) {
        if let Some(origin) = attempt.extensions().get::<Origin>() {
            self.addresses.spend(self.digest.hash_one(origin));
            if let Some(party) = self.party(*origin, attempt) {
                self.parties.spend(party);
            }
        }
    }

    /// A party that gets it right has its budget back: libraries that find out the client
    /// authentication method by trying (x/oauth2) fail once for each process. The address keeps
    /// its count, or one good client could guess for ever.
    fn succeeded(&self, attempt: &Attempt<'_>) {
        let failing = self.failing(attempt);
        if let Some(party) = failing.and_then(|(origin, _)| self.party(origin, attempt)) {
            self.parties.restore(party);
        }
    }

    /// As many as failures, in a budget of their own: garbage from an address must not keep a
    /// client there from being heard, nor a guesser from being stopped.
    fn unreadable(&self, extensions: &Extensions) -> Option<Duration> {
        let address = self.digest.hash_one(extensions.get::<Origin>()?);
        let wait = self.unreadable.wait(address);
        self.unreadable.spend(address);
        wait
    }
}

/// How many requests each caller of the admin API makes in a minute.
pub struct RequestBudgets {
    digest: RandomState,
    budgets: Budgets,
}

impl RequestBudgets {
    /// So many.
    pub fn new(per_minute: NonZeroU32) -> Self {
        Self {
            digest: RandomState::new(),
            budgets: Budgets::new(Quota::per(MINUTE, per_minute)),
        }
    }

    /// Spends one request of this caller.
    ///
    /// # Errors
    /// How long it has to wait, if nothing is left.
    pub fn spend(&self, caller: &str) -> Result<(), Duration> {
        let caller = self.digest.hash_one(caller);
        match self.budgets.spend(caller) {
            true => Ok(()),
            false => Err(self.budgets.wait(caller).unwrap_or_default()),
        }
    }
}

/// How many cheap decisions about one address and for one rule are kept in a second.
const KEPT_A_SECOND: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
/// How many of them are kept at once of requests that are malformed or without credentials: more
/// than anybody makes by hand, who wants to see each.
const KEPT_AT_ONCE: NonZeroU32 = NonZeroU32::new(500).expect("not zero");

/// Passes decisions on; of those that cost their sender nothing (malformed, without credentials,
/// from one who does not wait) only some of each address and rule. One address must not be able to
/// push the rest out of the log. All are counted elsewhere, by metrics and statistics.
pub struct Thinned<L> {
    log: L,
    digest: RandomState,
    /// Of those who do not wait.
    impatient: Budgets,
    garbage: Budgets,
}

impl<L> Thinned<L> {
    pub fn new(log: L) -> Self {
        let quota = Quota::per(SECOND, KEPT_A_SECOND);
        let (impatient, garbage) = (
            Budgets::new(quota),
            Budgets::new(quota.at_once(KEPT_AT_ONCE)),
        );
        Self {
            log,
            digest: RandomState::new(),
            impatient,
            garbage,
        }
    }

    fn is_kept(&self, decision: &Decision) -> bool {
        if !decision.is_cheap() {
            return true;
        }
        // A page was shown, and nothing decided.
        if decision.outcome == Outcome::Undecided {
            return false;
        }
        let rule = match &decision.outcome {
            Outcome::Refused { rule, .. } => rule.name(),
            Outcome::Granted | Outcome::Undecided => "granted",
        };
        let budgets = if rule == Rule::Throttled.name() {
            &self.impatient
        } else {
            &self.garbage
        };
        budgets.spend(
            self.digest
                .hash_one((decision.sender.and_then(Origin::of), rule)),
        )
    }
}

impl<L: DecisionLog> DecisionLog for Thinned<L> {
    fn record(&self, decision: &Decision) {
        if self.is_kept(decision) {
            self.log.record(decision);
        }
    }
}

/// How much may be spent at once, and how fast it fills up again.
#[derive(Clone, Copy)]
struct Quota {
    /// Nanoseconds until there is one more.
    one: u64,
    /// Nanoseconds until an empty budget is full.
    all: u64,
}

impl Quota {
    /// So many at once, and as many in each `period`.
    fn per(period: Duration, limit: NonZeroU32) -> Self {
        let all = nanoseconds(period);
        let one = all / u64::from(limit.get());
        Self { one, all }
    }

    /// So many at once, at the same pace.
    fn at_once(self, limit: NonZeroU32) -> Self {
        let all = self.one * u64::from(limit.get());
        Self { all, ..self }
    }

    /// When a budget that is full again at `full` will be if one is spent now; how long to wait
    /// where nothing is left. This is the generic cell rate algorithm.
    fn after_one(self, full: u64, now: u64) -> Result<u64, Duration> {
        let next = full.max(now) + self.one;
        match next.saturating_sub(now + self.all) {
            0 => Ok(next),
            wait => Err(Duration::from_nanos(wait)),
        }
    }
}

/// 584 years fit.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A budget for each sender.
struct Budgets {
    quota: Quota,
    opened: Instant,
    /// When the budget of each is full again, in nanoseconds after `opened`.
    full: Cache<u64, Arc<AtomicU64>>,
}

impl Budgets {
    fn new(quota: Quota) -> Self {
        Self {
            quota,
            opened: Instant::now(),
            full: Cache::new(REMEMBERED),
        }
    }

    fn knows(&self, sender: u64) -> bool {
        self.full.contains_key(&sender)
    }

    /// How long until there is something to spend again, if there is nothing.
    fn wait(&self, sender: u64) -> Option<Duration> {
        let full = self.full.get(&sender)?.load(Ordering::Relaxed);
        self.quota.after_one(full, self.now()).err()
    }

    /// Whether there was something left. Requests that were under way at once may find nothing; the
    /// budget is spent either way.
    fn spend(&self, sender: u64) -> bool {
        let Ok(full) = self
            .full
            .get_or_insert_with(&sender, || Ok::<_, Infallible>(Arc::default()));
        let now = self.now();
        let spent = |full| self.quota.after_one(full, now).ok();
        full.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spent)
            .is_ok()
    }

    fn restore(&self, sender: u64) {
        self.full.remove(&sender);
    }

    fn now(&self) -> u64 {
        nanoseconds(self.opened.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budgets(limit: u32) -> Budgets {
        Budgets::new(Quota::per(MINUTE, NonZeroU32::new(limit).expect("a limit")))
    }

    #[test]
    fn a_spent_budget_makes_its_sender_wait_and_no_other() {
        let budgets = budgets(3);
        for _ in 0..3 {
            assert_eq!(budgets.wait(1), None);
            budgets.spend(1);
        }
        let wait = budgets.wait(1).expect("nothing left");
        assert!(
            wait > Duration::from_secs(15) && wait <= Duration::from_secs(20),
            "{wait:?}"
        );
        assert_eq!(budgets.wait(2), None);
        budgets.restore(1);
        assert_eq!(budgets.wait(1), None);
    }

    #[test]
    fn looking_spends_nothing() {
        let budgets = budgets(1);
        assert!((0..100).all(|_| budgets.wait(1).is_none()) && !budgets.knows(1));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let budgets = budgets(1);
        (0..4 * REMEMBERED as u64).for_each(|sender| assert!(budgets.spend(sender)));
        assert!(budgets.full.len() <= REMEMBERED, "{}", budgets.full.len());
    }

    #[test]
    fn a_budget_fills_evenly_up_to_what_may_be_spent_at_once() {
        let quota = Quota::per(SECOND, KEPT_A_SECOND).at_once(NonZeroU32::MIN);
        let tenth = nanoseconds(SECOND) / 10;
        assert_eq!(quota.after_one(0, 7 * tenth), Ok(8 * tenth));
        assert_eq!(
            quota.after_one(8 * tenth, 7 * tenth),
            Err(Duration::from_millis(100))
        );
        assert_eq!(quota.after_one(8 * tenth, 8 * tenth), Ok(9 * tenth));
    }
}
