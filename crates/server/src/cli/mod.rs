//! The command line: what can be said, and what is answered. Exit codes: 0 done, 1 refused or
//! failed, 2 usage, 3 there is something to do (`apply --dry-run`), 141 the reader of the output has
//! gone away.

mod apply;
mod assertion;
mod backup;
mod changes;
mod client;
mod connection;
mod console;
mod credential;
mod decisions;
mod demo;
mod difference;
mod doctor;
mod export;
mod failure;
mod health;
mod import;
mod issuer;
mod key;
mod moving;
mod node;
mod operator;
mod output;
pub mod parse;
mod permission;
mod records;
mod registry_file;
mod replay;
mod scope;
mod serve;
mod statistics;
mod subject;
mod template;
mod token;
mod trust;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::{Args, Parser, Subcommand};
use grantor::{
    admin::{Rights, ServerTerms},
    registry::{Actor, Way, Who},
};
use grantor_stores::{Create, Upkeep};
use rustix::process::getuid;

pub use failure::Failure;
pub use output::Output;

use self::connection::Connection;
use crate::{
    admin::{Administration, CLOCK, terms},
    backend::{Backend, OpenError, Place},
    config::{Config, Environment, LogFormat, Overrides},
    telemetry,
};

/// Signed JWT in, access token out: an OAuth 2.0 authorization server for RFC 7523
#[derive(Debug, Parser)]
#[command(
    name = "grantor",
    version,
    propagate_version = true,
    after_help = "Examples:
  grantor demo                                         see the main job end to end
  grantor serve                                        run a server on http://127.0.0.1:8080
  grantor client create billing --generate-key --scope 'invoices:read invoices:write'
  grantor token --key billing.json                     get an access token with that key
  grantor client disable billing                       refuse it, within a second"
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags that go with every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Directory of the database and the master key
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "GRANTOR_DATA",
        default_value = "./grantor-data"
    )]
    data: PathBuf,
    /// File of the master key, the same for all nodes [default: the configuration's, else
    /// DIR/master.key]
    #[arg(long, global = true, value_name = "FILE", env = "GRANTOR_MASTER_KEY")]
    master_key: Option<PathBuf>,
    /// Configuration file [default: DIR/grantor.toml, which need not exist]
    #[arg(long, global = true, value_name = "FILE", env = "GRANTOR_CONFIG")]
    config: Option<PathBuf>,
    /// Issuer identifier of the server [default: the configuration's, else that of the server that
    /// was last started on DIR, else http://127.0.0.1:8080]
    #[arg(long, global = true, value_name = "URL")]
    issuer: Option<String>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Do it at the server of this key file, by its API, instead of on the database of this machine
    #[arg(long = "as", global = true, value_name = "KEYFILE", env = "GRANTOR_AS")]
    key_file: Option<PathBuf>,
    /// Origin of that API, where it has a listener of its own [default: the issuer's]
    #[arg(long, global = true, value_name = "URL", requires = "key_file")]
    admin_url: Option<String>,
    /// Change what a file manages all the same (grantor apply)
    #[arg(long = "override", global = true)]
    overrides: bool,
    /// Why, for a command that changes something: kept with the change (grantor changes)
    #[arg(long, global = true, value_name = "TEXT", value_parser = parse::reason)]
    reason: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the main job end to end on a throw-away database, then serve
    Demo(demo::Demo),
    /// Run the server
    Serve(serve::Serve),
    /// Register and change clients
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// Register and change subjects: those whom clients may act for
    #[command(subcommand)]
    Subject(subject::SubjectCommand),
    /// Say who administers this server
    #[command(subcommand)]
    Operator(operator::OperatorCommand),
    /// Print a link that opens the console once, within 5 minutes
    Console(console::Console),
    /// Say which client may act for which subject
    #[command(subcommand)]
    Permission(permission::PermissionCommand),
    /// Say what scopes mean to people who are asked for them
    #[command(subcommand)]
    Scope(scope::ScopeCommand),
    /// Register and change issuers: third parties whose JWTs are taken where a trust takes them
    #[command(subcommand)]
    Issuer(issuer::IssuerCommand),
    /// Say what JWTs of issuers are worth: which claims they need, and what they get
    #[command(subcommand)]
    Trust(trust::TrustCommand),
    /// Show what is known about the JWTs of CI systems, clouds and others
    #[command(subcommand)]
    Template(template::TemplateCommand),
    /// Register what files say, and change what differs
    Apply(apply::Apply),
    /// Print all that is registered, in the form that `apply` reads
    Export(export::ExportCommand),
    /// List, rotate and withdraw the server's signing keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Make and explain assertions
    #[command(subcommand)]
    Assertion(assertion::AssertionCommand),
    /// Find out why requests were granted or refused
    #[command(subcommand)]
    Decisions(decisions::DecisionsCommand),
    /// Count how many requests were decided, and how
    Statistics(statistics::Statistics),
    /// Find out who changed what, when and why
    #[command(subcommand)]
    Changes(changes::ChangesCommand),
    /// Make a registry file of what another server has registered
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// See the servers that share the database
    #[command(subcommand)]
    Node(node::NodeCommand),
    /// Guard what is known of used assertions
    #[command(subcommand)]
    Replay(replay::ReplayCommand),
    /// Write a copy of the database to a file, while servers go on
    Backup(backup::Backup),
    /// Put a backup in the place of the database
    Restore(backup::Restore),
    /// Move the database of this machine to a PostgreSQL server, for many nodes
    Move(moving::Move),
    /// Get an access token with a key file, from any authorization server
    Token(token::Token),
    /// Find out what is wrong with a server, or between it and a key
    Doctor(doctor::Doctor),
    /// Ask a running server whether it is ready
    Health(health::Health),
}

