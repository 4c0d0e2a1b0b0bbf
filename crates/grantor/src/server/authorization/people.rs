//! What the code grant needs beside the rest of a server: people who sign in and are asked.

use std::{fmt, sync::Arc};

use super::{ConsentPage, SignIn};
use crate::{
    registry::{Permission, ScopeText},
    storage::{Registry, StoreError},
    types::ScopeToken,
};

/// The hooks by which people come in, and where their consent is recorded.
/// [`Builder::code_grant`](crate::server::Builder::code_grant) takes it.
#[derive(Clone)]
pub struct People {
    pub(super) sign_in: Arc<dyn SignIn>,
    pub(super) consent_page: Arc<dyn ConsentPage>,
    pub(super) permissions: Arc<dyn Registry<Permission>>,
    pub(super) scope_texts: Arc<dyn Registry<ScopeText>>,
}

impl People {
    /// People who sign in and are asked in these ways. What they allow is recorded in
    /// `permissions`; what a scope means is in `scope_texts`.
    pub fn new(
        sign_in: impl SignIn,
        consent_page: impl ConsentPage,
        permissions: Arc<dyn Registry<Permission>>,
        scope_texts: Arc<dyn Registry<ScopeText>>,
    ) -> Self {
        Self {
            sign_in: Arc::new(sign_in),
            consent_page: Arc::new(consent_page),
            permissions,
            scope_texts,
        }
    }

    /// The text of a scope, if somebody has written one.
    pub(super) async fn scope_text(
        &self,
        name: &str,
    ) -> Result<Option<Arc<ScopeText>>, StoreError> {
        match ScopeToken::parse(name) {
            Ok(name) => self.scope_texts.get(&name).await,
            Err(_) => Ok(None),
        }
    }
}

impl fmt::Debug for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("People(..)")
    }
}
