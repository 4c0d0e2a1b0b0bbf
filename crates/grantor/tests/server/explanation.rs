//! What is kept of a decision: the one broken rule is named, nothing is used up by asking, and the
//! server then decides just so. Nothing that is sent makes a record long, moves a terminal's
//! cursor, or is kept if it may be a credential.

use grantor::{
    assertion::{Explanation, Usage, Verdict},
    jose::{base64url_encode, crypto},
    registry::{Actor, Client, Subject},
    server::{Decision, Outcome},
    storage::{ClientSource, Registries, StoreError},
    types::{ClientId, GrantType, Rule, SubjectId},
};
use grantor_testkit::{
    Form, JWT_BEARER, Jwt, NOW, TOKEN_ENDPOINT, Use, World, keys, with_client_assertion,
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

fn usage(of: Use) -> Option<Usage> {
    Some(if of == Use::Grant {
        Usage::Grant
    } else {
        Usage::ClientAuthentication
    })
}

/// The rule that failed, those before it having passed and those after it not reached.
fn broken_rule(explanation: &Explanation) -> Option<&str> {
    let position = explanation
        .checks
        .iter()
        .position(|check| check.verdict == Verdict::Fail);
    let (before, after) = explanation
        .checks
        .split_at(position.unwrap_or(explanation.checks.len()));
    assert!(before.iter().all(|check| check.verdict == Verdict::Pass));
    assert!(
        after
            .iter()
            .skip(1)
            .all(|check| check.verdict == Verdict::NotReached)
    );
    assert_eq!(explanation.is_accepted(), position.is_none());
    after.first().map(|check| check.rule.name())
}

#[tokio::test]
async fn names_the_one_broken_rule_and_the_server_decides_just_so() {
    type Change = fn(Jwt) -> Jwt;
    let rows: [(&str, &str, Change); 20] = [
        ("a nested JWT", "jws", |jwt| jwt.header("cty", "\"JWT\"")),
        ("alg none", "jws", |jwt| jwt.header("alg", "\"none\"")),
        ("crit", "jws", |jwt| jwt.header("crit", "[\"exp\"]")),
        ("a claim twice", "claims", |jwt| {
            jwt.claim_again("aud", "\"x\"")
        }),
        ("exp as text", "claims", |jwt| {
            jwt.claim("exp", "\"9999999999\"")
        }),
        ("no issuer", "issuer", |jwt| jwt.without("iss")),
        ("an unknown issuer", "issuer", |jwt| {
            jwt.text("iss", "nobody")
        }),
        ("an unknown kid", "key", |jwt| jwt.header("kid", "\"x\"")),
        ("another kind of JWT", "typ", |jwt| {
            jwt.header("typ", "\"at+jwt\"")
        }),
        ("no subject", "sub", |jwt| jwt.without("sub")),
        ("no audience", "aud", |jwt| jwt.without("aud")),
        ("another audience", "aud", |jwt| {
            jwt.text("aud", "https://other.example")
        }),
        ("two audiences", "aud", |jwt| {
            jwt.claim(
                "aud",
                format!("[\"https://as.example\",\"{TOKEN_ENDPOINT}\"]"),
            )
        }),
        ("no expiry", "exp", |jwt| jwt.without("exp")),
        ("an expired one", "exp", |jwt| {
            jwt.claim("exp", (NOW - 31).to_string())
        }),
        ("one for ten years", "exp", |jwt| {
            jwt.claim("exp", (NOW + 315_360_000).to_string())
        }),
        ("not yet valid", "nbf", |jwt| {
            jwt.claim("nbf", (NOW + 45).to_string())
        }),
        ("of the future", "iat", |jwt| {
            jwt.claim("iat", (NOW + 45).to_string())
        }),
        ("an old one", "iat", |jwt| {
            jwt.claim("iat", (NOW - 4000).to_string())
        }),
        ("no jti", "jti", |jwt| jwt.without("jti")),
    ];
    for of in Use::PUBLIC_KEY {
        let (world, party) = World::with_party(of).await;
        for (row, rule, change) in rows {
            let token = change(party.jwt()).sign(&party.key);
            let explanation = world
                .server
                .explain(&token, usage(of))
                .await
                .expect("the store answers");
            assert_eq!(
                broken_rule(&explanation),
                Some(rule),
                "{of:?}, {row}: {explanation:?}"
            );
            let answer = world.send(&party.form(&token)).await;
            assert_eq!(answer.body["error"], of.error(), "{of:?}, {row}");
        }
    }
}

#[tokio::test]
async fn says_what_was_expected_and_what_came() {
    let (world, party) = World::with_party(Use::PrivateKeyJwt).await;
    let token = party
        .jwt()
        .text("aud", "https://other.example")
        .sign(&party.key);
    let explanation = world
        .server
        .explain(&token, usage(Use::PrivateKeyJwt))
        .await
        .expect("the store answers");
    let check = explanation
        .checks
        .iter()
        .find(|check| check.verdict == Verdict::Fail)
        .expect("a broken rule");
    assert_eq!(
        (check.expected.as_str(), check.got.as_str()),
        (
            "https://as.example as sole value",
            "\"https://other.example\""
        )
    );
    let exp = explanation
        .checks
        .iter()
        .find(|check| check.rule == Rule::Expiry)
        .expect("a row for each rule");
    assert_eq!(
        (exp.verdict, exp.expected.as_str(), exp.got.as_str()),
        (Verdict::NotReached, "", "")
    );
}

#[tokio::test]
async fn tells_the_keys_tried_their_source_and_the_difference_of_the_clocks() {
    for of in Use::PUBLIC_KEY {
        let world = World::new();
        let id = "client-of-two-keys";
        let nameless = keys::P384.public_with(&[("kid", serde_json::Value::Null)]);
        let thumbprint = nameless.jwk().expect("a public key").thumbprint();
        world
            .register(
                grantor_testkit::metadata(id, of.method()),
                vec![keys::P256.public().into(), nameless.into()],
                vec![],
            )
            .await;
        let explain = async |token: &str| {
            world
                .server
                .explain(token, usage(of))
                .await
                .expect("the store answers")
        };
        let tried = |explanation: &Explanation| {
            explanation
                .keys
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };

        let first = grantor_testkit::Party {
            id: id.to_owned(),
            usage: of,
            key: keys::P256.clone(),
        };
        let token = first
            .jwt()
            .claim("iat", (NOW - 100).to_string())
            .claim("exp", (NOW - 40).to_string())
            .sign(&first.key);
        let explanation = explain(&token).await;
        assert_eq!(broken_rule(&explanation), Some("exp"));
        let kid = first.key.key_id().expect("a kid");
        assert_eq!(
            tried(&explanation),
            [format!("registered key 1 of {id} (kid {kid:?})")]
        );
        assert_eq!(explanation.keys[0].thumbprint, None, "its kid names it");
        let clock = explanation.clock.expect("a JWT has times");
        assert_eq!(
            (clock.now, clock.since_issued, clock.until_expiry),
            (grantor_testkit::at(0.0), Some(100.0), Some(-40.0))
        );
        // The decision of the request holds the same.
        let refused = world.send(&first.form(&token)).await;
        let decided = refused.decision.explanation.expect("an explanation");
        assert_eq!(
            (&decided.keys, decided.clock),
            (&explanation.keys, explanation.clock)
        );

        let second = grantor_testkit::Party {
            key: keys::P384.clone(),
            ..first
        };
        let token = second
            .jwt()
            .without_header("kid")
            .without("iat")
            .sign(&second.key);
        let explanation = explain(&token).await;
        assert_eq!(
            tried(&explanation),
            [format!(
                "registered key 2 of {id} (thumbprint {thumbprint})"
            )]
        );
        assert_eq!(
            explanation
                .clock
                .map(|clock| (clock.since_issued, clock.until_expiry)),
            Some((None, Some(60.0)))
        );
        let granted = world.send(&second.form(&token)).await;
        assert_eq!(
            granted.decision.key_source.map(|source| source.to_string()),
            Some(format!("registered key 2 of {id}"))
        );
        let unknown = explain(&second.jwt().header("kid", "\"x\"").sign(&second.key)).await;
        assert_eq!(
            (broken_rule(&unknown), tried(&unknown)),
            (Some("key"), Vec::new()),
            "no key was tried"
        );
    }
}

#[tokio::test]
async fn a_client_secret_is_named_as_the_key_tried_and_shows_nothing_of_itself() {
    let (world, party) = World::with_party(Use::ClientSecretJwt).await;
    let explanation = world
        .server
        .explain(&party.jwt().sign(&party.key), usage(Use::ClientSecretJwt))
        .await
        .expect("an answer");
    assert_eq!(explanation.keys.len(), 1);
    assert_eq!(
        (&explanation.keys[0].key_id, &explanation.keys[0].thumbprint),
        (&None, &None)
    );
    assert_eq!(
        explanation.keys[0].source,
        format!("client secret 1 of {}", party.id)
    );
}

#[tokio::test]
async fn a_good_assertion_is_not_used_up_and_a_used_one_is_named_a_replay() {
    for of in Use::ALL {
        let (world, party) = World::with_party(of).await;
        let token = party.jwt().sign(&party.key);
        for _ in 0..2 {
            let explanation = world
                .server
                .explain(&token, usage(of))
                .await
                .expect("the store answers");
            assert_eq!(broken_rule(&explanation), None, "{of:?}: {explanation:?}");
        }
        world.send(&party.form(&token)).await.granted("used once");
        let explanation = world
            .server
            .explain(&token, usage(of))
            .await
            .expect("the store answers");
        assert_eq!(broken_rule(&explanation), Some("replay"), "{of:?}");
    }
}

#[tokio::test]
async fn a_forged_signature_and_a_foreign_algorithm_are_told_apart() {
    let (world, party) = World::with_party(Use::Grant).await;
    let forged = party
        .jwt()
        .sign(&grantor_testkit::Key::generate(party.key.algorithm));
    let explanation = world
        .server
        .explain(&forged, None)
        .await
        .expect("the store answers");
    assert_eq!(
        broken_rule(&explanation),
        Some("signature"),
        "{explanation:?}"
    );
    let party = world.party_with(Use::Grant, keys::P256.clone(), |client| {
        client.signing_algorithm = Some(grantor::jose::Algorithm::Rs256);
    });
    let party = party.await;
    let explanation = world
        .server
        .explain(&party.jwt().sign(&party.key), None)
        .await
        .expect("the store answers");
    assert_eq!(broken_rule(&explanation), Some("alg"), "{explanation:?}");
}

/// The cause of a refusal.
fn cause(decision: &Decision) -> &str {
    match &decision.outcome {
        Outcome::Refused { cause, .. } => cause,
        Outcome::Granted | Outcome::Undecided => "not refused",
    }
}

#[tokio::test]
async fn refusals_that_no_rule_of_the_assertion_explains_have_a_row_too() {
    let world = World::with(|builder| builder.replay_quota(1));
    let failed = |decision: &Decision| {
        broken_rule(decision.explanation.as_ref().expect("an explanation")).map(str::to_owned)
    };
    for usage in Use::CLIENT {
        let party = world.party(usage).await;
        let other = world
            .send(&party.good_form().with("client_id", "another-client"))
            .await;
        other.refused(
            "client_id",
            "invalid_client",
            "client",
            "client_id does not match the credentials: got \"another-client\"",
        );
        assert_eq!(failed(&other.decision).as_deref(), Some("client"));
        let two = world
            .send(&party.good_form().with("client_secret", "guess"))
            .await;
        assert_eq!(failed(&two.decision).as_deref(), Some("client"));
        let over_quota = world.send(&party.good_form()).await;
        over_quota.refused("quota", "temporarily_unavailable", "replay_quota", "quota");
        assert_eq!(
            failed(&over_quota.decision).as_deref(),
            Some("replay_quota")
        );
    }
    let party = world.party(Use::Grant).await;
    let named = world
        .send(&party.good_form().with("client_id", "another-client"))
        .await;
    assert_eq!(failed(&named.decision).as_deref(), Some("caller"));
    let narrow = world
        .party_with(Use::Grant, keys::P256.clone(), |client| {
            grantor_testkit::without_grant(client, &GrantType::JWT_BEARER);
        })
        .await;
    assert_eq!(
        failed(&world.send(&narrow.good_form()).await.decision).as_deref(),
        Some("grant")
    );
}

/// Knows one client, and counts how often it is asked.
struct Counting(Arc<Client>, Arc<AtomicUsize>);

#[async_trait::async_trait]
impl ClientSource for Counting {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Ok((id == self.0.id()).then(|| self.0.clone()))
    }
}

