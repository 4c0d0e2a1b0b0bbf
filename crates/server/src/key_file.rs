//! Key files: what a client keeps. Grantor's own form, and the widespread form of service accounts. The private key or secret in
//! one exists nowhere else.

use std::{
    fmt, fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use grantor::{
    jose::{Algorithm, PrivateJwk, SigningError, SigningKey, json::Object},
    types::{AuthMethod, ClientId, Issuer},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// The credential in a key file.
pub enum Credential {
    /// A private key: for grant assertions and `private_key_jwt`.
    PrivateKey(PrivateJwk),
    /// A secret.
    Secret(Zeroizing<String>),
}

/// A key file, read.
pub struct KeyFile {
    pub client_id: ClientId,
    pub token_endpoint: String,
    /// The issuer identifier of the server: the audience of client authentication.
    pub issuer: String,
    /// The audience of grant assertions.
    pub audience: String,
    pub auth_method: AuthMethod,
    pub credential: Credential,
}

/// Why a key file cannot be used.
#[derive(Debug)]
pub enum KeyFileError {
    Exists(PathBuf),
    Io(PathBuf, io::Error),
    /// The named member is missing or wrong.
    Member(PathBuf, &'static str, String),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(path) => {
                write!(f, "key file {}: exists already and is never overwritten; name another with --out", path.display())
            }
            Self::Io(path, error) => write!(f, "key file {}: {error}", path.display()),
            Self::Member(path, member, problem) => write!(f, "key file {}: member '{member}': {problem}", path.display()),
        }
    }
}

/// Grantor's form.
#[derive(Serialize, Deserialize)]
struct GrantorForm {
    issuer: String,
    token_endpoint: String,
    client_id: ClientId,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_method: Option<AuthMethod>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<Object>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
}

/// The form of service accounts.
#[derive(Deserialize)]
struct ServiceAccountForm {
    client_email: ClientId,
    private_key_id: Option<String>,
    private_key: String,
    token_uri: String,
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
    let hmac = (*auth_method == AuthMethod::CLIENT_SECRET_JWT).then_some(Algorithm::Hs256);
    let form = GrantorForm {
        issuer: issuer.to_string(),
        token_endpoint: issuer.endpoint("token"),
        client_id: client_id.clone(),
        auth_method: Some(auth_method.clone()),
        alg: key.map(PrivateJwk::algorithm).or(hmac).map(|algorithm| algorithm.name().to_owned()),
        private_key,
        client_secret: secret.map(str::to_owned),
    };
    let mut object = json!({"type": "grantor_client"});
    if let (Value::Object(all), Ok(Value::Object(members))) = (&mut object, serde_json::to_value(&form)) {
        all.extend(members);
    }
    pretty(&object)
}

/// The text of a new key file in the service-account form; `None` unless the key is RSA.
pub fn google_form(issuer: &Issuer, client_id: &ClientId, key: &PrivateJwk) -> Option<Zeroizing<String>> {
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

/// Writes a key file that must not exist yet, mode 0600.
pub fn write_new(path: &Path, text: &str) -> Result<(), KeyFileError> {
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists(path.to_owned()),
        _ => KeyFileError::Io(path.to_owned(), error),
    })
}

impl KeyFile {
    /// Reads either form.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let text = fs::read_to_string(path).map(Zeroizing::new);
        let text = text.map_err(|error| KeyFileError::Io(path.to_owned(), error))?;
        let wrong = |member, problem: String| KeyFileError::Member(path.to_owned(), member, problem);
        let value: Value = serde_json::from_str(&text).map_err(|error| wrong("type", format!("not JSON: {error}")))?;
        match value.get("type").and_then(Value::as_str) {
            Some("grantor_client") => Self::from_grantor(value, wrong),
            Some("service_account") => Self::from_service_account(value, wrong),
            _ => Err(wrong("type", "expected \"grantor_client\" or \"service_account\"".to_owned())),
        }
    }

    fn from_grantor(value: Value, wrong: impl Fn(&'static str, String) -> KeyFileError) -> Result<Self, KeyFileError> {
        let form: GrantorForm = serde_json::from_value(value).map_err(|error| wrong("grantor_client", error.to_string()))?;
        let algorithm = form.alg.as_deref().map(|name| Algorithm::from_name(name).ok_or(name));
        let algorithm = algorithm.transpose().map_err(|name| wrong("alg", format!("{name:?} is not supported")))?;
        let credential = match (form.private_key, form.client_secret) {
            (Some(key), _) => {
                let key = Zeroizing::new(serde_json::to_vec(&key).expect("a JSON object is JSON"));
                let key = PrivateJwk::parse(&key, algorithm).map_err(|error| wrong("private_key", error.to_string()))?;
                Credential::PrivateKey(key)
            }
            (None, Some(secret)) => Credential::Secret(Zeroizing::new(secret)),
            (None, None) => return Err(wrong("private_key", "missing, and there is no client_secret either".to_owned())),
        };
        let default_method = match credential {
            Credential::PrivateKey(_) => AuthMethod::PRIVATE_KEY_JWT,
            Credential::Secret(_) => AuthMethod::CLIENT_SECRET_BASIC,
        };
        Ok(Self {
            client_id: form.client_id,
            token_endpoint: form.token_endpoint,
            audience: form.issuer.clone(),
            issuer: form.issuer,
            auth_method: form.auth_method.unwrap_or(default_method),
            credential,
        })
    }

    fn from_service_account(value: Value, wrong: impl Fn(&'static str, String) -> KeyFileError) -> Result<Self, KeyFileError> {
        let form: ServiceAccountForm =
            serde_json::from_value(value).map_err(|error| wrong("service_account", error.to_string()))?;
        let key = PrivateJwk::from_rsa_pem(&form.private_key, Algorithm::Rs256, form.private_key_id);
        let key = key.map_err(|error| wrong("private_key", error.to_string()))?;
        Ok(Self {
            client_id: form.client_email,
            // This form does not name the issuer; with our own servers it is what the endpoint's URL starts with.
            issuer: form.token_uri.strip_suffix("/token").unwrap_or(&form.token_uri).to_owned(),
            audience: form.token_uri.clone(),
            token_endpoint: form.token_uri,
            auth_method: AuthMethod::PRIVATE_KEY_JWT,
            credential: Credential::PrivateKey(key),
        })
    }

    /// The key that signs this client's assertions: the private key, or HS256 with the secret.
    pub fn signing_key(&self) -> Result<SigningKey, SigningError> {
        match &self.credential {
            Credential::PrivateKey(key) => key.signing_key(),
            Credential::Secret(secret) => SigningKey::from_secret(secret.as_bytes(), Algorithm::Hs256),
        }
    }
}
