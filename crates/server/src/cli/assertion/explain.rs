//! `grantor assertion explain`

use std::io::Read as _;

use clap::Args;
use grantor::{
    assertion::{Check, ClockDifference, Explanation, Usage, Verdict},
    types::escaped,
};
use serde_json::json;
use zeroize::Zeroizing;

use crate::{
    admin::{
        Input,
        explain::{self, Explained},
        jwt_body::JwtBody,
    },
    cli::{Failure, Global, output::time, trust::Tables},
};

/// Longest assertion read from standard input, in octets: beyond what any server reads.
const MAX_INPUT: u64 = 64 * 1024;

/// Say of every rule whether an assertion keeps it, without using it up
///
/// Answers what the server on this data directory would decide now about a request with this
/// assertion and nothing else in it: of a grant the subject, the permission and the scope too.
/// White space is not left out, for the server does not; only the line break at the end of standard
/// input is not part of the assertion.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor assertion explain eyJhbGciOiJFUzI1NiIs...
  grantor assertion mint --key billing.json | grantor assertion explain -")]
pub struct Explain {
    /// The assertion; - reads it from standard input
    #[arg(value_name = "JWT")]
    assertion: String,
    /// As client authentication [default: if its typ says so, else as a grant]
    #[arg(long)]
    client_auth: bool,
}

impl Explain {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let server = global.connect().await?;
        let jwt = self.read()?;
        let usage = self.client_auth.then_some(Usage::ClientAuthentication);
        let input = Input::<explain::Explain>::with((), JwtBody { jwt, usage });
        let explained = server.call(input).await?;
        let Explained {
            explanation,
            nearest_client,
        } = &explained;
        let output = global.output();
        output.print(&json!(explained), table(explanation))?;
        match (&explanation.cause, nearest_client) {
            (None, _) => Ok(()),
            (Some(cause), None) => Err(Failure::failed(format!("would be refused: {cause}"))),
            (Some(cause), Some(nearest)) => Err(Failure::failed(format!(
                "would be refused: {cause}; did its sender mean \"{nearest}\"?"
            ))),
        }
    }

    fn read(&self) -> Result<Zeroizing<String>, Failure> {
        if self.assertion != "-" {
            return Ok(Zeroizing::new(self.assertion.clone()));
        }
        let mut text = Zeroizing::new(String::new());
        let read = std::io::stdin().take(MAX_INPUT).read_to_string(&mut text);
        read.map_err(|error| Failure::usage(format!("standard input: {error}")))?;
        // The end of the line that a command before has printed.
        Ok(Zeroizing::new(
            text.strip_suffix('\n').unwrap_or(&text).to_owned(),
        ))
    }
}

/// The rules as a table.
pub fn table(explanation: &Explanation) -> String {
    let usage = match explanation.usage {
        Usage::ClientAuthentication => "client authentication",
        Usage::Grant => "a grant",
    };
    let mut lines: Vec<String> = explanation.checks.iter().map(line).collect();
    if explanation.checks.iter().any(is_not_reached) {
        lines.push("-: not looked at, because a rule above failed".to_owned());
    }
    lines.extend(
        explanation
            .keys
            .iter()
            .map(|key| format!("key tried: {key}")),
    );
    lines.extend(explanation.clock.as_ref().map(clock));
    if !explanation.trusts.is_empty() {
        lines.push(format!("\n{}", Tables(&explanation.trusts)));
    }
    if explanation.other_trusts > 0 {
        lines.push(match explanation.other_trusts {
            1 => "and 1 other trust of the issuer".to_owned(),
            others => format!("and {others} other trusts of the issuer"),
        });
    }
    format!("as {usage}:\n{}", lines.join("\n"))
}

fn is_not_reached(check: &Check) -> bool {
    check.verdict == Verdict::NotReached
}

fn clock(clock: &ClockDifference) -> String {
    let ours = time(clock.now);
    let distance = |seconds: f64, future, past| match seconds.abs() {
        0.0..1e10 => format!(
            "{:.0} s {}",
            seconds.abs(),
            if seconds < 0.0 { past } else { future }
        ),
        _ => "centuries away".to_owned(),
    };
    let issued = clock.since_issued.map_or("not told".to_owned(), |seconds| {
        distance(-seconds, "ahead of it", "before it")
    });
    let expires = clock.until_expiry.map_or("not told".to_owned(), |seconds| {
        distance(seconds, "ahead of it", "before it")
    });
    format!("clock: ours was {ours}; iat {issued}, exp {expires}")
}

fn line(check: &Check) -> String {
    use anstyle::{AnsiColor, Style};
    let (word, style) = match check.verdict {
        Verdict::Pass => ("pass", AnsiColor::Green.on_default()),
        Verdict::Fail => ("FAIL", AnsiColor::Red.on_default().bold()),
        Verdict::NotReached => ("-", Style::new().dimmed()),
    };
    let mut line = format!(
        "{style}{word:4}{style:#}  {:14}  {:17}",
        check.rule, check.source
    );
    for (name, text) in [("got", &check.got), ("expected", &check.expected)] {
        if !text.is_empty() {
            line += &format!("  {name} {}", escaped(text));
        }
    }
    line.trim_end().to_owned()
}
