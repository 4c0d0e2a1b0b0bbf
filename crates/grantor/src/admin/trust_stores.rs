//! The registries that issuers and trusts are kept in, with those that they name.

use crate::{
    registry::{Client, Subject, Trust, TrustedIssuer},
    storage::{Batch, IssuerSource, Registries, Registry},
};

/// What the use cases of issuers and trusts ask.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct TrustStores<'a> {
    /// The issuers.
    pub issuers: &'a dyn Registry<TrustedIssuer>,
    /// The trusts.
    pub trusts: &'a dyn Registry<Trust>,
    /// The clients that trusts name.
    pub clients: &'a dyn Registry<Client>,
    /// The subjects, whose names no mapping may take.
    pub subjects: &'a dyn Registry<Subject>,
    /// The issuers and trusts as requests find them.
    pub source: &'a dyn IssuerSource,
    /// Changes several of them at once.
    pub batch: &'a dyn Batch,
}

impl<'a> TrustStores<'a> {
    /// Those of a backend with all registries.
    pub fn of(store: &'a impl Registries) -> Self {
        Self {
            issuers: store,
            trusts: store,
            clients: store,
            subjects: store,
            source: store,
            batch: store,
        }
    }
}
