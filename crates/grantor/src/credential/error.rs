//! Why a credential proves nothing.

use std::error::Error;

use grantor_jose::SigningError;

use super::SignerError;
use crate::types::AuthMethod;

/// Why a credential does not fit a server, or makes no proof for it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// An assertion's audience would be the issuer identifier, and none is configured.
    #[error(
        "no issuer is configured; name it with Server::with_issuer, or choose another Audience"
    )]
    NoIssuer,
    /// An assertion's audience would be a URL that is learned from the server's metadata
    /// (CVE-2025-27370).
    #[error(
        "the token endpoint is discovered, and an audience comes from configuration only; use Server::at, or another Audience"
    )]
    DiscoveredAudience,
    /// A rule of the vendor is broken.
    #[error("preset {preset} wants {rule} ({documentation})")]
    Preset {
        /// The preset's name.
        preset: &'static str,
        /// Where the vendor says so.
        documentation: &'static str,
        /// What is wanted.
        rule: String,
    },
    /// The key or secret cannot sign.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A key file names a method that this library does not have for its credential.
    #[error("auth_method {0} does not fit the credential in the key file")]
    AuthMethod(AuthMethod),
    /// The signer gave no signature.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// A [`ClientAuth`](super::ClientAuth) from outside this library made no proof.
    #[error("{0}")]
    Foreign(#[source] Box<dyn Error + Send + Sync>),
}

impl CredentialError {
    /// From the error of a [`ClientAuth`](super::ClientAuth) outside this library.
    pub fn foreign(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Foreign(error.into())
    }
}
