//! The PostgreSQL backend: the laws of every store, what every engine promises, and what only it
//! does.

mod artifacts;
mod claims;
mod current;
mod engine;
mod laws;
mod size;
mod start;
mod transfer;

#[path = "../both/change_records.rs"]
mod change_records;
#[path = "../both/code.rs"]
mod code;
#[path = "../both/decisions.rs"]
mod decisions;
#[path = "../both/feed.rs"]
mod feed;
#[path = "../both/gate.rs"]
mod gate;
#[path = "../both/given.rs"]
mod given;
#[path = "../both/issuers.rs"]
mod issuers;
#[path = "../both/plan.rs"]
mod plan;
#[path = "../both/refresh.rs"]
mod refresh;
#[path = "../both/statistics.rs"]
mod statistics;
