//! The page of statistics.

use grantor_testkit::binary::console::text;

use crate::support::Server;

#[test]
fn m084_counts_are_a_chart_with_the_same_as_a_table_and_a_file() {
    let server = Server::start();
    let mut console = server.console();
    for _ in 0..3 {
        server.token(&[
            ("grant_type", "client_credentials"),
            ("client_id", "nobody"),
        ]);
    }
    let counted = |path: &str, console: &mut grantor_testkit::binary::console::Console<'_>| {
        text(&console.page(path).body)
    };
    server.wait_until("it is counted", || {
        counted("/statistics", &mut console).contains("3 refused")
    });
    let page = console.page("/statistics");
    assert!(
        page.body.contains("role=\"img\"") && page.body.contains("<desc"),
        "{page:?}"
    );
    assert!(!page.body.contains(" style="), "{page:?}");
    assert!(
        page.body.contains("<summary>The same as a table</summary>"),
        "{page:?}"
    );
    let by_rule = counted("/statistics?by=rule&step=hour", &mut console);
    assert!(by_rule.contains("Most often client: 3."), "{by_rule}");
    assert!(counted("/statistics?by=endpoint&step=day", &mut console).contains("token"));

    let csv = console.page("/statistics?by=rule&step=day&format=csv");
    assert!(csv.body.contains("\"client\",\"3\"\r\n"), "{csv:?}");
    let wrong = "from=2027-01-31T12:00:00Z&to=2027-01-31T11:00:00Z";
    let refused = console.open(&format!("/statistics?{wrong}"));
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(
        refused.body.contains("value=\"2027-01-31T12:00:00Z\""),
        "{refused:?}"
    );
    let right = "from=2027-01-31T11:00:00Z&to=2027-01-31T12:00:00Z";
    assert_eq!(console.open(&format!("/statistics?{right}")).status, 200);
    assert_eq!(console.open("/statistics?from=yesterday").status, 400);
}
