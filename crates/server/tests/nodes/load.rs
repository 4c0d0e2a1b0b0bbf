//! Honest clients that ask each node without end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use grantor_testkit::wait::{self, blocking};

use crate::{
    history::History,
    nodes::{Nodes, Wire},
};

/// Between two requests of one client: an honest one does not flood.
const PACE: Duration = Duration::from_millis(25);
/// Clients of each node.
const CLIENTS: usize = 2;

pub struct Load {
    pub history: Arc<History>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Two clients of each node; answers when some were granted.
    pub fn begin(nodes: &Nodes) -> Self {
        Self::of(&nodes.wires, CLIENTS, PACE)
    }

    /// So many clients of each of these nodes, with this pause between two requests of one.
    pub fn of(wires: &[Wire], clients: usize, pace: Duration) -> Self {
        let (history, stop) = (Arc::<History>::default(), Arc::<AtomicBool>::default());
        let wires = wires
            .iter()
            .flat_map(|wire| std::iter::repeat_n(wire, clients));
        let client = |wire: &Wire| {
            let (wire, history, stop) = (wire.clone(), history.clone(), stop.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    history.send(&wire, &wire.assertion());
                    pause(pace);
                }
            })
        };
        let threads = wires.map(client).collect();
        let load = Self {
            history,
            stop,
            threads,
        };
        load.grants(20);
        load
    }

    /// Waits until so many more are granted.
    pub fn grants(&self, count: usize) {
        self.grants_within(wait::PATIENCE, count);
    }

    /// The same, for this long.
    pub fn grants_within(&self, limit: Duration, count: usize) {
        let before = self.history.granted();
        blocking::within(limit, "honest requests are granted", || {
            self.history.granted() >= before + count
        });
    }

    /// Ends, and answers what was told.
    pub fn end(self) -> Arc<History> {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().expect("it ends");
        }
        self.history
    }
}

/// Lets time pass.
pub fn pause(time: Duration) {
    if !time.is_zero() {
        blocking::comes(time, || false);
    }
}
