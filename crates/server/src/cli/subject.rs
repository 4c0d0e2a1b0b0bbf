//! `grantor subject`

use std::time::Duration;

use clap::{Args, Subcommand};
use grantor::{
    admin::{Patch, Standing, SubjectDocument, time_text},
    registry::CredentialId,
    types::SubjectId,
};
use serde_json::{Value, json};

use super::{Connection, Failure, Global, Output, connection::warn, parse};
use crate::{
    admin::{
        Input,
        subjects::{
            CreateSubject, DeleteCredentials, DeletePasskey, DeleteSubject, InvitationBody,
            InviteSubject, ListSubjects, ShowCredentials, SubjectQuery, UpdateSubject,
        },
    },
    person::Invitation,
};

/// Register and change subjects: those whom clients may act for
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:
  grantor subject create alice@example.com --display-name Alice --language fr
  grantor permission create billing alice@example.com --scope 'invoices:read'")]
pub enum SubjectCommand {
    /// Register a subject
    Create(Described),
    /// Change how pages address a subject: what is named is replaced, the rest stays
    Update(Described),
    /// List all subjects
    List,
    /// Issue no more tokens about a subject
    Disable(Named),
    /// Issue tokens about a disabled subject again
    Enable(Named),
    /// Remove a subject with all permissions for it
    Delete(Named),
    /// Make a link by which a person sets up how to sign in; one that was made before ends
    Invite(Invite),
    /// Show how a person signs in: password and passkeys, without anything to sign in with
    Credentials(Named),
    /// Take all that a person signs in with, or one passkey; an invitation lets them in again
    RemoveCredentials(RemoveCredentials),
}

/// A subject, and how pages address it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor subject create alice@example.com --display-name Alice
  grantor subject update alice@example.com --language fr
  grantor subject update alice@example.com --display-name '' --language ''     as at first")]
pub struct Described {
    /// The value of `sub`
    id: SubjectId,
    /// What operators call it; '' for its id
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// The language in which it wants to be addressed, en or fr; '' for none
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,
}

/// What is taken, and from whom.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor subject remove-credentials alice@example.com
  grantor subject remove-credentials alice@example.com --passkey mV3vlf0PbyYqxUjMVSHnMg")]
pub struct RemoveCredentials {
    /// The value of `sub`
    id: SubjectId,
    /// Only the passkey with this id, as `subject credentials` shows it
    #[arg(long, value_name = "CREDENTIAL", allow_hyphen_values = true)]
    passkey: Option<CredentialId>,
}

/// Whom an invitation is for.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor subject invite alice@example.com
  grantor subject invite alice@example.com --recover --lifetime 1h")]
pub struct Invite {
    /// The value of `sub`
    id: SubjectId,
    /// End the person's sessions, passkeys and earlier password when the invitation is accepted
    #[arg(long)]
    recover: bool,
    /// How long the link works: 15m, 12h, 3d
    #[arg(long, value_name = "TIME", default_value = "72h", value_parser = parse::duration)]
    lifetime: Duration,
}

/// The subject a command is about.
#[derive(Debug, Args)]
pub struct Named {
    /// The value of `sub`
    id: SubjectId,
}

impl SubjectCommand {
    /// Whether it changes what is registered.
    pub fn is_change(&self) -> bool {
        !matches!(self, Self::List | Self::Credentials(_))
    }

    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let output = global.output();
        match self {
            Self::Create(described) => described.create(global).await,
            Self::Update(described) => described.update(&global.connect().await?, output).await,
            Self::List => list(&global.connect().await?, output).await,
            Self::Disable(Named { id }) => {
                enable(&global.connect().await?, &id, Standing::Disabled, output).await
            }
            Self::Enable(Named { id }) => {
                enable(&global.connect().await?, &id, Standing::Enabled, output).await
            }
            Self::Delete(Named { id }) => {
                let input = Input::<DeleteSubject>::at(id.clone());
                global.connect().await?.call(input).await?;
                done(output, &id, "deleted")
            }
            Self::Invite(invite) => invite.run(global).await,
            Self::Credentials(Named { id }) => {
                credentials(&global.connect().await?, id, output).await
            }
            Self::RemoveCredentials(remove) => remove.run(&global.connect().await?, output).await,
        }
    }
}

impl Described {
    /// The members that are named; an empty text is their default.
    fn patch(&self) -> Patch {
        let mut patch = Patch::default();
        for (member, text) in [
            ("display_name", &self.display_name),
            ("language", &self.language),
        ] {
            patch = match text.as_deref() {
                None => patch,
                Some("") => patch.with(member, Value::Null),
                Some(text) => patch.with(member, text),
            };
        }
        patch
    }

