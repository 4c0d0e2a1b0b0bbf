//! What holds for every page, whoever asks for it and however: the pages are those that the routers
//! know, and no list of a test.

use std::collections::{BTreeMap, BTreeSet};

use grantor::{
    admin::Rights,
    registry::{Actor, Role},
    storage::Start,
    types::SubjectId,
};
use grantor_stores::{Create, Upkeep};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::{
    admin::{
        Administration, Api, Content as _, Input, Operation,
        clients::CreateClient,
        subjects::{CreateSubject, PutRole},
    },
    app,
    backend::Place,
    config::{Environment, Overrides, Purpose},
    http::{Front, Operations},
    metrics::Metrics,
    pages::BrowserSecret,
    person::{Passwords, Proof},
};

const EVIL: (&str, &str) = ("origin", "https://evil.example");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
/// What stands in the place of each name in a path: some of it is there.
const NAMES: [(&str, &str); 2] = [("{client}", "billing"), ("{subject}", "alice")];

/// A server with the client `billing`, the subject `alice` and an operator of each role.
struct World {
    _data: TempDir,
    store: Backend,
    server: AuthorizationServer,
    front: Front,
    console: Arc<Console>,
    admin: Administration,
    origin: String,
}

/// An answer, and what asked for it.
struct Answered {
    row: String,
    head: Response<()>,
    body: String,
}

/// Does an operation at the machine.
async fn done<O: Operation>(admin: &Administration, path: O::Path, body: Value)
where
    O::Query: Default,
{
    let body = O::Body::read(body.to_string().as_bytes()).expect("a body");
    let asked = O::run(admin, Input::<O>::with(path, body)).await;
    assert!(asked.is_ok(), "{:?}", asked.err());
}

fn id(name: &str) -> SubjectId {
    SubjectId::parse(name).expect("a name")
}

