//! Which of the issuer's keys may have signed a token: by `kid`, never by anything the token brings
//! along (RFC 8725 §3.10).

use std::sync::Arc;

use grantor_jose::{Header, Jwk, JwkSet, JwsError, SkippedKey, Unverified, VerificationKey};

use super::{SourceError, ValidationError, refreshing::Refreshing, source::KeySource};

/// Most keys that one token is tried with: an attacker pays one token, and we one signature
/// verification each.
const MAX_TRIES: usize = 4;

/// The usable public keys of one moment, parsed once.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<VerificationKey>,
    skipped: Vec<SkippedKey>,
}

impl KeySet {
    pub(super) fn new(set: JwkSet) -> Arc<Self> {
        Arc::new(Self {
            keys: set.keys,
            skipped: set.skipped,
        })
    }

    /// The `previous` set if it has the same keys, so that a set that is the same is the same
    /// pointer.
    pub(super) fn replacing(previous: Option<&Arc<Self>>, set: JwkSet) -> Arc<Self> {
        let jwks = |keys: &[VerificationKey]| -> Vec<Option<Jwk>> {
            keys.iter().map(|key| key.jwk().cloned()).collect()
        };
        match previous.filter(|previous| {
            jwks(&previous.keys) == jwks(&set.keys) && previous.skipped == set.skipped
        }) {
            Some(previous) => previous.clone(),
            None => Self::new(set),
        }
    }

    /// Whether it may have been one of these keys: one has the token's `kid`; or the token has
    /// none, and one fits its algorithm.
    fn knows(&self, header: &Header) -> bool {
        self.candidates(header)
            .any(|key| header.key_id().is_some() || key.accepts(header.algorithm()))
    }

    fn candidates(&self, header: &Header) -> impl Iterator<Item = &VerificationKey> {
        self.keys.iter().filter(move |key| match header.key_id() {
            Some(key_id) => key.key_id() == Some(key_id),
            None => key.accepts(header.algorithm()),
        })
    }

    /// Why none of these keys is it: the one with the token's `kid` cannot be used, or there is
    /// none.
    fn unknown(&self, header: &Header) -> ValidationError {
        let named = header.key_id().and_then(|kid| {
            self.skipped
                .iter()
                .find(|skipped| skipped.key_id.as_deref() == Some(kid))
        });
        named.map_or(ValidationError::UnknownKey, |skipped| {
            ValidationError::UnusableKey {
                index: skipped.index,
                reason: skipped.reason.clone(),
            }
        })
    }

    fn verify(&self, jws: &Unverified<'_>) -> Result<(), JwsError> {
        jws.verified_by(self.candidates(jws.header()).take(MAX_TRIES))
            .map(drop)
    }
}

/// Where the keys come from.
pub(super) enum Keys {
    Fixed(Arc<KeySet>),
    Fetched(Refreshing<KeySource>),
}

impl Keys {
    /// The keys of this moment.
    pub(super) async fn current(&self) -> Result<Arc<KeySet>, Arc<SourceError>> {
        match self {
            Self::Fixed(keys) => Ok(keys.clone()),
            Self::Fetched(keys) => keys.get().await,
        }
    }

    /// Verifies the signature, if and only if it is by a key of the issuer. Answers the set that
    /// the key is from.
    pub(super) async fn verify(
        &self,
        jws: &Unverified<'_>,
    ) -> Result<Arc<KeySet>, ValidationError> {
        let mut keys = self.current().await?;
        if !keys.knows(jws.header()) {
            keys = self.other_than(&keys).await?.unwrap_or(keys);
            if !keys.knows(jws.header()) {
                return Err(keys.unknown(jws.header()));
            }
        }
        keys.verify(jws)?;
        Ok(keys)
    }

    async fn other_than(
        &self,
        seen: &Arc<KeySet>,
    ) -> Result<Option<Arc<KeySet>>, Arc<SourceError>> {
        match self {
            Self::Fixed(_) => Ok(None),
            Self::Fetched(keys) => keys.other_than(seen).await,
        }
    }
}
