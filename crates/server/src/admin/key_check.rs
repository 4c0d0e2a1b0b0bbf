//! Whether the keys of an issuer can be had: asked once before it is registered.

use std::sync::Arc;

use async_trait::async_trait;
use grantor::{
    admin::{KeyCheck, NoKeys},
    keys::{KeyReport, RemoteKeys},
    registry::TrustedIssuer,
};

use super::CLOCK;
use crate::{app, config::Config};

/// Fetches by the terms of a configuration.
pub struct Fetched(RemoteKeys);

impl Fetched {
    /// By those of this one.
    pub fn new(config: &Config) -> Self {
        Self(RemoteKeys::new(
            app::outgoing(&config.outgoing),
            Arc::new(CLOCK),
        ))
    }

    /// What one fetch finds.
    ///
    /// # Errors
    /// [`NoKeys`]
    pub async fn report(&self, issuer: &TrustedIssuer) -> Result<KeyReport, NoKeys> {
        let report = self.0.check(issuer).await;
        report.map_err(|error| match error.is_forbidden() {
            true => NoKeys::NotAllowed(error.to_string()),
            false => NoKeys::Failed(vec![error.to_string()]),
        })
    }
}

#[async_trait]
impl KeyCheck for Fetched {
    async fn check(&self, issuer: &TrustedIssuer) -> Result<(), NoKeys> {
        let report = self.report(issuer).await?;
        if !report.keys.is_empty() {
            return Ok(());
        }
        let skipped = report.skipped.iter();
        let skipped = skipped.map(|key| format!("key {}: {}", key.index, key.reason));
        let none = "there is no key that verifies a signature".to_owned();
        Err(NoKeys::Failed([none].into_iter().chain(skipped).collect()))
    }
}
