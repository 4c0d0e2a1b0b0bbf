//! Key files: what a client keeps. Grantor's own form, and the widespread form of service accounts. The private key or secret in
//! one exists nowhere else.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use grantor_jose::{
    Algorithm, PrivateJwk, SigningError, SigningKey,
    json::{Object, Value},
};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    Builder, ClientAuth, ClientSecretBasic, ClientSecretJwt, ClientSecretPost, ConfigError, JwtBearer, LocalKey, PrivateKeyJwt,
    Server, TokenSource, preset,
};
use crate::types::{AuthMethod, ClientId};

/// The credential in a key file.
pub enum Credential {
    /// A private key: for grant assertions and `private_key_jwt`.
    PrivateKey(PrivateJwk),
    /// A secret.
    Secret(Zeroizing<String>),
}

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
    /// It cannot be read.
    #[error("key file {}: {}", .0.display(), .1)]
    Io(PathBuf, #[source] io::Error),
    /// The named member is missing or wrong.
    #[error("key file {}: member '{}': {}", .0.display(), .1, .2)]
    Member(PathBuf, &'static str, String),
    /// What it says does not make a token source.
    #[error("key file {}: {}", .0.display(), .1)]
    Config(PathBuf, #[source] ConfigError),
}

/// Grantor's form.
#[derive(Deserialize)]
struct GrantorForm {
    issuer: String,
    token_endpoint: String,
    client_id: ClientId,
    auth_method: Option<AuthMethod>,
    alg: Option<String>,
    private_key: Option<Object>,
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

impl KeyFile {
    /// Reads either form.
    ///
    /// # Errors
    /// [`KeyFileError::Io`], [`KeyFileError::Member`]
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let text = fs::read(path).map(Zeroizing::new).map_err(|error| KeyFileError::Io(path.to_owned(), error))?;
        Self::parse(&text).map_err(|(member, problem)| KeyFileError::Member(path.to_owned(), member, problem))
    }

    /// Reads either form from memory: where the file comes from a secret store, for example. The error is the member that is missing or
    /// wrong, and what is wrong with it.
    ///
    /// # Errors
    /// As said.
    pub fn parse(text: &[u8]) -> Result<Self, (&'static str, String)> {
        let value: Value = serde_json::from_slice(text).map_err(|error| ("type", format!("not JSON: {error}")))?;
        match value.get("type").and_then(Value::as_str) {
            Some("grantor_client") => Self::from_grantor(value),
            Some("service_account") => Self::from_service_account(value),
            _ => Err(("type", "expected \"grantor_client\" or \"service_account\"".to_owned())),
        }
    }

    fn from_grantor(value: Value) -> Result<Self, (&'static str, String)> {
        let form: GrantorForm = serde_json::from_value(value).map_err(|error| ("grantor_client", error.to_string()))?;
        let algorithm = form.alg.as_deref().map(|name| Algorithm::from_name(name).ok_or(name));
        let algorithm = algorithm.transpose().map_err(|name| ("alg", format!("{name:?} is not supported")))?;
        let credential = match (form.private_key, form.client_secret) {
            (Some(key), _) => {
                let key = Zeroizing::new(serde_json::to_vec(&key).expect("a JSON object is JSON"));
                let key = PrivateJwk::parse(&key, algorithm).map_err(|error| ("private_key", error.to_string()))?;
                Credential::PrivateKey(key)
            }
            (None, Some(secret)) => Credential::Secret(Zeroizing::new(secret)),
            (None, None) => return Err(("private_key", "missing, and there is no client_secret either".to_owned())),
        };
        let default_method = match credential {
            Credential::PrivateKey(_) => AuthMethod::PRIVATE_KEY_JWT,
            Credential::Secret(_) => AuthMethod::CLIENT_SECRET_BASIC,
        };
        Ok(Self {
            form: KeyFileForm::Grantor,
            client_id: form.client_id,
            token_endpoint: form.token_endpoint,
            audience: form.issuer.clone(),
            issuer: form.issuer,
            auth_method: form.auth_method.unwrap_or(default_method),
            credential,
        })
    }

    fn from_service_account(value: Value) -> Result<Self, (&'static str, String)> {
        let form: ServiceAccountForm = serde_json::from_value(value).map_err(|error| ("service_account", error.to_string()))?;
        let key = PrivateJwk::from_rsa_pem(&form.private_key, Algorithm::Rs256, form.private_key_id);
        let key = key.map_err(|error| ("private_key", error.to_string()))?;
        Ok(Self {
            form: KeyFileForm::ServiceAccount,
            client_id: form.client_email,
            // This form does not name the issuer; with Grantor's servers it is what the endpoint's URL starts with.
            issuer: form.token_uri.strip_suffix("/token").unwrap_or(&form.token_uri).to_owned(),
            audience: form.token_uri.clone(),
            token_endpoint: form.token_uri,
            auth_method: AuthMethod::PRIVATE_KEY_JWT,
            credential: Credential::PrivateKey(key),
        })
    }

    /// The key that signs this client's assertions: the private key, or HS256 with the secret.
    ///
    /// # Errors
    /// [`SigningError`]: the secret is too short for HS256, for example.
    pub fn signing_key(&self) -> Result<SigningKey, SigningError> {
        match &self.credential {
            Credential::PrivateKey(key) => key.signing_key(),
            Credential::Secret(secret) => SigningKey::from_secret(secret.as_bytes(), Algorithm::Hs256),
        }
    }

    /// As [`KeyFile::signing_key`], to make assertions with.
    ///
    /// # Errors
    /// [`SigningError`]
    pub fn signer(&self) -> Result<LocalKey, SigningError> {
        match &self.credential {
            Credential::PrivateKey(key) => LocalKey::new(key),
            Credential::Secret(secret) => LocalKey::from_secret(secret, Algorithm::Hs256),
        }
    }

    /// The server it is for.
    ///
    /// # Errors
    /// [`ConfigError::Fetch`] unless `token_endpoint` is an https URL, or an http URL of a loopback host.
    pub fn server(&self) -> Result<Server, ConfigError> {
        Ok(Server::at(&self.token_endpoint)?.with_issuer(&self.issuer))
    }

    /// The JWT bearer grant by this client. A service account's is by the rules of [`preset::GOOGLE`].
    ///
    /// # Errors
    /// [`ConfigError::AuthMethod`] if there is no private key.
    pub fn jwt_bearer(&self) -> Result<JwtBearer, ConfigError> {
        let Credential::PrivateKey(key) = &self.credential else {
            return Err(ConfigError::AuthMethod(self.auth_method.clone()));
        };
        let grant = JwtBearer::new(self.client_id.as_str(), LocalKey::new(key)?);
        Ok(if self.form == KeyFileForm::ServiceAccount { grant.preset(&preset::GOOGLE) } else { grant })
    }

    /// The client authentication that the file is for.
    ///
    /// # Errors
    /// [`ConfigError::AuthMethod`] if the method does not fit the credential, [`ConfigError::Signing`].
    pub fn client_auth(&self) -> Result<Box<dyn ClientAuth>, ConfigError> {
        let client_id = self.client_id.as_str();
        let secret = match &self.credential {
            Credential::PrivateKey(key) if self.auth_method == AuthMethod::PRIVATE_KEY_JWT => {
                return Ok(Box::new(PrivateKeyJwt::new(client_id, LocalKey::new(key)?)));
            }
            Credential::PrivateKey(_) => return Err(ConfigError::AuthMethod(self.auth_method.clone())),
            Credential::Secret(secret) => secret.as_str(),
        };
        Ok(match &self.auth_method {
            method if *method == AuthMethod::CLIENT_SECRET_BASIC => Box::new(ClientSecretBasic::new(client_id, secret)),
            method if *method == AuthMethod::CLIENT_SECRET_POST => Box::new(ClientSecretPost::new(client_id, secret)),
            method if *method == AuthMethod::CLIENT_SECRET_JWT => Box::new(ClientSecretJwt::new(client_id, secret, None)?),
            method => return Err(ConfigError::AuthMethod(method.clone())),
        })
    }

    /// A source of tokens: with a private key by the JWT bearer grant, with a secret by client credentials.
    ///
    /// # Errors
    /// [`ConfigError`]
    pub fn source(&self) -> Result<Builder, ConfigError> {
        Ok(match &self.credential {
            Credential::PrivateKey(_) => TokenSource::jwt_bearer(self.server()?, self.jwt_bearer()?),
            Credential::Secret(_) => TokenSource::client_credentials(self.server()?, self.client_auth()?),
        })
    }
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
