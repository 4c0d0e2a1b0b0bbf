//! Clients whose keys are behind a `jwks_uri`.

use grantor_testkit::double::Canary;

use super::idp::{command_refused, jwks_file, server};
use crate::{
    forge::{ATTACKER, quote},
    oracle::{Party, Use, fresh, world},
    support::Server,
};

#[test]
fn ta68_keys_of_a_client_are_fetched_for_nobody_who_is_not_registered_and_enabled() {
    let (world, shared) = (world(), server());
    let canary = Canary::at("127.0.0.1");
    let url = format!("https://127.0.0.1:{}/jwks", canary.address.port());
    let jwks = jwks_file(shared, "ta68", &[ATTACKER.public_jwk(&[])]);
    let both = shared.run(&[
        "client",
        "create",
        "ta68-both",
        "--jwks",
        &jwks,
        "--jwks-uri",
        &url,
    ]);
    command_refused("TA68 both", &both, 2, "--jwks");
    for bad in [
        &*url,
        "http://keys.example/jwks",
        "https://me:secret@keys.example/jwks",
        "file:///etc/passwd",
        "/jwks",
    ] {
        let made = shared.run(&["client", "create", "ta68-bad", "--jwks-uri", bad]);
        assert!(!made.status.success(), "TA68 {bad}: {}", made.stdout);
    }
    // 192.0.2.0/24 is nobody's: it is not connected to.
    let nowhere = "https://192.0.2.1/jwks";
    for id in ["ta68.example", "ta68-disabled.example"] {
        shared.ok(&["client", "create", id, "--jwks-uri", nowhere]);
    }
    shared.ok(&["client", "disable", "ta68-disabled.example"]);
    let jwt = |id: &'static str, usage: Use| {
        let party = Party {
            id,
            key: ATTACKER.clone(),
        };
        world
            .jwt(&party, usage)
            .header("kid", quote(&fresh()))
            .sign()
    };
    let fetches = fetches(shared);
    for usage in Use::BOTH {
        for (row, id) in [
            ("unknown", "ta68-unknown.example"),
            ("disabled", "ta68-disabled.example"),
        ] {
            for _ in 0..20 {
                let token = jwt(id, usage);
                let answer = world.attack(&format!("TA68 {row}"), &usage.form(&token), &[]);
                assert_eq!(
                    (answer.status, answer.error().as_str()),
                    usage.refusal(),
                    "TA68 {row}"
                );
            }
        }
    }
    assert_eq!(
        self::fetches(shared),
        fetches,
        "TA68: something was fetched"
    );
    assert!(canary.saw_nothing(), "TA68: something was connected");
}

/// How often keys of others were fetched, or would have been.
fn fetches(server: &Server) -> usize {
    let is_fetch = |line: &&serde_json::Value| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.contains("could not be fetched"))
    };
    server.log().iter().filter(is_fetch).count()
}
