//! Which key verifies an assertion, and which key signs the server's tokens.

mod resolver;
mod ring;

pub use resolver::{
    Candidate, KeyError, KeyKind, KeyResolver, KeySource, MAX_CANDIDATES, RegisteredKeys,
};
pub use ring::{KeyRing, OtherKey, OwnKey, SigningKeys};
