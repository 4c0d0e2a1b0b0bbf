//! `grantor statistics`

use clap::{Args, ValueEnum};
use grantor::{
    admin::{CountDocument, StatisticsQuery},
    clock::UnixTime,
    storage::{CountBy, CountStep},
};

use super::{
    Failure, Global,
    output::{table, time},
    parse::since,
};
use crate::admin::{Input, statistics::CountDecisions};

/// Count how many requests were decided, and how
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor statistics                                  the last hour by the minute and outcome
  grantor statistics --step hour --by rule            what was refused in the last day, and for which rule
  grantor statistics --step day --by endpoint         the last 30 days
  grantor statistics --from 2030-01-31T12:00:00Z --to 2030-01-31T12:30:00Z
Every request is counted, also of senders that wait, of which only some decisions are kept. Counts are kept by the minute for 7
days, then by the hour for 400. Times are UTC.")]
pub struct Statistics {
    /// The beginning: how long ago, such as 90m, 12h or 30d, or a time [default: 1h ago by the
    /// minute, 24h by the hour, 30d by the day]
    #[arg(long, value_name = "TIME", value_parser = since)]
    from: Option<UnixTime>,
    /// The end, which is not part of it, likewise [default: now]
    #[arg(long, value_name = "TIME", value_parser = since)]
    to: Option<UnixTime>,
    /// How long the time of each row is
    #[arg(long, value_enum, default_value_t)]
    step: Step,
    /// What the requests of each row have in common
    #[arg(long, value_enum, default_value_t)]
    by: By,
}

/// How long the time of each row is.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Step {
    #[default]
    Minute,
    Hour,
    Day,
}

/// What the requests of a row have in common.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum By {
    /// How they ended
    #[default]
    Outcome,
    /// The rule that was broken: of those refused
    Rule,
    /// The endpoint
    Endpoint,
}

impl Statistics {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let server = global.connect().await?;
        let input = Input::<CountDecisions>::at(()).asking(self.query());
        let told = server.call(input).await?;
        let head = ["TIME", &told.by.name().to_uppercase(), "COUNT"];
        let text = table(&told.counts, &head, row);
        global.output().print(&told, text)
    }

    fn query(self) -> StatisticsQuery {
        StatisticsQuery {
            from: self.from,
            to: self.to,
            step: self.step.into(),
            by: self.by.into(),
        }
    }
}

fn row(count: &CountDocument) -> Vec<String> {
    vec![
        time(count.start),
        count.key.clone(),
        count.count.to_string(),
    ]
}

impl From<Step> for CountStep {
    fn from(step: Step) -> Self {
        match step {
            Step::Minute => Self::Minute,
            Step::Hour => Self::Hour,
            Step::Day => Self::Day,
        }
    }
}

impl From<By> for CountBy {
    fn from(by: By) -> Self {
        match by {
            By::Outcome => Self::Outcome,
            By::Rule => Self::Rule,
            By::Endpoint => Self::Endpoint,
        }
    }
}
