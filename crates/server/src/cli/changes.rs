//! `grantor changes`

use clap::{Args, Subcommand};
use grantor::{
    admin::{ChangeDocument, Difference},
    clock::UnixTime,
    registry::Action,
    storage::ChangeFilter,
    types::escaped,
};

use super::{
    Failure, Global, difference,
    output::{table, time},
    parse::since,
    records::{self, Columns, Reader},
};
use crate::admin::{
    Input,
    changes::{ListChanges, ShowChange},
};

/// Find out who changed what, when and why
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  grantor client disable billing --reason 'INC-4711: its key was in a log'
  grantor changes list --resource client --name billing
  grantor changes list --actor unknown --since 30d      made directly in the database
  grantor changes show 42                               what differs, member by member
  grantor changes tail --json

Keys and secrets that were made here appear as fingerprints; of a password, that it was set.")]
pub enum ChangesCommand {
    /// List the newest changes, oldest first
    List(List),
    /// Show one change: who, by which way and why, and each member that differs, before and now
    Show(Show),
    /// Print changes as they are made, until interrupted
    Tail(Filter),
}

/// Which changes: those that are everything of what is named.
#[derive(Debug, Args)]
pub struct Filter {
    /// Only of this kind: client, subject, permission, scope, issuer, trust, signing_key, password,
    /// passkey, replay_fence, replay_windows
    #[arg(long, value_name = "KIND")]
    resource: Option<String>,
    /// Only of resources of this name, as the list has it
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    name: Option<String>,
    /// Only by this party, as the list has it, such as 'local user 1000', 'person alice', unknown
    #[arg(long, value_name = "WHO")]
    actor: Option<String>,
}

/// List the newest changes, oldest first
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    filter: Filter,
    /// Only of the last 15m, 12h, 30d; or from a time on, such as 2027-01-15T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<UnixTime>,
    /// Most changes
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: u32,
}

/// Show one change
#[derive(Debug, Args)]
pub struct Show {
    /// Its number, as `grantor changes list` has it
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    id: String,
}

impl ChangesCommand {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let server = &global.connect().await?;
        let reader = |filter| Reader::<ListChanges> { server, filter };
        match self {
            Self::List(List {
                filter,
                since,
                limit,
            }) => {
                let mut filter = ChangeFilter::from(filter);
                filter.since = since;
                records::list(&reader(filter), limit, &COLUMNS, global).await
            }
            Self::Show(Show { id }) => {
                let change = server.call::<ShowChange>(Input::at(id)).await?;
                global.output().print(&change, shown(&change))
            }
            Self::Tail(filter) => {
                records::follow(&reader(filter.into()), &COLUMNS, global.output()).await
            }
        }
    }
}

impl From<Filter> for ChangeFilter {
    fn from(filter: Filter) -> Self {
        let mut wanted = Self::default();
        wanted.resource = filter.resource;
        wanted.name = filter.name;
        wanted.actor = filter.actor;
        wanted
    }
}

const COLUMNS: Columns<ChangeDocument, 8> = Columns {
    head: [
        "ID", "TIME", "WHO", "WAY", "ACTION", "RESOURCE", "NAME", "REASON",
    ],
    row,
};

fn row(change: &ChangeDocument) -> Vec<String> {
    vec![
        change.id.to_string(),
        time(change.at),
        change.actor.who.to_string(),
        change.actor.way.to_string(),
        change.action.to_string(),
        change.resource.clone(),
        change.name.clone(),
        change.actor.reason.clone().unwrap_or_default(),
    ]
}

/// What is known of it, and what differs.
fn shown(change: &ChangeDocument) -> String {
    let actor = &change.actor;
    let facts = [
        ("change", Some(change.id.to_string())),
        ("time", Some(time(change.at))),
        ("who", Some(actor.who.to_string())),
        ("way", Some(actor.way.to_string())),
        ("reason", actor.reason.clone()),
        ("address", actor.address.map(|address| address.to_string())),
        ("request", actor.request.clone()),
        ("resource", Some(change.resource.clone())),
        ("name", Some(change.name.clone())),
        ("action", Some(change.action.to_string())),
    ];
    let lines: Vec<_> = facts
        .into_iter()
        .filter_map(|(name, fact)| Some(format!("{name:8}  {}", escaped(&fact?))))
        .collect();
    let differences = match (&*change.differences, change.action) {
        ([], Action::Replace) => "nothing differs".to_owned(),
        (differences, _) => table(differences, &["MEMBER", "BEFORE", "NOW"], member),
    };
    format!("{}\n\n{differences}", lines.join("\n"))
}

fn member(difference: &Difference) -> Vec<String> {
    let mut row = difference::row(difference);
    if difference.member.is_empty() {
        row[0] = "(all)".to_owned();
    }
    row
}
