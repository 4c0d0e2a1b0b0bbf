//! The console by HTTP, as a browser without script sees it.

mod account;
mod clients;
mod link;
mod session;
