//! The authorization endpoint: what is asked for, where answers go, and who has to sign in.

use grantor::{
    server::{Outcome, Settings},
    types::{AuthMethod, GrantType},
};
use grantor_testkit::{Authorize, Browser, ISSUER, Page, World};
use http::{Method, StatusCode, header};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::people::{ANNA, APP, Place, scope};

/// The request goes on to where one signs in.
#[track_caller]
fn goes_on(page: &Page, row: &str) {
    let place = page.leads_to().expect(row);
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{row}");
    assert!(
        place.as_str().starts_with(&format!("{ISSUER}/signin?t=")),
        "{row}: {place}"
    );
    let decision = page.decision.as_ref().expect("a decision");
    assert_eq!(decision.outcome, Outcome::Undecided, "{row}");
}

async fn good(browser: &Browser<'_>) {
    goes_on(&browser.authorize(&Authorize::new(APP)).await, "control");
}

async fn document(world: &World) -> Value {
    let request = http::Request::get("/.well-known/oauth-authorization-server");
    let request = request.body(String::new()).expect("a request");
    let body = world.server.respond(request).await.into_body();
    let body = http_body_util::BodyExt::collect(body)
        .await
        .expect("a body");
    serde_json::from_slice(&body.to_bytes()).expect("JSON")
}

#[tokio::test]
async fn c006_c007_metadata_says_what_is_there() {
    let place = Place::empty();
    let metadata = document(&place.world).await;
    let grants = metadata["grant_types_supported"]
        .as_array()
        .expect("a list");
    assert!(grants.contains(&json!("authorization_code")));
    for (name, value) in [
        (
            "authorization_endpoint",
            json!(format!("{ISSUER}/authorize")),
        ),
        ("response_types_supported", json!(["code"])),
        ("response_modes_supported", json!(["query"])),
        ("code_challenge_methods_supported", json!(["S256"])),
        (
            "authorization_response_iss_parameter_supported",
            json!(true),
        ),
        (
            "prompt_values_supported",
            json!(["none", "login", "consent", "select_account"]),
        ),
    ] {
        assert_eq!(metadata[name], value, "{name}");
    }
    let without = World::new();
    let metadata = document(&without).await;
    assert_eq!(metadata["response_types_supported"], json!([]));
    assert_eq!(metadata.get("authorization_endpoint"), None);
    assert_eq!(metadata.get("prompt_values_supported"), None);
    for path in ["/authorize", "/consent", "/consent/decision"] {
        assert_eq!(without.server.endpoint_name(path), None, "{path}");
        assert!(place.world.server.endpoint_name(path).is_some(), "{path}");
    }
}

#[tokio::test]
async fn c010_only_get_is_taken() {
    let place = Place::new().await;
    let browser = place.browser("b");
    let uri = Authorize::new(APP).uri();
    let request = http::Request::post(&uri)
        .body(String::new())
        .expect("a request");
    let response = place.world.server.respond(request).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()[header::ALLOW], "GET, HEAD");
    goes_on(&browser.send(Method::HEAD, &uri, &[], "").await, "HEAD");
}

/// C011, CA05
#[tokio::test]
async fn ca05_without_a_proven_redirect_uri_there_is_one_page_and_no_redirect() {
    let place = Place::new().await;
    place
        .client("disabled", AuthMethod::CLIENT_SECRET_POST, |client| {
            client.enabled = false;
        })
        .await;
    let browser = place.annas();
    let good = Authorize::new(APP);
    let mut pages = Vec::new();
    for (row, asked, rule) in [
        ("no client", good.clone().without("client_id"), "client"),
        ("unknown", good.clone().set("client_id", "nobody"), "client"),
        (
            "not a name",
            good.clone().set("client_id", "\u{7}"),
            "client",
        ),
        (
            "disabled",
            good.clone().set("client_id", "disabled"),
            "client",
        ),
        (
            "no redirect URI",
            good.clone().without("redirect_uri"),
            "redirect_uri",
        ),
        (
            "another redirect URI",
            good.clone()
                .set("redirect_uri", "https://app.example/callback/"),
            "redirect_uri",
        ),
        (
            "a URI of elsewhere, and bad parameters",
            Authorize::new(APP)
                .set("redirect_uri", "https://evil.example/")
                .set("response_type", "token"),
            "redirect_uri",
        ),
    ] {
        let page = browser.authorize(&asked).await;
        page.refused(row, 400, rule);
        let id = page.decision.as_ref().expect("a decision").id.to_string();
        assert!(page.body.contains(&id), "{row}");
        pages.push(page.body.replace(&id, ""));
        let control = browser.asked(&good).await;
        assert_eq!(control.json()["client"], APP, "{row}");
    }
    pages.dedup();
    assert_eq!(pages.len(), 1, "{pages:?}");
}

