//! The party that signed an assertion: found by `iss`, once for every use, before anything is
//! verified.
//!
//! Whether there is such a party, and with which keys, must not show in the time an answer takes.
//! So every assertion that comes through here costs one verification, also where it is refused.

use std::sync::Arc;

use super::{Assertion, Decoys, Expectation, Terms, Usage};
use crate::{
    clock::UnixTime,
    keys::{Candidate, KeyError, KeyKind, KeyResolver},
    registry::Client,
    storage::{ClientSource, StoreError},
    types::{AuthMethod, ClientId, Shown},
};

/// A registered party that signs assertions.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Party {
    /// A client, which signs with its own keys.
    Client(Arc<Client>),
}

impl Party {
    /// What it is called in `iss`.
    pub fn name(&self) -> &str {
        match self {
            Self::Client(client) => client.id().as_str(),
        }
    }
}

/// Why an assertion has no party that could have signed it. The text is part of the private cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartyError {
    /// The assertion has no `iss`.
    #[error("claim 'iss' is missing")]
    NoIssuer,
    /// `iss` is another party than the one that calls. The registry was not asked.
    #[error("caller {caller:?} is not the issuer {issuer:?}")]
    NotCaller {
        /// The name that the request gives to its caller.
        caller: Shown,
        /// `iss`
        issuer: Shown,
    },
    /// No party of this name is registered.
    #[error("issuer {0:?} is not registered")]
    Unknown(Shown),
    /// An operator has disabled the party.
    #[error("issuer is disabled")]
    Disabled(Party),
    /// The client is registered with a method that has no assertions (RFC 7591 §2).
    #[error("method: client is registered with {method}, used an assertion")]
    WrongMethod {
        /// The party.
        party: Party,
        /// The registered method.
        method: AuthMethod,
    },
    /// The party has no key to verify the assertion with.
    #[error("key: {error}")]
    Key {
        /// The party.
        party: Party,
        /// What its keys lack.
        error: KeyError,
    },
    /// The registry failed, or the source of the party's keys.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PartyError {
    /// The registered party that `iss` names, where it was found.
    pub fn party(&self) -> Option<&Party> {
        match self {
            Self::NoIssuer | Self::NotCaller { .. } | Self::Unknown(_) | Self::Store(_) => None,
            Self::Disabled(party) | Self::WrongMethod { party, .. } | Self::Key { party, .. } => {
                Some(party)
            }
        }
    }
}

/// The party that is said to have signed an assertion, and the keys that can prove it. Nothing is
/// proven yet: [`Verifier::verify`](super::Verifier::verify) holds the assertion against
/// [`Parties::expectation`].
#[derive(Clone, Debug)]
pub struct Signed {
    usage: Usage,
    party: Party,
    kind: KeyKind,
    /// The party's keys, and decoys behind them.
    keys: Vec<Candidate>,
    own: usize,
}

impl Signed {
    /// What the assertion is used for.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// The party.
    pub fn party(&self) -> &Party {
        &self.party
    }

    /// The party's keys that the signature is held against, in this order.
    pub fn keys(&self) -> &[Candidate] {
        &self.keys[..self.own]
    }
}

/// Finds the party behind an assertion.
pub struct Parties {
    clients: Arc<dyn ClientSource>,
    resolver: Arc<dyn KeyResolver>,
    terms: Terms,
    decoys: Decoys,
}

impl Parties {
    /// Clients from `clients`, their keys from `resolver`.
    pub fn new(
        clients: Arc<dyn ClientSource>,
        resolver: Arc<dyn KeyResolver>,
        terms: Terms,
        decoys: Decoys,
    ) -> Self {
        Self {
            clients,
            resolver,
            terms,
            decoys,
        }
    }

    /// The party that is said to have signed this assertion, if it is registered and enabled, has a
    /// key for it and, where the request names its `caller`, is the caller.
    ///
    /// The work is that of one verification where the answer is an error, and no less than that
    /// together with [`Verifier::verify`](super::Verifier::verify) where it is not.
    ///
    /// # Errors
    /// [`PartyError`]
    pub async fn of(
        &self,
        assertion: &Assertion<'_>,
        usage: Usage,
        caller: Option<&str>,
        now: UnixTime,
    ) -> Result<Signed, PartyError> {
        match self.find(assertion, usage, caller, now).await {
            Ok(mut signed) => {
                self.decoys.verify_beside(assertion, &signed.keys);
                if signed.kind == KeyKind::Secret {
                    self.decoys.fill(&mut signed.keys);
                }
                Ok(signed)
            }
            Err(error) => {
                self.decoys.verify(assertion);
                Err(error)
            }
        }
    }

    /// What is expected of an assertion that this party is said to have signed.
    pub fn expectation<'a>(&'a self, signed: &'a Signed) -> Expectation<'a> {
        let (terms, keys) = (&self.terms, &*signed.keys);
        match (&signed.party, signed.usage) {
            (Party::Client(client), Usage::Grant) => Expectation::grant(terms, client, keys),
            (Party::Client(client), Usage::ClientAuthentication) => {
                Expectation::client_authentication(terms, client, signed.kind, keys)
            }
        }
    }

    /// Compares names before the registry is asked, so that the answer to a mismatch does not tell
    /// who is registered.
    async fn find(
        &self,
        assertion: &Assertion<'_>,
        usage: Usage,
        caller: Option<&str>,
        now: UnixTime,
    ) -> Result<Signed, PartyError> {
        let issuer = assertion.claimed_issuer().ok_or(PartyError::NoIssuer)?;
        if let Some(caller) = caller.filter(|caller| *caller != issuer) {
            return Err(PartyError::NotCaller {
                caller: caller.into(),
                issuer: issuer.into(),
            });
        }
        let client = self.client(issuer).await?;
        let kind = match usage {
            Usage::Grant => KeyKind::Public,
            Usage::ClientAuthentication => {
                let method = &client.metadata().auth_method;
                KeyKind::of_method(method).ok_or_else(|| PartyError::WrongMethod {
                    party: Party::Client(client.clone()),
                    method: method.clone(),
                })?
            }
        };
        let header = assertion.header();
        let keys = self.resolver.resolve_keys(&client, kind, header, now).await;
        let party = Party::Client(client);
        match keys {
            Ok(keys) => Ok(Signed {
                usage,
                party,
                kind,
                own: keys.len(),
                keys,
            }),
            Err(error) => Err(PartyError::Key { party, error }),
        }
    }

    /// The enabled client of this name. A text that cannot be a client identifier names none.
    async fn client(&self, name: &str) -> Result<Arc<Client>, PartyError> {
        let client = match ClientId::parse(name) {
            Ok(id) => self.clients.client(&id).await?,
            Err(_) => None,
        };
        match client {
            None => Err(PartyError::Unknown(name.into())),
            Some(client) if !client.metadata().enabled => {
                Err(PartyError::Disabled(Party::Client(client)))
            }
            Some(client) => Ok(client),
        }
    }
}
