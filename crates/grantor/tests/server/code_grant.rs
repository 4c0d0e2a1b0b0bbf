//! Redeeming a code: once, by its client, as it was asked for.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    jose::{Claims, Unverified},
    registry::{Actor, Client, Permission, PermissionId, Subject},
    server::Settings,
    storage::{Claim, Registry, ReplayGuard, ReplayKey, StoreError, Used},
    types::{AuthMethod, RedirectUri},
};
use grantor_testkit::{Authorize, Form, ISSUER, VERIFIER, with_client_assertion};
use serde_json::json;

use crate::people::{ANNA, APP, Place, authenticated, redeem, redeem_as_app};

const POST: AuthMethod = AuthMethod::CLIENT_SECRET_POST;

/// C024, C029
#[tokio::test]
async fn a_code_is_redeemed_by_all_five_methods() {
    for method in AuthMethod::known() {
        let place = Place::empty();
        place.client(APP, method.clone(), |_| ()).await;
        place.person(ANNA).await;
        let code = place.code(&Authorize::new(APP)).await;
        place.world.set_clock(7.0);
        let answer = place.world.send(&redeem(&code, APP, method)).await;
        let token = answer.granted(method.as_str());
        assert_eq!(answer.body["scope"], "read write");
        let payload = Unverified::parse(token).expect("a JWT");
        let claims = Claims::parse(payload.dangerously_unverified_payload()).expect("claims");
        assert_eq!(claims.subject.as_deref(), Some(ANNA));
        for (name, value) in [
            ("client_id", json!(APP)),
            ("scope", json!("read write")),
            ("auth_time", json!(grantor_testkit::NOW)),
        ] {
            assert_eq!(claims.other.get(name), Some(&value), "{name}");
        }
        let decision = &answer.decision;
        assert_eq!(decision.subject.as_ref().map(|id| id.as_str()), Some(ANNA));
    }
}

#[tokio::test]
async fn ca07_a_wrong_verifier_uses_the_code_up() {
    let place = Place::new().await;
    for (row, verifier) in [
        ("absent", ""),
        ("42", &VERIFIER[1..]),
        ("129", &*"a".repeat(129)),
        ("bad characters", &VERIFIER.replacen('d', "+", 1)),
        ("the challenge", &grantor_testkit::challenge(VERIFIER)),
        ("of another request", &*"b".repeat(43)),
        ("one letter", &VERIFIER.replacen('d', "e", 1)),
    ] {
        let code = place.code(&Authorize::new(APP)).await;
        let wrong = redeem_as_app(&code).set("code_verifier", verifier);
        let answer = place.world.send(&wrong).await;
        answer.refused(row, "invalid_grant", "pkce", "code_verifier");
        let answer = place.world.send(&redeem_as_app(&code)).await;
        answer.refused(row, "invalid_grant", "code", "used before");
        let code = place.code(&Authorize::new(APP)).await;
        place.world.send(&redeem_as_app(&code)).await.granted(row);
    }
}

async fn is_active(place: &Place, token: &str) -> bool {
    let form = Form::new("").without("grant_type").with("token", token);
    let form = authenticated(form, APP, &POST);
    let form = Form {
        uri: "/introspect".to_owned(),
        ..form
    };
    place.world.send(&form).await.body["active"] == json!(true)
}

/// C025
#[tokio::test]
async fn ca08_a_second_use_ends_what_came_of_the_first() {
    let place = Place::new().await;
    let (code, other) = (
        place.code(&Authorize::new(APP)).await,
        place.code(&Authorize::new(APP)).await,
    );
    let send = async |code| place.world.send(&redeem_as_app(code)).await;
    let token = send(&code).await.granted("first").to_owned();
    let others = send(&other).await.granted("another").to_owned();
    assert!(is_active(&place, &token).await);
    send(&code)
        .await
        .refused("second", "invalid_grant", "code", "used before");
    assert!(!is_active(&place, &token).await);
    assert!(is_active(&place, &others).await, "another authorization's");
}

