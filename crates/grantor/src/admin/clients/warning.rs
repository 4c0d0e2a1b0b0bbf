//! What an operator should know about a change that is made all the same.

use std::fmt;

use grantor_jose::Algorithm;

use crate::{
    admin::ServerTerms,
    clock::UnixTime,
    keys::MAX_CANDIDATES,
    registry::{Client, ClientKey},
    types::ClientId,
};

/// A warning.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// An assertion without `kid`, or with one that several keys have, is verified with the first
    /// [`MAX_CANDIDATES`] that fit, and so many do.
    UntriedKeys {
        /// The `kid` that they share.
        kid: Option<String>,
        /// How many there are.
        count: usize,
        /// The algorithm that they are for.
        algorithm: Algorithm,
    },
    /// The client's registered algorithm keeps an added key from being used. No refusal: a new
    /// algorithm's key is added first.
    UnusedKey {
        /// The key's name.
        key: String,
        /// The client.
        client: ClientId,
        /// Its registered algorithm.
        algorithm: Algorithm,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UntriedKeys {
                kid,
                count,
                algorithm,
            } => write!(
                f,
                "not all of these keys are tried: {count} for {algorithm} have the kid {}, and {MAX_CANDIDATES} are tried; give each a kid of its own",
                kid.as_deref().unwrap_or("(none)"),
            ),
            Self::UnusedKey {
                key,
                client,
                algorithm,
            } => write!(
                f,
                "key {key} is not used while client {client} signs with {algorithm} only"
            ),
        }
    }
}

impl Warning {
    /// Of the first keys of which not all are tried.
    pub(in crate::admin) fn of_untried(
        terms: &ServerTerms,
        keys: &[ClientKey],
        now: UnixTime,
    ) -> Option<Self> {
        terms.assertion_algorithms.iter().find_map(|algorithm| {
            let fits = |key: &&ClientKey| {
                key.is_live(now) && key.usable().is_ok_and(|key| key.accepts(*algorithm))
            };
            let alike = |one: &ClientKey| {
                let fitting = keys.iter().filter(fits);
                fitting.filter(|key| key.key_id() == one.key_id()).count()
            };
            let key = keys
                .iter()
                .filter(fits)
                .find(|key| alike(key) > MAX_CANDIDATES)?;
            Some(Self::UntriedKeys {
                kid: key.key_id().map(str::to_owned),
                count: alike(key),
                algorithm: *algorithm,
            })
        })
    }

    /// Of added keys that are not for the client's one algorithm.
    pub(super) fn of_unused(client: &Client, added: &[ClientKey]) -> Vec<Self> {
        let algorithm = client.metadata().signing_algorithm;
        let Some(algorithm) = algorithm.filter(|algorithm| !algorithm.is_mac()) else {
            return Vec::new();
        };
        let fits = |key: &&ClientKey| key.usable().is_ok_and(|key| key.accepts(algorithm));
        let unused = added.iter().filter(|key| !fits(key));
        unused
            .map(|key| Self::UnusedKey {
                key: key.name().into_owned(),
                client: client.id().clone(),
                algorithm,
            })
            .collect()
    }
}
