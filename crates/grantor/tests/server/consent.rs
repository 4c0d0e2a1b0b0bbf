//! What a person is asked, and what is recorded of the answer.

use std::time::Duration;

use grantor::{
    registry::{Actor, ChangeRecord, ConsentPolicy, Permission, PermissionId, Who},
    server::Outcome,
    storage::{ChangeFilter, Registries, Registry, Start},
    types::{AuthMethod, GrantType, RedirectUri},
};
use grantor_testkit::{Authorize, ISSUER, Page};
use http::StatusCode;
use serde_json::json;

use crate::people::{ANNA, APP, Place, listed, redeem, redeem_as_app, scope};

const CODE: GrantType = GrantType::AUTHORIZATION_CODE;
const JWT: GrantType = GrantType::JWT_BEARER;

/// Which lists of the page have what.
#[track_caller]
fn shows(page: &Page, row: &str, [needed, optional, allowed]: [&str; 3]) {
    for (list, expected) in [
        ("needed", needed),
        ("optional", optional),
        ("allowed", allowed),
    ] {
        let shown = scope(&listed(page, list).join(" "));
        assert_eq!(shown, scope(expected), "{row}: {list}");
    }
}

async fn nothing_is_recorded(place: &Place, row: &str) {
    assert_eq!(place.allowed(APP, ANNA).await, None, "{row}");
}

/// C030, C031, C034
#[tokio::test]
async fn a_yes_records_what_was_shown_and_never_everything() {
    let place = Place::new().await;
    let browser = place.annas();
    let page = browser.asked(&Authorize::new(APP)).await;
    shows(&page, "first", ["read write", "", ""]);
    let shown = page.json();
    for (name, value) in [
        ("client", json!(APP)),
        ("subject", json!(ANNA)),
        ("absent", json!(true)),
        ("place", json!("app.example")),
    ] {
        assert_eq!(shown[name], value, "{name}");
    }
    nothing_is_recorded(&place, "shown only").await;
    let answer = browser.allow(&page).await;
    answer.code();
    let decision = answer.decision.expect("a decision");
    assert_eq!(decision.outcome, Outcome::Granted);
    assert_eq!(&*decision.endpoint, "consent");
    assert_eq!(
        decision.subject.map(|id| id.to_string()).as_deref(),
        Some(ANNA)
    );
    assert_eq!(
        decision.client.map(|id| id.to_string()).as_deref(),
        Some(APP)
    );
    let recorded = place.allowed(APP, ANNA).await;
    assert_eq!(recorded, Some(("read write".to_owned(), vec![CODE, JWT])));
    let changes = place.world.store.changes();
    let last = changes
        .page(&ChangeFilter::default(), Start::Last(1), 1)
        .await;
    let last = last.expect("a page").entries.pop().expect("a change");
    let last: ChangeRecord = serde_json::from_str(&last.document).expect("a record");
    assert_eq!(
        (last.resource.as_str(), last.actor.who),
        ("permission", Who::Person(ANNA.parse().expect("a subject")))
    );
    assert_eq!(last.actor.request, Some(decision.id.to_string()));
}

/// C031
#[tokio::test]
async fn a_client_of_the_code_grant_alone_acts_while_one_uses_it() {
    let place = Place::new().await;
    place
        .change(APP, |client| client.grant_types = vec![CODE])
        .await;
    let page = place.annas().asked(&Authorize::new(APP)).await;
    assert_eq!(page.json()["absent"], json!(false));
}

/// C035, C036
#[tokio::test]
async fn only_what_is_new_is_asked_for_and_once() {
    let place = Place::new().await;
    let browser = place.annas();
    let read = Authorize::new(APP).with("scope", "read");
    browser.allow(&browser.asked(&read).await).await.code();
    let page = browser.authorize(&read).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    page.code();
    let both = Authorize::new(APP).with("scope", "read write");
    let page = browser.asked(&both).await;
    shows(&page, "wider", ["write", "", "read"]);
    browser.allow(&page).await.code();
    assert_eq!(
        place.allowed(APP, ANNA).await,
        Some(("read write".to_owned(), vec![CODE, JWT]))
    );
    browser.authorize(&both).await.code();
    let again = browser.asked(&both.with("prompt", "consent")).await;
    shows(&again, "prompt", ["", "", "read write"]);
    browser.allow(&again).await.code();
}

