//! Why a change may not be made by the one who asked for it, although it could be made.

use crate::types::Name;

/// Why nothing was changed, and what can be done about it. Another try is denied too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denial {
    /// It holds or gives power over this server.
    #[error(
        "{kind} {name} holds power over this server: have an operator with the role owner change it"
    )]
    NeedsOwner {
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// It is changed by editors and owners only.
    #[error("changing the {kind} {name} needs the role editor")]
    NeedsEditor {
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// Nobody could come in any more.
    #[error("this is the last owner who can sign in: make another one first")]
    LastOwner,
    /// Files say what it is.
    #[error("{kind} {name} is managed by {owner}: change it there, or override that")]
    Managed {
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The name that `apply` was given.
        owner: Name,
    },
    /// It is not as the one who asked has seen it.
    #[error("the {0} was changed since it was read: read it again, then repeat the change")]
    Changed(&'static str),
}
