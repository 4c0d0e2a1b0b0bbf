//! MA29, MA31, and climbing by files: `POST /apply`.

use std::{collections::BTreeSet, sync::Barrier, thread};

use grantor::jose::Algorithm;
use grantor_testkit::double::Canary;
use serde_json::{Value, json};

use super::office::{Ask, Office, client};
use crate::{
    forge::Key,
    support::{Answer, JWT_BEARER},
};

fn apply(office: &Office, by: &str, resources: Value, more: Value) -> Answer {
    let mut body = json!({"resources": resources});
    for (member, value) in more.as_object().into_iter().flatten() {
        body[member] = value.clone();
    }
    office.ask(by, "POST", "/apply", &body)
}

const APPLY: &str = "/apply";

#[test]
fn ma04_ma05_m012_no_file_of_an_editor_gives_or_takes_power() {
    let office = Office::open();
    let post = |name: &str, scope: &str| {
        client(
            name,
            json!({
                "scope": scope, "token_endpoint_auth_method": "client_secret_post", "secret": "make",
                "grant_types": ["client_credentials", JWT_BEARER],
            }),
        )
    };
    let both = json!({"client": [post("ops", "grantor:admin read"), post("billing", "read")]});
    assert_eq!(
        apply(&office, "owner", both, Value::Null).status,
        200,
        "control"
    );
    for subject in ["root", "alice"] {
        office.server.ok(&["subject", "create", subject]);
    }
    office.done(
        "owner",
        "PUT",
        "/subjects/root/role",
        &json!({"role": "owner"}),
    );
    let key = Key::generate(Algorithm::Es256);
    let issuer = json!({"iss": "https://idp.example", "name": "idp", "keys": {"jwks": {"keys": [key.public_jwk(&[])]}}});
    let trust = |name: &str, client: &str, scope: &str| {
        json!({
            "name": name, "issuer": "https://idp.example", "client": client, "scope": scope,
            "pins": [{"claim": "sub", "equals": name}],
        })
    };
    // What reaches for power, and the same without.
    let rows = [
        (
            json!({"client": [post("new", "grantor:admin")]}),
            json!({"client": [post("new", "read")]}),
        ),
        (
            json!({"client": [post("billing", "read grantor:read")]}),
            json!({"client": [post("billing", "read write")]}),
        ),
        (
            json!({"client": [post("ops", "grantor:admin read write")]}),
            json!({"client": [post("billing", "read")]}),
        ),
        (
            json!({"client": [post("ops", "read")]}),
            json!({"client": [post("new", "write")]}),
        ),
        (
            json!({"client": [post("editor", "grantor:write grantor:admin")]}),
            json!({"client": [post("new", "read")]}),
        ),
        (
            json!({"subject": [{"id": "root", "enabled": false}]}),
            json!({"subject": [{"id": "alice", "enabled": false}]}),
        ),
        (
            json!({"permission": [{"client": "ops", "subject": "alice"}]}),
            json!({"permission": [{"client": "billing", "subject": "alice"}]}),
        ),
        (
            json!({"permission": [{"client": "billing", "subject": "root"}]}),
            json!({"permission": [{"client": "new", "subject": "alice"}]}),
        ),
        (
            json!({"scope": [{"name": "grantor:admin", "en": "Nothing"}]}),
            json!({"scope": [{"name": "read", "en": "Read"}]}),
        ),
        (
            json!({"issuer": [issuer], "trust": [trust("a", "ops", "read")]}),
            json!({"issuer": [issuer], "trust": [trust("a", "billing", "read")]}),
        ),
    ];
    for (power, twin) in rows {
        let body = json!({"resources": power});
        office.needs_owner(
            Ask {
                by: "editor",
                method: "POST",
                path: APPLY,
            },
            &body,
        );
        office.needs_owner(
            Ask {
                by: "editor",
                method: "POST",
                path: "/apply?override=true",
            },
            &body,
        );
        // A file with power in it does nothing else either: all or nothing.
        let mut both = power.clone();
        both["subject"] = json!([{"id": "bystander"}, power["subject"][0]]);
        if power["subject"].is_null() {
            both["subject"] = json!([{"id": "bystander"}]);
        }
        let both = json!({"resources": both});
        office.needs_owner(
            Ask {
                by: "editor",
                method: "POST",
                path: APPLY,
            },
            &both,
        );
        let done = apply(&office, "editor", twin.clone(), Value::Null);
        assert_eq!(done.status, 200, "control {twin}: {done:?}");
        assert_eq!(done.json()["applied"], true, "control {twin}: {done:?}");
    }
    // An owner's file, and an editor who prunes under its name.
    let owned = json!({"client": [client("mine", json!({"scope": "grantor:read", "secret": "make"}))], "subject": [{"id": "plain"}]});
    let done = apply(&office, "owner", owned, json!({"owner": "platform"}));
    assert_eq!(done.status, 200, "{done:?}");
    let prune =
        json!({"resources": {"subject": [{"id": "plain"}]}, "owner": "platform", "prune": true});
    office.needs_owner(
        Ask {
            by: "editor",
            method: "POST",
            path: APPLY,
        },
        &prune,
    );
    let other =
        json!({"resources": {"subject": [{"id": "plain", "enabled": false}]}, "owner": "another"});
    office.refused(
        Ask {
            by: "editor",
            method: "POST",
            path: APPLY,
        },
        &other,
        409,
        "managed",
    );
    let own =
        json!({"resources": {"subject": [{"id": "plain", "enabled": false}]}, "owner": "platform"});
    office.done("editor", "POST", APPLY, &own);
    office.refused(
        Ask {
            by: "reader",
            method: "POST",
            path: APPLY,
        },
        &own,
        403,
        "insufficient_scope",
    );
    // The last owner stays, whichever way it would go.
    let body = json!({"resources": {"client": [post("owner", "read")]}});
    office.done("owner", "PATCH", "/clients/ops", &json!({"enabled": false}));
    office.refused(
        Ask {
            by: "owner",
            method: "POST",
            path: APPLY,
        },
        &body,
        409,
        "last_owner",
    );
}

