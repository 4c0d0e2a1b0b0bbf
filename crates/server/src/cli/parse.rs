//! What several commands read from their command line.

use std::{net::IpAddr, time::Duration};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use grantor::{
    admin::time_text,
    clock::{Clock as _, UnixTime},
    jose::Algorithm,
    registry::{Actor, ReasonError},
    types::{AuthMethod, GrantType, Scope},
};
use ipnet::IpNet;

use super::{CLOCK, Failure};

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

/// Reads a time of day: RFC 3339, or seconds since 1970.
pub fn instant(text: &str) -> Result<UnixTime, String> {
    let seconds = text.parse::<i64>().ok();
    let millis = match seconds {
        Some(seconds) => seconds.checked_mul(1000),
        None => text.parse().ok().map(jiff::Timestamp::as_millisecond),
    };
    millis.map(UnixTime::from_millis).ok_or_else(|| {
        let example = time_text(UnixTime::from_millis(1_800_000_000_000));
        format!("expected a time such as {example}, or seconds since 1970")
    })
}

/// Reads a time of day, or how long ago it was.
pub fn since(text: &str) -> Result<UnixTime, String> {
    let ago = duration(text).map(|ago| CLOCK.now().minus(ago));
    ago.or_else(|_| instant(text)).map_err(|_| {
        let example = time_text(UnixTime::from_millis(1_800_000_000_000));
        format!("expected a length of time such as 12h or 30d, or a time such as {example}")
    })
}

/// Reads why a change is made.
pub fn reason(text: &str) -> Result<String, ReasonError> {
    Actor::reason(text)
}

/// Reads a network, or one address.
pub fn network(text: &str) -> Result<IpNet, String> {
    let address = || {
        text.parse()
            .map(|address: IpAddr| IpNet::from(address.to_canonical()))
    };
    text.parse()
        .or_else(|_| address())
        .map_err(|_| "expected an address or network such as 10.0.0.0/8".to_owned())
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
