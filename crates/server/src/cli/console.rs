//! `grantor console`

use std::io::{self, IsTerminal as _};

use clap::Args;
use grantor::{clock::Clock as _, registry::Role, types::SubjectId};
use serde_json::json;

use super::{Connection, Failure, Global, operator};
use crate::{
    admin::{
        CLOCK, Input,
        subjects::{ListSubjects, ShowSubject, SubjectQuery},
    },
    console,
    pages::Site,
    person::ConsoleLink,
};

/// Print a link that opens the console once, within 5 minutes
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor console
  grantor console --operator alice@example.com
The link is for this terminal alone. Where there is no owner yet, the operator is made one.")]
pub struct Console {
    /// The operator who comes in [default: the only owner, else `admin`, where there is none]
    #[arg(long, value_name = "NAME")]
    operator: Option<SubjectId>,
}

/// The owner who is made where there is none, and nothing else is said.
const FIRST_OWNER: &str = "admin";

impl Console {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        // What goes into a pipe ends up in a log.
        if !global.json && !io::stdout().is_terminal() {
            return Err(Failure::usage(
                "the link opens the console, and standard output is no terminal; run this at a terminal, or with --json",
            ));
        }
        let config = global.start()?;
        let admin = config.admin.as_ref().ok_or_else(|| {
            Failure::usage(
                "the console is not served here; set enabled = true under [admin] in grantor.toml, and start the server again",
            )
        })?;
        let site = Site::of_console(&config.issuer, admin.url.as_deref());
        let store = global.open_or_create(&config).await?;
        let connection = global.here(config.clone(), store.clone());
        let operator = self.operator(&connection).await?;
        let subject = store.subject_source.subject(&operator).await?;
        let subject = subject.filter(|subject| subject.enabled).ok_or_else(|| {
            Failure::failed(format!(
                "subject {operator} is disabled; run: grantor subject enable {operator}"
            ))
        })?;
        let now = CLOCK.now();
        let token = ConsoleLink::make(&*store.artifacts, &subject, now).await?;
        let place = site.url(&format!("{}/open", console::PATH));
        let link = format!("{place}?token={token}");
        let text = format_args!(
            "{link}\n  opens the console as {operator}, once, within 5 minutes, while the server runs"
        );
        let value = json!({"link": link, "operator": operator});
        global.output().done(&value, text)
    }

    /// Who comes in: an operator who is named, else the only owner, who is made where there is none.
    async fn operator(self, connection: &Connection) -> Result<SubjectId, Failure> {
        let of_owners = SubjectQuery {
            role: Some(Role::Owner),
            ..SubjectQuery::default()
        };
        let owners = connection.every::<ListSubjects, _>((), of_owners).await?;
        let owners: Vec<_> = owners.into_iter().map(|listed| listed.subject.id).collect();
        let named = match (self.operator, &owners[..]) {
            (Some(named), _) => named,
            (None, [only]) => only.clone(),
            (None, []) => SubjectId::parse(FIRST_OWNER).expect("a name"),
            (None, [_, _, ..]) => {
                return Err(Failure::usage(
                    "there are several owners; say who comes in with --operator (grantor operator list)",
                ));
            }
        };
        // Nobody's role is raised by it.
        let shown = connection.find(Input::<ShowSubject>::at(named.clone()));
        let role = shown.await?.and_then(|shown| shown.role);
        match (role, owners.is_empty()) {
            (Some(_), _) => Ok(named),
            (None, true) => {
                operator::give(connection, &named, Role::Owner).await?;
                Ok(named)
            }
            (None, false) => Err(Failure::usage(format!(
                "{named} has no role; run: grantor operator create {named} --role owner"
            ))),
        }
    }
}