/// Prints help where it was asked for, or what is wrong with the command line.
pub fn explain(error: &clap::Error) -> ExitCode {
    let code = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    if error.use_stderr() {
        let text = error.render();
        failure::within_time(move || drop(write!(anstream::stderr(), "{}", text.ansi())));
        return code;
    }
    match error.print() {
        Err(unprinted) => {
            Failure::unprinted("the help could not be printed", &unprinted).report(false)
        }
        Ok(()) => code,
    }
}

impl Cli {
    /// Does what was asked.
    pub async fn run(self) -> Result<(), Failure> {
        let global = self.global;
        if global.reason.is_some() && !self.command.is_change() {
            return Err(Failure::usage(
                "--reason is kept with a change, and this command makes none; leave it out",
            ));
        }
        if global.key_file.is_some() && !self.command.may_be_elsewhere() {
            return Err(Failure::usage(
                "--as is for commands about what is registered; this one is done on this machine: leave it out",
            ));
        }
        match self.command {
            Command::Demo(command) => command.run(&global).await,
            Command::Serve(command) => command.run(&global).await,
            Command::Client(command) => command.run(&global).await,
            Command::Subject(command) => command.run(&global).await,
            Command::Operator(command) => command.run(&global).await,
            Command::Console(command) => command.run(&global).await,
            Command::Permission(command) => command.run(&global).await,
            Command::Scope(command) => command.run(&global).await,
            Command::Issuer(command) => command.run(&global).await,
            Command::Trust(command) => command.run(&global).await,
            Command::Template(command) => command.run(&global).await,
            Command::Apply(command) => command.run(&global).await,
            Command::Export(command) => command.run(&global).await,
            Command::Key(command) => command.run(&global).await,
            Command::Assertion(command) => command.run(&global).await,
            Command::Decisions(command) => command.run(&global).await,
            Command::Statistics(command) => command.run(&global).await,
            Command::Changes(command) => command.run(&global).await,
            Command::Import(command) => command.run(&global),
            Command::Node(command) => command.run(&global).await,
            Command::Replay(command) => command.run(&global).await,
            Command::Backup(command) => command.run(&global).await,
            Command::Restore(command) => command.run(&global).await,
            Command::Move(command) => command.run(&global).await,
            Command::Token(command) => command.run(&global).await,
            Command::Doctor(command) => command.run(&global).await,
            Command::Health(command) => command.run(&global).await,
        }
    }
}

impl Command {
    /// Whether it may be done at a server elsewhere.
    fn may_be_elsewhere(&self) -> bool {
        match self {
            Self::Client(_)
            | Self::Subject(_)
            | Self::Operator(_)
            | Self::Permission(_)
            | Self::Scope(_)
            | Self::Issuer(_)
            | Self::Trust(_)
            | Self::Template(_)
            | Self::Key(_)
            | Self::Decisions(_)
            | Self::Changes(_)
            | Self::Statistics(_)
            | Self::Apply(_)
            | Self::Export(_) => true,
            Self::Assertion(command) => command.may_be_elsewhere(),
            Self::Token(command) => command.may_be_elsewhere(),
            Self::Demo(_)
            | Self::Serve(_)
            | Self::Console(_)
            | Self::Import(_)
            | Self::Node(_)
            | Self::Replay(_)
            | Self::Backup(_)
            | Self::Restore(_)
            | Self::Move(_)
            | Self::Doctor(_)
            | Self::Health(_) => false,
        }
    }

    /// Whether it changes what is registered, and each change is on record.
    fn is_change(&self) -> bool {
        match self {
            Self::Client(command) => command.is_change(),
            Self::Subject(command) => command.is_change(),
            Self::Operator(command) => command.is_change(),
            Self::Permission(command) => command.is_change(),
            Self::Scope(command) => command.is_change(),
            Self::Issuer(command) => command.is_change(),
            Self::Trust(command) => command.is_change(),
            Self::Key(command) => command.is_change(),
            Self::Apply(command) => command.is_change(),
            Self::Replay(command) => command.is_change(),
            Self::Export(_)
            | Self::Demo(_)
            | Self::Serve(_)
            | Self::Console(_)
            | Self::Template(_)
            | Self::Assertion(_)
            | Self::Decisions(_)
            | Self::Statistics(_)
            | Self::Changes(_)
            | Self::Import(_)
            | Self::Node(_)
            | Self::Backup(_)
            | Self::Restore(_)
            | Self::Move(_)
            | Self::Token(_)
            | Self::Doctor(_)
            | Self::Health(_) => false,
        }
    }
}

