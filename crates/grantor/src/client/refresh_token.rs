//! Refresh tokens (RFC 6749 §6): where they are kept, and how the one that is there becomes the next.
//! A successor that is lost signs the person out, so none is used before it is kept.

use std::{
    error::Error,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync;
use zeroize::{Zeroize as _, Zeroizing};

use super::{ConfigError, CredentialError, Grant, Server, TokenError, TokenRequest};
use crate::types::GrantType;

/// A refresh token, and the server that gave it: it is sent to no other. Serialised it is a secret;
/// `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshToken {
    issuer: String,
    refresh_token: String,
}

impl RefreshToken {
    /// The token `text` of the server with this issuer identifier.
    pub fn new(issuer: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            refresh_token: text.into(),
        }
    }

    /// The server that gave it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The token itself. It is the secret.
    pub fn expose(&self) -> &str {
        &self.refresh_token
    }
}

impl Drop for RefreshToken {
    fn drop(&mut self) {
        self.refresh_token.zeroize();
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshToken")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// Why a store did not do as asked.
pub type RefreshTokenStoreError = Box<dyn Error + Send + Sync>;

/// Keeps the refresh token of one person: a row of the program's database, for example, encrypted.
/// [`RefreshTokenInMemory`] is for programs that may forget it.
///
/// A source asks one thing at a time, but other processes may use the same store. Two that refresh at
/// once present the same token; Grantor gives both the same successor.
#[async_trait]
pub trait RefreshTokenStore: Send + Sync + 'static {
    /// The token that was saved last; `None` if the person has to be asked first. Read for each
    /// token request, so that a person who said yes again needs no new source.
    ///
    /// # Errors
    /// Whatever the store says.
    async fn load(&self) -> Result<Option<RefreshToken>, RefreshTokenStoreError>;

    /// Keeps this token in place of the one before. Returns when it is durable: from then on the one
    /// before may be worth nothing.
    ///
    /// # Errors
    /// Whatever the store says. The token is offered again then, before the next request.
    async fn save(&self, token: &RefreshToken) -> Result<(), RefreshTokenStoreError>;
}

/// Keeps a refresh token as long as the process lives.
#[derive(Debug, Default)]
pub struct RefreshTokenInMemory(Mutex<Option<RefreshToken>>);

impl RefreshTokenInMemory {
    /// Begins with this one.
    pub fn new(token: RefreshToken) -> Self {
        Self(Mutex::new(Some(token)))
    }

    fn token(&self) -> MutexGuard<'_, Option<RefreshToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RefreshTokenStore for RefreshTokenInMemory {
    async fn load(&self) -> Result<Option<RefreshToken>, RefreshTokenStoreError> {
        Ok(self.token().clone())
    }

    async fn save(&self, token: &RefreshToken) -> Result<(), RefreshTokenStoreError> {
        *self.token() = Some(token.clone());
        Ok(())
    }
}

/// The refresh token of a source, as it goes from one to the next.
pub(super) struct Rotation {
    store: Arc<dyn RefreshTokenStore>,
    /// Held for a request with its retries: at most servers, two uses of a token are a theft.
    turn: sync::Mutex<()>,
    presented: Mutex<Presented>,
}

/// What was sent last, and what came for it that is not kept yet.
#[derive(Default)]
struct Presented {
    token: Option<RefreshToken>,
    successor: Option<RefreshToken>,
}

impl Rotation {
    pub fn new(store: Arc<dyn RefreshTokenStore>) -> Self {
        Self {
            store,
            turn: sync::Mutex::default(),
            presented: Mutex::default(),
        }
    }

    /// Waits until no other request of this source is under way.
    pub async fn turn(&self) -> sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Keeps what an answer brought. A successor that cannot be kept now is offered to the store
    /// before the next request.
    pub async fn keep(
        &self,
        server: &Server,
        text: Option<Zeroizing<String>>,
    ) -> Result<(), TokenError> {
        let (Some(text), Some(issuer)) = (text, server.issuer()) else {
            return Ok(());
        };
        let successor = RefreshToken::new(issuer, text.as_str());
        self.presented().successor = Some(successor.clone());
        self.save(&successor).await
    }

    /// The token to send: the successor of the last one, if that was not kept; else what the store
    /// has. It is the same one until an answer brings another, so that a request whose answer was
    /// lost is made again with the same token.
    async fn next(&self) -> Result<RefreshToken, TokenError> {
        let kept = self.store.load().await.map_err(TokenError::store)?;
        let token = match self.unkept(kept.as_ref()) {
            Some(successor) => {
                self.save(&successor).await?;
                successor
            }
            None => kept.ok_or(TokenError::NoRefreshToken)?,
        };
        self.presented().token = Some(token.clone());
        Ok(token)
    }

    /// The successor that was not kept, while its predecessor is still the one that is: a token of a
    /// new sign-in stays.
    fn unkept(&self, kept: Option<&RefreshToken>) -> Option<RefreshToken> {
        let mut presented = self.presented();
        if presented.token.as_ref() != kept {
            presented.successor = None;
        }
        presented.successor.clone()
    }

    async fn save(&self, successor: &RefreshToken) -> Result<(), TokenError> {
        self.store
            .save(successor)
            .await
            .map_err(TokenError::store)?;
        self.presented().successor = None;
        Ok(())
    }

    fn presented(&self) -> MutexGuard<'_, Presented> {
        self.presented
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The refresh token grant (RFC 6749 §6).
pub(super) struct Refresh(pub Arc<Rotation>);

#[async_trait]
impl Grant for Refresh {
    fn grant_type(&self) -> GrantType {
        GrantType::REFRESH_TOKEN
    }

    /// Without an issuer identifier nobody could tell whose token it is.
    fn check(&self, server: &Server) -> Result<(), ConfigError> {
        match server.issuer() {
            Some(_) => Ok(()),
            None => Err(CredentialError::NoIssuer.into()),
        }
    }

    async fn fill(&self, request: &mut TokenRequest<'_>) -> Result<(), TokenError> {
        if request.subject().is_some() {
            return Err(TokenError::SubjectNotPossible(GrantType::REFRESH_TOKEN));
        }
        let token = self.0.next().await?;
        let expected = request.server().issuer().unwrap_or_default();
        if token.issuer() != expected {
            return Err(TokenError::OtherIssuer {
                expected: expected.to_owned(),
                got: token.issuer().to_owned(),
            });
        }
        request.set("refresh_token", token.expose());
        Ok(())
    }
}
