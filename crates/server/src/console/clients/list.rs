//! The list of clients.

use askama::Template;
use grantor::{
    admin::{ClientDocument, ClientFilter},
    clock::UnixTime,
    registry::{AudiencePolicy, ConsentPolicy, Role},
    server::Body,
    types::{AuthMethod, Name},
};
use http::Response;
use serde::{Deserialize, Serialize};

use super::{
    about::name_of,
    edit::{consent_name, policy_name},
    end::End,
    words::Words,
};
use crate::{
    admin::{Input, clients::ListClients},
    console::{
        Error, FewScopes, Page, Pager, Pick, Route, Section, Shell, Table, Visit, days_from,
    },
};

/// The list of clients.
pub struct ListPage;

/// Which clients are wanted: the filter of the API, and ends as people say them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wanted {
    #[serde(skip_serializing_if = "Option::is_none")]
    q: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_method: Option<AuthMethod>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience_policy: Option<AudiencePolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consent: Option<ConsentPolicy>,
    /// With a key or a secret that ends within so many days.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_within: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    power: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    managed_by: Option<Name>,
}

impl Wanted {
    fn filter(&self, now: UnixTime) -> ClientFilter {
        let mut filter = ClientFilter::default();
        filter.q.clone_from(&self.q);
        filter.enabled = self.enabled;
        filter.auth_method.clone_from(&self.auth_method);
        filter.audience_policy = self.audience_policy;
        filter.consent = self.consent;
        filter.ends_before = self
            .ends_within
            .map(|within| days_from(now, i32::from(within) + 1));
        filter.power = self.power;
        filter.managed_by.clone_from(&self.managed_by);
        filter
    }
}

/// The days within which something may end, as the filter offers them.
const DAYS: [u16; 4] = [7, 30, 90, 365];

#[derive(Template)]
#[template(path = "console/clients/list.html")]
struct View {
    shell: Shell,
    words: Words,
    wanted: Wanted,
    choices: Vec<Choice>,
    rows: Vec<Row>,
    new: Option<String>,
    pager: Pager,
}

/// A field of the filter that offers values.
struct Choice {
    name: &'static str,
    label: &'static str,
    picks: Vec<Pick>,
}

struct Row {
    path: String,
    name: String,
    id: String,
    is_enabled: bool,
    method: String,
    scope: FewScopes,
    end: Option<End>,
    managed_by: Option<String>,
}

const TABLE: Table = Table {
    name: "clients",
    columns: &[
        "client_id",
        "client_name",
        "enabled",
        "token_endpoint_auth_method",
        "grant_types",
        "scope",
        "audience_policy",
        "consent",
        "redirect_uris",
        "jwks_uri",
        "keys",
        "secrets",
        "managed_by",
        "created_at",
    ],
};

impl Page for ListPage {
    type Path = ();
    type Query = Wanted;

    const ROUTE: Route = Route::page("/clients", Section::Clients);

    async fn show(visit: &Visit, (): (), wanted: Wanted) -> Result<Response<Body>, Error> {
        let filter = wanted.filter(visit.now());
        if let Some(file) = visit.download::<ListClients>((), &filter, &TABLE).await? {
            return Ok(file);
        }
        let input = Input::<ListClients> {
            path: (),
            query: filter,
            portion: visit.list.portion(),
            body: (),
        };
        let found = visit.ask(input).await?;
        let row = |client| row(visit, client);
        let view = View {
            words: Words(visit.language()),
            choices: choices(visit, &wanted),
            rows: found.items.iter().map(row).collect(),
            new: visit
                .may(Role::Editor)
                .then(|| visit.at("/clients/new", &[])),
            pager: Pager::of(visit, &wanted, found.next.as_deref()),
            shell: visit.shell(),
            wanted,
        };
        Ok(visit.page(&view))
    }
}

fn choices(visit: &Visit, wanted: &Wanted) -> Vec<Choice> {
    let (words, of_all) = (Words(visit.language()), visit.words());
    let any = of_all.any();
    let same = |value: &str| Pick::new(value, value);
    let states = [("true", of_all.enabled()), ("false", of_all.disabled())];
    let truths = [("true", of_all.yes()), ("false", of_all.no())];
    let two = |texts: [(&str, &str); 2]| texts.map(|(value, text)| Pick::new(value, text));
    let methods = AuthMethod::known().map(|method| same(method.as_str()));
    let days = DAYS.map(|days| Pick::new(days.to_string(), words.days(u64::from(days)).0));
    let consent = wanted.consent.map(consent_name);
    let policy = wanted.audience_policy.map(policy_name);
    let choice = |name, label, picks| Choice { name, label, picks };
    vec![
        choice(
            "enabled",
            words.state(),
            Pick::any_of(any, two(states), wanted.enabled),
        ),
        choice(
            "auth_method",
            words.method(),
            Pick::any_of(any, methods, wanted.auth_method.as_ref()),
        ),
        choice(
            "ends_within",
            words.ends_within(),
            Pick::any_of(any, days, wanted.ends_within),
        ),
        choice(
            "consent",
            words.consent(),
            Pick::any_of(any, ["off", "ask", "implied"].map(same), consent),
        ),
        choice(
            "audience_policy",
            words.audience_policy(),
            Pick::any_of(any, ["strict", "legacy"].map(same), policy),
        ),
        choice(
            "power",
            words.power(),
            Pick::any_of(any, two(truths), wanted.power),
        ),
    ]
}

fn row(visit: &Visit, client: &ClientDocument) -> Row {
    let id = client.client_id.as_str();
    let of_keys = client.keys.iter().filter_map(|key| key.expires_at);
    let of_secrets = client.secrets.iter().filter_map(|secret| secret.expires_at);
    let ends: Vec<_> = of_keys.chain(of_secrets).collect();
    let to_come = ends.iter().filter(|end| **end > visit.now()).min();
    let next_end = to_come.or(ends.iter().max()).copied();
    Row {
        path: visit.at("/clients/{client}", &[id]),
        name: name_of(client).to_owned(),
        id: id.to_owned(),
        is_enabled: client.enabled,
        method: client.token_endpoint_auth_method.to_string(),
        scope: FewScopes::of(&client.scope, visit.words()),
        end: next_end.map(|end| End::of(visit, Some(end))),
        managed_by: client.managed_by.as_ref().map(ToString::to_string),
    }
}
