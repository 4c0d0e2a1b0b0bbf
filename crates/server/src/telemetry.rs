//! Logs on standard error: JSON lines for machines, text for a terminal. No log line ever holds a
//! token, a secret or an assertion.

pub mod lines;
#[cfg(feature = "otel")]
pub mod otel;
pub mod panics;

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{
    EnvFilter,
    filter::{LevelFilter, ParseError},
};

use crate::config::LogFormat;

/// The levels, from the quietest on.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Why a text says nothing sensible about what is logged. A word that is no level would be taken
/// for the name of a module, of which alone there were log lines then: none.
pub fn level_problem(level: &str) -> Option<String> {
    // What names a span, in brackets, is no slip.
    let mut words = level
        .split(',')
        .filter(|directive| !directive.contains(['=', '[']));
    let misspelt = words.find(|word| word.parse::<LevelFilter>().is_err());
    if let Some(word) = misspelt {
        let near = |level: &&str| strsim::jaro_winkler(level, &word.to_ascii_lowercase());
        let nearest = LEVELS
            .into_iter()
            .max_by(|one, other| near(one).total_cmp(&near(other)));
        let nearest = nearest
            .map(|nearest| format!("; {nearest} is the nearest that is"))
            .unwrap_or_default();
        return Some(format!(
            "is no level, one of {}{nearest}",
            LEVELS.join(", ")
        ));
    }
    let is_wrong = EnvFilter::builder().parse(level).is_err();
    is_wrong.then(|| {
        format!(
            "is neither a level, one of {}, nor directives such as info,grantor=debug",
            LEVELS.join(", ")
        )
    })
}

/// Starts logging. A second call changes nothing.
pub fn start(format: LogFormat, level: &str) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(level)?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| lines::ToStandardError);
    let subscriber = subscriber.log_internal_errors(false);
    let started = match is_json(format) {
        true => subscriber.json().flatten_event(true).try_init(),
        false => subscriber.with_ansi(io::stderr().is_terminal()).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging had been started before");
    }
    Ok(())
}

fn is_json(format: LogFormat) -> bool {
    match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !io::stderr().is_terminal(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_is_none_is_refused_with_the_nearest() {
        for (wrong, nearest) in [
            ("warning", "warn is"),
            ("Errors", "error is"),
            ("verbose", "nearest"),
            ("9", "nearest"),
            ("info,grantor", "nearest"),
            ("info,grantor=loud", "directives"),
            ("not=a=level", "directives"),
        ] {
            assert!(
                level_problem(wrong).is_some_and(|problem| problem.contains(nearest)),
                "{wrong}: {:?}",
                level_problem(wrong)
            );
        }
        for right in [
            "off",
            "error",
            "warn",
            "info",
            "debug",
            "trace",
            "WARN",
            "warn,grantor=debug",
            "info,[request]",
        ] {
            assert_eq!(level_problem(right), None, "{right}");
        }
    }
}
