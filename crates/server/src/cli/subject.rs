//! `grantor subject`

use clap::{Args, Subcommand};
use grantor::{
    admin::{Standing, SubjectDocument, SubjectFilter},
    types::SubjectId,
};
use serde_json::json;

use super::{Administered, Failure, Global, Output, PAGE, actor, every, look_alike};

/// Register and change subjects: those whom clients may act for
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:
  grantor subject create alice@example.com
  grantor permission create billing alice@example.com --scope 'invoices:read'")]
pub enum SubjectCommand {
    /// Register a subject
    Create(Named),
    /// List all subjects
    List,
    /// Issue no more tokens about a subject
    Disable(Named),
    /// Issue tokens about a disabled subject again
    Enable(Named),
    /// Remove a subject with all permissions for it
    Delete(Named),
}

/// The subject a command is about.
#[derive(Debug, Args)]
pub struct Named {
    /// The value of `sub`
    id: SubjectId,
}

impl SubjectCommand {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let output = global.output();
        match self {
            Self::Create(Named { id }) => create(global, id).await,
            Self::List => list(&global.administer()?, output).await,
            Self::Disable(Named { id }) => {
                enable(&global.administer()?, &id, Standing::Disabled, output).await
            }
            Self::Enable(Named { id }) => {
                enable(&global.administer()?, &id, Standing::Enabled, output).await
            }
            Self::Delete(Named { id }) => {
                let admin = global.administer()?;
                admin.subjects().delete(&id, &actor()).await?;
                done(output, &id, "deleted")
            }
        }
    }
}

async fn create(global: &Global, id: SubjectId) -> Result<(), Failure> {
    let config = global.start()?;
    let document = SubjectDocument::new(id.clone());
    document.check()?;
    let admin = Administered::new(&config, global.open_or_create(&config)?);
    look_alike::warn(&admin.store, id.as_str()).await?;
    admin.subjects().create(document, &actor()).await?;
    done(global.output(), &id, "created")
}

async fn enable(
    admin: &Administered,
    id: &SubjectId,
    standing: Standing,
    output: Output,
) -> Result<(), Failure> {
    let subjects = admin.subjects();
    subjects.set_standing(id, standing, &actor()).await?;
    let word = match standing {
        Standing::Enabled => "enabled",
        Standing::Disabled => "disabled",
    };
    done(output, id, word)
}

async fn list(admin: &Administered, output: Output) -> Result<(), Failure> {
    let subjects = every(async |after| {
        let all = SubjectFilter::default();
        admin.subjects().page(&all, after, PAGE).await
    });
    output.print_list(&subjects.await?, &["SUBJECT", "STATE"], |subject| {
        let state = if subject.enabled {
            "enabled"
        } else {
            "disabled"
        };
        vec![subject.id.to_string(), state.to_owned()]
    })
}

fn done(output: Output, id: &SubjectId, word: &str) -> Result<(), Failure> {
    output.done(
        &json!({"subject": id, "done": word}),
        format_args!("subject {id} {word}"),
    )
}
