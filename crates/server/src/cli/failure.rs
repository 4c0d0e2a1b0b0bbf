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
    admin::{self, Conflict, Fault, Named},
    storage::StoreError,
    types::escaped,
};
use serde_json::json;

/// What shells show for a command that SIGPIPE ended: the reader of its output has gone away, as
/// `head` does.
const CLOSED_PIPE: u8 = 141;

/// Why a command did not do as asked.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    /// What is said about it; nothing where nobody listens.
    message: Option<String>,
}

impl Failure {
    /// The command line, a file or the configuration is wrong: exit 2.
    pub fn usage(message: impl Display) -> Self {
        Self {
            code: 2,
            message: Some(message.to_string()),
        }
    }

    /// Refused, or failed: exit 1.
    pub fn failed(message: impl Display) -> Self {
        Self {
            code: 1,
            message: Some(message.to_string()),
        }
    }

    /// Standard output does not take what was to be printed: exit 1; without a word and 141 where
    /// its reader has closed the pipe.
    pub fn unprinted(what: impl Display, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self {
                code: CLOSED_PIPE,
                message: None,
            },
            _ => Self::failed(format_args!("{what} on standard output: {error}")),
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
            // Whatever was quoted from a file must not move the cursor of a terminal.
            let line = escaped(&message.replace(['\n', '\r', '\t'], " "));
            let red = anstyle::AnsiColor::Red.on_default().bold();
            let text = match json {
                true => json!({"error": line}).to_string(),
                false => format!("{red}error:{red:#} {line}"),
            };
            within_time(move || drop(writeln!(anstream::stderr(), "{text}")));
        }
        ExitCode::from(self.code)
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

/// The one place where what an operator's command came to has its exit code and its sentence.
impl From<admin::Error> for Failure {
    fn from(error: admin::Error) -> Self {
        match &error {
            admin::Error::Invalid(faults) => {
                let faults: Vec<_> = faults.iter().map(fault).collect();
                Self::usage(faults.join("; "))
            }
            admin::Error::Store(_) => {
                let source = std::error::Error::source(&error);
                let source = source.map(|source| format!(": {source}"));
                Self::failed(format!("{error}{}", source.unwrap_or_default()))
            }
            _ => match remedy(&error) {
                Some(remedy) => Self::failed(format_args!("{error}; {remedy}")),
                None => Self::failed(error),
            },
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        admin::Error::from(error).into()
    }
}

/// What can be done about it, by its flag or command.
fn remedy(error: &admin::Error) -> Option<String> {
    match error {
        admin::Error::Exists(Named::Permission(..)) => Some("delete it first".to_owned()),
        admin::Error::NotFound(Named::SigningKey(_)) => Some("see: grantor key list".to_owned()),
        admin::Error::NotFound(Named::Change(_)) => Some("see: grantor changes list".to_owned()),
        admin::Error::NotFound(Named::Issuer(_)) => Some("see: grantor issuer list".to_owned()),
        admin::Error::NotFound(Named::Trust(_)) => Some("see: grantor trust list".to_owned()),
        admin::Error::Conflict(Conflict::HasTrusts(..)) => {
            Some("--cascade deletes them with it".to_owned())
        }
        admin::Error::Conflict(Conflict::NoKeys(..)) => {
            Some("--no-check registers it all the same".to_owned())
        }
        admin::Error::Conflict(Conflict::TooManySecrets(client, ..)) => Some(format!(
            "rotate with a shorter --overlap, or wait until one has ended (grantor client show {client})"
        )),
        _ => None,
    }
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
