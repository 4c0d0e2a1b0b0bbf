//! Decisions that wait to be recorded: a request never waits for its record. Where too many wait,
//! or too long ones, a decision is dropped and counted, and first those that cost their sender
//! nothing.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

use grantor::{
    clock::UnixTime,
    registry::PermissionNumbers,
    server::{Decision, Outcome},
    storage::{DecisionIndex, TrustOutcome},
    types::Name,
};

/// Decisions that may wait to be recorded. Beyond, they are dropped and counted.
const QUEUE: usize = 16_384;
/// Octets of decisions that may wait, and those of one more.
const OCTETS: u64 = 16 * 1024 * 1024;

/// One row on its way to the database.
pub(crate) struct DecisionRow {
    pub(crate) index: DecisionIndex,
    /// When the request was read, in milliseconds since 1970.
    pub(crate) at: i64,
    /// What trusts made of a JWT, as the column has it: ` g:deploy L:next `.
    pub(crate) trusts: Option<String>,
    /// The decision as JSON.
    pub(crate) record: String,
    /// Whether something was granted: what is not decided is neither that nor refused.
    pub(crate) is_granted: bool,
    is_cheap: bool,
    permissions: PermissionNumbers,
}

impl DecisionRow {
    pub(crate) fn new(decision: &Decision) -> Self {
        let index = DecisionIndex::of(decision);
        Self {
            at: index.at.millis(),
            trusts: trusts(&index.trusts),
            index,
            record: decision.record(),
            is_granted: matches!(decision.outcome, Outcome::Granted),
            is_cheap: decision.is_cheap(),
            permissions: decision.permissions(),
        }
    }

    /// What it is found by, in the order of the columns.
    pub(crate) fn texts(&self) -> [&Option<String>; 8] {
        let index = &self.index;
        [
            &index.party,
            &index.client,
            &index.issuer,
            &index.claimed_issuer,
            &index.trust,
            &index.subject,
            &index.endpoint,
            &self.trusts,
        ]
    }

    /// When the request was read.
    pub(crate) fn at(&self) -> UnixTime {
        self.index.at
    }

    /// The permissions that the token was granted by.
    pub(crate) fn permissions(&self) -> PermissionNumbers {
        self.permissions
    }

    /// How much memory it takes to wait.
    fn octets(&self) -> u64 {
        let texts = self.texts().into_iter().flatten().map(String::len);
        let texts: usize = texts.sum();
        (size_of::<Self>() + self.index.id.len() + texts + self.record.len()) as u64
    }
}

fn trusts(outcomes: &[(Name, TrustOutcome)]) -> Option<String> {
    let mut text = String::new();
    for (trust, outcome) in outcomes {
        write!(text, " {}:{trust}", outcome.letter()).expect("a string takes all");
    }
    (!text.is_empty()).then(|| text + " ")
}

/// The way to whatever records decisions.
pub(crate) struct Waiting {
    queue: SyncSender<DecisionRow>,
    counts: Arc<Counts>,
}

/// The other end: takes decisions, and says what became of them.
pub(crate) struct Taking {
    queue: Receiver<DecisionRow>,
    counts: Arc<Counts>,
    /// Those that were taken, and of which nothing was said yet.
    taken: usize,
}

/// What both ends count.
#[derive(Default)]
struct Counts {
    /// Decisions of which nothing was said yet.
    waiting: AtomicU64,
    /// Octets of those that were not taken yet.
    octets: AtomicU64,
    dropped: AtomicU64,
}

impl Waiting {
    /// An empty queue: both its ends.
    pub(crate) fn new() -> (Self, Taking) {
        let (sender, receiver) = sync_channel(QUEUE);
        let counts = Arc::<Counts>::default();
        let taking = Taking {
            queue: receiver,
            counts: counts.clone(),
            taken: 0,
        };
        let waiting = Self {
            queue: sender,
            counts,
        };
        (waiting, taking)
    }

    /// Has a decision recorded soon, or drops it if too many are waiting, or too long ones. The
    /// second half of the room is for those that cost their sender something.
    pub(crate) fn record(&self, decision: DecisionRow) {
        let counts = &self.counts;
        let (waiting, octets) = (
            counts.waiting.load(Ordering::Relaxed),
            counts.octets.load(Ordering::Relaxed),
        );
        // Anybody can have any number of cheap ones made: these are dropped first.
        let part = if decision.is_cheap { 2 } else { 1 };
        let has_room = waiting < QUEUE as u64 / part && octets < OCTETS / part;
        let size = decision.octets();
        counts.waiting.fetch_add(1, Ordering::SeqCst);
        counts.octets.fetch_add(size, Ordering::Relaxed);
        if !has_room || self.queue.try_send(decision).is_err() {
            counts.waiting.fetch_sub(1, Ordering::SeqCst);
            counts.octets.fetch_sub(size, Ordering::Relaxed);
            if counts.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::warn!("decisions are dropped: more come in than can be recorded");
            }
        }
    }

    /// Whether no decision waits, or is being recorded.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.waiting.load(Ordering::SeqCst) == 0
    }

    /// How many could not be recorded.
    pub(crate) fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }
}