#[tokio::test]
async fn ca08_of_many_at_once_one_is_answered() {
    let place = Place::new().await;
    let code = place.code(&Authorize::new(APP)).await;
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..24 {
        let (server, request) = (place.world.server.clone(), redeem_as_app(&code).request());
        tries.spawn(async move { server.respond(request).await.status() });
    }
    let statuses = tries.join_all().await;
    let granted = statuses.iter().filter(|status| status.is_success()).count();
    assert_eq!(granted, 1, "{statuses:?}");
}

/// C024
#[tokio::test]
async fn ca09_a_code_is_its_clients_and_another_does_not_use_it_up() {
    let place = Place::new().await;
    place.client("other", POST, |_| ()).await;
    place.client("public", AuthMethod::NONE, |_| ()).await;
    let code = place.code(&Authorize::new(APP)).await;
    let bare = Form::new("authorization_code")
        .with("code", &code)
        .with("code_verifier", VERIFIER);
    let foreign = {
        let jwt = grantor_testkit::Jwt::default()
            .header("alg", "\"ES256\"")
            .claim("iat", grantor_testkit::NOW.to_string())
            .claim("exp", (grantor_testkit::NOW + 60).to_string())
            .text("jti", &grantor_testkit::new_token_id())
            .text("iss", APP)
            .text("sub", APP)
            .text("aud", "https://other.example");
        jwt.sign(&grantor_testkit::keys::P256)
    };
    for (row, form, error, rule) in [
        (
            "another client",
            redeem(&code, "other", &POST),
            "invalid_grant",
            "code",
        ),
        (
            "a public one",
            redeem(&code, "public", &AuthMethod::NONE),
            "invalid_grant",
            "code",
        ),
        (
            "as if public",
            redeem(&code, APP, &AuthMethod::NONE),
            "invalid_client",
            "method",
        ),
        ("nobody", bare.clone(), "invalid_client", "client"),
        (
            "another method",
            redeem(&code, APP, &AuthMethod::CLIENT_SECRET_BASIC),
            "invalid_client",
            "method",
        ),
        (
            "an assertion for elsewhere",
            with_client_assertion(bare, &foreign),
            "invalid_client",
            "method",
        ),
    ] {
        let answer = place.world.send(&form).await;
        answer.refused(row, error, rule, "");
    }
    place
        .world
        .send(&redeem_as_app(&code))
        .await
        .granted("its own client");
}

