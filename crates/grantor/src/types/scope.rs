//! Scope: a set of tokens (RFC 6749 §3.3).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text that is no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a list of scope tokens separated by single spaces")]
pub struct ScopeError;

/// One token of a scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScopeToken(String);

impl ScopeToken {
    /// Reads one token.
    ///
    /// # Errors
    /// [`ScopeError`] for none, for several, and where [`Scope::parse`] says so.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        match text.is_empty() || text.contains(' ') {
            true => Err(ScopeError),
            false => Scope::parse(text).map(|scope| Self(scope.0)),
        }
    }

    /// The token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ScopeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ScopeToken {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        Self::parse(&text)
    }
}

impl From<ScopeToken> for String {
    fn from(token: ScopeToken) -> Self {
        token.0
    }
}

impl std::str::FromStr for ScopeToken {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::parse(text)
    }
}

/// A set of scope tokens, written in alphabetical order, separated by single spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(String);

impl Scope {
    /// Most octets of a scope.
    pub const MAX_BYTES: usize = 4096;
    /// How the tokens begin, in whatever case, that are the server's own. No person consents to one,
    /// and no client gets one but at the admin API.
    pub const RESERVED: &str = "grantor:";

    /// Reads `token *( SP token )`; the empty text is the empty scope.
    ///
    /// # Errors
    /// [`ScopeError`] for any other separator, for characters outside `%x21 / %x23-5B / %x5D-7E`,
    /// and beyond [`Scope::MAX_BYTES`].
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let tokens = || text.as_bytes().split(|&octet| octet == b' ');
        if text.len() > Self::MAX_BYTES
            || !has_only_scope_characters(text)
            || tokens().any(<[u8]>::is_empty)
        {
            return Err(ScopeError);
        }
        // Most are sent in order and without repetition, which is how they are kept.
        match tokens().is_sorted_by(|token, next| token < next) {
            true => Ok(Self(text.to_owned())),
            false => Ok(Self::of(text.split(' ').collect())),
        }
    }

    /// Each token once, in alphabetical order.
    fn of(mut tokens: Vec<&str>) -> Self {
        tokens.sort_unstable();
        tokens.dedup();
        Self(tokens.join(" "))
    }

    /// Whether there is no token in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every token is also in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        // Both are in the same order: what was passed over does not come again.
        let mut others = other.tokens();
        self.tokens()
            .all(|token| others.any(|other| other == token))
    }

    /// The tokens in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let others: Vec<&str> = other.tokens().collect();
        Self::of(
            self.tokens()
                .filter(|token| others.binary_search(token).is_ok())
                .collect(),
        )
    }

    /// The tokens in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::of(self.tokens().chain(other.tokens()).collect())
    }

    /// The tokens that are the server's own, in whatever case they are written.
    pub fn reserved_tokens(&self) -> impl Iterator<Item = &str> {
        self.tokens().filter(|token| is_reserved(token))
    }

    /// The tokens that are not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self::of(self.tokens().filter(|token| !other.has(token)).collect())
    }

    /// The same without the tokens that are the server's own.
    #[must_use]
    pub fn without_reserved(self) -> Self {
        if self.reserved_tokens().next().is_none() {
            return self;
        }
        Self::of(self.tokens().filter(|token| !is_reserved(token)).collect())
    }

    /// Whether this token is in it.
    pub fn has(&self, token: &str) -> bool {
        self.tokens().any(|known| known == token)
    }

    /// The tokens in alphabetical order.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.0.split_terminator(' ')
    }
}

/// Whether a token begins as the server's own do. Whoever reads `Grantor:admin` takes it for one.
fn is_reserved(token: &str) -> bool {
    let beginning = token.as_bytes().get(..Scope::RESERVED.len());
    beginning.is_some_and(|octets| octets.eq_ignore_ascii_case(Scope::RESERVED.as_bytes()))
}

