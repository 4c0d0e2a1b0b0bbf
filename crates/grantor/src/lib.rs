//! Grantor: RFC 7523 in Rust. A signed JWT goes in, an access token comes out: an authorization
//! server, a client, a guard for APIs.
//!
//! An [`server::AuthorizationServer`] is a [`tower_service::Service`] over [`http`] types. It is
//! built from grants, client authentication methods and a storage, and runs inside any hyper or
//! axum program:
#![cfg_attr(feature = "server", doc = "```")]
#![cfg_attr(not(feature = "server"), doc = "```ignore")]
//! use std::sync::Arc;
//! use grantor::{server::AuthorizationServer, storage::MemoryStore, types::Issuer};
//!
//! let store = Arc::new(MemoryStore::new());
//! let server = AuthorizationServer::builder(Issuer::parse("https://as.example")?)
//!     .store(store)
//!     .standard()
//!     .build()?;
//! # let _ = server;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Where is what: [`server`] holds the straight line from request to token, [`assertion`] the rules
//! of RFC 7523 §3 written once for both uses of an assertion, [`keys`] the choice of verification
//! and signing keys, [`registry`] what is registered, [`storage`] the traits a backend implements
//! and the memory store, [`types`] the words of the protocol as types. Two more roles come by
//! feature, each of which needs no other: `client` gets tokens from any authorization server,
//! `resource` guards an API.

#[cfg(feature = "server")]
pub mod admin;
pub mod assertion;
#[cfg(feature = "client")]
pub mod client;
pub mod clock;
#[cfg(any(feature = "server", feature = "client", feature = "resource"))]
pub mod credential;
pub mod file;
#[cfg(feature = "server")]
pub mod keys;
#[cfg(feature = "server")]
pub mod registry;
#[cfg(feature = "remote")]
pub mod remote;
#[cfg(feature = "resource")]
pub mod resource;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod storage;
pub mod types;
#[cfg(feature = "server")]
pub mod webauthn;

pub use grantor_jose as jose;

/// The Rust in the README compiles.
#[cfg(all(doctest, feature = "client", feature = "server"))]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