/// MA43, by a file: what would be registered is asked for afterwards.
#[test]
fn ma43_no_file_makes_the_server_send_one_of_its_own() {
    let office = Office::open();
    let canary = Canary::at("127.0.0.1");
    let secret = office.server.data().join("grantor.toml");
    let issuer = |more: Value| {
        let mut issuer = json!({"iss": "https://new.example", "name": "new", "keys": {"jwks_uri": "https://new.example/jwks"}});
        for (member, value) in more.as_object().into_iter().flatten() {
            issuer[member] = value.clone();
        }
        json!({"resources": {"issuer": [issuer]}})
    };
    let file = issuer(json!({"bearer_token_file": secret}));
    for by in ["editor", "owner"] {
        office.refused(
            Ask {
                by,
                method: "POST",
                path: APPLY,
            },
            &file,
            422,
            "invalid",
        );
    }
    let inside = issuer(
        json!({"allow_internal": ["127.0.0.0/8"], "keys": {"jwks_uri": canary.url("127.0.0.1")}}),
    );
    office.needs_owner(
        Ask {
            by: "editor",
            method: "POST",
            path: APPLY,
        },
        &inside,
    );
    assert!(canary.saw_nothing(), "MA43");
    office.done("editor", "POST", APPLY, &issuer(Value::Null));
    // Registered on the machine with a file; whoever comes by the API does not lead it elsewhere.
    office.done("owner", "DELETE", "/issuers/new", &Value::Null);
    let token = office.server.directory().join("token");
    std::fs::write(&token, "a-bearer-token").expect("a file");
    let token = token.to_string_lossy().into_owned();
    let create = [
        "issuer",
        "create",
        "https://own.example",
        "--name",
        "own",
        "--no-check",
        "--jwks-uri",
        "https://own.example/jwks",
    ];
    office
        .server
        .ok(&[&create[..], &["--bearer-token-file", &token]].concat());
    for body in [
        json!({"keys": {"jwks_uri": "https://mine.example/jwks"}}),
        json!({"keys": {"discovery": {}}}),
        json!({"bearer_token_file": secret}),
    ] {
        for check in ["", "?check=false"] {
            let path = format!("/issuers/own{check}");
            let before = office.last_change();
            let answer = office.ask("owner", "PATCH", &path, &body);
            assert_eq!(answer.status, 422, "MA43 {path} {body}: {answer:?}");
            assert_eq!(office.last_change(), before, "MA43 {path} {body}");
        }
    }
    office.done("owner", "PATCH", "/issuers/own", &json!({"leeway": 20}));
}

