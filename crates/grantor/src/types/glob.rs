//! Patterns for the text of a claim: anchored at both ends, compared octet by octet, without
//! normalisation, in linear time.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize, Serializer};

use super::display_text::is_unseen;

/// A pattern that a whole text matches or does not.
///
/// `*` stands for one or more octets other than `/` and `:`, `**` for one or more octets of any
/// kind; everything else stands for itself. There are no classes, no alternatives and no escapes: a
/// second pattern, or a condition with `||`, says so in plain sight. What other globs read as one of
/// these (`?`, `[`, `\`, a comma between braces) is refused, so that nobody waits for it to match.
/// Braces without a comma are text: the identifiers of some platforms have them.
///
/// ```
/// use grantor::types::Glob;
/// let glob = Glob::parse("refs/heads/release/*")?;
/// assert!(glob.matches("refs/heads/release/v1"));
/// assert!(!glob.matches("refs/heads/release/v1/x") && !glob.matches("refs/heads/release/"));
/// # Ok::<(), grantor::types::GlobError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Glob(Arc<str>);

/// Why a text is no [`Glob`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GlobError {
    /// No characters.
    #[error("is empty")]
    Empty,
    /// More than [`Glob::MAX_BYTES`] octets.
    #[error("is longer than {} octets", Glob::MAX_BYTES)]
    TooLong,
    /// Characters that cannot be seen, or move others.
    #[error("contains control, direction or invisible characters")]
    Characters,
    /// The whole name space of whoever writes the claim.
    #[error("begins with a star: literal text has to come before the first one")]
    NoLiteralFirst,
    /// Three stars and more.
    #[error("has three stars in a row: `*` stays within a segment, `**` crosses `/` and `:`")]
    ThreeStars,
    /// More than [`Glob::MAX_STARS`].
    #[error("has more than {} stars", Glob::MAX_STARS)]
    TooManyStars,
    /// What other globs have.
    #[error(
        "has `{0}`, which means nothing special here and is refused: there are only `*` and `**`"
    )]
    Foreign(char),
    /// `{a,b}`
    #[error(
        "has alternatives in braces, which there are not: use several patterns, or a condition with `||`"
    )]
    Alternatives,
}

impl Glob {
    /// Most octets of a pattern.
    pub const MAX_BYTES: usize = 512;
    /// Most stars of a pattern, `**` counting one.
    pub const MAX_STARS: usize = 8;

    /// Reads a pattern.
    ///
    /// # Errors
    /// [`GlobError`]
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        check(text).map(|()| Self(text.into()))
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text before the first star, which every text that matches begins with.
    pub fn literal_prefix(&self) -> &str {
        self.0.split('*').next().unwrap_or_default()
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        matches(&self.0, text)
    }
}

fn check(text: &str) -> Result<(), GlobError> {
    match text {
        "" => return Err(GlobError::Empty),
        _ if text.len() > Glob::MAX_BYTES => return Err(GlobError::TooLong),
        _ if text.chars().any(is_unseen) => return Err(GlobError::Characters),
        _ if text.starts_with('*') => return Err(GlobError::NoLiteralFirst),
        _ if text.contains("***") => return Err(GlobError::ThreeStars),
        _ => (),
    }
    if let Some(foreign) = text
        .chars()
        .find(|letter| matches!(letter, '?' | '[' | '\\'))
    {
        return Err(GlobError::Foreign(foreign));
    }
    let mut braces = text.split('{').skip(1);
    if braces.any(|inside| {
        inside
            .split('}')
            .next()
            .is_some_and(|inside| inside.contains(','))
    }) {
        return Err(GlobError::Alternatives);
    }
    if text.replace("**", "*").matches('*').count() > Glob::MAX_STARS {
        return Err(GlobError::TooManyStars);
    }
    Ok(())
}

/// Whether the whole text matches a pattern that [`Glob::parse`] takes.
///
/// The places where the pattern read so far can end are carried along, in order, the first of each
/// segment: from there a star leads wherever it leads from the others. Each star and the literal
/// behind it are one pass over the text at most. So the time is that of [`Glob::MAX_STARS`] passes,
/// whatever the text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (text, mut pattern) = (text.as_bytes(), pattern.as_bytes());
    let first = take_literal(&mut pattern);
    if !text.starts_with(first) {
        return false;
    }
    let Some(mut star) = take_star(&mut pattern) else {
        return text.len() == first.len();
    };
    let mut ends = vec![first.len()];
    loop {
        let literal = take_literal(&mut pattern);
        let Some(next) = take_star(&mut pattern) else {
            let last = text.len().checked_sub(literal.len());
            return text.ends_with(literal)
                && last.is_some_and(|last| ends.iter().any(|end| star.leads(*end, last, text)));
        };
        ends = star.ends(&ends, literal, next, text);
        star = next;
    }
}

