//! The page that shows something once: a link, a secret, a key (M115). It is itself the answer to the
//! form that made it, so that nothing of it is kept for a second request.

use askama::Template;

use super::{Done, Shell, Visit};
use crate::pages::Markup;

/// The page that shows something once.
#[derive(Template)]
#[template(path = "console/once.html")]
pub struct Once {
    shell: Shell,
    trail: Vec<(String, String)>,
    title: &'static str,
    heading: Markup,
    sentences: Vec<Markup>,
    shown: Vec<Shown>,
    next: String,
}

/// What is shown.
struct Shown {
    id: &'static str,
    label: &'static str,
    text: String,
    file: String,
}

impl Once {
    /// About this. Who has kept it goes on to the page at this path.
    pub fn of(
        visit: &Visit,
        title: &'static str,
        heading: Markup,
        next: impl Into<String>,
    ) -> Self {
        Self {
            shell: visit.shell(),
            trail: Vec::new(),
            title,
            heading,
            sentences: Vec::new(),
            shown: Vec::new(),
            next: next.into(),
        }
    }

    /// Says how one came here: path and text, the outermost first.
    #[must_use]
    pub fn below(mut self, path: impl Into<String>, text: impl Into<String>) -> Self {
        self.trail.push((path.into(), text.into()));
        self
    }

    /// Says what it is for.
    #[must_use]
    pub fn saying(mut self, sentence: Markup) -> Self {
        self.sentences.push(sentence);
        self
    }

    /// Shows this text, which is saved under the name of this file. The id is that of an element.
    #[must_use]
    pub fn showing(
        mut self,
        id: &'static str,
        label: &'static str,
        text: impl Into<String>,
        file: impl Into<String>,
    ) -> Self {
        self.shown.push(Shown {
            id,
            label,
            text: text.into(),
            file: file.into(),
        });
        self
    }

    /// As what a form came to.
    pub fn done(self, visit: &Visit) -> Done {
        Done::Answer(visit.page(&self))
    }
}
