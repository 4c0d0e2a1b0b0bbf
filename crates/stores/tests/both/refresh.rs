//! Refresh tokens at two servers of one database: one successor, one family, and nothing in the
//! file of which a token could be made.

use std::sync::Arc;

use grantor::{
    clock::{Clock as _, ManualClock},
    jose::base64url_decode,
    registry::{
        Actor, Client, ClientMetadata, ClientSecret, Permission, PermissionId, Subject, TokenFormat,
    },
    storage::Registries,
    types::{AuthMethod, GrantType, RedirectUri, Scope},
};
use grantor_testkit::{CALLBACK, Form, Sessions, VERIFIER, at, wait};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::{
    code::{Node, code, open},
    engine::Database,
};

/// Two servers of one database, with a client that may act for `anna`.
struct Two {
    database: Database,
    clock: Arc<ManualClock>,
    sessions: Sessions,
    one: Node,
    other: Node,
}

impl Two {
    async fn new(format: TokenFormat) -> Option<Self> {
        let database = Database::new()?;
        let clock = Arc::new(ManualClock::new(at(0.0)));
        let sessions = Sessions::default();
        let node = async || open(&database, &clock, &sessions).await;
        let (one, other) = (node().await, node().await);
        let by = Actor::program("test");
        let method = AuthMethod::CLIENT_SECRET_POST;
        let mut app = ClientMetadata::new("app".parse().expect("a client"), method, clock.now());
        app.grant_types = vec![GrantType::AUTHORIZATION_CODE, GrantType::REFRESH_TOKEN];
        app.redirect_uris = vec![RedirectUri::parse(CALLBACK).expect("a URI")];
        app.scope = Scope::parse("read write").expect("a scope");
        app.token_format = format;
        let grants = app.grant_types.clone();
        let secrets = vec![ClientSecret::digest("a secret", None)];
        let app = Client::new(app, vec![], secrets).expect("a client");
        let id = app.id().clone();
        let clients = one.store.clients();
        clients.create(app, &by).await.expect("a client");
        let anna = Subject::new("anna".parse().expect("a subject"));
        let permission = Permission::new(id, anna.id.clone(), None).by_grants(grants);
        let subjects = one.store.subjects();
        subjects.create(anna, &by).await.expect("a subject");
        let permissions = one.store.permissions();
        let created = permissions.create(permission, &by).await;
        created.expect("a permission");
        sessions.begin("annas", "anna", clock.now());
        Some(Self {
            database,
            clock,
            sessions,
            one,
            other,
        })
    }

    async fn begin(&self) -> Issued {
        let form = Form::new("authorization_code")
            .with("code", &code(&self.one).await)
            .with("code_verifier", VERIFIER);
        issued(&send(&self.one, form).await.1)
    }
}

struct Issued {
    access: String,
    refresh: String,
}

#[track_caller]
fn issued(answer: &Value) -> Issued {
    let text = |name: &str| answer[name].as_str().expect(name).to_owned();
    Issued {
        access: text("access_token"),
        refresh: text("refresh_token"),
    }
}

async fn send(node: &Node, form: Form) -> (u16, Value) {
    let form = form
        .with("client_id", "app")
        .with("client_secret", "a secret");
    let (parts, body) = node.server.respond(form.request()).await.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    (parts.status.as_u16(), body)
}

async fn refresh(node: &Node, token: &str) -> (u16, Value) {
    let form = Form::new("refresh_token").with("refresh_token", token);
    send(node, form).await
}

async fn is_active(node: &Node, token: &str) -> bool {
    let form = Form::new("").without("grant_type").with("token", token);
    let uri = "/introspect".to_owned();
    send(node, Form { uri, ..form }).await.1["active"] == json!(true)
}

#[track_caller]
fn is_refused((status, answer): &(u16, Value)) {
    assert_eq!(*status, 400, "{answer}");
    assert_eq!(answer["error"], "invalid_grant");
}

