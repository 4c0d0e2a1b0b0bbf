//! What several commands read from their command line.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use grantor::{
    jose::Algorithm,
    types::{AuthMethod, GrantType, Scope},
};

use super::Failure;

/// Reads `90s`, `15m`, `12h`, `30d`: a length of time that is not negative.
pub fn duration(text: &str) -> Result<Duration, String> {
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<u64>().ok())
        .and_then(|days| days.checked_mul(86_400));
    let parsed = match days {
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => text
            .parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|duration| Duration::try_from(duration).ok()),
    };
    parsed.ok_or_else(|| "expected a length of time such as 90s, 15m, 12h or 30d".to_owned())
}

/// Reads the registered name of an algorithm.
pub fn algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::from_name(text).ok_or_else(|| {
        let names: Vec<_> = Algorithm::ALL
            .iter()
            .map(|algorithm| algorithm.name())
            .collect();
        format!("expected one of {}", names.join(", "))
    })
}

/// Reads the name of a client authentication method that is known here.
pub fn methods() -> impl TypedValueParser<Value = AuthMethod> {
    let names = PossibleValuesParser::new(AuthMethod::known().map(AuthMethod::as_str));
    names.try_map(|name| name.parse())
}

/// The grants, by the names that commands have for them.
static GRANTS: [(&str, GrantType); 4] = [
    ("jwt-bearer", GrantType::JWT_BEARER),
    ("client-credentials", GrantType::CLIENT_CREDENTIALS),
    ("authorization-code", GrantType::AUTHORIZATION_CODE),
    ("refresh-token", GrantType::REFRESH_TOKEN),
];

/// A grant by its short name or its registered one.
pub fn grant_type(text: &str) -> Result<GrantType, String> {
    let found = GRANTS
        .iter()
        .find(|(name, grant)| *name == text || grant.as_str() == text);
    found.map(|(_, grant)| grant.clone()).ok_or_else(|| {
        let names = GRANTS.each_ref().map(|(name, _)| *name);
        format!("expected one of {}", names.join(", "))
    })
}

/// The short name of a grant; its registered one if it has none.
pub fn short_name(grant: &GrantType) -> &str {
    let found = GRANTS.iter().find(|(_, known)| known == grant);
    found.map_or(grant.as_str(), |(name, _)| name)
}

/// All tokens of all scopes.
pub fn join(scopes: &[Scope]) -> Result<Scope, Failure> {
    let tokens: Vec<&str> = scopes.iter().flat_map(Scope::tokens).collect();
    Scope::parse(&tokens.join(" ")).map_err(|error| Failure::usage(format!("--scope {error}")))
}
