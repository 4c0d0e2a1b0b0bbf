//! The issuers that this server is registered with: can their keys be had, are their JWTs meant for
//! this server alone, and could their trusts be registered today.

use bytes::Bytes;
use grantor::{
    admin::Error,
    keys::{KeyReport, RemoteKeys},
    registry::TrustedIssuer,
    remote::{DiscoveryError, FetchError, FetchTerms, KeySetError},
};
use grantor_stores::{Create, Upkeep};
use http::{Request, StatusCode, header};

use super::{Report, obstacle::remedy};
use crate::{
    admin::{Administration, notes},
    app,
    cli::{Failure, Global},
    config::Overrides,
};

/// What notes about the keys of issuers are called.
const KEYS: &str = "issuer keys";

/// Looks at the issuers of the database here, if there is one.
pub async fn of_this_server(global: &Global, report: &mut Report) -> Result<(), Failure> {
    let config = global.load_config(Overrides::default())?;
    if !global.place(&config).exists() {
        return Ok(());
    }
    let store = global
        .open_store(&config, Create::Never, Upkeep::ByOthers)
        .await?;
    Ok(examine(&global.administration(config, store), report).await?)
}

/// Looks at each issuer and its trusts.
async fn examine(admin: &Administration, report: &mut Report) -> Result<(), Error> {
    let keys = app::remote_keys(&admin.config, &admin.store);
    for document in admin.every_issuer().await? {
        let issuer = admin.issuers().find(document.iss.as_str()).await?;
        match document.enabled {
            true => keys_of(&keys, &issuer, report).await,
            false => report.ok(
                KEYS,
                format!("issuer {} is disabled, and was not asked", issuer.name),
            ),
        }
        notes::of_audiences(&document).for_each(|note| report.take(note));
        let trusts = admin.store.issuer_source.trusts(&issuer).await?;
        let notes = trusts.all().iter();
        let notes = notes.flat_map(|trust| notes::of_trust(&issuer, trust));
        notes.for_each(|note| report.take(note));
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
