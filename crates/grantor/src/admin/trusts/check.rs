//! Which trusts are registered: what is wrong with one, all at once. Every way of making or
//! changing a trust goes through [`check`], so that none can be made that takes strangers.

use std::collections::HashSet;

use url::Url;

use crate::{
    admin::{Fault, TrustDocument, lints, templates},
    assertion::Usage,
    registry::{Mode, PinValue, SubjectMapping, Trust, TrustedIssuer},
    types::ClaimPath,
};

/// Most pins and matches together, so that the record of a decision has room for them.
const MOST_TESTS: usize = 32;
/// Most claims that are copied.
const MOST_COPIES: usize = 16;
/// Most octets of a pinned value, and of the name of a copied claim.
const VALUE_BYTES: usize = 2048;
const COPY_BYTES: usize = 128;
/// Most resources.
const MOST_RESOURCES: usize = 32;
/// Names of claims that this server gives access tokens itself, or that others would take for its
/// word: those of RFC 7519 §4.1, RFC 9068 §2.2, RFC 8693 §4, RFC 7800, RFC 7662 §2.2 and RFC 9396.
const RESERVED_CLAIMS: [&str; 29] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "azp",
    "scope",
    "scp",
    "auth_time",
    "acr",
    "amr",
    "groups",
    "roles",
    "entitlements",
    "cnf",
    "act",
    "may_act",
    "active",
    "username",
    "token_type",
    "authorization_details",
    "events",
    "sub_id",
    "sid",
    "nonce",
    "typ",
];

/// All that is wrong with a trust of this issuer. It asks no store: whether its client fits is for
/// the use cases.
pub fn check(issuer: &TrustedIssuer, trust: &Trust) -> Vec<Fault> {
    let mut faults = Vec::new();
    faults.extend(fault_of_issuer(issuer, trust));
    faults.extend(faults_of_uses(trust));
    faults.extend(faults_of_tests(trust));
    faults.extend(fault_of_condition(trust));
    faults.extend(fault_of_tenant(issuer, trust));
    faults.extend(faults_of_spiffe(issuer, trust));
    faults.extend(faults_of_resources(trust));
    faults.extend(faults_of_copies(trust));
    if trust
        .lifetime
        .is_some_and(|lifetime| lifetime.as_secs() == 0)
    {
        let detail = "is no time; expected seconds, at least one, or leave it out";
        faults.push(Fault::new("lifetime", detail));
    }
    faults.extend(lints::faults_of(issuer, trust));
    faults
}

fn fault_of_issuer(issuer: &TrustedIssuer, trust: &Trust) -> Option<Fault> {
    (trust.issuer != issuer.id).then(|| {
        let detail = format!("is {}, and was checked for {}", trust.issuer, issuer.id);
        Fault::new("issuer", detail)
    })
}

fn faults_of_uses(trust: &Trust) -> Vec<Fault> {
    let mut faults = Vec::new();
    let fault = |detail: &str| Fault::new("uses", detail);
    let different: HashSet<_> = trust.uses.iter().collect();
    match trust.uses.len() {
        0 => faults.push(fault("name one: grant, client_authentication")),
        length if length > different.len() => faults.push(fault("names one twice; leave it out")),
        _ => {}
    }
    if trust.is_for(Usage::ClientAuthentication) {
        let is_sub = |claim: &ClaimPath| claim.as_str() == "sub";
        if trust.pinned_sub().is_none() && !trust.matches.iter().any(|one| is_sub(&one.claim)) {
            let detail =
                "a client is authenticated by one sub; pin it, or match it and send client_id";
            faults.push(Fault::new("pins", detail));
        }
    }
    faults
}

