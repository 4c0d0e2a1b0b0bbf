//! Writing new key files, in both forms; [`grantor::client::KeyFile`] reads them. The private key
//! or secret in one exists nowhere else.

use std::{
    fmt, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use grantor::{
    jose::{Algorithm, PrivateJwk, json::Object},
    types::{AuthMethod, ClientId, Issuer, Needs},
};
use grantor_stores::Exposure;
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// Why a key file cannot be written, or is not used.
#[derive(Debug)]
pub enum KeyFileError {
    Exists(PathBuf),
    NoDirectory(PathBuf),
    Writable(PathBuf),
    Io(PathBuf, io::Error),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(path) => {
                write!(
                    f,
                    "key file {}: exists already and is never overwritten; name another with --out",
                    path.display()
                )
            }
            Self::Writable(path) => {
                write!(
                    f,
                    "key file {path}: others may change it; run: chmod 600 {path}",
                    path = path.display()
                )
            }
            Self::NoDirectory(path) => {
                write!(
                    f,
                    "key file {}: its directory does not exist; make it, or name another file with --out",
                    path.display()
                )
            }
            Self::Io(path, error) => write!(f, "key file {}: {error}", path.display()),
        }
    }
}

/// Grantor's form.
#[derive(Serialize)]
struct GrantorForm {
    issuer: String,
    token_endpoint: String,
    client_id: ClientId,
    auth_method: AuthMethod,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<Object>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
}

/// The text of a new key file in Grantor's form.
pub fn grantor_form(
    issuer: &Issuer,
    client_id: &ClientId,
    auth_method: &AuthMethod,
    key: Option<&PrivateJwk>,
    secret: Option<&str>,
) -> Zeroizing<String> {
    let private_key = key.and_then(|key| serde_json::from_str(key.expose_json()).ok());
    let hmac = (auth_method.needs() == Some(Needs::ReadableSecret)).then_some(Algorithm::Hs256);
    let form = GrantorForm {
        issuer: issuer.to_string(),
        token_endpoint: issuer.endpoint("token"),
        client_id: client_id.clone(),
        auth_method: auth_method.clone(),
        alg: key
            .map(PrivateJwk::algorithm)
            .or(hmac)
            .map(|algorithm| algorithm.name().to_owned()),
        private_key,
        client_secret: secret.map(str::to_owned),
    };
    let mut object = json!({"type": "grantor_client"});
    if let (Value::Object(all), Ok(Value::Object(members))) =
        (&mut object, serde_json::to_value(&form))
    {
        all.extend(members);
    }
    pretty(&object)
}

/// The text of a new key file in the service-account form; `None` unless the key is RSA.
pub fn google_form(
    issuer: &Issuer,
    client_id: &ClientId,
    key: &PrivateJwk,
) -> Option<Zeroizing<String>> {
    let pem = key.expose_rsa_pem()?;
    Some(pretty(&json!({
        "type": "service_account",
        "client_email": client_id,
        "client_id": client_id,
        "private_key_id": key.key_id(),
        "private_key": *pem,
        "token_uri": issuer.endpoint("token"),
    })))
}

fn pretty(value: &Value) -> Zeroizing<String> {
    Zeroizing::new(serde_json::to_string_pretty(value).expect("a key file is JSON") + "\n")
}

/// Refuses a key file that others may change, for they decide what is signed with whose key, and
/// where it is sent. That others may read it is logged only: orchestrators mount secrets so that
/// all users in a container can, and often there is one.
pub fn check_access(path: &Path) -> Result<(), KeyFileError> {
    match exposure(path) {
        Some(Exposure::Writable) => Err(KeyFileError::Writable(path.to_owned())),
        _ => {
            warn_if_exposed(path);
            Ok(())
        }
    }
}

/// Logs that others than the owner and the groups of this process may read or write a file with a
/// private key.
pub fn warn_if_exposed(path: &Path) {
    if let Some(exposure) = exposure(path) {
        tracing::warn!(
            "key file {path}: others may {exposure} it; run: chmod 600 {path}",
            path = path.display()
        );
    }
}

/// A pipe or a terminal is not looked at.
fn exposure(path: &Path) -> Option<Exposure> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Exposure::of(&metadata)
}

/// Without the temporary name that tempfile adds.
fn of_system(error: io::Error) -> io::Error {
    let inner = error
        .get_ref()
        .and_then(|error| error.source()?.downcast_ref::<io::Error>()?.raw_os_error());
    inner.map_or(error, io::Error::from_raw_os_error)
}

/// Writes a key file that must not exist yet, mode 0600. It is there whole and on the disk when
/// this succeeds, and not at all otherwise.
pub fn write_new(path: &Path, text: &str) -> Result<(), KeyFileError> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        // Under another name first, which goes away with the value.
        let mut file = tempfile::Builder::new()
            .prefix(".key-")
            .suffix(".new")
            .tempfile_in(directory)?;
        file.as_file_mut().write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path)
            .map_err(|refused| refused.error)?;
        // The name too, where the file system can do that.
        let _ = fs::File::open(directory).and_then(|directory| directory.sync_all());
        Ok(())
    };
    match write() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(KeyFileError::Exists(path.to_owned()))
        }
        Err(_) if !directory.exists() => Err(KeyFileError::NoDirectory(path.to_owned())),
        written => written.map_err(|error| KeyFileError::Io(path.to_owned(), of_system(error))),
    }
}
