//! How a command ends badly: one clear line on standard error, and the exit code.

use std::{
    fmt::Display,
    io::{self, Write as _},
    process::ExitCode,
    sync::mpsc,
    thread,
    time::Duration,
};

use grantor::{
    admin::{self, Fault},
    client::TokenError,
    storage::StoreError,
    types::escaped,
};
use serde_json::json;

use crate::admin::{Problem, RemoteError, Slug};

/// What shells show for a command that SIGPIPE ended: the reader of its output has gone away, as
/// `head` does.
const CLOSED_PIPE: u8 = 141;

/// What a dry run ends with that would change something.
const PENDING: u8 = 3;

/// Why a command did not do as asked.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    /// What is said about it; nothing where nobody listens.
    message: Option<String>,
    /// Whether something may have been changed all the same.
    may_be_done: bool,
    /// Whether the resource was changed since the command read it.
    is_overtaken: bool,
    /// Whether each line of the message is told by itself.
    is_list: bool,
}

impl Failure {
    /// The command line, a file or the configuration is wrong: exit 2.
    pub fn usage(message: impl Display) -> Self {
        Self {
            code: 2,
            message: Some(message.to_string()),
            may_be_done: false,
            is_overtaken: false,
            is_list: false,
        }
    }

    /// As [`Failure::usage`], of several things: each line of the message is one.
    pub fn usage_lines(message: impl Display) -> Self {
        Self {
            is_list: true,
            ..Self::usage(message)
        }
    }

    /// Refused, or failed: exit 1.
    pub fn failed(message: impl Display) -> Self {
        Self {
            code: 1,
            message: Some(message.to_string()),
            may_be_done: false,
            is_overtaken: false,
            is_list: false,
        }
    }

    /// Standard output does not take what was to be printed: exit 1; without a word and 141 where
    /// its reader has closed the pipe.
    pub fn unprinted(what: impl Display, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self {
                code: CLOSED_PIPE,
                message: None,
                may_be_done: false,
                is_overtaken: false,
                is_list: false,
            },
            _ => Self::failed(format_args!("{what} on standard output: {error}")),
        }
    }

    /// All is well, and there is something to do: exit 3.
    pub fn pending() -> Self {
        Self {
            code: PENDING,
            message: None,
            may_be_done: false,
            is_overtaken: false,
            is_list: false,
        }
    }

    /// Whether it is certain that nothing was changed.
    pub fn is_certain(&self) -> bool {
        !self.may_be_done
    }

    /// Whether nothing was done because another change came between: the command may read again, and
    /// repeat it.
    pub fn is_overtaken(&self) -> bool {
        self.is_overtaken
    }

    /// Something may have been changed all the same, unless this is so.
    fn unless_certain(self, is_certain: bool) -> Self {
        Self {
            may_be_done: !is_certain,
            ..self
        }
    }

    /// Says something more about it.
    pub fn and(self, more: impl Display) -> Self {
        Self {
            message: self.message.map(|message| format!("{message}; {more}")),
            ..self
        }
    }

    /// Says so on standard error. Where that cannot be written, the exit code has to do.
    pub fn report(&self, json: bool) -> ExitCode {
        if let Some(message) = &self.message {
            let lines: Vec<&str> = match self.is_list {
                true => message.lines().collect(),
                false => vec![message],
            };
            let text: String = lines.iter().map(|line| told(line, json)).collect();
            within_time(move || drop(write!(anstream::stderr(), "{text}")));
        }
        ExitCode::from(self.code)
    }
}

/// One line of standard error.
fn told(message: &str, json: bool) -> String {
    // Whatever was quoted from a file must not move the cursor of a terminal.
    let line = escaped(&message.replace(['\n', '\r', '\t'], " "));
    let red = anstyle::AnsiColor::Red.on_default().bold();
    match json {
        true => format!("{}\n", json!({"error": line})),
        false => format!("{red}error:{red:#} {line}\n"),
    }
}

/// How long standard error may take for the last line. A reader that stalls must not keep the
/// process from ending.
const LAST_LINE_TIMEOUT: Duration = Duration::from_secs(1);

/// Does what may block on standard error, and goes on when it does.
pub fn within_time(work: impl FnOnce() + Send + 'static) {
    let (done, end) = mpsc::channel();
    let started = thread::Builder::new().spawn(move || {
        work();
        // Whoever waited may have gone away.
        let _ = done.send(());
    });
    if started.is_ok() {
        let _ = end.recv_timeout(LAST_LINE_TIMEOUT);
    }
}

/// What an operator's command came to on this machine: as elsewhere, but for what the storage says.
impl From<admin::Error> for Failure {
    fn from(error: admin::Error) -> Self {
        match &error {
            admin::Error::Store(_) => {
                let source = std::error::Error::source(&error);
                let source = source.map(|source| format!(": {source}"));
                Self::failed(format!("{error}{}", source.unwrap_or_default()))
                    .unless_certain(error.is_certain())
            }
            _ => Problem::from(&error).into(),
        }
    }
}

