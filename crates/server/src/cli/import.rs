//! `grantor import`: what another server has registered, as a file that a person reads and then gives
//! to `grantor apply`.

mod written;

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use grantor::{
    admin::{self, Imported, Kind, LeftOut},
    file,
    types::{ClientId, Scope, escaped},
};
use serde_json::json;
use zeroize::Zeroizing;

use super::{Failure, Global, output::write};

/// Make a registry file of what another server has registered; nothing is changed
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  grantor import keycloak realm-export.json --out registry.toml
  grantor import jwks partner-jwks.json --client partner --scope invoices:read --out partner.toml
  grantor apply registry.toml --dry-run                when it has been read")]
pub enum ImportCommand {
    /// Make it of the export of a realm of Keycloak
    Keycloak(Keycloak),
    /// Make it of a JWK Set: one client with these keys
    Jwks(Jwks),
}

/// Make a registry file of the export of a realm of Keycloak
///
/// Clients, client scopes, users and the identity providers that sign JWTs are in it, as far as they
/// have a meaning here. All else is listed, each with its place in the export: on standard error,
/// and as comments at the top of the file. No secret and no password is taken over: apply makes new
/// secrets.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  kc.sh export --realm acme --file acme.json           in Keycloak; its console leaves out the users
  grantor import keycloak acme.json --out acme.toml
  grantor apply acme.toml --dry-run                    what would be registered
  grantor apply acme.toml --secrets-out new-secrets
  grantor import keycloak acme.json --json | jq -r '.left_out[] | [.pointer, .why] | @tsv'")]
pub struct Keycloak {
    /// The export; - is standard input
    file: PathBuf,
    #[command(flatten)]
    to: To,
}

/// Make a registry file of a JWK Set: one client with these keys
///
/// It authenticates by private_key_jwt. Keys that cannot be used are listed, and a private one is
/// refused.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor import jwks partner-jwks.json --client partner --scope invoices:read --out partner.toml
  curl -s https://partner.example/jwks | grantor import jwks - --client partner --out partner.toml")]
pub struct Jwks {
    /// The JWK Set; - is standard input
    file: PathBuf,
    /// Name of the client
    #[arg(long, value_name = "NAME")]
    client: ClientId,
    /// The widest scope it may get
    #[arg(
        long,
        value_name = "SCOPE",
        default_value = "",
        hide_default_value = true
    )]
    scope: Scope,
    #[command(flatten)]
    to: To,
}

/// The form of the file, and of what is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Toml,
    Json,
}

impl Form {
    fn of(global: &Global) -> Self {
        match global.json {
            true => Self::Json,
            false => Self::Toml,
        }
    }

    /// How the names of such files end.
    fn ending(self) -> &'static str {
        match self {
            Self::Toml => "toml",
            Self::Json => "json",
        }
    }
}

/// Where the file goes.
#[derive(Debug, Args)]
struct To {
    /// The new file, which ends with .toml, or with --json with .json; one that exists is never
    /// overwritten [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl ImportCommand {
    pub fn run(self, global: &Global) -> Result<(), Failure> {
        let form = Form::of(global);
        self.to().check(form)?;
        let (imported, to) = match self {
            Self::Keycloak(Keycloak { file, to }) => {
                let text = read(&file, most())?;
                let imported = Imported::of_keycloak(&text);
                (imported.map_err(|error| unread(&file, error))?, to)
            }
            Self::Jwks(Jwks {
                file,
                client,
                scope,
                to,
            }) => {
                let text = read(&file, file::DOCUMENT_BYTES)?;
                let imported = Imported::of_jwks(&text, &client, &scope);
                (imported.map_err(|error| unread(&file, error))?, to)
            }
        };
        to.put(&imported, form)
    }
}

impl ImportCommand {
    fn to(&self) -> &To {
        match self {
            Self::Keycloak(command) => &command.to,
            Self::Jwks(command) => &command.to,
        }
    }
}

fn most() -> u64 {
    u64::try_from(Imported::MAX_BYTES).unwrap_or(u64::MAX)
}

