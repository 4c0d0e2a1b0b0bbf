//! `exp`, `nbf` and `iat` at their exact boundaries, by a clock that stands still (RFC 7523 §3 (4)
//! to (6)).

use grantor::assertion::Lifetimes;
use grantor_testkit::{Jwt, NOW, Party, Reason::Same, Use, World};
use std::time::Duration;

/// What becomes of one row.
#[derive(Clone, Copy)]
enum Verdict {
    Good,
    Bad(&'static str, &'static str),
}

use Verdict::{Bad, Good};

async fn judge(
    world: &World,
    party: &Party,
    row: &str,
    change: impl FnOnce(Jwt) -> Jwt,
    verdict: Verdict,
) {
    match verdict {
        Good => drop(world.accepts(party, row, change).await),
        Bad(rule, cause) => world.refuses(party, row, change, Same(rule, cause)).await,
    }
}

/// A date this many milliseconds from [`NOW`], as a JSON number.
fn date(millis: i64) -> String {
    let total = NOW * 1000 + millis;
    match total % 1000 {
        0 => (total / 1000).to_string(),
        fraction => format!("{}.{fraction:03}", total / 1000),
    }
}

#[tokio::test]
async fn an_assertion_is_good_until_expiry_plus_leeway() {
    let rows = [
        (3_600_000, Good),
        (1, Good),
        (0, Good),
        (-29_999, Good),
        (-30_000, Bad("exp", "exp: expired 30 s ago")),
        (-30_001, Bad("exp", "exp: expired 30 s ago")),
        (-31_000, Bad("exp", "exp: expired 31 s ago")),
        (-86_400_000, Bad("exp", "exp: expired 86400 s ago")),
    ];
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        for (millis, verdict) in rows {
            judge(
                &world,
                &party,
                &format!("exp {millis} ms"),
                |jwt| jwt.without("iat").claim("exp", date(millis)),
                verdict,
            )
            .await;
        }
    }
}

#[tokio::test]
async fn without_leeway_now_must_be_before_expiry() {
    let lifetimes = Lifetimes {
        leeway: Duration::ZERO,
        ..Lifetimes::default()
    };
    let rows = [
        (1, Good),
        (0, Bad("exp", "exp: expired 0 s ago")),
        (-1, Bad("exp", "exp: expired 0 s ago")),
    ];
    for usage in Use::ALL {
        let world = World::with(|builder| builder.lifetimes(lifetimes));
        let party = world.party(usage).await;
        for (millis, verdict) in rows {
            judge(
                &world,
                &party,
                &format!("exp {millis} ms"),
                |jwt| jwt.without("iat").claim("exp", date(millis)),
                verdict,
            )
            .await;
        }
        judge(
            &world,
            &party,
            "nbf now",
            |jwt| jwt.claim("nbf", date(0)),
            Good,
        )
        .await;
        judge(
            &world,
            &party,
            "nbf 1 ms",
            |jwt| jwt.claim("nbf", date(1)),
            Bad("nbf", "nbf: not valid for another"),
        )
        .await;
    }
}

#[tokio::test]
async fn the_same_assertion_expires_as_the_clock_moves() {
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        let [in_time, late] = [party.good_form(), party.good_form()];
        world.set_clock(89.999);
        world
            .send(&in_time)
            .await
            .granted("one millisecond before exp + leeway");
        world.set_clock(90.0);
        world.send(&late).await.refused(
            "at exp + leeway",
            usage.error(),
            "exp",
            "exp: expired 30 s ago",
        );
    }
}

#[tokio::test]
async fn expiry_is_at_most_one_hour_plus_leeway_ahead() {
    let late = Bad("exp", "exp: expected at most 3600 s ahead");
    let rows = [
        (3_600_000, Good),
        (3_630_000, Good),
        (3_630_001, late),
        (3_631_000, late),
        (86_400_000, late),
    ];
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        for (millis, verdict) in rows {
            judge(
                &world,
                &party,
                &format!("exp {millis} ms"),
                |jwt| jwt.claim("exp", date(millis)),
                verdict,
            )
            .await;
            let without = |jwt: Jwt| jwt.without("iat").claim("exp", date(millis));
            judge(
                &world,
                &party,
                &format!("exp {millis} ms, no iat"),
                without,
                verdict,
            )
            .await;
        }
    }
}

