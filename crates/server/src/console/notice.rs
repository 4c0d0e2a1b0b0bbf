//! What a page says on top after an action: what happened, and the next step or the way back (M114).
//! It travels sealed in the address, for one browser session.

use grantor::server::{Context, SealKind};
use serde::{Deserialize, Serialize};

use crate::pages::{BrowserSecret, Markup};

const NOTICE: SealKind = SealKind::new("grantor:notice");
/// The parameter in which it travels.
pub const DONE: &str = "done";

/// What happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// Markup that our own words made.
    sentence: String,
    /// Where one may want to go next: path and text.
    next: Option<(String, String)>,
}

impl Notice {
    /// This happened.
    pub fn of(sentence: Markup) -> Self {
        Self {
            sentence: sentence.0,
            next: None,
        }
    }

    /// The same, with a next step: a page of the console.
    #[must_use]
    pub fn then(self, path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            next: Some((path.into(), text.into())),
            ..self
        }
    }

    /// What happened, as markup.
    pub fn sentence(&self) -> Markup {
        askama::filters::Safe(self.sentence.clone())
    }

    /// Where one may want to go next: path and text.
    pub fn next(&self) -> Option<(&str, &str)> {
        let (path, text) = self.next.as_ref()?;
        Some((path, text))
    }

    pub(super) fn sealed(&self, context: &Context, secret: &BrowserSecret) -> String {
        context.seals().seal(NOTICE, secret.expose(), self)
    }

    pub(super) fn open(context: &Context, secret: &BrowserSecret, text: &str) -> Option<Self> {
        context.seals().open(NOTICE, secret.expose(), text)
    }
}