/// C024, C028
#[tokio::test]
async fn ca10_a_code_ends_with_its_time_client_subject_permission_and_redirect_uri() {
    let by = Actor::program("test");
    for (row, seconds, works) in [
        ("59 s", 59.0, true),
        ("60 s", 60.0, false),
        ("61 s", 61.0, false),
    ] {
        let place = Place::new().await;
        let code = place.code(&Authorize::new(APP)).await;
        place.world.set_clock(seconds);
        let answer = place.world.send(&redeem_as_app(&code)).await;
        match works {
            true => drop(answer.granted(row)),
            false => answer.refused(row, "invalid_grant", "code", "expired"),
        }
    }
    let place = Place::new().await;
    place
        .client("moving", POST, |client| {
            let more = RedirectUri::parse("https://app.example/other").expect("a URI");
            client.redirect_uris.push(more);
        })
        .await;
    let code = place.code(&Authorize::new("moving")).await;
    place
        .change("moving", |client| drop(client.redirect_uris.remove(0)))
        .await;
    let answer = place.world.send(&redeem(&code, "moving", &POST)).await;
    answer.refused(
        "redirect URI",
        "invalid_grant",
        "redirect_uri",
        "not registered any more",
    );

    let code = place.code(&Authorize::new(APP)).await;
    place.change(APP, |client| client.enabled = false).await;
    let answer = place.world.send(&redeem_as_app(&code)).await;
    answer.refused("client", "invalid_client", "client", "disabled");
    place.change(APP, |client| client.enabled = true).await;
    place
        .world
        .send(&redeem_as_app(&code))
        .await
        .granted("enabled again");

    let subjects: &dyn Registry<Subject> = &*place.world.store;
    let anna = ANNA.parse().expect("a subject");
    let code = place.code(&Authorize::new(APP)).await;
    let disable = |anna: &Subject| Ok::<_, StoreError>(anna.clone().disabled());
    subjects
        .change(&anna, &by, disable)
        .await
        .expect("a change");
    let answer = place.world.send(&redeem_as_app(&code)).await;
    answer.refused("subject", "invalid_grant", "subject", "subject of the code");
    let enable = |anna: &Subject| Ok::<_, StoreError>(anna.clone().enabled());
    subjects.change(&anna, &by, enable).await.expect("a change");

    let permissions: &dyn Registry<Permission> = &*place.world.store;
    let id = PermissionId::by_person(APP.parse().expect("a client"), anna.clone());
    for comes_back in [false, true] {
        let code = place.code(&Authorize::new(APP)).await;
        permissions.delete(&id, &by).await.expect("withdrawn");
        if comes_back {
            place.code(&Authorize::new(APP)).await;
        }
        let answer = place.world.send(&redeem_as_app(&code)).await;
        answer.refused(
            "withdrawn",
            "invalid_grant",
            "permission",
            "permission of the code",
        );
    }
    let code = place.code(&Authorize::new(APP)).await;
    subjects.delete(&anna, &by).await.expect("gone");
    place.person(ANNA).await;
    let answer = place.world.send(&redeem_as_app(&code)).await;
    answer.refused(
        "another anna",
        "invalid_grant",
        "subject",
        "subject of the code",
    );
}

/// DC4
#[tokio::test]
async fn a_redirect_uri_is_the_same_or_left_out() {
    let place = Place::new().await;
    for (row, form, works) in [
        ("the same", redeem_as_app(""), true),
        ("absent", redeem_as_app("").without("redirect_uri"), true),
        (
            "another",
            redeem_as_app("").set("redirect_uri", "https://app.example/other"),
            false,
        ),
    ] {
        let code = place.code(&Authorize::new(APP)).await;
        let answer = place.world.send(&form.set("code", &code)).await;
        match works {
            true => drop(answer.granted(row)),
            false => answer.refused(row, "invalid_grant", "redirect_uri", "redirect_uri is not"),
        }
    }
}

#[tokio::test]
async fn ca62_the_resource_is_the_one_that_was_asked_for() {
    let place = Place::with(|builder| {
        builder.settings(Settings {
            resources: vec![
                "https://a.example".to_owned(),
                "https://b.example".to_owned(),
            ],
            ..Settings::default()
        })
    });
    place.client(APP, POST, |_| ()).await;
    place.person(ANNA).await;
    let with = |mut asked: Authorize, resources: &[&str]| {
        for resource in resources {
            asked = asked.with("resource", resource);
        }
        asked
    };
    let (a, b) = ("https://a.example", "https://b.example");
    for (asked, redeemed, audience) in [
        (&[a][..], &[a][..], Some(a)),
        (&[a], &[], Some(a)),
        (&[], &[], Some(ISSUER)),
        (&[a], &[b], None),
        (&[], &[a], None),
        (&[a], &[a, b], None),
        (&[a], &[a, a], None),
    ] {
        let row = format!("{asked:?} {redeemed:?}");
        let code = place.code(&with(Authorize::new(APP), asked)).await;
        let mut form = redeem_as_app(&code);
        for resource in redeemed {
            form = form.with("resource", resource);
        }
        let answer = place.world.send(&form).await;
        let Some(audience) = audience else {
            answer.refused(&row, "invalid_target", "resource", "resource");
            continue;
        };
        let payload = Unverified::parse(answer.granted(&row)).expect("a JWT");
        let claims = Claims::parse(payload.dangerously_unverified_payload()).expect("claims");
        let got = claims.audience.expect("an audience");
        assert_eq!(got.sole(), Some(audience), "{row}");
    }
}

