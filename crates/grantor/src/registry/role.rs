//! Roles: what an operator may do over this server.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::types::Scope;

/// What an operator may do: the greater holds the lesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks at everything, and changes nothing.
    Reader,
    /// Changes what gives no power over this server.
    Editor,
    /// Changes everything.
    Owner,
}

/// A text that names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no role; name reader, editor or owner")]
pub struct RoleError;

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Editor, Self::Owner];

    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Editor => "editor",
            Self::Owner => "owner",
        }
    }

    /// The scope that is this role.
    pub fn scope(self) -> &'static str {
        match self {
            Self::Reader => "grantor:read",
            Self::Editor => "grantor:write",
            Self::Owner => "grantor:admin",
        }
    }

    /// The greatest role in this scope.
    pub fn of_scope(scope: &Scope) -> Option<Self> {
        let mut from_the_greatest = Self::ALL.into_iter().rev();
        from_the_greatest.find(|role| scope.has(role.scope()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        let mut roles = Self::ALL.into_iter();
        roles.find(|role| role.as_str() == text).ok_or(RoleError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_role_of_a_scope_counts() {
        let role = |text| Role::of_scope(&Scope::parse(text).expect("a scope"));
        assert_eq!(role("grantor:admin grantor:read"), Some(Role::Owner));
        assert_eq!(role("a grantor:read grantor:write"), Some(Role::Editor));
        assert_eq!(role("grantor:read"), Some(Role::Reader));
        assert_eq!(role("grantor:reader Grantor:admin grantor"), None);
        assert!(Role::Reader < Role::Editor && Role::Editor < Role::Owner);
    }

    #[test]
    fn a_role_has_one_name() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
            assert_eq!(serde_json::json!(role), role.as_str());
        }
        for text in ["", "Owner", "admin", "grantor:admin", "owner "] {
            assert_eq!(text.parse::<Role>(), Err(RoleError), "{text}");
        }
    }
}
