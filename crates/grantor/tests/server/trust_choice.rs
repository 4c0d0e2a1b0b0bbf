//! Which trust takes the JWT of an issuer, and what it is worth then.

use std::time::Duration;

use grantor::{
    assertion::{SetAside, Usage, Verdict},
    jose::base64url_decode,
    registry::{
        Actor, ClaimCopy, ClientMetadata, Match, Mode, PinValue, Subject, SubjectMapping,
        TemplateError, Trust,
    },
    storage::Registries as _,
    types::{AuthMethod, GrantType, Scope},
};
use grantor_testkit::{
    Answer, Form, JWT_BEARER, Jwt, Key, ThirdParty, Use, World, keys, metadata, pin,
    with_client_assertion,
};
use serde_json::Value;

fn form(jwt: Jwt, key: &Key) -> Form {
    Form::new(JWT_BEARER).with("assertion", &jwt.sign(key))
}

/// The claims of the token that was issued.
fn claims(answer: &Answer) -> Value {
    let token = answer.granted("a token");
    let payload = token.split('.').nth(1).expect("a payload");
    let payload = base64url_decode(payload).expect("base64url");
    serde_json::from_slice(&payload).expect("JSON")
}

/// A claim that is a string.
fn text<'c>(claims: &'c Value, name: &str) -> &'c str {
    claims[name].as_str().expect("a string")
}

/// A world with one issuer, and a trust `ci` for the client `deployer`.
async fn world() -> (World, ThirdParty) {
    let world = World::new();
    let idp = world.third_party("idp", |_| ()).await;
    world.trusted_client("deployer").await;
    world.trust(&idp, "ci", "deployer", |_| ()).await;
    (world, idp)
}

async fn change_trust(world: &World, name: &str, change: impl Fn(&mut Trust)) {
    let registry = world.store.trust_registry();
    let name = name.parse().expect("a name");
    let changed = |trust: &Trust| {
        let mut trust = trust.clone();
        change(&mut trust);
        Ok::<_, grantor::storage::StoreError>(trust)
    };
    let by = Actor::program("test");
    registry.change(&name, &by, changed).await.expect("a trust");
}

#[tokio::test]
async fn t022_what_no_trust_takes_is_not_used_up_and_what_one_takes_is() {
    let (world, idp) = world().await;
    let token = idp.jwt().text("tenant", "43").sign(&idp.key);
    let form = Form::new(JWT_BEARER).with("assertion", &token);
    for _ in 0..2 {
        let cause = "tenant is \"43\", expected \"42\"";
        world
            .send(&form)
            .await
            .refused("43", "invalid_grant", "trust", cause);
    }
    change_trust(&world, "ci", |trust| trust.pins = vec![pin("tenant", "43")]).await;
    world.send(&form).await.granted("the same JWT");
    world
        .send(&form)
        .await
        .refused("again", "invalid_grant", "replay", "used before");
    // From the chosen trust on it is used, whatever follows.
    let token = idp.jwt().text("tenant", "43").sign(&idp.key);
    let form = Form::new(JWT_BEARER).with("assertion", &token);
    let asking = form.clone().with("scope", "admin");
    world
        .send(&asking)
        .await
        .refused("admin", "invalid_scope", "scope", "admin");
    world
        .send(&form)
        .await
        .refused("again", "invalid_grant", "replay", "used before");
}

#[tokio::test]
async fn t023_t024_ta08_exactly_one_trust_takes_it_and_client_id_says_whose() {
    let (world, idp) = world().await;
    world.trusted_client("writer").await;
    world.trusted_client("stranger").await;
    let write = |trust: &mut Trust| trust.scope = Scope::parse("write").expect("a scope");
    world.trust(&idp, "more", "writer", write).await;
    let form = || Form::new(JWT_BEARER).with("assertion", &idp.token());
    let several = world.send(&form()).await;
    several.refused("both", "invalid_grant", "trust", "ci, more");
    assert!(several.description().contains("send client_id"));
    for (client, scope) in [("deployer", "read"), ("writer", "write")] {
        let answer = world.send(&form().with("client_id", client)).await;
        let claims = claims(&answer);
        assert_eq!(
            (text(&claims, "client_id"), text(&claims, "scope")),
            (client, scope)
        );
    }
    for (client, cause) in [
        (
            "stranger",
            "was not asked: the request names another client",
        ),
        ("nobody", "was not asked: the request names another client"),
    ] {
        let answer = world.send(&form().with("client_id", client)).await;
        answer.refused(client, "invalid_grant", "trust", cause);
    }
    // Beside the JWT of nobody's issuer a name that does not fit is answered alike.
    let unknown = idp
        .jwt()
        .text("iss", "https://unknown.example")
        .sign(&idp.key);
    let unknown = Form::new(JWT_BEARER).with("assertion", &unknown);
    let answer = world.send(&unknown.with("client_id", "stranger")).await;
    answer.refused(
        "unknown",
        "invalid_grant",
        "caller",
        "client_id does not match",
    );
}