/// C039
#[tokio::test]
async fn a_no_is_told_to_the_client_and_recorded_nowhere() {
    let place = Place::new().await;
    let browser = place.annas();
    for _ in 0..2 {
        let page = browser.asked(&Authorize::new(APP)).await;
        let answer = browser.answer(&page, &[("decision", "deny")]).await;
        answer.told_error("no", "access_denied", "consent");
        assert_eq!(answer.told("state").as_deref(), Some("a state"));
        assert_eq!(
            answer.status,
            StatusCode::OK,
            "behind a form a page leads on"
        );
        nothing_is_recorded(&place, "no").await;
    }
}

/// C033
#[tokio::test]
async fn ca16_a_page_is_good_for_one_yes_in_its_own_browser() {
    let place = Place::new().await;
    place.person("berta").await;
    let browser = place.annas();
    let page = browser.asked(&Authorize::new(APP)).await;
    let yes = [("decision", "allow")];
    for (row, ticket) in [
        ("no ticket", String::new()),
        ("nonsense", "AAAA".to_owned()),
    ] {
        let form = [("t", &*ticket), ("decision", "allow")];
        let answer = browser.post("/consent/decision", &form).await;
        answer.refused(row, 403, "ticket");
    }
    let other = place.browser("another");
    other.sign_in(ANNA, 0);
    other
        .answer(&page, &yes)
        .await
        .refused("another browser", 403, "ticket");
    let nobodys = place.browser("nobodys");
    nobodys
        .answer(&page, &yes)
        .await
        .refused("nobody", 403, "session");
    browser.sign_in("berta", 0);
    browser
        .answer(&page, &yes)
        .await
        .refused("another person", 403, "ticket");
    browser.sign_in(ANNA, 0);
    // Of the sign-in page, and of the way to the page itself.
    let stranger = place.browser("annas");
    let signin = stranger
        .authorize(&Authorize::new(APP).with("prompt", "login"))
        .await;
    let question = browser.authorize(&Authorize::new(APP)).await;
    let hand_over = browser.answer(&page, &[("decision", "deny")]).await;
    for (row, from) in [
        ("sign-in", &signin),
        ("question", &question),
        ("hand-over", &hand_over),
    ] {
        let ticket = from.told("t").unwrap_or_default();
        let form = [("t", &*ticket), ("decision", "allow")];
        browser
            .post("/consent/decision", &form)
            .await
            .refused(row, 403, "ticket");
    }
    for origin in [
        "https://evil.example",
        "null",
        "https://x.as.example",
        "http://as.example",
    ] {
        let form = [("t", &*page.ticket()), ("decision", "allow")];
        let answer = browser.post_from(origin, "/consent/decision", &form).await;
        answer.refused(origin, 403, "origin");
    }
    place.world.set_clock(16.0 * 60.0);
    browser
        .answer(&page, &yes)
        .await
        .refused("16 minutes old", 403, "ticket");
    nothing_is_recorded(&place, "refused").await;
    place.world.set_clock(14.0 * 60.0);
    browser.answer(&page, &yes).await.code();
    assert!(place.allowed(APP, ANNA).await.is_some(), "control");
    browser
        .answer(&page, &yes)
        .await
        .refused("twice", 403, "ticket");
}

