//! Refresh tokens: of whom, for what, for how long, and what a second use does.

use std::time::Duration;

use grantor::{
    assertion::Profile,
    jose::{Claims, Unverified, base64url_decode, base64url_encode},
    registry::{Actor, Client, ConsentPolicy, Permission, PermissionId, Subject, TokenFormat},
    server::Settings,
    storage::{Registries, StoreError},
    types::{AuthMethod, GrantType},
};
use grantor_testkit::{
    Answer, Authorize, Form, JWT_BEARER, Party, Use, keys, with_client_assertion,
};
use serde_json::json;

use crate::people::{ANNA, APP, Place, authenticated, redeem, redeem_as_app, scope};

const POST: AuthMethod = AuthMethod::CLIENT_SECRET_POST;
const DAY: f64 = 86_400.0;

fn may_refresh(client: &mut grantor::registry::ClientMetadata) {
    client.grant_types.push(GrantType::REFRESH_TOKEN);
}

/// As [`Place::new`], with an [`APP`] that gets refresh tokens.
async fn place() -> Place {
    place_of(POST).await
}

async fn place_of(method: AuthMethod) -> Place {
    let place = Place::empty();
    place.client(APP, method, may_refresh).await;
    place.person(ANNA).await;
    place
}

/// A new access token, and a new refresh token of a new family.
async fn begin(place: &Place) -> (String, String) {
    begin_as(place, APP, &POST).await
}

async fn begin_as(place: &Place, client: &str, method: &AuthMethod) -> (String, String) {
    let code = place.code(&Authorize::new(client)).await;
    let answer = place.world.send(&redeem(&code, client, method)).await;
    answer.granted_both("a code")
}

fn form(token: &str) -> Form {
    Form::new("refresh_token").with("refresh_token", token)
}

async fn refresh(place: &Place, token: &str) -> Answer {
    let form = authenticated(form(token), APP, &POST);
    place.world.send(&form).await
}

/// The successor.
async fn next(place: &Place, token: &str) -> String {
    refresh(place, token).await.granted_both("next").1
}

fn at(uri: &str, client: &str, token: &str) -> Form {
    let form = Form::new("").without("grant_type").with("token", token);
    let uri = uri.to_owned();
    Form {
        uri,
        ..authenticated(form, client, &POST)
    }
}

async fn is_active(place: &Place, token: &str) -> bool {
    let answer = place.world.send(&at("/introspect", APP, token)).await;
    answer.body["active"] == json!(true)
}

#[track_caller]
fn is_reuse(answer: &Answer, row: &str) {
    answer.refused(row, "invalid_grant", "refresh_reuse", "used before");
    let subject = answer.decision.subject.as_ref();
    assert_eq!(subject.map(|id| id.as_str()), Some(ANNA), "{row}");
}

#[track_caller]
fn has_ended(answer: &Answer, row: &str) {
    answer.refused(
        row,
        "invalid_grant",
        "refresh_token",
        "expired, or its family",
    );
}

fn says(token: &str) -> Claims {
    let token = Unverified::parse(token).expect("a JWT");
    Claims::parse(token.dangerously_unverified_payload()).expect("claims")
}

async fn withdraw(place: &Place) {
    let id = PermissionId::by_person(APP.parse().expect("a client"), anna());
    let deleted = place.world.store.permissions().delete(&id, &actor()).await;
    deleted.expect("withdrawn");
}

fn anna() -> grantor::types::SubjectId {
    ANNA.parse().expect("a subject")
}

fn actor() -> Actor {
    Actor::program("test")
}

/// C070
#[tokio::test]
async fn c070_a_refresh_token_comes_of_a_code_for_a_client_that_may_act_for_the_absent() {
    let place = place().await;
    begin(&place).await;

    let unregistered = Place::new().await;
    let code = unregistered.code(&Authorize::new(APP)).await;
    let answer = unregistered.world.send(&redeem_as_app(&code)).await;
    answer.granted("not registered for it");
    // The yes was for what was on the page (C051).
    unregistered.change(APP, may_refresh).await;
    let code = unregistered.code(&Authorize::new(APP)).await;
    let answer = unregistered.world.send(&redeem_as_app(&code)).await;
    answer.granted("not on the page");

    let implied = Place::empty();
    implied
        .client(APP, POST, |client| {
            may_refresh(client);
            client.consent = ConsentPolicy::Implied;
        })
        .await;
    implied.person(ANNA).await;
    let code = implied.code(&Authorize::new(APP)).await;
    let answer = implied.world.send(&redeem_as_app(&code)).await;
    answer.granted("without a record");
    let grants = vec![GrantType::AUTHORIZATION_CODE, GrantType::REFRESH_TOKEN];
    let record = Permission::new(APP.parse().expect("a client"), anna(), None).by_grants(grants);
    let permissions = implied.world.store.permissions();
    permissions
        .create(record, &actor())
        .await
        .expect("a new permission");
    begin(&implied).await;
}

