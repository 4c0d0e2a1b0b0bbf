//! Databases behind Grantor's storage traits. Each backend is a directory with the same file names as `grantor::storage`, and
//! passes the same suite of laws.
//!
//! * [`sqlite`]: one file, durable, the default.
//! * [`MasterKey`]: encrypts what must be readable again (signing keys, `client_secret_jwt` secrets) before it reaches a disk.

mod master_key;
pub mod sqlite;

pub use master_key::{MasterKey, MasterKeyError};