/// A wildcard.
#[derive(Clone, Copy, PartialEq)]
enum Star {
    /// `*`
    WithinSegment,
    /// `**`
    Deep,
}

impl Star {
    /// The last place that the star leads to from `end`.
    fn furthest(self, end: usize, text: &[u8]) -> usize {
        match self {
            Self::Deep => text.len(),
            Self::WithinSegment => end + segment_length(&text[end..]),
        }
    }

    fn leads(self, end: usize, place: usize, text: &[u8]) -> bool {
        end < place && place <= self.furthest(end, text)
    }

    /// Where the star and the literal behind it can end, for another star to go on.
    fn ends(self, ends: &[usize], literal: &[u8], next: Self, text: &[u8]) -> Vec<usize> {
        let mut found = Vec::new();
        let mut place = 0;
        for &end in ends {
            let furthest = self.furthest(end, text);
            place = place.max(end + 1);
            while place <= furthest {
                if !text[place..].starts_with(literal) {
                    place += 1;
                    continue;
                }
                let end = place + literal.len();
                found.push(end);
                if next == Self::Deep {
                    return found;
                }
                // The next that ends in another segment.
                let segment = end + segment_length(&text[end..]);
                place = (segment + 1 - literal.len()).max(place + 1);
            }
        }
        found
    }
}

fn segment_length(text: &[u8]) -> usize {
    let is_delimiter = |octet: &u8| matches!(octet, b'/' | b':');
    text.iter().position(is_delimiter).unwrap_or(text.len())
}

fn take_literal<'p>(pattern: &mut &'p [u8]) -> &'p [u8] {
    let length = pattern.iter().position(|octet| *octet == b'*');
    let (literal, rest) = pattern.split_at(length.unwrap_or(pattern.len()));
    *pattern = rest;
    literal
}

fn take_star(pattern: &mut &[u8]) -> Option<Star> {
    let (star, rest) = match *pattern {
        [b'*', b'*', rest @ ..] => (Star::Deep, rest),
        [b'*', rest @ ..] => (Star::WithinSegment, rest),
        _ => return None,
    };
    *pattern = rest;
    Some(star)
}

impl TryFrom<String> for Glob {
    type Error = GlobError;

    fn try_from(text: String) -> Result<Self, GlobError> {
        Self::parse(&text)
    }
}

