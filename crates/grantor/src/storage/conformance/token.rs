//! The laws of a token store.

use super::{NOW, QUOTA, Two, at, id, subject_id};
use crate::{
    storage::{OpaqueToken, Put, Revocation, TokenDigest, TokenOrigin, TokenStore},
    types::Scope,
};

/// Generates one test for each law of a [`TokenStore`]. `token_suite!(run make)` is a future that
/// tries them one after the other.
#[macro_export]
macro_rules! token_suite {
    ($make:path) => { $crate::token_suite!(@tests $make); };
    (run $make:path) => { $crate::token_suite!(@run $make) };
    (@$how:ident $make:path) => {
        $crate::laws! { $how token $make:
            opaque_tokens_are_found_by_digest
            a_revoked_token_stays_revoked
            a_client_over_its_quota_keeps_no_more_tokens
            a_client_over_its_quota_keeps_no_more_revocations
        }
    };
}

/// What is recorded about a token is found again.
pub async fn opaque_tokens_are_found_by_digest<S: TokenStore>([one, two]: Two<S>) {
    let token = OpaqueToken {
        client: id("a"),
        subject: subject_id("b"),
        scope: Scope::parse("read").expect("a scope"),
        audience: "https://api.example".to_owned(),
        issued_at: NOW,
        expires_at: at(3600),
        origin: Some(TokenOrigin {
            client: 1,
            subject: Some(2),
            permission: None,
        }),
    };
    let put = one
        .token_create(TokenDigest::of("t"), token.clone(), QUOTA)
        .await
        .expect("created");
    assert_eq!(put, Put::Kept);
    assert_eq!(
        TokenStore::token(&*two, &TokenDigest::of("t"))
            .await
            .expect("the store answers"),
        Some(token)
    );
    assert_eq!(
        TokenStore::token(&*two, &TokenDigest::of("u"))
            .await
            .expect("the store answers"),
        None
    );
}

/// Revoking is remembered, for the one token and at every node, and may be repeated.
pub async fn a_revoked_token_stays_revoked<S: TokenStore>([one, two]: Two<S>) {
    let revocation = Revocation {
        client: 1,
        at: NOW,
        until: at(60),
    };
    let is_revoked = async |node: &S, token: &str| {
        let digest = TokenDigest::of(token);
        let decided = node.token_is_revoked(&digest, NOW).await;
        decided.expect("the store answers")
    };
    assert!(!is_revoked(&one, "t").await && !is_revoked(&two, "t").await);
    for node in [&one, &two] {
        let digest = TokenDigest::of("t");
        let put = node.token_revoke(digest, revocation, QUOTA).await;
        assert_eq!(put.expect("revoked"), Put::Kept);
        assert!(is_revoked(&one, "t").await && is_revoked(&two, "t").await);
    }
    assert!(!is_revoked(&one, "u").await && !is_revoked(&two, "u").await);
}

/// One client cannot fill the store with tokens: others still get theirs, and it gets more when
/// some have ended.
pub async fn a_client_over_its_quota_keeps_no_more_tokens<S: TokenStore>([one, _]: Two<S>) {
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
        one.token_create(TokenDigest::of(name), token, 3)
            .await
            .expect("the store answers")
    };
    for name in ["1", "2", "3"] {
        assert_eq!(create(1, name, 0).await, Put::Kept);
    }
    assert_eq!(create(1, "4", 0).await, Put::OverQuota);
    assert_eq!(
        TokenStore::token(&*one, &TokenDigest::of("4"))
            .await
            .expect("the store answers"),
        None
    );
    assert_eq!(create(2, "5", 0).await, Put::Kept);
}

/// Nor with revocations.
pub async fn a_client_over_its_quota_keeps_no_more_revocations<S: TokenStore>([one, _]: Two<S>) {
    let revoke = async |client, name: &str| {
        let revocation = Revocation {
            client,
            at: NOW,
            until: at(60),
        };
        one.token_revoke(TokenDigest::of(name), revocation, 3)
            .await
            .expect("the store answers")
    };
    for name in ["1", "2", "3"] {
        assert_eq!(revoke(1, name).await, Put::Kept);
    }
    assert_eq!(revoke(1, "4").await, Put::OverQuota);
    assert!(
        !one.token_is_revoked(&TokenDigest::of("4"), NOW)
            .await
            .expect("the store answers")
    );
    assert_eq!(revoke(2, "5").await, Put::Kept);
}
