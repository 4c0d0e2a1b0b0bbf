//! Who signed, for whom, when, and how often: what is asked before any trust.

use grantor::jose::Algorithm;
use grantor_testkit::{double::Publisher, forge::with_other_s};
use serde_json::{Value, json};

use super::idp::{Idp, NOT_TAKEN, claims, command_refused, jwks_file, refused_as, server};
use crate::{
    forge::{ATTACKER, Jwt, Key, quote},
    oracle::{Because, Use, fresh, now, world},
};

const SIGNATURE: Because = ("signature", "");
const UNKNOWN: Because = ("issuer", "is not registered");

#[test]
fn ta01_the_key_of_one_issuer_signs_for_no_other_also_under_the_same_kid() {
    let server = server();
    let [a, b] = ["ta01-a", "ta01-b"].map(|name| {
        let key = Key::generate(Algorithm::Es256);
        let jwks = jwks_file(server, name, &[key.public_jwk(&[("kid", json!("same"))])]);
        let iss = format!("https://{name}.example");
        server.ok(&["issuer", "create", &iss, "--name", name, "--jwks", &jwks]);
        let idp = Idp::of(server, &iss, name, &key);
        idp.trusted(server);
        idp
    });
    for (idp, other) in [(&a, &b), (&b, &a)] {
        for usage in Use::BOTH {
            let forged = idp.jwt().header("kid", quote("same")).by(&other.key).sign();
            refused_as(usage, "TA01", &forged, SIGNATURE);
            idp.passes_as(usage, "TA01 control", |jwt| {
                jwt.header("kid", quote("same")).sign()
            });
        }
    }
}

/// What GitHub says of a job.
fn github_claims() -> Value {
    json!({
        "sub": "repo:acme/widgets", "repository": "acme/widgets", "repository_id": "456789",
        "repository_owner": "acme", "repository_owner_id": "123456", "ref": "refs/heads/main",
        "event_name": "push", "ref_type": "branch", "workflow": "release", "actor": "jo", "tenant": null,
    })
}

#[test]
fn ta02_the_claims_of_one_platform_are_worth_nothing_from_another() {
    let server = server();
    let [github, forgejo] = ["ta02-github", "ta02-forgejo"].map(|name| Idp::bare(name, &[]));
    for (idp, owner) in [(&github, "123456"), (&forgejo, "7")] {
        let owner = format!("repository_owner_id={owner}");
        idp.trust(server, &idp.name, &["--pin", &owner]);
    }
    let claims = github_claims();
    refused_as(
        Use::Grant,
        "TA02",
        &forgejo.jwt_with(&claims).sign(),
        NOT_TAKEN,
    );
    let forged = forgejo.jwt_with(&claims).text("iss", &github.iss).sign();
    refused_as(
        Use::Grant,
        "TA02 forged",
        &forged,
        ("key", "no key with this kid"),
    );
    let token = github.jwt_with(&claims).sign();
    world().grants("TA02 control", &Use::Grant.form(&token), &[]);
}

#[test]
fn ta04_what_we_sign_ourselves_is_no_assertion() {
    let (world, server) = (world(), server());
    let idp = Idp::new("ta04");
    let own = idp.passes_as(Use::Grant, "TA04 an access token", |jwt| jwt.sign());
    let own = own.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    for usage in Use::BOTH {
        refused_as(usage, "TA04 our access token", &own, UNKNOWN);
    }
    idp.refuses(
        "TA04 our name",
        |jwt| jwt.text("iss", &server.issuer).sign(),
        UNKNOWN,
    );
    for typ in ["at+jwt", "oauth-id-jag+jwt", "logout+jwt"] {
        let because = ("typ", typ);
        idp.refuses(
            &format!("TA04 {typ}"),
            |jwt| jwt.header("typ", quote(typ)).sign(),
            because,
        );
    }
    let path = jwks_file(server, "ta04-own", &[ATTACKER.public_jwk(&[])]);
    let create = [
        "issuer",
        "create",
        &server.issuer,
        "--name",
        "ta04-own",
        "--jwks",
        &path,
    ];
    let made = server.run(&create);
    command_refused("TA04 our name as an issuer", &made, 2, &server.issuer);
    // T018: a name is one party's, from both sides.
    let made = server.run(&[
        "issuer",
        "create",
        world.ec.id,
        "--name",
        "ta04-x",
        "--jwks",
        &path,
    ]);
    command_refused("T018 a client's name", &made, 1, world.ec.id);
    let made = server.run(&["client", "create", &idp.iss, "--jwks", &path]);
    command_refused("T018 an issuer's name", &made, 1, &idp.iss);
}

