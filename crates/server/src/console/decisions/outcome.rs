//! How a request ended, as a word and a sentence.

use grantor::{server::Outcome, types::Rule};

use super::words::Words;
use crate::{
    admin::remedy::Remedy,
    pages::{Coded, Markup, markup},
};

/// The word of an outcome, with its sign and colour.
#[derive(Clone, Copy, Debug)]
pub struct Tag {
    pub class: &'static str,
    pub sign: &'static str,
    pub word: &'static str,
}

impl Tag {
    /// Of this outcome.
    pub fn of(outcome: &Outcome, words: Words) -> Self {
        let (class, sign, word) = match outcome {
            Outcome::Granted => ("good", "✓", words.granted()),
            Outcome::Refused { .. } => ("bad", "✗", words.refused()),
            Outcome::Undecided => ("plain", "–", words.undecided()),
        };
        Self { class, sign, word }
    }
}

/// What is wrong where this rule is broken.
pub fn wrong(rule: &Rule, words: Words) -> Markup {
    match Remedy::of(rule) {
        Some(remedy) => markup(remedy.wrong.of(words.0)),
        None => words.breaks(Coded(rule.name())),
    }
}

/// What happened.
pub fn sentence(outcome: &Outcome, words: Words) -> Markup {
    match outcome {
        Outcome::Granted => markup(words.done_as_asked()),
        Outcome::Undecided => markup(words.nothing_decided()),
        Outcome::Refused { rule, .. } => wrong(rule, words),
    }
}
