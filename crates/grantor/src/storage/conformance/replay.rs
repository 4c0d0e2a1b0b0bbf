//! The laws of a replay guard.

use super::{NOW, QUOTA, Two, at};
use crate::{
    clock::UnixTime,
    storage::{Claim, ReplayGuard, ReplayKey, ReplayKind, StoreError},
};

/// Generates one test for each law of a [`ReplayGuard`]. `replay_suite!(run make)` is a future that
/// tries them one after the other.
#[macro_export]
macro_rules! replay_suite {
    ($make:path) => { $crate::replay_suite!(@tests $make); };
    (run $make:path) => { $crate::replay_suite!(@run $make) };
    (@$how:ident $make:path) => {
        $crate::laws! { $how replay $make:
            one_of_many_concurrent_claims_wins
            a_claim_ends_when_it_says
            claims_are_kept_apart_by_issuer_and_kind
            several_keys_are_claimed_all_or_none
            an_issuer_over_its_quota_claims_nothing
            no_use_is_fresh_that_may_have_been_forgotten
        }
    };
}

async fn claim<S: ReplayGuard>(
    node: &S,
    key: ReplayKey,
    (now, until): (UnixTime, UnixTime),
) -> Claim {
    let claimed = node.claim(&[key.until(until)], now, QUOTA).await;
    claimed.expect("the store answers")
}

/// Law 3: one atomic insert-if-absent, whichever nodes are asked at once.
pub async fn one_of_many_concurrent_claims_wins<S: ReplayGuard>(nodes: Two<S>) {
    for round in 0..8 {
        let key = ReplayKey::new("issuer", &format!("jti {round}"));
        let tasks: Vec<_> = (0..64)
            .map(|number| {
                let node = nodes[number % 2].clone();
                tokio::spawn(async move { claim(&*node, key, (NOW, at(60))).await })
            })
            .collect();
        let mut fresh = 0;
        for task in tasks {
            fresh += usize::from(task.await.expect("no panic") == Claim::Fresh);
        }
        assert_eq!(fresh, 1);
    }
}

/// Up to and including its end a claim stands, at every node; a minute later at the latest the same
/// jti may come again.
pub async fn a_claim_ends_when_it_says<S: ReplayGuard>([one, two]: Two<S>) {
    let key = ReplayKey::new("issuer", "jti");
    let is_claimed = async |node: &S, now| {
        let found = node.is_claimed(key, now).await;
        found.expect("the store answers")
    };
    assert!(!is_claimed(&one, NOW).await);
    assert_eq!(claim(&*one, key, (NOW, at(1))).await, Claim::Fresh);
    for node in [&one, &two] {
        assert!(is_claimed(node, at(1)).await);
        assert!(!is_claimed(node, at(62)).await);
        assert_eq!(
            claim(&**node, key, (at(1), at(1))).await,
            Claim::Replayed(key)
        );
    }
    assert_eq!(claim(&*two, key, (at(62), at(70))).await, Claim::Fresh);
    for node in [&one, &two] {
        assert_eq!(
            claim(&**node, key, (at(70), at(80))).await,
            Claim::Replayed(key)
        );
    }
}

/// The same jti by two issuers is two things (RFC 7519 §4.1.7), and so is the same text of two
/// kinds; case matters.
pub async fn claims_are_kept_apart_by_issuer_and_kind<S: ReplayGuard>([one, two]: Two<S>) {
    let pairs = [("a", "x"), ("b", "x"), ("a", "X"), ("ax", ""), ("", "ax")];
    let kinds = [ReplayKind::ASSERTION, ReplayKind::PROOF, ReplayKind::CODE];
    for (number, (issuer, jti)) in pairs.into_iter().enumerate() {
        for (place, kind) in kinds.into_iter().enumerate() {
            let node = [&one, &two][(number + place) % 2];
            let key = ReplayKey::of(kind, issuer, jti);
            assert_eq!(claim(&**node, key, (NOW, at(60))).await, Claim::Fresh);
        }
    }
}

