//! What a command signs or authenticates with: a key file, or a private key alone and the client it
//! belongs to.

use std::{
    fmt::Display,
    io,
    path::{Path, PathBuf},
};

use clap::Args;
use grantor::{
    client::JwtBearer,
    credential::{
        Audience, ClientAuth, Credential, CredentialError, KeyFile, KeyText, KeyTextForm, LocalKey,
        Proof, Signer as _,
    },
    jose::Algorithm,
    types::{AuthMethod, ClientId, Needs},
};

use super::{Failure, parse::algorithm};
use crate::key_access;

/// What a private key alone does not say.
#[derive(Debug, Default, Args)]
pub struct BareKey {
    /// The client, where FILE is a private key alone: PEM or JWK
    #[arg(long, value_name = "CLIENT", requires = "key")]
    iss: Option<ClientId>,
    /// Algorithm of a private key alone; needed for RSA
    #[arg(long, value_name = "ALG", value_parser = algorithm, requires = "key")]
    alg: Option<Algorithm>,
    /// Key id of a private key alone, as the server knows it [default: none in a PEM]
    #[arg(long, value_name = "KID", allow_hyphen_values = true, requires = "key")]
    kid: Option<String>,
}

/// A client's credential, read.
pub enum ClientCredential {
    /// A key file says everything.
    File(KeyFile),
    /// A private key alone, of which each signer is made.
    Bare {
        client_id: ClientId,
        path: PathBuf,
        text: KeyText,
        algorithm: Option<Algorithm>,
        key_id: Option<String>,
    },
}

impl ClientCredential {
    /// Reads either, from standard input where the file is called `-`; what is missing or too much
    /// is a usage error.
    pub fn read(path: &Path, bare: BareKey) -> Result<Self, Failure> {
        key_access::check_access(path).map_err(Failure::usage)?;
        let named = |problem: &dyn Display| {
            Failure::usage(format!("key file {}: {problem}", path.display()))
        };
        // Once, and before anything else: a pipe gives its text once.
        let text = if path == Path::new("-") {
            KeyText::from_reader(io::stdin().lock())
        } else {
            KeyText::read(path)
        };
        let text = text.map_err(|error| named(&error))?;
        if text.form() == KeyTextForm::KeyFile {
            if bare.iss.is_some() || bare.alg.is_some() || bare.kid.is_some() {
                return Err(named(
                    &"--iss, --alg and --kid go with a private key alone (PEM or JWK); this is none",
                ));
            }
            return KeyFile::from_text(&text, path)
                .map(Self::File)
                .map_err(Failure::usage);
        }
        let missing = "a private key alone does not name its client; say --iss CLIENT";
        let client_id = bare.iss.ok_or_else(|| named(&missing))?;
        let key = Self::Bare {
            client_id,
            path: path.to_owned(),
            text,
            algorithm: bare.alg,
            key_id: bare.kid,
        };
        key.signer()?;
        Ok(key)
    }

    pub fn file(&self) -> Option<&KeyFile> {
        match self {
            Self::File(file) => Some(file),
            Self::Bare { .. } => None,
        }
    }

    pub fn client_id(&self) -> &str {
        match self {
            Self::File(file) => file.client_id.as_str(),
            Self::Bare { client_id, .. } => client_id.as_str(),
        }
    }

    pub fn has_private_key(&self) -> bool {
        self.file()
            .is_none_or(|file| matches!(file.credential, Credential::PrivateKey(_)))
    }

    /// How the client authenticates unless told otherwise.
    pub fn auth_method(&self) -> AuthMethod {
        self.file()
            .map_or(AuthMethod::PRIVATE_KEY_JWT, |file| file.auth_method.clone())
    }

    /// The algorithm of what is signed with it; `None` for a secret that signs nothing.
    pub fn algorithm(&self) -> Result<Option<Algorithm>, Failure> {
        let method = self.auth_method();
        let signs = self.has_private_key() || method.needs() == Some(Needs::ReadableSecret);
        signs
            .then(|| self.signer().map(|signer| signer.algorithm()))
            .transpose()
    }

    pub fn signer(&self) -> Result<LocalKey, Failure> {
        match self {
            Self::File(file) => file.signer().map_err(Failure::usage),
            Self::Bare {
                path,
                text,
                algorithm,
                key_id,
                ..
            } => {
                let key = LocalKey::from_text(text, *algorithm);
                let key = key.map_err(|error| {
                    Failure::usage(format!("key file {}: {error}", path.display()))
                })?;
                Ok(match key_id {
                    Some(key_id) => key.with_key_id(key_id),
                    None => key,
                })
            }
        }
    }

    /// The JWT bearer grant. A service account's is by its vendor's rules, with this audience
    /// instead of theirs where one is given.
    pub fn jwt_bearer(&self, audience: Option<Audience>) -> Result<JwtBearer, Failure> {
        let grant = match self {
            Self::File(file) => file.jwt_bearer().map_err(Failure::usage)?,
            Self::Bare { .. } => JwtBearer::new(self.client_id(), self.signer()?),
        };
        Ok(match audience {
            Some(audience) => grant.audience(audience),
            None => grant,
        })
    }

    /// Client authentication by `method`, its assertions for this audience where one is given.
    pub fn client_auth(
        &self,
        method: &AuthMethod,
        audience: Option<Audience>,
    ) -> Result<Box<dyn ClientAuth>, Failure> {
        let audience = audience.unwrap_or(Audience::Issuer);
        let proof = match self {
            Self::File(file) => file.proof().map_err(Failure::usage)?,
            Self::Bare { .. } => Proof::Key(self.signer()?),
        };
        let auth = proof.by(method, self.client_id(), audience);
        auth.map_err(|error| match error {
            CredentialError::AuthMethod(method) => {
                let held = match self.has_private_key() {
                    true => "a private key",
                    false => "a secret",
                };
                Failure::usage(format!(
                    "{method}: the key file holds {held}, with which this is not possible"
                ))
            }
            error => Failure::usage(error),
        })
    }
}
