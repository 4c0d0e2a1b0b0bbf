//! Keys without a way out: those that are registered, and of those that are published what was
//! fetched before.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use grantor_jose::{Algorithm, Header};

use super::{KeyOwner, RemoteKeys, candidates, published::Published};
use crate::{
    clock::UnixTime,
    keys::{Candidate, KeyError, KeyKind, KeyResolver, RegisteredKeys},
    registry::{Client, TrustedIssuer},
    remote::{KeySetError, refreshing::Load as _},
};

/// The keys of [`RemoteKeys`] as far as they are kept: nothing is fetched for whoever asks.
pub struct KeptKeys(RemoteKeys);

impl RemoteKeys {
    /// These keys, without a way out. Only [`RemoteKeys::keeping`] gives it published ones.
    pub fn without_fetching(self) -> KeptKeys {
        KeptKeys(self)
    }
}

impl KeptKeys {
    async fn candidates(
        published: Result<Published, KeySetError>,
        header: &Header,
    ) -> Result<Vec<Candidate>, KeyError> {
        let unavailable = |error: KeySetError| KeyError::Unavailable(Arc::new(error).into());
        let kept = published.map_err(unavailable)?.recall().await;
        let kept = kept.ok_or_else(|| unavailable(KeySetError::NotKept))?;
        candidates(&kept.document, header, || None)
    }
}

#[async_trait]
impl KeyResolver for KeptKeys {
    async fn resolve_keys(
        &self,
        client: &Client,
        kind: KeyKind,
        header: &Header,
        now: UnixTime,
    ) -> Result<Vec<Candidate>, KeyError> {
        match client.authentication().public_keys().jwks_uri() {
            Some(url) if kind == KeyKind::Public => {
                let owner = KeyOwner::of_client(client);
                let keys = Published::of_client(&owner, url, &self.0.outgoing, &self.0.shared);
                Self::candidates(keys.map(|(keys, _)| keys), header).await
            }
            _ => RegisteredKeys.resolve_keys(client, kind, header, now).await,
        }
    }

    async fn resolve_issuer_keys(
        &self,
        issuer: &TrustedIssuer,
        header: &Header,
        now: UnixTime,
    ) -> Result<Vec<Candidate>, KeyError> {
        if issuer.keys.uploaded().is_some() {
            return RegisteredKeys
                .resolve_issuer_keys(issuer, header, now)
                .await;
        }
        let algorithm = header.algorithm();
        let is_named = |named: &Algorithm| named.is_same_as(algorithm);
        if !issuer.algorithms.iter().any(is_named) {
            return Err(KeyError::NoKeyForAlgorithm(algorithm));
        }
        let owner = KeyOwner::of_issuer(issuer);
        let keys = Published::of_issuer(&owner, issuer, &self.0.outgoing, &self.0.shared);
        Self::candidates(keys.map(|(keys, _)| keys), header).await
    }
}

impl fmt::Debug for KeptKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeptKeys").field(&self.0).finish()
    }
}
