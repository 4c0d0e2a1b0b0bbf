//! Why an operator's wish was not done: one type for all resources, whichever way the wish came.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::NoKeys;
use crate::{
    registry::{ClientError, CredentialId, Denial},
    storage::StoreError,
    types::{ClientId, IssuerId, Name, ScopeToken, Shown, SubjectId},
};

/// Why nothing was done. Only [`Error::Store`] may leave that open; [`Error::is_certain`] tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing of this name.
    NotFound(Named),
    /// The name is taken.
    Exists(Named),
    /// What was asked for makes no sense: everything that is wrong with it, at least one fault.
    Invalid(Vec<Fault>),
    /// It makes sense, but not with the state in which the resource is.
    Conflict(Conflict),
    /// The one who asked may not.
    Denied(Denial),
    /// What is registered has changed since the plan was made, which rests on it.
    MovedOn,
    /// The store.
    Store(StoreError),
}

/// A resource by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Named {
    /// A client.
    Client(ClientId),
    /// A key of a client.
    ClientKey(ClientId, String),
    /// A secret of a client.
    ClientSecret(ClientId, String),
    /// A subject.
    Subject(SubjectId),
    /// The role of a subject.
    Operator(SubjectId),
    /// What a subject signs in with.
    Credentials(SubjectId),
    /// A passkey of a subject.
    Passkey(SubjectId, CredentialId),
    /// The permission of a client for a subject.
    Permission(ClientId, SubjectId),
    /// A scope of the catalogue.
    Scope(ScopeToken),
    /// A signing key of the server.
    SigningKey(String),
    /// A decision.
    Decision(String),
    /// A change, by its number or what was taken for one.
    Change(String),
    /// An issuer, by its `iss` or what it was called by.
    Issuer(String),
    /// The name of an issuer.
    IssuerName(Name),
    /// A SPIFFE trust domain.
    TrustDomain(String),
    /// A trust.
    Trust(Name),
    /// A template.
    Template(String),
    /// The trust by which an issuer's JWTs with this `sub` authenticate a client already.
    FederatedSubject(String, Name),
}

/// How the state of a resource is in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Conflict {
    /// Others change it all the time.
    Changed(Named),
    /// The client has no secret that could be replaced.
    NoSecret(ClientId),
    /// The client would have so many live secrets, and the server tries so many.
    TooManySecrets(ClientId, usize, usize),
    /// The client asks no people.
    AsksNobody(ClientId),
    /// The client would be left without a key or secret, which it needs.
    LastKey(ClientId, ClientError),
    /// Nobody can sign in at this server, nor be asked.
    NoPeople,
    /// The keys of the issuer cannot be had: what went wrong, a sentence each.
    NoKeys(String, Vec<String>),
    /// The issuer has these trusts.
    HasTrusts(String, Vec<Name>),
    /// This client may still get the scope.
    ScopeInUse(ScopeToken, ClientId),
    /// The keys of the issuer were uploaded: there is nothing to fetch.
    KeysUploaded(String),
    /// The keys of the issuer cannot be fetched again: what went wrong.
    NotRefreshed(String, NoKeys),
    /// The JWT says that it is of another issuer than this.
    OtherIssuer {
        /// What it says.
        said: Shown,
        /// The issuer that was asked about, by name.
        name: Name,
        /// And by `iss`.
        iss: IssuerId,
    },
    /// The trust is for another issuer than that of the JWT.
    OtherTrust {
        /// The trust.
        name: Name,
        /// The issuer of the JWT, as it says.
        said: Option<Shown>,
    },
    /// The signing key of this `kid` signs now.
    SignsNow(String),
    /// So many signing keys are published already.
    TooManySigningKeys(usize),
    /// The issuer has so many trusts without a pin, each of which is tried on each of its JWTs.
    TooManyUnpinned(String, usize),
}

/// What is wrong with one member of a document, and what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Fault {
    /// The member, as a JSON Pointer (RFC 6901); the whole document if empty.
    pub pointer: String,
    /// What is wrong, or what is expected there.
    pub detail: String,
}

impl Fault {
    /// A fault of the whole document.
    pub fn of_all(detail: impl Into<String>) -> Self {
        Self {
            pointer: String::new(),
            detail: detail.into(),
        }
    }

    /// A fault at this place: a JSON Pointer.
    pub fn of(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            detail: detail.into(),
        }
    }

    /// A fault of this member.
    pub fn new(member: &str, detail: impl Into<String>) -> Self {
        let name = member.replace('~', "~0").replace('/', "~1");
        Self {
            pointer: format!("/{name}"),
            detail: detail.into(),
        }
    }

    /// A fault of an item of this member, counted from 0.
    #[must_use]
    pub(super) fn at(self, place: impl fmt::Display) -> Self {
        Self {
            pointer: format!("{}/{place}", self.pointer),
            ..self
        }
    }

    /// The same fault of a document that is at this place of another one.
    #[must_use]
    pub(super) fn below(self, place: &str) -> Self {
        Self {
            pointer: format!("{place}{}", self.pointer),
            ..self
        }
    }
}

