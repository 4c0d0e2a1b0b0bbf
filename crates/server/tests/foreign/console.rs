//! Operators at Debian's Chromium: every page of the console, and what operators do by the keyboard
//! alone. A walk is a function in `browser/console.mjs` or `browser/tasks.mjs`; it asserts.

mod office;

use serde_json::json;

use self::office::Office;

/// The pages that others lead to, below the console.
const PAGES: &[&str] = &[
    "",
    "/account",
    "/changes",
    "/changes/*",
    "/clients",
    "/clients/*",
    "/clients/*/keys/new",
    "/clients/new",
    "/decisions",
    "/decisions/*",
    "/explain",
    "/help",
    "/issuers",
    "/issuers/*",
    "/issuers/new",
    "/operators",
    "/permissions",
    "/permissions/*/*",
    "/permissions/preview",
    "/scopes",
    "/scopes/*",
    "/server",
    "/signing-keys",
    "/signing-keys/new",
    "/statistics",
    "/subjects",
    "/subjects/*",
    "/subjects/*/invite",
    "/trusts",
    "/trusts/*",
    "/trusts/*/test",
];

/// Each kind of page once, on wide and narrow windows, in the light and in the dark.
#[test]
fn m160_m182_m188_ma16_ma34_every_page_is_whole_whatever_strangers_sent() {
    let office = Office::new();
    office.strangers_send(200);
    office.walk("console.mjs", "crawl", json!({"pages": PAGES, "often": 1}));
}

/// By the keyboard alone, with and without script, in English and in French.
#[test]
fn m100_m101_m111_m114_m115_m181_operators_do_their_tasks_by_the_keyboard_alone() {
    let office = Office::new();
    office.walk(
        "tasks.mjs",
        "tasks",
        json!({"jwt": office.jwt_for_another()}),
    );
    let plainly = json!({"jwt": office.jwt_for_another(), "script": false, "language": "fr"});
    office.walk("tasks.mjs", "tasks", plainly);
}

/// Every page several times, in both languages, as every role.
#[test]
#[ignore = "takes minutes"]
fn m180_m183_m188_ma16_ma34_every_page_of_every_kind_in_both_languages_as_every_role() {
    let office = Office::new();
    office.strangers_send(1000);
    for operator in office::OPERATORS {
        for language in ["en", "fr"] {
            let way = json!({"operator": operator, "language": language, "often": 5});
            office.walk("console.mjs", "crawl", way);
        }
    }
}

/// The other two of the four ways in which tasks are done; and on a dark page.
#[test]
#[ignore = "takes minutes"]
fn m101_m183_tasks_are_done_in_every_language_with_and_without_script_in_the_dark() {
    let office = Office::new();
    for way in [
        json!({"language": "fr", "dark": true}),
        json!({"script": false, "dark": true}),
    ] {
        let mut way = way;
        way["jwt"] = office.jwt_for_another().into();
        office.walk("tasks.mjs", "tasks", way);
    }
}
