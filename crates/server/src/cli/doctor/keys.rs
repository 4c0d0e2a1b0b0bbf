//! The server's key set: can it be read, is anything usable in it, is anything in it that nobody
//! should see.

use std::collections::BTreeSet;

use bytes::Bytes;
use grantor::{
    jose::{JwkError, JwkSet, JwkSetError, VerificationKey},
    remote::{DocumentError, HttpFetch, KEY_SET},
    types::member,
};

use super::{Report, metadata::Metadata, obstacle::remedy};

/// Reads the key set that the metadata names, and says what is wrong with it.
pub async fn examine(fetch: &HttpFetch, metadata: &Metadata, report: &mut Report) {
    let Some(url) = metadata.endpoint(member::JWKS_URI) else {
        // What is not a URL to read keys from has been said of the endpoints.
        if metadata.is_there() && metadata.text(member::JWKS_URI).is_none() {
            let remedy = "APIs can ask the introspection endpoint about tokens, if there is one, and verify none by themselves.";
            report.note("keys", "the metadata has no member 'jwks_uri'", remedy);
        }
        return;
    };
    match read(fetch, url).await {
        Ok(document) => judge(url, &document, report),
        Err((problem, remedy)) => report.wrong("keys", format!("{url}: {problem}"), remedy),
    }
}

/// The key set; otherwise what is wrong, and what can be done about it.
async fn read(fetch: &HttpFetch, url: &str) -> Result<Bytes, (String, String)> {
    const WHY: &str = "APIs read it to verify the server's tokens.";
    let why = |error: &DocumentError| match error {
        DocumentError::Fetch(error) => format!("{WHY} {}", remedy(error, "")),
        _ => WHY.to_owned(),
    };
    match KEY_SET.get(fetch, url).await {
        Ok(answer) => Ok(answer.into_body()),
        Err(error) => Err((error.to_string(), why(&error).trim_end().to_owned())),
    }
}

fn judge(url: &str, document: &[u8], report: &mut Report) {
    let set = match JwkSet::parse(document) {
        Ok(set) => set,
        Err(error @ JwkSetError::Private { .. }) => {
            let remedy = "Everybody can read it and sign tokens as this server. Replace that key now, and publish public members only.";
            return report.wrong("keys", format!("{url}: {error}"), remedy);
        }
        Err(error) => {
            return report.wrong(
                "keys",
                format!("{url}: {error}"),
                "It has to be a JWK Set (RFC 7517 §5).",
            );
        }
    };
    for skipped in &set.skipped {
        let name = skipped
            .key_id
            .as_ref()
            .map(|kid| format!(" ({kid:?})"))
            .unwrap_or_default();
        let message = format!(
            "{url}: key {}{name} of the set: {}",
            skipped.index, skipped.reason
        );
        match &skipped.reason {
            _ if skipped.is_for_others() => {
                report.note("keys", message, "It is passed over (RFC 7517 §5).");
            }
            JwkError::RsaBits(bits) if *bits < 2048 => {
                report.wrong("keys", message, "It is too weak to trust what it signs: replace it by a key of 2048 bits or more.");
            }
            _ => report.wrong(
                "keys",
                message,
                "No verifier can use it: replace or remove it.",
            ),
        }
    }
    repeated(url, &set.keys, report);
    match set.keys.len() {
        0 => report.wrong(
            "keys",
            format!("{url}: no key can be used"),
            "No token of this server can be verified with it.",
        ),
        _ => report.ok(
            "keys",
            set.keys
                .iter()
                .map(described)
                .collect::<Vec<_>>()
                .join(", "),
        ),
    }
}

/// A name that two keys have leads to the wrong one.
fn repeated(url: &str, keys: &[VerificationKey], report: &mut Report) {
    let mut seen = BTreeSet::new();
    for name in keys.iter().filter_map(VerificationKey::key_id) {
        if !seen.insert(name) {
            let remedy = "Verifiers may try the wrong one only: give each key a name of its own.";
            report.wrong(
                "keys",
                format!("{url}: two keys have the kid {name:?}"),
                remedy,
            );
        }
    }
}

fn described(key: &VerificationKey) -> String {
    let algorithm = key
        .jwk()
        .and_then(|jwk| jwk.algorithm())
        .map_or("RSA", |algorithm| algorithm.name());
    key.key_id().map_or_else(
        || format!("{algorithm} without kid"),
        |kid| format!("{algorithm} {kid:?}"),
    )
}
