//! Each (issuer, jti) is accepted once, after everything else was right, and never when the guard
//! cannot tell (law 3).

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    jose::base64url_encode,
    server::Outcome,
    storage::{Claim, MemoryStore, ReplayGuard, ReplayKey, StoreError, Used},
};
use grantor_testkit::{
    Form, JWT_BEARER, Jwt, NOW, Party, Use, World, at, keys, with_client_assertion,
};
use http::StatusCode;
use std::{
    collections::HashSet,
    error::Error,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

const REPLAYED: (&str, &str) = ("replay", "jti: used before");

#[tokio::test]
async fn rejects_an_assertion_the_second_time() {
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        let form = party.good_form();
        world.send(&form).await.granted("the first time");
        for _ in 0..2 {
            world
                .send(&form)
                .await
                .refused("again", usage.error(), REPLAYED.0, REPLAYED.1);
        }
        world.send(&party.good_form()).await.granted("a new jti");
    }
}

#[tokio::test]
async fn rejects_a_token_id_in_another_assertion_by_the_same_issuer() {
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        world
            .accepts(&party, "first", |jwt| jwt.text("jti", "the-same-token-id"))
            .await;
        let other = party
            .jwt()
            .text("jti", "the-same-token-id")
            .claim("exp", (NOW + 61).to_string());
        let answer = world.send(&party.form(&other.sign(&party.key))).await;
        answer.refused("same jti, other exp", usage.error(), REPLAYED.0, REPLAYED.1);
    }
}

#[tokio::test]
async fn rejects_one_assertion_in_both_uses() {
    for first in Use::PUBLIC_KEY {
        let (world, party) = World::with_party(first).await;
        let second = Party {
            usage: if first == Use::Grant {
                Use::PrivateKeyJwt
            } else {
                Use::Grant
            },
            ..party.clone()
        };
        let token = party.jwt().sign(&party.key);
        world
            .send(&party.form(&token))
            .await
            .granted("the first use");
        world.send(&second.form(&token)).await.refused(
            "the other use",
            second.usage.error(),
            REPLAYED.0,
            REPLAYED.1,
        );
    }
}

#[tokio::test]
async fn rejects_one_assertion_as_client_and_grant_of_one_request() {
    let (world, party) = World::with_party(Use::Grant).await;
    let [one, other] = [party.jwt(), party.jwt()].map(|jwt| jwt.sign(&party.key));
    let twice = with_client_assertion(Form::new(JWT_BEARER).with("assertion", &one), &one);
    world
        .send(&twice)
        .await
        .refused("twice the same", "invalid_grant", REPLAYED.0, REPLAYED.1);
    let [fresh, _] = [party.jwt(), party.jwt()].map(|jwt| jwt.sign(&party.key));
    let two = with_client_assertion(Form::new(JWT_BEARER).with("assertion", &other), &fresh);
    world.send(&two).await.granted("two assertions");
}

#[tokio::test]
async fn a_refused_assertion_never_uses_up_its_token_id() {
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        let good = party.jwt();
        let forger = if usage == Use::ClientSecretJwt {
            grantor_testkit::Key::secret("f".repeat(64))
        } else {
            keys::P256_OTHER.clone()
        };
        let rows = [
            ("signature", good.sign(&forger)),
            (
                "typ",
                good.clone().header("typ", "\"at+jwt\"").sign(&party.key),
            ),
            (
                "aud",
                good.clone()
                    .text("aud", "https://evil.example")
                    .sign(&party.key),
            ),
            (
                "exp",
                good.clone()
                    .claim("exp", (NOW - 60).to_string())
                    .sign(&party.key),
            ),
            (
                "nbf",
                good.clone()
                    .claim("nbf", (NOW + 50).to_string())
                    .sign(&party.key),
            ),
            (
                "iat",
                good.clone()
                    .claim("iat", (NOW + 50).to_string())
                    .sign(&party.key),
            ),
        ];
        for (rule, token) in rows {
            world
                .send(&party.form(&token))
                .await
                .refused(rule, usage.error(), rule, "");
        }
        world
            .send(&party.form(&good.sign(&party.key)))
            .await
            .granted("the same jti, now good");
    }
}

