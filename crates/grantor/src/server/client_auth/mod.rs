//! Client authentication: which one mechanism the request uses, and who is calling (RFC 6749 §2.3,
//! RFC 7521 §4.2).

mod assertion;
mod error;
mod none;
mod secret;

use std::sync::Arc;

use async_trait::async_trait;

pub use assertion::ClientAssertion;
pub(super) use assertion::of_party;
pub use error::ClientAuthError;
pub use none::PublicClient;
pub use secret::{ClientSecretBasic, ClientSecretPost};

use super::{AuthorizationHeader, ClientAuthRequirement, Context, Decision, Request};
use crate::{
    registry::Client,
    types::{AuthMethod, ClientId},
};

/// How a mechanism's credentials stand to those of others in the same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mechanism {
    /// A secret, or whatever else the Authorization header holds: a second mechanism makes the
    /// request invalid (RFC 6749 §2.3).
    Secret,
    /// An assertion: a second mechanism makes the client invalid (RFC 7521 §4.2.1).
    Assertion,
    /// A mere `client_id`, which may stand beside any other mechanism.
    Identification,
}

/// A way for clients to say who they are.
///
/// An implementation proves credentials. Whether the client is enabled and registered for the
/// method, and whether the grant takes it, is checked once, for all of them, by the caller of this
/// trait.
#[async_trait]
pub trait ClientAuthentication: Send + Sync + 'static {
    /// The methods served, as metadata names them.
    fn methods(&self) -> &[AuthMethod];

    /// How this mechanism's credentials count.
    fn mechanism(&self) -> Mechanism;

    /// Whether the request carries this mechanism's credentials, well-formed or not.
    fn is_presented(&self, request: &Request) -> bool;

    /// The client whose credentials these are, if and only if they are right, and the method it
    /// used.
    async fn authenticate(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<(Arc<Client>, AuthMethod), ClientAuthError>;
}

/// Who is calling. Holding one is the proof that client authentication happened, or was not needed.
#[derive(Debug)]
pub struct Caller(Kind);

#[derive(Debug)]
enum Kind {
    Authenticated(Arc<Client>),
    Public(Arc<Client>),
    Claimed(ClientId),
    Anonymous,
}

impl Caller {
    /// The client that proved its identity.
    pub fn authenticated(&self) -> Option<&Arc<Client>> {
        match &self.0 {
            Kind::Authenticated(client) => Some(client),
            _ => None,
        }
    }

    /// The client that proved its identity or, being public, cannot.
    pub fn client(&self) -> Option<&Arc<Client>> {
        match &self.0 {
            Kind::Authenticated(client) | Kind::Public(client) => Some(client),
            Kind::Claimed(_) | Kind::Anonymous => None,
        }
    }

    /// What the request calls its caller, proven or not.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.0 {
            Kind::Authenticated(client) | Kind::Public(client) => Some(client.id().as_str()),
            Kind::Claimed(id) => Some(id.as_str()),
            Kind::Anonymous => None,
        }
    }

    /// The `client_id` that stood in the request without any proof. A grant that proves identities
    /// itself must compare it.
    pub fn claimed_id(&self) -> Option<&ClientId> {
        match &self.0 {
            Kind::Claimed(id) => Some(id),
            _ => None,
        }
    }
}

/// Finds out who is calling, if and only if the request uses at most one mechanism, its credentials
/// are right, the client is enabled and registered for the method, and the grant accepts the
/// method. Credentials that are sent are always validated, also where the grant could do without
/// (RFC 7523 §3.1).
pub(super) async fn authenticate(
    context: &Context,
    request: &Request,
    requirement: &ClientAuthRequirement,
    decision: &mut Decision,
) -> Result<Caller, ClientAuthError> {
    let Some(chosen) = presented(context.client_auth(), request)? else {
        return if requirement.optional {
            unproven(request)
        } else {
            Err(ClientAuthError::Missing)
        };
    };
    let proven = chosen.authenticate(context, request, decision).await;
    let (client, method) = match proven.and_then(check_registration) {
        // Unknown, disabled and confidential clients are not told apart here: the grant will find
        // out.
        Err(
            ClientAuthError::WrongMethod { .. }
            | ClientAuthError::UnknownClient(_)
            | ClientAuthError::DisabledClient,
        ) if chosen.mechanism() == Mechanism::Identification && requirement.optional => {
            return unproven(request);
        }
        outcome => outcome?,
    };
    check_client_id(request, &client)?;
    if !requirement.methods.contains(&method) || !context.settings().profile.accepts_method(&method)
    {
        return Err(ClientAuthError::MethodNotAccepted(method));
    }
    decision.proofs.add_client(&client);
    decision.authenticated(client.id(), &method);
    let is_public = method == AuthMethod::NONE;
    Ok(Caller(if is_public {
        Kind::Public(client)
    } else {
        Kind::Authenticated(client)
    }))
}

