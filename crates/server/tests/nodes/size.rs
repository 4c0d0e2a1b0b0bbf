//! The history of many requests, through faults of each kind.

use std::time::{Duration, Instant};

use crate::{
    load::{Load, pause},
    nodes::{Nodes, database},
};

/// How many are granted.
const GRANTED: usize = 50_000;
/// How soon nodes serve again: every core is busy with the load itself.
const HEALED: Duration = Duration::from_secs(10);
/// Long enough that none has ended when it is sent again.
const LIFETIME: Duration = Duration::from_secs(3600);
/// Clients of each node.
const CLIENTS: usize = 8;
/// Between two faults.
const QUIET: Duration = Duration::from_secs(5);

#[test]
#[ignore = "nightly: 50,000 tokens, some minutes"]
fn of_fifty_thousand_none_is_granted_twice_and_none_refused_without_a_use() {
    let Some((server, database)) = database() else {
        return;
    };
    let mut nodes = Nodes::start(&database, 3).living(LIFETIME);
    let load = Load::of(&nodes.wires, CLIENTS, Duration::ZERO);
    let begun = Instant::now();
    let mut faults = 0;
    while load.history.granted() < GRANTED {
        pause(QUIET);
        match faults % 3 {
            0 => {
                server.kill();
                pause(Duration::from_secs(1));
                server.start();
            }
            1 => {
                server.pause();
                pause(Duration::from_secs(2));
                server.resume();
            }
            _ => nodes.restart(2),
        }
        faults += 1;
        nodes.serve_within(HEALED, "after a fault");
        assert!(begun.elapsed() < LIFETIME / 2, "too slow to tell");
    }
    let history = load.end();
    assert!(faults >= 3, "{faults} faults");
    history.holds(&nodes, "at size");
    assert!(begun.elapsed() < LIFETIME, "some have ended meanwhile");
}
