//! The issuers that this server is registered with: can their keys be had, are their JWTs meant for
//! this server alone, and could their trusts be registered today.

use bytes::Bytes;
use grantor::{
    admin::{IssuerDocument, IssuerFilter, trusts::check},
    keys::{KeyReport, RemoteKeys},
    registry::{Mode, Trust, TrustedIssuer},
    remote::{DiscoveryError, FetchError, FetchTerms, KeySetError},
};
use grantor_stores::sqlite::{Create, Upkeep};
use http::{Request, StatusCode, header};

use super::{Report, obstacle::remedy};
use crate::{
    app,
    cli::{Administered, Failure, Global, PAGE, every},
    config::{Config, Overrides},
};

/// How the checks are called.
const KEYS: &str = "issuer keys";
const AUDIENCE: &str = "audience";
const TRUST: &str = "trust";

/// Looks at the issuers of the database here, if there is one.
pub async fn of_this_server(global: &Global, report: &mut Report) -> Result<(), Failure> {
    let config = global.load_config(Overrides::default())?;
    if !global.place(&config).exists() {
        return Ok(());
    }
    let store = global.open_store(&config, Create::Never, Upkeep::ByOthers)?;
    examine(&config, &global.administered(&config, store), report).await
}

/// Looks at each issuer and its trusts.
async fn examine(
    config: &Config,
    admin: &Administered,
    report: &mut Report,
) -> Result<(), Failure> {
    let keys = app::remote_keys(config, &admin.store);
    let all = IssuerFilter::default();
    let issuers = every(async |after| admin.issuers().page(&all, after, PAGE).await);
    for document in issuers.await? {
        let issuer = admin.issuers().find(document.iss.as_str()).await?;
        match document.enabled {
            true => keys_of(&keys, &issuer, report).await,
            false => report.ok(
                KEYS,
                format!("issuer {} is disabled, and was not asked", issuer.name),
            ),
        }
        audiences(&document, report);
        let trusts = admin.store.issuer_source.trusts(&issuer).await?;
        for trust in trusts.all() {
            examine_trust(&issuer, trust, report);
        }
    }
    Ok(())
}

/// Whether its keys can be had now.
async fn keys_of(keys: &RemoteKeys, issuer: &TrustedIssuer, report: &mut Report) {
    let name = &issuer.name;
    match keys.check(issuer).await {
        Ok(found) if found.keys.is_empty() => report.wrong(
            KEYS,
            format!("issuer {name}: there is no key that verifies a signature"),
            format!("See what is there: grantor issuer show {name}"),
        ),
        Ok(found) => found_keys(name.as_str(), &found, report),
        Err(error) => {
            let target = redirect(keys, issuer, &error).await;
            let message = match &target {
                Some(target) => format!("issuer {name}: {error}, which leads to {target}"),
                None => format!("issuer {name}: {error}"),
            };
            report.wrong(KEYS, message, remedy_of(issuer, &error, target.as_deref()));
        }
    }
}

fn found_keys(name: &str, found: &KeyReport, report: &mut Report) {
    let place = found.jwks_uri.as_ref();
    let place = place.map_or_else(|| "uploaded".to_owned(), |url| format!("at {url}"));
    report.ok(
        KEYS,
        format!("issuer {name}: {} usable keys, {place}", found.keys.len()),
    );
    for skipped in found.skipped.iter().filter(|key| !key.is_for_others()) {
        report.note(
            KEYS,
            format!("issuer {name}: key {}: {}", skipped.index, skipped.reason),
            "The other keys are used; tell the issuer's operator.",
        );
    }
}

