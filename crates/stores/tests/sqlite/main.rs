//! The SQLite backend: the laws of every store, and what only it promises.

mod change_records;
mod code;
mod decisions;
mod earlier_version;
mod feed;
mod gate;
mod issuers;
mod laws;
mod plan;
mod refresh;
mod restore;
mod searches;
mod statistics;
