//! Which issuers are registered: what is wrong with one, all at once.

use url::Url;

use super::document::{signature_algorithms, trust_domain_of, url_problem};
use crate::{
    admin::{Error, Fault, Places, ServerTerms, templates},
    assertion::{ServerIdentity, is_trust_domain},
    registry::{Denial, KeyOrigin, Resource as _, TrustedIssuer},
    types::ClaimPath,
};

/// Most audiences, types and networks each.
const MOST: usize = 32;
/// Most octets of an audience.
const AUDIENCE_BYTES: usize = 512;

/// All that is wrong with an issuer, for a server of these terms. Asks no store.
pub(super) fn faults_of(issuer: &TrustedIssuer, terms: &ServerTerms) -> Vec<Fault> {
    let mut faults = Vec::new();
    faults.extend(fault_of_iss(issuer, terms));
    faults.extend(faults_of_keys(issuer));
    faults.extend(faults_of_fetching(issuer));
    faults.extend(faults_of_audiences(issuer));
    faults.extend(faults_of_algorithms(issuer));
    faults.extend(faults_of_types(issuer));
    faults.extend(faults_of_times(issuer));
    faults.extend(faults_of_tenant(issuer));
    faults
}

/// That the server would read a file of its machine for somebody who is not there, or send what it
/// has read to another place than before.
pub(super) fn fault_of_file(
    issuer: &TrustedIssuer,
    before: Option<&TrustedIssuer>,
    terms: &ServerTerms,
) -> Option<Fault> {
    let file = issuer.fetching.bearer_token_file.as_ref()?;
    let is_as_before = |before: &TrustedIssuer| {
        Some(file) == before.fetching.bearer_token_file.as_ref()
            && is_same_place(&issuer.keys, &before.keys)
    };
    if terms.places == Places::Machine || before.is_some_and(is_as_before) {
        return None;
    }
    let detail = "is a file of the server's machine, whose text is sent where the keys are: only a \
                  command on that machine names it, or another place beside it";
    Some(Fault::new("bearer_token_file", detail))
}

/// Succeeds if the server would ask no internal network for somebody who may not open one: before
/// it asks, for the gate is behind that.
///
/// # Errors
/// [`Denial::NeedsOwner`]
pub(super) fn check_networks(issuer: &TrustedIssuer, terms: &ServerTerms) -> Result<(), Error> {
    match terms.places < Places::Networks && !issuer.fetching.allow_internal.is_empty() {
        true => Err(Error::Denied(Denial::NeedsOwner {
            kind: TrustedIssuer::NAME,
            name: issuer.id.to_string(),
        })),
        false => Ok(()),
    }
}

/// Whether keys that are fetched come from one place. Uploaded ones come from none.
fn is_same_place(one: &KeyOrigin, other: &KeyOrigin) -> bool {
    match (one, other) {
        (KeyOrigin::JwksUri { url }, KeyOrigin::JwksUri { url: other })
        | (KeyOrigin::SpiffeBundle { url }, KeyOrigin::SpiffeBundle { url: other }) => url == other,
        (
            KeyOrigin::Discovery { metadata_url },
            KeyOrigin::Discovery {
                metadata_url: other,
            },
        ) => metadata_url == other,
        _ => false,
    }
}

/// The names of this server are nobody else's (RFC 8725 §3.12), and discovery begins at a URL.
fn fault_of_iss(issuer: &TrustedIssuer, terms: &ServerTerms) -> Vec<Fault> {
    let fault = |detail: String| Fault::new("iss", detail);
    let (iss, own) = (
        issuer.id.as_str(),
        ServerIdentity::new(terms.issuer.clone()),
    );
    let mut faults = Vec::new();
    if iss == own.issuer().as_str() || iss == own.token_endpoint() {
        faults.push(fault(format!(
            "{iss} is this server's own name: it signs access tokens under it, which are no \
             assertions; name another issuer"
        )));
    }
    if let KeyOrigin::Discovery { metadata_url: None } = &issuer.keys {
        let problem = match Url::parse(iss) {
            Err(_) => Some("is no URL, so its metadata cannot be found"),
            Ok(url) if url.query().is_some() => {
                Some("has a query, so its metadata cannot be found")
            }
            Ok(url) => url_problem(&url, &issuer.fetching.allow_internal),
        };
        faults.extend(problem.map(|problem| {
            fault(format!(
                "{iss} {problem}; or say where the metadata is (metadata_url), or upload the keys"
            ))
        }));
    }
    faults
}

