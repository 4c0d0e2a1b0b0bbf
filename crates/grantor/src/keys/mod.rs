//! Which key verifies an assertion, and which key signs the server's tokens.

mod resolver;
mod ring;

pub use resolver::{KeyError, KeyKind, KeyResolver, MAX_CANDIDATES, RegisteredKeys};
pub use ring::{KeyRing, SigningKeys};
