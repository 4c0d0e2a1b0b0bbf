//! HTTP, both directions.

mod admission;
mod client_certificate;
mod connection;
mod guests;
mod listener;
mod origin;
mod server;
mod tls;
mod workers;

pub use workers::Workers;

pub(crate) use admission::{MAX_FIELDS, MAX_HEAD_BYTES, check_head};
pub(crate) use client_certificate::ClientCertificates;
pub(crate) use guests::Room;
pub(crate) use listener::Listener;
pub(crate) use origin::{Chain, ForwardedHeader, Origin, Proxy};
pub(crate) use server::{Front, Operations, serve};
pub(crate) use tls::{Tls, TlsFiles};
