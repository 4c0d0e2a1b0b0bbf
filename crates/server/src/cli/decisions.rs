//! `grantor decisions`

mod shown;

use std::time::Duration;

use clap::{Args, Subcommand};
use grantor::{
    admin::{self, Decisions},
    assertion::Usage,
    clock::{Clock as _, UnixTime},
    server::{Decision, Outcome},
    storage::{DecisionFilter, Start},
    types::{self, GrantType, Name, Scope},
};

use self::shown::Shown;
use super::{
    Administered, CLOCK, Failure, Global,
    advice::Refused,
    assertion::table,
    output::time,
    parse::duration,
    records::{self, Columns, PAGE, Part},
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
}

/// List the newest decisions, oldest first
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    filter: Filter,
    /// Only of the last 15m, 12h, 30d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<Duration>,
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
        let admin = global.administer()?;
        let output = global.output();
        match self {
            Self::List(List {
                filter,
                since,
                limit,
            }) => {
                let since = since.map(|since| {
                    UnixTime::from_millis(CLOCK.now().millis() - since.as_millis() as i64)
                });
                let mut filter = DecisionFilter::from(filter);
                filter.since = since;
                let read = async |start| part(admin.decisions(), &filter, start).await;
                records::list(read, limit, &COLUMNS, global).await
            }
            Self::Tail(filter) => {
                let filter = filter.into();
                let read = async |start| part(admin.decisions(), &filter, start).await;
                records::follow(read, &COLUMNS, output).await
            }
            Self::Show(Show { id }) => {
                let document = admin.decisions().get(&id, &admin.clients()).await?;
                let advice = advice(&admin, &document.decision).await?;
                let shown = Shown {
                    document: &document,
                    advice,
                };
                output.print(&shown, &shown)
            }
        }
    }
}

/// What to do about a refusal, where that depends on the issuer of its JWT, or on a trust.
async fn advice(admin: &Administered, decision: &Decision) -> Result<Option<String>, Failure> {
    let Outcome::Refused { rule, cause, .. } = &decision.outcome else {
        return Ok(None);
    };
    let claimed = decision.claimed_issuer.as_ref();
    let claimed = claimed.or(decision.claimed_client.as_ref());
    let explained = decision.explanation.as_ref();
    let is_grant = decision.grant_type.as_ref() == Some(&GrantType::JWT_BEARER);
    let refused = Refused {
        rule,
        cause,
        usage: match is_grant {
            true => Usage::Grant,
            false => Usage::ClientAuthentication,
        },
        issuer: decision.issuer.as_ref().map(Name::as_str),
        claimed: claimed.map(types::Shown::as_str),
        taken: decision.trust.as_ref(),
        trusts: explained.map_or(&[][..], |explanation| &explanation.trusts),
    };
    refused.advice(admin).await
}

impl From<Filter> for DecisionFilter {
    fn from(filter: Filter) -> Self {
        let Filter {
            refused,
            id,
            party,
            rule,
        } = filter;
        let mut wanted = Self::default();
        wanted.refused = refused;
        (wanted.id, wanted.party, wanted.rule) = (id, party, rule);
        wanted
    }
}

/// Those that pass.
async fn part(
    decisions: Decisions<'_>,
    filter: &DecisionFilter,
    start: Start,
) -> Result<Part<Decision>, admin::Error> {
    let page = decisions.page(filter, start, PAGE).await?;
    Ok(Part {
        records: page.decisions,
        count: page.count,
        next: page.next,
    })
}

const COLUMNS: Columns<Decision, 6> = Columns {
    head: ["TIME", "ID", "OUTCOME", "FROM", "PARTY", "CAUSE"],
    row,
};

fn row(decision: &Decision) -> Vec<String> {
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