/// C026: nothing that is sealed for something else is a code.
#[tokio::test]
async fn a_code_is_a_code_and_nothing_else_is_one() {
    let place = Place::new().await;
    let browser = place.annas();
    let question = browser.authorize(&Authorize::new(APP)).await;
    let page = browser.asked(&Authorize::new(APP)).await;
    let code = browser.allow(&page).await.code();
    let mut altered = code.clone().into_bytes();
    altered[20] ^= 1;
    let altered = String::from_utf8_lossy(&altered).into_owned();
    for (row, text) in [
        ("a question", &*question.told("t").expect("a ticket")),
        ("a consent's ticket", &page.ticket()),
        ("altered", &altered),
        ("cut", &code[1..]),
        ("nonsense", "code"),
    ] {
        let answer = place.world.send(&redeem_as_app(text)).await;
        answer.refused(row, "invalid_grant", "code", "does not open");
    }
    let form = [("t", &*code), ("decision", "allow")];
    let answer = browser.post("/consent/decision", &form).await;
    answer.refused("a code for a ticket", 403, "ticket");
    place.world.clock.advance(Duration::from_secs(1));
    place
        .world
        .send(&redeem_as_app(&code))
        .await
        .granted("control");
}

/// C055: what hangs on a registration ends with it, whatever takes over its name.
#[tokio::test]
async fn another_client_of_the_same_name_gets_nothing_of_the_one_before() {
    let place = Place::new().await;
    let browser = place.annas();
    let code = place.code(&Authorize::new(APP)).await;
    let signin = Authorize::new(APP).with("prompt", "login");
    place.world.clock.advance(Duration::from_secs(1));
    let signin = browser.authorize(&signin).await;
    let page = browser
        .asked(&Authorize::new(APP).with("prompt", "consent"))
        .await;
    let clients: &dyn Registry<Client> = &*place.world.store;
    let (id, by) = (APP.parse().expect("a client"), Actor::program("test"));
    clients.delete(&id, &by).await.expect("gone");
    place.client(APP, POST, |_| ()).await;
    let answer = place.world.send(&redeem_as_app(&code)).await;
    answer.refused("a code", "invalid_grant", "code", "another client's");
    let form = [
        ("t", &*signin.told("t").expect("a ticket")),
        ("username", ANNA),
    ];
    let answer = browser.post("/signin", &form).await;
    answer.refused("a request", 400, "client");
    browser.sign_in(ANNA, 0);
    browser
        .allow(&page)
        .await
        .refused("a question", 400, "client");
    assert_eq!(place.allowed(APP, ANNA).await, None);
    let code = place.code(&Authorize::new(APP)).await;
    place
        .world
        .send(&redeem_as_app(&code))
        .await
        .granted("control");
}

/// Forgets what was used before the restore, as a backup does.
struct Restored;

#[async_trait]
impl ReplayGuard for Restored {
    async fn claim(&self, _: &[Used], _: UnixTime, _: u64) -> Result<Claim, StoreError> {
        Ok(Claim::Fresh)
    }

    fn fence(&self) -> Option<UnixTime> {
        Some(grantor_testkit::at(10.0))
    }

    async fn is_claimed(&self, _: ReplayKey, _: UnixTime) -> Result<bool, StoreError> {
        Ok(false)
    }
}

#[tokio::test]
async fn a_code_of_before_a_restore_may_have_been_used() {
    let place = Place::with(|builder| builder.replay(Arc::new(Restored)));
    place.client(APP, POST, |_| ()).await;
    place.person(ANNA).await;
    for (seconds, works) in [(0.0, false), (10.0, false), (10.001, true)] {
        place.world.set_clock(seconds);
        let code = place.code(&Authorize::new(APP)).await;
        place.world.set_clock(20.0);
        let answer = place.world.send(&redeem_as_app(&code)).await;
        match works {
            true => drop(answer.granted("after it")),
            false => answer.refused("before it", "invalid_grant", "fence", "restored"),
        }
    }
}
