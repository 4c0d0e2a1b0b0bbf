//! The laws of a replay guard.

use std::sync::Arc;

use super::{NOW, QUOTA, Registry};
use crate::{
    clock::UnixTime,
    storage::{Claim, ReplayKey},
};

/// Law 3: one atomic insert-if-absent.
pub async fn one_of_many_concurrent_claims_wins<S: Registry>(store: Arc<S>) {
    let until = UnixTime::from_millis(NOW.millis() + 60_000);
    for round in 0..8 {
        let key = ReplayKey::new("issuer", &format!("jti {round}"));
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    store
                        .claim(key, until, NOW, QUOTA)
                        .await
                        .expect("the store answers")
                })
            })
            .collect();
        let mut fresh = 0;
        for task in tasks {
            fresh += usize::from(task.await.expect("no panic") == Claim::Fresh);
        }
        assert_eq!(fresh, 1);
    }
}

/// Up to and including its end a claim stands; after that the same jti may come again.
pub async fn a_claim_ends_when_it_says<S: Registry>(store: Arc<S>) {
    let at = |offset: i64| UnixTime::from_millis(NOW.millis() + offset);
    let key = ReplayKey::new("issuer", "jti");
    assert!(
        !store
            .is_claimed(key, at(0))
            .await
            .expect("the store answers")
    );
    assert_eq!(
        store
            .claim(key, at(1000), at(0), QUOTA)
            .await
            .expect("the store answers"),
        Claim::Fresh
    );
    assert!(
        store
            .is_claimed(key, at(1000))
            .await
            .expect("the store answers")
    );
    assert!(
        !store
            .is_claimed(key, at(1001))
            .await
            .expect("the store answers")
    );
    assert_eq!(
        store
            .claim(key, at(1000), at(1000), QUOTA)
            .await
            .expect("the store answers"),
        Claim::Replayed
    );
    assert_eq!(
        store
            .claim(key, at(2000), at(1001), QUOTA)
            .await
            .expect("the store answers"),
        Claim::Fresh
    );
    assert_eq!(
        store
            .claim(key, at(3000), at(2000), QUOTA)
            .await
            .expect("the store answers"),
        Claim::Replayed
    );
}

/// The same jti by two issuers is two things (RFC 7519 §4.1.7), and case matters.
pub async fn claims_are_kept_apart_by_issuer<S: Registry>(store: Arc<S>) {
    let until = UnixTime::from_millis(NOW.millis() + 60_000);
    for (issuer, jti) in [("a", "x"), ("b", "x"), ("a", "X"), ("ax", ""), ("", "ax")] {
        let claim = store
            .claim(ReplayKey::new(issuer, jti), until, NOW, QUOTA)
            .await;
        assert_eq!(claim.expect("the store answers"), Claim::Fresh);
    }
}

/// One issuer cannot fill the store: others still claim, its own claims still stand, and it claims
/// again when some have ended.
pub async fn an_issuer_over_its_quota_claims_nothing<S: Registry>(store: Arc<S>) {
    let at = |seconds: i64| UnixTime::from_millis(NOW.millis() + seconds * 1000);
    let claim = async |issuer: &str, jti: &str, until, now| {
        store
            .claim(ReplayKey::new(issuer, jti), at(until), at(now), 3)
            .await
            .expect("the store answers")
    };
    for jti in ["1", "2", "3"] {
        assert_eq!(claim("a", jti, 60, 0).await, Claim::Fresh);
    }
    assert_eq!(claim("a", "4", 60, 0).await, Claim::OverQuota);
    assert!(
        !store
            .is_claimed(ReplayKey::new("a", "4"), at(0))
            .await
            .expect("the store answers")
    );
    assert_eq!(claim("a", "3", 60, 0).await, Claim::Replayed);
    assert_eq!(claim("b", "4", 60, 0).await, Claim::Fresh);
    assert_eq!(claim("a", "4", 120, 61).await, Claim::Fresh);
}

/// A clock that was two hours ahead for a moment does not let a used assertion in again, also where
/// what has ended is forgotten then.
pub async fn no_use_is_fresh_that_may_have_been_forgotten<S: Registry>(store: Arc<S>) {
    let at = |seconds: i64| UnixTime::from_millis(NOW.millis() + seconds * 1000);
    let claim = async |jti: &str, until, now| {
        store
            .claim(ReplayKey::new("a", jti), at(until), at(now), 3)
            .await
    };
    for jti in ["1", "2", "3"] {
        assert_eq!(
            claim(jti, 60, 0).await.expect("the store answers"),
            Claim::Fresh
        );
    }
    // Over its quota, the issuer is counted anew.
    let _ = claim("4", 7260, 7200).await;
    for jti in ["1", "2", "3"] {
        assert!(
            !matches!(claim(jti, 60, 1).await, Ok(Claim::Fresh)),
            "{jti}"
        );
    }
}
