//! `grantor subject`

use clap::{Args, Subcommand};
use grantor::{clock::Clock as _, registry::Subject, storage::StoreError, types::SubjectId};
use serde::Serialize;
use serde_json::json;

use super::{CLOCK, Failure, Global, actor, look_alike, output::time};

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

/// A subject as operators see it.
#[derive(Serialize)]
struct View {
    id: SubjectId,
    enabled: bool,
    created_at: Option<String>,
}

impl View {
    fn of(subject: &Subject) -> Self {
        Self {
            id: subject.id.clone(),
            enabled: subject.enabled,
            created_at: subject.created_at.map(time),
        }
    }
}

impl SubjectCommand {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let store = match &self {
            Self::Create(_) => global.open_or_create(&global.start()?)?,
            _ => global.open()?.1,
        };
        let output = global.output();
        let (id, outcome, word) = match self {
            Self::List => {
                let subjects: Vec<View> = store
                    .subjects()
                    .all()
                    .await?
                    .iter()
                    .map(|subject| View::of(subject))
                    .collect();
                return output.print_list(&subjects, &["SUBJECT", "STATE"], |subject| {
                    let state = if subject.enabled {
                        "enabled"
                    } else {
                        "disabled"
                    };
                    vec![subject.id.to_string(), state.to_owned()]
                });
            }
            Self::Create(Named { id }) => {
                look_alike::warn(&store, id.as_str()).await?;
                let outcome = store
                    .subjects()
                    .create(
                        Subject::new(id.clone()).registered_at(CLOCK.now()),
                        &actor(),
                    )
                    .await
                    .map(drop);
                (id, outcome, "created")
            }
            Self::Disable(Named { id }) => {
                let outcome = store
                    .subjects()
                    .change(&id, &actor(), |subject: &Subject| {
                        Ok::<_, StoreError>(subject.clone().disabled())
                    })
                    .await
                    .map(drop);
                (id, outcome, "disabled")
            }
            Self::Enable(Named { id }) => {
                let outcome = store
                    .subjects()
                    .change(&id, &actor(), |subject: &Subject| {
                        Ok::<_, StoreError>(subject.clone().enabled())
                    })
                    .await
                    .map(drop);
                (id, outcome, "enabled")
            }
            Self::Delete(Named { id }) => {
                let outcome = store.subjects().delete(&id, &actor()).await;
                (id, outcome, "deleted")
            }
        };
        outcome.map_err(|error| match error {
            StoreError::Missing(_) => Failure::failed(format!("subject {id} does not exist")),
            StoreError::Exists(_) => {
                Failure::failed(format!("a client or subject named {id} exists already"))
            }
            other => other.into(),
        })?;
        output.done(
            &json!({"subject": id, "done": word}),
            format_args!("subject {id} {word}"),
        )
    }
}
