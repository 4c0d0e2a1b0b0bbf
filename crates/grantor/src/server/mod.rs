//! The authorization server: a straight line from request to token, and what hangs on it.
//!
//! ```text
//! http::Request -> Request   -> Caller -> Authorization -> Approval -> IssuedToken -> http::Response
//!                  form         client    grant            policy      issue          response
//!                               auth
//! ```
//!
//! `line` holds that line. Each type in it has private fields and one maker, so holding a
//! [`Caller`] is the proof that client authentication happened. A [`Grant`] or a
//! [`ClientAuthentication`] of your own is one file and one line of the [`Builder`], and so is an
//! [`Endpoint`].

mod access_token;
mod answer;
mod audit;
pub mod authorization;
mod authorization_header;
mod builder;
mod client_auth;
mod consent_link;
mod context;
mod endpoint;
mod explain;
mod form;
mod grant;
mod issue;
mod line;
mod policy;
mod power;
mod presented;
mod refresh_family;
mod refusal;
mod request;
mod seals;
mod service;
mod still;
mod stored_token;
mod throttle;
mod token_family;
mod token_id;
mod trust;

pub use access_token::AccessToken;
pub use answer::{Answer, Body, BodyError};
pub use audit::{Decision, DecisionLog, Outcome, RecordError, TracingLog};
pub use authorization_header::AuthorizationHeader;
pub use builder::{AuthorizationServer, BuildError, Builder};
pub use client_auth::{
    Caller, ClientAssertion, ClientAuthError, ClientAuthentication, ClientSecretBasic,
    ClientSecretPost, Mechanism, PublicClient,
};
pub use consent_link::consent_link;
pub use context::{Context, Settings};
pub use endpoint::{
    AuthorizationEndpoint, ConsentEndpoint, Endpoint, IntrospectionEndpoint, JwkSetEndpoint,
    Metadata, MetadataEndpoint, Path, RevocationEndpoint, Route, TokenEndpoint,
};
pub use form::FormError;
pub use grant::{
    Authorization, AuthorizationCode, ClientAuthRequirement, ClientCredentials, CodeError, Grant,
    GrantError, JwtBearer, RefreshError, RefreshGrant,
};
pub use issue::{IssueError, IssuedToken, RefreshToken};
pub use line::TokenError;
pub use policy::{Approval, ConsentRequired, PolicyError};
pub use presented::{Presented, ProvenAssertion, UnprovenAssertion};
pub use refusal::{Blame, Refusal, Retry};
pub use request::{ClientCertificate, Request, Sender};
pub use seals::{SealKind, Seals};
pub use stored_token::{StoredKind, StoredToken, StoredTokens};
pub use throttle::{Attempt, Throttle, Unthrottled};
pub use token_family::TokenFamily;
pub use token_id::TokenIds;
pub use trust::TrustError;

pub use crate::types::ErrorCode;
