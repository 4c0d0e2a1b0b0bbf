//! HTTP, both directions.

mod client;
mod server;

pub use client::{Client, escape};
pub use server::{bind, serve};
