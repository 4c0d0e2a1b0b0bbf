//! Changes that make a key or a secret, in two steps: what is made exists nowhere else, so whoever
//! asked for it may be handed it before it is registered. No client is registered whose key is lost.

use std::{fmt, time::Duration};

use grantor_jose::{Algorithm, PrivateJwk, VerificationKey};
use zeroize::Zeroizing;

use super::{ClientDocument, PublicJwks, change::with_keys, warning::Warning};
use crate::{
    admin::{Error, Fault, ServerTerms, error::none_of, manager::fault_of_manager, name},
    clock::UnixTime,
    credential::{Credential, KeyFile, KeyFileForm},
    registry::{Client, ClientKey, ClientMetadata, ClientSecret},
    types::{AuthMethod, ClientId, Needs},
};

/// A client that is to be registered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewClient {
    /// What is registered, with the public keys that the client brings.
    pub document: ClientDocument,
    /// Makes a key pair for this algorithm.
    pub generate: Option<Algorithm>,
    /// How long its keys live; for ever if not set.
    pub key_lifetime: Option<Duration>,
    /// How long the secret lives that is made where the method needs one; for ever if not set.
    pub secret_lifetime: Option<Duration>,
    /// The form of the key file.
    pub form: KeyFileForm,
}

/// Keys that are to be added to a client.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct NewKeys {
    /// Those that the client brings.
    pub jwks: PublicJwks,
    /// Makes a key pair for this algorithm.
    pub generate: Option<Algorithm>,
    /// When they end; never if not set.
    pub expires_at: Option<UnixTime>,
    /// How long the keys before still work; as long as they would if not set.
    pub overlap: Option<Duration>,
}

/// A secret that is to be made for a client.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct NewSecret {
    /// How long it lives; for ever if not set.
    pub lifetime: Option<Duration>,
    /// How long the secrets before still work.
    pub overlap: Duration,
}

/// A change of a client from its present state.
type Change = Box<dyn Fn(&Client) -> Result<Client, Error> + Send + Sync>;

pub(super) enum Work {
    Create(Box<Client>),
    Change(ClientId, Change),
}

/// A change that was checked and can be made, with what was made for it.
#[must_use = "nothing is changed yet"]
pub struct Prepared {
    /// The new private key or secret, which exists nowhere else.
    pub key_file: Option<KeyFile>,
    /// What an operator should know before it is made.
    pub warnings: Vec<Warning>,
    pub(super) work: Work,
}

impl Prepared {
    /// The name of the client that is to be registered; `None` for a change of one.
    pub fn client_id(&self) -> Option<&ClientId> {
        match &self.work {
            Work::Create(client) => Some(client.id()),
            Work::Change(..) => None,
        }
    }

    /// The new client; `None` for a change of one.
    pub(in crate::admin) fn into_client(self) -> Option<Client> {
        match self.work {
            Work::Create(client) => Some(*client),
            Work::Change(..) => None,
        }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("key_file", &self.key_file)
            .finish_non_exhaustive()
    }
}

impl NewClient {
    /// With the keys that it brings.
    pub fn new(document: ClientDocument) -> Self {
        Self {
            document,
            generate: None,
            key_lifetime: None,
            secret_lifetime: None,
            form: KeyFileForm::Grantor,
        }
    }

    /// Checks the registration, and makes its key pair or secret. Asks no store.
    ///
    /// # Errors
    /// [`Error::Invalid`]
    pub fn prepare(self, terms: &ServerTerms, now: UnixTime) -> Result<Prepared, Error> {
        let metadata = self.document.metadata(now);
        let method = &metadata.auth_method;
        let has_secret = method.needs().is_some_and(Needs::is_secret);
        let mut faults = Vec::from_iter(name::fault_of("client_id", metadata.id.as_str()));
        faults.extend(terms.fault_of_method(method));
        faults.extend(fault_of_manager(&metadata.managed_by, &None));
        if has_secret && self.generate.is_some() {
            let detail = format!(
                "{method} has a secret, and a key file holds one of both; add the key later"
            );
            faults.push(Fault::new("generate", detail));
        }
        let mut keys = self.document.public_keys().unwrap_or_else(|wrong| {
            faults.extend(wrong);
            Vec::new()
        });
        let generated = generated(self.generate, &mut keys).unwrap_or_else(|wrong| {
            faults.push(wrong);
            None
        });
        none_of(faults)?;
        let keys = ending(keys, self.key_lifetime.map(|lifetime| now.plus(lifetime)));
        let mut faults = terms.faults_of_keys(&keys);
        faults.extend(terms.fault_of_algorithm(&metadata, &keys));
        let secret = has_secret.then(ClientSecret::generate);
        let end = self.secret_lifetime.map(|lifetime| now.plus(lifetime));
        let registered = secret.as_ref().map(|secret| kept(method, secret, end));
        let secrets = Vec::from_iter(registered.transpose()?);
        let wrong = Client::problems(&metadata, &keys, &secrets);
        faults.extend(wrong.into_iter().map(Fault::from));
        none_of(faults)?;
        let key_file = key_file(&terms.issuer, &metadata, self.form, generated, secret);
        let client = Client::new(metadata, keys, secrets).map_err(Fault::from)?;
        Ok(Prepared {
            key_file,
            warnings: Vec::from_iter(Warning::of_untried(terms, client.keys(), now)),
            work: Work::Create(Box::new(client)),
        })
    }
}