#[tokio::test]
async fn t021_a_trust_that_is_off_or_for_another_use_or_compares_nothing_takes_nothing() {
    let (world, idp) = world().await;
    let send = || world.send_token(&idp);
    send().await.granted("on");
    for (change, reason) in [
        (
            (|trust| trust.mode = Mode::Off) as fn(&mut Trust),
            Some(SetAside::Off),
        ),
        (
            |trust| trust.uses = vec![Usage::ClientAuthentication],
            Some(SetAside::OtherUse),
        ),
        (|trust| trust.pins.clear(), None),
        (|trust| trust.pins = vec![pin("tenant", "4")], None),
        (|trust| trust.pins = vec![pin("tenant", "int:42")], None),
        (|trust| trust.pins = vec![pin("missing", "42")], None),
        (
            |trust| {
                let glob = "refs/heads/release/*".parse().expect("a glob");
                trust.matches = vec![Match::new("ref".parse().expect("a claim"), glob)];
            },
            None,
        ),
    ] {
        let before = world
            .store
            .trust_registry()
            .get(&"ci".parse().expect("a name"))
            .await;
        let before = before.expect("memory").expect("a trust");
        change_trust(&world, "ci", change).await;
        let answer = send().await;
        answer.refused("changed", "invalid_grant", "trust", "no trust takes");
        let explained = answer.decision.explanation.as_ref().expect("a table");
        assert_eq!(explained.trusts.len(), 1);
        assert_eq!(explained.trusts[0].set_aside, reason);
        change_trust(&world, "ci", |trust| *trust = (*before).clone().with(trust)).await;
        send().await.granted("as before");
    }
}

/// The registration of before, to be put in the place of this one.
trait With {
    fn with(self, now: &Self) -> Self;
}

impl With for Trust {
    fn with(mut self, now: &Self) -> Self {
        self.revision = now.revision;
        self
    }
}

trait SendToken {
    async fn send_token(&self, idp: &ThirdParty) -> Answer;
}

impl SendToken for World {
    async fn send_token(&self, idp: &ThirdParty) -> Answer {
        let form = Form::new(JWT_BEARER).with("assertion", &idp.token());
        self.send(&form).await
    }
}

#[tokio::test]
async fn t024_credentials_beside_are_validated_and_a_trust_may_want_them() {
    let (world, idp) = world().await;
    let ours = world.party(Use::PrivateKeyJwt).await;
    world
        .trust(&idp, "proven", &ours.id, |trust| {
            trust.pins = vec![pin("tenant", "43")];
            trust.needs_client_auth = true;
        })
        .await;
    let token = || idp.jwt().text("tenant", "43").sign(&idp.key);
    let form = || Form::new(JWT_BEARER).with("assertion", &token());
    let own = || ours.jwt().sign(&ours.key);
    let bare = world.send(&form().with("client_id", &ours.id)).await;
    bare.refused(
        "bare",
        "invalid_client",
        "client",
        "wants its client to authenticate",
    );
    let granted = world.send(&with_client_assertion(form(), &own())).await;
    assert_eq!(claims(&granted)["client_id"], *ours.id);
    let forged = ours.jwt().sign(&keys::P256_OTHER);
    let refused = world.send(&with_client_assertion(form(), &forged)).await;
    refused.refused("forged", "invalid_client", "signature", "");
    // TA15: also where the trust asks for none.
    let optional = || Form::new(JWT_BEARER).with("assertion", &idp.token());
    let refused = world
        .send(&with_client_assertion(optional(), &forged))
        .await;
    refused.refused("forged", "invalid_client", "signature", "");
    // An authenticated client gets nothing by the trust of another.
    let refused = world.send(&with_client_assertion(optional(), &own())).await;
    refused.refused("another's", "invalid_grant", "trust", "no trust takes");
}

