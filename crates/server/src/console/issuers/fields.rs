//! The fields of an issuer: the same for a new one and for a change.

use grantor::{
    admin::{BundleDocument, IssuerDocument},
    jose::Algorithm,
    registry::{AudienceMatch, ReplayPolicy},
};
use serde::Serialize;
use serde_json::Value;

use crate::console::{Members, Typed};

/// Where keys come from: the field, and its values.
pub const FROM: &str = "from";
/// The value that says that their place stays.
pub const SAME: &str = "same";

/// The algorithms that issuers may use.
pub fn algorithms() -> Vec<&'static str> {
    let all = Algorithm::ALL.into_iter();
    all.filter(|one| !one.is_mac())
        .map(Algorithm::name)
        .collect()
}

/// The ways in which JWTs are used, as members have them.
pub fn policies() -> Vec<(String, ReplayPolicy)> {
    let all = [
        ReplayPolicy::Once,
        ReplayPolicy::OnceByDigest,
        ReplayPolicy::Reusable,
    ];
    all.map(|policy| (word(&policy), policy)).to_vec()
}

/// The ways in which `aud` has an audience, as members have them.
pub fn matches() -> Vec<(String, AudienceMatch)> {
    let all = [AudienceMatch::Sole, AudienceMatch::Any];
    all.map(|how| (word(&how), how)).to_vec()
}

/// A word of a document.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

fn lines(values: impl IntoIterator<Item = impl ToString>) -> String {
    let lines = values.into_iter().map(|value| value.to_string());
    lines.collect::<Vec<_>>().join("\n")
}

/// The fields with what is registered.
pub fn filled(typed: Typed, issuer: &IssuerDocument) -> Typed {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let algorithms: Vec<_> = issuer.algorithms.iter().map(|one| one.name()).collect();
    let typed = typed
        .filling("name", issuer.name.as_str())
        .filling("trust_domain", text(&issuer.trust_domain))
        .filling("audiences", lines(&issuer.audiences))
        .filling("audience_match", word(&issuer.audience_match))
        .filling_all("algorithms", algorithms)
        .filling("types", lines(&issuer.types))
        .filling("max_lifetime", issuer.max_lifetime.as_secs().to_string())
        .filling("leeway", issuer.leeway.as_secs().to_string())
        .filling("replay", word(&issuer.replay))
        .filling("tenant_claims", lines(&issuer.tenant_claims))
        .filling("allow_internal", lines(&issuer.allow_internal))
        .filling("ca", text(&issuer.ca));
    let keys = &issuer.keys;
    let typed = match (&keys.jwks_uri, &keys.spiffe_bundle, &keys.discovery) {
        (Some(url), ..) => typed.filling("keys/jwks_uri", url.as_str()),
        (_, Some(BundleDocument::Url(url)), _) => typed.filling("keys/spiffe_bundle", url.as_str()),
        (.., Some(discovery)) => {
            let url = discovery.metadata_url.as_ref();
            typed.filling(
                "keys/discovery/metadata_url",
                url.map_or("", |url| url.as_str()),
            )
        }
        _ => typed,
    };
    typed.filling(FROM, SAME)
}

/// The members, those that are lists and texts.
pub fn members<'t>(members: Members<'t>, wants: impl Fn(&str) -> bool) -> Members<'t> {
    type Add = for<'t> fn(Members<'t>, &str) -> Members<'t>;
    let add: [(&str, Add); 12] = [
        ("name", |members, name| members.text_or_null(name)),
        ("trust_domain", |members, name| members.text_or_null(name)),
        ("audiences", |members, name| members.lines(name)),
        ("audience_match", |members, name| members.text(name)),
        ("algorithms", |members, name| members.ticked(name)),
        ("types", |members, name| members.lines(name)),
        ("max_lifetime", |members, name| members.number(name)),
        ("leeway", |members, name| members.number(name)),
        ("replay", |members, name| members.text(name)),
        ("tenant_claims", |members, name| members.lines(name)),
        ("allow_internal", |members, name| members.lines(name)),
        ("ca", |members, name| members.text_or_null(name)),
    ];
    let wanted = add.into_iter().filter(|(name, _)| wants(name));
    wanted.fold(members, |members, (name, add)| add(members, name))
}

/// The member with the place of the keys, or with the keys.
pub fn keys<'t>(members: Members<'t>, typed: &Typed) -> Members<'t> {
    let from = typed.text(FROM);
    members.part("keys", |keys| match from {
        "discovery" => keys.part("discovery", |keys| keys.text("metadata_url")),
        "jwks_uri" => keys.text("jwks_uri"),
        "jwks" => keys.json("jwks"),
        "pem" => keys.text("pem"),
        "spiffe_bundle" => match typed.text("keys/spiffe_bundle").starts_with('{') {
            true => keys.json("spiffe_bundle"),
            false => keys.text("spiffe_bundle"),
        },
        _ => keys,
    })
}
