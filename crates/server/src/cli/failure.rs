//! How a command ends badly: one clear line on standard error, and the exit code.

use std::{fmt::Display, process::ExitCode};

use serde_json::json;

/// Why a command did not do as asked.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// The command line, a file or the configuration is wrong: exit 2.
    pub fn usage(message: impl Display) -> Self {
        Self { code: 2, message: message.to_string() }
    }

    /// Refused, or failed: exit 1.
    pub fn failed(message: impl Display) -> Self {
        Self { code: 1, message: message.to_string() }
    }

    /// Says so on standard error.
    pub fn report(&self, json: bool) -> ExitCode {
        // Whatever was quoted from a file must not move the cursor of a terminal.
        let line: String = self.message.chars().map(|each| if each.is_control() { ' ' } else { each }).collect();
        match json {
            true => anstream::eprintln!("{}", json!({"error": line})),
            false => {
                let red = anstyle::AnsiColor::Red.on_default().bold();
                anstream::eprintln!("{red}error:{red:#} {line}");
            }
        }
        ExitCode::from(self.code)
    }
}

impl From<grantor::storage::StoreError> for Failure {
    fn from(error: grantor::storage::StoreError) -> Self {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        Self::failed(format!("{error}{source}"))
    }
}
