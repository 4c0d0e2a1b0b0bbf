//! What was found: each with a verdict, a sentence, and a remedy where there is one.

use std::fmt;

use anstyle::{AnsiColor, Style};
use grantor::types::Shown;
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::admin::notes::{Note, Severity};

/// Octets of a message.
const LONGEST: usize = 1000;

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    /// Worth knowing; some clients may stumble.
    Note,
    Wrong,
}

#[derive(Debug, Serialize)]
struct Finding {
    check: String,
    verdict: Verdict,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

/// All findings about a server.
#[derive(Debug)]
pub struct Report {
    issuer: String,
    findings: Vec<Finding>,
}

impl Report {
    pub fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            findings: Vec::new(),
        }
    }

    pub fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Verdict::Ok, message.into(), None);
    }

    pub fn note(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(check, Verdict::Note, message.into(), Some(remedy.into()));
    }

    pub fn wrong(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(check, Verdict::Wrong, message.into(), Some(remedy.into()));
    }

    /// Takes a note.
    pub fn take(&mut self, note: Note) {
        let verdict = match note.verdict {
            Severity::Note => Verdict::Note,
            Severity::Wrong => Verdict::Wrong,
        };
        self.add(&note.check, verdict, note.message, Some(note.remedy));
    }

    fn add(&mut self, check: &str, verdict: Verdict, message: String, remedy: Option<String>) {
        // Much of it was written by a server, perhaps to deceive.
        let message = Shown::known(&message, LONGEST).to_string();
        self.findings.push(Finding {
            check: check.to_owned(),
            verdict,
            message,
            remedy,
        });
    }

    /// How much is wrong.
    pub fn count(&self) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Wrong)
            .count()
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut report = serializer.serialize_struct("Report", 3)?;
        report.serialize_field("issuer", &self.issuer)?;
        report.serialize_field("healthy", &(self.count() == 0))?;
        report.serialize_field("findings", &self.findings)?;
        report.end()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.issuer)?;
        self.findings
            .iter()
            .enumerate()
            .try_for_each(|(number, finding)| {
                writeln!(f)?;
                finding.write(f)?;
                match (&finding.remedy, self.findings.get(number + 1)) {
                    // Once for all that it is good for.
                    (Some(remedy), Some(next)) if next.remedy.as_ref() == Some(remedy) => Ok(()),
                    (Some(remedy), _) => {
                        let dimmed = Style::new().dimmed();
                        write!(f, "\n{:20}{dimmed}->{dimmed:#} {remedy}", "")
                    }
                    (None, _) => Ok(()),
                }
            })
    }
}

impl Finding {
    /// Writes it without its remedy.
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, style) = match self.verdict {
            Verdict::Ok => ("ok", AnsiColor::Green.on_default()),
            Verdict::Note => ("note", AnsiColor::Yellow.on_default()),
            Verdict::Wrong => ("WRONG", AnsiColor::Red.on_default().bold()),
        };
        write!(
            f,
            "{style}{word:5}{style:#}  {:11}  {}",
            self.check, self.message
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_for_several_findings_is_said_once_below_them() {
        let mut report = Report::new("https://as.example");
        for (message, remedy) in [("one", "Sleep."), ("two", "Eat."), ("three", "Eat.")] {
            report.wrong("token", message, remedy);
        }
        let text = anstream::adapter::strip_str(&report.to_string()).to_string();
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "https://as.example",
                "WRONG  token        one",
                "-> Sleep.",
                "WRONG  token        two",
                "WRONG  token        three",
                "-> Eat.",
            ]
        );
    }

    #[test]
    fn what_a_server_says_cannot_command_a_terminal() {
        let mut report = Report::new("https://as.example");
        report.note(
            "issuer",
            format!("\u{1b}[2J\r\n\u{9b}1m\u{202e}{}", "x".repeat(5000)),
            "Run.",
        );
        let text = &report.findings[0].message;
        assert!(
            text.starts_with(r"\u{1b}[2J\u{d}\u{a}\u{9b}1m\u{202e}xxx")
                && text.ends_with("(5013 octets)"),
            "{text}"
        );
        assert!(text.len() < 1100);
        assert_eq!(report.count(), 0, "a note is no error");
    }
}
