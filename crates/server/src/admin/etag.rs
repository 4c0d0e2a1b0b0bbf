//! States of resources in HTTP: `ETag` and `If-Match` (RFC 9110 §8.8.3, §13.1.1).

use grantor::{admin::Expected, registry::Revision};
use http::{HeaderMap, HeaderValue, header};

use super::{Problem, Slug};

/// The state of a resource.
pub fn etag(revision: Revision) -> HeaderValue {
    let text = format!("\"{}\"", state_of(revision));
    HeaderValue::from_str(&text).expect("digits are visible")
}

/// The state of a resource, as a form has it: the opaque part of its tag.
pub fn state_of(revision: Revision) -> String {
    format!("{}.{}", revision.number, revision.version)
}

/// The state of a resource that was seen, as an opaque tag; none of what has no states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State(Option<HeaderValue>);

/// An answer, and the state of the resource that it shows.
#[derive(Debug)]
pub struct Seen<T> {
    /// The answer.
    pub document: T,
    /// The state.
    pub state: State,
}

impl State {
    /// This one.
    pub fn of(revision: Option<Revision>) -> Self {
        Self(revision.map(etag))
    }

    /// That of an answer.
    pub fn answered(headers: &HeaderMap) -> Self {
        Self(headers.get(header::ETAG).cloned())
    }

    /// The tag, for `If-Match`.
    pub fn tag(&self) -> Option<&HeaderValue> {
        self.0.as_ref()
    }

    /// What is changed is in this state. Nothing is expected of what has none.
    pub fn expected(&self) -> Expected {
        let Some(tag) = self.tag() else {
            return Expected::Anything;
        };
        let revision = tag.to_str().ok().and_then(|text| {
            let text = text.strip_prefix('"')?.strip_suffix('"')?;
            revision_of(text)
        });
        Expected::OneOf(Vec::from_iter(revision))
    }
}

/// In which states the resource of a request may be. Tags are compared strongly: a weak one is that
/// of no state.
///
/// # Errors
/// [`Slug::Malformed`] for what is no list of tags.
pub fn expected(headers: &HeaderMap) -> Result<Expected, Problem> {
    let wrong = || Problem::new(Slug::Malformed, "If-Match is no list of entity tags");
    let mut states = Vec::new();
    let mut is_there = false;
    for value in headers.get_all(header::IF_MATCH) {
        is_there = true;
        let text = value.to_str().map_err(|_| wrong())?;
        if text.trim() == "*" {
            return Ok(Expected::Present);
        }
        let tags = tags(text).ok_or_else(wrong)?;
        states.extend(tags.into_iter().filter_map(revision_of));
    }
    Ok(match is_there {
        true => Expected::OneOf(states),
        false => Expected::Anything,
    })
}

/// The opaque tags of a list, without the weak ones. A comma may be in a tag (RFC 9110 §8.8.3).
fn tags(list: &str) -> Option<Vec<&str>> {
    let mut tags = Vec::new();
    let mut rest = list.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let weak = rest.strip_prefix("W/");
        let (tag, behind) = weak.unwrap_or(rest).strip_prefix('"')?.split_once('"')?;
        if weak.is_none() {
            tags.push(tag);
        }
        let next = behind.trim_start_matches([' ', '\t']);
        if !next.is_empty() && !next.starts_with(',') {
            return None;
        }
        rest = next.trim_start_matches([' ', '\t', ',']);
    }
    Some(tags)
}

/// The state that [`state_of`] wrote.
pub fn revision_of(tag: &str) -> Option<Revision> {
    let (number, version) = tag.split_once('.')?;
    let revision = Revision::new(number.parse().ok()?, version.parse().ok()?);
    // Numbers can be written in several ways, and a tag in one.
    (etag(revision) == format!("\"{tag}\"")).then_some(revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> Result<Expected, Problem> {
        let mut headers = HeaderMap::new();
        headers.append(header::IF_MATCH, HeaderValue::from_static(text));
        expected(&headers)
    }

    #[test]
    fn m006_a_state_that_was_seen_is_expected() {
        let one = Revision::new(7, 3);
        let seen = State::of(Some(one));
        assert_eq!(seen.tag(), Some(&etag(one)));
        assert_eq!(seen.expected(), Expected::OneOf(vec![one]));
        assert_eq!(State::of(None).expected(), Expected::Anything);
        let mut headers = HeaderMap::new();
        assert_eq!(State::answered(&headers), State::default());
        headers.insert(header::ETAG, etag(one));
        assert_eq!(State::answered(&headers), seen);
        // Of another server, which makes its tags otherwise: no state of ours is it.
        headers.insert(header::ETAG, HeaderValue::from_static("W/\"x\""));
        let other = State::answered(&headers).expected();
        assert_eq!(other, Expected::OneOf(Vec::new()));
    }

    #[test]
    fn m006_ma12_tags_are_read_as_rfc_9110_says() {
        let one = Revision::new(7, 3);
        assert_eq!(expected(&HeaderMap::new()), Ok(Expected::Anything));
        assert_eq!(read("*"), Ok(Expected::Present));
        assert_eq!(read("\"7.3\""), Ok(Expected::OneOf(vec![one])));
        let two = Expected::OneOf(vec![Revision::new(1, 1), one]);
        assert_eq!(read("\"1.1\", \"7.3\""), Ok(two));
        assert_eq!(
            read("\"a,b\" , \"1.1\",W/\"7.3\",,\"7.3\""),
            read("\"1.1\", \"7.3\"")
        );
        for none in ["W/\"7.3\"", "\"07.3\"", "\"x\"", "\"7.3.1\"", "\"\""] {
            assert_eq!(read(none), Ok(Expected::OneOf(Vec::new())), "{none}");
        }
        for wrong in [
            "7.3",
            "\"7.3",
            "\"7.3\" \"1.1\"",
            "\"7.3\"x",
            "w/\"7.3\"",
            "\"1.1\", *",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
