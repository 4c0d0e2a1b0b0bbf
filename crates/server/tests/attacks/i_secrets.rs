//! I. Secrets, enumeration, side channels: what answers, logs, listings and files must not give
//! away. How long answers take is measured by the test program `timing`.

use std::{collections::HashSet, fs};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use grantor::jose::base64url_decode;
use grantor_testkit::binary::database::stored;
use serde_json::Value;

use crate::{
    forge::{ATTACKER, Jwt, quote},
    oracle::{Because, Party, Use, register, world},
    support::{Answer, Server},
};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

/// All that an answer says, but for the decision id and the time.
fn public_face(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let id = answer.decision_id();
    assert!(!id.is_empty(), "{answer:?}");
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("date"));
    let headers = headers.map(|(name, value)| (name.clone(), value.replace(&id, "ID")));
    (
        answer.status,
        headers.collect(),
        answer.body.replace(&id, "ID"),
    )
}

/// A form, an Authorization header, and why it is refused.
type Attempt<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>, Because);

/// These requests are refused for their own reasons, and cannot be told apart.
fn assert_same(row: &str, requests: &[Attempt<'_>]) {
    let world = world();
    let mut faces = Vec::new();
    for (form, authorization, because) in requests {
        let headers: Vec<_> = authorization
            .iter()
            .map(|value| ("Authorization", *value))
            .collect();
        let answer = world.attack(row, form, &headers);
        world.assert_cause(row, &answer, *because);
        faces.push(public_face(&answer));
    }
    assert!(
        faces.windows(2).all(|pair| pair[0] == pair[1]),
        "{row}: {faces:#?}"
    );
}

/// In the name of this party, by a key that is not its.
fn forged(party: &Party, usage: Use) -> Jwt<'_> {
    world().jwt(party, usage).by(&ATTACKER)
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

#[test]
fn i02_unknown_client_wrong_secret_and_wrong_method_look_the_same() {
    let world = world();
    let because = |cause| ("client", cause);
    let headers = [
        ("nobody.example", "x"),
        (world.basic.id, "x"),
        (world.post.id, &world.post.secret),
        (world.ec.id, "x"),
    ];
    let [unknown, wrong, crossed, keyed] = headers.map(|(id, secret)| basic(id, secret));
    assert_same(
        "I02 Basic",
        &[
            (&[GRANT], Some(&unknown), because("is not registered")),
            (&[GRANT], Some(&wrong), because("client secret is wrong")),
            (
                &[GRANT],
                Some(&crossed),
                ("method", "method: client is registered with"),
            ),
            (
                &[GRANT],
                Some(&keyed),
                ("method", "method: client is registered with"),
            ),
        ],
    );
    let form = |id, secret| [GRANT, ("client_id", id), ("client_secret", secret)];
    assert_same(
        "I02 post",
        &[
            (
                &form("nobody.example", "x"),
                None,
                because("is not registered"),
            ),
            (
                &form(world.post.id, "x"),
                None,
                because("client secret is wrong"),
            ),
            (
                &form(world.basic.id, &world.basic.secret),
                None,
                ("method", "method: client is registered with"),
            ),
            (
                &form(world.disabled.id, "x"),
                None,
                because("client is disabled"),
            ),
        ],
    );
    let good = basic(world.basic.id, &world.basic.secret);
    world.grants("I02 control", &[GRANT], &[("Authorization", &good)]);
    world.grants("I02 control", &form(world.post.id, &world.post.secret), &[]);
}

#[test]
fn i02_unknown_issuer_unknown_key_and_forged_signature_look_the_same() {
    let world = world();
    for usage in Use::BOTH {
        let nobody = forged(&world.ec, usage)
            .text("iss", "nobody.example")
            .text("sub", "nobody.example")
            .sign();
        let signature = forged(&world.ec, usage).sign();
        let key_id = forged(&world.ec, usage)
            .header("kid", quote("nobodys-key"))
            .sign();
        let algorithm = forged(&world.rsa, usage).openly_by(&ATTACKER).sign();
        let disabled = forged(&world.disabled, usage).sign();
        assert_same(
            &format!("I02 {usage:?}"),
            &[
                (&usage.form(&nobody), None, ("issuer", "is not registered")),
                (
                    &usage.form(&signature),
                    None,
                    ("signature", "signature does not verify"),
                ),
                (&usage.form(&key_id), None, ("key", "no key with this kid")),
                (
                    &usage.form(&algorithm),
                    None,
                    ("key", "no key for algorithm ES256"),
                ),
                (&usage.form(&disabled), None, ("issuer", "is disabled")),
            ],
        );
        world.passes_as(usage, "I02 control", &world.ec, |jwt| jwt.sign());
    }
}

/// Beside what `z_log` reads in the log: what operators are shown, and what lies on the disk.
#[test]
fn i06_no_secret_or_token_is_listed_or_stored_in_the_clear() {
    let world = world();
    let opaque = Party {
        id: "i06.example",
        key: world.ec.key.clone(),
    };
    register(
        &world.server,
        opaque.id,
        &[opaque.key.public_jwk(&[])],
        &["--token-format", "opaque"],
    );
    let good = basic(world.basic.id, &world.basic.secret);
    let wrong = basic(world.basic.id, &format!("{}x", world.basic.secret));
    let mut issued = vec![world.grants("I06 Basic", &[GRANT], &[("Authorization", &good)])];
    issued.extend(
        Use::BOTH.map(|usage| world.passes_as(usage, "I06 opaque", &opaque, |jwt| jwt.sign())),
    );
    let hmac = world.jwt(&world.hmac, Use::ClientAuth).sign();
    issued.push(world.grants("I06 MAC", &Use::ClientAuth.form(&hmac), &[]));
    let used = world.attack("I06 replay", &Use::ClientAuth.form(&hmac), &[]);
    let guess = world.attack("I06 guess", &[GRANT], &[("Authorization", &wrong)]);

    let mut shown = world.server.ok(&["client", "list", "--json"]);
    for party in [world.basic.id, world.hmac.id, world.post.id] {
        shown += &world.server.ok(&["client", "show", party]);
    }
    for answer in [&used, &guess] {
        let id = answer.decision_id();
        world.server.wait_until("the decision is stored", || {
            world
                .server
                .run(&["decisions", "show", &id])
                .status
                .success()
        });
        shown += &world.server.ok(&["decisions", "show", &id]);
        shown += &world.server.ok(&["decisions", "show", &id, "--json"]);
    }
    shown += &world.server.ok(&["decisions", "list", "--json"]);
    let mut credentials: Vec<_> = issued
        .iter()
        .map(|answer| {
            answer.json()["access_token"]
                .as_str()
                .expect("a token")
                .to_owned()
        })
        .collect();
    let signature = hmac.rsplit('.').next().expect("a signature").to_owned();
    let mac = world.hmac.key.text().to_owned();
    credentials.extend([
        hmac,
        signature,
        mac,
        world.basic.secret.clone(),
        world.post.secret.clone(),
    ]);
    let stored = stored(&world.server.data());
    let stored = String::from_utf8_lossy(&stored);
    for credential in credentials {
        assert!(!shown.contains(&credential), "a credential is shown");
        assert!(!stored.contains(&credential), "a credential is on the disk");
    }
    assert!(
        stored.contains(opaque.id),
        "control: registrations are on the disk"
    );
    assert!(
        shown.contains(world.basic.id),
        "control: there is something to look through"
    );
}

/// RFC 6749 §10.10: at least 128 random bits. Of each bit of many values, both states are about as
/// frequent. Decision ids open nothing; they only never repeat.
#[test]
fn i07_tokens_and_secrets_are_unpredictable() {
    const SAMPLES: usize = 128;
    let server = Server::start();
    server.client(
        "i07",
        &[
            "--auth",
            "client_secret_post",
            "--token-format",
            "opaque",
            "--grant",
            "client-credentials",
        ],
    );
    let (mut tokens, mut decisions, mut secrets) = (Vec::new(), Vec::new(), Vec::new());
    for count in 0..12 {
        let path = server.directory().join(format!("i07-{count}.json"));
        server.ok(&[
            "client",
            "rotate-secret",
            "i07",
            "--out",
            &path.to_string_lossy(),
        ]);
        let file: Value =
            serde_json::from_slice(&fs::read(path).expect("a key file")).expect("JSON");
        secrets.push(file["client_secret"].as_str().expect("a secret").to_owned());
    }
    let secret = secrets.last().expect("a secret").clone();
    let form = [
        GRANT,
        ("client_id", "i07"),
        ("client_secret", secret.as_str()),
    ];
    server.wait_until("the last secret works", || {
        server.token(&form).status == 200
    });
    for _ in 0..SAMPLES {
        tokens.push(
            server.token(&form).json()["access_token"]
                .as_str()
                .expect("a token")
                .to_owned(),
        );
        decisions.push(server.token(&[GRANT]).decision_id());
    }
    assert_eq!(
        decisions.iter().collect::<HashSet<_>>().len(),
        decisions.len(),
        "decision ids repeat"
    );
    for (what, texts, bits) in [("tokens", &tokens, 128), ("secrets", &secrets, 256)] {
        assert_eq!(
            texts.iter().collect::<HashSet<_>>().len(),
            texts.len(),
            "{what} repeat"
        );
        let octets: Vec<_> = texts
            .iter()
            .map(|text| base64url_decode(text).expect("base64url"))
            .collect();
        let length = octets[0].len() * 8;
        assert!(length >= bits, "{what} have {length} bits");
        // Six standard deviations of 128 coin tosses are 34.
        let ones = |bit: usize| {
            octets
                .iter()
                .filter(|octets| octets[bit / 8] >> (bit % 8) & 1 == 1)
                .count()
        };
        let predictable =
            (0..length).find(|&bit| texts.len() == SAMPLES && ones(bit).abs_diff(SAMPLES / 2) > 34);
        assert_eq!(predictable, None, "{what}: a bit that hardly changes");
    }
}

/// RFC 7591 §3.2.1; that of `client_secret_jwt` is with the symmetric attacks.
#[test]
fn i08_an_expired_or_replaced_secret_opens_nothing() {
    let world = world();
    let key_file = |path: &std::path::Path| -> String {
        let file: Value =
            serde_json::from_slice(&fs::read(path).expect("a key file")).expect("JSON");
        file["client_secret"].as_str().expect("a secret").to_owned()
    };
    let method = ["--auth", "client_secret_basic"];
    let expired = key_file(&world.server.client(
        "i08-expired",
        &[&method[..], &["--secret-lifetime", "0s"]].concat(),
    ));
    let old = key_file(&world.server.client("i08", &method));
    let attempt = |id, secret: &str| {
        world
            .server
            .post("/token", &[GRANT], &[("Authorization", &basic(id, secret))])
    };
    world.server.wait_until("the first secret works", || {
        attempt("i08", &old).status == 200
    });
    let path = world.server.directory().join("i08-new.json");
    world.server.ok(&[
        "client",
        "rotate-secret",
        "i08",
        "--out",
        &path.to_string_lossy(),
    ]);
    let new = key_file(&path);
    world.server.wait_until("the second secret works", || {
        attempt("i08", &new).status == 200
    });
    for (id, secret) in [("i08-expired", &expired), ("i08", &old)] {
        let answer = world.attack("I08", &[GRANT], &[("Authorization", &basic(id, secret))]);
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (401, "invalid_client")
        );
        world.assert_cause(
            "I08",
            &answer,
            ("client", "client secret is wrong or has expired"),
        );
    }
    world.grants(
        "I08 control",
        &[GRANT],
        &[("Authorization", &basic("i08", &new))],
    );
}
