//! Scope: a set of tokens (RFC 6749 §3.3).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text that is no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a list of scope tokens separated by single spaces")]
pub struct ScopeError;

/// A set of scope tokens, written in alphabetical order, separated by single spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(Vec<String>);

impl Scope {
    /// Most octets of a scope.
    pub const MAX_BYTES: usize = 4096;

    /// Reads `token *( SP token )`; the empty text is the empty scope.
    ///
    /// # Errors
    /// [`ScopeError`] for any other separator, for characters outside `%x21 / %x23-5B / %x5D-7E`, and beyond
    /// [`Scope::MAX_BYTES`].
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let token = |token: &str| if is_token(token) { Ok(token.to_owned()) } else { Err(ScopeError) };
        match text.len() {
            0..=Self::MAX_BYTES => text.split(' ').map(token).collect::<Result<_, _>>().map(Self::of),
            _ => Err(ScopeError),
        }
    }

    /// Each token once, in alphabetical order.
    fn of(mut tokens: Vec<String>) -> Self {
        tokens.sort_unstable();
        tokens.dedup();
        Self(tokens)
    }

    fn contains(&self, token: &String) -> bool {
        self.0.binary_search(token).is_ok()
    }

    /// Whether there is no token in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every token is also in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().all(|token| other.contains(token))
    }

    /// The tokens in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.iter().filter(|token| other.contains(token)).cloned().collect())
    }

    /// The tokens in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::of([self.0.as_slice(), &other.0].concat())
    }

    /// The tokens in alphabetical order.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, token) in self.tokens().enumerate() {
            write!(f, "{}{token}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        Self::parse(&text)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl std::str::FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_kept() {
        assert_eq!(Scope::parse("write read read").map(|scope| scope.to_string()), Ok("read write".to_owned()));
        assert_eq!(Scope::parse("").map(|scope| scope.is_empty()), Ok(true));
        for text in [" ", " a", "a ", "a  b", "a\tb", "a\nb", "a\"", "a\\b", "ä", "a\0"] {
            assert_eq!(Scope::parse(text), Err(ScopeError), "{text:?}");
        }
    }

    #[test]
    fn scopes_are_sets() {
        let scope = |text| Scope::parse(text).expect("a scope");
        let (one, other) = (scope("b a c"), scope("d b c"));
        assert_eq!(one.union(&other), scope("a b c d"));
        assert_eq!(one.intersection(&other), scope("c b"));
        assert!(one.intersection(&other).is_subset(&one) && Scope::default().is_subset(&one));
        assert!(!one.is_subset(&other) && !one.is_subset(&Scope::default()));
    }
}