/// CA18: a browser says where a form comes from.
#[tokio::test]
async fn ca18_a_form_that_says_nothing_of_its_origin_is_refused() {
    let place = Place::new().await;
    let browser = place.annas();
    let page = browser.asked(&Authorize::new(APP)).await;
    let form = format!("t={}&decision=allow", page.ticket());
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let post = async |head: &[(&str, &str)]| {
        browser
            .send(http::Method::POST, "/consent/decision", head, &form)
            .await
    };
    post(&[kind]).await.refused("neither", 403, "origin");
    for site in ["cross-site", "same-site", "none"] {
        let head = [kind, ("origin", ISSUER), ("sec-fetch-site", site)];
        post(&head).await.refused(site, 403, "origin");
        let head = [kind, ("sec-fetch-site", site)];
        post(&head).await.refused(site, 403, "origin");
    }
    let same = ("sec-fetch-site", "same-origin");
    post(&[kind, ("origin", "null"), same])
        .await
        .refused("a null origin", 403, "origin");
    nothing_is_recorded(&place, "refused").await;
    post(&[kind, ("origin", ISSUER), same]).await.code();
}

/// M162: where a browser sends no Origin, it says by `Sec-Fetch-Site` where a form comes from.
#[tokio::test]
async fn m162_a_form_without_an_origin_is_of_the_same_one_if_the_browser_says_so() {
    let place = Place::new().await;
    let browser = place.annas();
    let page = browser.asked(&Authorize::new(APP)).await;
    let form = format!("t={}&decision=allow", page.ticket());
    let head = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-origin"),
    ];
    browser
        .send(http::Method::POST, "/consent/decision", &head, &form)
        .await
        .code();
}

/// C032, C033
#[tokio::test]
async fn ca17_the_form_chooses_among_the_optional_scopes_and_nothing_else() {
    let place = Place::new().await;
    place.text("write", |text| text.optional = true).await;
    let browser = place.annas();
    let page = browser.asked(&Authorize::new(APP)).await;
    shows(&page, "one is optional", ["read", "write", ""]);
    for (row, form, rule) in [
        ("no decision", &[("scope", "write")][..], "consent"),
        ("decision=Allow", &[("decision", "Allow")], "consent"),
        (
            "twice",
            &[("decision", "allow"), ("decision", "allow")],
            "form",
        ),
        (
            "both",
            &[("decision", "deny"), ("decision", "allow")],
            "form",
        ),
        (
            "not on the page",
            &[("decision", "allow"), ("scope", "admin")],
            "consent",
        ),
        (
            "a needed one",
            &[("decision", "allow"), ("scope", "read")],
            "consent",
        ),
        (
            "no scope",
            &[("decision", "allow"), ("scope", "a  b")],
            "scope",
        ),
    ] {
        browser.answer(&page, form).await.refused(row, 400, rule);
        nothing_is_recorded(&place, row).await;
    }
    let code = browser.allow(&page).await.code();
    assert_eq!(
        place
            .allowed(APP, ANNA)
            .await
            .map(|(scope, _)| scope)
            .as_deref(),
        Some("read")
    );
    let answer = place.world.send(&redeem_as_app(&code)).await;
    assert_eq!(answer.body["scope"], "read");
    let code = browser.authorize(&Authorize::new(APP)).await.code();
    let answer = place.world.send(&redeem_as_app(&code)).await;
    assert_eq!(
        answer.body["scope"], "read",
        "what was left out is not asked for again"
    );
    let again = Authorize::new(APP).with("prompt", "consent");
    let page = browser.asked(&again).await;
    shows(&page, "the rest", ["", "write", "read"]);
    let both = [("decision", "allow"), ("scope", "write")];
    browser.answer(&page, &both).await.code();
    let recorded = place.allowed(APP, ANNA).await.map(|(scope, _)| scope);
    assert_eq!(recorded.as_deref(), Some("read write"));
}

