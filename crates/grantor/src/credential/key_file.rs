//! Key files: what a client keeps. Grantor's own form, and the widespread form of service accounts.
//! The private key or secret in one exists nowhere else. What is written here is read back the same.

use std::{
    fmt::{self, Display},
    io, mem,
    path::{Path, PathBuf},
    str::FromStr,
};

use grantor_jose::{
    Algorithm, PrivateJwk, SigningError, SigningKey,
    json::{self, Object, Value},
};
use zeroize::{Zeroize as _, Zeroizing};

use super::{KeyText, KeyTextError, KeyTextForm};
use crate::types::{AuthMethod, ClientId, Issuer, Needs};

/// The credential in a key file.
#[non_exhaustive]
pub enum Credential {
    /// A private key: for grant assertions and `private_key_jwt`.
    PrivateKey(PrivateJwk),
    /// A secret.
    Secret(Zeroizing<String>),
}

/// `type` of Grantor's form.
const GRANTOR: &str = "grantor_client";
/// `type` of the form of service accounts.
const SERVICE_ACCOUNT: &str = "service_account";

/// Which form a key file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFileForm {
    /// `"type": "grantor_client"`
    Grantor,
    /// `"type": "service_account"`
    ServiceAccount,
}

/// A key file, read. `Debug` does not show the credential.
#[non_exhaustive]
pub struct KeyFile {
    /// Its form.
    pub form: KeyFileForm,
    /// The client: issuer of its assertions.
    pub client_id: ClientId,
    /// Where tokens are asked for.
    pub token_endpoint: String,
    /// The issuer identifier of the server: the audience of client authentication.
    pub issuer: String,
    /// The audience of grant assertions.
    pub audience: String,
    /// How the client authenticates.
    pub auth_method: AuthMethod,
    /// With what.
    pub credential: Credential,
}

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It cannot be read, or is no key file.
    #[error("key file {}: {}", .0.display(), .1)]
    Text(PathBuf, #[source] KeyTextError),
    /// It holds a key alone, and does not say whose that is.
    #[error("key file {}: a private key alone (PEM or JWK) does not name its client and server; a key file does", .0.display())]
    KeyAlone(PathBuf),
    /// The named member is missing or wrong.
    #[error("key file {}: member '{}': {}", .0.display(), .1, .2)]
    Member(PathBuf, &'static str, String),
    /// There is a file of this name, and none is overwritten: its key exists nowhere else.
    #[error("key file {}: exists already and is never overwritten", .0.display())]
    Exists(PathBuf),
    /// The directory it would be in does not exist.
    #[error("key file {}: its directory does not exist", .0.display())]
    NoDirectory(PathBuf),
    /// Its form has no place for its credential.
    #[error("key file {}: the form of service accounts is for an RSA key only", .0.display())]
    Form(PathBuf),
    /// It cannot be written.
    #[error("key file {}: {}", .0.display(), .1)]
    Write(PathBuf, #[source] io::Error),
}

impl KeyFile {
    /// Reads either form.
    ///
    /// # Errors
    /// [`KeyFileError::Text`], [`KeyFileError::KeyAlone`], [`KeyFileError::Member`]
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let text =
            KeyText::read(path).map_err(|error| KeyFileError::Text(path.to_owned(), error))?;
        Self::from_text(&text, path)
    }

    /// Reads either form from a file that is read already; `path` is what errors call it.
    ///
    /// # Errors
    /// [`KeyFileError::KeyAlone`], [`KeyFileError::Member`]
    pub fn from_text(text: &KeyText, path: &Path) -> Result<Self, KeyFileError> {
        if text.form() != KeyTextForm::KeyFile {
            return Err(KeyFileError::KeyAlone(path.to_owned()));
        }
        let parsed = Self::parse(text.expose().as_bytes());
        parsed.map_err(|(member, problem)| KeyFileError::Member(path.to_owned(), member, problem))
    }

    /// Reads either form from memory: where the file comes from a secret store, for example. The
    /// error is the member that is missing or wrong, and what is wrong with it.
    ///
    /// # Errors
    /// As said.
    pub fn parse(text: &[u8]) -> Result<Self, (&'static str, String)> {
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        let mut document =
            Document(json::parse_object(text).map_err(|error| ("type", error.to_string()))?);
        match document.0.get("type").and_then(Value::as_str) {
            Some(GRANTOR) => Self::from_grantor(&mut document),
            Some(SERVICE_ACCOUNT) => Self::from_service_account(&mut document),
            _ => Err((
                "type",
                "expected \"grantor_client\" or \"service_account\"".to_owned(),
            )),
        }
    }

    fn from_grantor(document: &mut Document) -> Result<Self, Problem> {
        let unsupported = || ("alg", "not supported".to_owned());
        let algorithm = document
            .text("alg")?
            .map(|name| Algorithm::from_name(&name).ok_or_else(unsupported))
            .transpose()?;
        let credential = match (
            document.jwk("private_key")?,
            document.text("client_secret")?,
        ) {
            (Some(key), _) => {
                let key = PrivateJwk::parse(&key, algorithm)
                    .map_err(|error| ("private_key", error.to_string()))?;
                Credential::PrivateKey(key)
            }
            (None, Some(secret)) => Credential::Secret(secret),
            (None, None) => {
                return Err((
                    "private_key",
                    "missing, and there is no client_secret either".to_owned(),
                ));
            }
        };
        let default_method = match credential {
            Credential::PrivateKey(_) => AuthMethod::PRIVATE_KEY_JWT,
            Credential::Secret(_) => AuthMethod::CLIENT_SECRET_BASIC,
        };
        let issuer: String = document.required("issuer")?;
        Ok(Self {
            form: KeyFileForm::Grantor,
            client_id: document.required("client_id")?,
            token_endpoint: document.required("token_endpoint")?,
            audience: issuer.clone(),
            issuer,
            auth_method: document.optional("auth_method")?.unwrap_or(default_method),
            credential,
        })
    }

    fn from_service_account(document: &mut Document) -> Result<Self, Problem> {
        let pem = document
            .text("private_key")?
            .ok_or_else(|| missing("private_key"))?;
        let key = PrivateJwk::from_pem(
            &pem,
            Some(Algorithm::Rs256),
            document.optional("private_key_id")?,
        );
        let token_uri: String = document.required("token_uri")?;
        Ok(Self {
            form: KeyFileForm::ServiceAccount,
            client_id: document.required("client_email")?,
            // This form does not name the issuer; with Grantor's servers it is what the endpoint's
            // URL starts with.
            issuer: issuer_of(&token_uri).to_owned(),
            audience: token_uri.clone(),
            token_endpoint: token_uri,
            auth_method: AuthMethod::PRIVATE_KEY_JWT,
            credential: Credential::PrivateKey(
                key.map_err(|error| ("private_key", error.to_string()))?,
            ),
        })
    }

    /// A key file in Grantor's form: of a client of `issuer` that authenticates by `auth_method`.
    #[must_use]
    pub fn new(
        issuer: &Issuer,
        client_id: ClientId,
        auth_method: AuthMethod,
        credential: Credential,
    ) -> Self {
        Self {
            form: KeyFileForm::Grantor,
            client_id,
            token_endpoint: issuer.endpoint("token"),
            issuer: issuer.to_string(),
            audience: issuer.to_string(),
            auth_method,
            credential,
        }
    }

    /// A key file in the form of service accounts. Their libraries sign with RS256 only.
    #[must_use]
    pub fn service_account(issuer: &Issuer, client_id: ClientId, key: PrivateJwk) -> Self {
        let token_uri = issuer.endpoint("token");
        Self {
            form: KeyFileForm::ServiceAccount,
            client_id,
            issuer: issuer_of(&token_uri).to_owned(),
            audience: token_uri.clone(),
            token_endpoint: token_uri,
            auth_method: AuthMethod::PRIVATE_KEY_JWT,
            credential: Credential::PrivateKey(key),
        }
    }

    /// The text of the file: what [`KeyFile::parse`] reads back the same. `None` if the credential
    /// has no place in this form: a service account has an RSA key.
    #[must_use]
    pub fn to_text(&self) -> Option<Zeroizing<String>> {
        let document = Document(match self.form {
            KeyFileForm::Grantor => self.as_grantor(),
            KeyFileForm::ServiceAccount => self.as_service_account()?,
        });
        let text = serde_json::to_string_pretty(&document.0).expect("a JSON object is JSON");
        Some(Zeroizing::new(text + "\n"))
    }

    /// Writes the file, which must not exist yet, mode 0600. It is there whole and on the disk when
    /// this succeeds, and not at all otherwise.
    ///
    /// # Errors
    /// [`KeyFileError::Exists`], [`KeyFileError::NoDirectory`], [`KeyFileError::Write`];
    /// [`KeyFileError::Form`] where there is no [text](KeyFile::to_text)
    #[cfg(feature = "server")]
    pub fn write_new(&self, path: &Path) -> Result<(), KeyFileError> {
        let text = self
            .to_text()
            .ok_or_else(|| KeyFileError::Form(path.to_owned()))?;
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        match write_into(directory, path, &text) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(KeyFileError::Exists(path.to_owned()))
            }
            Err(_) if !directory.exists() => Err(KeyFileError::NoDirectory(path.to_owned())),
            written => {
                written.map_err(|error| KeyFileError::Write(path.to_owned(), of_system(error)))
            }
        }
    }

    fn as_grantor(&self) -> Object {
        let (algorithm, name, credential) = match &self.credential {
            Credential::PrivateKey(key) => (Some(key.algorithm()), "private_key", jwk_of(key)),
            Credential::Secret(secret) => {
                let hmac = self.auth_method.needs() == Some(Needs::ReadableSecret);
                let secret = Value::from(secret.as_str());
                (hmac.then_some(Algorithm::Hs256), "client_secret", secret)
            }
        };
        let mut object = Object::new();
        let mut set = |name: &str, value: Value| object.insert(name.to_owned(), value);
        set("type", GRANTOR.into());
        set("issuer", self.issuer.as_str().into());
        set("token_endpoint", self.token_endpoint.as_str().into());
        set("client_id", self.client_id.as_str().into());
        set("auth_method", self.auth_method.as_str().into());
        if let Some(algorithm) = algorithm {
            set("alg", algorithm.name().into());
        }
        set(name, credential);
        object
    }

    fn as_service_account(&self) -> Option<Object> {
        let Credential::PrivateKey(key) = &self.credential else {
            return None;
        };
        let pem = key.expose_rsa_pem()?;
        let members = [
            ("type", SERVICE_ACCOUNT),
            ("client_email", self.client_id.as_str()),
            ("client_id", self.client_id.as_str()),
            ("private_key_id", key.key_id()),
            ("private_key", pem.as_str()),
            ("token_uri", self.token_endpoint.as_str()),
        ];
        Some(
            members
                .map(|(name, text)| (name.to_owned(), text.into()))
                .into_iter()
                .collect(),
        )
    }

    /// The key that signs this client's assertions: the private key, or HS256 with the secret.
    ///
    /// # Errors
    /// [`SigningError`]: the secret is too short for HS256, for example.
    pub fn signing_key(&self) -> Result<SigningKey, SigningError> {
        match &self.credential {
            Credential::PrivateKey(key) => key.signing_key(),
            Credential::Secret(secret) => {
                SigningKey::from_secret(secret.as_bytes(), Algorithm::Hs256)
            }
        }
    }
}

