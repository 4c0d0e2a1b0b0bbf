//! The console by HTTP, as a browser without script sees it.

mod account;
mod clients;
mod decisions;
mod explain;
mod link;
mod operators;
mod scopes;
mod permissions;
mod session;
mod signing_keys;
mod subjects;