/// A registry that is asked later may answer otherwise, and a source of keys may be a server far
/// away.
#[tokio::test]
async fn a_refusal_is_explained_without_asking_again() {
    for usage in Use::PUBLIC_KEY {
        let id = "client-that-is-counted";
        let client = Client::new(
            grantor_testkit::metadata(id, usage.method()),
            vec![keys::P256.public().into()],
            vec![],
        );
        let asked = Arc::<AtomicUsize>::default();
        let counting = Arc::new(Counting(Arc::new(client.expect("a client")), asked.clone()));
        let world = World::with(|builder| builder.clients(counting));
        let party = grantor_testkit::Party {
            id: id.to_owned(),
            usage,
            key: keys::P256.clone(),
        };
        let asked_for = async |jwt: Jwt| {
            let before = asked.load(Ordering::Relaxed);
            let answer = world.send(&party.form(&jwt.sign(&party.key))).await;
            (
                answer.decision.explanation.map(|it| it.keys.len()),
                asked.load(Ordering::Relaxed) - before,
            )
        };
        // Before the claim, and again before the token.
        assert_eq!(asked_for(party.jwt()).await, (None, 2), "{usage:?}");
        assert_eq!(
            asked_for(party.jwt().text("aud", "https://other.example")).await,
            (Some(1), 1),
            "{usage:?}"
        );
        assert_eq!(
            asked_for(party.jwt().text("iss", "nobody")).await,
            (Some(0), 1),
            "{usage:?}"
        );
    }
}