impl World {
    async fn new() -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let file = data.path().join("grantor.toml");
        std::fs::write(file, "[person]\n").expect("a configuration");
        let overrides = Overrides {
            purpose: Purpose::Serve,
            ..Overrides::default()
        };
        let config = Config::load(data.path(), None, &Environment::default(), &overrides);
        let config = config.expect("a configuration");
        let place = Place {
            config: &config,
            data: data.path(),
            master_key: None,
        };
        let store = place
            .open(Create::IfMissing, Upkeep::Here)
            .await
            .expect("a store");
        store.readiness.prepare().await.expect("a store");
        let server = app::build_server(&config, &store, Metrics::default()).expect("a server");
        let desk = app::console_desk(&config, &store, Passwords::shared());
        let console = Console::new(&config, &store, &server, desk).expect("a console");
        let console = Arc::new(console);
        let api = Api::new(&config, &store, &server).expect("an API");
        let operations = Operations {
            api: Arc::new(api),
            console: console.clone(),
        };
        let admin = Administration::new(
            Arc::new(config.clone()),
            store.clone(),
            Rights::local(),
            Actor::program("test"),
        );
        done::<CreateSubject>(&admin, (), json!({"id": "alice"})).await;
        let client = json!({
            "client_id": "billing",
            "token_endpoint_auth_method": "private_key_jwt",
            "generate": "ES256",
        });
        done::<CreateClient>(&admin, (), client).await;
        for role in ["reader", "editor", "owner"] {
            done::<CreateSubject>(&admin, (), json!({"id": role})).await;
            done::<PutRole>(&admin, id(role), json!({"role": role})).await;
        }
        Self {
            _data: data,
            front: Front::Server(server.clone(), Some(operations)),
            origin: config.issuer.origin().to_owned(),
            store,
            server,
            console,
            admin,
        }
    }

    /// A session of this operator, begun just now.
    async fn session(&self, name: &str) -> BrowserSecret {
        let (context, desk) = (self.server.context(), &self.console.desk);
        let subject = context.subjects().subject(&id(name)).await;
        let subject = subject.expect("a store").expect("a subject");
        let role = self.store.operators.get(&id(name)).await;
        let proof = Proof::link(&role.expect("a store").expect("a role"));
        let begun = desk.sessions.begin(context, None, &subject, proof).await;
        begun.expect("a session")
    }

    /// The ticket of the form that goes to this path.
    fn ticket(&self, path: &str, secret: &BrowserSecret) -> String {
        let ticket = self
            .console
            .desk
            .ticket(self.server.context(), path, secret);
        format!("t={ticket}")
    }

    async fn ask(
        &self,
        (method, path): (&str, &str),
        secret: Option<&BrowserSecret>,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answered {
        let cookie = self.console.desk.site.cookie();
        let cookie = secret.map(|secret| format!("{cookie}={}", secret.expose()));
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let body = Full::new(bytes::Bytes::copy_from_slice(body.as_bytes()));
        let request = request.body(body).expect("a request");
        let (head, body) = self.front.respond(request).await.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Answered {
            row: format!("{method} {path} {headers:?}"),
            head: Response::from_parts(head, ()),
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// How many changes are on record.
    async fn changes(&self) -> usize {
        let filter = Default::default();
        let page = self.store.changes.page(&filter, Start::Oldest, 1000).await;
        page.expect("a store").entries.len()
    }
}

impl Answered {
    fn status(&self) -> u16 {
        self.head.status().as_u16()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.headers().get(name)?.to_str().ok()
    }
}

/// The pages of the console, and their paths with names in them.
fn pages() -> Vec<(Route, String)> {
    let routes = leaves().into_iter().map(|leaf| leaf.route());
    let filled = |route: Route| {
        let path = NAMES
            .iter()
            .fold(route.path.to_owned(), |path, (place, name)| {
                path.replace(place, name)
            });
        let path = path.replace(['{', '}'], "");
        (route, format!("/{PATH}{path}"))
    };
    routes.map(filled).collect()
}

/// What every page says of itself.
fn check_headers(answered: &Answered) {
    let Answered { row, .. } = answered;
    assert!(answered.status() < 500, "{row}: {}", answered.status());
    for (name, value) in [
        (
            "content-security-policy",
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
             connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "permissions-policy",
            "publickey-credentials-get=(self), publickey-credentials-create=(self)",
        ),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answered.header(name), Some(value), "{row}: {name}");
        let count = answered.head.headers().get_all(name).iter().count();
        assert_eq!(count, 1, "{row}: {name}");
    }
    let is_html = answered
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("text/html"));
    if is_html && row.contains(" /console") {
        let apart = answered.header("cross-origin-opener-policy");
        assert_eq!(apart, Some("same-origin"), "{row}");
    }
    for inline in ["<script>", "<style", " style=", " onclick=", "javascript:"] {
        assert!(!answered.body.contains(inline), "{row}: {inline}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn m160_ma34_every_page_has_its_headers_whoever_asks_and_whatever_is_wrong() {
    let world = World::new().await;
    let mut paths: BTreeSet<String> = pages().into_iter().map(|(_, path)| path).collect();
    let of_server = world.server.paths();
    paths.extend(
        of_server
            .filter(|path| world.server.is_page(path))
            .map(str::to_owned),
    );
    for known in [
        "/console",
        "/console/clients/billing/delete",
        "/console/signin",
        "/me",
    ] {
        assert!(paths.contains(known), "{known}: {paths:?}");
    }
    paths.extend(
        [
            "/",
            "/nothing",
            "/me/",
            "/console/nothing",
            "/console/clients/%ff",
            "//console",
        ]
        .map(str::to_owned),
    );
    let origin = ("origin", &*world.origin);
    let mut statuses = BTreeMap::<u16, usize>::new();
    for visitor in [None, Some("reader"), Some("owner")] {
        let secret = match visitor {
            Some(name) => Some(world.session(name).await),
            None => None,
        };
        for path in &paths {
            let unknown = format!("{path}?unknown=%ff&format=x&lang=..");
            let nothing: &[(&str, &str)] = &[];
            let requests = [
                ("GET", path.as_str(), nothing, ""),
                ("HEAD", path, &[], ""),
                ("GET", &unknown, &[], ""),
                ("PUT", path, &[origin, FORM], ""),
                ("OPTIONS", path, &[EVIL], ""),
                ("POST", path, &[EVIL, FORM], "t=x"),
                ("POST", path, &[origin, FORM], "t=x"),
                (
                    "POST",
                    path,
                    &[origin, ("content-type", "text/plain")],
                    "t=x",
                ),
            ];
            for (method, path, headers, body) in requests {
                let secret = secret.as_ref();
                let answered = world.ask((method, path), secret, headers, body).await;
                check_headers(&answered);
                *statuses.entry(answered.status()).or_default() += 1;
            }
        }
    }
    for status in [200, 303, 400, 403, 404, 405] {
        assert!(statuses.contains_key(&status), "{status}: {statuses:?}");
    }
    // The control: what programs ask for is no page, and says so.
    let keys = world.ask(("GET", "/jwks"), None, &[], "").await;
    assert_eq!((keys.status(), keys.header("x-frame-options")), (200, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn ma42_m113_no_role_sees_or_sends_a_form_that_needs_more() {
    let world = World::new().await;
    let origin = ("origin", &*world.origin);
    let before = world.changes().await;
    let mut refused = 0;
    for (name, role) in [("reader", Role::Reader), ("editor", Role::Editor)] {
        let secret = world.session(name).await;
        for (route, path) in pages() {
            let shown = world.ask(("GET", &path), Some(&secret), &[], "").await;
            if route.needs <= role {
                // The control: the same page by a role that suffices.
                assert_ne!(shown.status(), 403, "{name} {}", shown.row);
                continue;
            }
            let ticket = world.ticket(&path, &secret);
            let asked = ("POST", &*path);
            let sent = world
                .ask(asked, Some(&secret), &[origin, FORM], &ticket)
                .await;
            assert_eq!((shown.status(), sent.status()), (403, 403), "{name} {path}");
            for answered in [shown, sent] {
                let form = format!("action=\"{path}\"");
                assert!(!answered.body.contains(&form), "{name} {}", answered.row);
            }
            refused += 1;
        }
    }
    assert!(refused > 35, "{refused}");
    assert_eq!(world.changes().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn ma21_m162_every_form_needs_its_own_ticket_and_its_own_origin() {
    let world = World::new().await;
    let origin = ("origin", &*world.origin);
    let (secret, other) = (world.session("owner").await, world.session("owner").await);
    let forms: Vec<_> = pages()
        .into_iter()
        .filter(|(route, _)| route.is_form)
        .collect();
    let before = world.changes().await;
    let mut refused = 0;
    for (_, path) in &forms {
        let shown = world.ask(("GET", path), Some(&secret), &[], "").await;
        // A form of what is not there is none.
        let expected = match shown.status() {
            404 => StatusCode::NOT_FOUND,
            _ => StatusCode::FORBIDDEN,
        };
        let own = world.ticket(path, &secret);
        let elsewhere = world.ticket("/console/nothing", &secret);
        let tickets = [
            "".to_owned(),
            world.ticket(path, &other),
            elsewhere,
            format!("{own}&{own}"),
        ];
        for ticket in tickets {
            let asked = ("POST", &**path);
            let sent = world
                .ask(asked, Some(&secret), &[origin, FORM], &ticket)
                .await;
            let row = format!("{} {ticket:.2}", sent.row);
            assert_eq!(sent.head.status(), expected, "{row}");
            refused += usize::from(sent.status() == 403);
        }
        let own_site = ("sec-fetch-site", "same-origin");
        let origins: [&[(&str, &str)]; 8] = [
            &[FORM],
            &[FORM, EVIL],
            &[FORM, ("origin", "null")],
            &[FORM, origin, origin],
            &[FORM, origin, ("sec-fetch-site", "cross-site")],
            &[FORM, ("sec-fetch-site", "same-site")],
            &[FORM, ("sec-fetch-site", "none")],
            &[FORM, own_site, ("sec-fetch-site", "cross-site")],
        ];
        for headers in origins {
            let sent = world
                .ask(("POST", path), Some(&secret), headers, &own)
                .await;
            assert_eq!(sent.status(), 403, "{}", sent.row);
        }
        let unreadable: [&[(&str, &str)]; 5] = [
            &[origin],
            &[origin, ("content-type", "multipart/form-data; boundary=x")],
            &[origin, ("content-type", "application/json")],
            &[origin, FORM, ("content-type", "text/plain")],
            &[origin, FORM, ("content-encoding", "gzip")],
        ];
        for headers in unreadable {
            let sent = world
                .ask(("POST", path), Some(&secret), headers, &own)
                .await;
            assert_eq!(sent.status(), 400, "{}", sent.row);
        }
    }
    assert!(refused > 80, "{refused}");
    assert_eq!(world.changes().await, before);
    // The control: with all of it each form is taken for one, whatever comes of it.
    for (_, path) in &forms {
        let secret = world.session("owner").await;
        let own = world.ticket(path, &secret);
        let sent = world
            .ask(("POST", path), Some(&secret), &[origin, FORM], &own)
            .await;
        assert!(
            ![400, 403].contains(&sent.status()),
            "{}: {}",
            sent.row,
            sent.body
        );
    }
    assert!(world.changes().await > before);
}

/// MA33, and paths that others read otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn ma33_a_path_leads_to_its_own_page_or_nowhere() {
    let world = World::new().await;
    let secret = world.session("owner").await;
    for path in [
        "/console/assets/../../master.key",
        "/console/%2e%2e/master.key",
        "/console/..%5cmaster.key",
        "/console/..%2fme",
        "/console/../me",
        "/console//etc/passwd",
        "/console//clients",
        "/console/clients/",
        "/console/clients//billing",
        "/console/./clients",
        "/console/clients;x",
        "/console/clients/..",
        "/console/clients/%2e%2e",
        "/console/clients/%00",
        "/console/clients/billing%00",
        "/console/clients/a%2Fb",
        "/console/clients/~",
        "/console/clients/~YmlsbGluZw==",
        "/console/clients/%ff",
        "/console;x",
        "/console%2Fclients",
        "/consoles",
        "/CONSOLE",
        "//console",
        "/./console",
        "/assets/../master.key",
    ] {
        let answered = world.ask(("GET", path), Some(&secret), &[], "").await;
        assert_eq!(answered.status(), 404, "{path}");
        check_headers(&answered);
    }
    // The control: the names that there are.
    for path in [
        "/console",
        "/console/clients/billing",
        "/console/clients/~YmlsbGluZw",
    ] {
        let answered = world.ask(("GET", path), Some(&secret), &[], "").await;
        assert_eq!(answered.status(), 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ma37_ma46_what_a_page_is_asked_for_in_is_in_no_header() {
    let world = World::new().await;
    let secret = world.session("owner").await;
    for query in [
        "lang=../..",
        "lang=xx%0d%0aX-Evil:%20y",
        "theme=%22%3E%3C",
        "theme=dark%0d%0aSet-Cookie:%20x=y",
        "ui_locales=%00",
        "done=x%0d%0a",
        "held=%22",
    ] {
        let path = format!("/console/clients?{query}");
        let answered = world.ask(("GET", &path), Some(&secret), &[], "").await;
        assert_eq!(answered.status(), 200, "{path}");
        check_headers(&answered);
        assert_eq!(answered.header("set-cookie"), None, "{path}");
        assert_eq!(answered.header("x-evil"), None, "{path}");
        let is_plain = answered.body.contains("<html lang=\"en\">");
        assert!(is_plain, "{path}: {}", answered.body);
    }
    // The control: a choice of ours is kept, and what is no ASCII is encoded on the way on.
    let path = ("GET", "/console/clients?lang=fr&theme=dark");
    let answered = world.ask(path, Some(&secret), &[], "").await;
    assert_eq!(
        answered.head.headers().get_all("set-cookie").iter().count(),
        2
    );
    assert!(answered.body.contains("<html lang=\"fr\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn ma42_a_form_of_before_the_role_was_lowered_is_refused() {
    let world = World::new().await;
    let (origin, path) = (
        ("origin", &*world.origin),
        "/console/clients/billing/switch",
    );
    let secret = world.session("owner").await;
    let form = format!("{}&enabled=false", world.ticket(path, &secret));
    let lower =
        |role: &'static str| done::<PutRole>(&world.admin, id("owner"), json!({"role": role}));
    lower("reader").await;
    let before = world.changes().await;
    let sent = world
        .ask(("POST", path), Some(&secret), &[origin, FORM], &form)
        .await;
    assert_eq!(sent.status(), 403, "{}", sent.body);
    assert_eq!(world.changes().await, before);
    // The control: in the same session, with a role that suffices.
    lower("editor").await;
    let sent = world
        .ask(("POST", path), Some(&secret), &[origin, FORM], &form)
        .await;
    assert_eq!(sent.status(), 303, "{}", sent.body);
}