fn faults_of_keys(issuer: &TrustedIssuer) -> Vec<Fault> {
    let mut faults = Vec::new();
    let allowed = &issuer.fetching.allow_internal;
    let place = match &issuer.keys {
        KeyOrigin::Discovery { metadata_url } => metadata_url
            .as_ref()
            .map(|url| ("discovery/metadata_url", url)),
        KeyOrigin::JwksUri { url } => Some(("jwks_uri", url)),
        KeyOrigin::SpiffeBundle { url } => Some(("spiffe_bundle", url)),
        KeyOrigin::Uploaded { .. } | KeyOrigin::UploadedSpiffeBundle { .. } => None,
    };
    if let Some((member, url)) = place
        && let Some(problem) = url_problem(url, allowed)
    {
        faults.push(Fault::new("keys", format!("{url} {problem}")).at(member));
    }
    for uploaded in issuer.keys.uploaded().unwrap_or_default() {
        let Ok(key) = uploaded.key.usable() else {
            continue;
        };
        if !issuer.algorithms.iter().any(|one| key.accepts(*one)) {
            let its = key.jwk().and_then(grantor_jose::Jwk::algorithm);
            let its = its.map_or("RSA", grantor_jose::Algorithm::name);
            let detail = format!(
                "key {} is for {its}, which is not among them; name one that it is for",
                uploaded.key.name()
            );
            faults.push(Fault::new("algorithms", detail));
        }
    }
    let domain = issuer.trust_domain.as_deref();
    let detail = match (issuer.keys.is_spiffe(), domain) {
        (true, None) => Some(
            "a SPIFFE bundle is that of one trust domain, and iss does not tell which; name it, \
             such as acme.example"
                .to_owned(),
        ),
        (false, Some(_)) => Some("is for issuers with a SPIFFE bundle; leave it out".to_owned()),
        (_, Some(domain)) if !is_trust_domain(domain) => Some(format!(
            "{domain} is no trust domain; expected lower-case letters, digits, '.', '-' and '_', \
             without port and path"
        )),
        _ => None,
    };
    faults.extend(detail.map(|detail| Fault::new("trust_domain", detail)));
    if issuer.keys.is_spiffe()
        && let (Some(own), Some(domain)) = (trust_domain_of(issuer.id.as_str()), domain)
        && own != domain
    {
        let detail = format!("iss is of the trust domain {own}; a bundle is that of one domain");
        faults.push(Fault::new("trust_domain", detail));
    }
    faults
}

fn faults_of_fetching(issuer: &TrustedIssuer) -> Vec<Fault> {
    let fetching = &issuer.fetching;
    let mut faults = Vec::new();
    if let Some(ca) = &fetching.ca
        && grantor_jose::certificate_from_pem(ca).is_err()
    {
        let detail = "has no certificate; expected PEM with a block CERTIFICATE";
        faults.push(Fault::new("ca", detail));
    }
    if let Some(file) = &fetching.bearer_token_file
        && !file.is_absolute()
    {
        let detail = format!(
            "{} is no full path; expected one, for the server reads the file itself",
            file.display()
        );
        faults.push(Fault::new("bearer_token_file", detail));
    }
    if fetching.allow_internal.len() > MOST {
        let detail = format!("has more than {MOST} networks; name fewer, wider ones");
        faults.push(Fault::new("allow_internal", detail));
    }
    if issuer.keys.uploaded().is_some() {
        let members = [
            ("ca", fetching.ca.is_some()),
            ("bearer_token_file", fetching.bearer_token_file.is_some()),
            ("allow_internal", !fetching.allow_internal.is_empty()),
        ];
        let unused = members.into_iter().filter(|(_, is_set)| *is_set);
        faults.extend(unused.map(|(member, _)| {
            let detail = "is for keys that are fetched, and these are uploaded; leave it out";
            Fault::new(member, detail)
        }));
    }
    faults
}

fn faults_of_audiences(issuer: &TrustedIssuer) -> Vec<Fault> {
    let mut faults = Vec::new();
    if issuer.audiences.len() > MOST {
        let detail = format!("has more than {MOST}; name fewer");
        faults.push(Fault::new("audiences", detail));
    }
    let template = templates::of_issuer(issuer);
    for (index, audience) in issuer.audiences.iter().enumerate() {
        let problem = match audience {
            _ if audience.trim() != audience || audience.is_empty() => Some(
                "is empty, or has white space at an end; expected the value of aud, to the letter"
                    .to_owned(),
            ),
            _ if audience.len() > AUDIENCE_BYTES => {
                Some(format!("is longer than {AUDIENCE_BYTES} octets"))
            }
            _ if audience.chars().any(char::is_control) => {
                Some("contains control characters".to_owned())
            }
            _ if audience.contains('*') => Some(
                "contains a star, and audiences are compared to the letter; name each".to_owned(),
            ),
            _ => template
                .and_then(|template| template.refused_audience(audience))
                .map(|why| format!("{audience} {why}")),
        };
        faults.extend(problem.map(|problem| Fault::new("audiences", problem).at(index)));
        if issuer.audiences[..index].contains(audience) {
            let detail = format!("{audience} is named twice; leave one out");
            faults.push(Fault::new("audiences", detail).at(index));
        }
    }
    faults
}