#[tokio::test]
async fn a_stranger_cannot_use_up_an_assertion_in_its_own_name() {
    let world = World::new();
    let [owner, thief] = [world.party(Use::Grant).await, world.party(Use::Grant).await];
    let token = owner.jwt().sign(&owner.key);
    let own = thief.jwt().sign(&thief.key);
    let stolen = with_client_assertion(Form::new(JWT_BEARER).with("assertion", &token), &own);
    world
        .send(&stolen)
        .await
        .refused("stolen", "invalid_grant", "caller", "is not the issuer");
    let named = Form::new(JWT_BEARER)
        .with("assertion", &token)
        .with("client_id", &thief.id);
    world.send(&named).await.refused(
        "named",
        "invalid_grant",
        "caller",
        "does not match the issuer",
    );
    world.send(&owner.form(&token)).await.granted("the owner");
}

#[tokio::test]
async fn a_request_that_fails_after_verification_has_used_its_assertion_up() {
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        let form = party.good_form();
        let wide = form.clone().with("scope", "administrate");
        world
            .send(&wide)
            .await
            .refused("too wide", "invalid_scope", "scope", "scope: allowed");
        world
            .send(&form)
            .await
            .refused("again", usage.error(), REPLAYED.0, REPLAYED.1);
    }
}

#[tokio::test]
async fn token_ids_of_two_clients_do_not_collide() {
    for usage in Use::ALL {
        let world = World::new();
        for party in [world.party(usage).await, world.party(usage).await] {
            world
                .accepts(&party, "the same jti", |jwt| {
                    jwt.text("jti", "the-same-token-id")
                })
                .await;
        }
    }
}

#[tokio::test]
async fn token_ids_are_compared_to_the_letter() {
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        for jti in ["caf\u{e9}", "cafe\u{301}", "CAF\u{c9}", "caf\u{e9} "] {
            world.accepts(&party, jti, |jwt| jwt.text("jti", jti)).await;
        }
        let escaped = party.jwt().claim("jti", r#""caf\u00e9""#);
        world
            .send(&party.form(&escaped.sign(&party.key)))
            .await
            .refused("escaped", usage.error(), REPLAYED.0, REPLAYED.1);
    }
}

#[tokio::test]
async fn a_use_is_remembered_until_expiry_plus_leeway() {
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        let form = party.good_form();
        world.send(&form).await.granted("the first time");
        world.set_clock(89.999);
        world.send(&form).await.refused(
            "while it could be valid",
            usage.error(),
            REPLAYED.0,
            REPLAYED.1,
        );
        world.set_clock(90.0);
        world
            .send(&form)
            .await
            .refused("after that", usage.error(), "exp", "expired");
        world.set_clock(91.0);
        let fresh = party.jwt().claim("exp", (NOW + 120).to_string());
        world
            .send(&party.form(&fresh.sign(&party.key)))
            .await
            .granted("a new assertion");
    }
}

#[tokio::test]
async fn a_token_id_may_come_again_once_its_first_assertion_is_over() {
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        world
            .accepts(&party, "first", |jwt| jwt.text("jti", "the-same-token-id"))
            .await;
        let later = || {
            party
                .jwt()
                .text("jti", "the-same-token-id")
                .claim("exp", (NOW + 200).to_string())
                .sign(&party.key)
        };
        world.set_clock(120.0);
        let answer = world.send(&party.form(&later())).await;
        answer.refused(
            "within 30 s after the first one's end",
            usage.error(),
            REPLAYED.0,
            REPLAYED.1,
        );
        world.set_clock(120.001);
        world
            .send(&party.form(&later()))
            .await
            .granted("after that");
    }
}