impl Taking {
    /// How many wait, with those that were taken and of which nothing was said yet.
    pub(crate) fn waiting(&self) -> u64 {
        self.counts.waiting.load(Ordering::SeqCst)
    }

    /// Takes so many at most, in their order. Of all that were taken, [`Taking::recorded`] or
    /// [`Taking::lost`] is said once.
    pub(crate) fn take(&mut self, most: usize) -> Vec<DecisionRow> {
        let decisions: Vec<DecisionRow> = self.queue.try_iter().take(most).collect();
        let octets = decisions.iter().map(DecisionRow::octets).sum();
        self.counts.octets.fetch_sub(octets, Ordering::Relaxed);
        self.taken += decisions.len();
        decisions
    }

    /// Those that were taken are recorded, but for so many.
    pub(crate) fn recorded(&mut self, lost: usize) {
        let taken = std::mem::take(&mut self.taken);
        self.counts
            .dropped
            .fetch_add(lost as u64, Ordering::Relaxed);
        self.counts
            .waiting
            .fetch_sub(taken as u64, Ordering::SeqCst);
    }

    /// None of those that were taken is recorded.
    pub(crate) fn lost(&mut self) {
        self.recorded(self.taken);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use grantor::clock::{Clock as _, SystemClock};

    use super::*;

    /// A decision with a record of so many octets.
    pub(crate) fn row(id: &str, length: usize, is_cheap: bool) -> DecisionRow {
        DecisionRow {
            index: DecisionIndex::new(id.to_owned(), SystemClock.now()),
            at: SystemClock.now().millis(),
            trusts: None,
            record: "x".repeat(length),
            is_granted: false,
            is_cheap,
            permissions: PermissionNumbers::default(),
        }
    }

    /// How many of these cheap decisions find room, and of the dear ones behind them.
    fn taken(cheap: usize, dear: usize, length: usize) -> (usize, usize) {
        let (waiting, mut taking) = Waiting::new();
        (0..cheap).for_each(|_| waiting.record(row("cheap", length, true)));
        (0..dear).for_each(|_| waiting.record(row("dear", length, false)));
        let taken = taking.take(usize::MAX);
        let found = |id: &str| taken.iter().filter(|row| row.index.id == id).count();
        let found = (found("cheap"), found("dear"));
        assert_eq!(waiting.dropped() as usize, cheap + dear - found.0 - found.1);
        found
    }

    #[test]
    fn cheap_decisions_leave_half_of_the_room_in_number_and_in_octets() {
        assert_eq!(taken(20_000, 20_000, 10), (QUEUE / 2, QUEUE / 2));
        assert_eq!(taken(0, 20_000, 10), (0, QUEUE));
        let (cheap, dear) = taken(4_000, 4_000, 8_000);
        let most = OCTETS as usize / 8_000;
        assert!(cheap > 900 && cheap <= most / 2 + 1, "{cheap}");
        assert!(
            cheap + dear > 1_800 && cheap + dear <= most + 1,
            "{cheap} {dear}"
        );
    }

    #[test]
    fn a_decision_waits_until_it_is_said_what_became_of_it() {
        let (waiting, mut taking) = Waiting::new();
        assert!(waiting.is_empty());
        (0..5).for_each(|_| waiting.record(row("1", 10, false)));
        assert_eq!(taking.take(3).len(), 3);
        assert!(!waiting.is_empty() && taking.waiting() == 5);
        taking.recorded(1);
        assert_eq!((taking.waiting(), waiting.dropped()), (2, 1));
        assert_eq!(taking.take(3).len(), 2);
        taking.lost();
        assert!(waiting.is_empty());
        assert_eq!(waiting.dropped(), 3);
        // Room is given back: as many as before may wait.
        (0..QUEUE).for_each(|_| waiting.record(row("2", 10, false)));
        assert_eq!((taking.waiting(), waiting.dropped()), (QUEUE as u64, 3));
    }
}
