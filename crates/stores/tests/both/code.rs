//! An authorization code of one server is redeemed at another that has opened the same database:
//! nothing of it is kept but its use.

use std::sync::Arc;

use grantor::{
    clock::{Clock as _, ManualClock},
    registry::{Actor, Client, ClientMetadata, ClientSecret, ConsentPolicy, Subject},
    server::AuthorizationServer,
    storage::Registries,
    types::{AuthMethod, GrantType, Issuer, RedirectUri},
};
use grantor_testkit::{Authorize, CALLBACK, Form, ISSUER, Sessions, VERIFIER, at};
use http::{Request, header};
use url::Url;

use crate::engine::{Database, Store};

/// A server that has opened a database.
pub struct Node {
    pub server: AuthorizationServer,
    pub store: Arc<Store>,
}

pub async fn open(database: &Database, clock: &Arc<ManualClock>, sessions: &Sessions) -> Node {
    let store = Arc::new(database.open_at(clock.clone()).await);
    let server = AuthorizationServer::builder(Issuer::parse(ISSUER).expect("an issuer"))
        .store(store.clone())
        .signing_keys(store.clone())
        .token_ids(store.token_ids())
        .seals(store.seals())
        .clock(clock.clone())
        .standard()
        .code_grant(sessions.people(&store))
        .build()
        .expect("a server");
    Node { server, store }
}

/// A code for `app`, which nobody is asked for, about whoever sits at `annas`.
pub async fn code(node: &Node) -> String {
    let request = Request::get(Authorize::new("app").uri());
    let request = request.header(header::COOKIE, "session=annas");
    let request = request.body(String::new()).expect("a request");
    let answer = node.server.respond(request).await;
    let place = answer.headers()[header::LOCATION].to_str().expect("a URL");
    let place = Url::parse(place).expect("a URL");
    let code = place.query_pairs().find(|(name, _)| name == "code");
    code.expect("a code").1.into_owned()
}

async fn is_granted(node: &Node, code: &str) -> bool {
    let form = Form::new("authorization_code")
        .with("client_id", "app")
        .with("client_secret", "a secret")
        .with("code", code)
        .with("code_verifier", VERIFIER);
    node.server
        .respond(form.request())
        .await
        .status()
        .is_success()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_redeemed_once_at_any_server_of_the_database() {
    let Some(database) = Database::new() else {
        return;
    };
    let clock = Arc::new(ManualClock::new(at(0.0)));
    let sessions = Sessions::default();
    let one = open(&database, &clock, &sessions).await;
    let by = Actor::program("test");
    let method = AuthMethod::CLIENT_SECRET_POST;
    let mut app = ClientMetadata::new("app".parse().expect("a client"), method, clock.now());
    app.grant_types = vec![GrantType::AUTHORIZATION_CODE];
    app.redirect_uris = vec![RedirectUri::parse(CALLBACK).expect("a URI")];
    app.consent = ConsentPolicy::Implied;
    let secrets = vec![ClientSecret::digest("a secret", None)];
    let app = Client::new(app, vec![], secrets).expect("a client");
    one.store
        .clients()
        .create(app, &by)
        .await
        .expect("a client");
    let anna = Subject::new("anna".parse().expect("a subject"));
    one.store
        .subjects()
        .create(anna, &by)
        .await
        .expect("a subject");
    sessions.begin("annas", "anna", clock.now());

    let (first, second) = (code(&one).await, code(&one).await);
    let other = open(&database, &clock, &sessions).await;
    assert!(is_granted(&other, &first).await);
    assert!(!is_granted(&one, &first).await, "used at the other");
    drop((one, other));
    let again = open(&database, &clock, &sessions).await;
    assert!(!is_granted(&again, &first).await, "used before the restart");
    assert!(is_granted(&again, &second).await, "after the restart");
}
