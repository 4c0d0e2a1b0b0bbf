//! `grantor node`

use std::time::Duration;

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::{Failure, Global};
use crate::backend::Node;

/// See the servers that share the database
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// List the servers on the database: where they run, version, when last heard of, how far the clock is off
    List,
}

/// A server that was not heard of for so long is gone (S037).
const GONE: Duration = Duration::from_secs(10);

/// A server as it is listed.
#[derive(Debug, Serialize)]
struct Listed {
    id: String,
    version: String,
    /// Its machine, and what it listens on.
    place: Option<String>,
    /// How long ago it was last heard of, in milliseconds.
    seen_ago_ms: u128,
    /// How far its clock is ahead of the database's, in milliseconds.
    clock_ahead_ms: i64,
    state: State,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It has confirmed every change that is older than a second.
    Current,
    /// It has not: it answers nothing that rests on the database.
    Behind,
    /// It was not heard of for ten seconds: nobody waits for it.
    Gone,
}

impl NodeCommand {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::List => list(global).await,
        }
    }
}

async fn list(global: &Global) -> Result<(), Failure> {
    let (_, store) = global.open().await?;
    let output = global.output();
    let Some(nodes) = store.nodes().await? else {
        return output.print(
            &json!([]),
            "there is one node: the database is a file of this machine (SQLite); nodes share a PostgreSQL server, database.url",
        );
    };
    let nodes: Vec<_> = nodes.into_iter().map(Listed::from).collect();
    output.print_list(
        &nodes,
        &["NODE", "PLACE", "VERSION", "SEEN", "CLOCK", "STATE"],
        row,
    )
}

impl From<Node> for Listed {
    fn from(node: Node) -> Self {
        let state = match () {
            () if node.seen_ago > GONE => State::Gone,
            () if node.is_current => State::Current,
            () => State::Behind,
        };
        Self {
            id: node.id,
            version: node.version,
            place: node.place,
            seen_ago_ms: node.seen_ago.as_millis(),
            clock_ahead_ms: node.clock_ahead,
            state,
        }
    }
}

fn row(node: &Listed) -> Vec<String> {
    let state = match node.state {
        State::Current => "current",
        State::Behind => "behind",
        State::Gone => "gone",
    };
    vec![
        node.id.clone(),
        node.place.clone().unwrap_or_default(),
        node.version.clone(),
        format!("{} ms ago", node.seen_ago_ms),
        format!("{:+} ms", node.clock_ahead_ms),
        state.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_gone_when_it_was_not_heard_of_for_ten_seconds() {
        let node = |seconds, is_current| {
            let row = row(&Listed::from(Node {
                id: "a".to_owned(),
                version: "1.0.0".to_owned(),
                place: Some("as-1, 127.0.0.1:80".to_owned()),
                seen_ago: Duration::from_secs(seconds),
                clock_ahead: -3,
                is_current,
            }));
            row[3..].join(", ")
        };
        assert_eq!(node(10, true), "10000 ms ago, -3 ms, current");
        assert_eq!(node(10, false), "10000 ms ago, -3 ms, behind");
        assert_eq!(node(11, true), "11000 ms ago, -3 ms, gone");
    }
}