#[test]
fn ta05_iss_is_compared_to_the_letter_and_nothing_is_fetched_for_a_like_one() {
    let server = server();
    let key = Key::generate(Algorithm::Es256);
    let publisher = Publisher::apart(&[&key]);
    let idp = Idp::published(server, &publisher, "ta05", &key, &[]);
    idp.trusted(server);
    idp.passes("TA05 control", |jwt| jwt.sign());
    let asked = publisher.count();
    let port = idp.iss.rsplit(':').next().expect("a port");
    for name in [
        format!("{}/", idp.iss),
        idp.iss.to_uppercase(),
        idp.iss.replace("http:", "HTTP:"),
        format!("http://localhost:{port}"),
        format!("http://127.0.0.%31:{port}"),
        format!("http://127.1:{port}"),
        format!("http://127.0.0.1:0{port}"),
        format!("{}?", idp.iss),
        format!("{}#", idp.iss),
        format!(" {}", idp.iss),
        idp.iss.replace("http", "htt\u{440}"),
        idp.iss.replace("127", "127\u{200b}"),
        idp.iss.replace(':', "\u{ff1a}"),
    ] {
        idp.refuses(
            &format!("TA05 {name:?}"),
            |jwt| jwt.text("iss", &name).sign(),
            UNKNOWN,
        );
    }
    let named = Idp::with("ta05-https", &[]);
    for name in [
        "https://ta05-https.example:443",
        "https://ta05-https.example/",
    ] {
        named.refuses(
            &format!("TA05 {name:?}"),
            |jwt| jwt.text("iss", name).sign(),
            UNKNOWN,
        );
    }
    assert_eq!(publisher.count(), asked, "TA05: something was fetched");
}

#[test]
fn ta06_iss_is_a_text() {
    let idp = Idp::new("ta06");
    for json in ["null", "1", "true", "{}", "[\"https://ta06.example\"]"] {
        let because = ("claims", "claim 'iss' is not a string");
        idp.refuses(
            &format!("TA06 {json}"),
            |jwt| jwt.claim("iss", json).sign(),
            because,
        );
    }
    let missing = ("issuer", "claim 'iss' is missing");
    idp.refuses("TA06 missing", |jwt| jwt.without("iss").sign(), missing);
    let spiffe = "spiffe://unknown.example/workload";
    let named = |jwt: Jwt<'_>| jwt.without("iss").text("sub", spiffe).sign();
    idp.refuses("TA06 of a domain that nobody has", named, missing);
}

#[test]
fn ta16_the_audience_is_ours_to_the_letter_and_alone() {
    let ours = server().issuer.clone();
    let idp = Idp::new("ta16");
    let sole = |aud: Value, rule: &'static str| {
        let forge = |jwt: Jwt<'_>| jwt.claim("aud", aud.to_string()).sign();
        idp.refuses(&format!("TA16 {aud}"), forge, (rule, ""));
    };
    for aud in [
        json!("https://other.example"),
        json!(format!("{ours}/")),
        json!(format!("{ours}.evil.example")),
        json!(ours[..ours.len() - 1]),
        json!(ours.to_uppercase()),
        json!([ours, "https://other.example"]),
        json!([]),
        json!(""),
        json!([""]),
    ] {
        sole(aud, "aud");
    }
    for aud in [
        json!([ours, null]),
        json!(null),
        json!(1),
        json!({"aud": ours}),
    ] {
        sole(aud, "claims");
    }
    idp.refuses(
        "TA16 missing",
        |jwt| jwt.without("aud").sign(),
        ("aud", "missing"),
    );
    idp.passes("TA16 an array of one", |jwt| {
        jwt.claim("aud", json!([ours]).to_string()).sign()
    });
    let any = Idp::with("ta16-any", &["--audience-match", "any"]);
    let both = json!(["ari:cloud:bitbucket::workspace/W", ours]).to_string();
    any.passes("TA16 any", |jwt| jwt.claim("aud", both.clone()).sign());
    let null = json!([ours, null]).to_string();
    any.refuses(
        "TA16 any null",
        |jwt| jwt.claim("aud", null.clone()).sign(),
        ("claims", ""),
    );
    let foreign = json!(["https://other.example"]).to_string();
    any.refuses(
        "TA16 any foreign",
        |jwt| jwt.claim("aud", foreign.clone()).sign(),
        ("aud", ""),
    );
}

