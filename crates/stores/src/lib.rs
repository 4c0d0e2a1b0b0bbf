//! Databases behind Grantor's storage traits. Each backend is a directory with the same file names
//! as `grantor::storage`, and passes the same suite of laws.
//!
//! * [`sqlite`]: one file, durable, the default.
//! * [`postgres`]: many nodes on one server.
//! * [`transfer`]: moves all that is in one to the other.
//! * [`MasterKey`]: encrypts what must be readable again (signing keys, `client_secret_jwt`
//!   secrets) before it reaches a disk.
//! * [`aside`]: what takes long, behind everything else.
//! * [`deliver_answers`]: for threads that serve many requests.
//! * [`Exposure`]: who else may read or write a file that holds secrets.
//! * [`Create`], [`Upkeep`], [`Retention`], [`ChangeRetention`]: what may be chosen of each.

mod answers;
mod aside;
mod cached;
mod exposure;
mod feed;
mod form;
mod master_key;
mod options;
pub mod postgres;
mod quota;
pub mod sqlite;
mod steady;
mod tally;
pub mod transfer;
mod waiting;

pub use answers::deliver_answers;
pub use aside::aside;
pub use exposure::Exposure;
pub use master_key::{MasterKey, MasterKeyError};
pub use options::{ChangeRetention, Create, Retention, Upkeep};