/// C035: what was left out is asked for again when it reads otherwise.
#[tokio::test]
async fn what_was_left_out_is_asked_for_again_when_its_text_has_changed() {
    let place = Place::new().await;
    place.text("write", |text| text.optional = true).await;
    let browser = place.annas();
    browser
        .allow(&browser.asked(&Authorize::new(APP)).await)
        .await
        .code();
    browser.authorize(&Authorize::new(APP)).await.code();
    place.text("read", |text| text.fr = text.en.clone()).await;
    let page = browser.asked(&Authorize::new(APP)).await;
    shows(&page, "another text", ["", "write", "read"]);
}

/// C033: what was decided elsewhere meanwhile is asked for anew.
#[tokio::test]
async fn a_page_that_is_not_true_any_more_is_shown_again() {
    let place = Place::new().await;
    let browser = place.annas();
    let read = Authorize::new(APP).with("scope", "read");
    let write = Authorize::new(APP).with("scope", "write");
    let (one, other) = (browser.asked(&read).await, browser.asked(&write).await);
    browser.allow(&one).await.code();
    let again = browser.allow(&other).await;
    assert_eq!(again.leads_to().expect("a place").path(), "/consent");
    assert_eq!(
        place
            .allowed(APP, ANNA)
            .await
            .map(|(scope, _)| scope)
            .as_deref(),
        Some("read")
    );
    let again = browser
        .get(again.leads_to().expect("a place").as_str())
        .await;
    shows(&again, "as it is now", ["write", "", "read"]);
    browser.allow(&again).await.code();
    let page = browser.asked(&write.with("prompt", "consent")).await;
    shows(&page, "asked again", ["", "", "read write"]);
    place
        .change(APP, |client| {
            client.permission_lifetime = Some(Duration::from_secs(60));
        })
        .await;
    let registry: &dyn Registry<Permission> = &*place.world.store;
    let id = PermissionId::by_person(
        APP.parse().expect("a client"),
        ANNA.parse().expect("a subject"),
    );
    registry
        .delete(&id, &Actor::program("test"))
        .await
        .expect("withdrawn");
    let again = browser.allow(&page).await;
    let again = browser
        .get(again.leads_to().expect("a place").as_str())
        .await;
    shows(&again, "withdrawn meanwhile", ["write", "", ""]);
    nothing_is_recorded(&place, "withdrawn meanwhile").await;
}

/// C051
#[tokio::test]
async fn a_grant_that_comes_later_is_asked_for() {
    let place = Place::new().await;
    place
        .change(APP, |client| client.grant_types = vec![CODE])
        .await;
    let browser = place.annas();
    browser
        .allow(&browser.asked(&Authorize::new(APP)).await)
        .await
        .code();
    place
        .change(APP, |client| client.grant_types = vec![CODE, JWT])
        .await;
    browser.authorize(&Authorize::new(APP)).await.code();
    assert_eq!(
        place.allowed(APP, ANNA).await,
        Some(("read write".to_owned(), vec![CODE]))
    );
    let link = Authorize::link(APP).with("scope", "read");
    let page = browser.get(&link.uri()).await;
    // All that could be used in the new way is new.
    shows(&page, "by another grant", ["read write", "", ""]);
    assert_eq!(page.json()["absent"], json!(true));
    browser.allow(&page).await;
    assert_eq!(
        place.allowed(APP, ANNA).await,
        Some(("read write".to_owned(), vec![CODE, JWT]))
    );
}