#[test]
fn ma29_one_fault_in_a_file_and_nothing_is_done_and_all_faults_are_named() {
    let office = Office::open();
    let key = Key::generate(Algorithm::Es256).public_jwk(&[]);
    let weak = json!({"kty": "RSA", "e": "AQAB", "n": "w".repeat(171)});
    let keyed = |number: usize, key: &Value| {
        client(
            &format!("c{number}"),
            json!({
                "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key]},
            }),
        )
    };
    let hundred = |last: &Value| -> Vec<Value> {
        (0..100)
            .map(|number| keyed(number, if number == 99 { last } else { &key }))
            .collect()
    };
    let rows = [
        (
            "weak key in the last",
            json!({"client": hundred(&weak)}),
            vec!["/resources/client/99/jwks"],
        ),
        (
            "unknown member",
            json!({"client": [keyed(0, &key)], "subject": [{"id": "a", "colour": "red"}]}),
            vec!["/resources/subject/0/colour"],
        ),
        (
            "unknown kind",
            json!({"subjects": [{"id": "a"}]}),
            vec!["/resources/subjects"],
        ),
        (
            "a role",
            json!({"operator": [{"subject": "a", "role": "owner"}]}),
            vec!["/resources/operator"],
        ),
        (
            "twice",
            json!({"subject": [{"id": "a"}, {"id": "b"}, {"id": "a"}]}),
            vec!["/resources/subject/2"],
        ),
        (
            "of no client",
            json!({"permission": [{"client": "nobody", "subject": "a"}], "subject": [{"id": "a"}]}),
            vec!["/resources/permission/0"],
        ),
        (
            "managed by another",
            json!({"subject": [{"id": "a", "managed_by": "x"}]}),
            vec!["/resources/subject/0/managed_by"],
        ),
        (
            "two faults",
            json!({"subject": [{"id": ""}], "client": [keyed(0, &weak)]}),
            vec!["/resources/subject/0", "/resources/client/0/jwks"],
        ),
        (
            "no list",
            json!({"subject": {"id": "a"}}),
            vec!["/resources/subject"],
        ),
    ];
    for (row, resources, pointers) in rows {
        let body = json!({"resources": resources});
        let before = office.last_change();
        for dry_run in [true, false] {
            let mut body = body.clone();
            body["dry_run"] = dry_run.into();
            let answer = office.ask("owner", "POST", APPLY, &body);
            office.judge(&format!("MA29 {row}"), &answer, 422, "invalid");
            let problem = answer.json();
            let errors = problem["errors"].as_array().expect("faults").iter();
            let told: Vec<_> = errors
                .map(|error| error["pointer"].as_str().unwrap_or_default().to_owned())
                .collect();
            for pointer in &pointers {
                let is_named = told.iter().any(|told| told.starts_with(pointer));
                assert!(is_named, "MA29 {row}: {pointer} in {told:?}: {problem}");
            }
        }
        assert_eq!(
            office.last_change(),
            before,
            "MA29 {row}: something was changed"
        );
    }
    let done = apply(
        &office,
        "owner",
        json!({"client": hundred(&key)}),
        Value::Null,
    );
    assert_eq!(done.status, 200, "MA29 control: {done:?}");
    let again = apply(
        &office,
        "owner",
        json!({"client": hundred(&key)}),
        json!({"dry_run": true}),
    );
    assert_eq!(
        again.json()["plan"]["summary"]["update"],
        0,
        "M071: {}",
        again.json()["plan"]["summary"]
    );
}

#[test]
fn ma31_a_plan_that_was_overtaken_is_not_carried_out() {
    let office = Office::open();
    office.server.ok(&["subject", "create", "a"]);
    let off = json!({"subject": [{"id": "a", "enabled": false}]});
    let plan = || {
        apply(&office, "editor", off.clone(), json!({"dry_run": true})).json()["plan"]["state"]
            .clone()
    };
    let state = plan();
    office.done("editor", "PATCH", "/subjects/a", &json!({"enabled": false}));
    office.done("editor", "PATCH", "/subjects/a", &json!({"enabled": true}));
    let body = json!({"resources": off, "expected": state});
    office.refused(
        Ask {
            by: "editor",
            method: "POST",
            path: APPLY,
        },
        &body,
        412,
        "moved_on",
    );
    for state in [json!("x"), json!("")] {
        let body = json!({"resources": off, "expected": state});
        office.refused(
            Ask {
                by: "editor",
                method: "POST",
                path: APPLY,
            },
            &body,
            412,
            "moved_on",
        );
    }
    let done = apply(&office, "editor", off.clone(), json!({"expected": plan()}));
    assert_eq!(done.status, 200, "MA31 control: {done:?}");
    // Two at once: one after the other, or one is told; both files whole, or one.
    let token = office.token("editor");
    for round in 0..30 {
        let names = |side: &str| -> Vec<Value> {
            (0..4)
                .map(|number| json!({"id": format!("s{round}-{number}"), "enabled": side == "on"}))
                .collect()
        };
        let start = Barrier::new(2);
        let send = |side: &str| {
            start.wait();
            office.ask_as(
                &token,
                "POST",
                APPLY,
                &json!({"resources": {"subject": names(side)}}),
                &[],
            )
        };
        let answers = thread::scope(|scope| {
            let on = scope.spawn(|| send("on"));
            let off = scope.spawn(|| send("off"));
            [
                on.join().expect("an answer"),
                off.join().expect("an answer"),
            ]
        });
        let is_one_done = answers.iter().any(|answer| answer.status == 200);
        let are_told = answers
            .iter()
            .all(|answer| [200, 409, 412].contains(&answer.status));
        assert!(is_one_done && are_told, "MA31 round {round}: {answers:?}");
        let states: BTreeSet<String> = (0..4)
            .map(|number| {
                office
                    .ask(
                        "reader",
                        "GET",
                        &format!("/subjects/s{round}-{number}"),
                        &Value::Null,
                    )
                    .json()["enabled"]
                    .to_string()
            })
            .collect();
        assert_eq!(
            states.len(),
            1,
            "MA31 round {round}: half of each: {answers:?}"
        );
    }
}
