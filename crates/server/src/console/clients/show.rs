//! A client: who it is, and whether it is well (M122).

use std::collections::BTreeMap;

use askama::Template;
use grantor::{
    admin::{ClientDocument, KeyEntry, SecretEntry},
    clock::UnixTime,
    server::Body,
    types::{ClientId, GrantType, Needs},
};
use http::Response;

use super::{
    about::{may_change, name_of},
    activity::{Activity, Silence},
    end::{End, SOON},
    key_begins::key_begins,
    people::People,
    words::Words,
};
use crate::{
    admin::{Input, NoQuery, clients::ShowClient},
    cli::parse::short_name,
    console::{Error, Page, Route, Section, Shell, Visit, address, changes},
    pages::{
        Markup,
        chart::{Caption, Span, Spans, Tone, cut},
        time::{day, distance, minute},
    },
};

/// A client.
pub struct ClientPage;

#[derive(Template)]
#[template(path = "console/clients/show.html")]
struct View {
    shell: Shell,
    words: Words,
    trail: Vec<(String, String)>,
    name: String,
    client: ClientDocument,
    grants: Vec<String>,
    /// Those who may change it are offered to; the paths.
    links: Option<Links>,
    managed_by: Option<String>,
    registered: Option<String>,
    facts: Vec<(&'static str, String)>,
    chart: Option<Spans>,
    keys: Vec<KeyRow>,
    needs_keys: bool,
    secrets: Option<Vec<SecretRow>>,
    people: Group,
    activity: Activity,
    changes: Vec<changes::Line>,
    all_changes: String,
    trusts: String,
}

/// What may be done with it.
struct Links {
    edit: String,
    switch: String,
    delete: String,
    add_key: String,
    new_secret: String,
    give: String,
}

struct KeyRow {
    name: String,
    algorithm: String,
    since: Option<String>,
    end: End,
    refused: Option<String>,
    remove: Option<String>,
}

struct SecretRow {
    name: String,
    end: End,
    remove: Option<String>,
}

/// For whom it acts.
struct Group {
    sentence: Markup,
    last_used: Option<Markup>,
    unused: Option<(Markup, String)>,
    all: Option<String>,
    preview: String,
}

impl Page for ClientPage {
    type Path = ClientId;
    type Query = NoQuery;

    const ROUTE: Route = Route::page("/clients/{client}", Section::Clients);