/// TA58: something is compared, and each test can fail.
fn faults_of_tests(trust: &Trust) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !trust.compares() {
        let detail = "a trust that compares nothing would take every JWT of the issuer; name at least one \
             pin, match or condition";
        faults.push(Fault::new("pins", detail));
    }
    if trust.pins.len() + trust.matches.len() > MOST_TESTS {
        let detail = format!("has more than {MOST_TESTS} pins and matches; name fewer");
        faults.push(Fault::new("pins", detail));
    }
    for (index, pin) in trust.pins.iter().enumerate() {
        let fault = |detail: String| Fault::new("pins", detail).at(index);
        let claim = &pin.claim;
        if let PinValue::Text(text) | PinValue::Contains(text) = &pin.value {
            let bare = text.trim();
            if bare.is_empty() {
                faults.push(fault(format!(
                    "the value of {claim} is empty; expected the value that the claim has"
                )));
            } else if bare
                .chars()
                .all(|letter| letter == '*' || letter.is_whitespace())
            {
                faults.push(fault(format!(
                    "{text} is no value of {claim}: a pin is compared to the letter; expected the \
                     value that the claim has"
                )));
            } else if text.len() > VALUE_BYTES {
                faults.push(fault(format!(
                    "the value of {claim} is longer than {VALUE_BYTES} octets"
                )));
            }
        }
        let before = trust.pins[..index].iter();
        let mut same = before.filter(|before| before.claim == *claim);
        let is_list = |value: &PinValue| matches!(value, PinValue::Contains(_));
        if same.any(|before| {
            before.value == pin.value || !is_list(&before.value) || !is_list(&pin.value)
        }) {
            faults.push(fault(format!(
                "{claim} is pinned twice, and has one value; leave one out, or make two trusts"
            )));
        }
    }
    for (index, one) in trust.matches.iter().enumerate() {
        let glob = one.glob.as_str();
        if glob
            .chars()
            .all(|letter| letter == '*' || letter.is_whitespace())
        {
            let detail = format!(
                "{glob} matches whatever {} is; expected literal text before the first star",
                one.claim
            );
            faults.push(Fault::new("matches", detail).at(index));
        }
        if trust.matches[..index].contains(one) {
            let detail = format!("{} is matched so already; leave one out", one.claim);
            faults.push(Fault::new("matches", detail).at(index));
        }
    }
    faults
}

/// T038
fn fault_of_condition(trust: &Trust) -> Option<Fault> {
    let fault = trust.condition.as_ref()?.fault()?;
    Some(Fault::new("condition", fault.to_string()))
}

/// T042: where strangers share the issuer, a pin tells whose JWT it is. Neither a condition nor a
/// match does.
pub(in crate::admin) fn fault_of_tenant(issuer: &TrustedIssuer, trust: &Trust) -> Option<Fault> {
    let tenants = match issuer.tenant_claims.is_empty() {
        false => &*issuer.tenant_claims,
        // It was registered before the platform was known.
        true => templates::shared(issuer.id.as_str()).map_or(&[][..], |(_, tenants)| tenants),
    };
    if tenants.is_empty() {
        return None;
    }
    let tells = |value: &PinValue, claim: &ClaimPath| match value {
        PinValue::Text(text) => !text.trim().is_empty(),
        PinValue::Integer(_) => true,
        // A list of audiences is the issuer's own; any other list may have strangers in it.
        PinValue::Contains(_) => claim.as_str() == "aud",
        PinValue::Boolean(_) => false,
    };
    let mut pins = trust.pins.iter();
    if pins.any(|pin| tenants.contains(&pin.claim) && tells(&pin.value, &pin.claim)) {
        return None;
    }
    let names: Vec<_> = tenants.iter().map(ClaimPath::as_str).collect();
    let condition = match trust.condition {
        Some(_) => ", and a condition does not count as one",
        None => "",
    };
    let detail = format!(
        "issuer {} is shared by strangers, who can have it sign whatever else is compared; pin {} to \
         your own value{condition}",
        issuer.id,
        names.join(" or ")
    );
    Some(Fault::new("pins", detail))
}

