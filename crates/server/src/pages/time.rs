//! Times as pages show them: the moment in UTC, and how far away it is (M119).

use std::borrow::Cow;

use grantor::clock::UnixTime;
use jiff::{Timestamp, civil::Date};

use super::Language;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Length of a day as fields send it: `2026-11-27`.
pub const LETTERS_OF_DAY: usize = 10;

/// The moment of a text that a document has (RFC 3339).
pub fn of_text(text: &str) -> Option<UnixTime> {
    let at: Timestamp = text.parse().ok()?;
    Some(UnixTime::from_millis(at.as_millisecond()))
}

/// The moment that a field holds: RFC 3339, or a day, which begins at midnight UTC. Any other text is
/// what it was.
pub fn moment(text: &str) -> Cow<'_, str> {
    match text.len() == LETTERS_OF_DAY && text.parse::<Date>().is_ok() {
        true => format!("{text}T00:00:00Z").into(),
        false => text.into(),
    }
}

/// As `2026-11-27`.
pub fn day(at: UnixTime) -> String {
    timestamp(at).strftime("%Y-%m-%d").to_string()
}

/// As `00:27`.
pub fn clock(at: UnixTime) -> String {
    timestamp(at).strftime("%H:%M").to_string()
}

/// As `2026-11-27 00:27 UTC`.
pub fn minute(at: UnixTime) -> String {
    timestamp(at).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// As `2026-11-27 00:27:23 UTC`.
pub fn second(at: UnixTime) -> String {
    timestamp(at).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// As `2026-11-27, after 00:00 UTC`: what is known to the hour.
pub fn hour(at: UnixTime, language: Language) -> String {
    let format = match language {
        Language::English => "%Y-%m-%d, after %H:00 UTC",
        Language::French => "%Y-%m-%d, après %H:00 UTC",
    };
    timestamp(at).strftime(format).to_string()
}

/// How far away a moment is: `in 9 days`, `40 minutes ago`, `just now`; in the largest unit of which
/// there is a whole one. A moment ahead is told by the minute that has begun, so that a link made for
/// 3 days ends in 3 days for whoever reads that a second later: it is never told to be more than a
/// minute further away than it is.
pub fn distance(at: UnixTime, now: UnixTime, language: Language) -> String {
    let seconds = (at.millis() - now.millis()) / 1000;
    let far = match seconds {
        MINUTE.. => (seconds + MINUTE - 1) / MINUTE * MINUTE,
        _ => seconds.abs(),
    };
    let (count, units) = match far {
        0..MINUTE => return just_now(language).to_owned(),
        MINUTE..HOUR => (far / MINUTE, [["minute", "minutes"], ["minute", "minutes"]]),
        HOUR..DAY => (far / HOUR, [["hour", "hours"], ["heure", "heures"]]),
        _ => (far / DAY, [["day", "days"], ["jour", "jours"]]),
    };
    let unit = |of_language: [&'static str; 2]| of_language[usize::from(count > 1)];
    let [english, french] = units;
    match (language, seconds > 0) {
        (Language::English, true) => format!("in {count} {}", unit(english)),
        (Language::English, false) => format!("{count} {} ago", unit(english)),
        (Language::French, true) => format!("dans {count} {}", unit(french)),
        (Language::French, false) => format!("il y a {count} {}", unit(french)),
    }
}

fn just_now(language: Language) -> &'static str {
    match language {
        Language::English => "just now",
        Language::French => "à l'instant",
    }
}

fn timestamp(at: UnixTime) -> Timestamp {
    Timestamp::from_millisecond(at.millis()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m119_a_moment_is_told_in_the_largest_whole_unit() {
        let now = UnixTime::from_millis(1_000_000_000);
        for (seconds, english, french) in [
            (0, "just now", "à l'instant"),
            (59, "just now", "à l'instant"),
            (60, "in 1 minute", "dans 1 minute"),
            (61, "in 2 minutes", "dans 2 minutes"),
            (10 * MINUTE - 2, "in 10 minutes", "dans 10 minutes"),
            (HOUR - 59, "in 1 hour", "dans 1 heure"),
            (HOUR - 60, "in 59 minutes", "dans 59 minutes"),
            (3 * DAY, "in 3 days", "dans 3 jours"),
            (3 * DAY - 1, "in 3 days", "dans 3 jours"),
            (3 * DAY - 59, "in 3 days", "dans 3 jours"),
            (3 * DAY - 60, "in 2 days", "dans 2 jours"),
            (9 * DAY + 5, "in 9 days", "dans 9 jours"),
            (-40 * MINUTE, "40 minutes ago", "il y a 40 minutes"),
            (-HOUR, "1 hour ago", "il y a 1 heure"),
            (-2 * DAY, "2 days ago", "il y a 2 jours"),
            // What is past is not told to be longer ago than it is.
            (1 - 3 * DAY, "2 days ago", "il y a 2 jours"),
            (1 - HOUR, "59 minutes ago", "il y a 59 minutes"),
        ] {
            let at = UnixTime::from_millis((1_000_000 + seconds) * 1000);
            assert_eq!(distance(at, now, Language::English), english);
            assert_eq!(distance(at, now, Language::French), french);
        }
    }
}
