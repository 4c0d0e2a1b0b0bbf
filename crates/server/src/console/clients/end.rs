//! When a key or a secret ends, as pages show it.

use std::time::Duration;

use grantor::clock::UnixTime;

use super::words::Words;
use crate::{
    console::Visit,
    pages::{
        Markup, markup,
        time::{day, distance, minute},
    },
};

/// What ends within this time is pointed at: 30 days.
pub const SOON: Duration = Duration::from_secs(30 * 86_400);

/// An end: a tag, and the moment.
pub struct End {
    /// The class of its tag.
    pub class: &'static str,
    /// What stands before the words, for whom colours say nothing.
    pub sign: &'static str,
    /// What the tag says.
    pub text: Markup,
    /// The same without markup, for charts.
    pub plain: String,
    /// The moment, if there is one.
    pub at: Option<String>,
}

impl End {
    /// This end, at this time.
    pub fn of(visit: &Visit, end: Option<UnixTime>) -> Self {
        let words = Words(visit.language());
        let Some(end) = end else {
            return Self {
                class: "plain",
                sign: "",
                text: markup(words.no_end()),
                plain: words.no_end().to_owned(),
                at: None,
            };
        };
        let now = visit.now();
        let far = distance(end, now, visit.language());
        let (class, sign, text) = match end {
            end if end <= now => ("bad", "✗ ", words.ended(&far)),
            end if end <= now.plus(SOON) => ("warn", "! ", words.ends(&far)),
            _ => ("plain", "", words.ends(&far)),
        };
        Self {
            class,
            sign,
            plain: format!("{sign}{}", day(end)),
            text,
            at: Some(minute(end)),
        }
    }
}
