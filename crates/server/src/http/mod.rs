//! HTTP, both directions.

mod connection;
mod listener;
mod origin;
mod server;
mod tls;
mod workers;

pub use listener::Listener;
pub use origin::{Origin, Proxy};
pub use server::serve;
pub use tls::{Tls, TlsFiles};
