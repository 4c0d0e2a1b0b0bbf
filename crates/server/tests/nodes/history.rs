//! What clients were told, and whether it holds: nothing is accepted twice, nothing is refused that
//! was never told used, and no request fails otherwise than by 503.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use grantor_testkit::binary::Answer;

use crate::nodes::{LIMIT, Nodes, Wire, is_replay};

/// All that was sent and answered.
#[derive(Default)]
pub struct History {
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    assertions: HashMap<String, Uses>,
    answers: Vec<Seen>,
    /// How many of them were 200.
    granted: usize,
    faults: Vec<String>,
}

/// What one assertion was answered.
#[derive(Clone, Copy, Default)]
struct Uses {
    granted: u32,
    /// 503, or no answer: it may be used.
    maybe: u32,
}

/// One answer.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub node: usize,
    pub sent: Instant,
    pub took: Duration,
    pub status: u16,
}

impl History {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an assertion to a node, and remembers the answer.
    pub fn send(&self, wire: &Wire, assertion: &str) -> Answer {
        let sent = Instant::now();
        let answer = wire.send(assertion);
        self.told().answered(wire.node, sent, assertion, &answer);
        answer
    }

    /// All answers so far.
    pub fn answers(&self) -> Vec<Seen> {
        self.told().answers.clone()
    }

    /// How many were granted so far.
    pub fn granted(&self) -> usize {
        self.told().granted
    }

    /// Nothing told so far is wrong, and nothing that was granted passes at any node; what may be
    /// used passes once at most.
    pub fn holds(&self, nodes: &Nodes, what: &str) {
        let (granted, maybe) = {
            let told = self.told();
            assert!(told.faults.is_empty(), "{what}: {:#?}", told.faults);
            let of = |is_so: fn(&Uses) -> bool| -> Vec<String> {
                let all = told.assertions.iter().filter(|(_, uses)| is_so(uses));
                all.map(|(assertion, _)| assertion.clone()).collect()
            };
            (of(|uses| uses.granted > 0), of(|uses| uses.granted == 0))
        };
        assert!(!granted.is_empty(), "{what}: nothing was granted");
        let again = |assertion: &String| {
            let answers = nodes.wires.iter().map(|wire| wire.send(assertion));
            // Refused for its use, and for nothing else: it is in force all the while.
            let passes = |answer: &Answer| !is_replay(answer);
            answers
                .into_iter()
                .find(passes)
                .map(|answer| format!("again: {answer:?}"))
        };
        let twice = |assertion: &String| {
            let statuses: Vec<_> = nodes
                .wires
                .iter()
                .map(|wire| wire.send(assertion).status)
                .collect();
            let count = statuses.iter().filter(|status| **status == 200).count();
            (count > 1).then(|| format!("{count} times: {statuses:?}"))
        };
        let broken = [in_parallel(&granted, &again), in_parallel(&maybe, &twice)].concat();
        assert!(
            broken.is_empty(),
            "{what}: {} of {}: {:?}",
            broken.len(),
            granted.len(),
            broken.first()
        );
    }
}

impl Told {
    fn answered(&mut self, node: usize, sent: Instant, assertion: &str, answer: &Answer) {
        let took = sent.elapsed();
        let uses = self.assertions.entry(assertion.to_owned()).or_default();
        let before = *uses;
        match answer.status {
            200 => uses.granted += 1,
            0 | 503 => uses.maybe += 1,
            _ => {}
        }
        let fault = match answer.status {
            _ if took >= LIMIT => Some("it hangs"),
            200 if before.granted > 0 => Some("granted twice"),
            0 | 200 | 503 => None,
            400 if before.granted + before.maybe > 0 => None,
            _ => Some("refused without a use"),
        };
        let fault = fault.map(|fault| format!("node {node}, {took:?}: {fault}: {answer:?}"));
        self.faults.extend(fault);
        self.granted += usize::from(answer.status == 200);
        let status = answer.status;
        self.answers.push(Seen {
            node,
            sent,
            took,
            status,
        });
    }
}

/// What `find` finds for each, several at a time.
fn in_parallel<'a>(
    all: &'a [String],
    find: &(dyn Fn(&'a String) -> Option<String> + Sync),
) -> Vec<String> {
    let parts = all.chunks(all.len().div_ceil(8).max(1));
    thread::scope(|scope| {
        let threads: Vec<_> = parts
            .map(|part| scope.spawn(move || part.iter().filter_map(find).collect::<Vec<_>>()))
            .collect();
        let found = threads
            .into_iter()
            .map(|thread| thread.join().expect("it ends"));
        found.flatten().collect()
    })
}

/// The history sees what it has to, and nothing else.
#[test]
fn the_history_notices_second_uses_refusals_without_a_use_and_failures() {
    let faults = |statuses: &[u16]| {
        let mut told = Told::default();
        for status in statuses {
            let answer = Answer {
                status: *status,
                headers: Vec::new(),
                body: String::new(),
            };
            told.answered(0, Instant::now(), "an assertion", &answer);
        }
        told.faults.len()
    };
    for right in [
        &[200, 400, 400][..],
        &[503, 200, 400],
        &[503, 400],
        &[0, 400],
    ] {
        assert_eq!(faults(right), 0, "{right:?}");
    }
    for wrong in [&[200, 200][..], &[400], &[500], &[200, 502], &[429]] {
        assert_eq!(faults(wrong), 1, "{wrong:?}");
    }
}