/// The member by its name, where it is one of the document's own.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.strip_prefix('/') {
            None => f.write_str(&self.detail),
            Some(member) => write!(f, "member '{member}': {}", self.detail),
        }
    }
}

/// The member whose change mends it, and how.
impl From<ClientError> for Fault {
    fn from(error: ClientError) -> Self {
        let (member, remedy) = match &error {
            ClientError::NoKey => ("jwks", "add one"),
            ClientError::KeysBesideUri => ("jwks_uri", "leave out one of them"),
            ClientError::JwksUri(_) => ("jwks_uri", "name another, or register the keys"),
            ClientError::FederatedMethod => {
                ("token_endpoint_auth_method", "choose private_key_jwt")
            }
            ClientError::NoSecret(_) => (
                "token_endpoint_auth_method",
                "have one made, or choose private_key_jwt",
            ),
            ClientError::UnusedSecret(_) => (
                "token_endpoint_auth_method",
                "choose a method with a secret, or have none made",
            ),
            ClientError::PublicClientCredentials => (
                "grant_types",
                "leave out client_credentials, or choose another method",
            ),
            ClientError::NoGrant => ("grant_types", "name one"),
            ClientError::ReservedScope(_) => ("scope", "leave it out, or name one of these"),
            ClientError::SigningAlgorithm(_) => (
                "token_endpoint_auth_signing_alg",
                "choose one that fits, or leave it out",
            ),
            ClientError::TooManyRedirectUris(_) => ("redirect_uris", "leave some out"),
            ClientError::NoRedirectUri => (
                "redirect_uris",
                "add one, or leave authorization_code out of grant_types",
            ),
            ClientError::RefreshWithoutCode => (
                "grant_types",
                "add authorization_code, or leave refresh_token out",
            ),
            ClientError::PublicImplied => ("consent", "choose ask, or another method"),
            ClientError::PermissionLifetime => {
                ("permission_lifetime", "name seconds, or leave it out")
            }
        };
        Self::new(member, format!("{error}; {remedy}"))
    }
}

impl Error {
    /// Whether it is certain that nothing was changed.
    pub fn is_certain(&self) -> bool {
        !matches!(self, Self::Store(StoreError::Unknown(_)))
    }

    /// The same error, with the resource that the store did not name.
    #[must_use]
    pub(super) fn about(self, named: Named) -> Self {
        match self {
            Self::Store(StoreError::Missing(_)) => Self::NotFound(named),
            Self::Store(StoreError::Exists(_)) => Self::Exists(named),
            Self::Store(StoreError::Conflict(_)) => Self::Conflict(Conflict::Changed(named)),
            other => other,
        }
    }
}

/// A cursor that no list has handed out is the caller's fault.
impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Cursor => {
                Fault::new("after", "is no place in this list; begin anew").into()
            }
            StoreError::Denied(denial) => Self::Denied(denial),
            other => Self::Store(other),
        }
    }
}

impl From<Vec<Fault>> for Error {
    fn from(faults: Vec<Fault>) -> Self {
        Self::Invalid(faults)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Invalid(vec![fault])
    }
}