/// A whole trust domain is nobody in particular, and a sub of another domain never comes.
fn faults_of_spiffe(issuer: &TrustedIssuer, trust: &Trust) -> Vec<Fault> {
    let Some(domain) = issuer.trust_domain.as_deref() else {
        return Vec::new();
    };
    let root = format!("spiffe://{domain}/");
    let mut faults = Vec::new();
    for (index, pin) in trust.pins.iter().enumerate() {
        if pin.claim.as_str() == "sub"
            && let PinValue::Text(sub) = &pin.value
            && !sub.starts_with(&root)
        {
            let detail = format!("{sub} is no SPIFFE ID of this issuer; expected {root}...");
            faults.push(Fault::new("pins", detail).at(index));
        }
    }
    for (index, one) in trust.matches.iter().enumerate() {
        if one.claim.as_str() != "sub" {
            continue;
        }
        let below = one.glob.as_str().strip_prefix(&root);
        let detail = match below {
            None => format!(
                "{} is not below the trust domain of this issuer; expected {root}...",
                one.glob
            ),
            Some(below) if below.starts_with('*') => format!(
                "{} is any workload of the trust domain; expected a path before the first star, \
                 such as {root}ns/billing/*",
                one.glob
            ),
            Some(_) => continue,
        };
        faults.push(Fault::new("matches", detail).at(index));
    }
    faults
}

/// RFC 8707 §2
fn faults_of_resources(trust: &Trust) -> Vec<Fault> {
    let mut faults = Vec::new();
    if trust.resources.len() > MOST_RESOURCES {
        let detail = format!("has more than {MOST_RESOURCES}; name fewer");
        faults.push(Fault::new("resources", detail));
    }
    for (index, resource) in trust.resources.iter().enumerate() {
        let problem = match Url::parse(resource) {
            Err(_) => Some("is no absolute URI; expected one such as https://api.example"),
            Ok(url) if url.fragment().is_some() => Some("has a fragment; leave it out"),
            Ok(_) if trust.resources[..index].contains(resource) => {
                Some("is named twice; leave one out")
            }
            Ok(_) => None,
        };
        faults.extend(
            problem
                .map(|problem| Fault::new("resources", format!("{resource} {problem}")).at(index)),
        );
    }
    faults
}

/// T030
fn faults_of_copies(trust: &Trust) -> Vec<Fault> {
    let mut faults = Vec::new();
    if trust.claims.len() > MOST_COPIES {
        let detail = format!("has more than {MOST_COPIES}; name fewer");
        faults.push(Fault::new("claims", detail));
    }
    for (index, copy) in trust.claims.iter().enumerate() {
        let to = &copy.to;
        let is_plain =
            |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic());
        let detail = if !is_plain(to) || to.len() > COPY_BYTES {
            Some(format!(
                "the name of a claim has 1 to {COPY_BYTES} visible ASCII characters; choose another"
            ))
        } else if RESERVED_CLAIMS.contains(&&**to) {
            Some(format!(
                "{to} is this server's own word in access tokens; call it otherwise, such as ci_{to}"
            ))
        } else if trust.claims[..index].iter().any(|before| before.to == *to) {
            Some(format!("{to} is there twice; leave one out"))
        } else {
            None
        };
        faults.extend(detail.map(|detail| Fault::new("claims", detail).at(index)));
    }
    faults
}

/// Whether the subject is that of nobody else, as far as the text of the mapping tells.
pub(in crate::admin) fn fixed_subject(trust: &Trust) -> Option<&str> {
    match &trust.subject {
        SubjectMapping::Fixed(subject) if trust.is_for(Usage::Grant) => Some(subject.as_str()),
        _ => None,
    }
}

/// As [`fixed_subject`], of a document.
pub(in crate::admin) fn fixed_subject_of(document: &TrustDocument) -> Option<&str> {
    match &document.subject {
        SubjectMapping::Fixed(subject) if document.uses.contains(&Usage::Grant) => {
            Some(subject.as_str())
        }
        _ => None,
    }
}

/// Whether it counts, and is tried on each JWT of its issuer: nothing files it.
pub(super) fn is_unpinned(trust: &Trust) -> bool {
    trust.pins.is_empty() && trust.mode != Mode::Off
}