#[tokio::test]
async fn t025_t026_ta35_ta36_the_mapped_subject_is_of_the_right_type_and_nobody_elses() {
    let (world, idp) = world().await;
    let alice = Subject::new("alice@acme.example".parse().expect("a subject"));
    let subjects = world.store.subjects();
    subjects
        .create(alice, &Actor::program("test"))
        .await
        .expect("a subject");
    world.trusted_client("billing").await;
    let map = |mapping: &'static str| {
        let mapping: SubjectMapping = mapping.parse().expect("a mapping");
        change_trust(&world, "ci", move |trust| trust.subject = mapping.clone())
    };
    assert_eq!(
        claims(&world.send_token(&idp).await)["sub"],
        "ci:repo:acme/widgets"
    );
    for (mapping, claim, subject) in [
        ("fixed:deployer-bot", "\"x\"", Some("deployer-bot")),
        ("claim:who", "\"jo\"", Some("jo")),
        ("claim:who", "7", Some("7")),
        ("claim:who", "9007199254740991", Some("9007199254740991")),
        ("claim:who", "9007199254740992", None),
        ("claim:who", "7.5", None),
        ("claim:who", "7.0", None),
        ("claim:who", "null", None),
        ("claim:who", "true", None),
        ("claim:who", "[\"jo\"]", None),
        ("claim:who", "{\"jo\":1}", None),
        ("claim:who", "\"\"", None),
        ("claim:who", "\" \"", None),
        ("claim:who", "\"a\\u0007b\"", None),
        ("claim:who", "\"a\\u202eb\"", None),
        ("template:ci:{who}", "\"\\u200b\"", None),
        ("claim:missing", "\"x\"", None),
        ("template:ci:{who}", "\"{sub}\"", Some("ci:{sub}")),
        ("template:ci:{who}", "\"${sub}\"", Some("ci:${sub}")),
        ("claim:who", "\"billing\"", None),
        ("claim:who", "\"alice@acme.example\"", None),
        ("template:alice@{who}", "\"acme.example\"", None),
        ("existing:who", "\"jo\"", None),
        ("existing:who", "\"billing\"", None),
        ("existing:who", "\"alice@acme.example\"", None),
    ] {
        map(mapping).await;
        let answer = world
            .send(&form(idp.jwt().claim("who", claim.to_owned()), &idp.key))
            .await;
        match subject {
            Some(subject) => assert_eq!(claims(&answer)["sub"], subject, "{mapping} {claim}"),
            None => assert_eq!(answer.body["error"], "invalid_grant", "{mapping} {claim}"),
        }
    }
    // T002: only what is mapped is a subject of ours.
    let long = "x".repeat(1000);
    let longer = |jwt: Jwt| form(jwt.text("sub", &long), &idp.key);
    map("fixed:deployer-bot").await;
    world.send(&longer(idp.jwt())).await.granted("fixed");
    map("claim:sub").await;
    let answer = world.send(&longer(idp.jwt())).await;
    answer.refused(
        "a long one",
        "invalid_grant",
        "mapped_subject",
        "longer than 255",
    );
    let longest = form(idp.jwt().text("sub", &"x".repeat(2049)), &idp.key);
    let answer = world.send(&longest).await;
    answer.refused("too long", "invalid_grant", "sub", "longer than 2,048");
}

