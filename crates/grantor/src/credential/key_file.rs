//! Key files: what a client keeps. Grantor's own form, and the widespread form of service accounts.
//! The private key or secret in one exists nowhere else.

use std::{
    fmt::{self, Display},
    mem,
    path::{Path, PathBuf},
    str::FromStr,
};

use grantor_jose::{
    Algorithm, PrivateJwk, SigningError, SigningKey,
    json::{self, Object, Value},
};
use zeroize::{Zeroize as _, Zeroizing};

use super::{
    ClientAuth, ClientSecretBasic, ClientSecretJwt, ClientSecretPost, KeyText, KeyTextError,
    KeyTextForm, LocalKey, PrivateKeyJwt, Server, preset,
};
use crate::{
    client::{Builder, ClientCredentials, ConfigError, Credentials, JwtBearer},
    types::{AuthMethod, ClientId},
};

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
    /// It cannot be read, or is no key file.
    #[error("key file {}: {}", .0.display(), .1)]
    Text(PathBuf, #[source] KeyTextError),
    /// It holds a key alone, and does not say whose that is.
    #[error("key file {}: a private key alone (PEM or JWK) does not name its client and server; a key file does", .0.display())]
    KeyAlone(PathBuf),
    /// The named member is missing or wrong.
    #[error("key file {}: member '{}': {}", .0.display(), .1, .2)]
    Member(PathBuf, &'static str, String),
    /// When it was read again, it was for another client or server.
    #[error("key file {}: it is for another client or server than it was; start the program anew to use it", .0.display())]
    Others(PathBuf),
    /// What it says does not make a token source.
    #[error("key file {}: {}", .0.display(), .1)]
    Config(PathBuf, #[source] ConfigError),
}

impl KeyFile {
    /// Reads either form.
    ///
    /// # Errors
    /// [`KeyFileError`], but not [`KeyFileError::Config`]
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
            Some("grantor_client") => Self::from_grantor(&mut document),
            Some("service_account") => Self::from_service_account(&mut document),
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
            issuer: token_uri
                .strip_suffix("/token")
                .unwrap_or(&token_uri)
                .to_owned(),
            audience: token_uri.clone(),
            token_endpoint: token_uri,
            auth_method: AuthMethod::PRIVATE_KEY_JWT,
            credential: Credential::PrivateKey(
                key.map_err(|error| ("private_key", error.to_string()))?,
            ),
        })
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
    /// [`ConfigError::Fetch`] unless `token_endpoint` is an https URL, or an http URL of a loopback
    /// host.
    pub fn server(&self) -> Result<Server, ConfigError> {
        Ok(Server::at(&self.token_endpoint)?.with_issuer(&self.issuer))
    }

    /// The JWT bearer grant by this client. A service account's is by the rules of
    /// [`preset::GOOGLE`].
    ///
    /// # Errors
    /// [`ConfigError::AuthMethod`] if there is no private key.
    pub fn jwt_bearer(&self) -> Result<JwtBearer, ConfigError> {
        let Credential::PrivateKey(key) = &self.credential else {
            return Err(ConfigError::AuthMethod(self.auth_method.clone()));
        };
        let grant = JwtBearer::new(self.client_id.as_str(), LocalKey::new(key)?);
        Ok(if self.form == KeyFileForm::ServiceAccount {
            grant.preset(&preset::GOOGLE)
        } else {
            grant
        })
    }

    /// The client authentication that the file is for.
    ///
    /// # Errors
    /// [`ConfigError::AuthMethod`] if the method does not fit the credential,
    /// [`ConfigError::Signing`].
    pub fn client_auth(&self) -> Result<Box<dyn ClientAuth>, ConfigError> {
        let client_id = self.client_id.as_str();
        let secret = match &self.credential {
            Credential::PrivateKey(key) if self.auth_method == AuthMethod::PRIVATE_KEY_JWT => {
                return Ok(Box::new(PrivateKeyJwt::new(client_id, LocalKey::new(key)?)));
            }
            Credential::PrivateKey(_) => {
                return Err(ConfigError::AuthMethod(self.auth_method.clone()));
            }
            Credential::Secret(secret) => secret.as_str(),
        };
        Ok(match &self.auth_method {
            method if *method == AuthMethod::CLIENT_SECRET_BASIC => {
                Box::new(ClientSecretBasic::new(client_id, secret))
            }
            method if *method == AuthMethod::CLIENT_SECRET_POST => {
                Box::new(ClientSecretPost::new(client_id, secret))
            }
            method if *method == AuthMethod::CLIENT_SECRET_JWT => {
                Box::new(ClientSecretJwt::new(client_id, secret, None)?)
            }
            method => return Err(ConfigError::AuthMethod(method.clone())),
        })
    }

    /// A source of tokens: with a private key by the JWT bearer grant, with a secret by client
    /// credentials. It knows the credential that was read, and not the file:
    /// [`TokenSource::key_file`](crate::client::TokenSource::key_file) makes one that reads it again.
    ///
    /// # Errors
    /// [`ConfigError`]
    pub fn source(&self) -> Result<Builder, ConfigError> {
        let (server, credentials) = self.credentials()?;
        Ok(Builder::with(server, credentials))
    }

    pub(crate) fn credentials(&self) -> Result<(Server, Credentials), ConfigError> {
        let credentials = match &self.credential {
            Credential::PrivateKey(_) => Credentials {
                grant: Box::new(self.jwt_bearer()?),
                client_auth: None,
            },
            Credential::Secret(_) => Credentials {
                grant: Box::new(ClientCredentials),
                client_auth: Some(self.client_auth()?),
            },
        };
        Ok((self.server()?, credentials))
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