/// C040
#[tokio::test]
async fn a_consent_link_ends_here_whatever_is_added_to_it() {
    let place = Place::new().await;
    place
        .client("off", AuthMethod::NONE, |client| {
            client.consent = ConsentPolicy::Off;
        })
        .await;
    let browser = place.browser("annas");
    let link = Authorize::link(APP)
        .with("scope", "read")
        .with("login_hint", ANNA)
        .with("redirect_uri", "https://evil.example/")
        .with("prompt", "none")
        .with("response_type", "code");
    let signin = browser.get(&link.uri()).await;
    assert_eq!(signin.leads_to().expect("a place").path(), "/signin");
    browser.sign_in(ANNA, 0);
    let page = browser.get(&link.uri()).await;
    shows(&page, "a link", ["read", "", ""]);
    assert_eq!(page.json()["place"], json!(null));
    let no = browser.answer(&page, &[("decision", "deny")]).await;
    no.refused("no", 200, "consent");
    // C027: a form is answered by the way to a page of ours.
    let yes = browser.allow(&page).await;
    let place = yes.leads_to().expect("a place");
    assert!(
        place
            .as_str()
            .starts_with(&format!("{ISSUER}/consent?client_id=")),
        "{place}"
    );
    let done = browser.get(&link.uri()).await;
    assert_eq!(
        (done.leads_to(), done.json()["done"].as_str()),
        (None, Some("read"))
    );
    for (row, link, rule) in [
        ("asks nobody", Authorize::link("off"), "client"),
        ("unknown", Authorize::link("nobody"), "client"),
        (
            "a scope beyond",
            Authorize::link(APP).with("scope", "admin"),
            "scope",
        ),
    ] {
        browser.get(&link.uri()).await.refused(row, 400, rule);
    }
}

/// DC5
#[tokio::test]
async fn ca54_a_public_client_on_ones_own_machine_is_asked_each_time() {
    let place = Place::new().await;
    let native = "http://127.0.0.1/callback";
    for (client, method) in [
        ("public", AuthMethod::NONE),
        ("confidential", AuthMethod::CLIENT_SECRET_POST),
    ] {
        let uris = vec![
            RedirectUri::parse(native).expect("a URI"),
            RedirectUri::parse("https://app.example/callback").expect("a URI"),
        ];
        place
            .client(client, method, |metadata| metadata.redirect_uris = uris)
            .await;
    }
    let browser = place.annas();
    let asked =
        |client| Authorize::new(client).set("redirect_uri", "http://127.0.0.1:7777/callback");
    for client in ["public", "confidential"] {
        browser
            .allow(&browser.asked(&asked(client)).await)
            .await
            .code();
    }
    browser.authorize(&asked("confidential")).await.code();
    browser.authorize(&Authorize::new("public")).await.code();
    let page = browser.asked(&asked("public")).await;
    shows(&page, "again", ["", "", "read write"]);
    let silent = browser
        .authorize(&asked("public").with("prompt", "none"))
        .await;
    silent.told_error("silently", "consent_required", "consent");
    let url = browser.allow(&page).await.leads_to().expect("a place");
    assert_eq!(url.port(), Some(7777));
}

/// C037
#[tokio::test]
async fn implied_consent_is_for_present_people_and_no_sensitive_scope() {
    let place = Place::new().await;
    place.text("write", |text| text.sensitive = true).await;
    place
        .change(APP, |client| client.consent = ConsentPolicy::Implied)
        .await;
    let browser = place.annas();
    let read = Authorize::new(APP).with("scope", "read");
    let code = browser.authorize(&read).await.code();
    nothing_is_recorded(&place, "implied").await;
    place
        .world
        .send(&redeem_as_app(&code))
        .await
        .granted("without a record");
    let page = browser.asked(&Authorize::new(APP)).await;
    shows(&page, "sensitive", ["read write", "", ""]);
    let code = browser.authorize(&read).await.code();
    place
        .change(APP, |client| client.consent = ConsentPolicy::Ask)
        .await;
    let answer = place.world.send(&redeem_as_app(&code)).await;
    answer.refused(
        "asked now",
        "invalid_grant",
        "permission",
        "permission of the code",
    );
}

