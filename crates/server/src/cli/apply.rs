//! `grantor apply`

mod secrets;
mod shown;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use clap::Args;
use grantor::{
    admin::{Error, Fault, Outcome, Plan, PlanRequest, Planned},
    credential::{Credential, KeyFile},
    jose::json::Object,
    types::{Issuer, Name, escaped},
};
use serde_json::Value;

use self::secrets::SecretFiles;
use super::{
    Failure, Global, client::read_input, connection::Connection, failure::within_time,
    registry_file::RegistryFiles,
};
use crate::admin::{
    Administration, Input, Remote, RemoteError, Slug,
    plan::{self as operations, Applied, SecretOfFile},
};

/// Register what files say, and change what differs
///
/// Files have [[client]], [[subject]], [[permission]], [[scope]], [[issuer]] and [[trust]], in TOML
/// or JSON, with the members that `grantor export` prints. All is done, or nothing. Exit code 3:
/// with --dry-run, there is something to do.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor apply registry.toml --dry-run                show what would change
  grantor apply registry.toml                          change it
  grantor apply registry/ --owner platform --prune     and remove what the files no longer have
  grantor apply registry/ --dry-run --json > plan.json
  grantor apply registry/ --expect plan.json           do that, if nothing has changed since")]
pub struct Apply {
    /// A file that ends with .toml or .json, or a directory of them, which are one plan
    #[arg(value_name = "FILE|DIR")]
    path: PathBuf,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Whose files these are: what they make is changed by them only, unless that is overridden
    #[arg(long, value_name = "NAME")]
    owner: Option<Name>,
    /// Remove what this owner's files have made and these do not have
    #[arg(long, requires = "owner")]
    prune: bool,
    /// Let files without any registration remove everything of their owner
    #[arg(long, requires = "prune")]
    allow_empty: bool,
    /// Do this plan, which --dry-run --json has printed, or nothing; - is standard input
    #[arg(long, value_name = "PLAN", conflicts_with = "dry_run")]
    expect: Option<PathBuf>,
    /// Where the key files of clients go whose secrets are made (mode 0600)
    #[arg(long, value_name = "DIR")]
    secrets_out: Option<PathBuf>,
}

impl Apply {
    /// Whether it changes what is registered.
    pub fn is_change(&self) -> bool {
        !self.dry_run
    }

    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let files = RegistryFiles::read(&self.path)?;
        let expected = self.expect.as_deref().map(read_plan).transpose()?;
        let mut request = PlanRequest::new(files.registrations.clone());
        request.owner.clone_from(&self.owner);
        request.prune = self.prune;
        request.allow_empty = self.allow_empty;
        request.dry_run = self.dry_run;
        request.expected = expected.as_ref().map(|plan| plan.state.clone());
        let connection = match self.dry_run {
            true => global.connect().await?,
            false => global.connect_or_create().await?,
        };
        match &connection {
            Connection::Here(admin) => {
                let admin = &admin.managing(self.owner.clone());
                self.run_here(admin, &request, expected, &files, global)
                    .await
            }
            Connection::There(remote) => {
                let there = There {
                    remote,
                    issuer: connection.issuer()?,
                    files: &files,
                    is_json: global.json,
                };
                self.run_there(&there, request, expected, global).await
            }
        }
    }

    async fn run_here(
        &self,
        admin: &Administration,
        request: &PlanRequest,
        expected: Option<Plan>,
        files: &RegistryFiles,
        global: &Global,
    ) -> Result<(), Failure> {
        let planned = admin.plans().make(request).await;
        let planned = planned.map_err(|error| match error {
            Error::Invalid(faults) => refused(&faults, files, global.json),
            error => error.into(),
        })?;
        check_expected(expected, &planned.plan)?;
        if self.dry_run {
            let allowed = admin.gate().may_apply(planned.changes().to_vec()).await;
            allowed.map_err(Error::from)?;
            return show(&planned.plan, global);
        }
        self.carry_out(admin, planned, global).await
    }

    /// Asks for the plan first: it is looked at before it is carried out, in the state that it was
    /// made from.
    async fn run_there(
        &self,
        there: &There<'_>,
        mut request: PlanRequest,
        expected: Option<Plan>,
        global: &Global,
    ) -> Result<(), Failure> {
        request.dry_run = true;
        let plan = there.ask(&request).await?.plan;
        check_expected(expected, &plan)?;
        if self.dry_run {
            return show(&plan, global);
        }
        let directory = self.secrets_out.as_deref();
        SecretFiles::check(&request.resources, &plan, directory)?;
        request.dry_run = false;
        request.expected = Some(plan.state);
        let applied = there.ask(&request).await?;
        for warning in &applied.warnings {
            tracing::warn!("{warning}");
        }
        let made = applied.secrets.into_iter();
        let key_files: Vec<_> = made.map(|made| there.key_file(made)).collect();
        let secrets = SecretFiles::write(&key_files, directory).map_err(|failure| {
            failure.and("the clients are registered, and their secrets are lost: make others with `grantor client rotate-secret`")
        })?;
        let text = shown::done(&applied.plan, &secrets);
        global
            .output()
            .done(&with_secrets(&applied.plan, &secrets), text)
    }

    /// Hands over what was made, and makes the change.
    async fn carry_out(
        &self,
        admin: &Administration,
        planned: Planned,
        global: &Global,
    ) -> Result<(), Failure> {
        for warning in &planned.warnings {
            tracing::warn!("{warning}");
        }
        let secrets = SecretFiles::write(&planned.key_files, self.secrets_out.as_deref())?;
        match admin.plans().apply(planned, admin.actor()).await {
            Ok(Outcome { plan, .. }) => {
                let text = shown::done(&plan, &secrets);
                global.output().done(&with_secrets(&plan, &secrets), text)
            }
            Err(error) => Err(secrets.take_back(error)),
        }
    }
}

