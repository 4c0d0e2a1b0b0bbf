//! An issuer as people read it: its keys and their age, its audiences.

use std::time::Duration;

use grantor::{
    admin::{BundleDocument, IssuerDocument, UploadedEntry},
    clock::{Clock as _, UnixTime},
    registry::AudienceMatch,
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    admin::{
        fetched::FetchedKeys,
        issuers::{RefreshedIssuer, ShownIssuer},
    },
    cli::{
        CLOCK,
        output::{table, time},
    },
};

/// Where its keys come from, in a word.
pub fn key_place(issuer: &IssuerDocument) -> &'static str {
    let keys = &issuer.keys;
    match &keys.spiffe_bundle {
        _ if keys.discovery.is_some() => "discovery",
        _ if keys.jwks_uri.is_some() => "jwks-uri",
        Some(BundleDocument::Url(_)) => "spiffe-bundle",
        Some(_) => "spiffe-bundle (uploaded)",
        None => "uploaded",
    }
}

/// A value of an enumeration, as documents have it.
pub fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

/// What is said of audiences that are not this server's own (T013).
pub fn shared_audiences(issuer: &IssuerDocument) -> Option<String> {
    let shared = &issuer.shared_audiences;
    (!shared.is_empty()).then(|| {
        format!(
            "\nshared: {} is no name of this server, so whoever else takes it can use these JWTs here; have the issuer send this server's own name, if it can",
            shared.join(", ")
        )
    })
}

/// An issuer, and how old the keys are that servers have fetched.
pub fn text(shown: &ShownIssuer) -> String {
    let (issuer, held, now) = (&shown.issuer, shown.fetched.as_ref(), CLOCK.now());
    let failure = shown.failure.iter();
    let failure = failure.map(|failed| {
        let ago = ago(seconds_since(failed.at, now));
        format!("failed {ago} ago: {}", failed.reason)
    });
    let rows: Vec<_> = facts(issuer, held, now)
        .into_iter()
        .chain([("last fetch", failure.collect())])
        .flat_map(|(name, values)| values.into_iter().map(move |value| (name, value)))
        .collect();
    table(&rows, &[""; 2], |(name, value)| {
        vec![(*name).to_owned(), value.clone()]
    })
}

/// What is known, by name: nothing, one value, or one for each line.
fn facts(
    issuer: &IssuerDocument,
    held: Option<&FetchedKeys>,
    now: UnixTime,
) -> Vec<(&'static str, Vec<String>)> {
    let one = |value: String| vec![value];
    let seconds = |length: Duration| format!("{} s", length.as_secs());
    let algorithms = issuer.algorithms.iter().map(|algorithm| algorithm.name());
    vec![
        ("issuer", one(issuer.iss.to_string())),
        ("name", one(issuer.name.to_string())),
        ("state", one(super::state(issuer))),
        ("keys", one(place(issuer))),
        (
            "key",
            issuer
                .keys
                .uploaded
                .iter()
                .map(|key| uploaded(key, now))
                .collect(),
        ),
        ("fetched", fetched_keys(issuer, held, now)),
        ("audience", audiences(issuer)),
        ("algorithms", one(algorithms.collect::<Vec<_>>().join(", "))),
        ("typ", issuer.types.clone()),
        (
            "lifetime",
            one(format!("{} at most", seconds(issuer.max_lifetime))),
        ),
        ("leeway", one(seconds(issuer.leeway))),
        ("replay", one(word(&issuer.replay))),
        (
            "trust domain",
            issuer.trust_domain.iter().cloned().collect(),
        ),
        (
            "tenant claim",
            issuer
                .tenant_claims
                .iter()
                .map(ToString::to_string)
                .collect(),
        ),
        (
            "allowed networks",
            issuer
                .allow_internal
                .iter()
                .map(ToString::to_string)
                .collect(),
        ),
        (
            "bearer token",
            issuer
                .bearer_token_file
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
        ),
        (
            "template",
            issuer
                .template
                .iter()
                .map(|template| format!("{}, version {}", template.name, template.version))
                .collect(),
        ),
        (
            "tokens revoked",
            issuer
                .tokens_since
                .map(|at| format!("those given before {}", time(at)))
                .into_iter()
                .collect(),
        ),
        ("created", issuer.created_at.map(time).into_iter().collect()),
    ]
}

