//! Identity providers with an `iss` and keys: issuers. What their JWTs are worth, a person says by
//! trusts; without one they are worth nothing.

use std::collections::BTreeSet;

use grantor_jose::{
    Algorithm, Jwk,
    json::{Object, Value},
};
use serde_json::json;

use super::{
    Import,
    keys::{self, Keys},
};
use crate::{
    admin::import::{LeftOut, part::Part},
    registry::TrustedIssuer,
};

impl Import<'_> {
    pub(super) fn providers(&mut self, parts: &[Part<'_>]) {
        for part in parts {
            let alias = part.text("alias").ok().flatten().unwrap_or_default();
            match read(part) {
                Ok((object, notes)) => self.made.issuer(part, alias, object, notes),
                Err(wrong) => self.made.leave_out(wrong.called(alias)),
            }
        }
    }
}

fn read(part: &Part<'_>) -> Result<(Object, Vec<LeftOut>), LeftOut> {
    check_kind(part)?;
    let config = part.object("config")?;
    let Some(iss) = config.text("issuer")? else {
        let why = "names no iss, so that nobody knows its JWTs";
        return Err(config.left_out("issuer", why));
    };
    let (keys, mut notes) = keys::of_provider(&config)?;
    let mut object = Object::new();
    object.insert("iss".to_owned(), iss.into());
    if part.member("enabled").is_some() && !part.flag("enabled")? {
        object.insert("enabled".to_owned(), false.into());
    }
    let algorithms = algorithms(&config, &keys)?;
    if !algorithms.is_empty() {
        object.insert("algorithms".to_owned(), algorithms.into());
    }
    let keys = match keys {
        Keys::At(url) => json!({"jwks_uri": url}),
        Keys::These(set) => json!({"jwks": set}),
    };
    object.insert("keys".to_owned(), keys);
    notes.extend(times(&config, &mut object)?);
    notes.extend(decisions(part, &config)?);
    Ok((object, notes))
}

fn check_kind(part: &Part<'_>) -> Result<(), LeftOut> {
    const MEMBER: &str = "providerId";
    let refused = |why: &str| Err(part.left_out(MEMBER, why));
    match part.text(MEMBER)? {
        Some("oidc" | "keycloak-oidc" | "jwt-authorization-grant") => Ok(()),
        Some("kubernetes") => refused(
            "a cluster: where its keys are depends on who asks; see: grantor template show \
             kubernetes",
        ),
        Some("spiffe") => refused(
            "a SPIFFE trust domain: say where its bundle is (grantor issuer create \
             spiffe://DOMAIN --spiffe-bundle URL)",
        ),
        _ => {
            refused("people sign in there, which they do not here; it gives no JWTs that are taken")
        }
    }
}

/// The algorithm that is named there, or those that its keys are for; none for the usual ones.
fn algorithms(config: &Part<'_>, keys: &Keys) -> Result<Vec<&'static str>, LeftOut> {
    let member = "jwtAuthorizationGrantAssertionSignatureAlg";
    if let Some(name) = config.text(member)? {
        let algorithm = Algorithm::from_name(name);
        let unknown = || config.left_out(member, "this algorithm is not known here");
        return Ok(vec![algorithm.ok_or_else(unknown)?.name()]);
    }
    let Keys::These(set) = keys else {
        return Ok(Vec::new());
    };
    let of_key = |key: &Value| {
        let key = Jwk::parse(key.to_string().as_bytes()).ok()?;
        Some(key.algorithm().unwrap_or(Algorithm::Rs256).name())
    };
    let keys = set.get("keys").and_then(Value::as_array);
    let algorithms: BTreeSet<_> = keys.into_iter().flatten().filter_map(of_key).collect();
    Ok(algorithms.into_iter().collect())
}

/// How long its JWTs live and how far its clock may be off, within what is possible here.
fn times(config: &Part<'_>, object: &mut Object) -> Result<Vec<LeftOut>, LeftOut> {
    let mut notes = Vec::new();
    for (there, here, most) in [
        (
            "jwtAuthorizationGrantMaxAllowedAssertionExpiration",
            "max_lifetime",
            TrustedIssuer::MAX_LIFETIME,
        ),
        (
            "jwtAuthorizationGrantAllowedClockSkew",
            "leeway",
            TrustedIssuer::MAX_LEEWAY,
        ),
    ] {
        let Some(seconds) = config.setting(there)? else {
            continue;
        };
        match seconds.parse::<u64>() {
            Ok(0) if here == "max_lifetime" => {}
            Ok(seconds) if seconds <= most.as_secs() => {
                object.insert(here.to_owned(), seconds.into());
            }
            _ => {
                let most = most.as_secs();
                let why = format!("expected a number of seconds, at most {most}");
                notes.push(config.left_out(there, why));
            }
        }
    }
    Ok(notes)
}

/// What a person decides about it.
fn decisions(part: &Part<'_>, config: &Part<'_>) -> Result<Vec<LeftOut>, LeftOut> {
    let why = "is registered, and no JWT of it is taken until a trust says what they are worth: \
               grantor trust create NAME --from ISSUER";
    let mut notes = vec![LeftOut::new(&*part.pointer, why)];
    let reuse = "jwtAuthorizationGrantAssertionReuseAllowed";
    if config.flag(reuse)? {
        let why = "its JWTs may be used again there; here once, unless replay = \"reusable\"";
        notes.push(config.left_out(reuse, why));
    }
    Ok(notes)
}