/// C038
#[tokio::test]
async fn a_sensitive_scope_for_absent_use_needs_a_fresh_sign_in() {
    let place = Place::new().await;
    place.text("write", |text| text.sensitive = true).await;
    place
        .client("present", AuthMethod::NONE, |client| {
            client.grant_types = vec![CODE];
        })
        .await;
    let browser = place.annas();
    place.world.set_clock(1000.0);
    for (row, client, wanted, seconds, path) in [
        ("old", APP, "write", 301, "/signin"),
        ("fresh", APP, "write", 300, "/consent"),
        ("not sensitive", APP, "read", 301, "/consent"),
        ("not absent", "present", "write", 301, "/consent"),
    ] {
        browser.sign_in(ANNA, seconds);
        let page = browser
            .authorize(&Authorize::new(client).with("scope", wanted))
            .await;
        assert_eq!(page.leads_to().expect("a place").path(), path, "{row}");
    }
}

/// C004: of a client that asks nobody.
#[tokio::test]
async fn without_consent_only_an_operators_permission_counts() {
    let place = Place::new().await;
    place
        .change(APP, |client| client.consent = ConsentPolicy::Ask)
        .await;
    let browser = place.annas();
    browser
        .allow(&browser.asked(&Authorize::new(APP)).await)
        .await
        .code();
    let code = browser.authorize(&Authorize::new(APP)).await.code();
    place
        .change(APP, |client| client.consent = ConsentPolicy::Off)
        .await;
    let answer = place.world.send(&redeem_as_app(&code)).await;
    answer.refused(
        "the person's",
        "invalid_grant",
        "permission",
        "permission of the code",
    );
    let page = browser.authorize(&Authorize::new(APP)).await;
    page.told_error("none", "access_denied", "permission");
    let registry: &dyn Registry<Permission> = &*place.world.store;
    let permission = |grants| {
        let (client, subject) = (
            APP.parse().expect("a client"),
            ANNA.parse().expect("a subject"),
        );
        Permission::new(client, subject, Some(scope("read"))).by_grants(grants)
    };
    let by = Actor::program("test");
    registry
        .create(permission(vec![JWT]), &by)
        .await
        .expect("a permission");
    let page = browser.authorize(&Authorize::new(APP)).await;
    page.told_error("for another grant", "access_denied", "permission");
    let id = PermissionId::by_operator(
        APP.parse().expect("a client"),
        ANNA.parse().expect("a subject"),
    );
    registry.delete(&id, &by).await.expect("gone");
    registry
        .create(permission(vec![CODE]), &by)
        .await
        .expect("a permission");
    let page = browser
        .authorize(&Authorize::new(APP).with("scope", "write"))
        .await;
    page.told_error("beyond it", "invalid_scope", "scope");
    let code = browser.authorize(&Authorize::new(APP)).await.code();
    let answer = place.world.send(&redeem_as_app(&code)).await;
    answer.granted("as far as it goes");
    assert_eq!(answer.body["scope"], "read");
}

/// C053: a permission that has ended does not come back with the next.
#[tokio::test]
async fn what_ended_with_a_permission_stays_ended() {
    let place = Place::new().await;
    place
        .change(APP, |client| {
            client.permission_lifetime = Some(Duration::from_secs(60));
        })
        .await;
    let browser = place.annas();
    let code = browser
        .allow(&browser.asked(&Authorize::new(APP)).await)
        .await
        .code();
    let form = redeem(&code, APP, &AuthMethod::CLIENT_SECRET_POST);
    let token = place.world.send(&form).await.granted("in time").to_owned();
    let is_active = async || {
        let form = crate::people::authenticated(
            grantor_testkit::Form::new("")
                .without("grant_type")
                .with("token", &token),
            APP,
            &AuthMethod::CLIENT_SECRET_POST,
        );
        let form = grantor_testkit::Form {
            uri: "/introspect".to_owned(),
            ..form
        };
        place.world.send(&form).await.body["active"].clone()
    };
    assert_eq!(is_active().await, json!(true));
    place.world.set_clock(61.0);
    assert_eq!(is_active().await, json!(false));
    let page = browser.asked(&Authorize::new(APP)).await;
    shows(&page, "all anew", ["read write", "", ""]);
    browser.allow(&page).await.code();
    assert_eq!(is_active().await, json!(false));
}