/// What a server's token endpoint begins with, where it is one of Grantor's.
fn issuer_of(token_uri: &str) -> &str {
    token_uri.strip_suffix("/token").unwrap_or(token_uri)
}

fn jwk_of(key: &PrivateJwk) -> Value {
    serde_json::from_str(key.expose_json()).expect("a private JWK is JSON")
}

#[cfg(feature = "server")]
fn write_into(directory: &Path, path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;

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
    let _ = std::fs::File::open(directory).and_then(|directory| directory.sync_all());
    Ok(())
}

/// Without the temporary name that tempfile adds.
#[cfg(feature = "server")]
fn of_system(error: io::Error) -> io::Error {
    let inner = error
        .get_ref()
        .and_then(|error| error.source()?.downcast_ref::<io::Error>()?.raw_os_error());
    inner.map_or(error, io::Error::from_raw_os_error)
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile")
            .field("client_id", &self.client_id)
            .field("token_endpoint", &self.token_endpoint)
            .field("auth_method", &self.auth_method)
            .finish_non_exhaustive()
    }
}

/// A member, and what is wrong with it. Never what it is: that may be a secret in the wrong place.
type Problem = (&'static str, String);

/// The JSON of a key file. What is not taken out of it is wiped.
struct Document(Object);

impl Document {
    fn text(&mut self, member: &'static str) -> Result<Option<Zeroizing<String>>, Problem> {
        match self.0.get_mut(member) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(Zeroizing::new(mem::take(text)))),
            Some(_) => Err((member, "expected a string".to_owned())),
        }
    }

    fn optional<T: FromStr<Err: Display>>(
        &mut self,
        member: &'static str,
    ) -> Result<Option<T>, Problem> {
        let text = self.text(member)?;
        text.map(|text| text.parse())
            .transpose()
            .map_err(|error: T::Err| (member, error.to_string()))
    }

    fn required<T: FromStr<Err: Display>>(&mut self, member: &'static str) -> Result<T, Problem> {
        self.optional(member)?.ok_or_else(|| missing(member))
    }

    /// The text of a private JWK.
    fn jwk(&self, member: &'static str) -> Result<Option<Zeroizing<Vec<u8>>>, Problem> {
        match self.0.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(jwk)) => Ok(Some(Zeroizing::new(
                serde_json::to_vec(jwk).expect("a JSON object is JSON"),
            ))),
            Some(_) => Err((member, "expected a JWK, as an object".to_owned())),
        }
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

pub(super) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn missing(member: &'static str) -> Problem {
    (member, "missing".to_owned())
}
