//! Nodes that are replaced one after the other, while honest clients go on.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use grantor_testkit::wait::blocking;

use crate::{
    history::History,
    load::pause,
    nodes::{Link, Nodes, Wire, database},
};

/// Clients behind the load balancer.
const CLIENTS: usize = 4;
/// Granted between two steps, at the least.
const BETWEEN: usize = 50;
/// What the next version does to the tables: it adds, and this version goes on.
const NEXT: &str = "ALTER TABLE client ADD COLUMN next text; CREATE INDEX client_by_next ON client (next); \
    UPDATE meta SET value = (value::int + 1)::text WHERE name = 'schema'";

/// How often the load balancer asks whether a node is ready: often enough for [`DRAIN`].
const ASKED: Duration = Duration::from_millis(100);
/// For how many seconds a node goes on that was told to end.
const DRAIN: &str = "2";

/// Clients of a load balancer, which sends what comes to one node after the other, past those that
/// were not ready when it asked last.
struct Balanced {
    wires: Vec<Wire>,
    is_ready: Vec<AtomicBool>,
    history: History,
    granted: AtomicUsize,
    others: Mutex<Vec<u16>>,
    is_over: AtomicBool,
}

impl Balanced {
    fn new(nodes: &Nodes) -> Self {
        Self {
            wires: nodes.wires.clone(),
            is_ready: nodes.wires.iter().map(|_| AtomicBool::new(true)).collect(),
            history: History::default(),
            granted: AtomicUsize::new(0),
            others: Mutex::default(),
            is_over: AtomicBool::new(false),
        }
    }

    /// The load balancer's part.
    fn look(&self) {
        while !self.is_over.load(SeqCst) {
            for (wire, is_ready) in self.wires.iter().zip(&self.is_ready) {
                is_ready.store(wire.get("/health/ready").status == 200, SeqCst);
            }
            pause(ASKED);
        }
    }

    /// One client, until it is over.
    fn ask(&self, first: usize) {
        for turn in first.. {
            if self.is_over.load(SeqCst) {
                return;
            }
            let node = turn % self.wires.len();
            if !self.is_ready[node].load(SeqCst) {
                continue;
            }
            let wire = &self.wires[node];
            match self.history.send(wire, &wire.assertion()).status {
                200 => drop(self.granted.fetch_add(1, SeqCst)),
                other => self.others.lock().expect("a lock").push(other),
            }
        }
    }

    /// Waits until more are granted.
    fn goes_on(&self, what: &str) {
        let before = self.granted.load(SeqCst);
        blocking::until(what, || self.granted.load(SeqCst) >= before + BETWEEN);
    }
}

#[test]
#[ignore = "several servers, and seconds of load: nightly"]
fn s015_sa18_nodes_are_replaced_through_a_migration_and_no_honest_request_fails() {
    let Some((_server, database)) = database() else {
        return;
    };
    let link = Link {
        drain: DRAIN,
        ..Link::local(&database.url)
    };
    let mut nodes = Nodes::start_on(vec![link; 3]);
    let clients = Balanced::new(&nodes);
    thread::scope(|scope| {
        scope.spawn(|| clients.look());
        for first in 0..CLIENTS {
            let clients = &clients;
            scope.spawn(move || clients.ask(first));
        }
        for node in 0..3 {
            clients.goes_on("with all nodes");
            let status = nodes.servers[node].terminate();
            assert!(status.success(), "node {node}: {status:?}");
            clients.goes_on("without one");
            if node == 0 {
                database.psql(NEXT).expect("the next version's tables");
                clients.goes_on("with the next version's tables");
            }
            nodes.restart(node);
        }
        clients.goes_on("with new nodes");
        clients.is_over.store(true, SeqCst);
    });
    let others = clients.others.lock().expect("a lock");
    assert!(others.is_empty(), "{others:?}");
    clients.history.holds(&nodes, "all nodes were replaced");
}
