//! `grantor decisions`

mod shown;

use std::time::Duration;

use clap::{Args, Subcommand};
use grantor::{
    clock::{Clock as _, UnixTime},
    server::Outcome,
    storage::DecisionFilter,
    types::Scope,
};

use self::shown::Shown;
use super::{
    CLOCK, Failure, Global,
    assertion::table,
    output::time,
    parse::{duration, since},
    records::{self, Columns, Reader},
};
use crate::admin::{
    Input,
    decisions::{Kept, ListDecisions, ShowDecision},
};

/// Find out why requests were granted or refused
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  grantor decisions show x0dk2vq8c3pmz7t              the id that the error answer carried
  grantor decisions list --refused --since 1h
  grantor decisions list --party billing --rule aud
  grantor decisions tail --refused")]
pub enum DecisionsCommand {
    /// List the newest decisions, oldest first
    List(List),
    /// Print decisions as they are made, until interrupted
    Tail(Filter),
    /// Show one decision: of a refused assertion every rule, expected and got, and what to do
    Show(Show),
}

/// Which decisions.
#[derive(Debug, Args)]
pub struct Filter {
    /// Only refused requests
    #[arg(long)]
    refused: bool,
    /// Only the decision with this id
    #[arg(long, value_name = "CORRELATION", allow_hyphen_values = true)]
    id: Option<String>,
    /// Only decisions about this client
    #[arg(long, value_name = "CLIENT")]
    party: Option<String>,
    /// Only requests refused for this rule, such as aud, exp, replay
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// Only those of this client: the one that authenticated, else the one that was claimed
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Only those of this issuer: by its name where it signed, or by the `iss` that was claimed
    #[arg(long = "from", value_name = "ISS")]
    from: Option<String>,
    /// Only those of this trust
    #[arg(long, value_name = "NAME")]
    trust: Option<String>,
    /// Only those about this subject
    #[arg(long, value_name = "SUB")]
    subject: Option<String>,
    /// Only those of this endpoint, such as token, introspect, authorize, admin
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
}

/// List the newest decisions, oldest first
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    filter: Filter,
    /// Only of the last 15m, 12h, 30d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<Duration>,
    /// Only those older than this: a time such as 2027-01-15T08:00:00Z, or how long ago
    #[arg(long, value_name = "TIME", value_parser = since)]
    until: Option<UnixTime>,
    /// Most decisions
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: u32,
}

/// Show one decision
#[derive(Debug, Args)]
pub struct Show {
    /// The id that the error answer carried
    #[arg(value_name = "CORRELATION", allow_hyphen_values = true)]
    id: String,
}

impl DecisionsCommand {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let server = &global.connect().await?;
        let output = global.output();
        let reader = |filter| Reader::<ListDecisions> { server, filter };
        match self {
            Self::List(List {
                filter,
                since,
                until,
                limit,
            }) => {
                let since = since.map(|since| {
                    UnixTime::from_millis(CLOCK.now().millis() - since.as_millis() as i64)
                });
                let mut filter = DecisionFilter::from(filter);
                (filter.since, filter.until) = (since, until);
                records::list(&reader(filter), limit, &COLUMNS, global).await
            }
            Self::Tail(filter) => records::follow(&reader(filter.into()), &COLUMNS, output).await,
            Self::Show(Show { id }) => {
                let shown = server.call::<ShowDecision>(Input::at(id)).await?;
                output.print(&shown, Shown(&shown))
            }
        }
    }
}

impl From<Filter> for DecisionFilter {
    fn from(filter: Filter) -> Self {
        let mut wanted = Self::default();
        wanted.refused = filter.refused;
        (wanted.id, wanted.party, wanted.rule) = (filter.id, filter.party, filter.rule);
        (wanted.client, wanted.issuer, wanted.trust) = (filter.client, filter.from, filter.trust);
        (wanted.subject, wanted.endpoint) = (filter.subject, filter.endpoint);
        wanted
    }
}

const COLUMNS: Columns<Kept, 6> = Columns {
    head: ["TIME", "ID", "OUTCOME", "FROM", "PARTY", "CAUSE"],
    row,
};

fn row(Kept(decision): &Kept) -> Vec<String> {
    let scope = || decision.scope.as_ref().map(Scope::to_string);
    let (outcome, cause) = match &decision.outcome {
        Outcome::Refused { rule, cause, .. } => ("refused", format!("{rule}: {cause}")),
        Outcome::Granted => ("granted", scope().unwrap_or_default()),
        Outcome::Undecided => ("undecided", scope().unwrap_or_default()),
    };
    let sender = decision.sender.map(|sender| sender.to_string());
    vec![
        time(decision.at),
        decision.id.to_string(),
        format!("{} {outcome}", decision.endpoint),
        sender.unwrap_or_default(),
        decision.party().unwrap_or_default().to_owned(),
        cause,
    ]
}
