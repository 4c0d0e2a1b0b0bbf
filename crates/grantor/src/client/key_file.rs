//! What a key file makes: the grant of its client, and a source of tokens.

use std::path::PathBuf;

use super::{Builder, ClientCredentials, ConfigError, JwtBearer, credentials::Credentials};
use crate::credential::{
    Credential, CredentialError, KeyFile, KeyFileError, KeyFileForm, LocalKey, Server, preset,
};

/// Why a key file makes no token source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeySourceError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// When it was read again, it was for another client or server.
    #[error("key file {}: it is for another client or server than it was; start the program anew to use it", .0.display())]
    Others(PathBuf),
    /// What it says does not make a token source.
    #[error("key file {}: {}", .0.display(), .1)]
    Config(PathBuf, #[source] ConfigError),
}

impl KeyFile {
    /// The JWT bearer grant by this client. A service account's is by the rules of
    /// [`preset::GOOGLE`].
    ///
    /// # Errors
    /// [`CredentialError::AuthMethod`] if there is no private key, [`CredentialError::Signing`].
    pub fn jwt_bearer(&self) -> Result<JwtBearer, CredentialError> {
        let Credential::PrivateKey(key) = &self.credential else {
            return Err(CredentialError::AuthMethod(self.auth_method.clone()));
        };
        let grant = JwtBearer::new(self.client_id.as_str(), LocalKey::new(key)?);
        Ok(if self.form == KeyFileForm::ServiceAccount {
            grant.preset(&preset::GOOGLE)
        } else {
            grant
        })
    }

    /// A source of tokens: with a private key by the JWT bearer grant, with a secret by client
    /// credentials. It knows the credential that was read, and not the file:
    /// [`TokenSource::key_file`](super::TokenSource::key_file) makes one that reads it again.
    ///
    /// # Errors
    /// [`ConfigError`]
    pub fn source(&self) -> Result<Builder, ConfigError> {
        let (server, credentials) = self.credentials()?;
        Ok(Builder::with(server, credentials))
    }

    pub(super) fn credentials(&self) -> Result<(Server, Credentials), ConfigError> {
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
