//! Getting access tokens from any authorization server, with a key or a secret.
//!
//! ```no_run
//! use grantor::client::TokenSource;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let source = TokenSource::from_key_file("billing.json")?;
//! let token = source.token().await?;
//! let request = http::Request::get("https://api.example/invoices").header("authorization", token.header_value());
//! # Ok(())
//! # }
//! ```
//!
//! A [`TokenSource`] keeps tokens and refreshes them. It is put together of values that each say
//! one thing: a [`Server`], a [`Grant`] ([`JwtBearer`], [`ClientCredentials`]), a client
//! authentication ([`PrivateKeyJwt`], [`ClientSecretJwt`], [`ClientSecretBasic`], [`ClientSecretPost`], [`NoneAuth`]), and for what is signed a [`Signer`]: a [`LocalKey`], or a KMS. What vendors ask is data, in
//! [`preset`].
//!
//! For people who sign in and say yes, a [`CodeClient`] makes the authorization request, reads its
//! answer and redeems the code; a source refreshes by the refresh token that a [`RefreshTokenStore`]
//! keeps.
//!
//! Requests get their token by themselves where a program's HTTP client has layers: [`ApiAccess`],
//! a [`tower_layer::Layer`] and a `reqwest_middleware::Middleware`. A program without tokio has
//! [`blocking::TokenSource`].
//!
//! What it holds to:
//!
//! * Whatever is signed is for an audience that was configured, never one that a server named
//!   ([`Audience`]).
//! * Each assertion is new: a `jti` is never sent twice.
//! * A token request goes to an https URL (or a loopback host), and redirects are not followed.
//! * An answer is read strictly and within 128 KiB; what it says is shown escaped ([`OAuthError`]).
//! * Tokens and keys do not show in `Debug`, and are wiped when dropped, as far as they are kept
//!   here: HTTP and TLS have buffers of their own.

mod access;
mod authorization;
pub mod blocking;
mod credentials;
mod error;
mod exchange;
mod grant;
mod key_file;
mod layer;
#[cfg(feature = "reqwest-middleware")]
mod middleware;
mod refresh_token;
mod request;
mod slot;
mod source;
mod token;

pub use crate::credential::{
    AssertionMaker, Audience, ClientAuth, ClientSecretBasic, ClientSecretJwt, ClientSecretPost,
    CredentialError, EndpointRequest, KeyFile, KeyFileError, LocalKey, NoneAuth, Preset,
    PrivateKeyJwt, ScopePlace, Server, Signer, SignerError, preset,
};
pub use access::{AccessError, ApiAccess, Origin};
pub use authorization::{
    AnswerError, AuthorizationRefusal, AuthorizationRequest, AuthorizationRequestError, Code,
    CodeClient, CodeClientBuilder, PendingAuthorization, Redeemed, StartedAuthorization,
};
pub use error::{ConfigError, OAuthError, TokenError};
pub use exchange::RetryPolicy;
pub use grant::{ClientCredentials, Grant, JwtBearer};
pub use key_file::KeySourceError;
pub use layer::{Authorized, Resend};
pub use refresh_token::{
    RefreshToken, RefreshTokenInMemory, RefreshTokenStore, RefreshTokenStoreError,
};
pub use request::{TokenRequest, Wanted};
pub use source::{Builder, TokenSource};
pub use token::{AccessToken, TokenType};