/// C070: who is not registered for it any more does not use one.
#[tokio::test]
async fn c070_a_client_uses_one_as_long_as_it_is_registered_for_that() {
    let place = place().await;
    let (_, token) = begin(&place).await;
    let without = |client: &mut grantor::registry::ClientMetadata| {
        grantor_testkit::without_grant(client, &GrantType::REFRESH_TOKEN);
    };
    place.change(APP, without).await;
    refresh(&place, &token).await.refused(
        "unregistered",
        "unauthorized_client",
        "grant",
        "not registered",
    );
    place.change(APP, may_refresh).await;
    next(&place, &token).await;
}

/// C071
#[tokio::test]
async fn c071_each_use_gives_the_successor_and_a_lost_answer_the_same_again() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let place = place().await;
        place
            .change(APP, |client| client.token_format = format)
            .await;
        let (access, first) = begin(&place).await;
        let answer = refresh(&place, &first).await;
        let (newer, second) = answer.granted_both("first");
        assert_ne!(second, first);
        assert_ne!(newer, access);
        assert_eq!(answer.body["scope"], "read write");
        place.world.set_clock(20.0 * DAY);
        let (newest, again) = refresh(&place, &first).await.granted_both("again");
        assert_eq!(again, second);
        assert_ne!(newest, newer);
        if format == TokenFormat::Jwt {
            let claims = says(&newest);
            assert_eq!(claims.subject.as_deref(), Some(ANNA));
            let signed_in = claims.other.get("auth_time");
            assert_eq!(signed_in, Some(&json!(grantor_testkit::NOW)));
        }
        let third = next(&place, &second).await;
        assert!(is_active(&place, &newest).await);
        next(&place, &third).await;
    }
}

/// CA33
#[tokio::test]
async fn ca33_of_many_at_once_all_get_one_successor() {
    let place = place().await;
    let (_, token) = begin(&place).await;
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..24 {
        let server = place.world.server.clone();
        let request = authenticated(form(&token), APP, &POST).request();
        tries.spawn(async move {
            let (parts, body) = server.respond(request).await.into_parts();
            assert!(parts.status.is_success(), "{}", parts.status);
            let body = http_body_util::BodyExt::collect(body).await;
            let body: serde_json::Value =
                serde_json::from_slice(&body.expect("a body").to_bytes()).expect("JSON");
            body["refresh_token"].as_str().expect("one").to_owned()
        });
    }
    let mut successors = tries.join_all().await;
    successors.dedup();
    let [successor] = &successors[..] else {
        panic!("{} successors", successors.len());
    };
    next(&place, successor).await;
}

/// C072
#[tokio::test]
async fn ca32_a_token_whose_successor_was_used_ends_the_family() {
    for back in [1, 2] {
        let place = place().await;
        let (access, first) = begin(&place).await;
        let (others, other) = begin(&place).await;
        let second = next(&place, &first).await;
        let third = next(&place, &second).await;
        let last = match back {
            1 => third,
            _ => next(&place, &third).await,
        };
        let stolen = if back == 1 { &first } else { &second };
        assert!(is_active(&place, &access).await);
        is_reuse(&refresh(&place, stolen).await, "reused");
        has_ended(&refresh(&place, &last).await, "the last one");
        has_ended(&refresh(&place, stolen).await, "the stolen one again");
        assert!(!is_active(&place, &access).await);
        assert!(is_active(&place, &others).await, "another family's");
        next(&place, &other).await;
    }
}

