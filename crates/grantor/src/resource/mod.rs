//! The resource role: which requests with an access token an API lets in (RFC 9068, RFC 6750, RFC
//! 7662).
//!
//! A [`Validator`] knows whose tokens are good for which resource. A [`BearerLayer`] puts it in
//! front of an API:
//!
#![cfg_attr(feature = "reqwest", doc = "```")]
#![cfg_attr(not(feature = "reqwest"), doc = "```no_run")]
//! use grantor::{resource::{BearerLayer, ValidatedToken, Validator}, types::Scope};
//! use http::{Request, Response, StatusCode};
//! use tower_layer::Layer;
//! # use tower_service::Service;
//! # #[derive(Clone)]
//! # struct Api;
//! # impl Service<Request<String>> for Api {
//! #     type Response = Response<String>;
//! #     type Error = std::convert::Infallible;
//! #     type Future = std::future::Ready<Result<Response<String>, Self::Error>>;
//! #     fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
//! #         std::task::Poll::Ready(Ok(()))
//! #     }
//! #     fn call(&mut self, request: Request<String>) -> Self::Future {
//! #         let token = request.extensions().get::<ValidatedToken>();
//! #         std::future::ready(Ok(Response::new(format!("{token:?}"))))
//! #     }
//! # }
//! # let api = Api; // any tower service over http types, for example an axum router
//!
//! // Keys come from the issuer's metadata (RFC 8414) when the first token comes, and are kept fresh.
//! let validator = Validator::builder("https://as.example", "https://api.example/invoices").build()?;
//! let guard = BearerLayer::new(validator).require_scope(Scope::parse("invoices:read")?);
//! let mut guarded = guard.layer(api);
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let response = guarded.call(Request::get("/").body(String::new())?).await?;
//! assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
//! assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"https://api.example/invoices\"");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is believed, and for how long
//!
//! | what | for how long | set by |
//! |---|---|---|
//! | a key of the issuer | 1 to 10 minutes, as its `max-age` says; another hour while the issuer does not answer | [`keys_for`](ValidatorBuilder::keys_for), [`stale_keys_for`](ValidatorBuilder::stale_keys_for) |
//! | that a `kid` is unknown | 30 s | [`unknown_key_cooldown`](ValidatorBuilder::unknown_key_cooldown) |
//! | an accepted JWT | until its `exp`; it is verified again after 5 minutes, and when the keys change | [`remember`](ValidatorBuilder::remember) |
//! | that a token is active | 1 minute, where [introspection](Introspection) is asked | [`active_for`](Introspection::active_for) |
//! | any other failure to learn about a token | 1 s | |
//! | that a token is not active | 5 s | [`inactive_for`](Introspection::inactive_for) |
//!
//! A JWT that is validated here alone works until it expires, whatever happens to it at the issuer.
//! Where revocation has to be honoured sooner, [`Introspection::of_every_token`] asks.
//!
//! # What strangers can cause
//!
//! A made-up JWT costs one look at the issuer's keys per
//! [cooldown](ValidatorBuilder::unknown_key_cooldown), at most. A made-up opaque token has
//! to be asked about: [32 questions](Introspection::at_once) are under way at once, requests with
//! the same token share one, and what cannot be asked in time is answered 503.
//!
//! # What is refused
//!
//! Keys inside a token (`jwk`, `jku`, `x5c`, `x5u`) are never read; HMAC algorithms cannot be
//! configured; a fetched key set that contains private keys is not used. A token that is bound to a
//! key (`cnf`: DPoP, mutual TLS) is no bearer token, and is refused. Its [profile](TokenProfile)
//! keeps any other JWT of the same issuer from passing as an access token.

mod bearer;
mod builder;
mod cache;
mod error;
mod introspection;
mod layer;
mod rules;
mod token;
mod validator;

pub use bearer::{BearerLayer, RealmError, Refusal, Rejection};
pub use builder::{DEFAULT_ALGORITHMS, ValidatorBuilder, ValidatorError};
pub use error::{IntrospectionError, SourceError, ValidationError};
pub use introspection::Introspection;
pub use layer::Bearer;
pub use rules::TokenProfile;
pub use token::ValidatedToken;
pub use validator::Validator;