/// What a pod has mounted by default.
fn kubernetes_claims() -> Value {
    json!({
        "sub": "system:serviceaccount:billing:deployer", "tenant": null,
        "kubernetes.io": {
            "namespace": "billing", "pod": {"name": "web-0", "uid": "p"},
            "serviceaccount": {"name": "deployer", "uid": "f5720c1d"},
        },
    })
}

#[test]
fn ta17_a_token_for_the_api_server_of_a_cluster_is_not_for_us() {
    let server = server();
    let idp = Idp::bare("ta17", &["--replay", "reusable"]);
    let pins = [
        "--pin",
        "/kubernetes.io/namespace=billing",
        "--pin",
        "/kubernetes.io/serviceaccount/name=deployer",
    ];
    idp.trust(server, "ta17", &pins);
    let with = |aud: Value| {
        let jwt = idp.jwt_with(&kubernetes_claims()).without_header("typ");
        jwt.claim("aud", aud.to_string()).sign()
    };
    for aud in [
        json!(["https://kubernetes.default.svc.cluster.local"]),
        json!("https://kubernetes.default.svc"),
        json!(["https://kubernetes.default.svc.cluster.local", "k3s"]),
        json!([
            "https://kubernetes.default.svc.cluster.local",
            server.issuer
        ]),
    ] {
        refused_as(
            Use::Grant,
            &format!("TA17 {aud}"),
            &with(aud.clone()),
            ("aud", "expected one of"),
        );
    }
    let token = with(json!([server.issuer]));
    let answer = world().grants("TA17 control", &Use::Grant.form(&token), &[]);
    assert_eq!(
        claims(&answer)["sub"],
        "ta17:system:serviceaccount:billing:deployer"
    );
    // A mounted file is used again.
    world().grants("TA17 control again", &Use::Grant.form(&token), &[]);
}

#[test]
fn ta59_a_jwt_is_used_as_often_as_its_issuer_is_registered_for() {
    let once = Idp::new("ta59-once");
    let missing = ("jti", "claim 'jti' is missing");
    once.refuses("TA59 no jti", |jwt| jwt.without("jti").sign(), missing);
    let digest = Idp::with("ta59-digest", &["--replay", "once-by-digest"]);
    for usage in Use::BOTH {
        let token = once.jwt().sign();
        world().grants("TA59 once", &usage.form(&token), &[]);
        let again = refused_as(usage, "TA59 once again", &token, ("replay", "used before"));
        // T016: the sender is told.
        assert!(again.body.contains("used before"), "{again:?}");
        let token = digest.jwt().without("jti").text("n", &fresh()).sign();
        world().grants("TA59 by digest", &usage.form(&token), &[]);
        refused_as(
            usage,
            "TA59 by digest again",
            &token,
            ("replay", "used before"),
        );
        let other = with_other_s(&token);
        assert_ne!(other, token);
        refused_as(
            usage,
            "TA59 the other signature",
            &other,
            ("replay", "used before"),
        );
        digest.passes_as(usage, "TA59 another", |jwt| {
            jwt.without("jti").text("n", &fresh()).sign()
        });
    }
    let token = digest.jwt().without("jti").text("n", "3");
    let (first, second) = (token.sign(), token.sign());
    assert_ne!(first, second, "ECDSA signs differently each time");
    world().grants("TA59 signed", &Use::Grant.form(&first), &[]);
    refused_as(
        Use::Grant,
        "TA59 signed again",
        &second,
        ("replay", "used before"),
    );
}

