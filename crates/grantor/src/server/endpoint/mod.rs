//! Endpoints: which path and method leads where, and what metadata says about it. All are registered
//! alike, those of this server and those of others.

mod authorization;
mod introspection;
mod jwks;
mod metadata;
mod revocation;
mod route;
mod token;

use async_trait::async_trait;

pub use authorization::{AuthorizationEndpoint, ConsentEndpoint};
pub use introspection::IntrospectionEndpoint;
pub use jwks::JwkSetEndpoint;
pub use metadata::{Metadata, MetadataEndpoint};
pub use revocation::RevocationEndpoint;
pub(super) use route::{BodyKind, Record};
pub use route::{Path, Route};
pub use token::TokenEndpoint;

use super::{Answer, BuildError, Context, Decision, Refusal, Request};
use crate::types::Issuer;

/// What a path of the server leads to.
#[async_trait]
pub trait Endpoint: Send + Sync + 'static {
    /// Where it is, what it takes, and its name in decisions and metrics: the same at any time.
    fn route(&self) -> Route;

    /// Adds what clients are told about it (RFC 8414 §2).
    fn describe(&self, context: &Context, metadata: &mut Metadata);

    /// Does what the request asks for, if and only if its sender may have it. The decision is
    /// recorded whatever comes out, and whenever.
    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal>;

    /// What the sender of a refused request is told, one that could not be read or was not heard
    /// among them: at a page what [`refuse`](crate::server::authorization::refuse) says, else JSON
    /// (RFC 6749 §5.2). The `decision` is as it will be recorded.
    async fn refuse(
        &self,
        context: &Context,
        request: &Request,
        refusal: &Refusal,
        decision: &Decision,
    ) -> Answer {
        let is_page = matches!(self.route().body(), BodyKind::Page(_));
        match is_page || refusal.target().is_some() {
            true => super::authorization::refuse(context, request, refusal, decision).await,
            false => Answer::refusal(request, refusal, decision),
        }
    }
}

/// An endpoint, and where it is.
pub(super) struct Registered {
    pub(super) route: Route,
    pub(super) endpoint: Box<dyn Endpoint>,
}

/// The endpoints by path, from the configured issuer alone (law 5).
pub(super) struct Endpoints {
    registered: Vec<Registered>,
    /// A path, and the position of its endpoint. There are a few: looking through them is fastest.
    paths: Vec<(String, usize)>,
}

impl Endpoints {
    /// Files them under their paths.
    ///
    /// # Errors
    /// [`BuildError::DuplicateEndpoint`] if two are at one path or have one name.
    pub(super) fn new(
        endpoints: Vec<Box<dyn Endpoint>>,
        issuer: &Issuer,
    ) -> Result<Self, BuildError> {
        let registered: Vec<_> = endpoints
            .into_iter()
            .map(|endpoint| Registered {
                route: endpoint.route(),
                endpoint,
            })
            .collect();
        let mut paths: Vec<(String, usize)> = Vec::new();
        for (position, Registered { route, .. }) in registered.iter().enumerate() {
            let has_name = |other: &Registered| other.route.name() == route.name();
            if registered[..position].iter().any(has_name) {
                return Err(BuildError::DuplicateEndpoint(route.name()));
            }
            for path in route.paths(issuer) {
                // An issuer without a path has one place where others have two.
                if let Some((_, other)) = paths.iter().find(|(known, _)| *known == path) {
                    if *other != position {
                        return Err(BuildError::DuplicateEndpoint(route.name()));
                    }
                    continue;
                }
                paths.push((path, position));
            }
        }
        Ok(Self { registered, paths })
    }

    /// The endpoint at a path.
    pub(super) fn at(&self, path: &str) -> Option<&Registered> {
        let (_, position) = self.paths.iter().find(|(known, _)| known == path)?;
        self.registered.get(*position)
    }

    /// All paths.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(|(path, _)| path.as_str())
    }

    /// All, in the order of registration.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Registered> {
        self.registered.iter()
    }
}