/// C071, C072
#[tokio::test]
async fn ca32_a_public_client_gets_the_successor_again_for_a_little_while() {
    let none = AuthMethod::NONE;
    for (seconds, works) in [(0.0, true), (10.0, true), (10.001, false)] {
        let place = place_of(none.clone()).await;
        let (_, first) = begin_as(&place, APP, &none).await;
        let send = async |token: &str| {
            let form = authenticated(form(token), APP, &none);
            place.world.send(&form).await
        };
        let (_, second) = send(&first).await.granted_both("first");
        place.world.set_clock(seconds);
        let row = format!("{seconds} s");
        let answer = send(&first).await;
        if works {
            assert_eq!(answer.granted_both(&row).1, second);
            send(&second).await.granted_both(&row);
            is_reuse(&send(&first).await, &row);
        } else {
            is_reuse(&answer, &row);
            has_ended(&send(&second).await, &row);
        }
    }
}

/// C073
#[tokio::test]
async fn ca34_a_refresh_token_is_bound_to_what_it_was_given_for() {
    let place = place().await;
    place.client("other", POST, may_refresh).await;
    let read_only = Authorize::new(APP).with("scope", "read");
    let code = place.code(&read_only).await;
    let answer = place.world.send(&redeem_as_app(&code)).await;
    let (_, mut token) = answer.granted_both("a code");
    let good = || authenticated(form(""), APP, &POST);
    for (row, bad, error, rule, cause) in [
        (
            "wider",
            good().with("scope", "read write"),
            "invalid_scope",
            "scope",
            "requested also",
        ),
        (
            "no scope",
            good().with("scope", "\"read\""),
            "invalid_scope",
            "scope",
            "malformed",
        ),
        (
            "another resource",
            good().with("resource", "https://other.example"),
            "invalid_target",
            "resource",
            "not served",
        ),
        (
            "another client",
            authenticated(form(""), "other", &POST),
            "invalid_grant",
            "refresh_token",
            "another client's",
        ),
    ] {
        let answer = place.world.send(&bad.set("refresh_token", &token)).await;
        answer.refused(row, error, rule, cause);
        // It was not used up: its successor is a first one.
        let successor = next(&place, &token).await;
        token = next(&place, &successor).await;
    }
    let narrower = place.code(&Authorize::new(APP)).await;
    let answer = place.world.send(&redeem_as_app(&narrower)).await;
    let (_, token) = answer.granted_both("a code");
    let form = good().set("refresh_token", &token).with("scope", "write");
    let answer = place.world.send(&form).await;
    let (_, token) = answer.granted_both("narrower");
    assert_eq!(answer.body["scope"], "write");
    let answer = refresh(&place, &token).await;
    answer.granted_both("as wide as before");
    assert_eq!(answer.body["scope"], "read write");
}

/// C073
#[tokio::test]
async fn ca34_a_new_key_works_and_another_method_does_not() {
    let method = AuthMethod::PRIVATE_KEY_JWT;
    let place = place_of(method.clone()).await;
    let (_, token) = begin_as(&place, APP, &method).await;
    let clients = place.world.store.clients();
    let known = clients.get(&APP.parse().expect("a client")).await;
    let known = known.expect("a registry").expect("a client");
    let metadata = known.metadata().clone();
    let changed = Client::new(metadata, vec![keys::P384.public().into()], vec![]);
    place.world.replace(changed.expect("a client")).await;
    let signed_by = |key: &std::sync::Arc<grantor_testkit::Key>| {
        let party = Party {
            id: APP.to_owned(),
            usage: Use::PrivateKeyJwt,
            key: key.clone(),
        };
        party.jwt().sign(key)
    };
    let old = with_client_assertion(form(&token), &signed_by(&keys::P256));
    let answer = place.world.send(&old).await;
    answer.refused("the key of before", "invalid_client", "key", "");
    let new = with_client_assertion(form(&token), &signed_by(&keys::P384));
    let (_, token) = place.world.send(&new).await.granted_both("the new key");

    let mut public = known.metadata().clone();
    public.auth_method = AuthMethod::NONE;
    let public = Client::new(public, vec![], vec![]).expect("a client");
    place.world.replace(public).await;
    let answer = authenticated(form(&token), APP, &AuthMethod::NONE);
    let answer = place.world.send(&answer).await;
    answer.refused(
        "public now",
        "invalid_grant",
        "refresh_token",
        "another method",
    );
    let back = Client::new(
        known.metadata().clone(),
        vec![keys::P384.public().into()],
        vec![],
    );
    place.world.replace(back.expect("a client")).await;
    let form = with_client_assertion(form(&token), &signed_by(&keys::P384));
    place.world.send(&form).await.granted_both("control");
}