#[test]
fn ta61_a_jwt_says_when_it_was_issued_and_lives_an_hour_at_most() {
    const DAY: i64 = 86_400;
    let idp = Idp::new("ta61");
    let times = |jwt: Jwt<'_>, iat: i64, exp: i64| {
        jwt.claim("iat", (now() + iat).to_string())
            .claim("exp", (now() + exp).to_string())
            .sign()
    };
    for (row, iat, exp, rule) in [
        ("two hours", 0, 7200, "exp"),
        ("two hours, half gone", -3600, 3600, "exp"),
        ("a day", 0, DAY, "exp"),
        ("a year", 0, 365 * DAY, "exp"),
        ("a day old", -DAY, 30, "exp"),
        ("no time at all", 0, 0, "exp"),
        ("ends before it begins", 10, 5, "exp"),
        ("from the future", 300, 360, "iat"),
    ] {
        idp.refuses(
            &format!("TA61 {row}"),
            |jwt| times(jwt, iat, exp),
            (rule, ""),
        );
    }
    let missing = ("iat", "claim 'iat' is missing");
    idp.refuses("TA61 no iat", |jwt| jwt.without("iat").sign(), missing);
    let missing = ("exp", "claim 'exp' is missing");
    idp.refuses("TA61 no exp", |jwt| jwt.without("exp").sign(), missing);
    let early = |jwt: Jwt<'_>| jwt.claim("nbf", (now() - 600).to_string()).sign();
    idp.passes("TA61 nbf ten minutes before iat", early);
    idp.passes("TA61 an hour", |jwt| times(jwt, 0, 3600));
    let long = Idp::with("ta61-long", &["--max-lifetime", "24h"]);
    long.passes("TA61 a day where that is registered", |jwt| {
        times(jwt, 0, DAY)
    });
}

#[test]
fn ta63_typ_and_cnf_say_what_is_no_bearer_token() {
    let idp = Idp::new("ta63");
    for typ in ["at+jwt", "wit+jwt", "dpop+jwt", "JOSE", "secevent+jwt", "x"] {
        let forge = |jwt: Jwt<'_>| jwt.header("typ", quote(typ)).sign();
        idp.refuses(&format!("TA63 {typ}"), forge, ("typ", typ));
    }
    for cnf in ["{\"jkt\":\"x\"}", "{}", "\"x\"", "{\"jwk\":{}}"] {
        let because = ("cnf", "bound to");
        idp.refuses(
            &format!("TA63 {cnf}"),
            |jwt| jwt.claim("cnf", cnf).sign(),
            because,
        );
    }
    for typ in ["JWT", "jwt", "application/jwt"] {
        idp.passes(&format!("TA63 {typ}"), |jwt| {
            jwt.header("typ", quote(typ)).sign()
        });
    }
    let named = Idp::with("ta63-named", &["--typ", "at+jwt"]);
    named.passes("TA63 named", |jwt| {
        jwt.header("typ", quote("at+jwt")).sign()
    });
    let made = server().run(&["issuer", "update", "ta63", "--typ", "wit+jwt"]);
    command_refused("TA63 wit+jwt is never named", &made, 2, "wit+jwt");
}

#[test]
fn ta64_no_key_is_fetched_or_taken_that_a_token_brings_along() {
    let world = world();
    let idp = Idp::new("ta64");
    let url = world.canary_url();
    for (name, value) in [
        ("jku", quote(&url)),
        ("x5u", quote(&url)),
        ("jwk", ATTACKER.public_jwk(&[]).to_string()),
        ("x5c", "[\"MIIB\"]".to_owned()),
    ] {
        let forge = |jwt: Jwt<'_>| jwt.header(name, value.clone()).by(&ATTACKER).sign();
        idp.refuses(&format!("TA64 {name}"), forge, SIGNATURE);
    }
    // Nobody is asked about an issuer that is not registered, be it a URL that answers.
    let canary = url.trim_end_matches("/jwks");
    let unregistered = |jwt: Jwt<'_>| jwt.text("iss", canary).by(&ATTACKER).sign();
    idp.refuses("TA64 an unregistered issuer", unregistered, UNKNOWN);
}
