//! An issuer.

use askama::Template;
use grantor::{
    admin::{BundleDocument, IssuerDocument, TrustDocument, TrustFilter},
    server::Body,
    types::IssuerId,
};
use http::Response;

use super::{ISSUER, list::place, words::Words};
use crate::{
    admin::{
        Input, Listed, NoQuery,
        fetched::{FailedFetch, FetchedKeys},
        issuers::{ShowIssuer, ShownIssuer},
        trusts::ListTrusts,
    },
    console::{Error, Page, Route, Section, Shell, Visit, address},
    pages::{Coded, Markup},
};

/// An issuer.
pub struct IssuerPage;

#[derive(Template)]
#[template(path = "console/issuers/show.html")]
struct View {
    shell: Shell,
    words: Words,
    trail: Vec<(String, String)>,
    actions: Option<Actions>,
    test: String,
    /// Where the keys come from, and the address if there is one.
    place: &'static str,
    address: Option<String>,
    /// How old the keys are, sentence by sentence.
    age: Vec<Markup>,
    is_stale: bool,
    failure: Option<(Markup, String)>,
    keys: Vec<Key>,
    /// Whether the keys were uploaded.
    is_uploaded: bool,
    own_audiences: Markup,
    trusts: Vec<Trust>,
    has_more_trusts: bool,
    all_trusts: String,
    decisions: String,
    changes: String,
    made: Option<String>,
    tokens_since: Option<String>,
    issuer: IssuerDocument,
}

/// What an editor does.
struct Actions {
    edit: String,
    switch: String,
    delete: String,
    refresh: Option<String>,
    add_keys: Option<String>,
    new_trust: String,
}

struct Key {
    name: Option<String>,
    kind: String,
    algorithm: Option<String>,
    added: Option<String>,
    ends: Option<String>,
    refused: Option<String>,
}

struct Trust {
    path: String,
    client: Option<(String, String)>,
    trust: TrustDocument,
}

impl Page for IssuerPage {
    type Path = String;
    type Query = NoQuery;

    const ROUTE: Route = Route::page(ISSUER, Section::Issuers);

    async fn show(visit: &Visit, issuer: String, _: NoQuery) -> Result<Response<Body>, Error> {
        let shown = visit.ask(Input::<ShowIssuer>::at(issuer)).await?;
        let ShownIssuer {
            issuer,
            fetched,
            failure,
        } = shown;
        let words = Words(visit.language());
        let name = issuer.name.as_str();
        let found = trusts_of(visit, name).await?;
        let of_issuer = |template: &str| {
            let of = [("issuer", issuer.iss.as_str())];
            address(&visit.at(template, &[]), &of, &[])
        };
        let is_uploaded = is_uploaded(&issuer);
        let own = visit.admin.config.issuer.as_str();
        let view = View {
            trail: vec![(visit.at("/issuers", &[]), words.heading().to_owned())],
            actions: visit.may_edit().then(|| actions(visit, &issuer)),
            test: visit.at("/issuers/{issuer}/test", &[name]),
            place: place(words, &issuer),
            address: address_of(&issuer),
            age: age(visit, words, fetched.as_ref(), is_uploaded),
            is_stale: fetched.as_ref().is_some_and(|fetched| fetched.stale),
            failure: failure.map(|failure| failed(visit, words, failure)),
            keys: keys(visit, &issuer, fetched),
            is_uploaded,
            own_audiences: words.own_audiences(Coded(own)),
            has_more_trusts: found.next.is_some(),
            trusts: found
                .items
                .into_iter()
                .map(|trust| row(visit, trust))
                .collect(),
            all_trusts: of_issuer("/trusts"),
            decisions: of_issuer("/decisions"),
            changes: address(
                &visit.at("/changes", &[]),
                &[("resource", "issuer"), ("name", issuer.iss.as_str())],
                &[],
            ),
            made: issuer.created_at.map(|at| visit.moment(at)),
            tokens_since: issuer.tokens_since.map(|at| visit.moment(at)),
            words,
            shell: visit.shell(),
            issuer: issuer.clone(),
        };
        Ok(visit.page(&view))
    }
}