#[tokio::test]
async fn ca04_what_is_not_one_text_each_is_refused() {
    let place = Place::new().await;
    let browser = place.browser("b");
    let uri = Authorize::new(APP).uri();
    for name in [
        "response_type",
        "client_id",
        "redirect_uri",
        "state",
        "code_challenge",
        "code_challenge_method",
    ] {
        let same = Authorize::new(APP).pairs.into_iter();
        let mut same = same
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value);
        let same = same.next().expect("a parameter");
        for value in [&same, "other", ""] {
            let twice = Authorize::new(APP).with(name, value);
            let row = format!("{name} and {value:?}");
            browser.authorize(&twice).await.refused(&row, 400, "form");
        }
    }
    for (row, more, status) in [
        ("bad UTF-8", "&scope=%ff", 400),
        ("bad escape", "&scope=%zz", 400),
        ("9 KiB", &*format!("&more={}", "a".repeat(9 * 1024)), 414),
    ] {
        let page = browser.get(&format!("{uri}{more}")).await;
        page.refused(row, status, "form");
    }
    let nul = browser.get(&uri.replace("state=a", "state=%00")).await;
    nul.told_error("NUL", "invalid_request", "form");
    let brackets = Authorize::new(APP)
        .without("client_id")
        .with("client_id[]", APP);
    let brackets = browser.authorize(&brackets).await;
    brackets.refused("client_id[]", 400, "client");
    let more = format!("{uri}&unknown=1&client_id%5B%5D=x");
    goes_on(&browser.get(&more).await, "unknown parameters are ignored");
    good(&browser).await;
}

#[tokio::test]
async fn ca06_a_challenge_of_s256_is_required_of_every_client() {
    let place = Place::new().await;
    place.client("public", AuthMethod::NONE, |_| ()).await;
    let browser = place.browser("b");
    for client in [APP, "public"] {
        let good = Authorize::new(client);
        let value = grantor_testkit::challenge(grantor_testkit::VERIFIER);
        let (short, long) = (&value[1..], format!("{value}A"));
        let rows = [
            ("absent", good.clone().without("code_challenge")),
            ("empty", good.clone().set("code_challenge", "")),
            ("42", good.clone().set("code_challenge", short)),
            ("44", good.clone().set("code_challenge", &long)),
            (
                "padded",
                good.clone().set("code_challenge", &format!("{value}=")),
            ),
            (
                "with +",
                good.clone()
                    .set("code_challenge", &value.replacen('9', "+", 1)),
            ),
            ("no method", good.clone().without("code_challenge_method")),
            ("plain", good.clone().set("code_challenge_method", "plain")),
            ("s256", good.clone().set("code_challenge_method", "s256")),
            ("S512", good.clone().set("code_challenge_method", "S512")),
        ];
        for (row, asked) in rows {
            assert_ne!(asked.uri(), good.uri(), "{row}");
            let page = browser.authorize(&asked).await;
            page.told_error(row, "invalid_request", "pkce");
        }
        goes_on(&browser.authorize(&good).await, client);
    }
}

