//! The words of the protocol as types. Text becomes one of these once, where it enters; after that
//! the type travels.

mod error_code;
mod identifier;
mod issuer;
mod method;
mod rule;
mod scope;
mod shown;

pub use error_code::ErrorCode;
pub use identifier::{ClientId, CorrelationId, IdentifierError, SubjectId};
#[cfg(feature = "remote")]
pub(crate) use issuer::is_loopback;
pub use issuer::{Issuer, IssuerError};
pub use method::{AuthMethod, GrantType, NameError, Needs};
pub use rule::Rule;
pub use scope::{Scope, ScopeError};
pub use shown::{Shown, escaped, escaped_json};
