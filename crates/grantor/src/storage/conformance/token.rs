//! The laws of a token store.

use std::sync::Arc;

use super::{NOW, QUOTA, Registry, id, subject_id};
use crate::{
    clock::UnixTime,
    storage::{OpaqueToken, Put, Revocation, TokenDigest, TokenOrigin, TokenStore},
    types::Scope,
};

/// What is recorded about a token is found again.
pub async fn opaque_tokens_are_found_by_digest<S: Registry>(store: Arc<S>) {
    let token = OpaqueToken {
        client: id("a"),
        subject: subject_id("b"),
        scope: Scope::parse("read").expect("a scope"),
        audience: "https://api.example".to_owned(),
        issued_at: NOW,
        expires_at: UnixTime::from_millis(NOW.millis() + 3_600_000),
        origin: Some(TokenOrigin {
            client: 1,
            subject: Some(2),
            permission: None,
        }),
    };
    let put = store
        .token_create(TokenDigest::of("t"), token.clone(), QUOTA)
        .await
        .expect("created");
    assert_eq!(put, Put::Kept);
    assert_eq!(
        TokenStore::token(&*store, &TokenDigest::of("t"))
            .await
            .expect("the store answers"),
        Some(token)
    );
    assert_eq!(
        TokenStore::token(&*store, &TokenDigest::of("u"))
            .await
            .expect("the store answers"),
        None
    );
}

/// Revoking is remembered, for the one token, and may be repeated.
pub async fn a_revoked_token_stays_revoked<S: Registry>(store: Arc<S>) {
    let until = UnixTime::from_millis(NOW.millis() + 60_000);
    let revocation = Revocation {
        client: 1,
        at: NOW,
        until,
    };
    assert!(
        !store
            .token_is_revoked(&TokenDigest::of("t"), NOW)
            .await
            .expect("the store answers")
    );
    for _ in 0..2 {
        let put = store
            .token_revoke(TokenDigest::of("t"), revocation, QUOTA)
            .await
            .expect("revoked");
        assert_eq!(put, Put::Kept);
        assert!(
            store
                .token_is_revoked(&TokenDigest::of("t"), NOW)
                .await
                .expect("the store answers")
        );
    }
    assert!(
        !store
            .token_is_revoked(&TokenDigest::of("u"), NOW)
            .await
            .expect("the store answers")
    );
}

/// One client cannot fill the store with tokens: others still get theirs, and it gets more when
/// some have ended.
pub async fn a_client_over_its_quota_keeps_no_more_tokens<S: Registry>(store: Arc<S>) {
    let at = |seconds: i64| UnixTime::from_millis(NOW.millis() + seconds * 1000);
    let create = async |client: u64, name: &str, now| {
        let token = OpaqueToken {
            client: id("a"),
            subject: subject_id("b"),
            scope: Scope::default(),
            audience: "https://api.example".to_owned(),
            issued_at: at(now),
            expires_at: at(now + 60),
            origin: Some(TokenOrigin {
                client,
                subject: None,
                permission: None,
            }),
        };
        store
            .token_create(TokenDigest::of(name), token, 3)
            .await
            .expect("the store answers")
    };
    for name in ["1", "2", "3"] {
        assert_eq!(create(1, name, 0).await, Put::Kept);
    }
    assert_eq!(create(1, "4", 0).await, Put::OverQuota);
    assert_eq!(
        TokenStore::token(&*store, &TokenDigest::of("4"))
            .await
            .expect("the store answers"),
        None
    );
    assert_eq!(create(2, "5", 0).await, Put::Kept);
}

/// Nor with revocations.
pub async fn a_client_over_its_quota_keeps_no_more_revocations<S: Registry>(store: Arc<S>) {
    let until = UnixTime::from_millis(NOW.millis() + 60_000);
    let revoke = async |client, name: &str| {
        let revocation = Revocation {
            client,
            at: NOW,
            until,
        };
        store
            .token_revoke(TokenDigest::of(name), revocation, 3)
            .await
            .expect("the store answers")
    };
    for name in ["1", "2", "3"] {
        assert_eq!(revoke(1, name).await, Put::Kept);
    }
    assert_eq!(revoke(1, "4").await, Put::OverQuota);
    assert!(
        !store
            .token_is_revoked(&TokenDigest::of("4"), NOW)
            .await
            .expect("the store answers")
    );
    assert_eq!(revoke(2, "5").await, Put::Kept);
}
