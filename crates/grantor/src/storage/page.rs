//! Lists in pages.

use std::fmt;

use grantor_jose::{base64url_decode, base64url_encode};

/// A place in a list, to go on from. Only the store that made it knows what it means.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor(String);

impl Cursor {
    /// From a backend's own words for a place.
    pub fn of(place: &str) -> Self {
        Self(base64url_encode(place))
    }

    /// From the text of a cursor that was handed out, or of anything else.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The backend's own words for the place; `None` if no store made this cursor.
    pub fn place(&self) -> Option<String> {
        String::from_utf8(base64url_decode(&self.0)?).ok()
    }
}

/// The text to hand out: letters, digits, `-` and `_`.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins; `None` after the last item.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// The same page with each item made into something else.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(change).collect(),
            next: self.next,
        }
    }

    /// A page from what was read for it: up to `limit` items and one more, which says that there
    /// is a next page.
    pub fn of(mut read: Vec<T>, limit: usize, place: impl FnOnce(&T) -> String) -> Self {
        let has_more = read.len() > limit;
        read.truncate(limit);
        let next = read.last().filter(|_| has_more).map(place);
        Self {
            items: read,
            next: next.map(|place| Cursor::of(&place)),
        }
    }
}