impl Serialize for Glob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl std::str::FromStr for Glob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        Self::parse(text)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::{Duration, Instant};

    fn is_match(pattern: &str, text: &str) -> bool {
        Glob::parse(pattern).expect(pattern).matches(text)
    }

    /// A star takes one octet more, or ends: every way is tried.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([b'*', b'*', rest @ ..], [_, after @ ..]) => {
                naive(pattern, after) || naive(rest, after)
            }
            ([b'*', rest @ ..], [octet, after @ ..]) => {
                !matches!(octet, b'/' | b':') && (naive(pattern, after) || naive(rest, after))
            }
            ([b'*', ..], []) => false,
            ([one, rest @ ..], [other, after @ ..]) => one == other && naive(rest, after),
            ([], []) => true,
            _ => false,
        }
    }

    #[test]
    fn t037_the_whole_text_matches_octet_by_octet() {
        for (pattern, yes, no) in [
            ("main", "main", "main-x"),
            ("main", "main", "Main"),
            ("main", "main", "x-main"),
            ("refs/heads/*", "refs/heads/main", "refs/heads/a/b"),
            ("refs/heads/*", "refs/heads/main", "refs/heads/"),
            ("refs/heads/*", "refs/heads/main", "refs/heads"),
            ("refs/heads/*", "refs/heads/main", "refs/heads/a:b"),
            ("refs/heads/**", "refs/heads/a/b:c", "refs/heads/"),
            ("a*b", "axb", "ab"),
            ("a*b", "axxb", "ax/xb"),
            ("a**b", "a/b", "ab"),
            ("a*c*e", "abcde", "abc/de/e"),
            // The first `a` leads nowhere, the second does.
            ("x**a*b", "xya/acb", "xya/a/b"),
            ("x*x", "xxx", "xx"),
            ("{WS}:*:*", "{WS}:{A}:{B}", "{WS}:{A}"),
            ("auth0|*", "auth0|7", "auth0"),
            ("é*", "éa", "e\u{301}a"),
            ("a*é", "aéé", "aé"),
            ("^a$*", "^a$b", "a"),
        ] {
            assert!(is_match(pattern, yes), "{pattern} {yes}");
            assert!(!is_match(pattern, no), "{pattern} {no}");
        }
    }

    #[test]
    fn ta20_a_star_stays_in_its_segment_and_takes_something() {
        let release = "refs/heads/release/*";
        assert!(is_match(release, "refs/heads/release/a"));
        for text in ["a/b", "", "a:b"] {
            let text = format!("refs/heads/release/{text}");
            assert!(!is_match(release, &text), "{text}");
        }
    }

    #[test]
    fn ta19_neighbours_of_a_name_do_not_match() {
        let repository = "acme/*";
        assert!(is_match(repository, "acme/widgets"));
        for text in [
            "acme-evil/widgets",
            "evil/acme-widgets",
            "evil/acme/widgets",
        ] {
            assert!(!is_match(repository, text), "{text}");
        }
        assert!(!is_match("acme/widgets", "acme/widgets-evil"));
        assert!(!is_match("refs/heads/main", "refs/heads/main-x"));
        assert!(!is_match("refs/heads/main", "refs/heads/x/refs/heads/main"));
    }

    #[test]
    fn t037_other_patterns_are_refused() {
        use GlobError::*;
        let long = "a".repeat(Glob::MAX_BYTES);
        assert!(Glob::parse(&long).is_ok() && Glob::parse("a*b**c*d*e*f*g*h*").is_ok());
        for (pattern, error) in [
            ("", Empty),
            (&format!("{long}a"), TooLong),
            ("a\nb", Characters),
            ("a\u{202e}b", Characters),
            ("*", NoLiteralFirst),
            ("**/main", NoLiteralFirst),
            ("a***", ThreeStars),
            ("a*b**c*d*e*f*g*h*i*", TooManyStars),
            ("v?", Foreign('?')),
            ("v[12]", Foreign('[')),
            (r"v\*", Foreign('\\')),
            ("refs/heads/{main,release}", Alternatives),
            ("{a}/{b,c}", Alternatives),
        ] {
            assert_eq!(Glob::parse(pattern), Err(error), "{pattern}");
        }
        assert!(
            Glob::parse("{a},{b}").is_ok(),
            "no alternatives: the comma is outside"
        );
    }

    #[test]
    fn t037_ta33_sixteen_kibibytes_and_eight_stars_take_no_longer_than_eight_passes() {
        let text = "a".repeat(16 * 1024);
        let slashes = "a/".repeat(8 * 1024);
        for pattern in [
            "a*a*a*a*a*a*a*a*b".to_owned(),
            "a**a**a**a**a**a**a**a**b".to_owned(),
            "a*a**a*a**a*a**a*a**b".to_owned(),
            format!("a{}b", format!("**{}", "a".repeat(62)).repeat(7)),
            format!("a{}a", format!("**{}", "a/".repeat(31)).repeat(7)),
        ] {
            for text in [&text, &slashes] {
                let began = Instant::now();
                let matched = is_match(&pattern, text);
                let took = began.elapsed();
                assert!(took < Duration::from_millis(100), "{pattern}: {took:?}");
                assert!(!matched || pattern.ends_with("/a"), "{pattern}");
            }
        }
    }

    #[test]
    fn is_stored_as_its_text_and_checked_again() {
        let glob = Glob::parse("refs/heads/*").expect("a pattern");
        assert_eq!(
            serde_json::to_string(&glob).expect("JSON"),
            r#""refs/heads/*""#
        );
        assert_eq!(
            serde_json::from_str::<Glob>(r#""refs/heads/*""#).expect("a glob"),
            glob
        );
        assert!(serde_json::from_str::<Glob>(r#""*""#).is_err());
        assert_eq!(glob.literal_prefix(), "refs/heads/");
    }

    proptest! {
        #[test]
        fn agrees_with_trying_every_way(pattern in "[a/]([a/:b*]|\\*\\*){0,8}", text in "[a/:b]{0,10}") {
            if let Ok(glob) = Glob::parse(&pattern) {
                prop_assert_eq!(glob.matches(&text), naive(pattern.as_bytes(), text.as_bytes()));
            }
        }

        #[test]
        fn never_panics(pattern in "\\PC{0,40}", text in "\\PC{0,40}") {
            if let Ok(glob) = Glob::parse(&pattern) {
                glob.matches(&text);
            }
        }
    }
}
