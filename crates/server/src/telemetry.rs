//! Logs on standard error: JSON lines for machines, text for a terminal. No log line ever holds a token, a secret or an assertion.

pub mod lines;
#[cfg(feature = "otel")]
pub mod otel;
pub mod panics;

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, filter::ParseError};

use crate::config::LogFormat;

/// Starts logging. A second call changes nothing.
pub fn start(format: LogFormat, level: &str) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(level)?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| lines::ToStandardError);
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
