//! The hook that says which third parties are trusted, and for what.

use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::registry::{Issuers, TrustedIssuer, Trusts};

/// Finds issuers and their trusts. A change of either is in force within one second.
#[async_trait]
pub trait IssuerSource: Send + Sync + 'static {
    /// All issuers, disabled ones included.
    ///
    /// # Errors
    /// [`StoreError`]: then no JWT of an issuer is taken.
    async fn issuers(&self) -> Result<Arc<Issuers>, StoreError>;

    /// All trusts of this issuer, whatever their mode.
    ///
    /// # Errors
    /// As for [`IssuerSource::issuers`].
    async fn trusts(&self, issuer: &TrustedIssuer) -> Result<Arc<Trusts>, StoreError>;
}