/// What is explained is what was decided, rows of the subject, the permission and the scope among
/// them.
#[tokio::test]
async fn a_grant_is_explained_to_its_end() {
    type Change = fn(Jwt) -> Jwt;
    let (world, party) = World::with_party(Use::Grant).await;
    world.permit(&party, "employee", Some("read")).await;
    for (name, enabled) in [("stranger", true), ("retired", false)] {
        let mut subject = Subject::new(SubjectId::parse(name).expect("a subject"));
        subject.enabled = enabled;
        world
            .store
            .subjects()
            .create(subject, &Actor::program("test"))
            .await
            .expect("a new name");
    }
    let rows: [(&str, Option<&str>, Change); 7] = [
        ("itself", None, |jwt| jwt.text("scope", "write")),
        ("a permitted subject", None, |jwt| {
            jwt.text("sub", "employee").text("scope", "read")
        }),
        ("an unknown subject", Some("subject"), |jwt| {
            jwt.text("sub", "nobody")
        }),
        ("a disabled subject", Some("subject"), |jwt| {
            jwt.text("sub", "retired")
        }),
        ("a subject without permission", Some("permission"), |jwt| {
            jwt.text("sub", "stranger")
        }),
        ("a scope beyond the permission's", Some("scope"), |jwt| {
            jwt.text("sub", "employee").text("scope", "write")
        }),
        ("a scope claim that is none", Some("scope_claim"), |jwt| {
            jwt.claim("scope", "7")
        }),
    ];
    for (row, rule, change) in rows {
        let token = change(party.jwt()).sign(&party.key);
        let explanation = world
            .server
            .explain(&token, None)
            .await
            .expect("the store answers");
        assert_eq!(broken_rule(&explanation), rule, "{row}: {explanation:?}");
        let answer = world.send(&party.form(&token)).await;
        let decided = answer.decision.explanation.as_ref();
        assert_eq!(
            decided.and_then(broken_rule),
            rule,
            "{row}: {:?}",
            answer.decision
        );
        assert_eq!(
            decided.map(|decided| &decided.checks),
            rule.map(|_| &explanation.checks),
            "{row}"
        );
    }
}