/// Where its keys come from.
fn place(issuer: &IssuerDocument) -> String {
    let keys = &issuer.keys;
    let url = match &keys.spiffe_bundle {
        Some(BundleDocument::Url(url)) => Some(url),
        _ => keys.jwks_uri.as_ref(),
    };
    let metadata = keys.discovery.as_ref();
    let metadata = metadata.and_then(|discovery| discovery.metadata_url.as_ref());
    match url.or(metadata) {
        Some(url) => format!("{} {url}", key_place(issuer)),
        None => key_place(issuer).to_owned(),
    }
}

/// Its audiences; those that are others' too are marked.
fn audiences(issuer: &IssuerDocument) -> Vec<String> {
    let how = match issuer.audience_match {
        AudienceMatch::Any => " (or among others)",
        _ => "",
    };
    if issuer.audiences.is_empty() {
        return vec![format!(
            "this server's issuer identifier or token endpoint{how}"
        )];
    }
    let marked = issuer.audiences.iter().map(|audience| {
        let is_shared = issuer.shared_audiences.contains(audience);
        let mark = if is_shared {
            " (shared: no name of this server)"
        } else {
            ""
        };
        format!("{audience}{how}{mark}")
    });
    marked.collect()
}

/// An uploaded key, its age and its end.
fn uploaded(key: &UploadedEntry, now: UnixTime) -> String {
    let age = key
        .added_at
        .map(|at| format!(", uploaded {} ago", ago(seconds_since(at, now))));
    let end = key.expires_at.map(|at| format!(", until {}", time(at)));
    let refused = key
        .refused
        .as_ref()
        .map(|why| format!(", of no use: {why}"));
    [Some(key.name.clone()), age, end, refused]
        .into_iter()
        .flatten()
        .collect()
}

/// How old the keys are that servers have fetched, and whether their life is over.
fn fetched_keys(issuer: &IssuerDocument, held: Option<&FetchedKeys>, now: UnixTime) -> Vec<String> {
    let keys = &issuer.keys;
    let is_bundle = matches!(keys.spiffe_bundle, Some(BundleDocument::Url(_)));
    if keys.discovery.is_none() && keys.jwks_uri.is_none() && !is_bundle {
        return Vec::new();
    }
    let Some(held) = held else {
        return vec!["not yet, by no server: the first JWT has them fetched".to_owned()];
    };
    let stale = held.stale.then(|| {
        format!(
            ", stale since {}: unless they can be fetched, they are refused from {} on",
            time(held.life_ends),
            time(held.refused_from)
        )
    });
    let first = format!(
        "{} ago{}",
        ago(seconds_since(held.at, now)),
        stale.unwrap_or_default()
    );
    let keys = held.keys.iter().map(|key| {
        let name = key.kid.as_deref().unwrap_or("(no kid)");
        format!("{name}, {}", key.kind)
    });
    [first].into_iter().chain(keys).collect()
}

fn seconds_since(then: UnixTime, now: UnixTime) -> u64 {
    let seconds = now.seconds().saturating_sub(then.seconds());
    seconds.max(0).unsigned_abs()
}

/// A length of time in its largest unit.
pub fn ago(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// What a fetch has found.
pub fn fetched(found: &RefreshedIssuer) -> String {
    let place = found.jwks_uri.as_ref();
    let place = place.map_or_else(String::new, |url| format!(" at {url}"));
    let keys = table(&found.keys, &["KID", "KIND", "ALGORITHM"], |key| {
        vec![
            key.kid.clone().unwrap_or_else(|| "(none)".to_owned()),
            key.kind.clone(),
            key.alg
                .clone()
                .unwrap_or_else(|| "any of its kind".to_owned()),
        ]
    });
    let skipped = found.skipped.iter();
    let skipped = skipped.map(|key| format!("\nof no use: {key}"));
    format!(
        "issuer {}: its keys were fetched{place}, and servers fetch them anew\n{keys}{}",
        found.name,
        skipped.collect::<String>()
    )
}