/// The first trusts of an issuer.
pub async fn trusts_of(visit: &Visit, issuer: &str) -> Result<Listed<TrustDocument>, Error> {
    let mut filter = TrustFilter::default();
    filter.issuer = IssuerId::parse(issuer).ok();
    visit.ask(Input::<ListTrusts>::at(()).asking(filter)).await
}

fn is_uploaded(issuer: &IssuerDocument) -> bool {
    let keys = &issuer.keys;
    let is_bundle_url = matches!(keys.spiffe_bundle, Some(BundleDocument::Url(_)));
    keys.discovery.is_none() && keys.jwks_uri.is_none() && !is_bundle_url
}

fn address_of(issuer: &IssuerDocument) -> Option<String> {
    let keys = &issuer.keys;
    let discovery = keys.discovery.as_ref();
    let of_discovery = discovery.and_then(|discovery| discovery.metadata_url.as_ref());
    let of_bundle = match &keys.spiffe_bundle {
        Some(BundleDocument::Url(url)) => Some(url),
        _ => None,
    };
    let url = keys.jwks_uri.as_ref().or(of_discovery).or(of_bundle);
    url.map(ToString::to_string)
}

fn actions(visit: &Visit, issuer: &IssuerDocument) -> Actions {
    let name = issuer.name.as_str();
    let at = |template| visit.at(template, &[name]);
    let is_uploaded = is_uploaded(issuer);
    Actions {
        edit: at("/issuers/{issuer}/edit"),
        switch: at("/issuers/{issuer}/switch"),
        delete: at("/issuers/{issuer}/delete"),
        refresh: (!is_uploaded).then(|| at("/issuers/{issuer}/refresh")),
        add_keys: is_uploaded.then(|| at("/issuers/{issuer}/keys")),
        new_trust: address(&visit.at("/trusts/new", &[]), &[("issuer", name)], &[]),
    }
}

fn age(
    visit: &Visit,
    words: Words,
    fetched: Option<&FetchedKeys>,
    is_uploaded: bool,
) -> Vec<Markup> {
    match fetched {
        _ if is_uploaded => Vec::new(),
        None => vec![crate::pages::markup(words.not_fetched())],
        Some(fetched) => {
            let (at, ends) = (visit.moment(fetched.at), visit.moment(fetched.life_ends));
            let second = match fetched.stale {
                true => words.stale_since(&ends, &visit.moment(fetched.refused_from)),
                false => words.fresh_until(&ends),
            };
            vec![words.fetched_at(&at), second]
        }
    }
}

fn failed(visit: &Visit, words: Words, failure: FailedFetch) -> (Markup, String) {
    (
        words.last_fetch_failed(&visit.moment(failure.at)),
        failure.reason,
    )
}

fn keys(visit: &Visit, issuer: &IssuerDocument, fetched: Option<FetchedKeys>) -> Vec<Key> {
    let of_fetched = fetched.into_iter().flat_map(|fetched| fetched.keys);
    let of_fetched = of_fetched.map(|key| Key {
        name: key.kid,
        kind: key.kind,
        algorithm: key.alg,
        added: None,
        ends: None,
        refused: None,
    });
    let of_uploaded = issuer.keys.uploaded.iter().map(|key| Key {
        name: Some(key.name.clone()),
        kind: String::new(),
        algorithm: None,
        added: key.added_at.map(|at| visit.moment(at)),
        ends: key.expires_at.map(|at| visit.moment(at)),
        refused: key.refused.clone(),
    });
    of_fetched.chain(of_uploaded).collect()
}

fn row(visit: &Visit, trust: TrustDocument) -> Trust {
    let client = trust.client.as_ref().map(ToString::to_string);
    Trust {
        path: visit.at("/trusts/{trust}", &[trust.name.as_str()]),
        client: client.map(|id| (visit.at("/clients/{client}", &[&id]), id)),
        trust,
    }
}
