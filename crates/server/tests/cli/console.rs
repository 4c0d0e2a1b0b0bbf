//! The console by HTTP, as a browser without script sees it.

mod account;
mod changes;
mod clients;
mod decisions;
mod explain;
mod find;
mod issuers;
mod link;
mod operators;
mod overview;
mod permissions;
mod scopes;
mod server;
mod session;
mod signing_keys;
mod statistics;
mod subjects;
mod trusts;
