//! `grantor export`

use std::collections::VecDeque;

use clap::Args;
use grantor::{
    admin::{Export, Kind},
    jose::json::{Object, Value},
    types::escaped_json,
};

use super::{Failure, Global, connection::Connection, output};
use crate::admin::{
    Input, Remote,
    plan::{self as operations, ExportQuery},
};

/// Print all that is registered, in the form that `grantor apply` reads
///
/// Without secrets, without what people have allowed, and without what the server keeps of each. As
/// TOML, or with --json as JSON.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor export > registry.toml
  grantor export --json | jq '.client[].client_id'")]
pub struct ExportCommand {}

impl ExportCommand {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let connection = global.connect().await?;
        let documents = Documents::of(&connection);
        match global.json {
            true => as_json(documents).await,
            false => as_toml(documents).await,
        }
    }
}

/// The documents, one after the other.
enum Documents<'a> {
    Here(Box<Export<'a>>),
    There {
        remote: &'a Remote,
        /// Where the next portion begins; `None` behind the last.
        next: Option<ExportQuery>,
        ready: VecDeque<(Kind, Value)>,
    },
}

impl<'a> Documents<'a> {
    fn of(connection: &'a Connection) -> Self {
        match connection {
            Connection::Here(admin) => Self::Here(Box::new(admin.plans().export())),
            Connection::There(remote) => Self::There {
                remote,
                next: Some(ExportQuery::default()),
                ready: VecDeque::new(),
            },
        }
    }

    async fn next(&mut self) -> Result<Option<(Kind, Value)>, Failure> {
        match self {
            Self::Here(export) => {
                let next = export.next().await?;
                Ok(next.map(|(kind, document)| (kind, Value::Object(document))))
            }
            Self::There {
                remote,
                next,
                ready,
            } => {
                while ready.is_empty()
                    && let Some(query) = next.take()
                {
                    let input = Input::<operations::Export>::at(()).asking(query);
                    let mut portion = remote.call(&input).await?;
                    for kind in Kind::ALL {
                        let documents = std::mem::take(portion.resources.of_mut(kind));
                        ready.extend(documents.into_iter().map(|document| (kind, document)));
                    }
                    let after = portion.next;
                    *next = after.map(|after| ExportQuery { after: Some(after) });
                }
                Ok(ready.pop_front())
            }
        }
    }
}

/// Document by document, so that none has to wait for all.
async fn as_toml(mut documents: Documents<'_>) -> Result<(), Failure> {
    let mut is_first = true;
    while let Some((kind, document)) = documents.next().await? {
        let mut file = Object::new();
        file.insert(kind.as_str().to_owned(), Value::Array(vec![document]));
        let text = toml::to_string(&file).map_err(Failure::failed)?;
        let gap = if is_first { "" } else { "\n" };
        print(&format!("{gap}{text}"))?;
        is_first = false;
    }
    match is_first {
        true => print("# nothing is registered\n"),
        false => Ok(()),
    }
}

async fn as_json(mut documents: Documents<'_>) -> Result<(), Failure> {
    let mut before: Option<Kind> = None;
    print("{")?;
    while let Some((kind, document)) = documents.next().await? {
        let start = match before.replace(kind) {
            None => format!("\"{kind}\":[\n"),
            Some(same) if same == kind => ",\n".to_owned(),
            Some(_) => format!("],\n\"{kind}\":[\n"),
        };
        let document = escaped_json(&document.to_string());
        print(&format!("{start}{document}"))?;
    }
    print(if before.is_some() { "]}\n" } else { "}\n" })
}

fn print(text: &str) -> Result<(), Failure> {
    output::write(format_args!("{text}"))
        .map_err(|error| Failure::unprinted("what is registered could not be printed", &error))
}