/// The file may have secrets in it, so what was read of it is wiped.
fn read(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let read = match path == Path::new("-") {
        true => file::read_from(io::stdin().lock(), limit),
        false => file::read(path, limit),
    };
    read.map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

fn unread(path: &Path, error: admin::Error) -> Failure {
    let admin::Error::Invalid(faults) = error else {
        return error.into();
    };
    let faults = faults.iter().map(|fault| match &*fault.pointer {
        "" => fault.detail.clone(),
        pointer => format!("{pointer}: {}", fault.detail),
    });
    let faults: Vec<_> = faults.collect();
    Failure::usage(format!("{}: {}", path.display(), faults.join("; ")))
}

impl To {
    /// Whether apply would read a file of this name.
    fn check(&self, form: Form) -> Result<(), Failure> {
        let expected = form.ending();
        match &self.out {
            Some(path) if path.extension().is_none_or(|ending| ending != expected) => {
                Err(Failure::usage(format!(
                    "--out {}: expected a name that ends with .{expected}",
                    path.display()
                )))
            }
            _ => Ok(()),
        }
    }

    /// Writes the file, and says what is not in it.
    fn put(self, imported: &Imported, form: Form) -> Result<(), Failure> {
        let left_out = &imported.left_out;
        let text = match form {
            Form::Json => pretty(&imported.registrations),
            Form::Toml => written::as_toml(imported)?,
        };
        if let Some(path) = &self.out {
            create(path, &text)?;
        }
        if form == Form::Toml {
            say(left_out);
        }
        match (&self.out, form) {
            (None, Form::Toml) => print(&text),
            (Some(path), Form::Toml) => print(&format!("{}\n", summary(path, imported))),
            (None, Form::Json) => print(&pretty(
                &json!({"resources": imported.registrations, "left_out": left_out}),
            )),
            (Some(path), Form::Json) => {
                print(&pretty(&json!({"written": path, "left_out": left_out})))
            }
        }
    }
}

fn pretty(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string_pretty(value).expect("results are JSON");
    grantor::types::escaped_json(&text) + "\n"
}

fn print(text: &str) -> Result<(), Failure> {
    write(format_args!("{text}"))
        .map_err(|error| Failure::unprinted("the result could not be printed", &error))
}

fn create(path: &Path, text: &str) -> Result<(), Failure> {
    let created = OpenOptions::new().write(true).create_new(true).open(path);
    let written = created.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::usage(format!(
            "{} exists, and is not overwritten; name another file with --out",
            path.display()
        )),
        _ => Failure::failed(format!("{}: {error}", path.display())),
    })
}

/// On standard error, a line each. The result is in the file, so nothing is lost where that is closed.
fn say(left_out: &[LeftOut]) {
    let mut stderr = io::BufWriter::new(anstream::stderr().lock());
    for one in left_out {
        if writeln!(stderr, "left out: {}", line(one)).is_err() {
            return;
        }
    }
    // As above.
    let _ = stderr.flush();
}

/// What is left out, in a line of which nothing moves a cursor.
fn line(one: &LeftOut) -> String {
    let place = match &*one.pointer {
        "" => "the whole",
        pointer => pointer,
    };
    escaped(&match &one.name {
        Some(name) => format!("{place} ({name}): {}", one.why),
        None => format!("{place}: {}", one.why),
    })
}

/// How many there are of each kind.
fn summary(path: &Path, imported: &Imported) -> String {
    let counted = Kind::ALL.into_iter().filter_map(|kind| {
        let count = imported.registrations.of(kind).len();
        (count > 0).then(|| format!("{count} {kind}{}", if count == 1 { "" } else { "s" }))
    });
    let counted: Vec<_> = counted.collect();
    let counted = match counted.is_empty() {
        true => "nothing".to_owned(),
        false => counted.join(", "),
    };
    let path = path.display();
    let left_out = imported.left_out.len();
    format!("{path} written: {counted}; {left_out} left out; next: grantor apply {path} --dry-run")
}