impl Global {
    fn output(&self) -> Output {
        Output::new(self.json)
    }

    fn load_config(&self, overrides: Overrides) -> Result<Config, Failure> {
        let overrides = Overrides {
            issuer: self.issuer.clone(),
            ..overrides
        };
        let environment = Environment::of_process().map_err(Failure::usage)?;
        Config::load(&self.data, self.config.as_deref(), &environment, &overrides)
            .map_err(Failure::usage)
    }

    /// The configuration and the registry, for commands that change or list what is in it. Logs say
    /// warnings only.
    async fn open(&self) -> Result<(Config, Backend), Failure> {
        let config = self.start()?;
        let store = self
            .open_store(&config, Create::Never, Upkeep::ByOthers)
            .await?;
        Ok((config, store))
    }

    /// Whether the server that the command is about is that of the database on this machine.
    fn is_here(&self) -> bool {
        self.key_file.is_none()
    }

    /// The server that the command is about, which has to be there.
    async fn connect(&self) -> Result<Connection, Failure> {
        match &self.key_file {
            Some(path) => self.elsewhere(path),
            None => {
                let (config, store) = self.open().await?;
                Ok(self.here(config, store))
            }
        }
    }

    /// As [`Global::connect`], for what may make a new database on this machine.
    async fn connect_or_create(&self) -> Result<Connection, Failure> {
        match &self.key_file {
            Some(path) => self.elsewhere(path),
            None => {
                let config = self.start()?;
                let store = self.open_or_create(&config).await?;
                Ok(self.here(config, store))
            }
        }
    }

    /// The server of this machine as operators meet it; `None` for a command about another one.
    fn terms_here(&self) -> Result<Option<ServerTerms>, Failure> {
        match &self.key_file {
            Some(_) => Ok(None),
            None => self.start().map(|config| Some(terms(&config))),
        }
    }

    /// The server elsewhere whose client this key file is of.
    fn elsewhere(&self, key_file: &Path) -> Result<Connection, Failure> {
        Self::start_log()?;
        let mut remote = connection::elsewhere(key_file, self.admin_url.as_deref())?;
        remote.reason.clone_from(&self.reason);
        remote.overrides = self.overrides;
        Ok(Connection::There(Box::new(remote)))
    }

    /// The server of the database on this machine.
    fn here(&self, config: Config, store: Backend) -> Connection {
        Connection::Here(Box::new(self.administration(config, store)))
    }

    /// What is done there.
    fn administration(&self, config: Config, store: Backend) -> Administration {
        let mut actor = local_user();
        actor.reason.clone_from(&self.reason);
        let rights = match self.overrides {
            true => Rights::local().overriding(),
            false => Rights::local(),
        };
        Administration::new(Arc::new(config), store, rights, actor)
    }

    /// Logs warnings, for commands that need no configuration. What becomes of their requests they
    /// say themselves.
    fn start_log() -> Result<(), Failure> {
        telemetry::start(
            LogFormat::Auto,
            "warn,grantor::client=off,grantor::remote=off",
        )
        .map_err(Failure::usage)
    }

    /// The configuration of a command.
    fn start(&self) -> Result<Config, Failure> {
        let config = self.load_config(Overrides::default())?;
        telemetry::start(config.log.format, "warn").map_err(Failure::usage)?;
        Ok(config)
    }

    /// The registry, for what may make a new one: `serve`, and the commands that register the first
    /// client or subject.
    async fn open_or_create(&self, config: &Config) -> Result<Backend, Failure> {
        let is_new = !self.place(config).exists();
        let store = self.open_store(config, Create::IfMissing, Upkeep::ByOthers);
        let store = store.await?;
        if is_new {
            tracing::warn!(data = %self.data.display(), "there was no database here; a new one was made");
        }
        Ok(store)
    }

    async fn open_store(
        &self,
        config: &Config,
        create: Create,
        upkeep: Upkeep,
    ) -> Result<Backend, Failure> {
        let place = self.place(config);
        let key = place.master_key_file();
        let had_key = key.exists();
        let opened = place.open(create, upkeep).await.map_err(unopened)?;
        if !had_key && key.exists() {
            tracing::warn!(key = %key.display(), "a new master key was made; hand this file to the other nodes of this server, and keep a copy of it");
        }
        Ok(opened)
    }

    /// Where the store is.
    fn place<'a>(&'a self, config: &'a Config) -> Place<'a> {
        Place {
            config,
            data: &self.data,
            master_key: self
                .master_key
                .as_deref()
                .or(config.master_key_file.as_deref()),
        }
    }
}

/// The actor of what a command changes: the user who runs it.
fn local_user() -> Actor {
    Actor::new(Who::LocalUser(getuid().as_raw()), Way::Command)
}

/// What the operator has to set is wrong usage; a database that cannot be reached may be there later.
fn unopened(error: OpenError) -> Failure {
    match error.is_usage() {
        true => Failure::usage_lines(error),
        false => Failure::failed(error),
    }
}