/// The one place where what an operator's command came to has its exit code and its sentence.
impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let is_overtaken = problem.slug == Slug::Changed;
        let failure = match problem.slug {
            Slug::Invalid | Slug::Malformed => {
                let faults: Vec<_> = problem.errors.iter().map(fault).collect();
                Self::usage(faults.join("; "))
            }
            _ => match remedy(&problem) {
                Some(remedy) => Self::failed(format_args!("{problem}; {remedy}")),
                None => Self::failed(problem),
            },
        };
        Self {
            is_overtaken,
            ..failure
        }
    }
}

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        match error {
            RemoteError::Problem(problem) => {
                let is_certain = !problem.slug.status().is_server_error();
                Self::from(problem).unless_certain(is_certain)
            }
            RemoteError::Token(TokenError::Config(error)) => Self::usage(error),
            RemoteError::Token(error) => Self::failed(error),
            error => Self::failed(error).unless_certain(false),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        admin::Error::from(error).into()
    }
}

/// What can be done about it, by its flag or command.
fn remedy(problem: &Problem) -> Option<&'static str> {
    let resource = problem.resource.as_deref().unwrap_or_default();
    Some(match (problem.slug, resource) {
        (Slug::Exists, "permission") => "delete it first",
        (Slug::NotFound, "signing_key") => "see: grantor key list",
        (Slug::NotFound, "change") => "see: grantor changes list",
        (Slug::NotFound, "issuer") => "see: grantor issuer list",
        (Slug::NotFound, "trust") => "see: grantor trust list",
        (Slug::InUse, "issuer") => "--cascade deletes them with it",
        (Slug::State, "issuer_keys") => "--no-check registers it all the same",
        (Slug::State, "uploaded_keys") => {
            "upload others with `grantor issuer update ISS --jwks FILE`"
        }
        (Slug::State, "client_secret") => {
            "rotate with a shorter --overlap, or wait until one has ended (grantor client show)"
        }
        (Slug::Managed, _) => "--override changes it all the same",
        _ => return None,
    })
}

/// The flags that give the members of documents.
const FLAGS: [(&str, &str); 43] = [
    ("/token_endpoint_auth_method", "--auth"),
    ("/token_endpoint_auth_signing_alg", "--signing-alg"),
    ("/grant_types", "--grant"),
    ("/scope", "--scope"),
    ("/redirect_uris", "--redirect-uri"),
    ("/client_name", "--display-name"),
    ("/client_uri", "--homepage"),
    ("/description", "--description"),
    ("/consent", "--consent"),
    ("/permission_lifetime", "--permission-lifetime"),
    ("/generate", "--generate-key"),
    ("/alg", "--alg"),
    ("/iss", "ISS"),
    ("/keys/discovery/metadata_url", "--metadata-url"),
    ("/keys/discovery", "--discover"),
    ("/keys/jwks_uri", "--jwks-uri"),
    ("/keys/jwks", "--jwks"),
    ("/keys/pem", "--pem"),
    ("/keys/spiffe_bundle", "--spiffe-bundle"),
    ("/jwks_uri", "--jwks-uri"),
    ("/audiences", "--audience"),
    ("/audience_match", "--audience-match"),
    ("/algorithms", "--alg"),
    ("/types", "--typ"),
    ("/max_lifetime", "--max-lifetime"),
    ("/leeway", "--leeway"),
    ("/replay", "--replay"),
    ("/tenant_claims", "--tenant-claim"),
    ("/ca", "--ca-file"),
    ("/bearer_token_file", "--bearer-token-file"),
    ("/allow_internal", "--allow-internal"),
    ("/issuer", "--from"),
    ("/pins", "--pin"),
    ("/matches", "--match"),
    ("/condition", "--condition"),
    ("/client", "--client"),
    ("/subject", "--subject"),
    ("/resources", "--resource"),
    ("/lifetime", "--lifetime"),
    ("/claims", "--claim"),
    ("/uses", "--use"),
    ("/to", "--to"),
    ("/step", "--step"),
];

/// A fault, with the flag where there is one. What is wrong with a key or a name says itself which
/// one that is.
fn fault(fault: &Fault) -> String {
    // What is wrong with an option of a template names it, and others beside it.
    if let Some(option) = fault.pointer.strip_prefix("/options/") {
        return format!("--{option}: {}", fault.detail);
    }
    let is_of = |member: &str| {
        let rest = fault.pointer.strip_prefix(member);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    // A lint may be overruled.
    let detail = fault.detail.replace("; or allow ", "; or --allow ");
    match FLAGS.iter().find(|(member, _)| is_of(member)) {
        Some((_, flag)) => format!("{flag}: {detail}"),
        None => detail,
    }
}