/// Where one of them was used before, or may not be claimed, the other is still free; and one that
/// is used tells which it is.
pub async fn several_keys_are_claimed_all_or_none<S: ReplayGuard>([one, two]: Two<S>) {
    let [jti, proof, other] = [
        ReplayKey::new("a", "1"),
        ReplayKey::of(ReplayKind::PROOF, "a", "1"),
        ReplayKey::of(ReplayKind::PROOF, "a", "2"),
    ];
    let both = async |node: &S, keys: [ReplayKey; 2], quota| {
        // Each is remembered for its own time.
        let uses = [keys[0].until(at(3600)), keys[1].until(at(60))];
        let claimed = node.claim(&uses, NOW, quota).await;
        claimed.expect("the store answers")
    };
    assert_eq!(claim(&*one, proof, (NOW, at(60))).await, Claim::Fresh);
    for node in [&one, &two] {
        assert_eq!(
            both(node, [jti, proof], QUOTA).await,
            Claim::Replayed(proof)
        );
        assert_eq!(
            both(node, [proof, jti], QUOTA).await,
            Claim::Replayed(proof)
        );
    }
    assert_eq!(both(&one, [jti, other], 1).await, Claim::OverQuota);
    for node in [&one, &two] {
        for key in [jti, other] {
            let found = node.is_claimed(key, NOW).await;
            assert!(!found.expect("the store answers"), "nothing was recorded");
        }
    }
    assert_eq!(both(&two, [jti, other], QUOTA).await, Claim::Fresh);
    assert_eq!(both(&one, [jti, other], QUOTA).await, Claim::Replayed(jti));
    assert_eq!(claim(&*one, other, (at(122), at(200))).await, Claim::Fresh);
    assert_eq!(
        claim(&*two, jti, (at(122), at(3600))).await,
        Claim::Replayed(jti)
    );

    // Of one issuer, they are counted together.
    let own = |name| ReplayKey::of(ReplayKind::CODE, "b", name);
    assert_eq!(both(&one, [own("1"), own("2")], 1).await, Claim::OverQuota);
    assert_eq!(both(&one, [own("1"), own("2")], 2).await, Claim::Fresh);
    assert_eq!(
        one.claim(&[], NOW, 0).await.expect("nothing to do"),
        Claim::Fresh
    );
}

/// One issuer cannot fill the store: others still claim, its own claims still stand, and it claims
/// again ten seconds after some have ended. Exact on one node.
pub async fn an_issuer_over_its_quota_claims_nothing<S: ReplayGuard>([one, two]: Two<S>) {
    let claim = async |issuer: &str, jti: &str, (now, until)| {
        let key = ReplayKey::new(issuer, jti);
        let claimed = one.claim(&[key.until(at(until))], at(now), 3).await;
        claimed.expect("the store answers")
    };
    for jti in ["1", "2", "3"] {
        assert_eq!(claim("a", jti, (0, 60)).await, Claim::Fresh);
    }
    assert_eq!(claim("a", "4", (0, 60)).await, Claim::OverQuota);
    for node in [&one, &two] {
        let found = node.is_claimed(ReplayKey::new("a", "4"), NOW).await;
        assert!(!found.expect("the store answers"));
    }
    let used = ReplayKey::new("a", "3");
    assert_eq!(claim("a", "3", (0, 60)).await, Claim::Replayed(used));
    assert_eq!(claim("b", "4", (0, 60)).await, Claim::Fresh);
    assert_eq!(claim("a", "4", (71, 130)).await, Claim::Fresh);
}

/// A clock that was two hours ahead for a moment does not let a used assertion in again, also where
/// what has ended is forgotten then.
pub async fn no_use_is_fresh_that_may_have_been_forgotten<S: ReplayGuard>([one, two]: Two<S>) {
    let claim = async |node: &S, jti: &str, (now, until)| {
        let key = ReplayKey::new("a", jti);
        node.claim(&[key.until(at(until))], at(now), 3).await
    };
    for jti in ["1", "2", "3"] {
        let claimed = claim(&one, jti, (0, 60)).await;
        assert_eq!(claimed.expect("the store answers"), Claim::Fresh);
    }
    // Over its quota, the issuer is counted anew.
    let _ = claim(&one, "4", (7200, 7260)).await;
    for jti in ["1", "2", "3"] {
        for node in [&one, &two] {
            let again: Result<Claim, StoreError> = claim(node, jti, (1, 60)).await;
            assert!(!matches!(again, Ok(Claim::Fresh)), "{jti}");
        }
    }
}
