//! Authorization server metadata (RFC 8414 §2): what is registered, and nothing else. What would be
//! empty is left out (§3.2), but for `response_types_supported`, which is required and empty where
//! nobody is sent here by a browser.

use async_trait::async_trait;
use grantor_jose::Algorithm;
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::Value;

use super::{Endpoint, Path, Registered, Route};
use crate::{
    keys::KeyKind,
    server::{Answer, Context, Decision, Refusal, Request},
    types::{AuthMethod, Needs, member},
};

/// What is told about the server. Each endpoint adds its part.
#[derive(Clone, Debug)]
pub struct Metadata {
    members: Vec<(String, Value)>,
}

impl Metadata {
    /// What the endpoints of a server tell, in the order of their registration.
    fn of(context: &Context) -> Self {
        let mut metadata = Self {
            members: Vec::new(),
        };
        metadata.set(member::ISSUER, context.identity().issuer().as_str());
        metadata.set(member::RESPONSE_TYPES, Value::Array(Vec::new()));
        for Registered { endpoint, .. } in context.endpoints().iter() {
            endpoint.describe(context, &mut metadata);
        }
        metadata
    }

    /// Sets a member. One of this name that was set before is replaced.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.members.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.members.push((name.to_owned(), value)),
        }
    }

    /// Adds values to a list. An empty list is left out (RFC 8414 §3.2).
    pub fn list(&mut self, name: &str, values: impl IntoIterator<Item = impl ToString>) {
        let mut values: Vec<Value> = values
            .into_iter()
            .map(|value| value.to_string().into())
            .collect();
        match self.members.iter_mut().find(|(known, _)| known == name) {
            Some((_, Value::Array(known))) => known.append(&mut values),
            _ if values.is_empty() => {}
            _ => self.set(name, values),
        }
    }

    /// Adds the URL of an endpoint that is for clients which authenticate by one of `methods`, and
    /// which of them the server offers; nothing if it offers none. `name` is that of the member,
    /// such as `introspection_endpoint`.
    pub fn endpoint(
        &mut self,
        context: &Context,
        name: &str,
        suffix: &str,
        methods: &[AuthMethod],
    ) {
        if context.offered(methods).is_empty() {
            return;
        }
        self.set(name, context.identity().issuer().endpoint(suffix));
        self.client_auth(context, name, methods);
    }

    /// Adds which client authentication an endpoint takes: of `methods` those that the server
    /// offers, in the order of registration, and their algorithms. `endpoint` is the beginning of
    /// the members' names, such as `token_endpoint`.
    pub fn client_auth(&mut self, context: &Context, endpoint: &str, methods: &[AuthMethod]) {
        let offered = context.offered(methods);
        self.list(&member::auth_methods(endpoint), &offered);
        self.list(
            &member::auth_algorithms(endpoint),
            signing_algorithms(context, &offered),
        );
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.members.len()))?;
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The metadata document, also where clients that know OpenID Connect only look for it: the
/// well-known part before the path (RFC 8414 §5), and behind it (OpenID Connect Discovery §4.1).
#[derive(Clone, Copy, Debug, Default)]
pub struct MetadataEndpoint;

#[async_trait]
impl Endpoint for MetadataEndpoint {
    fn route(&self) -> Route {
        Route::document("metadata", Path::WellKnown("oauth-authorization-server"))
            .also_at(Path::WellKnown("openid-configuration"))
            .also_at(Path::Suffix(".well-known/openid-configuration"))
    }

    /// Nothing: the document has no member about itself.
    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(
        &self,
        context: &Context,
        _: &Request,
        _: &mut Decision,
    ) -> Result<Answer, Refusal> {
        Ok(Answer::document(&Metadata::of(context)))
    }
}

/// Signatures if and only if `private_key_jwt` is offered, HMACs if and only if `client_secret_jwt`
/// is.
fn signing_algorithms(context: &Context, methods: &[&AuthMethod]) -> Vec<Algorithm> {
    let settings = context.settings();
    let of = |needs, algorithms: &[Algorithm]| {
        let is_offered = methods.iter().any(|method| method.needs() == Some(needs));
        if is_offered {
            algorithms.to_vec()
        } else {
            Vec::new()
        }
    };
    let mut algorithms = of(Needs::PublicKey, &settings.assertion_algorithms);
    algorithms.extend(of(Needs::ReadableSecret, &settings.secret_algorithms));
    algorithms
}

impl Context {
    /// Those of `accepted` that the server offers, in the order of registration. A method for which
    /// no algorithm is left is not offered.
    pub(super) fn offered(&self, accepted: &[AuthMethod]) -> Vec<&AuthMethod> {
        let settings = self.settings();
        let has_algorithm = |method: &AuthMethod| match KeyKind::of_method(method) {
            Some(KeyKind::Public) => !settings.assertion_algorithms.is_empty(),
            Some(KeyKind::Secret) => !settings.secret_algorithms.is_empty(),
            None => true,
        };
        let is_offered = |method: &&AuthMethod| {
            accepted.contains(method)
                && settings.profile.accepts_method(method)
                && has_algorithm(method)
        };
        self.client_auth()
            .iter()
            .flat_map(|method| method.methods())
            .filter(is_offered)
            .collect()
    }
}
