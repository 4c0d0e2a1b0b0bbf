//! What trusts made of a JWT, as people read it: every pin, match and condition, and the one
//! sentence that says what to change, and who has to.

use std::fmt;

use grantor::{
    assertion::{TrustCheck, Verdict},
    registry::Mode,
};

use crate::cli::output::table;

/// The trusts of one issuer, each with its rows.
pub struct Tables<'a>(pub &'a [TrustCheck]);

impl fmt::Display for Tables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = self.0.iter().map(one).collect::<Vec<_>>();
        f.write_str(&tables.join("\n"))
    }
}

/// One trust in lines.
fn one(check: &TrustCheck) -> String {
    let head = format!(
        "trust {} (client {}): {}",
        check.trust,
        check.client,
        said(check)
    );
    let rows = table(&check.rows, &[""; 5], |row| {
        let expected = match row.verdict {
            Verdict::Pass => row.expected.clone(),
            Verdict::Fail | Verdict::NotReached => format!("expected {}", row.expected),
        };
        vec![
            word(row.verdict).to_owned(),
            row.rule.to_string(),
            row.claim.clone(),
            expected,
            format!("got {}", row.got),
        ]
    });
    let rows = rows.lines().map(|line| format!("\n  {line}"));
    head + &rows.collect::<String>()
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "FAIL",
        Verdict::NotReached => "-",
    }
}

/// What came of it, in a few words.
pub fn said(check: &TrustCheck) -> String {
    match (check.set_aside, check.mode, check.takes()) {
        (Some(why), _, _) => format!("not asked, because {why}"),
        (None, Mode::Shadow, true) => "would take it, if it were not a shadow".to_owned(),
        (None, Mode::Shadow, false) => "would not take it (it is a shadow)".to_owned(),
        (None, _, true) => "takes it".to_owned(),
        (None, _, false) => "does not take it".to_owned(),
    }
}
