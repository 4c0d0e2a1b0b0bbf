//! Changing the members of a client.

use std::time::Duration;

use askama::Template;
use grantor::{
    admin::ClientDocument,
    jose::Algorithm,
    registry::{AudiencePolicy, ConsentPolicy},
    server::Body,
    types::{AuthMethod, ClientId, GrantType, Scope},
};
use http::Response;
use serde::Serialize;

use super::{
    about::{is_power, manager, name_of, page_of, to_change, trail},
    words::Words,
};
use crate::{
    admin::{Input, clients::UpdateClient, state_of},
    cli::parse::short_name,
    console::{
        Done, Error, Form, Members, Notice, Pick, Route, Section, Shell, Summary, Typed, Visit,
        changes,
    },
    pages::{Markup, Named},
};

/// Changing the members of a client.
pub struct EditPage;

#[derive(Template)]
#[template(path = "console/clients/edit.html")]
struct View {
    shell: Shell,
    words: Words,
    summary: Option<Summary>,
    trail: Vec<(String, String)>,
    heading: Markup,
    typed: Typed,
    picks: Picks,
    grants: Vec<Pick>,
    action: String,
    ticket: String,
    state: String,
    managed_by: Option<String>,
    back: String,
}

/// What the fields offer.
struct Picks {
    methods: Vec<Pick>,
    consent: Vec<Pick>,
    audience_policy: Vec<Pick>,
    assertion_profile: Vec<Pick>,
    token_format: Vec<Pick>,
    algorithms: Vec<Pick>,
}

/// The name of a value in documents.
fn name_in_documents(value: impl Serialize) -> String {
    let value = serde_json::to_value(value).ok();
    let text = value.and_then(|value| value.as_str().map(str::to_owned));
    text.unwrap_or_default()
}

/// How documents call it.
pub fn consent_name(consent: ConsentPolicy) -> String {
    name_in_documents(consent)
}

/// How documents call it.
pub fn policy_name(policy: AudiencePolicy) -> String {
    name_in_documents(policy)
}

impl Form for EditPage {
    type Path = ClientId;

    const ROUTE: Route = Route::form("/clients/{client}/edit", Section::Clients);

    async fn show(visit: &Visit, id: &ClientId, typed: &Typed) -> Result<Response<Body>, Error> {
        let client = to_change(visit, id).await?;
        let words = Words(visit.language());
        let filled = typed.or_else(|typed| filled(typed, &client));
        let view = View {
            summary: Summary::of(typed),
            trail: trail(visit, &client),
            heading: words.editing(Named(name_of(&client))),
            picks: picks(words, &filled, &client),
            grants: grants(words, &filled, &client),
            action: visit.here(),
            ticket: visit.ticket(),
            state: state_of(client.revision),
            managed_by: manager(&client),
            back: page_of(visit, id),
            typed: filled,
            words,
            shell: visit.shell(),
        };
        Ok(visit.form(typed, &view))
    }

    async fn submit(visit: &Visit, id: &ClientId, typed: &Typed) -> Result<Done, Error> {
        let client = to_change(visit, id).await?;
        if Scope::parse(typed.text("scope")).is_ok_and(|scope| is_power(&scope)) {
            visit.check_fresh()?;
        }
        let words = Words(visit.language());
        let registered = filled(Typed::default(), &client);
        let members = members(typed.members(), |name| typed.differs(&registered, name));
        if members.is_empty() {
            let notice = Notice::of(words.nothing_changed(Named(name_of(&client))));
            return Ok(Done::Go(page_of(visit, id), notice));
        }
        let input = Input::<UpdateClient>::with(id.clone(), members.body()?);
        let changed = visit.ask(input).await?;
        let sentence = words.is_changed(Named(name_of(&changed.document)));
        let warned = changed.warnings.iter();
        let sentence = warned.fold(sentence, |told, warning| words.warned(told, warning));
        let notice = Notice::of(sentence).then(
            changes::all(visit, &changes::of("client", id.as_str())),
            words.all_changes(),
        );
        Ok(Done::Go(page_of(visit, id), notice))
    }
}

/// The members that are wanted.
fn members<'t>(members: Members<'t>, wants: impl Fn(&str) -> bool) -> Members<'t> {
    type Add = for<'t> fn(Members<'t>, &str) -> Members<'t>;
    let text: Add = |members, name| members.text_or_null(name);
    let add: [(&str, Add); 14] = [
        ("client_name", text),
        ("description", text),
        ("client_uri", text),
        ("scope", text),
        ("token_endpoint_auth_method", text),
        ("token_endpoint_auth_signing_alg", text),
        ("consent", text),
        ("audience_policy", text),
        ("assertion_profile", text),
        ("token_format", text),
        ("jwks_uri", text),
        ("grant_types", |members, name| members.ticked(name)),
        ("redirect_uris", |members, name| members.lines(name)),
        ("permission_lifetime", |members, name| {
            members.lasting_or_null(name)
        }),
    ];
    let wanted = add.into_iter().filter(|(name, _)| wants(name));
    wanted.fold(members, |members, (name, add)| add(members, name))
}

