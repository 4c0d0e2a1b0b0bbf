//! Public keys, in the forms in which Keycloak keeps them: a JWK Set, the place of one, or a key or
//! certificate in base64 with or without the lines of PEM.

use grantor_jose::{
    base64url_encode, crypto::sha256, json::Value, public_key_from_pem, spki_from_pem,
};
use serde_json::json;

use crate::admin::{
    PublicJwks,
    import::{LeftOut, jwks::PublicSet, part::Part},
};

/// Where keys are.
pub(super) enum Keys {
    /// Behind a URL.
    At(String),
    /// A JWK Set of them.
    These(Value),
}

/// The octets of a line of base64 (RFC 7468 §2).
const LINE: usize = 64;

/// The keys of a client, of these attributes, and what of them is left out.
pub(super) fn of_client(attributes: &Part<'_>) -> Result<(Keys, Vec<LeftOut>), LeftOut> {
    let named = |member: &str| {
        let text = attributes.text(member)?;
        text.ok_or_else(|| attributes.left_out(member, "is not there, and is to be used"))
    };
    if attributes.flag("use.jwks.url")? {
        let url = named("jwks.url")?;
        return Ok((Keys::At(url.to_owned()), Vec::new()));
    }
    if attributes.flag("use.jwks.string")? {
        let member = "jwks.string";
        return of_set(named(member)?, attributes, member);
    }
    let key_id = attributes.text("jwt.credential.kid")?;
    for (member, label) in [
        ("jwt.credential.certificate", "CERTIFICATE"),
        ("jwt.credential.public.key", "PUBLIC KEY"),
    ] {
        if let Some(text) = attributes.text(member)? {
            let key = of_text(text, label, key_id);
            let key = key.map_err(|why| attributes.left_out(member, why))?;
            return Ok((Keys::These(key), Vec::new()));
        }
    }
    let why = "has no public key in the export; register it with one (grantor client create ID \
               --jwks FILE)";
    Err(LeftOut::new(&*attributes.pointer, why))
}

/// The keys of an identity provider, of this configuration.
pub(super) fn of_provider(config: &Part<'_>) -> Result<(Keys, Vec<LeftOut>), LeftOut> {
    let member = "publicKeySignatureVerifier";
    let url = config.text("jwksUrl")?;
    if let (true, Some(url)) = (config.flag("useJwksUrl")?, url) {
        return Ok((Keys::At(url.to_owned()), Vec::new()));
    }
    match config.text(member)? {
        Some(text) if text.trim_start().starts_with('{') => of_set(text, config, member),
        Some(text) => {
            let key_id = config.text("publicKeySignatureVerifierKeyId")?;
            let key = of_text(text, "PUBLIC KEY", key_id);
            let key = key.map_err(|why| config.left_out(member, why))?;
            Ok((Keys::These(key), Vec::new()))
        }
        None => {
            let why =
                "has no keys in the export; register it with them (grantor issuer create ISS)";
            Err(LeftOut::new(&*config.pointer, why))
        }
    }
}

fn of_set(text: &str, part: &Part<'_>, member: &str) -> Result<(Keys, Vec<LeftOut>), LeftOut> {
    let set = PublicSet::parse(text.as_bytes());
    let set = set.map_err(|error| part.left_out(member, format!("this key set: {error}")))?;
    let skipped = set.skipped.into_iter();
    // The set is a text in the export, so its keys have no place of their own there.
    let skipped =
        skipped.map(|(place, why)| part.left_out(member, format!("{place} of the set: {why}")));
    Ok((Keys::These(set.keys), skipped.collect()))
}

/// The key in a text, which is PEM, or the base64 within it.
fn of_text(text: &str, label: &str, key_id: Option<&str>) -> Result<Value, String> {
    let pem = match text.contains("-----BEGIN ") {
        true => text.to_owned(),
        false => armoured(text, label),
    };
    let key = public_key_from_pem(&pem).map_err(|error| format!("this key: {error}"))?;
    // Keycloak and its libraries name a key so, unless told otherwise.
    let usual = || {
        let spki = spki_from_pem(&pem)?;
        Some(base64url_encode(sha256(&[&spki])))
    };
    let key_id = key_id.map(str::to_owned).or_else(usual);
    let key = match key_id {
        Some(key_id) => key.with_key_id(key_id),
        None => key,
    };
    Ok(json!(PublicJwks::new(vec![key])))
}

/// A block of PEM.
fn armoured(base64: &str, label: &str) -> String {
    let letters: Vec<char> = base64.chars().filter(|one| !one.is_whitespace()).collect();
    let lines = letters
        .chunks(LINE)
        .map(|line| line.iter().collect::<String>() + "\n");
    let lines: String = lines.collect();
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}
