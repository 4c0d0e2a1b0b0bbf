//! The words of the protocol as types. Text becomes one of these once, where it enters; after that
//! the type travels.

#[cfg(feature = "server")]
mod claim_path;
#[cfg(feature = "server")]
mod display_text;
mod error_code;
#[cfg(feature = "server")]
mod glob;
mod identifier;
mod issuer;
#[cfg(feature = "server")]
mod issuer_id;
mod language;
pub mod member;
mod method;
#[cfg(feature = "server")]
mod name;
#[cfg(any(feature = "server", feature = "client"))]
mod redirect_uri;
mod rule;
mod scope;
mod shown;

#[cfg(feature = "server")]
pub use claim_path::{ClaimPath, ClaimPathError};
#[cfg(feature = "server")]
pub(crate) use claim_path::{claim, whole_seconds};
#[cfg(feature = "server")]
pub(crate) use display_text::is_unseen;
#[cfg(feature = "server")]
pub use display_text::{Description, DisplayName, DisplayTextError};
pub use error_code::ErrorCode;
#[cfg(feature = "server")]
pub(crate) use glob::matches as glob_matches;
#[cfg(feature = "server")]
pub use glob::{Glob, GlobError};
pub use identifier::{ClientId, CorrelationId, IdentifierError, SubjectId};
#[cfg(feature = "remote")]
pub(crate) use issuer::is_loopback;
pub use issuer::{Issuer, IssuerError};
#[cfg(feature = "server")]
pub use issuer_id::{IssuerId, IssuerIdError};
pub use language::{Language, LanguageError};
pub use method::{AuthMethod, GrantType, KnownMethod, NameError, Needs};
#[cfg(feature = "server")]
pub use name::{Name, NotAName};
#[cfg(any(feature = "server", feature = "client"))]
pub use redirect_uri::{Homepage, HomepageError, RedirectUri, RedirectUriError};
pub use rule::Rule;
pub use scope::{Scope, ScopeError, ScopeToken};
pub use shown::{Shown, escaped, escaped_json, is_hidden};