impl NewKeys {
    /// Checks the keys, and makes the pair, for a client as it was read.
    pub(super) fn prepare(
        self,
        client: &Client,
        terms: &ServerTerms,
        now: UnixTime,
    ) -> Result<Prepared, Error> {
        self.jwks.check_names()?;
        let mut added = self.jwks.usable()?;
        let generated = generated(self.generate, &mut added)?;
        if added.is_empty() {
            return Err(Fault::new("jwks", "there is no key in it; add one").into());
        }
        let added = ending(added, self.expires_at);
        none_of(terms.faults_of_keys(&added))?;
        let overlap = self.overlap;
        let changed = with_keys(client, &added, overlap, now)?;
        let mut warnings = Vec::from_iter(Warning::of_untried(terms, changed.keys(), now));
        warnings.extend(Warning::of_unused(client, &added));
        Ok(Prepared {
            key_file: generated.map(|key| {
                let (id, method) = (client.id().clone(), client.metadata().auth_method.clone());
                KeyFile::new(&terms.issuer, id, method, Credential::PrivateKey(key))
            }),
            warnings,
            work: Work::Change(
                client.id().clone(),
                Box::new(move |client| with_keys(client, &added, overlap, now)),
            ),
        })
    }
}

impl NewSecret {
    /// Makes the secret, for a client as it was read.
    pub(super) fn prepare(
        self,
        client: &Client,
        terms: &ServerTerms,
        now: UnixTime,
    ) -> Result<Prepared, Error> {
        let method = client.metadata().auth_method.clone();
        let secret = ClientSecret::generate();
        let end = self.lifetime.map(|lifetime| now.plus(lifetime));
        let new = kept(&method, &secret, end)?;
        let rotate = move |client: &Client| {
            super::change::with_secret(client, new.clone(), self.overlap, now)
        };
        rotate(client)?;
        let id = client.id().clone();
        let credential = Credential::Secret(secret);
        Ok(Prepared {
            key_file: Some(KeyFile::new(&terms.issuer, id.clone(), method, credential)),
            warnings: Vec::new(),
            work: Work::Change(id, Box::new(rotate)),
        })
    }
}

/// Makes a key pair where one is asked for, and adds its public half.
fn generated(
    algorithm: Option<Algorithm>,
    keys: &mut Vec<ClientKey>,
) -> Result<Option<PrivateJwk>, Fault> {
    let Some(algorithm) = algorithm else {
        return Ok(None);
    };
    let wrong = |error: &dyn fmt::Display| Fault::new("generate", format!("{algorithm}: {error}"));
    let private = PrivateJwk::generate(algorithm).map_err(|error| wrong(&error))?;
    let public = VerificationKey::from_jwk(private.public()).map_err(|error| wrong(&error))?;
    keys.push(public.into());
    Ok(Some(private))
}

/// A new secret without an end for a client that is registered so, with its key file.
pub(in crate::admin) fn new_secret(
    metadata: &ClientMetadata,
    terms: &ServerTerms,
) -> Result<(ClientSecret, Option<KeyFile>), Fault> {
    let secret = ClientSecret::generate();
    let registered = kept(&metadata.auth_method, &secret, None)?;
    let form = KeyFileForm::Grantor;
    let key_file = key_file(&terms.issuer, metadata, form, None, Some(secret));
    Ok((registered, key_file))
}

fn ending(keys: Vec<ClientKey>, end: Option<UnixTime>) -> Vec<ClientKey> {
    let ending = |key: ClientKey| match end {
        Some(end) => key.ending_at(end),
        None => key,
    };
    keys.into_iter().map(ending).collect()
}

/// A secret kept in the form that its method needs.
fn kept(
    method: &AuthMethod,
    secret: &Zeroizing<String>,
    expires_at: Option<UnixTime>,
) -> Result<ClientSecret, Fault> {
    match method.needs() {
        Some(Needs::ReadableSecret) => ClientSecret::readable(secret.clone(), expires_at)
            .map_err(|error| Fault::new("token_endpoint_auth_method", error.to_string())),
        _ => Ok(ClientSecret::digest(secret, expires_at)),
    }
}

fn key_file(
    issuer: &crate::types::Issuer,
    metadata: &ClientMetadata,
    form: KeyFileForm,
    key: Option<PrivateJwk>,
    secret: Option<Zeroizing<String>>,
) -> Option<KeyFile> {
    let id = metadata.id.clone();
    let credential = match (form, key, secret) {
        (KeyFileForm::ServiceAccount, Some(key), _) => {
            return Some(KeyFile::service_account(issuer, id, key));
        }
        (_, Some(key), _) => Credential::PrivateKey(key),
        (_, None, Some(secret)) => Credential::Secret(secret),
        (_, None, None) => return None,
    };
    let method = metadata.auth_method.clone();
    Some(KeyFile::new(issuer, id, method, credential))
}