/// RFC 8725 §3.1
fn faults_of_algorithms(issuer: &TrustedIssuer) -> Vec<Fault> {
    let fault = |detail: String| Fault::new("algorithms", detail);
    if issuer.algorithms.is_empty() {
        let detail = format!("name at least one of {}", signature_algorithms());
        return vec![fault(detail)];
    }
    let macs = issuer.algorithms.iter().enumerate();
    let macs = macs.filter(|(_, algorithm)| algorithm.is_mac());
    macs.map(|(index, algorithm)| {
        let detail = format!(
            "{algorithm} is keyed with a secret that the issuer would share with us, and is never \
             taken; expected some of {}",
            signature_algorithms()
        );
        fault(detail).at(index)
    })
    .collect()
}

/// JWT-SVID §2.3, WIT-SVID §5
fn faults_of_types(issuer: &TrustedIssuer) -> Vec<Fault> {
    let mut faults = Vec::new();
    if issuer.types.len() > MOST {
        faults.push(Fault::new(
            "types",
            format!("has more than {MOST}; name fewer"),
        ));
    }
    for (index, typ) in issuer.types.iter().enumerate() {
        let bare = typ.strip_prefix("application/").unwrap_or(typ);
        let problem = if bare.eq_ignore_ascii_case("wit+jwt") {
            Some("wit+jwt is no bearer token: whoever presents one proves a key; leave it out")
        } else if bare.eq_ignore_ascii_case("dpop+jwt") {
            Some("dpop+jwt is a proof of a key, no assertion; leave it out")
        } else if bare.eq_ignore_ascii_case("jwt") {
            Some("JWT is taken anyway; leave it out")
        } else if bare.is_empty() || !bare.bytes().all(|octet| octet.is_ascii_graphic()) {
            Some("expected a media type without 'application/', such as at+jwt")
        } else {
            None
        };
        faults.extend(problem.map(|problem| Fault::new("types", problem).at(index)));
    }
    faults
}

fn faults_of_times(issuer: &TrustedIssuer) -> Vec<Fault> {
    let mut faults = Vec::new();
    let longest = TrustedIssuer::MAX_LIFETIME;
    if issuer.max_lifetime.as_secs() == 0 || issuer.max_lifetime > longest {
        let detail = format!(
            "{} s is not possible; expected 1 s to 25 h: a used JWT is remembered no longer",
            issuer.max_lifetime.as_secs()
        );
        faults.push(Fault::new("max_lifetime", detail));
    }
    if issuer.leeway > TrustedIssuer::MAX_LEEWAY {
        let detail = format!(
            "{} s is not possible; expected at most 5 min",
            issuer.leeway.as_secs()
        );
        faults.push(Fault::new("leeway", detail));
    }
    faults
}

/// What the templates know of this `iss`: one that strangers share is registered as shared, however
/// it is made (T042), and some are nobody's.
fn faults_of_tenant(issuer: &TrustedIssuer) -> Vec<Fault> {
    let iss = issuer.id.as_str();
    let mut faults = Vec::new();
    if let Some(why) = templates::of_iss(iss).and_then(|template| template.refused_iss(iss)) {
        faults.push(Fault::new("iss", format!("{iss} {why}")));
    }
    let (own, most) = (&issuer.tenant_claims, 8);
    if let Some((title, tenants)) = templates::shared(iss)
        && (own.is_empty() || own.iter().any(|claim| !tenants.contains(claim)))
    {
        let names: Vec<_> = tenants.iter().map(ClaimPath::as_str).collect();
        let detail = format!(
            "all customers of {title} share the issuer {iss}; expected {}, which tells them apart",
            names.join(" or ")
        );
        faults.push(Fault::new("tenant_claims", detail));
    } else if own.len() > most {
        let detail = format!("has more than {most}; name fewer");
        faults.push(Fault::new("tenant_claims", detail));
    }
    faults
}
