//! Lists in portions.

use grantor::{
    admin::Error,
    storage::{Cursor, Page, StoreError},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Portion;

/// A portion of a list.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Listed<T> {
    /// What is in it, in the order of the list.
    pub items: Vec<T>,
    /// Where the next portion begins: its `after`; null behind the last.
    pub next: Option<String>,
}

impl<T> From<Page<T>> for Listed<T> {
    fn from(page: Page<T>) -> Self {
        Self {
            next: page.next.map(|next| next.to_string()),
            items: page.items,
        }
    }
}

impl<T> Listed<T> {
    /// A portion of a list that is there whole, whose items have names of their own.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a cursor that is none.
    pub fn of_all(
        mut all: Vec<T>,
        name: impl Fn(&T) -> &str,
        portion: &Portion,
    ) -> Result<Self, Error> {
        if let Some(after) = &portion.after {
            let place = all.iter().position(|item| name(item) == after);
            let place = place.ok_or(Error::from(StoreError::Cursor))?;
            drop(all.drain(..=place));
        }
        let limit = usize::try_from(portion.limit).unwrap_or(usize::MAX);
        let has_more = all.len() > limit;
        all.truncate(limit);
        let next = all
            .last()
            .filter(|_| has_more)
            .map(|last| name(last).to_owned());
        Ok(Self { items: all, next })
    }
}

impl Portion {
    /// The place behind which it begins.
    pub fn cursor(&self) -> Option<Cursor> {
        self.after.as_deref().map(Cursor::from_text)
    }
}