#[tokio::test]
async fn the_record_holds_what_was_sent() {
    let (world, party) = World::with_party(Use::Grant).await;
    let twice = JWT_BEARER.replace(':', "%3A");
    let good = party.good_form();
    for (form, cause_of_it) in [
        (
            good.clone().set("grant_type", &twice),
            format!("grant_type is not supported: got \"{twice}\""),
        ),
        (
            good.clone().set_header("content-type", "text/html"),
            "got [\"text/html\"]".to_owned(),
        ),
        (
            good.clone().with("assertion", "x"),
            "a parameter is repeated: \"assertion\"".to_owned(),
        ),
        (
            good.clone().with("scope", "read\twrite"),
            "scope is malformed: got \"read\\u{9}write\"".to_owned(),
        ),
        (
            party.good_form().with("resource", "https://api.example"),
            "resource \"https://api.example\" is not served".to_owned(),
        ),
        (
            good.clone().set_header("content-encoding", "gzip"),
            "got \"gzip\"".to_owned(),
        ),
    ] {
        let answer = world.send(&form).await;
        assert!(
            cause(&answer.decision).contains(&cause_of_it),
            "{cause_of_it}: {:?}",
            answer.decision
        );
    }
    world.send(&party.good_form()).await.granted("control");
}

/// Every place in which a text can be sent.
fn everywhere(party: &grantor_testkit::Party, text: &str) -> Vec<Form> {
    let forged = grantor_testkit::Key::generate(party.key.algorithm);
    let claims = ["iss", "sub", "aud", "scope", "jti"];
    let values = serde_json::to_string(&vec![text; 40]).expect("JSON");
    let mut jwts: Vec<Jwt> = claims
        .into_iter()
        .map(|claim| party.jwt().text(claim, text))
        .collect();
    jwts.extend(["kid", "typ"].map(|name| party.jwt().header(name, grantor_testkit::quote(text))));
    jwts.push(party.jwt().claim("aud", values));
    let all = claims
        .into_iter()
        .fold(party.jwt(), |jwt, claim| jwt.text(claim, text));
    jwts.push(["kid", "typ"].into_iter().fold(all, |jwt, name| {
        jwt.header(name, grantor_testkit::quote(text))
    }));
    let credentials = Form::new("client_credentials");
    let mut forms: Vec<Form> = jwts
        .iter()
        .flat_map(|jwt| [jwt.clone().sign(&party.key), jwt.clone().sign(&forged)])
        .flat_map(|token| {
            [
                Form::new(JWT_BEARER).with("assertion", &token),
                with_client_assertion(credentials.clone(), &token),
            ]
        })
        .collect();
    for name in [
        "grant_type",
        "assertion",
        "scope",
        "resource",
        "client_id",
        "client_assertion",
        "client_assertion_type",
        "x",
    ] {
        forms.push(party.good_form().set(name, text));
        forms.push(party.good_form().set(name, text).with(name, text));
        forms.push(
            credentials
                .clone()
                .set(name, text)
                .with("client_secret", "guess"),
        );
    }
    forms.push(party.good_form().with(text, "").with(text, ""));
    forms.push(credentials.clone().basic(text, "guess"));
    forms.push(credentials.basic("guess", text));
    forms
}