    async fn show(visit: &Visit, id: ClientId, _: NoQuery) -> Result<Response<Body>, Error> {
        let client = visit.ask(Input::<ShowClient>::at(id.clone())).await?;
        let words = Words(visit.language());
        let own_changes = changes::of("client", id.as_str());
        let begins = key_begins(visit, &id).await?;
        let method = &client.token_endpoint_auth_method;
        let needs = method.needs();
        let has_secret = needs.is_some_and(Needs::is_secret) || !client.secrets.is_empty();
        let may_change = may_change(visit, &client);
        let now = visit.now();
        let grants = client.grant_types.iter();
        let view = View {
            trail: vec![(visit.at("/clients", &[]), words.heading().to_owned())],
            name: name_of(&client).to_owned(),
            grants: grants.map(|grant| short_name(grant).to_owned()).collect(),
            links: may_change.then(|| links(visit, &id)),
            managed_by: client.managed_by.as_ref().map(ToString::to_string),
            registered: client
                .created_at
                .map(|at| format!("{}, {}", minute(at), distance(at, now, visit.language()))),
            facts: facts(words, &client),
            chart: (!client.keys.is_empty()).then(|| chart(visit, &client, &begins)),
            keys: keys(visit, &client, &begins, may_change),
            needs_keys: needs == Some(Needs::PublicKey),
            secrets: has_secret.then(|| secrets(visit, &client, may_change)),
            people: group(visit, &id).await?,
            activity: Activity::of(visit, &client).await?,
            changes: changes::lines(visit, &own_changes).await?,
            all_changes: changes::all(visit, &own_changes),
            trusts: address(
                &visit.at("/trusts", &[]),
                &NoQuery {},
                &[("client", id.as_str())],
            ),
            words,
            shell: visit.shell(),
            client,
        };
        Ok(visit.page(&view))
    }
}

fn links(visit: &Visit, id: &ClientId) -> Links {
    let at = |template| visit.at(template, &[id.as_str()]);
    Links {
        edit: at("/clients/{client}/edit"),
        switch: at("/clients/{client}/switch"),
        delete: at("/clients/{client}/delete"),
        add_key: at("/clients/{client}/keys/new"),
        new_secret: at("/clients/{client}/secrets/new"),
        give: address(
            &visit.at("/permissions/new", &[]),
            &NoQuery {},
            &[("client", id.as_str())],
        ),
    }
}

/// What is registered and is no default.
fn facts(words: Words, client: &ClientDocument) -> Vec<(&'static str, String)> {
    use grantor::registry::{AssertionProfile, AudiencePolicy, ConsentPolicy, TokenFormat};
    let mut facts = Vec::new();
    let mut tell = |label, text: &str| facts.push((label, text.to_owned()));
    match client.audience_policy {
        AudiencePolicy::Legacy => tell(words.audience_policy(), words.audience_legacy()),
        _ => tell(words.audience_policy(), words.audience_strict()),
    }
    if let AssertionProfile::ServiceAccount = client.assertion_profile {
        tell(words.assertion_profile(), words.profile_service_account());
    }
    tell(
        words.token_format(),
        match client.token_format {
            TokenFormat::Opaque => words.format_opaque(),
            _ => words.format_jwt(),
        },
    );
    if let Some(algorithm) = client.token_endpoint_auth_signing_alg {
        tell(words.signing_alg(), algorithm.name());
    }
    if client.grant_types.contains(&GrantType::AUTHORIZATION_CODE)
        || client.consent != ConsentPolicy::Off
    {
        tell(
            words.consent(),
            match client.consent {
                ConsentPolicy::Off => words.consent_off(),
                ConsentPolicy::Ask => words.consent_ask(),
                ConsentPolicy::Implied => words.consent_implied(),
                _ => "",
            },
        );
        let lifetime = client.permission_lifetime.map(super::edit::lasting);
        let lifetime = lifetime.as_deref().unwrap_or(words.until_withdrawn());
        tell(words.permission_lifetime(), lifetime);
    }
    facts
}

/// When a key began, as far as it is known: with the client at the earliest.
fn begin_of(
    client: &ClientDocument,
    begins: &BTreeMap<String, UnixTime>,
    name: &str,
) -> Option<UnixTime> {
    begins.get(name).copied().or(client.created_at)
}

fn algorithm_of(client: &ClientDocument, name: &str) -> String {
    let mut keys = client.jwks.keys.iter();
    let key = keys.find(|jwk| match jwk.key_id() {
        Some(kid) => kid == name,
        None => jwk.thumbprint() == name,
    });
    key.map_or_else(String::new, |jwk| match jwk.algorithm() {
        Some(algorithm) => algorithm.name().to_owned(),
        None => String::new(),
    })
}

fn chart(visit: &Visit, client: &ClientDocument, begins: &BTreeMap<String, UnixTime>) -> Spans {
    let (words, now) = (Words(visit.language()), visit.now());
    let span = |entry: &KeyEntry| {
        let end = End::of(visit, entry.expires_at);
        let tone = match entry.expires_at {
            Some(end) if end <= now => Tone::Other,
            Some(end) if end <= now.plus(SOON) => Tone::Second,
            _ => Tone::First,
        };
        let name = cut(&entry.name, 9);
        Span {
            label: format!("{name} {}", algorithm_of(client, &entry.name)),
            note: end.plain,
            begins: begin_of(client, begins, &entry.name).unwrap_or(now),
            ends: entry.expires_at,
            tone,
        }
    };
    let count = u64::try_from(client.keys.len()).unwrap_or(u64::MAX);
    Spans {
        caption: Caption {
            id: "key-times",
            title: words.keys().to_owned(),
            message: words.keys_message(count).0,
            empty: words.no_keys().to_owned(),
        },
        spans: client.keys.iter().map(span).collect(),
        now,
        now_word: words.now().to_owned(),
        date: day,
    }
}

fn keys(
    visit: &Visit,
    client: &ClientDocument,
    begins: &BTreeMap<String, UnixTime>,
    may_change: bool,
) -> Vec<KeyRow> {
    let id = client.client_id.as_str();
    let now = visit.now();
    let row = |entry: &KeyEntry| {
        let has_ended = entry.expires_at.is_some_and(|end| end <= now);
        KeyRow {
            name: entry.name.clone(),
            algorithm: algorithm_of(client, &entry.name),
            since: begin_of(client, begins, &entry.name).map(day),
            end: End::of(visit, entry.expires_at),
            refused: entry.refused.clone().filter(|_| !has_ended),
            remove: may_change
                .then(|| visit.at("/clients/{client}/keys/{name}/remove", &[id, &entry.name])),
        }
    };
    client.keys.iter().map(row).collect()
}

fn secrets(visit: &Visit, client: &ClientDocument, may_change: bool) -> Vec<SecretRow> {
    let id = client.client_id.as_str();
    let row = |entry: &SecretEntry| SecretRow {
        name: entry.name.clone(),
        end: End::of(visit, entry.expires_at),
        remove: may_change.then(|| {
            let names = [id, entry.name.as_str()];
            visit.at("/clients/{client}/secrets/{name}/remove", &names)
        }),
    };
    client.secrets.iter().map(row).collect()
}

async fn group(visit: &Visit, id: &ClientId) -> Result<Group, Error> {
    let words = Words(visit.language());
    let people = People::of(visit, id).await?;
    let list = visit.at("/permissions", &[]);
    let of_client = ("client", id.as_str());
    let unused = || address(&list, &NoQuery {}, &[of_client, ("unused", "90")]);
    let last_used = people.last_used_at.map(|at| {
        let ago = distance(at, visit.now(), visit.language());
        words.last_used(&ago)
    });
    let has_any = people.subjects.number > 0;
    Ok(Group {
        sentence: people.sentence(words),
        last_used: match last_used {
            None if has_any => Some(crate::pages::markup(words.never_used())),
            last_used => last_used,
        },
        unused: people
            .unused_sentence(words)
            .map(|sentence| (sentence, unused())),
        all: has_any.then(|| address(&list, &NoQuery {}, &[of_client])),
        preview: address(
            &visit.at("/permissions/preview", &[]),
            &NoQuery {},
            &[of_client],
        ),
    })
}
