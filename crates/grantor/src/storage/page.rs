//! Lists in pages.

use std::fmt;

use grantor_jose::{base64url_decode, base64url_encode, crypto::sha256};
use serde::Serialize;

use super::StoreError;
use crate::registry::{Resource, ResourceId as _};

/// A place in a list, to go on from. Only the list that made it knows what it means.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor(String);

impl Cursor {
    /// From the text of a cursor that was handed out, or of anything else.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// The text to hand out: letters, digits, `-` and `_`.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A list that cursors are places in: the records of a kind that pass a filter.
#[derive(Clone, Debug)]
pub struct List {
    kind: &'static str,
    /// As JSON.
    filter: String,
}

/// Octets of a cursor that tell its list: a cursor that was mistyped, or comes from another list,
/// is found out. A place is no secret, so nothing more is needed.
const TAG: usize = 9;

impl List {
    /// Of what passes this filter, among records of this kind.
    pub fn new(kind: &'static str, filter: &impl Serialize) -> Self {
        let filter = serde_json::to_string(filter).expect("a filter is JSON");
        Self { kind, filter }
    }

    /// Of the resources that pass this filter.
    pub fn of<R: Resource>(filter: &R::Filter) -> Self {
        Self::new(R::NAME, filter)
    }

    /// The cursor for a backend's own words for a place.
    pub fn cursor(&self, place: &str) -> Cursor {
        let mut octets = self.tag(place.as_bytes()).to_vec();
        octets.extend_from_slice(place.as_bytes());
        Cursor(base64url_encode(octets))
    }

    /// The backend's own words for a place.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] if this list has not made the cursor.
    pub fn place(&self, cursor: &Cursor) -> Result<String, StoreError> {
        let octets = base64url_decode(&cursor.0).ok_or(StoreError::Cursor)?;
        match octets.split_first_chunk() {
            Some((tag, place)) if *tag == self.tag(place) => {
                String::from_utf8(place.to_vec()).map_err(|_| StoreError::Cursor)
            }
            _ => Err(StoreError::Cursor),
        }
    }

    /// The name that a cursor of resources stands for.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] if this list has not made the cursor.
    pub fn id<R: Resource>(&self, cursor: &Cursor) -> Result<R::Id, StoreError> {
        R::Id::from_text(&self.place(cursor)?).ok_or(StoreError::Cursor)
    }

    /// No kind and no JSON has a zero octet in it.
    fn tag(&self, place: &[u8]) -> [u8; TAG] {
        let digest = sha256(&[
            self.kind.as_bytes(),
            &[0],
            self.filter.as_bytes(),
            &[0],
            place,
        ]);
        *digest.first_chunk().expect("a digest is longer")
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
    /// These items, and where to go on.
    pub fn new(items: Vec<T>, next: Option<Cursor>) -> Self {
        Self { items, next }
    }

    /// The same page with each item made into something else.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(change).collect(),
            next: self.next,
        }
    }

    /// A page from what was read for it: up to `limit` items and one more, which says that there
    /// is a next page.
    pub fn of(mut read: Vec<T>, limit: usize, cursor: impl FnOnce(&T) -> Cursor) -> Self {
        let has_more = read.len() > limit;
        read.truncate(limit);
        let next = read.last().filter(|_| has_more).map(cursor);
        Self { items: read, next }
    }
}
