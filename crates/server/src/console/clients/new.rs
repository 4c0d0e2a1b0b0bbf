//! Making a client in one page (M116).

use askama::Template;
use grantor::{
    admin::Fault,
    registry::Role,
    server::Body,
    types::{AuthMethod, GrantType, Scope},
};
use http::Response;

use super::{
    about::{is_power, name_of},
    made::Made,
    public_keys::{self, JWKS},
    words::Words,
};
use crate::{
    admin::{
        Input, Problem, Slug,
        clients::{ClientBody, CreateClient},
    },
    console::{Done, Error, Form, Pick, Route, Section, Shell, Summary, Typed, Visit},
    pages::Named,
};

/// Making a client.
pub struct NewPage;

#[derive(Template)]
#[template(path = "console/clients/new.html")]
struct View {
    shell: Shell,
    words: Words,
    summary: Option<Summary>,
    trail: Vec<(String, String)>,
    typed: Typed,
    kinds: Vec<Pick>,
    app_methods: Vec<Pick>,
    issuers: String,
    action: String,
    ticket: String,
    back: String,
}

/// The algorithm of keys that are made here, where nothing is said.
const ALGORITHM: &str = "ES256";

/// What a client is, as the page asks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Key,
    Secret,
    App,
}

impl Kind {
    fn of(typed: &Typed) -> Option<Self> {
        match typed.text("kind") {
            "key" => Some(Self::Key),
            "secret" => Some(Self::Secret),
            "app" => Some(Self::App),
            _ => None,
        }
    }

    fn method(self, typed: &Typed) -> AuthMethod {
        match (self, typed.text("app_method")) {
            (Self::Key, _) | (Self::App, "key") => AuthMethod::PRIVATE_KEY_JWT,
            (Self::Secret, _) | (Self::App, "secret") => AuthMethod::CLIENT_SECRET_BASIC,
            (Self::App, _) => AuthMethod::NONE,
        }
    }
}

impl Form for NewPage {
    type Path = ();

    const ROUTE: Route = Route::form("/clients/new", Section::Clients).grave().once();
    const SECRET: &'static [&'static str] = &[JWKS];

    async fn show(visit: &Visit, (): &(), typed: &Typed) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let list = visit.at("/clients", &[]);
        let filled = typed.clone().filling("kind", "key");
        let filled = public_keys::without_private(filled.filling("app_method", "key"));
        let kinds = [
            Pick::new("key", words.kind_key()).meaning(words.kind_key_hint()),
            Pick::new("secret", words.kind_secret()).meaning(words.kind_secret_hint()),
            Pick::new("app", words.kind_app()).meaning(words.kind_app_hint()),
        ];
        let app_methods = [
            Pick::new("key", words.app_key()),
            Pick::new("secret", words.app_secret()),
            Pick::new("none", words.app_nothing()),
        ];
        let view = View {
            summary: Summary::of(typed),
            trail: vec![(list.clone(), words.heading().to_owned())],
            kinds: Pick::of(kinds, filled.text("kind")),
            app_methods: Pick::of(app_methods, filled.text("app_method")),
            issuers: visit.at("/issuers", &[]),
            action: visit.here(),
            ticket: visit.ticket(),
            back: list,
            typed: filled,
            words,
            shell: visit.shell(),
        };
        Ok(visit.form(typed, &view))
    }

    async fn submit(visit: &Visit, (): &(), typed: &Typed) -> Result<Done, Error> {
        let body = body(visit, typed)?;
        let made = visit.ask(Input::<CreateClient>::with((), body)).await?;
        let words = Words(visit.language());
        let heading = words.is_made(Named(name_of(&made.client)));
        let made = Made {
            client: made.client,
            private_key: made.private_key,
            client_secret: made.client_secret,
            warnings: made.warnings,
        };
        Ok(Done::Answer(made.page(visit, words.new_one(), heading)))
    }
}

fn body(visit: &Visit, typed: &Typed) -> Result<ClientBody, Error> {
    let words = Words(visit.language());
    let Some(kind) = Kind::of(typed) else {
        let fault = Fault::new("kind", words.choose_kind());
        let problem = Problem::at_fault(Slug::Invalid, vec![fault]);
        return Err(Error::worded(problem, visit.language()));
    };
    // What gives power is an owner's, who has proved who they are: this page asks for that anyway.
    let gives_power = Scope::parse(typed.text("scope")).is_ok_and(|scope| is_power(&scope));
    if gives_power && !visit.may(Role::Owner) {
        return Err(Error::Role(Role::Owner));
    }
    let method = kind.method(typed);
    let mut members = typed
        .members()
        .with("client_id", typed.text("client_id"))
        .text("client_name")
        .text("scope")
        .with("token_endpoint_auth_method", method.as_str());
    if kind == Kind::App {
        let grants = [GrantType::AUTHORIZATION_CODE, GrantType::REFRESH_TOKEN];
        let grants = grants.map(|grant| grant.to_string());
        members = members
            .with("grant_types", grants.to_vec())
            .with("consent", "ask")
            .lines("redirect_uris");
    }
    if method == AuthMethod::PRIVATE_KEY_JWT {
        members = match public_keys::typed_keys(typed) {
            Ok(Some(keys)) => members.with(JWKS, keys),
            Ok(None) => members.with("generate", ALGORITHM),
            Err(problem) => members.wrong(JWKS, problem),
        };
    }
    members.body()
}
