//! `grantor replay`

use clap::{Args, Subcommand};
use grantor::registry::{Action, ChangeRecord};
use serde_json::json;

use super::{Failure, Global, output::time};

/// Guard what is known of used assertions
#[derive(Debug, Subcommand)]
pub enum ReplayCommand {
    /// Refuse what may have been used before now: after a restore or a loss in the database
    Fence(Fence),
    /// Have all nodes remember assertions as the configuration says
    Windows(Windows),
}

/// Refuse what may have been used before now: after a restore or a loss in the database
///
/// Where uses of assertions and revocations of tokens may have been lost, a used assertion or a revoked
/// token would be accepted again. From the fence on, an assertion is taken only if it was issued after
/// it (iat), or, without iat, if it cannot have been used before; tokens of before are inactive at
/// introspection. Clients send a new assertion, which is taken after assertion.leeway_seconds. Nodes
/// raise the fence by themselves where they see the loss.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  grantor replay fence --raise --reason 'restored from the snapshot of 3:00'")]
pub struct Fence {
    /// Do it
    #[arg(long)]
    raise: bool,
}

/// Have all nodes remember assertions as the configuration says
///
/// How long an assertion is remembered follows from the issuer, the leeway and the longest life of an
/// assertion. On PostgreSQL these are the same on all nodes: one that accepts for longer than others
/// remember would let a used assertion in again. To change them: stop all nodes, change the
/// configuration of each, run this once, start them. Where assertions are accepted for longer than
/// before, those that were issued before now are refused.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  grantor replay windows --reason 'partners with slow clocks'")]
pub struct Windows {}

impl ReplayCommand {
    /// Whether it changes something, and the change is on record.
    pub fn is_change(&self) -> bool {
        match self {
            Self::Fence(_) | Self::Windows(_) => true,
        }
    }

    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Fence(command) => command.run(global).await,
            Self::Windows(command) => command.run(global).await,
        }
    }
}

impl Fence {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let (config, store) = global.open().await?;
        if !self.raise {
            let longest = config.assertion.maximum_lifetime + config.assertion.leeway;
            return Err(Failure::usage(format!(
                "every assertion issued before now would be refused with 503, and one without iat for up to {} s; tokens issued before now would be \
                 inactive at introspection; add --raise",
                longest.as_secs()
            )));
        }
        let Some(fence) = store.raise_fence().await? else {
            return Err(Failure::usage(
                "the database is a file of this machine (SQLite), of one node: only `grantor restore` loses uses of assertions, and that \
                 raises the fence itself",
            ));
        };
        let admin = global.administration(config, store);
        let record = ChangeRecord::of(
            ("replay_fence", "fence".to_owned()),
            Action::Replace,
            [Some(json!({})), Some(json!({"fence": time(fence)}))],
            admin.actor(),
            admin.now(),
        );
        admin.store.keep_record(record).await.map_err(|error| {
            Failure::from(error).and("the fence is raised, and that is not on record")
        })?;
        global.output().done(
            &json!({"fence": time(fence)}),
            format_args!(
                "assertions issued before {} are refused, and tokens issued before now are inactive at introspection",
                time(fence)
            ),
        )
    }
}

impl Windows {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let (config, store) = global.open().await?;
        let changed = store.change_windows(&config).await;
        if !changed.map_err(Failure::usage)? {
            return Err(Failure::usage(
                "the database is a file of this machine (SQLite), of one node: it goes by its configuration from its next start on",
            ));
        }
        let windows = json!({
            "issuer": config.issuer.to_string(),
            "leeway_seconds": config.assertion.leeway.as_secs(),
            "max_lifetime_seconds": config.assertion.maximum_lifetime.as_secs(),
        });
        let admin = global.administration(config, store);
        let record = ChangeRecord::of(
            ("replay_windows", "windows".to_owned()),
            Action::Replace,
            [Some(json!({})), Some(windows.clone())],
            admin.actor(),
            admin.now(),
        );
        admin.store.keep_record(record).await.map_err(|error| {
            Failure::from(error).and("the windows are changed, and that is not on record")
        })?;
        global.output().done(
            &windows,
            format_args!("nodes of this configuration start from now on, and no other"),
        )
    }
}
