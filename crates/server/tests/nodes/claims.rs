//! One assertion at several nodes at once.

use std::{sync::Barrier, thread};

use grantor_testkit::binary::Answer;

use crate::nodes::{Nodes, database};

/// Senders of one round.
const AT_ONCE: usize = 64;

#[test]
#[ignore = "several servers and seconds of faults: nightly"]
fn sa01_one_assertion_at_once_over_three_nodes_is_granted_once() {
    once_a_round(20);
}

#[test]
#[ignore = "1,000 rounds"]
fn sa01_one_assertion_at_once_is_granted_once_a_thousand_times() {
    once_a_round(1_000);
}

fn once_a_round(rounds: usize) {
    let Some((_server, database)) = database() else {
        return;
    };
    let nodes = Nodes::start(&database, 3);
    for round in 0..rounds {
        let assertion = nodes.wires[0].assertion();
        let answers = at_once(&nodes, &assertion);
        let granted = answers.iter().filter(|answer| answer.status == 200).count();
        let is_replay =
            |answer: &&Answer| answer.status == 400 && answer.error() == "invalid_grant";
        let replays = answers.iter().filter(is_replay).count();
        assert_eq!(
            (granted, replays),
            (1, AT_ONCE - 1),
            "round {round}: {answers:?}"
        );
    }
}

/// Sends one assertion from as many threads, which begin together.
fn at_once(nodes: &Nodes, assertion: &str) -> Vec<Answer> {
    let barrier = Barrier::new(AT_ONCE);
    thread::scope(|scope| {
        let send = |sender: usize| {
            let (wire, barrier) = (&nodes.wires[sender % nodes.wires.len()], &barrier);
            scope.spawn(move || {
                barrier.wait();
                wire.send(assertion)
            })
        };
        let threads: Vec<_> = (0..AT_ONCE).map(send).collect();
        let answers = threads
            .into_iter()
            .map(|thread| thread.join().expect("it ends"));
        answers.collect()
    })
}

#[test]
#[ignore = "several servers and seconds of faults: nightly"]
fn sa11_common_used_assertions_in_other_orders_lock_nobody_out() {
    let Some((server, database)) = database() else {
        return;
    };
    let nodes = Nodes::start(&database, 2);
    let used: Vec<_> = (0..200).map(|_| nodes.wires[0].assertion()).collect();
    for assertion in &used {
        assert_eq!(nodes.wires[0].send(assertion).status, 200, "control");
    }
    thread::scope(|scope| {
        for sender in 0..4_usize {
            let (wire, used) = (&nodes.wires[sender % 2], &used);
            scope.spawn(move || {
                // Another order for each sender: these steps have no divisor in common with 200.
                let step = [1, 3, 7, 199][sender];
                for place in 0..used.len() {
                    let answer = wire.send(&used[place * step % used.len()]);
                    assert_eq!(answer.status, 400, "{answer:?}");
                    if place % 10 == 0 {
                        assert_eq!(wire.send(&wire.assertion()).status, 200, "honest");
                    }
                }
            });
        }
    });
    assert!(!server.log().contains("deadlock"), "{}", server.log());
}
