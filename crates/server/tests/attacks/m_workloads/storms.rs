//! Floods beside honest work, in short: how often keys are fetched, and that an honest job is heard.
//! The long ones, in which times are compared, are among the nightly tests.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use grantor::jose::Algorithm;
use grantor_testkit::binary::database::is_not_of_sqlite;
use grantor_testkit::double::{
    Publisher, Reply,
    publisher::{JWKS, OPENID, key_set},
};
use serde_json::json;

use super::idp::Idp;
use crate::{
    forge::{ATTACKER, Key, quote},
    oracle::{Use, fresh},
    support::{
        Server,
        clock::Clock,
        flood::{Connection, Flood, Statuses, Times, token_request},
    },
};

/// Where floods and honest jobs come from is told by a proxy on this machine.
const CONFIGURATION: &str = "[proxy]\ntrusted = [\"127.0.0.1\"]\n";
const PER_SECOND: u32 = 1000;
/// Honest requests beside a flood.
const HONEST: usize = 40;

/// A platform that strangers share, whose keys are fetched, with a trust of ours.
struct Platform {
    server: Server,
    clock: Option<Clock>,
    publisher: Publisher,
    idp: Idp,
}

impl Platform {
    fn start() -> Self {
        let clock = Clock::new().ok();
        let server = match &clock {
            Some(clock) => Server::start_under(clock, CONFIGURATION),
            None => Server::start_with(CONFIGURATION),
        };
        let key = Key::generate(Algorithm::Es256);
        let publisher = Publisher::apart(&[&key]);
        let shared = ["--shared", "--tenant-claim", "tenant"];
        let idp = Idp::published(&server, &publisher, "shared", &key, &shared);
        idp.trust(&server, "ours", &["--pin", "tenant=42"]);
        let this = Self {
            server,
            clock,
            publisher,
            idp,
        };
        let (status, _) = Connection::open(this.server.address).ask(&this.honest());
        assert_eq!(status, 200, "the honest job");
        this
    }

    /// A new cooldown begins.
    fn later(&mut self) {
        if let Some(clock) = &self.clock {
            self.idp.ahead += 31;
            clock.set(self.idp.ahead);
        }
    }

    fn honest(&self) -> String {
        token_request(&Use::Grant.form(&self.idp.jwt().sign()), "198.51.100.7")
    }

    /// Honest requests, while what `request` makes comes beside.
    fn beside(
        &self,
        request: impl Fn(usize) -> String + Send + Sync + 'static,
    ) -> (Statuses, Times) {
        let flood = Flood::begin(self.server.address, PER_SECOND, request);
        let mut connection = Connection::open(self.server.address);
        let (mut statuses, mut times) = (Statuses::new(), Times::default());
        // The flood is there, and goes on as long as the honest do.
        self.server.wait_until("the flood", || flood.sent() > 100);
        for _ in 0..HONEST {
            let (status, took) = connection.ask(&self.honest());
            *statuses.entry(status).or_default() += 1;
            times.add(took);
        }
        let (answers, _) = flood.end();
        let others = answers
            .keys()
            .filter(|status| ![400, 429, 503].contains(*status));
        assert_eq!(others.count(), 0, "the flood was answered {answers:?}");
        (statuses, times)
    }
}

/// Where a stranger is: one of 200 addresses.
fn stranger(number: usize) -> String {
    format!("203.0.113.{}", number % 200)
}

#[test]
fn ta46_t052_a_flood_of_unknown_keys_is_one_fetch_and_disturbs_no_honest_job() {
    let mut platform = Platform::start();
    let key = platform.idp.key.clone();
    let all_is_well = Reply::json(&key_set(&[&key]));
    for (row, reply) in [
        ("healthy", all_is_well.clone()),
        ("slow", all_is_well.late(Duration::from_secs(2))),
        ("500", Reply::status(500)),
        ("empty", Reply::json(&json!({"keys": []}))),
        ("silent", Reply::Hang),
    ] {
        platform.later();
        platform.publisher.says(JWKS, reply);
        let before = (
            platform.publisher.hits(OPENID),
            platform.publisher.hits(JWKS),
        );
        let (idp, started) = (platform.idp.clone(), Instant::now());
        let flood = move |number| {
            let kid = quote(&fresh());
            let token = idp.jwt().header("kid", kid).by(&ATTACKER).sign();
            token_request(&Use::Grant.form(&token), &stranger(number))
        };
        let (statuses, times) = platform.beside(flood);
        let all = BTreeMap::from([(200, HONEST)]);
        assert_eq!(statuses, all, "TA46 {row}: honest jobs; {times:?}");
        // One for each cooldown that has begun.
        let most = 1 + usize::try_from(started.elapsed().as_secs() / 30).expect("a short test");
        let fetched = (
            platform.publisher.hits(OPENID) - before.0,
            platform.publisher.hits(JWKS) - before.1,
        );
        assert!(
            fetched.0 <= most && fetched.1 <= most,
            "TA46 {row}: {fetched:?} in {:?}",
            started.elapsed()
        );
        if platform.clock.is_some() {
            assert_eq!(fetched.1, 1, "TA46 {row}: the flood caused no fetch");
        }
        assert!(
            times.median() < Duration::from_secs(1),
            "TA46 {row}: {times:?}"
        );
    }
}

#[test]
fn t043_a_flood_of_strangers_with_genuine_jwts_neither_delays_nor_shuts_out_a_job_of_ours() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    let platform = Platform::start();
    let before = platform.publisher.count();
    let idp = platform.idp.clone();
    let genuine = move |number| {
        let token = idp
            .jwt()
            .text("tenant", &format!("stranger-{number}"))
            .sign();
        token_request(&Use::Grant.form(&token), &stranger(number))
    };
    let (statuses, times) = platform.beside(genuine);
    assert_eq!(
        statuses,
        BTreeMap::from([(200, HONEST)]),
        "T043: honest jobs; {times:?}"
    );
    assert_eq!(
        platform.publisher.count(),
        before,
        "T043: known keys are not fetched"
    );
    assert!(times.median() < Duration::from_secs(1), "T043: {times:?}");
    // One address that goes on is told to wait, and ours is not, at the same issuer.
    let mut connection = Connection::open(platform.server.address);
    let guess = |number: usize| {
        let token = platform
            .idp
            .jwt()
            .text("tenant", &format!("s-{number}"))
            .sign();
        token_request(&Use::Grant.form(&token), "203.0.113.250")
    };
    let answers: Vec<_> = (0..260)
        .map(|number| connection.ask(&guess(number)).0)
        .collect();
    assert_eq!((answers[0], answers[259]), (400, 429), "T043: {answers:?}");
    assert_eq!(connection.ask(&platform.honest()).0, 200, "T043: ours");
    // No trust took any of them, so none was used up.
    let used: i64 = rusqlite::Connection::open(platform.server.data().join("grantor.db"))
        .and_then(|database| {
            database.query_row(
                "SELECT coalesce(sum(length(claims)), 0) / 40 FROM replay",
                [],
                |row| row.get(0),
            )
        })
        .expect("the table of used JWTs");
    assert!(
        used <= i64::try_from(HONEST).expect("few") + 2,
        "T022: {used} were used up"
    );
}