/// Succeeds without a fault.
pub(super) fn none_of(faults: Vec<Fault>) -> Result<(), Error> {
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Error::Invalid(faults)),
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(id) => write!(f, "client {id}"),
            Self::ClientKey(id, key) => write!(f, "key {key} of client {id}"),
            Self::ClientSecret(id, name) => write!(f, "secret {name} of client {id}"),
            Self::Subject(id) => write!(f, "subject {id}"),
            Self::Operator(id) => write!(f, "the role of {id}"),
            Self::Credentials(id) => write!(f, "what {id} signs in with"),
            Self::Passkey(id, credential) => write!(f, "passkey {credential} of {id}"),
            Self::Permission(client, subject) => {
                write!(f, "the permission of client {client} for {subject}")
            }
            Self::Scope(name) => write!(f, "scope {name}"),
            Self::SigningKey(key) => write!(f, "signing key {key}"),
            Self::Decision(id) => write!(f, "decision {id}"),
            Self::Change(id) => write!(f, "change {id}"),
            Self::Issuer(iss) => write!(f, "issuer {iss}"),
            Self::IssuerName(name) => write!(f, "an issuer named {name}"),
            Self::TrustDomain(domain) => write!(f, "an issuer of the trust domain {domain}"),
            Self::Trust(name) => write!(f, "trust {name}"),
            Self::Template(name) => write!(f, "template {name}"),
            Self::FederatedSubject(sub, trust) => {
                write!(f, "trust {trust} for clients with the sub {sub}")
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(named) => match named {
                Named::ClientKey(id, key) => write!(f, "client {id} has no key with kid {key}"),
                Named::Operator(id) => write!(f, "{id} has no role"),
                Named::Credentials(id) => {
                    write!(f, "subject {id} has nothing to sign in with")
                }
                Named::Passkey(id, credential) => {
                    write!(f, "subject {id} has no passkey {credential}")
                }
                Named::Permission(client, subject) => {
                    write!(f, "client {client} has no permission for {subject}")
                }
                Named::Scope(_) => write!(f, "{named} is not in the catalogue"),
                Named::SigningKey(key) => write!(f, "no key has the kid {key}"),
                Named::Decision(id) => write!(f, "no decision {id} is recorded"),
                Named::Change(id) => write!(f, "no change {id} is recorded"),
                Named::Template(name) => {
                    write!(f, "there is no template {name}; see: grantor template list")
                }
                _ => write!(f, "{named} does not exist"),
            },
            Self::Exists(named) => match named {
                Named::Client(id) => {
                    write!(f, "a client, subject or issuer named {id} exists already")
                }
                Named::Subject(id) => write!(f, "a client or subject named {id} exists already"),
                Named::ClientKey(id, key) => {
                    write!(f, "client {id} has a key with kid {key} already")
                }
                Named::Permission(client, subject) => {
                    write!(f, "client {client} has a permission for {subject} already")
                }
                Named::Issuer(iss) if is_of_kubeadm(iss) => write!(
                    f,
                    "{named} exists already; clusters made by kubeadm share \
                     https://kubernetes.default.svc.cluster.local: give each an issuer of its own \
                     (--service-account-issuer of its API server)"
                ),
                Named::IssuerName(_) => {
                    write!(f, "{named} exists already; give this one another name")
                }
                _ => write!(f, "{named} exists already"),
            },
            Self::Invalid(faults) => {
                let faults: Vec<_> = faults.iter().map(Fault::to_string).collect();
                f.write_str(&faults.join("; "))
            }
            Self::Conflict(conflict) => conflict.fmt(f),
            Self::Denied(denial) => denial.fmt(f),
            Self::MovedOn => f.write_str(
                "what is registered has changed since the plan was made; nothing was changed",
            ),
            Self::Store(error) => error.fmt(f),
        }
    }
}

/// Whether clusters have this `iss` unless they are told otherwise.
fn is_of_kubeadm(iss: &str) -> bool {
    iss.starts_with("https://kubernetes.default.svc") || iss == "kubernetes/serviceaccount"
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(named) => write!(f, "{named} is changed by others all the time"),
            Self::NoSecret(id) => write!(f, "client {id} has no secret"),
            Self::TooManySecrets(id, count, most) => write!(
                f,
                "client {id} would have {count} live secrets, and the server tries {most}"
            ),
            Self::NoPeople => f.write_str(
                "nobody can sign in at this server, or be asked: its configuration has no section [person]; add \
                 it, and start the server again",
            ),
            Self::AsksNobody(id) => write!(
                f,
                "client {id} asks nobody; run: grantor client update {id} --consent ask"
            ),
            Self::LastKey(id, error) => write!(
                f,
                "client {id} would have none left: {error}; add another one first"
            ),
            Self::NoKeys(iss, problems) => write!(
                f,
                "the keys of issuer {iss} cannot be had: {}; nothing was registered",
                problems.join("; ")
            ),
            Self::HasTrusts(iss, trusts) => {
                let names: Vec<_> = trusts.iter().take(8).map(Name::as_str).collect();
                let more = match trusts.len() > names.len() {
                    true => format!(" and {} more", trusts.len() - names.len()),
                    false => String::new(),
                };
                write!(
                    f,
                    "issuer {iss} has trusts: {}{more}; delete them first, or along with it (cascade)",
                    names.join(", ")
                )
            }
            Self::ScopeInUse(scope, client) => write!(
                f,
                "client {client} may get scope {scope}: take it there first, and of all others that \
                 have it"
            ),
            Self::KeysUploaded(iss) => write!(f, "the keys of issuer {iss} were uploaded"),
            Self::NotRefreshed(iss, problem) => write!(
                f,
                "the keys of issuer {iss} cannot be had: {problem}; servers go on with those that \
                 they hold"
            ),
            Self::OtherIssuer { said, name, iss } => write!(
                f,
                "the JWT says that its issuer is {said}, and {name} is {iss}: they have to be the \
                 same to the letter"
            ),
            Self::OtherTrust { name, said } => {
                write!(f, "trust {name} is for another issuer than that of the JWT")?;
                said.iter().try_for_each(|said| write!(f, ", {said}"))
            }
            Self::SignsNow(kid) => {
                write!(
                    f,
                    "signing key {kid} signs now; rotate first, and let the new one sign"
                )
            }
            Self::TooManySigningKeys(most) => write!(
                f,
                "{most} signing keys are published already; withdraw one, or wait until the last \
                 token of the oldest has expired"
            ),
            Self::TooManyUnpinned(iss, most) => write!(
                f,
                "issuer {iss} has {most} trusts without a pin already, each of which is tried on \
                 each of its JWTs; pin a claim to a value"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => error.source(),
            _ => None,
        }
    }
}
