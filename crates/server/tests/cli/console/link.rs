//! The link of `grantor console`: it opens the console once, by a form, within 5 minutes.

use grantor_testkit::binary::{Answer, Server, browser::Browser, clock::Clock};
use serde_json::Value;

fn link(server: &Server) -> String {
    let printed: Value = serde_json::from_str(&server.ok(&["console", "--json"])).expect("JSON");
    printed["link"].as_str().expect("a link").to_owned()
}

/// Opens the page of a link, and sends its form.
fn come_in(server: &Server, link: &str) -> (Answer, Option<Answer>) {
    let mut browser = Browser::new(server);
    let page = browser.open(link);
    let form = page
        .forms()
        .into_iter()
        .find(|form| form.action == "/console/open");
    let origin = [("Origin", server.issuer.as_str())];
    let answer = form.map(|form| browser.submit_as(&form, &[], &origin));
    (page, answer)
}

fn comes_in(server: &Server, link: &str) -> bool {
    let (_, answer) = come_in(server, link);
    answer.is_some_and(|answer| answer.header("location") == Some("/console/account"))
}

#[test]
fn m062_a_link_is_used_up_by_its_form_and_not_by_looking() {
    let server = Server::start();
    let link = link(&server);
    assert!(link.starts_with(&format!("{}/console/open?token=", server.issuer)));
    let mut scanner = Browser::new(&server);
    for _ in 0..3 {
        let page = scanner.open(&link);
        assert_eq!(page.status, 200, "{page:?}");
        assert!(page.body.contains("<bdi>admin</bdi>"), "{page:?}");
    }
    assert_eq!(scanner.open("/console/account").status, 303);
    assert!(comes_in(&server, &link));
}

#[test]
fn ma23_a_link_opens_nothing_the_second_time_nor_with_another_letter() {
    let server = Server::start();
    let link = link(&server);
    let mut other = link.clone();
    let last = other.pop();
    other.push(if last == Some('A') { 'E' } else { 'A' });
    let (refused, form) = come_in(&server, &other);
    assert_eq!((refused.status, form.is_none()), (400, true), "{refused:?}");
    // The form of the link's page was open already when somebody else came in.
    let mut late = Browser::new(&server);
    let form = late.open(&link).form("/console/open");
    assert!(comes_in(&server, &link));
    let (refused, none) = come_in(&server, &link);
    assert_eq!((refused.status, none.is_none()), (400, true), "{refused:?}");
    let refused = late.submit_as(&form, &[], &[("Origin", &server.issuer)]);
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(
        refused.body.contains("This link does not work any more"),
        "{refused:?}"
    );
    assert_eq!(late.open("/console/account").status, 303);
}

#[test]
fn ma23_a_link_ends_after_five_minutes() {
    let clock = Clock::new().expect("a compiler");
    let server = Server::start_under(&clock, "");
    for (seconds, opens) in [(290, true), (301, false)] {
        clock.set(0);
        let link = link(&server);
        clock.set(seconds);
        assert_eq!(comes_in(&server, &link), opens, "after {seconds} seconds");
    }
}

#[test]
fn ma23_a_spoofed_host_leads_nowhere_else() {
    let server = Server::start();
    let link = link(&server);
    let mut browser = Browser::new(&server);
    browser.host = "evil.example".to_owned();
    for headers in [
        vec![],
        vec![("X-Forwarded-Host".to_owned(), "evil.example".to_owned())],
    ] {
        browser.headers = headers;
        let page = browser.open(&link);
        assert!(!page.body.contains("evil.example"), "{page:?}");
        let forms = page.forms();
        assert!(
            forms
                .iter()
                .all(|form| form.action.starts_with("/console/")),
            "{forms:?}"
        );
    }
    // The control: the link is as good as before.
    assert!(comes_in(&server, &link));
}

#[test]
fn ma23_a_pipe_gets_no_link_and_no_log_has_one() {
    let server = Server::start();
    let piped = server.run(&["console"]);
    assert_eq!(
        (piped.status.code(), piped.stdout.as_str()),
        (Some(2), ""),
        "{}",
        piped.stderr
    );
    assert!(piped.stderr.contains("no terminal"), "{}", piped.stderr);
    assert!(!piped.stderr.contains("token="), "{}", piped.stderr);
    // Asked for JSON, it is a program that wants it.
    let link = link(&server);
    let (_, token) = link.split_once("token=").expect("a token");
    assert!(comes_in(&server, &link));
    comes_in(&server, &link);
    let log = server.log();
    assert!(!log.is_empty());
    let found = log.iter().find(|line| line.to_string().contains(token));
    assert_eq!(found, None);
    for record in ["decisions", "changes"] {
        let kept = server.ok(&[record, "list", "--json"]);
        assert!(!kept.contains(token), "{record}: {kept}");
    }
}
