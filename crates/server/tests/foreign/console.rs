//! Operators at Debian's Chromium: every page of the console, and what operators do by the keyboard
//! alone. A walk is a function in `browser/console.mjs` or `browser/tasks.mjs`; it asserts.

mod office;

use serde_json::json;

use self::office::Office;

/// The pages that others lead to, below the console.
const PAGES: &[&str] = &["/clients", "/clients/*", "/scopes", "/scopes/*"];

#[test]
fn m160_m182_m188_ma16_ma34_every_page_is_whole_whatever_strangers_sent() {
    let office = Office::new();
    office.strangers_send(200);
    office.walk("console.mjs", "crawl", json!({"pages": PAGES, "often": 1}));
}

/// Every page several times, in every language, as every role, with its faults.
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
