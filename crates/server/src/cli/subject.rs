//! `grantor subject`

use clap::{Args, Subcommand};
use grantor::{
    storage::{StoreError, Subject, SubjectRegistry as _},
    types::SubjectId,
};
use serde_json::json;

use super::{Failure, Global};

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
        let (_, store) = global.open()?;
        let output = global.output();
        let (id, outcome, word) = match self {
            Self::List => {
                let subjects = store.subject_list().await?;
                output.print_list(&subjects, &["SUBJECT", "STATE"], |subject| {
                    let state = if subject.enabled { "enabled" } else { "disabled" };
                    vec![subject.id.to_string(), state.to_owned()]
                });
                return Ok(());
            }
            Self::Create(Named { id }) => {
                let outcome = store.subject_create(Subject { id: id.clone(), enabled: true }).await;
                (id, outcome, "created")
            }
            Self::Disable(Named { id }) => {
                let outcome = store.subject_update(Subject { id: id.clone(), enabled: false }).await;
                (id, outcome, "disabled")
            }
            Self::Enable(Named { id }) => {
                let outcome = store.subject_update(Subject { id: id.clone(), enabled: true }).await;
                (id, outcome, "enabled")
            }
            Self::Delete(Named { id }) => {
                let outcome = store.subject_delete(&id).await;
                (id, outcome, "deleted")
            }
        };
        outcome.map_err(|error| match error {
            StoreError::Missing(_) => Failure::failed(format!("subject {id} does not exist")),
            StoreError::Exists(_) => Failure::failed(format!("a client or subject named {id} exists already")),
            other => other.into(),
        })?;
        output.print(&json!({"subject": id, "done": word}), format_args!("subject {id} {word}"));
        Ok(())
    }
}