#[tokio::test]
async fn whatever_is_sent_the_record_is_short_and_moves_no_cursor() {
    let world = World::new();
    let long = "x".repeat(100);
    let of_all_parts: String = [
        "billing", "\"", "\\", "\u{9b}2J", "\u{202e}", "\u{2028}", " ",
    ]
    .concat()
    .repeat(200);
    for usage in Use::PUBLIC_KEY {
        let party = world
            .party_with(usage, keys::P256.clone(), |client| {
                client.id = long.parse().expect("a name");
            })
            .await;
        for text in [
            "\u{7f}",
            "\"",
            "\\",
            "\u{ffff}",
            "\u{1f600}",
            "\u{202e}",
            "\u{2028}",
            "a ",
            "\n\u{1b}[2J",
            &of_all_parts,
        ] {
            let text = text.repeat(3_000 / text.len());
            for form in everywhere(&party, &text) {
                // The oracle holds the record against its limit.
                let decision = world.send(&form).await.decision;
                let hidden =
                    |each: char| each.is_control() || matches!(each, '\u{202e}' | '\u{2028}');
                assert!(!decision.record().chars().any(hidden), "{decision:?}");
            }
        }
        world.send(&party.good_form()).await.granted("control");
        let id = ClientId::parse(&party.id).expect("a name");
        world
            .store
            .clients()
            .delete(&id, &Actor::program("test"))
            .await
            .expect("deleted");
    }
}

#[tokio::test]
async fn a_credential_in_the_wrong_field_is_not_kept() {
    let world = World::new();
    for usage in Use::PUBLIC_KEY {
        let party = world.party(usage).await;
        let secret = base64url_encode(crypto::random_bytes::<48>());
        let token = party
            .jwt()
            .sign(&grantor_testkit::Key::generate(party.key.algorithm));
        for credential in [&secret, &token, &format!("Bearer {token}")] {
            for form in everywhere(&party, credential) {
                let record = world.send(&form).await.decision.record();
                assert!(
                    !record.contains(credential.as_str())
                        && !record.contains(&credential[credential.len() - 43..]),
                    "{record}"
                );
            }
        }
    }
}
