//! The authorization server: a straight line from request to token, and what hangs on it.
//!
//! ```text
//! http::Request -> TokenForm -> Caller -> Authorization -> Approval -> IssuedToken -> http::Response
//!                  form         client    grant            policy      issue          response
//!                               auth
//! ```
//!
//! `line` holds that line. Each type in it has private fields and one maker, so holding a
//! [`Caller`] is the proof that client authentication happened. A [`Grant`] or a
//! [`ClientAuthentication`] of your own is one file and one line of the [`Builder`].

mod access_token;
mod audit;
mod builder;
mod client_auth;
mod context;
mod explain;
mod form;
mod grant;
mod introspection;
mod issue;
mod jwks;
mod line;
mod metadata;
mod party;
mod policy;
mod refusal;
mod response;
mod revocation;
mod service;
mod throttle;
mod token_id;

pub use audit::{Decision, DecisionLog, Outcome, RecordError, Sender, TracingLog};
pub use builder::{AuthorizationServer, BuildError, Builder};
pub use client_auth::{
    Caller, ClientAssertion, ClientAuthError, ClientAuthentication, ClientSecretBasic,
    ClientSecretPost, Mechanism, PublicClient,
};
pub use context::{Context, Settings};
pub use form::{Authorization as AuthorizationHeader, FormError, TokenForm};
pub use grant::{
    Authorization, ClientAuthRequirement, ClientCredentials, Grant, GrantError, JwtBearer,
};
pub use issue::{IssueError, IssuedToken};
pub use line::TokenError;
pub use policy::{Approval, PolicyError};
pub use refusal::{Blame, Refusal, Retry};
pub use throttle::{Attempt, Throttle, Unthrottled};
pub use token_id::TokenIds;

pub use crate::types::ErrorCode;
