//! `grantor export`

use clap::Args;
use grantor::{
    admin::{Export as Documents, Kind},
    jose::json::{Object, Value},
    types::escaped_json,
};

use super::{Failure, Global, connection::Connection, output};

/// Print all that is registered, in the form that `grantor apply` reads
///
/// Without secrets, without what people have allowed, and without what the server keeps of each. As
/// TOML, or with --json as JSON.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor export > registry.toml
  grantor export --json | jq '.client[].client_id'")]
pub struct Export {}

impl Export {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let connection = global.connect()?;
        let Connection::Here(admin) = &connection else {
            return Err(Failure::usage("this is done on this machine only"));
        };
        let documents = admin.plans().export();
        match global.json {
            true => as_json(documents).await,
            false => as_toml(documents).await,
        }
    }
}

/// Document by document, so that none has to wait for all.
async fn as_toml(mut documents: Documents<'_>) -> Result<(), Failure> {
    let mut is_first = true;
    while let Some((kind, document)) = documents.next().await? {
        let mut file = Object::new();
        file.insert(
            kind.as_str().to_owned(),
            Value::Array(vec![document.into()]),
        );
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
        let document = escaped_json(&Value::Object(document).to_string());
        print(&format!("{start}{document}"))?;
    }
    print(if before.is_some() { "]}\n" } else { "}\n" })
}

fn print(text: &str) -> Result<(), Failure> {
    output::write(format_args!("{text}"))
        .map_err(|error| Failure::unprinted("what is registered could not be printed", &error))
}
