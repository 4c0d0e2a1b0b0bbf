//! What waits for somebody to sign in: the page that was asked for, and the form that was sent to it
//! (M111). It travels sealed to the browser that asked, and is kept nowhere.

use grantor::server::{Context, SealKind};
use serde::{Deserialize, Serialize};

use super::BrowserSecret;

const WAITING: SealKind = SealKind::new("grantor:waiting");
/// The parameter in which it travels to the sign-in page.
pub const TO: &str = "to";
/// The parameter in which a form comes back to its page.
pub const HELD: &str = "held";
/// Longest form that is kept, in octets: it has to fit into a query.
const LONGEST_FORM: usize = 4 * 1024;

/// A page that waits, with its form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Path and query, from our own router.
    to: String,
    /// The form, without what is secret in it.
    form: Option<String>,
    /// Whether who is signed in has to prove it anew.
    anew: bool,
}

impl Waiting {
    /// This page waits.
    pub fn page(to: impl Into<String>) -> Self {
        Self {
            to: to.into(),
            form: None,
            anew: false,
        }
    }

    /// The same, with the form that was sent to it. One that is too long is not kept.
    #[must_use]
    pub fn with_form(self, form: String) -> Self {
        Self {
            form: (form.len() <= LONGEST_FORM).then_some(form),
            ..self
        }
    }

    /// The same, for the person who is signed in, who has to prove it anew.
    #[must_use]
    pub fn anew(self) -> Self {
        Self { anew: true, ..self }
    }

    /// Whether who is signed in has to prove it anew.
    pub fn is_anew(&self) -> bool {
        self.anew
    }

    /// For the browser with this secret.
    pub fn sealed(&self, context: &Context, secret: &BrowserSecret) -> String {
        context.seals().seal(WAITING, secret.expose(), self)
    }

    /// What this text stands for, if it was sealed for the browser with this secret.
    pub fn open(context: &Context, secret: &BrowserSecret, text: &str) -> Option<Self> {
        context.seals().open(WAITING, secret.expose(), text)
    }

    /// Where the browser goes on, which has this secret from now on.
    pub fn location(&self, context: &Context, secret: &BrowserSecret) -> String {
        if self.form.is_none() {
            return self.to.clone();
        }
        let joint = match self.to.contains('?') {
            true => '&',
            false => '?',
        };
        format!("{}{joint}{HELD}={}", self.to, self.sealed(context, secret))
    }

    /// The form, if it was sent to the page at this path.
    pub fn form_of(&self, path: &str) -> Option<&str> {
        let own = self.to.split('?').next()?;
        self.form.as_deref().filter(|_| own == path)
    }
}