    async fn create(self, global: &Global) -> Result<(), Failure> {
        let document = SubjectDocument::new(self.id.clone()).with(&self.patch())?;
        document.check()?;
        let connection = global.connect_or_create().await?;
        let made = connection.call(Input::<CreateSubject>::with((), document));
        warn(&made.await?.warnings);
        done(global.output(), &self.id, "created")
    }

    async fn update(self, connection: &Connection, output: Output) -> Result<(), Failure> {
        let patch = self.patch();
        let input = Input::<UpdateSubject>::with(self.id.clone(), patch.into());
        let changed = connection.call(input).await?;
        output.done(&changed, format_args!("subject {} updated", self.id))
    }
}

impl Invite {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        if self.lifetime.is_zero() || self.lifetime > Invitation::LONGEST {
            return Err(Failure::usage("--lifetime is between 1s and 30d"));
        }
        let connection = global.connect().await?;
        let body = InvitationBody {
            lifetime: Some(self.lifetime.as_secs().max(1)),
            recover: self.recover,
        };
        let made = connection.call(Input::<InviteSubject>::with(self.id, body));
        let made = made.await?;
        let (subject, until) = (&made.subject, time_text(made.expires_at));
        let text = format_args!(
            "{}\n  for {subject}, until {until}; it works once, and is not shown again",
            made.link
        );
        let value = json!({"subject": subject, "link": made.link, "expires_at": until});
        global.output().done(&value, text)
    }
}

async fn credentials(
    connection: &Connection,
    id: SubjectId,
    output: Output,
) -> Result<(), Failure> {
    let shown = Input::<ShowCredentials>::at(id.clone());
    let shown = connection.call(shown).await?;
    let mut lines = Vec::new();
    if let Some(password) = &shown.password {
        lines.push(format!("password, set {}", time_text(password.changed_at)));
    }
    lines.extend(shown.passkeys.iter().map(|passkey| {
        let (name, id) = (&passkey.name, &passkey.credential);
        let used = match passkey.used_at {
            Some(at) => format!("last used {}", time_text(at)),
            None => "not used".to_owned(),
        };
        let made = time_text(passkey.created_at);
        format!("passkey {name}, made {made}, {used}: {id}")
    }));
    if lines.is_empty() {
        lines.push(format!(
            "{id} has nothing to sign in with; see: grantor subject invite"
        ));
    }
    output.print(&shown, lines.join("\n"))
}

impl RemoveCredentials {
    async fn run(self, connection: &Connection, output: Output) -> Result<(), Failure> {
        let id = self.id;
        match self.passkey {
            Some(passkey) => {
                let input = Input::<DeletePasskey>::at((id.clone(), passkey.clone()));
                connection.call(input).await?;
                output.done(
                    &json!({"subject": id, "removed": passkey.as_str()}),
                    format_args!("passkey removed from subject {id}"),
                )
            }
            None => {
                let input = Input::<DeleteCredentials>::at(id.clone());
                connection.call(input).await?;
                output.done(
                    &json!({"subject": id, "removed": "credentials"}),
                    format_args!("{id} has nothing to sign in with any more"),
                )
            }
        }
    }
}

async fn enable(
    connection: &Connection,
    id: &SubjectId,
    standing: Standing,
    output: Output,
) -> Result<(), Failure> {
    let patch = Patch::default().with("enabled", standing == Standing::Enabled);
    let input = Input::<UpdateSubject>::with(id.clone(), patch.into());
    connection.call(input).await?;
    let word = match standing {
        Standing::Enabled => "enabled",
        Standing::Disabled => "disabled",
    };
    done(output, id, word)
}

async fn list(connection: &Connection, output: Output) -> Result<(), Failure> {
    let subjects = connection.every::<ListSubjects, _>((), SubjectQuery::default());
    output.print_list(&subjects.await?, &["SUBJECT", "STATE"], |state| {
        let word = match state.subject.enabled {
            true => "enabled",
            false => "disabled",
        };
        let role = state.role.map(|role| format!(", {role}"));
        vec![
            state.subject.id.to_string(),
            format!("{word}{}", role.unwrap_or_default()),
        ]
    })
}

fn done(output: Output, id: &SubjectId, word: &str) -> Result<(), Failure> {
    output.done(
        &json!({"subject": id, "done": word}),
        format_args!("subject {id} {word}"),
    )
}