/// Whether there are only characters of tokens, and spaces. It does not stop at the first that is
/// neither, so that many are compared at once.
fn has_only_scope_characters(text: &str) -> bool {
    let is_allowed =
        |octet: u8| (b' '..=b'~').contains(&octet) & (octet != b'"') & (octet != b'\\');
    text.bytes()
        .fold(true, |fine, octet| fine & is_allowed(octet))
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
        scope.0
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
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_grammar_is_kept() {
        assert_eq!(
            Scope::parse("write read read").map(|scope| scope.to_string()),
            Ok("read write".to_owned())
        );
        assert_eq!(Scope::parse("").map(|scope| scope.is_empty()), Ok(true));
        for text in [
            " ", " a", "a ", "a  b", "a\tb", "a\nb", "a\"", "a\\b", "ä", "a\0", "a\u{7f}",
        ] {
            assert_eq!(Scope::parse(text), Err(ScopeError), "{text:?}");
        }
        for letter in '\0'..='\u{ff}' {
            let is_allowed = matches!(letter, '\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e');
            assert_eq!(
                Scope::parse(&letter.to_string()).is_ok(),
                is_allowed,
                "{letter:?}"
            );
        }
        assert!(Scope::parse(&"a".repeat(Scope::MAX_BYTES)).is_ok());
        assert_eq!(
            Scope::parse(&"a".repeat(Scope::MAX_BYTES + 1)),
            Err(ScopeError)
        );
    }

    #[test]
    fn a_token_is_one() {
        let token = ScopeToken::parse("invoices:read").expect("a token");
        assert_eq!(token.as_str(), "invoices:read");
        for text in ["", " ", "a b", "a ", " a", "a\"", "\u{e4}"] {
            assert_eq!(ScopeToken::parse(text), Err(ScopeError), "{text:?}");
        }
    }

    #[test]
    fn c008_what_is_the_servers_own_is_told() {
        let text = "GRANTOR: Grantor:admin grantor grantor:admin grantor:read grantors:x xgrantor:";
        let scope = Scope::parse(text).expect("a scope");
        let reserved: Vec<_> = scope.reserved_tokens().collect();
        assert_eq!(
            reserved,
            ["GRANTOR:", "Grantor:admin", "grantor:admin", "grantor:read"]
        );
        assert_eq!(
            scope.without_reserved().to_string(),
            "grantor grantors:x xgrantor:"
        );
    }

    #[test]
    fn scopes_are_sets() {
        let scope = |text| Scope::parse(text).expect("a scope");
        let (one, other) = (scope("b a c"), scope("d b c"));
        assert_eq!(one.union(&other), scope("a b c d"));
        assert_eq!(one.intersection(&other), scope("c b"));
        assert!(one.intersection(&other).is_subset(&one) && Scope::default().is_subset(&one));
        assert!(!one.is_subset(&other) && !one.is_subset(&Scope::default()));
        assert_eq!(one.without(&other), scope("a"));
        assert!(one.has("a") && !other.has("a"));
        assert_eq!(scope("a grantor:read").without_reserved(), scope("a"));
    }

    proptest! {
        #[test]
        fn scopes_are_the_sets_of_the_standard_library(one in "([a-d]{1,2} ){0,5}[a-d]", other in "([a-d]{1,2} ){0,5}[a-d]") {
            let set = |text: &str| -> BTreeSet<String> { text.split(' ').map(str::to_owned).collect() };
            let written = |set: BTreeSet<String>| Vec::from_iter(set).join(" ");
            let (one_set, other_set) = (set(&one), set(&other));
            let [one, other] = [one, other].map(|text| Scope::parse(&text).expect("a scope"));
            prop_assert_eq!(one.to_string(), written(one_set.clone()));
            prop_assert_eq!(one.is_subset(&other), one_set.is_subset(&other_set));
            prop_assert_eq!(one.union(&other).to_string(), written(&one_set | &other_set));
            prop_assert_eq!(one.intersection(&other).to_string(), written(&one_set & &other_set));
        }
    }
}
