//! What a page says on top after an action: what happened, and the next step or the way back (M114).
//! It travels sealed in the address, for one browser session.

use grantor::server::{Context, SealKind};
use serde::{Deserialize, Serialize};

use super::{BrowserSecret, Markup};

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

    /// The same, with a next step, which pages of the console offer.
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

    /// The address of a page that says it to the browser with this secret.
    pub fn on(&self, path: &str, context: &Context, secret: &BrowserSecret) -> String {
        let sealed = context.seals().seal(NOTICE, secret.expose(), self);
        let joint = if path.contains('?') { '&' } else { '?' };
        format!("{path}{joint}{DONE}={sealed}")
    }

    /// What a page says to the browser with this secret, if it was asked for by an address of ours.
    pub fn open(context: &Context, secret: &BrowserSecret, text: &str) -> Option<Self> {
        context.seals().open(NOTICE, secret.expose(), text)
    }
}