/// C052, C054, C055, C073: each with a token that works before.
#[tokio::test]
async fn ca26_a_refresh_token_ends_with_permission_and_subject() {
    let place = place().await;
    let (access, token) = begin(&place).await;
    let token = next(&place, &token).await;
    assert!(is_active(&place, &access).await && is_active(&place, &token).await);
    withdraw(&place).await;
    let no_permission = |answer: &Answer, row| {
        answer.refused(
            row,
            "invalid_grant",
            "permission",
            "permission of the refresh",
        );
    };
    no_permission(&refresh(&place, &token).await, "withdrawn");
    assert!(!is_active(&place, &access).await && !is_active(&place, &token).await);
    let (_, anew) = begin(&place).await;
    no_permission(&refresh(&place, &token).await, "allowed anew");
    let token = next(&place, &anew).await;

    let id = PermissionId::by_person(APP.parse().expect("a client"), anna());
    let permissions = place.world.store.permissions();
    let change = async |change: &(dyn Fn(&Permission) -> Permission + Sync)| {
        let changed = |known: &Permission| Ok::<_, StoreError>(change(known));
        let changed = permissions.change(&id, &actor(), changed).await;
        changed.expect("a change");
    };
    let narrowed = |known: &Permission| {
        let mut known = known.clone();
        known.scope = Some(scope("read"));
        known
    };
    change(&narrowed).await;
    let answer = refresh(&place, &token).await;
    let (_, token) = answer.granted_both("narrower");
    assert_eq!(answer.body["scope"], "read");
    let too_wide = authenticated(form(&token), APP, &POST).with("scope", "read write");
    let answer = place.world.send(&too_wide).await;
    answer.refused("beyond the record", "invalid_scope", "scope", "also");
    change(&|known: &Permission| {
        let mut known = known.clone();
        known.scope = Some(scope("other"));
        known
    })
    .await;
    no_permission(&refresh(&place, &token).await, "nothing left");
    change(&narrowed).await;
    let others = vec![GrantType::AUTHORIZATION_CODE, GrantType::JWT_BEARER];
    change(&|known: &Permission| known.clone().by_grants(others.clone())).await;
    no_permission(&refresh(&place, &token).await, "for other grants");
    let all = [&others[..], &[GrantType::REFRESH_TOKEN]].concat();
    change(&|known: &Permission| known.clone().by_grants(all.clone())).await;
    let token = next(&place, &token).await;
    let soon = grantor_testkit::at(5.0);
    change(&|known: &Permission| known.clone().until(Some(soon))).await;
    place.world.set_clock(5.0);
    no_permission(&refresh(&place, &token).await, "ended");
    change(&|known: &Permission| known.clone().until(None)).await;
    let token = next(&place, &token).await;

    let subjects = place.world.store.subjects();
    let switch = async |on: bool| {
        let changed = |anna: &Subject| {
            let anna = anna.clone();
            Ok::<_, StoreError>(if on { anna.enabled() } else { anna.disabled() })
        };
        let changed = subjects.change(&anna(), &actor(), changed).await;
        changed.expect("a change");
    };
    let no_subject = |answer: &Answer, row| {
        answer.refused(row, "invalid_grant", "subject", "subject of the refresh");
    };
    switch(false).await;
    no_subject(&refresh(&place, &token).await, "disabled");
    assert!(!is_active(&place, &token).await);
    switch(true).await;
    let token = next(&place, &token).await;
    place.change(APP, |client| client.enabled = false).await;
    let answer = refresh(&place, &token).await;
    answer.refused("client", "invalid_client", "client", "disabled");
    place.change(APP, |client| client.enabled = true).await;
    let token = next(&place, &token).await;
    subjects.delete(&anna(), &actor()).await.expect("gone");
    place.person(ANNA).await;
    no_subject(&refresh(&place, &token).await, "another anna");
    begin(&place).await;
    no_subject(&refresh(&place, &token).await, "another anna who allows it");
    let clients = place.world.store.clients();
    let (_, token) = begin(&place).await;
    let app = APP.parse().expect("a client");
    clients.delete(&app, &actor()).await.expect("gone");
    place.client(APP, POST, may_refresh).await;
    let answer = refresh(&place, &token).await;
    answer.refused(
        "another app",
        "invalid_grant",
        "refresh_token",
        "another client's",
    );
}