/// C016
#[tokio::test]
async fn ca13_state_comes_back_to_the_letter_or_not_at_all() {
    let place = Place::new().await;
    let browser = place.annas();
    let refused = Authorize::new(APP).set("response_type", "token");
    let longest = "s".repeat(2048);
    for state in [
        "&code=x&iss=y",
        "\"<script>",
        "%0d%0a",
        " ",
        "a=b#c",
        &longest,
    ] {
        let asked = refused.clone().set("state", state);
        let page = browser.authorize(&asked).await;
        page.told_error(state, "unsupported_response_type", "form");
        assert_eq!(page.told("state").as_deref(), Some(state));
        assert_eq!(page.told("iss").as_deref(), Some(ISSUER));
    }
    for state in ["a\r\nb: c", "ä", "\u{7f}", &"s".repeat(2049)] {
        let page = browser
            .authorize(&Authorize::new(APP).set("state", state))
            .await;
        page.told_error(state, "invalid_request", "form");
        assert_eq!(page.told("state"), None, "{state:?}");
    }
    let page = browser.authorize(&refused.without("state")).await;
    page.told_error("absent", "unsupported_response_type", "form");
    assert_eq!(page.told("state"), None);
}

/// C014
#[tokio::test]
async fn ca14_only_a_code_in_the_query_is_given() {
    let place = Place::new().await;
    let browser = place.browser("b");
    let good = Authorize::new(APP);
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "code token", "unsupported_response_type"),
        ("response_type", "id_token", "unsupported_response_type"),
        ("response_type", "none", "unsupported_response_type"),
        ("response_type", "", "unsupported_response_type"),
        ("response_mode", "fragment", "invalid_request"),
        ("response_mode", "form_post", "invalid_request"),
        ("request", "e30.e30.", "request_not_supported"),
        (
            "request_uri",
            "https://evil.example/r",
            "request_uri_not_supported",
        ),
        ("registration", "{}", "registration_not_supported"),
        ("prompt", "never", "invalid_request"),
        ("prompt", "none login", "invalid_request"),
        ("max_age", "-1", "invalid_request"),
        ("max_age", "+1", "invalid_request"),
    ] {
        let page = browser.authorize(&good.clone().set(name, value)).await;
        let row = format!("{name}={value}");
        page.told_error(&row, error, "form");
        let url = page.leads_to().expect("a place");
        assert_eq!(url.fragment(), None, "{row}");
    }
    let with_mode = good.clone().with("response_mode", "query");
    goes_on(&browser.authorize(&with_mode).await, "query");
    good_client_may_not(&place, &browser).await;
}

async fn good_client_may_not(place: &Place, browser: &Browser<'_>) {
    place
        .client("other", AuthMethod::CLIENT_SECRET_POST, |_| ())
        .await;
    place
        .change("other", |client| {
            client.grant_types = vec![GrantType::JWT_BEARER];
        })
        .await;
    let page = browser.authorize(&Authorize::new("other")).await;
    page.told_error("other grants only", "unauthorized_client", "grant");
}

/// C008, C015
#[tokio::test]
async fn scope_is_within_the_registration_and_never_the_servers_own() {
    let place = Place::with(|builder| {
        builder.settings(Settings {
            resources: vec!["https://api.example".to_owned()],
            ..Settings::default()
        })
    });
    place
        .client(APP, AuthMethod::CLIENT_SECRET_POST, |_| ())
        .await;
    place.person(ANNA).await;
    let browser = place.annas();
    let good = Authorize::new(APP);
    for (value, error) in [
        ("read admin", "invalid_scope"),
        ("openid", "invalid_scope"),
        ("grantor:admin", "invalid_scope"),
        ("read  write", "invalid_scope"),
    ] {
        let page = browser.authorize(&good.clone().with("scope", value)).await;
        page.told_error(value, error, "scope");
    }
    for value in ["https://other.example", "https://api.example#", "api"] {
        let page = browser
            .authorize(&good.clone().with("resource", value))
            .await;
        page.told_error(value, "invalid_target", "resource");
    }
    let resource = good.clone().with("resource", "https://api.example");
    let both = resource.clone().with("resource", "https://api.example");
    let page = browser.authorize(&both).await;
    page.told_error("two resources", "invalid_target", "resource");
    for (row, asked, needed) in [
        (
            "asked for",
            good.clone().with("scope", "read"),
            scope("read"),
        ),
        ("not asked for", good, scope("read write")),
        ("with a resource", resource, scope("read write")),
    ] {
        let page = browser.asked(&asked).await;
        let shown = crate::people::listed(&page, "needed").join(" ");
        assert_eq!(scope(&shown), needed, "{row}");
    }
}

