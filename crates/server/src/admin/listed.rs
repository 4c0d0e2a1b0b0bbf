//! Lists in portions.

use grantor::storage::{Cursor, Page};
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

impl Portion {
    /// The place behind which it begins.
    pub fn cursor(&self) -> Option<Cursor> {
        self.after.as_deref().map(Cursor::from_text)
    }
}