/// The form as the client is registered.
fn filled(typed: Typed, client: &ClientDocument) -> Typed {
    let text = |text: Option<String>| text.unwrap_or_default();
    let lines: Vec<_> = client
        .redirect_uris
        .iter()
        .map(ToString::to_string)
        .collect();
    let algorithm = client.token_endpoint_auth_signing_alg.map(Algorithm::name);
    let lifetime = client.permission_lifetime.map(lasting);
    let fields = [
        (
            "client_name",
            text(client.client_name.as_ref().map(ToString::to_string)),
        ),
        (
            "description",
            text(client.description.as_ref().map(ToString::to_string)),
        ),
        (
            "client_uri",
            text(client.client_uri.as_ref().map(ToString::to_string)),
        ),
        ("scope", client.scope.to_string()),
        (
            "token_endpoint_auth_method",
            client.token_endpoint_auth_method.to_string(),
        ),
        (
            "token_endpoint_auth_signing_alg",
            algorithm.unwrap_or_default().to_owned(),
        ),
        ("consent", consent_name(client.consent)),
        ("audience_policy", policy_name(client.audience_policy)),
        (
            "assertion_profile",
            name_in_documents(client.assertion_profile),
        ),
        ("token_format", name_in_documents(client.token_format)),
        (
            "jwks_uri",
            text(client.jwks_uri.as_ref().map(ToString::to_string)),
        ),
        ("redirect_uris", lines.join("\n")),
        ("permission_lifetime", text(lifetime)),
    ];
    let typed = fields
        .into_iter()
        .fold(typed, |typed, (name, value)| typed.filling(name, value));
    let grants = client.grant_types.iter();
    grants.fold(typed, |typed, grant| {
        typed.adding("grant_types", grant.as_str())
    })
}

/// A length of time as it is typed.
pub fn lasting(length: Duration) -> String {
    let seconds = length.as_secs();
    for (unit, letter) in [(86_400, 'd'), (3600, 'h'), (60, 'm')] {
        if seconds > 0 && seconds.is_multiple_of(unit) {
            return format!("{}{letter}", seconds / unit);
        }
    }
    format!("{seconds}s")
}

fn picks(words: Words, typed: &Typed, client: &ClientDocument) -> Picks {
    fn same(value: &str) -> Pick {
        Pick::new(value, value)
    }
    let known = AuthMethod::known().map(|method| same(method.as_str()));
    let own = client.token_endpoint_auth_method.as_str();
    // A method of an extension stays what it is.
    let is_known = AuthMethod::known().any(|method| method.as_str() == own);
    let methods = known.chain((!is_known).then(|| same(own)));
    let two = |texts: [(&str, &str); 2]| texts.map(|(value, text)| Pick::new(value, text));
    let of = |name: &str| typed.text(name).to_owned();
    Picks {
        methods: Pick::of(methods, &of("token_endpoint_auth_method")),
        consent: Pick::of(
            [
                Pick::new("off", words.consent_off()),
                Pick::new("ask", words.consent_ask()),
                Pick::new("implied", words.consent_implied()),
            ],
            &of("consent"),
        ),
        audience_policy: Pick::of(
            two([
                ("strict", words.audience_strict()),
                ("legacy", words.audience_legacy()),
            ]),
            &of("audience_policy"),
        ),
        assertion_profile: Pick::of(
            two([
                ("standard", words.profile_standard()),
                ("service_account", words.profile_service_account()),
            ]),
            &of("assertion_profile"),
        ),
        token_format: Pick::of(
            two([
                ("jwt", words.format_jwt()),
                ("opaque", words.format_opaque()),
            ]),
            &of("token_format"),
        ),
        algorithms: Pick::any_of(
            words.any_algorithm(),
            Algorithm::ALL.map(|algorithm| same(algorithm.name())),
            Some(of("token_endpoint_auth_signing_alg")),
        ),
    }
}

/// The grants that are known here, and those of extensions that the client has.
fn grants(words: Words, typed: &Typed, client: &ClientDocument) -> Vec<Pick> {
    let known = [
        (GrantType::JWT_BEARER, words.grant_jwt_bearer()),
        (
            GrantType::CLIENT_CREDENTIALS,
            words.grant_client_credentials(),
        ),
        (
            GrantType::AUTHORIZATION_CODE,
            words.grant_authorization_code(),
        ),
        (GrantType::REFRESH_TOKEN, words.grant_refresh_token()),
    ];
    let others = client.grant_types.iter();
    let others = others.filter(|grant| known.iter().all(|(known, _)| known != *grant));
    let others: Vec<_> = others.map(|grant| (grant.clone(), "")).collect();
    let pick = |(grant, hint): &(GrantType, &'static str)| Pick {
        is_chosen: typed.has("grant_types", grant.as_str()),
        ..Pick::new(grant.as_str(), short_name(grant)).meaning(hint)
    };
    known.iter().chain(&others).map(pick).collect()
}
