//! Which key verifies an assertion, and which key signs the server's tokens.

mod remote;
mod resolver;
mod ring;

pub use remote::{
    HeldKeys, KeptKeys, KeyFailure, KeyOwner, KeyReport, KeyStatus, KeysObserver, PublishedKey,
    RemoteKeys,
};
pub use resolver::{
    Candidate, KeyError, KeyKind, KeyResolver, KeySource, MAX_CANDIDATES, RegisteredKeys,
};
pub use ring::{KeyRing, OtherKey, OwnKey, SigningKeys};