#[tokio::test]
async fn not_before_has_come_but_for_leeway() {
    let early = Bad("nbf", "nbf: not valid for another");
    let rows = [
        (-86_400_000, Good),
        (0, Good),
        (8_000, Good),
        (30_000, Good),
        (30_001, early),
        (65_000, early),
    ];
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        for (millis, verdict) in rows {
            let change = |jwt: Jwt| jwt.claim("nbf", date(millis)).claim("exp", date(600_000));
            judge(&world, &party, &format!("nbf {millis} ms"), change, verdict).await;
        }
    }
}

#[tokio::test]
async fn issue_time_is_neither_in_the_future_nor_long_ago() {
    let early = Bad("iat", "in the future");
    let old = Bad("iat", "iat: expected at most 3600 s ago");
    let rows = [
        (8_000, Good),
        (30_000, Good),
        (30_001, early),
        (65_000, early),
        (-3_600_000, Good),
        (-3_630_000, Good),
        (-3_630_001, old),
        (-86_400_000, old),
    ];
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        for (millis, verdict) in rows {
            let change = |jwt: Jwt| jwt.claim("iat", date(millis)).claim("exp", date(600_000));
            judge(&world, &party, &format!("iat {millis} ms"), change, verdict).await;
        }
    }
}

#[tokio::test]
async fn an_assertion_ends_after_it_starts() {
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        for claim in ["iat", "nbf"] {
            let cause = format!("exp: not after {claim}");
            for (start, end) in [(10_000, 9_000), (10_000, 10_000), (0, -1)] {
                let change = |jwt: Jwt| {
                    jwt.without("iat")
                        .claim(claim, date(start))
                        .claim("exp", date(end))
                };
                world
                    .refuses(
                        &party,
                        &format!("{claim} {start} exp {end}"),
                        change,
                        Same("exp", &cause),
                    )
                    .await;
            }
            let change = |jwt: Jwt| {
                jwt.without("iat")
                    .claim(claim, date(10_000))
                    .claim("exp", date(10_001))
            };
            world
                .accepts(&party, "one millisecond of life", change)
                .await;
        }
    }
}

#[tokio::test]
async fn numbers_of_every_spelling_are_judged_by_their_value() {
    let ahead = Bad("exp", "exp: expected at most");
    let past = Bad("exp", "exp: expired");
    let syntax = Bad("claims", "not valid JSON");
    let rows = [
        ("1800000060.5", Good),
        ("1.80000006e9", Good),
        ("180000006E+1", Good),
        ("18000000600e-1", Good),
        ("0", past),
        ("-0", past),
        ("-0.0", past),
        ("-1", past),
        ("1.5", past),
        ("1e-400", past),
        ("-9223372036854775808", past),
        ("-1e308", past),
        ("9007199254740993", ahead),
        ("9223372036854775807", ahead),
        ("9223372036854775808", ahead),
        ("18446744073709551615", ahead),
        ("18446744073709551616", ahead),
        ("1e10", ahead),
        ("1e19", ahead),
        ("1e308", ahead),
        ("1e400", syntax),
        ("-1e400", syntax),
        ("NaN", syntax),
        ("Infinity", syntax),
        ("-Infinity", syntax),
        ("0x10", syntax),
        ("+1800000060", syntax),
        ("01800000060", syntax),
        ("1800000060.", syntax),
    ];
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        for (number, verdict) in rows {
            judge(
                &world,
                &party,
                number,
                |jwt| jwt.without("iat").claim("exp", number),
                verdict,
            )
            .await;
        }
    }
}

#[tokio::test]
async fn extreme_dates_of_other_claims_are_refused_without_flooding_the_answer() {
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        for (claim, number) in [
            ("nbf", "1e308"),
            ("iat", "1e308"),
            ("iat", "-1e308"),
            ("exp", "-1e308"),
        ] {
            let jwt = party.jwt().claim(claim, number);
            let answer = world.send(&party.form(&jwt.sign(&party.key))).await;
            answer.refused(number, usage.error(), claim, claim);
            assert!(answer.description().len() < 100, "{}", answer.description());
        }
    }
}
