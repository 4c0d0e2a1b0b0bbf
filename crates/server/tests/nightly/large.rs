//! MA38, M120, M016: a server with a million clients and a hundred thousand decisions. The overview
//! takes less than 100 ms, each other page that a link leads to less than 50 ms, and tokens take no
//! more than twice as long while ten people click. While another program exports all of it they take
//! no more than three times as long: twice is wanted (M016), and not reached where two cores do all.
#![allow(
    clippy::print_stdout,
    reason = "the measured times are worth reading: --nocapture"
)]

use std::{
    collections::{BTreeMap, VecDeque},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use grantor::clock::{Clock as _, SystemClock};
use grantor_testkit::binary::database::is_not_of_sqlite;
use grantor_testkit::{
    Key,
    rows::{self, CLIENTS, DECISIONS, PERMISSIONS, SUBJECTS, fill},
    wait,
};
use serde_json::Value;

use super::floods::{Platform, honest};
use crate::support::{
    Server,
    console::{Console, text},
    escape,
    flood::Times,
};

const OVERVIEW: Duration = Duration::from_millis(100);
const PAGE: Duration = Duration::from_millis(50);
/// Pages of one kind that are measured.
const OF_A_KIND: usize = 2;
const PEOPLE: usize = 10;
/// A person looks at a page for so long.
const LOOK: Duration = Duration::from_millis(500);
const TURNS: usize = 3;

/// A platform with a million clients, of whom an honest one got tokens, and was refused some.
fn large() -> Platform {
    let mut platform = Platform::start();
    let maker = platform.jwt();
    let stranger = Key::generate(grantor::jose::Algorithm::Es256);
    let decision = |request: String| {
        let mut connection = crate::support::flood::Connection::open(platform.server.address);
        connection.ask(&request).0
    };
    assert_eq!(decision(maker.honest()), 200);
    let forged = maker.request(&maker.jwt("42"), &stranger, "198.51.100.7");
    assert_eq!(decision(forged), 400);
    platform.server.terminate();
    let connection = rows::connect(&platform.server.data().join("grantor.db"));
    let now = SystemClock.now().millis().to_string();
    let since = |statements: &[&str]| -> Vec<String> {
        let statements = statements.iter();
        statements
            .map(|statement| statement.replace("1800000000000", &now))
            .collect()
    };
    let decisions = since(DECISIONS);
    // Decisions of the last hours, each with a document as requests have them.
    let decisions: Vec<_> = decisions
        .iter()
        .map(|statement| {
            statement
                .replace("+ 1000 * n", "- 100 * (100000 - n)")
                .replace(
                    "json_object('id', 'd' || n, 'filler', hex(randomblob(600)))",
                    DOCUMENT,
                )
        })
        .collect();
    for (count, statements) in [
        (1_000_000, since(CLIENTS)),
        (300_000, since(SUBJECTS)),
        (300_000, since(PERMISSIONS)),
        (100_000, decisions),
    ] {
        let statements: Vec<_> = statements.iter().map(String::as_str).collect();
        fill(&connection, count, &statements);
    }
    // And what the trust made of each, which is found without the document.
    let asked = "UPDATE decision SET trusts = first.trusts FROM (SELECT refused, trusts FROM decision ORDER BY sequence LIMIT 2) AS first
        WHERE first.refused = decision.refused";
    connection.execute(asked, []).expect("asked");
    drop(connection);
    platform.server = platform.server.restart();
    platform
}

/// A document of one of the two first decisions, with an id of its own.
const DOCUMENT: &str = "(SELECT json_set(record, '$.id', 'd' || n) FROM decision WHERE refused = (n % 50 = 0) ORDER BY sequence LIMIT 1)";

/// What a link leads to, without the names in it.
fn kind(link: &str) -> String {
    let (path, query) = link.split_once('?').unwrap_or((link, ""));
    let parts = path.trim_start_matches("/console").split('/').skip(1);
    let known = ["new", "by-hand", "preview"];
    let parts = parts.enumerate().map(|(place, part)| match place {
        0 => part,
        1 | 2 if !known.contains(&part) && part.contains(|c: char| !c.is_ascii_lowercase()) => "*",
        _ => part,
    });
    let names = query.split('&').filter_map(|field| field.split('=').next());
    let parts: Vec<_> = parts.collect();
    format!(
        "/{}?{}",
        parts.join("/"),
        names.collect::<Vec<_>>().join("&")
    )
}

fn links(page: &str) -> impl Iterator<Item = String> {
    let found = page.split(" href=\"").skip(1);
    let found = found.filter_map(|rest| rest.split('"').next());
    // Choices come as cookies, and files without a head.
    let is_other = |link: &str| {
        ["lang=", "theme=", "format="]
            .iter()
            .any(|part| link.contains(part))
    };
    found
        .filter(move |link| link.starts_with("/console") && !is_other(link))
        .map(text)
}

/// The links of the console, a few of each kind.
fn crawl(console: &mut Console<'_>) -> Vec<String> {
    let mut kinds = BTreeMap::<String, usize>::new();
    let mut waiting: VecDeque<_> = ["/console".to_owned()].into();
    let mut found = Vec::new();
    while let Some(link) = waiting.pop_front() {
        let count = kinds.entry(kind(&link)).or_default();
        if *count == OF_A_KIND || found.contains(&link) {
            continue;
        }
        *count += 1;
        let page = console.open(&link);
        let is_signed_in = page.body.contains("/console/signout");
        assert!(
            page.status == 200 && is_signed_in,
            "{link}: {}",
            page.status
        );
        waiting.extend(links(&page.body));
        found.push(link);
    }
    found
}

fn took(console: &mut Console<'_>, link: &str) -> Duration {
    let mut times = Times::default();
    for _ in 0..5 {
        let started = Instant::now();
        console.open(link);
        times.add(started.elapsed());
    }
    times.median()
}

/// Tokens while nothing else is done, and while this is, in turns. These take at most so many times
/// as long.
fn compare(what: &str, times: u32, platform: &Platform, meanwhile: impl Fn(&AtomicBool) + Sync) {
    let maker = platform.jwt();
    let (mut quiet, mut loud) = (Times::default(), Times::default());
    for _ in 0..TURNS {
        honest(platform, &maker, &mut quiet);
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let busy = scope.spawn(|| meanwhile(&is_over));
            honest(platform, &maker, &mut loud);
            is_over.store(true, Ordering::SeqCst);
            busy.join().expect("it went on");
        });
    }
    println!(
        "{what}: quiet median {:?} p99 {:?}, then median {:?} p99 {:?}",
        quiet.median(),
        quiet.percentile(99),
        loud.median(),
        loud.percentile(99),
    );
    // Below a millisecond the machine's own noise is larger.
    let most = (quiet.percentile(99) * times).max(quiet.percentile(99) + Duration::from_millis(5));
    assert!(loud.percentile(99) < most, "{what}: more than {most:?}");
}