/// A server elsewhere, that is asked about these files.
struct There<'a> {
    remote: &'a Remote,
    issuer: Issuer,
    files: &'a RegistryFiles,
    is_json: bool,
}

impl There<'_> {
    async fn ask(&self, request: &PlanRequest) -> Result<Applied, Failure> {
        let input = Input::<operations::Apply>::with((), request.clone());
        match self.remote.call(&input).await {
            Err(RemoteError::Problem(problem)) if problem.slug == Slug::Invalid => {
                Err(refused(&problem.errors, self.files, self.is_json))
            }
            answered => Ok(answered?),
        }
    }

    /// The key file of a client whose secret was made there.
    fn key_file(&self, made: SecretOfFile) -> KeyFile {
        let secret = Credential::Secret(made.client_secret.into());
        let method = made.token_endpoint_auth_method;
        KeyFile::new(&self.issuer, made.client_id, method, secret)
    }
}

/// The plan is the one that was read before.
fn check_expected(expected: Option<Plan>, plan: &Plan) -> Result<(), Failure> {
    match expected.is_some_and(|expected| expected.steps != plan.steps) {
        true => Err(Failure::failed(
            "the files make another plan than the one that was expected; nothing was changed",
        )),
        false => Ok(()),
    }
}

/// Prints what would change.
fn show(plan: &Plan, global: &Global) -> Result<(), Failure> {
    global.output().print(plan, shown::plan(plan))?;
    match plan.summary.is_change() {
        true => Err(Failure::pending()),
        false => Ok(()),
    }
}

/// What was printed before, with `--dry-run --json`.
fn read_plan(path: &Path) -> Result<Plan, Failure> {
    let wrong = |problem: String| Failure::usage(format!("--expect {}: {problem}", path.display()));
    let text = read_input(path).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|_| {
        wrong("it is no plan; expected what `grantor apply --dry-run --json` prints".to_owned())
    })
}

/// The plan, and where the key files are that were made.
fn with_secrets(plan: &Plan, secrets: &SecretFiles) -> Object {
    let Ok(Value::Object(mut shown)) = serde_json::to_value(plan) else {
        return Object::new();
    };
    if !secrets.is_empty() {
        shown.insert("key_files".to_owned(), secrets.shown());
    }
    shown
}

/// What is wrong in the files, each with its line.
fn refused(faults: &[Fault], files: &RegistryFiles, is_json: bool) -> Failure {
    let problems: Vec<_> = faults.iter().map(|fault| files.describe(fault)).collect();
    match &*problems {
        [one] => Failure::usage(one),
        _ if is_json => Failure::usage(problems.join("; ")),
        many => {
            let count = many.len();
            let lines: Vec<_> = many.iter().map(|problem| escaped(problem)).collect();
            within_time(move || drop(writeln!(anstream::stderr(), "{}", lines.join("\n"))));
            Failure::usage(format!("{count} faults; nothing was changed"))
        }
    }
}