/// What to do about keys that cannot be had.
fn remedy_of(issuer: &TrustedIssuer, error: &KeySetError, target: Option<&str>) -> String {
    let name = &issuer.name;
    if target.is_some() {
        return "Redirects are not followed: if the place it leads to is right, register that one, with --jwks-uri or --metadata-url.".to_owned();
    }
    match error {
        KeySetError::Fetch { error, .. } | KeySetError::Terms(error) => fetch_remedy(issuer, error),
        KeySetError::Discovery(error) => match &**error {
            DiscoveryError::OtherIssuer { got, .. } => format!(
                "Nothing of a document that names another issuer is used. If {got:?} is who signs, register that one to the letter."
            ),
            DiscoveryError::Fetch { error, .. } => fetch_remedy(issuer, error),
            DiscoveryError::Nowhere(..) => format!(
                "Say where the metadata is: grantor issuer update {name} --discover --metadata-url URL; or where the keys are, with --jwks-uri."
            ),
            _ => "Ask the issuer's operator what is wrong there.".to_owned(),
        },
        _ => "Ask the issuer's operator what is wrong there; servers go on with the keys that they hold.".to_owned(),
    }
}

fn fetch_remedy(issuer: &TrustedIssuer, error: &FetchError) -> String {
    match error {
        FetchError::Forbidden(_) => format!(
            "If it is to be there, open that network to this issuer: grantor issuer update {} --allow-internal CIDR",
            issuer.name
        ),
        error => remedy(
            error,
            "Is the issuer's server running, and can it be reached from here?",
        ),
    }
}

/// Where a place that answers with a redirect leads: it is not followed, and named.
async fn redirect(
    keys: &RemoteKeys,
    issuer: &TrustedIssuer,
    error: &KeySetError,
) -> Option<String> {
    let url = redirecting(error)?;
    let mut terms = FetchTerms::default();
    terms
        .allow_internal
        .clone_from(&issuer.fetching.allow_internal);
    terms.authorities.clone_from(&issuer.fetching.ca);
    let fetch = keys.outgoing().fetch_by(terms).ok()?;
    let request = Request::get(url).body(Bytes::new()).ok()?;
    let answer = fetch.fetch(request, 64 * 1024).await.ok()?;
    let target = answer.headers().get(header::LOCATION)?;
    Some(String::from_utf8_lossy(target.as_bytes()).into_owned())
}

/// The place that answered with a redirect, if one did.
fn redirecting(error: &KeySetError) -> Option<&str> {
    let is_redirect = |status: &StatusCode| status.is_redirection();
    match error {
        KeySetError::Status { url, status } if is_redirect(status) => Some(url),
        KeySetError::Discovery(error) => redirecting_metadata(error),
        _ => None,
    }
}

fn redirecting_metadata(error: &DiscoveryError) -> Option<&str> {
    match error {
        DiscoveryError::Status { url, status } if status.is_redirection() => Some(url),
        DiscoveryError::Nowhere(first, second) => {
            redirecting_metadata(first).or_else(|| redirecting_metadata(second))
        }
        _ => None,
    }
}

/// Audiences that are not this server's alone (T013).
fn audiences(issuer: &IssuerDocument, report: &mut Report) {
    for audience in &issuer.shared_audiences {
        report.note(
            AUDIENCE,
            format!(
                "issuer {}: {audience} is no name of this server: whoever else takes it can use these JWTs here",
                issuer.name
            ),
            "Have the issuer put this server's own name into `aud`, if it can.",
        );
    }
}

/// A stored condition that is none turns its trust off (T038); and what is refused today may have
/// been made by an earlier version.
fn examine_trust(issuer: &TrustedIssuer, trust: &Trust, report: &mut Report) {
    if trust.mode == Mode::Off {
        return;
    }
    let name = &trust.name;
    let bad = trust
        .condition
        .as_ref()
        .and_then(|condition| condition.fault());
    if let Some(fault) = bad {
        report.wrong(
            TRUST,
            format!("trust {name} takes nothing, for its condition is none: {fault}"),
            format!("Write it anew: grantor trust update {name} --condition CEL"),
        );
        return;
    }
    for fault in check(issuer, trust) {
        report.wrong(
            TRUST,
            format!(
                "trust {name} could not be registered today: {}",
                fault.detail
            ),
            format!(
                "Mend it with grantor trust update {name}, or run grantor trust disable {name}"
            ),
        );
    }
}