#[tokio::test]
async fn clock_going_back_does_not_free_a_used_assertion() {
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        let form = party.good_form();
        world.send(&form).await.granted("the first time");
        world.set_clock(-20.0);
        world
            .send(&form)
            .await
            .refused("earlier", usage.error(), REPLAYED.0, REPLAYED.1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_concurrent_uses_give_exactly_one_token() {
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        let form = party.good_form();
        let start = Arc::new(tokio::sync::Barrier::new(64));
        let mut tasks = Vec::new();
        for _ in 0..64 {
            let (server, request, start) = (world.server.clone(), form.request(), start.clone());
            tasks.push(tokio::spawn(async move {
                start.wait().await;
                server.respond(request).await.status()
            }));
        }
        let mut statuses = Vec::new();
        for task in tasks {
            statuses.push(task.await.expect("no panic"));
        }
        let count = |status| statuses.iter().filter(|known| **known == status).count();
        assert_eq!(
            (count(StatusCode::OK), count(StatusCode::BAD_REQUEST)),
            (1, 63),
            "{usage:?}"
        );
    }
}

#[tokio::test]
async fn a_party_over_its_quota_waits_and_the_others_do_not() {
    for usage in Use::ALL {
        let world = World::with(|builder| builder.replay_quota(2));
        let (party, other) = (world.party(usage).await, world.party(usage).await);
        let used = party.good_form();
        world.send(&used).await.granted("one");
        world.send(&party.good_form()).await.granted("two");
        let refused = party.good_form();
        for _ in 0..2 {
            let answer = world.send(&refused).await;
            let cause = "jti: the issuer has 2 used assertions that have not expired yet";
            answer.refused("three", "temporarily_unavailable", "replay_quota", cause);
            assert_eq!(
                answer
                    .headers
                    .get("retry-after")
                    .map(|value| value.as_bytes()),
                Some(&b"61"[..])
            );
        }
        world.send(&used).await.refused(
            "a replay is one, quota or not",
            usage.error(),
            REPLAYED.0,
            REPLAYED.1,
        );
        world
            .send(&other.good_form())
            .await
            .granted("another party");
        world.clock.advance(Duration::from_secs(121));
        let later = party
            .jwt()
            .claim("iat", (NOW + 121).to_string())
            .claim("exp", (NOW + 181).to_string());
        world
            .send(&party.form(&later.sign(&party.key)))
            .await
            .granted("when the first two have ended");
    }
}

/// A guard that never answers.
struct Silent;

#[async_trait]
impl ReplayGuard for Silent {
    async fn claim(&self, _: &[Used], _: UnixTime, _: u64) -> Result<Claim, StoreError> {
        std::future::pending().await
    }

    async fn is_claimed(&self, _: ReplayKey, _: UnixTime) -> Result<bool, StoreError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_request_that_is_cut_off_while_it_claims_leaves_a_record() {
    for usage in Use::ALL {
        let world = World::with(|builder| builder.replay(Arc::new(Silent)));
        let party = world.party(usage).await;
        let form = party.good_form();
        let request = tokio::time::timeout(Duration::from_millis(100), world.send(&form));
        assert!(request.await.is_err(), "the guard does not answer");
        let [decision] = <[_; 1]>::try_from(world.log.take()).expect("exactly one decision");
        assert!(
            matches!(decision.outcome, Outcome::Undecided),
            "{decision:?}"
        );
        let named = [&decision.claimed_client, &decision.claimed_issuer];
        assert!(
            named.into_iter().flatten().any(|name| *name == *party.id),
            "{decision:?}"
        );
    }
}

/// A use is remembered longer than its assertion lives: a clock that is set back, or a request that
/// waited, opens nothing.
#[tokio::test]
async fn a_clock_that_is_set_back_opens_nothing() {
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        let used = party.good_form();
        world.send(&used).await.granted("the first time");
        // What is over is swept when the store makes room.
        world.set_clock(95.0);
        let late = |jwt: Jwt| {
            jwt.claim("iat", (NOW + 95).to_string())
                .claim("exp", (NOW + 155).to_string())
        };
        for _ in 0..2000 {
            let key = ReplayKey::new(&party.id, &grantor_testkit::new_token_id());
            world
                .store
                .claim(&[key.until(at(200.0))], at(95.0), u64::MAX)
                .await
                .map(drop)
                .expect("claimed");
        }
        world.accepts(&party, "control: another", late).await;
        world.set_clock(85.0);
        world
            .send(&used)
            .await
            .refused("the second time", usage.error(), REPLAYED.0, REPLAYED.1);
    }
}

/// A guard that cannot answer, and in which way.
#[derive(Clone, Copy)]
struct Broken(fn(Box<dyn Error + Send + Sync>) -> StoreError);

#[async_trait]
impl ReplayGuard for Broken {
    async fn claim(&self, _: &[Used], _: UnixTime, _: u64) -> Result<Claim, StoreError> {
        Err(self.0("the replay store broke".into()))
    }

    async fn is_claimed(&self, _: ReplayKey, _: UnixTime) -> Result<bool, StoreError> {
        Err(self.0("the replay store broke".into()))
    }
}

#[tokio::test]
async fn a_failing_guard_never_lets_a_token_out() {
    let rows = [
        (
            Broken(StoreError::Unavailable),
            "temporarily_unavailable",
            "storage is not available: the replay store broke",
        ),
        (
            Broken(StoreError::Unknown),
            "temporarily_unavailable",
            "storage gave no answer; it may have been done: look, then repeat: the replay store broke",
        ),
        (
            Broken(StoreError::Failed),
            "server_error",
            "storage failed: the replay store broke",
        ),
    ];
    for usage in Use::ALL {
        for (broken, code, cause) in rows {
            let world = World::with(|builder| builder.replay(Arc::new(broken)));
            let party = world.party(usage).await;
            let answer = world.send(&party.good_form()).await;
            answer.refused(code, code, "storage", cause);
            assert_eq!(
                answer.headers.get("retry-after").is_some(),
                code == "temporarily_unavailable"
            );
            assert!(
                !answer.body.to_string().contains("replay store"),
                "{}",
                answer.body
            );
        }
    }
}

#[tokio::test]
async fn a_failing_guard_is_not_asked_about_a_bad_assertion() {
    for usage in Use::ALL {
        let world = World::with(|builder| builder.replay(Arc::new(Broken(StoreError::Failed))));
        let party = world.party(usage).await;
        let token = party
            .jwt()
            .text("aud", "https://evil.example")
            .sign(&party.key);
        world.send(&party.form(&token)).await.refused(
            "wrong audience",
            usage.error(),
            "aud",
            "aud: expected one of",
        );
    }
}

/// Two servers that share a store, as two nodes would; and what they claim there.
#[derive(Default)]
struct Shared {
    store: MemoryStore,
    asked: AtomicUsize,
    ends: Mutex<HashSet<UnixTime>>,
}

#[async_trait]
impl ReplayGuard for Shared {
    async fn claim(&self, uses: &[Used], now: UnixTime, quota: u64) -> Result<Claim, StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let ends = uses.iter().map(|used| used.until);
        self.ends.lock().expect("no panic").extend(ends);
        self.store.claim(uses, now, quota).await
    }

    async fn is_claimed(&self, key: ReplayKey, now: UnixTime) -> Result<bool, StoreError> {
        self.store.is_claimed(key, now).await
    }
}