#[tokio::test]
async fn t026_no_two_sets_of_values_meet() {
    let subject = |mapping: &SubjectMapping, a: &str, b: &str| {
        let claims = format!(r#"{{"a":"{a}","b":"{b}"}}"#);
        let claims = grantor::jose::Claims::parse(claims.as_bytes()).expect("claims");
        mapping.subject(&claims).expect("a subject").to_string()
    };
    let values = [
        "x", "x:y", "x%3Ay", "x%", "x%25", "1%2", "1", "252%q", "%", "2", "5", "A",
    ];
    for literal in [":", "2", "5", "3", "A", "/%"] {
        let mapping = format!("template:ci:{{a}}{literal}{{b}}").parse();
        let mapping: SubjectMapping = mapping.expect("a mapping");
        let pairs = values.iter().flat_map(|a| values.map(|b| (*a, b)));
        let mut subjects: Vec<_> = pairs.map(|(a, b)| subject(&mapping, a, b)).collect();
        subjects.sort();
        subjects.dedup();
        assert_eq!(subjects.len(), values.len().pow(2), "{literal}");
    }
    let mapping = "template:ci:{a}:{b}".parse().expect("a mapping");
    assert_eq!(subject(&mapping, "x", "y"), "ci:x:y");
    // Values are escaped by it, so that `1%2` and `q` would meet `1` and `252%q`.
    let refused = "template:ci:{a}%{b}".parse::<SubjectMapping>();
    assert_eq!(refused, Err(TemplateError::Escape));
    let last = "template:ci:{a}%".parse::<SubjectMapping>();
    last.expect("the last value is not escaped");
}

#[tokio::test]
async fn t025_an_existing_subject_takes_a_permission_and_ends_with_it() {
    let (world, idp) = world().await;
    let party = world.party(Use::PrivateKeyJwt).await;
    world
        .trust(&idp, "people", &party.id, |trust| {
            trust.pins = vec![pin("tenant", "43")];
            trust.subject = "existing:who".parse().expect("a mapping");
        })
        .await;
    let jwt = || {
        idp.jwt()
            .text("tenant", "43")
            .text("who", "alice@acme.example")
    };
    let answer = world.send(&form(jwt(), &idp.key)).await;
    answer.refused("nobody", "invalid_grant", "subject", "is not known");
    world
        .permit(&party, "alice@acme.example", Some("read"))
        .await;
    let answer = world.send(&form(jwt(), &idp.key)).await;
    let (token, claims) = (answer.granted("permitted").to_owned(), claims(&answer));
    assert_eq!(
        (text(&claims, "sub"), text(&claims, "scope")),
        ("alice@acme.example", "read")
    );
    assert!(is_active(&world, &party, &token).await);
    change_trust(&world, "people", |trust| trust.mode = Mode::Off).await;
    assert!(!is_active(&world, &party, &token).await);
}

/// Whether introspection calls it active, asked by the client that got it.
async fn is_active(world: &World, party: &grantor_testkit::Party, token: &str) -> bool {
    let own = party.jwt().sign(&party.key);
    let mut form = with_client_assertion(Form::new("x").without("grant_type"), &own);
    form = form.with("token", token);
    form.uri = "/introspect".to_owned();
    let (status, body) = world.send_plain(&form).await;
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    body["active"].as_bool().expect("active")
}

#[tokio::test]
async fn t027_ta38_a_scope_claim_neither_asks_nor_grants() {
    let (world, idp) = world().await;
    let jwt = || idp.jwt().text("scope", "admin").text("scp", "admin");
    let answer = world.send(&form(jwt(), &idp.key)).await;
    assert_eq!(claims(&answer)["scope"], "read");
    let asking = form(jwt(), &idp.key).with("scope", "admin");
    world
        .send(&asking)
        .await
        .refused("admin", "invalid_scope", "scope", "admin");
    // The client is registered for more than the trust gives.
    let asking = form(jwt(), &idp.key).with("scope", "write");
    world
        .send(&asking)
        .await
        .refused("write", "invalid_scope", "scope", "write");
}

#[tokio::test]
async fn t028_ta39_the_resource_is_one_of_the_trusts() {
    let (world, idp) = world().await;
    let ask = |resource: &str| form(idp.jwt(), &idp.key).with("resource", resource);
    let answer = world.send(&ask("https://api.example")).await;
    answer.refused("none", "invalid_target", "resource", "is not served");
    let answer = world.send(&ask("https://as.example")).await;
    assert_eq!(claims(&answer)["aud"], "https://as.example");
    let two = || {
        vec![
            "https://api.example".to_owned(),
            "https://more.example".to_owned(),
        ]
    };
    change_trust(&world, "ci", |trust| trust.resources = two()).await;
    for resource in two() {
        assert_eq!(claims(&world.send(&ask(&resource)).await)["aud"], *resource);
    }
    assert_eq!(
        claims(&world.send_token(&idp).await)["aud"],
        "https://api.example"
    );
    let answer = world.send(&ask("https://other.example")).await;
    answer.refused("other", "invalid_target", "resource", "is not served");
    let answer = world
        .send(&ask("https://api.example").with("resource", &two()[1]))
        .await;
    answer.refused("two", "invalid_target", "resource", "more than one");
}

#[tokio::test]
async fn t029_the_token_lives_as_long_as_trust_server_and_jwt_allow() {
    let (world, idp) = world().await;
    let lifetime = |answer: &Answer| answer.body["expires_in"].as_u64().expect("seconds");
    assert_eq!(lifetime(&world.send_token(&idp).await), 3600);
    change_trust(&world, "ci", |trust| {
        trust.lifetime = Some(Duration::from_secs(600));
    })
    .await;
    assert_eq!(lifetime(&world.send_token(&idp).await), 600);
    change_trust(&world, "ci", |trust| trust.cap_to_assertion = true).await;
    let answer = world.send_token(&idp).await;
    assert_eq!(lifetime(&answer), 60);
    let claims = claims(&answer);
    let life = |name: &str| claims[name].as_i64().expect("seconds");
    assert_eq!(life("exp") - life("iat"), 60);
    change_trust(&world, "ci", |trust| {
        trust.lifetime = Some(Duration::from_secs(86_400));
    })
    .await;
    change_trust(&world, "ci", |trust| trust.cap_to_assertion = false).await;
    assert_eq!(lifetime(&world.send_token(&idp).await), 3600);
}

#[tokio::test]
async fn t030_no_claim_of_the_jwt_is_in_the_token_but_those_that_are_copied() {
    let (world, idp) = world().await;
    let own = [
        "aud",
        "client_id",
        "exp",
        "iat",
        "iss",
        "jti",
        "scope",
        "sub",
    ];
    let names = |claims: &Value| {
        let names = claims.as_object().expect("an object").keys();
        let mut names: Vec<_> = names.cloned().collect();
        names.sort();
        names
    };
    let granted = claims(&world.send_token(&idp).await);
    assert_eq!(names(&granted), own);
    assert_eq!(
        (text(&granted, "client_id"), text(&granted, "iss")),
        ("deployer", "https://as.example")
    );
    change_trust(&world, "ci", |trust| {
        let copy = |to: &str, from: &str| ClaimCopy::new(to, from.parse().expect("a claim"));
        trust.claims = vec![
            copy("run_id", "run"),
            copy("branch", "ref"),
            copy("gone", "gone"),
        ];
    })
    .await;
    let granted = claims(&world.send_token(&idp).await);
    assert_eq!(
        (&granted["run_id"], text(&granted, "branch")),
        (&7.into(), "refs/heads/main")
    );
    assert_eq!(names(&granted).len(), own.len() + 2);
}

#[tokio::test]
async fn t031_t032_the_record_has_what_the_trust_mentions_and_the_sender_reads_the_claim() {
    let (world, idp) = world().await;
    change_trust(&world, "ci", |trust| {
        trust.pins = vec![pin("tenant", "42"), pin("ref", "refs/heads/release")];
    })
    .await;
    let jwt = idp.jwt().text("email", "jo@acme.example");
    let answer = world.send(&form(jwt, &idp.key)).await;
    answer.refused(
        "main",
        "invalid_grant",
        "trust",
        "ref is \"refs/heads/main\"",
    );
    assert_eq!(
        answer.description(),
        "claim ref is not what trust ci expects"
    );
    let record = answer.decision.record();
    assert!(!record.contains("jo@acme.example"), "{record}");
    let explained = answer.decision.explanation.as_ref().expect("a table");
    let rows = explained.trusts[0].rows.iter();
    let rows: Vec<_> = rows
        .map(|row| (&*row.claim, &*row.got, row.verdict))
        .collect();
    assert_eq!(
        rows,
        [
            ("tenant", "42", Verdict::Pass),
            ("ref", "refs/heads/main", Verdict::Fail)
        ]
    );
    // What is granted keeps what the trust compared.
    change_trust(&world, "ci", |trust| trust.pins = vec![pin("tenant", "42")]).await;
    let answer = world.send_token(&idp).await;
    answer.granted("a token");
    let decision = &answer.decision;
    assert_eq!(
        decision.issuer.as_ref().map(|name| name.as_str()),
        Some("idp")
    );
    let taken = decision.trust.as_ref().expect("a trust");
    assert!(taken.takes() && taken.rows.len() == 1, "{taken:?}");
    assert_eq!(
        decision.subject.as_ref().map(|id| id.as_str()),
        Some("ci:repo:acme/widgets")
    );
    // A record stays small: eight trusts, and the number of the others.
    for number in 0..20 {
        let name = format!("other-{number}");
        world
            .trust(&idp, &name, "deployer", |trust| {
                trust.pins = (0..4).map(|_| pin("tenant", &"x".repeat(120))).collect();
            })
            .await;
    }
    let jwt = idp.jwt().text("tenant", &"y".repeat(120));
    let answer = world.send(&form(jwt, &idp.key)).await;
    let explained = answer.decision.explanation.as_ref().expect("a table");
    assert_eq!((explained.trusts.len(), explained.other_trusts), (8, 13));
    let record = answer.decision.record();
    assert!(record.len() <= 8192, "{}", record.len());
    let read = grantor::server::Decision::read(&record).expect("a decision");
    let read = read.explanation.expect("a table");
    assert!(!read.trusts.is_empty());
    assert_eq!(read.trusts.len() as u32 + read.other_trusts, 21);
}

#[tokio::test]
async fn t033_ta65_a_shadow_changes_no_answer_and_is_recorded() {
    let (world, idp) = world().await;
    let other = |tenant: &str| form(idp.jwt().text("tenant", tenant), &idp.key);
    let without = world.send(&other("43")).await;
    world.trusted_client("writer").await;
    for (name, tenant) in [("would", "42"), ("would-not", "43")] {
        world
            .trust(&idp, name, "writer", |trust| {
                trust.mode = Mode::Shadow;
                trust.scope = Scope::parse("read write").expect("a scope");
                trust.pins = vec![pin("tenant", tenant)];
            })
            .await;
    }
    let answer = world.send_token(&idp).await;
    let granted = claims(&answer);
    assert_eq!(
        (text(&granted, "client_id"), text(&granted, "scope")),
        ("deployer", "read")
    );
    let shadows = answer.decision.shadows.iter();
    let shadows: Vec<_> = shadows
        .map(|shadow| (shadow.trust.as_str(), shadow.takes()))
        .collect();
    assert_eq!(shadows, [("would", true), ("would-not", false)]);
    // What a shadow would have taken is refused in the words of the others, and so is the rest.
    for tenant in ["43", "44"] {
        let with = world.send(&other(tenant)).await;
        assert_eq!(with.description(), without.description(), "{tenant}");
        let explained = with.decision.explanation.as_ref().expect("a table");
        let trusts = explained.trusts.iter().map(|trust| trust.trust.as_str());
        assert_eq!(trusts.collect::<Vec<_>>(), ["ci"], "{tenant}");
    }
    // Alone it grants nothing, and uses nothing up.
    change_trust(&world, "ci", |trust| trust.mode = Mode::Off).await;
    let form = Form::new(JWT_BEARER).with("assertion", &idp.token());
    world
        .send(&form)
        .await
        .refused("alone", "invalid_grant", "trust", "no trust takes");
    change_trust(&world, "would", |trust| trust.mode = Mode::On).await;
    world.send(&form).await.granted("on");
}

#[tokio::test]
async fn t043_on_a_shared_issuer_a_stranger_learns_what_a_forger_does() {
    let world = World::new();
    let tenant = |issuer: &mut grantor::registry::TrustedIssuer| {
        issuer.tenant_claims = vec!["tenant".parse().expect("a claim")];
    };
    let shared = world.third_party("shared", tenant).await;
    world.trusted_client("deployer").await;
    world
        .trust(&shared, "ci", "deployer", |trust| {
            trust.pins.push(pin("ref", "refs/heads/main"));
        })
        .await;
    world.send_token(&shared).await.granted("acme");
    let stranger = shared.jwt().text("tenant", "43");
    let genuine = world.send(&form(stranger.clone(), &shared.key)).await;
    let forged = world.send(&form(stranger, &keys::P256_OTHER)).await;
    assert_eq!(genuine.description(), forged.description());
    assert_eq!(genuine.body["error"], forged.body["error"]);
    assert_eq!(genuine.status, forged.status);
    assert!(genuine.decision.is_cheap(), "anybody can have such a JWT");
    genuine.refused(
        "a stranger",
        "invalid_grant",
        "trust",
        "no trust of the issuer is for the tenant",
    );
    // Of our own tenant's jobs more is told.
    let branch = shared.jwt().text("ref", "refs/heads/x");
    let answer = world.send(&form(branch, &shared.key)).await;
    assert_eq!(
        answer.description(),
        "claim ref is not what trust ci expects"
    );
    assert!(!answer.decision.is_cheap());
    // Nothing is told of the trusts of other tenants, however near they come; a shadow makes nobody
    // known.
    for (name, tenant, mode) in [("a-near", "44", Mode::On), ("b-shadow", "43", Mode::Shadow)] {
        world
            .trust(&shared, name, "deployer", |trust| {
                trust.pins = vec![pin("tenant", tenant)];
                trust.mode = mode;
            })
            .await;
    }
    let far = shared.jwt().text("ref", "refs/heads/x").text("sub", "x");
    change_trust(&world, "ci", |trust| {
        trust.pins.push(pin("sub", "repo:acme/widgets"));
    })
    .await;
    let answer = world.send(&form(far, &shared.key)).await;
    assert_eq!(
        answer.description(),
        "claim ref is not what trust ci expects"
    );
    let explained = answer.decision.explanation.as_ref().expect("a table");
    assert_eq!(explained.trusts.len(), 1);
    let stranger = shared.jwt().text("tenant", "43");
    let answer = world.send(&form(stranger, &shared.key)).await;
    assert_eq!(answer.description(), forged.description());
    let shadows = answer.decision.shadows.iter();
    let shadows: Vec<_> = shadows.map(|shadow| shadow.trust.as_str()).collect();
    assert_eq!(shadows, ["b-shadow"]);
    // What concerns us alone is told to anybody.
    let late = shared
        .jwt()
        .text("tenant", "43")
        .text("aud", "https://other.example");
    let answer = world.send(&form(late, &shared.key)).await;
    answer.refused(
        "another audience",
        "invalid_grant",
        "aud",
        "https://other.example",
    );
}

#[tokio::test]
async fn the_client_of_a_trust_is_enabled_and_registered_for_the_grant() {
    let (world, idp) = world().await;
    let token = || Form::new(JWT_BEARER).with("assertion", &idp.token());
    let replaced = |change: fn(&mut ClientMetadata)| {
        let mut metadata = metadata("deployer", AuthMethod::NONE);
        change(&mut metadata);
        grantor::registry::Client::new(metadata, vec![], vec![]).expect("a client")
    };
    world
        .replace(replaced(|metadata| metadata.enabled = false))
        .await;
    let answer = world.send(&token()).await;
    answer.refused("disabled", "unauthorized_client", "grant", "is disabled");
    let other = |metadata: &mut ClientMetadata| {
        metadata.grant_types = vec![GrantType::AUTHORIZATION_CODE];
        metadata.redirect_uris = vec!["https://app.example/cb".parse().expect("a URI")];
    };
    world.replace(replaced(other)).await;
    let answer = world.send(&token()).await;
    answer.refused(
        "other grants",
        "unauthorized_client",
        "grant",
        "not registered",
    );
    world.replace(replaced(|_| ())).await;
    world.send(&token()).await.granted("as before");
}

#[tokio::test]
async fn t034_a_rehearsal_shows_every_trust_and_uses_nothing_up() {
    let (world, idp) = world().await;
    for number in 0..12 {
        let name = format!("other-{number}");
        let pins = |trust: &mut Trust| {
            trust.pins = vec![grantor::registry::Pin::new(
                "tenant".parse().expect("a claim"),
                PinValue::Text(number.to_string()),
            )];
        };
        world.trust(&idp, &name, "deployer", pins).await;
    }
    let token = idp.token();
    for _ in 0..2 {
        let explained = world.server.explain(&token, None).await.expect("memory");
        assert!(explained.is_accepted(), "{:?}", explained.cause);
        assert_eq!((explained.trusts.len(), explained.other_trusts), (13, 0));
        assert!(explained.trusts[0].takes());
        assert!(explained.trusts[1..].iter().all(|trust| !trust.takes()));
    }
    let form = Form::new(JWT_BEARER).with("assertion", &token);
    world.send(&form).await.granted("not used up");
    let explained = world.server.explain(&token, None).await.expect("memory");
    assert!(!explained.is_accepted());
}
