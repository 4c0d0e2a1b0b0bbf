//! The authorization server: a straight line from request to token, and what hangs on it.
//!
//! ```text
//! http::Request -> TokenForm -> Caller -> Authorization -> Approval -> IssuedToken -> http::Response
//!                  form         client    grant            policy      issue          response
//!                               auth
//! ```
//!
//! `token` holds that line. Each type in it has private fields and one maker, so holding a
//! [`Caller`] is the proof that client authentication happened. A [`Grant`] or a
//! [`ClientAuthentication`] of your own is one file and one line of the [`Builder`].

mod access_token;
mod audit;
mod builder;
mod client_auth;
mod context;
mod error;
mod explain;
mod form;
mod grant;
mod introspection;
mod issue;
mod jwks;
mod metadata;
mod policy;
mod response;
mod revocation;
mod service;
mod throttle;
mod token;
mod token_id;

pub use audit::{Decision, DecisionLog, Outcome, Sender, TracingLog};
pub use builder::{AuthorizationServer, BuildError, Builder};
pub use client_auth::{
    Caller, ClientAssertion, ClientAuthentication, ClientSecretBasic, ClientSecretPost, Mechanism,
    PublicClient,
};
pub use context::{Context, Settings};
pub use error::{
    ClientAuthError, ErrorCode, FormError, GrantError, IssueError, PolicyError, TokenError,
};
pub use form::{Authorization as AuthorizationHeader, TokenForm};
pub use grant::{Authorization, ClientAuthRequirement, ClientCredentials, Grant, JwtBearer};
pub use issue::IssuedToken;
pub use policy::Approval;
pub use throttle::{Attempt, Throttle, Unthrottled};
pub use token_id::TokenIds;