/// C025
#[tokio::test]
async fn ca08_a_second_use_of_the_code_ends_the_refresh_token() {
    let place = place().await;
    let code = place.code(&Authorize::new(APP)).await;
    let answer = place.world.send(&redeem_as_app(&code)).await;
    let (access, token) = answer.granted_both("first");
    let (_, other) = begin(&place).await;
    let successor = next(&place, &token).await;
    let answer = place.world.send(&redeem_as_app(&code)).await;
    answer.refused("second", "invalid_grant", "code", "used before");
    for token in [&token, &successor] {
        has_ended(&refresh(&place, token).await, "of the code");
        assert!(!is_active(&place, token).await);
    }
    assert!(!is_active(&place, &access).await);
    next(&place, &other).await;
}

/// C056
#[tokio::test]
async fn c056_a_client_gives_back_its_refresh_token_and_keeps_the_permission() {
    let place = place().await;
    place.client("other", POST, may_refresh).await;
    let jwt = Party {
        id: APP.to_owned(),
        usage: Use::Grant,
        key: keys::P256.clone(),
    };
    place
        .client("own", AuthMethod::PRIVATE_KEY_JWT, may_refresh)
        .await;
    for is_replaced in [false, true] {
        let (access, token) = begin(&place).await;
        let given = match is_replaced {
            false => token.clone(),
            true => next(&place, &token).await,
        };
        let revoke = async |client| {
            let answer = place.world.send_plain(&at("/revoke", client, &token)).await;
            assert_eq!((answer.0.as_u16(), &*answer.1), (200, ""));
        };
        revoke("other").await;
        assert!(is_active(&place, &given).await, "another client's word");
        revoke(APP).await;
        has_ended(&refresh(&place, &given).await, "revoked");
        assert!(!is_active(&place, &given).await && !is_active(&place, &access).await);
        revoke(APP).await;
        assert!(place.allowed(APP, ANNA).await.is_some());
    }
    // The permission lets a client act by its key as before.
    let private = AuthMethod::PRIVATE_KEY_JWT;
    let (_, token) = begin_as(&place, "own", &private).await;
    let revoke = Form::new("").without("grant_type").with("token", &token);
    let revoke = Form {
        uri: "/revoke".to_owned(),
        ..authenticated(revoke, "own", &private)
    };
    place.world.send_plain(&revoke).await;
    let assertion = Party {
        id: "own".to_owned(),
        ..jwt
    };
    let assertion = assertion.jwt().text("sub", ANNA).sign(&keys::P256);
    let form = Form::new(JWT_BEARER).with("assertion", &assertion);
    place.world.send(&form).await.granted("jwt-bearer");
}

/// C056
#[tokio::test]
async fn c056_introspection_tells_a_client_of_its_own_refresh_token() {
    let place = place().await;
    place.client("other", POST, may_refresh).await;
    let (_, token) = begin(&place).await;
    place.world.set_clock(60.0);
    let token = next(&place, &token).await;
    let answer = place.world.send(&at("/introspect", APP, &token)).await;
    let now = grantor_testkit::NOW;
    let expected = json!({
        "active": true,
        "token_use": "refresh_token",
        "client_id": APP,
        "sub": ANNA,
        "scope": "read write",
        "iss": grantor_testkit::ISSUER,
        "iat": now + 60,
        "exp": now + 60 + 30 * 86_400,
        "auth_time": now,
    });
    assert_eq!(answer.body, expected);
    let answer = place.world.send(&at("/introspect", "other", &token)).await;
    assert_eq!(answer.body, json!({"active": false}));
    // Who asks about one that was used changes nothing.
    let (_, first) = begin(&place).await;
    let second = next(&place, &first).await;
    let third = next(&place, &second).await;
    assert!(!is_active(&place, &first).await);
    assert!(is_active(&place, &second).await, "it would be answered");
    next(&place, &third).await;
}

