//! `grantor trust report`

use std::time::Duration;

use clap::Args;
use grantor::{
    admin::{TrustReason, TrustReport},
    clock::Clock as _,
    types::Name,
};

use crate::{
    admin::{
        Input,
        trusts::{ReportQuery, ReportTrust},
    },
    cli::{
        CLOCK, Connection, Failure, Output,
        output::{table, time},
        parse::duration,
    },
};

/// Count what a trust took and would have taken, and why not, among the newest decisions
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor trust create next --from github --pin repository_owner_id=123456 --shadow
  grantor trust report next --since 7d
  grantor trust enable next                          let it count")]
pub struct Report {
    /// Name of the trust
    name: Name,
    /// Only of the last 15m, 12h, 30d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<Duration>,
}

impl Report {
    pub async fn run(self, server: &Connection, output: Output) -> Result<(), Failure> {
        let since = self.since.map(|since| CLOCK.now().minus(since));
        let input = Input::<ReportTrust>::at(self.name).asking(ReportQuery { since });
        let report = server.call(input).await?;
        output.print(&report, text(&report))
    }
}

fn text(report: &TrustReport) -> String {
    let mut lines = vec![match report.since {
        Some(since) => format!(
            "trust {} since {}, among the newest {} decisions",
            report.trust,
            time(since),
            report.looked_through
        ),
        None => format!(
            "trust {}, among the newest {} decisions",
            report.trust, report.looked_through
        ),
    }];
    if report.granted + report.refused > 0 {
        lines.push(format!(
            "granted        {}\nrefused        {}",
            report.granted, report.refused
        ));
    }
    if report.would_grant + report.would_refuse > 0 {
        lines.push(format!(
            "would grant    {} ({} of them were refused)\nwould refuse   {} ({} of them were granted)",
            report.would_grant, report.would_let_in, report.would_refuse, report.would_keep_out
        ));
    }
    if lines.len() == 1 {
        lines.push("it was asked about no JWT".to_owned());
    }
    if !report.reasons.is_empty() {
        let head = ["COUNT", "WHY NOT", "CLAIM", "EXPECTED", "GOT", "LAST SEEN"];
        lines.push(String::new());
        if report.explained < report.not_taken() {
            lines.push(format!("why not, of the newest {}:", report.explained));
        }
        lines.push(table(&report.reasons, &head, row));
    }
    lines.join("\n")
}

fn row(reason: &TrustReason) -> Vec<String> {
    vec![
        reason.count.to_string(),
        reason.rule.to_string(),
        reason.claim.clone(),
        reason.expected.clone(),
        reason.got.clone(),
        reason.last_seen.map(time).unwrap_or_default(),
    ]
}