#[test]
#[ignore = "a million clients, and times: .ci/nightly, on a quiet machine"]
fn ma38_m120_m016_the_pages_of_a_large_console_are_quick_and_tokens_go_on_meanwhile() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    let platform = large();
    let server: &Server = &platform.server;
    let mut console = server.console();
    let found = crawl(&mut console);
    let mut slow = Vec::new();
    for link in &found {
        let time = took(&mut console, link);
        println!("{time:?} {link}");
        let most = match link.as_str() {
            "/console" | "/console?time=day" | "/console?time=month" => OVERVIEW,
            _ => PAGE,
        };
        if time > most {
            slow.push((link, time));
        }
    }
    println!("{} pages", found.len());

    let people: Vec<_> = (0..PEOPLE)
        .map(|number| server.console_as(&format!("operator-{number}"), "editor"))
        .collect();
    let clicks = AtomicUsize::new(0);
    compare("ten people click", 2, &platform, |is_over| {
        thread::scope(|scope| {
            for (number, person) in people.iter().enumerate() {
                let (mut person, found, clicks) = (person.clone(), &found, &clicks);
                scope.spawn(move || {
                    let links = found.iter().cycle().skip(number * 7);
                    for link in links {
                        let due = Instant::now() + LOOK;
                        wait::blocking::comes(LOOK * 2, || {
                            Instant::now() >= due || is_over.load(Ordering::SeqCst)
                        });
                        if is_over.load(Ordering::SeqCst) {
                            return;
                        }
                        person.open(link);
                        clicks.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
    });
    println!("{} clicks", clicks.load(Ordering::SeqCst));

    let exporter = server.operator("grantor:read");
    let read = AtomicUsize::new(0);
    compare("all is exported", 2, &platform, |is_over| {
        let mut after = String::new();
        while !is_over.load(Ordering::SeqCst) {
            let portion = exporter.ask("GET", &format!("/export{after}"), &Value::Null);
            if portion.status == 429 {
                wait::blocking::comes(LOOK, || is_over.load(Ordering::SeqCst));
                continue;
            }
            assert_eq!(portion.status, 200, "{}", portion.body);
            // Whoever exports reads it on another machine: here it is only looked where to go on.
            let next = portion.body.rsplit_once("\"next\":\"");
            let next = next.and_then(|(_, rest)| rest.split('"').next());
            after = next.map_or_else(String::new, |next| format!("?after={}", escape(next)));
            read.fetch_add(1, Ordering::SeqCst);
        }
    });
    println!("{} portions", read.load(Ordering::SeqCst));
    assert!(slow.is_empty(), "{slow:#?}");
}