/// C020: what a stranger asks for is nothing that the log would have to keep.
#[tokio::test]
async fn what_a_stranger_asks_for_costs_nothing() {
    let place = Place::new().await;
    let asked = Authorize::new(APP);
    let rows = [
        ("good", asked.clone()),
        ("silent", asked.clone().with("prompt", "none")),
        ("bad", asked.clone().set("response_type", "token")),
        ("nobody", asked.clone().set("client_id", "nobody")),
        ("a link", Authorize::link(APP)),
    ];
    for (row, asked) in &rows {
        let page = place.browser("stranger").authorize(asked).await;
        assert!(page.decision.expect("a decision").is_cheap(), "{row}");
        let page = place.browser("stranger").get("/consent?t=AAAA").await;
        page.refused(row, 403, "session");
        assert!(page.decision.expect("a decision").is_cheap(), "{row}");
    }
    let silent = &rows[1].1;
    let page = place.annas().authorize(silent).await;
    page.told_error("signed in", "consent_required", "consent");
    assert!(!page.decision.expect("a decision").is_cheap(), "control");
}

#[tokio::test]
async fn ca53_prompt_none_shows_no_page() {
    let place = Place::new().await;
    let silent = Authorize::new(APP).with("prompt", "none");
    let stranger = place.browser("stranger");
    for _ in 0..100 {
        let page = stranger.authorize(&silent).await;
        page.told_error("nobody", "login_required", "session");
        assert_eq!(page.headers.get(header::SET_COOKIE), None);
        assert_eq!(page.status, StatusCode::SEE_OTHER);
    }
    let browser = place.annas();
    let page = browser.authorize(&silent).await;
    page.told_error("never asked", "consent_required", "consent");
    let page = browser.asked(&Authorize::new(APP)).await;
    browser.allow(&page).await.code();
    place.world.set_clock(10.0);
    browser.authorize(&silent).await.code();
    let old = silent.clone().with("max_age", "0");
    let page = browser.authorize(&old).await;
    page.told_error("too long ago", "login_required", "session");
    browser
        .authorize(&silent.with("max_age", "10"))
        .await
        .code();
}

/// C018, C063
#[tokio::test]
async fn ca63_who_signed_in_too_long_ago_signs_in_again() {
    let place = Place::new().await;
    let browser = place.annas();
    browser
        .allow(&browser.asked(&Authorize::new(APP)).await)
        .await
        .code();
    place.world.set_clock(100.0);
    browser.authorize(&Authorize::new(APP)).await.code();
    for (row, asked) in [
        ("max_age", Authorize::new(APP).with("max_age", "60")),
        ("login", Authorize::new(APP).with("prompt", "login")),
        (
            "select_account",
            Authorize::new(APP).with("prompt", "select_account"),
        ),
    ] {
        browser.sign_in(ANNA, 70);
        let page = browser.authorize(&asked).await;
        goes_on(&page, row);
        let ticket = page.told("t").expect("a ticket");
        // Back, without signing in: the ticket alone is no authentication.
        goes_on(&browser.authorize(&asked).await, row);
        place.world.clock.advance(std::time::Duration::from_secs(1));
        let form = [("t", &*ticket), ("username", ANNA)];
        let page = browser.post("/signin", &form).await;
        assert_eq!(
            page.status,
            StatusCode::OK,
            "{row}: behind a form a page leads on"
        );
        page.code();
    }
    let enough = Authorize::new(APP).with("max_age", "600");
    browser.authorize(&enough).await.code();
}