#[tokio::test]
async fn nodes_that_share_a_guard_accept_an_assertion_once() {
    for usage in Use::ALL {
        let shared = Arc::new(Shared::default());
        let [one, two] = [0, 1].map(|_| World::with(|builder| builder.replay(shared.clone())));
        let party = one.party(usage).await;
        let (metadata, keys, secrets) = match usage {
            Use::ClientSecretJwt => (
                grantor_testkit::metadata(&party.id, usage.method()),
                vec![],
                vec![grantor_testkit::readable(party.key.text(), None)],
            ),
            _ => (
                grantor_testkit::metadata(&party.id, usage.method()),
                vec![party.key.public().into()],
                vec![],
            ),
        };
        two.register(metadata, keys, secrets).await;
        let form = party.good_form();
        one.send(&form).await.granted("on the first node");
        two.send(&form)
            .await
            .refused("on the second node", usage.error(), REPLAYED.0, REPLAYED.1);
        assert_eq!(shared.asked.load(Ordering::Relaxed), 2);
        let ends = shared.ends.lock().expect("no panic").clone();
        assert_eq!(
            ends,
            HashSet::from([at(120.0)]),
            "kept until 30 s after exp + leeway"
        );
    }
}

#[tokio::test]
async fn decisions_hold_a_digest_of_the_token_id_and_never_the_assertion() {
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        let jti = "a-token-id-to-look-for";
        let form = party.form(&party.jwt().text("jti", jti).sign(&party.key));
        let digest = base64url_encode(ReplayKey::new(&party.id, jti).as_bytes());
        for used in [Some(digest), None] {
            let answer = world.send(&form).await;
            let key_id = used
                .as_ref()
                .and(party.key.key_id())
                .map(|key_id| grantor::types::Shown::known(key_id, 255));
            assert_eq!(
                (&answer.decision.token_id_digest, &answer.decision.key_id),
                (&used, &key_id),
                "{usage:?}"
            );
            let record = serde_json::to_string(&answer.decision).expect("JSON");
            let assertion = form.value(if usage == Use::Grant {
                "assertion"
            } else {
                "client_assertion"
            });
            let signature = assertion.rsplit('.').next().expect("segments");
            assert!(
                !record.contains(jti) && !record.contains(signature) && record.contains(&party.id),
                "{record}"
            );
        }
    }
}
