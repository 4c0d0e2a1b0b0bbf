//! The pages that say why there is no other.

use askama::Template;

use super::Shell;
use crate::pages::{Frame, Markup};

/// Why there is no page.
#[derive(Template)]
#[template(path = "console/problem.html")]
pub struct Problem {
    pub heading: &'static str,
    pub sentence: Markup,
    /// The tag of the language of the sentence.
    pub language: &'static str,
    /// Where one goes on.
    pub next: (String, &'static str),
    pub decision: Markup,
    pub shell: Shell,
}

/// The same where nobody is signed in, or the server is at fault.
#[derive(Template)]
#[template(path = "outside.html")]
pub struct Outside {
    pub frame: Frame,
    pub heading: &'static str,
    pub sentence: Markup,
    /// The tag of the language of the sentence.
    pub language: &'static str,
    pub next: (String, &'static str),
    pub decision: Markup,
}
