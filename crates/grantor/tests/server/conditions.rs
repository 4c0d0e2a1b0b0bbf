//! Conditions of trusts, at the wire: what a JWT of an issuer is worth when a trust has one.

use grantor::registry::{Condition, Match};
use grantor_testkit::{Answer, Form, JWT_BEARER, Jwt, ThirdParty, World, pin};

/// A world with a trust `ci` that has this condition beside its pin.
async fn world(condition: &str) -> (World, ThirdParty) {
    let world = World::new();
    let idp = world.third_party("idp", |_| ()).await;
    world.trusted_client("deployer").await;
    let condition = Condition::stored(condition);
    world
        .trust(&idp, "ci", "deployer", |trust| {
            trust.condition = Some(condition);
        })
        .await;
    (world, idp)
}

async fn send(world: &World, idp: &ThirdParty, jwt: Jwt) -> Answer {
    let form = Form::new(JWT_BEARER).with("assertion", &jwt.sign(&idp.key));
    world.send(&form).await
}

#[tokio::test]
async fn ta30_t039_what_cannot_be_evaluated_takes_nothing_and_the_record_says_why() {
    for (condition, claim, value, cause) in [
        (
            "assertion.event == 'push'",
            "other",
            r#""push""#,
            "not decided: there is no claim event",
        ),
        (
            "assertion.event == 'push'",
            "event",
            "null",
            "false; event is",
        ),
        (
            "assertion.event == 'push'",
            "event",
            r#""pull""#,
            "false; event is pull",
        ),
        (
            "assertion.event.startsWith('push')",
            "event",
            r#"["push"]"#,
            "`startsWith` does not take list and string",
        ),
        (
            "7 / assertion.run == 1 && assertion.run / (assertion.run - 7) == 1",
            "x",
            "1",
            "a number is divided by zero",
        ),
        (
            "assertion.event",
            "event",
            r#""true""#,
            "neither true nor false",
        ),
        (
            "assertion.event.matches('push')",
            "event",
            r#""push""#,
            "the stored condition is refused",
        ),
    ] {
        let (world, idp) = world(condition).await;
        let jwt = idp.jwt().claim(claim, value.to_owned());
        for _ in 0..2 {
            // It is not used up.
            let answer = send(&world, &idp, jwt.clone()).await;
            answer.refused(condition, "invalid_grant", "trust", cause);
            assert_eq!(
                answer.description(),
                "the condition of trust ci does not hold"
            );
        }
    }
    for (condition, claim, value) in [
        ("assertion.event == 'push'", "event", r#""push""#),
        (
            "assertion.event[0].startsWith('push')",
            "event",
            r#"["push"]"#,
        ),
        ("7 / assertion.run == 1", "x", "1"),
        ("assertion.event", "event", "true"),
        ("glob(assertion.event, 'push')", "event", r#""push""#),
    ] {
        let (world, idp) = world(condition).await;
        let jwt = idp.jwt().claim(claim, value.to_owned());
        send(&world, &idp, jwt).await.granted(condition);
    }
}

#[tokio::test]
async fn t031_the_record_has_the_claims_that_a_condition_mentions_and_no_others() {
    let (world, idp) = world("assertion.ref == 'x' || has(assertion.missing)").await;
    let jwt = idp.jwt().text("email", "jo@acme.example");
    let answer = send(&world, &idp, jwt).await;
    let told = "the condition is false; ref is refs/heads/main; missing is missing";
    answer.refused("ref", "invalid_grant", "trust", told);
    let record = answer.decision.record();
    assert!(
        record.contains("refs/heads/main") && !record.contains("jo@acme"),
        "{record}"
    );
}

#[tokio::test]
async fn ta34_claims_that_look_like_code_are_data() {
    let (world, idp) =
        world("assertion.event == 'push' || glob(assertion.event, 'release/*')").await;
    for event in ["' || true || '", "${x}", "{sub}", "`push`", "**"] {
        let answer = send(&world, &idp, idp.jwt().text("event", event)).await;
        answer.refused(event, "invalid_grant", "trust", "the condition is false");
    }
    for event in ["push", "release/'||true", "release/${x}"] {
        send(&world, &idp, idp.jwt().text("event", event))
            .await
            .granted(event);
    }
}

#[tokio::test]
async fn ta33_the_largest_jwts_are_answered() {
    let (world, idp) = world("assertion.groups.exists(group, group == 1)").await;
    // A token has sixteen kibibytes, of which base64 takes a quarter.
    let groups = |last: u8| format!("[{}{last}]", "0,".repeat(3900));
    let sent = |last| idp.jwt().claim("groups", groups(last));
    send(&world, &idp, sent(1)).await.granted("it is the last");
    let answer = send(&world, &idp, sent(2)).await;
    answer.refused("2", "invalid_grant", "trust", "the condition is false");

    let (world, idp) = self::world("assertion.groups.exists(one, one in assertion.groups)").await;
    let answer = send(&world, &idp, idp.jwt().claim("groups", groups(1))).await;
    answer.refused(
        "squared",
        "invalid_grant",
        "trust",
        "the claims are too large for it",
    );
    let few = idp.jwt().claim("groups", "[1]".to_owned());
    send(&world, &idp, few).await.granted("few");
}

#[tokio::test]
async fn ta19_ta20_neighbours_of_a_name_are_refused_by_pins_and_globs() {
    let world = World::new();
    let idp = world.third_party("idp", |_| ()).await;
    world.trusted_client("deployer").await;
    world
        .trust(&idp, "ci", "deployer", |trust| {
            trust.pins.push(pin("repository", "acme/widgets"));
            let of = |claim: &str, glob: &str| {
                Match::new(
                    claim.parse().expect("a claim"),
                    glob.parse().expect("a glob"),
                )
            };
            trust.matches = vec![
                of("repository", "acme/*"),
                of("ref", "refs/heads/release/*"),
            ];
        })
        .await;
    let jwt = |repository: &str, reference: &str| {
        idp.jwt()
            .text("repository", repository)
            .text("ref", reference)
    };
    let good = jwt("acme/widgets", "refs/heads/release/a");
    send(&world, &idp, good).await.granted("the very names");
    for (repository, reference) in [
        ("acme/widgets-evil", "refs/heads/release/a"),
        ("acme-evil/widgets", "refs/heads/release/a"),
        ("evil/acme-widgets", "refs/heads/release/a"),
        ("acme/widgets", "refs/heads/release/a/b"),
        ("acme/widgets", "refs/heads/release/"),
        ("acme/widgets", "refs/heads/release/a:b"),
        ("acme/widgets", "refs/heads/x/refs/heads/release/a"),
        ("acme/widgets", "refs/heads/release-x"),
    ] {
        let answer = send(&world, &idp, jwt(repository, reference)).await;
        answer.refused(reference, "invalid_grant", "trust", "");
    }
}