#[tokio::test(flavor = "multi_thread")]
async fn ca33_24_at_once_at_two_servers_get_one_successor() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let Some(two) = Two::new(format).await.map(Arc::new) else {
            return;
        };
        let first = two.begin().await.refresh;
        let mut tries = tokio::task::JoinSet::new();
        for number in 0..24 {
            let (two, first) = (two.clone(), first.clone());
            tries.spawn(async move {
                let node = if number % 2 == 0 {
                    &two.one
                } else {
                    &two.other
                };
                refresh(node, &first).await
            });
        }
        let mut successors = Vec::new();
        for (status, answer) in tries.join_all().await {
            match status {
                200 => successors.push(issued(&answer).refresh),
                _ => assert_eq!(status, 503, "{answer}"),
            }
        }
        successors.sort();
        successors.dedup();
        let [second] = &successors[..] else {
            panic!("{} successors", successors.len());
        };
        let third = issued(&refresh(&two.other, second).await.1).refresh;
        assert_ne!(third, *second);
    }
}

/// C071, C072, over a restart.
#[tokio::test(flavor = "multi_thread")]
async fn ca32_a_use_is_known_at_every_server_and_after_a_restart() {
    let Some(two) = Two::new(TokenFormat::Opaque).await else {
        return;
    };
    let Issued {
        access,
        refresh: first,
    } = two.begin().await;
    let others = two.begin().await;
    let second = issued(&refresh(&two.one, &first).await.1).refresh;
    let again = issued(&refresh(&two.other, &first).await.1).refresh;
    assert_eq!(again, second);
    let third = issued(&refresh(&two.other, &second).await.1).refresh;
    let Two {
        database,
        clock,
        sessions,
        one,
        other,
    } = two;
    drop((one, other));
    let node = async || open(&database, &clock, &sessions).await;
    let (one, other) = (node().await, node().await);
    assert!(is_active(&one, &access).await && is_active(&one, &third).await);
    is_refused(&refresh(&one, &first).await);
    for node in [&one, &other] {
        assert!(!is_active(node, &access).await && !is_active(node, &third).await);
        is_refused(&refresh(node, &third).await);
    }
    issued(&refresh(&other, &others.refresh).await.1);
}

/// C054, C056
#[tokio::test(flavor = "multi_thread")]
async fn ca30_what_ends_at_one_server_has_ended_at_the_other() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let Some(two) = Two::new(format).await else {
            return;
        };
        let (revoked, withdrawn) = (two.begin().await, two.begin().await);
        let code = code(&two.one).await;
        let form = Form::new("").without("grant_type");
        let form = Form {
            uri: "/revoke".to_owned(),
            ..form.with("token", &revoked.refresh)
        };
        assert_eq!(send(&two.one, form).await.0, 200);
        is_refused(&refresh(&two.other, &revoked.refresh).await);
        assert!(!is_active(&two.other, &revoked.access).await);
        assert!(is_active(&two.other, &withdrawn.access).await, "control");
        let token = issued(&refresh(&two.other, &withdrawn.refresh).await.1);

        let id = PermissionId::by_operator(
            "app".parse().expect("a client"),
            "anna".parse().expect("a subject"),
        );
        let permissions = two.one.store.permissions();
        let by = Actor::program("test");
        permissions.delete(&id, &by).await.expect("withdrawn");
        for node in [&two.one, &two.other] {
            // The other reads what was changed.
            let is_known = async || !is_active(node, &token.access).await;
            wait::until("withdrawn", is_known).await;
            is_refused(&refresh(node, &token.refresh).await);
            assert!(!is_active(node, &token.refresh).await);
            let form = Form::new("authorization_code")
                .with("code", &code)
                .with("code_verifier", VERIFIER);
            is_refused(&send(node, form).await);
        }
    }
}

/// C070
#[tokio::test(flavor = "multi_thread")]
async fn c070_the_database_gives_no_refresh_token_away() {
    let Some(two) = Two::new(TokenFormat::Opaque).await else {
        return;
    };
    let first = two.begin().await.refresh;
    let second = issued(&refresh(&two.one, &first).await.1).refresh;
    let third = issued(&refresh(&two.other, &second).await.1).refresh;
    is_refused(&refresh(&two.one, "unknown").await);
    let octets = two.database.on_disk();
    let has = |needle: &[u8]| octets.windows(needle.len()).any(|window| window == needle);
    assert!(has(b"refresh"), "the family is there");
    for token in [first, second, third] {
        let made_of = base64url_decode(&token).expect("base64url");
        let tag = &made_of[20..];
        assert!(!has(token.as_bytes()) && !has(tag));
        let hexadecimal: String = tag.iter().map(|octet| format!("{octet:02x}")).collect();
        assert!(!has(hexadecimal.as_bytes()));
        // The end of the text, in which no digit is of the beginning.
        assert!(!has(&token.as_bytes()[28..]));
    }
}
