//! How a request ended, as a word and a sentence.

use grantor::{server::Outcome, types::Rule};

use super::words::Words;
use crate::{
    admin::remedy::Remedy,
    pages::{Coded, Markup, Tag, markup},
};

/// The word of an outcome.
pub fn tag(outcome: &Outcome, words: Words) -> Tag {
    match outcome {
        Outcome::Granted => Tag::good(words.granted()),
        Outcome::Refused { .. } => Tag::bad(words.refused()),
        Outcome::Undecided => Tag::plain(words.undecided()),
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