/// The one method whose credentials are in the request; a bare `client_id` counts only where there
/// are no others.
fn presented<'m>(
    methods: &'m [Box<dyn ClientAuthentication>],
    request: &Request,
) -> Result<Option<&'m dyn ClientAuthentication>, ClientAuthError> {
    let presented = methods
        .iter()
        .map(|method| &**method)
        .filter(|method| method.is_presented(request));
    let (identifying, proving): (Vec<_>, Vec<_>) =
        presented.partition(|method| method.mechanism() == Mechanism::Identification);
    let standard = standard_credentials(request);
    if standard.len() > 1 || proving.len() > 1 {
        let assertion = proving
            .iter()
            .map(|method| method.mechanism())
            .chain(standard)
            .any(|each| each == Mechanism::Assertion);
        return Err(match assertion {
            true => ClientAuthError::SeveralMechanismsWithAssertion,
            false => ClientAuthError::SeveralMechanisms,
        });
    }
    match (proving.first(), standard.first()) {
        (Some(method), Some(standard)) if method.mechanism() != *standard => {
            Err(ClientAuthError::SeveralMechanisms)
        }
        (None, Some(_)) => Err(ClientAuthError::NotOffered),
        (Some(method), _) => Ok(Some(*method)),
        (None, None) => Ok(identifying.first().copied()),
    }
}

/// The standard credentials in the request, whether or not this server takes them: one that no
/// method takes is refused rather than overlooked, because credentials that are sent are always
/// validated (RFC 7523 §3.1).
fn standard_credentials(request: &Request) -> Vec<Mechanism> {
    let has = |name| request.parameter(name).is_some();
    let header = !matches!(request.authorization(), AuthorizationHeader::Absent);
    let assertion = has("client_assertion") || has("client_assertion_type");
    let carried = [
        (header, Mechanism::Secret),
        (has("client_secret"), Mechanism::Secret),
        (assertion, Mechanism::Assertion),
    ];
    carried
        .into_iter()
        .filter(|(is_carried, _)| *is_carried)
        .map(|(_, mechanism)| mechanism)
        .collect()
}

/// Nobody, or the bare `client_id` of a client that is not public: some libraries always send one.
/// It proves nothing.
fn unproven(request: &Request) -> Result<Caller, ClientAuthError> {
    match request.parameter("client_id").map(ClientId::parse) {
        None => Ok(Caller(Kind::Anonymous)),
        Some(Ok(id)) => Ok(Caller(Kind::Claimed(id))),
        Some(Err(_)) => Err(mismatch(None, request)),
    }
}

/// A client is enabled, and registered for the method that it used (RFC 7591 §2), whatever the
/// method's implementation looked at.
fn check_registration(
    (client, got): (Arc<Client>, AuthMethod),
) -> Result<(Arc<Client>, AuthMethod), ClientAuthError> {
    let registered = client.metadata();
    if !registered.enabled {
        return Err(ClientAuthError::DisabledClient);
    }
    match registered.auth_method == got {
        true => Ok((client, got)),
        false => Err(ClientAuthError::WrongMethod {
            expected: registered.auth_method.clone(),
            got,
        }),
    }
}

/// RFC 7521 §4.2: `client_id` is unnecessary beside credentials, but must agree with them.
fn check_client_id(request: &Request, client: &Client) -> Result<(), ClientAuthError> {
    match request.parameter("client_id") {
        Some(id) if id != client.id().as_str() => Err(mismatch(Some(client.id()), request)),
        _ => Ok(()),
    }
}

fn mismatch(expected: Option<&ClientId>, request: &Request) -> ClientAuthError {
    ClientAuthError::ClientIdMismatch {
        expected: expected.cloned(),
        got: request.parameter("client_id").unwrap_or_default().into(),
    }
}

/// The enabled client of this name, if it is registered for one of `methods`.
async fn registered(
    context: &Context,
    id: &str,
    methods: &[AuthMethod],
    decision: &mut Decision,
) -> Result<Arc<Client>, ClientAuthError> {
    let client = context.client(id).await.map_err(ClientAuthError::Store)?;
    let client = client.ok_or_else(|| ClientAuthError::UnknownClient(id.into()))?;
    decision.claims_registered(&client);
    if !client.metadata().enabled {
        return Err(ClientAuthError::DisabledClient);
    }
    let expected = &client.metadata().auth_method;
    match methods {
        _ if methods.contains(expected) => Ok(client),
        [got, ..] => Err(ClientAuthError::WrongMethod {
            expected: expected.clone(),
            got: got.clone(),
        }),
        [] => Err(ClientAuthError::MethodNotAccepted(expected.clone())),
    }
}