/// C026
#[tokio::test]
async fn a_refresh_token_is_one_and_nothing_else_is() {
    let place = place().await;
    let (access, token) = begin(&place).await;
    let code = place.code(&Authorize::new(APP)).await;
    let altered = |octet: usize| {
        let mut octets = base64url_decode(&token).expect("base64url");
        octets[octet] ^= 1;
        base64url_encode(octets)
    };
    let longer = {
        let octets = base64url_decode(&token).expect("base64url");
        base64url_encode([&octets[..], &[0]].concat())
    };
    for (row, text) in [
        ("an access token", access),
        ("a code", code),
        ("another family", altered(0)),
        ("another counter", altered(19)),
        ("another tag", altered(51)),
        ("cut", token[1..].to_owned()),
        ("longer", longer),
        ("nonsense", "token".to_owned()),
    ] {
        let answer = refresh(&place, &text).await;
        answer.refused(
            row,
            "invalid_grant",
            "refresh_token",
            "none of this server's",
        );
    }
    let answer = place.world.send(&redeem_as_app(&token)).await;
    answer.refused("as a code", "invalid_grant", "code", "does not open");
    let absent = authenticated(Form::new("refresh_token"), APP, &POST);
    let (status, answer) = place.world.send_plain(&absent).await;
    assert_eq!(status, 400);
    assert!(
        answer.contains("parameter refresh_token is missing"),
        "{answer}"
    );
    let bare = place.world.send(&form(&token)).await;
    bare.refused("nobody", "invalid_client", "client", "");
    next(&place, &token).await;
}

/// C073
#[tokio::test]
async fn c073_a_family_ends_when_it_is_not_used_and_at_last() {
    let place = place().await;
    let (_, mut token) = begin(&place).await;
    let (_, idle) = begin(&place).await;
    for day in 1..=12 {
        place
            .world
            .set_clock(f64::from(day) * 30.0 * DAY - 1.0 * f64::from(day));
        token = next(&place, &token).await;
    }
    has_ended(&refresh(&place, &idle).await, "30 days");
    place.world.set_clock(365.0 * DAY - 1.0);
    token = next(&place, &token).await;
    place.world.set_clock(365.0 * DAY);
    has_ended(&refresh(&place, &token).await, "365 days");
    let (_, idle) = begin(&place).await;
    place.world.set_clock(395.0 * DAY);
    has_ended(&refresh(&place, &idle).await, "to the second");
}

/// C074
#[tokio::test]
async fn c074_of_51_families_the_oldest_ends() {
    let place = place().await;
    place.person("berta").await;
    let bertas = place.browser("bertas");
    bertas.sign_in("berta", 0);
    let page = bertas.asked(&Authorize::new(APP)).await;
    let code = bertas.allow(&page).await.code();
    let answer = place.world.send(&redeem_as_app(&code)).await;
    let (_, bertas) = answer.granted_both("another person's");
    let mut tokens = Vec::new();
    for second in 0..51 {
        place.world.set_clock(f64::from(second));
        tokens.push(begin(&place).await);
    }
    let [(access, oldest), (_, second), ..] = &tokens[..] else {
        panic!("51 of them");
    };
    has_ended(&refresh(&place, oldest).await, "the oldest");
    assert!(!is_active(&place, access).await);
    next(&place, second).await;
    next(&place, &tokens[50].1).await;
    next(&place, &bertas).await;
}

/// DC6
#[tokio::test]
async fn with_fapi2_a_refresh_token_is_kept() {
    let place = Place::with(|builder| builder.settings(Settings::of(Profile::Fapi2)));
    let method = AuthMethod::PRIVATE_KEY_JWT;
    place.client(APP, method.clone(), may_refresh).await;
    place.person(ANNA).await;
    let (_, token) = begin_as(&place, APP, &method).await;
    for _ in 0..3 {
        place.world.clock.advance(Duration::from_secs(60));
        let form = authenticated(form(&token), APP, &method);
        let (_, same) = place.world.send(&form).await.granted_both("again");
        assert_eq!(same, token);
    }
}

#[tokio::test]
async fn a_client_over_its_quota_gets_no_more_families() {
    let place = Place::with(|builder| builder.token_quota(2));
    place.client(APP, POST, may_refresh).await;
    place.person(ANNA).await;
    let (_, token) = begin(&place).await;
    begin(&place).await;
    let code = place.code(&Authorize::new(APP)).await;
    let answer = place.world.send(&redeem_as_app(&code)).await;
    assert_eq!(answer.status, 429);
    next(&place, &token).await;
}
