//! `grantor subject`

use std::time::Duration;

use clap::{Args, Subcommand};
use grantor::{
    admin::{self, Error, Standing, SubjectDocument, SubjectFilter, time_text},
    clock::Clock as _,
    types::SubjectId,
};
use serde_json::json;

use super::{Administered, CLOCK, Failure, Global, Output, PAGE, every, parse};
use crate::{admin::look_alike, person::Invitation};

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
    /// Make a link by which a person sets up how to sign in; one that was made before ends
    Invite(Invite),
}

/// Whom an invitation is for.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor subject invite alice@example.com
  grantor subject invite alice@example.com --recover --lifetime 1h")]
pub struct Invite {
    /// The value of `sub`
    id: SubjectId,
    /// End the person's sessions and earlier password when the invitation is accepted
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
        !matches!(self, Self::List | Self::Invite(_))
    }

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
                admin.subjects().delete(&id, admin.actor()).await?;
                done(output, &id, "deleted")
            }
            Self::Invite(invite) => invite.run(global).await,
        }
    }
}

async fn create(global: &Global, id: SubjectId) -> Result<(), Failure> {
    let config = global.start()?;
    let document = SubjectDocument::new(id.clone());
    document.check()?;
    let admin = global.administered(&config, global.open_or_create(&config)?);
    for warning in look_alike::warning(&admin.store, id.as_str()).await? {
        tracing::warn!("{warning}");
    }
    admin.subjects().create(document, admin.actor()).await?;
    done(global.output(), &id, "created")
}

impl Invite {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let (config, store) = global.open()?;
        if config.person.is_none() {
            return Err(Failure::failed(
                "nobody can sign in at this server: its configuration has no section [person]; add it, and start the server again",
            ));
        }
        let longest = Duration::from_secs(30 * 86_400);
        if self.lifetime.is_zero() || self.lifetime > longest {
            return Err(Failure::usage("--lifetime is between 1s and 30d"));
        }
        let subject = store.subjects().get(&self.id).await.map_err(Error::from)?;
        let subject = subject.ok_or_else(|| Error::NotFound(admin::Named::Subject(self.id)))?;
        let now = CLOCK.now();
        let made = Invitation::make(
            &*store.artifacts,
            &subject,
            self.recover,
            grantor::registry::Role::Owner,
            now,
            self.lifetime,
        );
        let token = made.await.map_err(Error::from)?;
        let link = format!("{}?token={token}", config.issuer.endpoint("invitation"));
        let until = now.plus(self.lifetime);
        let value = json!({"subject": subject.id, "link": link, "expires_at": time_text(until)});
        let text = format_args!(
            "{link}\n  for {}, until {}; it works once, and is not shown again",
            subject.id,
            time_text(until)
        );
        global.output().done(&value, text)
    }
}

async fn enable(
    admin: &Administered,
    id: &SubjectId,
    standing: Standing,
    output: Output,
) -> Result<(), Failure> {
    let subjects = admin.subjects();
    subjects.set_standing(id, standing, admin.actor()).await?;
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
