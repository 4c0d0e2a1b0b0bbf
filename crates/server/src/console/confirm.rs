//! The page that asks before something is done: a question as heading, sentences what it means, and a
//! button that repeats the verb (M112).

use askama::Template;
use grantor::{registry::Revision, server::Body};
use http::Response;

use super::{Shell, Summary, Typed, Visit};
use crate::{admin::state_of, pages::Markup};

/// The page that asks. It is sent to its own path.
#[derive(Template)]
#[template(path = "console/confirm.html")]
pub struct Confirm {
    shell: Shell,
    summary: Option<Summary>,
    trail: Vec<(String, String)>,
    question: Markup,
    sentences: Vec<Markup>,
    action: String,
    ticket: String,
    state: Option<String>,
    fields: Vec<(&'static str, String)>,
    ticks: Vec<Tick>,
    managed_by: Option<String>,
    verb: &'static str,
    back: String,
    typed: Typed,
}

/// A box that may be ticked.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    /// The name of the field, whose value is `true`.
    pub name: &'static str,
    /// What ticking it does.
    pub text: &'static str,
    /// What that means; nothing if empty.
    pub hint: &'static str,
}

impl Confirm {
    /// Asks this. The button says `verb`, and who does not want it goes back.
    pub fn ask(
        visit: &Visit,
        typed: &Typed,
        question: Markup,
        verb: &'static str,
        back: String,
    ) -> Self {
        Self {
            shell: visit.shell(),
            summary: Summary::of(typed),
            trail: Vec::new(),
            question,
            sentences: Vec::new(),
            action: visit.here(),
            ticket: visit.ticket(),
            state: None,
            fields: Vec::new(),
            ticks: Vec::new(),
            managed_by: None,
            verb,
            back,
            typed: typed.clone(),
        }
    }

    /// Says how one came here: path and text, the outermost first.
    #[must_use]
    pub fn below(mut self, path: impl Into<String>, text: impl Into<String>) -> Self {
        self.trail.push((path.into(), text.into()));
        self
    }

    /// The same, as many as there are.
    #[must_use]
    pub fn below_all(mut self, trail: impl IntoIterator<Item = (String, String)>) -> Self {
        self.trail.extend(trail);
        self
    }

    /// Says what it means.
    #[must_use]
    pub fn saying(mut self, sentence: Markup) -> Self {
        self.sentences.push(sentence);
        self
    }

    /// The same, as many as there are.
    #[must_use]
    pub fn saying_all(mut self, sentences: impl IntoIterator<Item = Markup>) -> Self {
        self.sentences.extend(sentences);
        self
    }

    /// About a resource in this state: if it is in another one by then, nothing is done (M006).
    #[must_use]
    pub fn in_state(mut self, revision: Option<Revision>) -> Self {
        self.state = revision.map(state_of);
        self
    }

    /// Sends this, too.
    #[must_use]
    pub fn sending(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// Offers this along with it.
    #[must_use]
    pub fn offering(mut self, tick: Tick) -> Self {
        self.ticks.push(tick);
        self
    }

    /// About a resource that files of this owner manage.
    #[must_use]
    pub fn managed_by(mut self, owner: Option<String>) -> Self {
        self.managed_by = owner;
        self
    }

    /// As an answer.
    pub fn page(&self, visit: &Visit) -> Response<Body> {
        visit.form(&self.typed, self)
    }
}
