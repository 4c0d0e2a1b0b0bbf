//! Authorization server metadata (RFC 8414 §2): what is registered, and nothing else. What would be
//! empty is left out (§3.2), but for `response_types_supported`, which is required and empty where
//! nobody is sent here by a browser.

use std::collections::BTreeSet;

use grantor_jose::Algorithm;
use serde::Serialize;

use super::{introspection, line::Line, revocation};
use crate::{
    keys::KeyKind,
    types::{AuthMethod, Needs},
};

#[derive(Serialize)]
pub(super) struct Metadata {
    issuer: String,
    token_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    introspection_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revocation_endpoint: Option<String>,
    jwks_uri: String,
    response_types_supported: [&'static str; 0],
    grant_types_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    token_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    introspection_endpoint_auth_methods_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    introspection_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    revocation_endpoint_auth_methods_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    revocation_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
}

pub(super) fn document(line: &Line) -> Metadata {
    let identity = line.context.identity();
    let at_token = offered(
        line,
        &line
            .grants
            .iter()
            .flat_map(|grant| grant.client_auth().methods)
            .collect(),
    );
    let at_introspection = offered(
        line,
        &introspection::client_auth_requirement()
            .methods
            .into_iter()
            .collect(),
    );
    let at_revocation = offered(
        line,
        &revocation::client_auth_requirement()
            .methods
            .into_iter()
            .collect(),
    );
    let names = |methods: &[&AuthMethod]| methods.iter().map(|method| method.to_string()).collect();
    Metadata {
        issuer: identity.issuer().to_string(),
        token_endpoint: identity.token_endpoint().to_owned(),
        introspection_endpoint: (!at_introspection.is_empty())
            .then(|| identity.issuer().endpoint("introspect")),
        revocation_endpoint: (!at_revocation.is_empty())
            .then(|| identity.issuer().endpoint("revoke")),
        jwks_uri: identity.issuer().endpoint("jwks"),
        response_types_supported: [],
        grant_types_supported: line
            .grants
            .iter()
            .map(|grant| grant.grant_type().to_string())
            .collect(),
        token_endpoint_auth_signing_alg_values_supported: signing_algorithms(line, &at_token),
        token_endpoint_auth_methods_supported: names(&at_token),
        introspection_endpoint_auth_signing_alg_values_supported: signing_algorithms(
            line,
            &at_introspection,
        ),
        introspection_endpoint_auth_methods_supported: names(&at_introspection),
        revocation_endpoint_auth_signing_alg_values_supported: signing_algorithms(
            line,
            &at_revocation,
        ),
        revocation_endpoint_auth_methods_supported: names(&at_revocation),
    }
}

/// The registered methods that an endpoint accepts, in the order of registration. One for which no
/// algorithm is left is not offered.
fn offered<'l>(line: &'l Line, accepted: &BTreeSet<AuthMethod>) -> Vec<&'l AuthMethod> {
    let settings = line.context.settings();
    let has_algorithm = |method: &AuthMethod| match KeyKind::of_method(method) {
        Some(KeyKind::Public) => !settings.assertion_algorithms.is_empty(),
        Some(KeyKind::Secret) => !settings.secret_algorithms.is_empty(),
        None => true,
    };
    let is_accepted = |method: &&AuthMethod| {
        accepted.contains(method)
            && settings.profile.accepts_method(method)
            && has_algorithm(method)
    };
    line.client_auth
        .iter()
        .flat_map(|method| method.methods())
        .filter(is_accepted)
        .collect()
}

/// Signatures if and only if `private_key_jwt` is offered, HMACs if and only if `client_secret_jwt`
/// is.
fn signing_algorithms(line: &Line, methods: &[&AuthMethod]) -> Vec<&'static str> {
    let settings = line.context.settings();
    let of = |needs, algorithms: &[Algorithm]| {
        let is_offered = methods.iter().any(|method| method.needs() == Some(needs));
        let names = algorithms.iter().map(|algorithm| algorithm.name());
        names
            .take(if is_offered { usize::MAX } else { 0 })
            .collect()
    };
    let mut names: Vec<_> = of(Needs::PublicKey, &settings.assertion_algorithms);
    names.extend(of(Needs::ReadableSecret, &settings.secret_algorithms));
    names
}
