//! HTTP, both directions.

mod admission;
mod connection;
mod guests;
mod listener;
mod origin;
mod server;
mod tls;
mod workers;

pub use admission::{MAX_FIELDS, MAX_HEAD_BYTES, check_head};
pub use guests::Room;
pub use listener::Listener;
pub use origin::{Chain, ForwardedHeader, Origin, Proxy};
pub use server::serve;
pub use tls::{Tls, TlsFiles};