/// C099
#[tokio::test]
async fn a_disabled_subject_is_nobody() {
    let place = Place::new().await;
    let browser = place.annas();
    browser
        .allow(&browser.asked(&Authorize::new(APP)).await)
        .await
        .code();
    let registry: &dyn grantor::storage::Registry<grantor::registry::Subject> = &*place.world.store;
    let by = grantor::registry::Actor::program("test");
    let id = ANNA.parse().expect("a subject");
    let disable = |anna: &grantor::registry::Subject| {
        Ok::<_, grantor::storage::StoreError>(anna.clone().disabled())
    };
    registry.change(&id, &by, disable).await.expect("a change");
    goes_on(&browser.authorize(&Authorize::new(APP)).await, "disabled");
    let silent = Authorize::new(APP).with("prompt", "none");
    let page = browser.authorize(&silent).await;
    page.told_error("disabled", "login_required", "session");
}

/// C019
#[tokio::test]
async fn a_hint_fills_in_a_name_and_nothing_else() {
    let place = Place::new().await;
    let browser = place.browser("b");
    let signin = |page: Page| page.leads_to().expect("a place").to_string();
    for hint in [ANNA, "nobody", "<script>"] {
        let asked = Authorize::new(APP).with("login_hint", hint);
        let place = signin(browser.authorize(&asked).await);
        let page = browser.get(&place).await;
        assert_eq!(page.json(), json!({"username": hint}));
    }
}

/// A ticket of one browser is of no use in another.
#[tokio::test]
async fn a_sign_in_goes_on_where_it_began() {
    let place = Place::new().await;
    let (browser, other) = (place.browser("b"), place.browser("other"));
    let page = browser.authorize(&Authorize::new(APP)).await;
    let ticket = page.told("t").expect("a ticket");
    let form = [("t", &*ticket), ("username", ANNA)];
    let page = other.post("/signin", &form).await;
    page.refused("another browser", 403, "ticket");
    for origin in ["https://evil.example", "null", "https://as.example:8443"] {
        let page = browser.post_from(origin, "/signin", &form).await;
        page.refused(origin, 403, "origin");
    }
    place.world.set_clock(15.0 * 60.0);
    let page = browser.post("/signin", &form).await;
    page.refused("after 15 minutes", 403, "ticket");
    place.world.set_clock(15.0 * 60.0 - 1.0);
    let page = browser.post("/signin", &form).await;
    assert!(
        page.leads_to().is_some_and(|url| url.path() == "/consent"),
        "{page:?}"
    );
}

fn parameter() -> impl Strategy<Value = (String, String)> {
    let names = Authorize::new(APP).pairs.into_iter().map(|(name, _)| name);
    let more = ["scope", "prompt", "max_age", "resource", "login_hint", "x"];
    let names: Vec<_> = names.chain(more.map(str::to_owned)).collect();
    let values = prop_oneof![
        "\\PC{0,40}",
        "https?://(app|evil)\\.example(/callback)?[ /?#@%:.]{0,3}",
        "(code|none|login|consent|read|write|S256| ){0,3}",
    ];
    (prop::sample::select(names), values)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is asked for, the server does not fail, and nobody is sent elsewhere.
    #[test]
    fn no_request_leads_astray(changes in prop::collection::vec(parameter(), 0..4), seen in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let place = Place::new().await;
            let browser = if seen { place.annas() } else { place.browser("b") };
            let asked = changes.iter().fold(Authorize::new(APP), |asked, (name, value)| asked.set(name, value));
            let page = browser.authorize(&asked).await;
            prop_assert!(!page.status.is_server_error(), "{page:?}");
            if let Some(url) = page.leads_to() {
                let origin = url.origin().ascii_serialization();
                prop_assert!([ISSUER, "https://app.example"].contains(&origin.as_str()), "{url}");
                prop_assert!(origin == ISSUER || url.path() == "/callback", "{url}");
                prop_assert_eq!(page.told("code"), None, "nobody has said yes");
            }
            Ok(())
        })?;
    }
}
