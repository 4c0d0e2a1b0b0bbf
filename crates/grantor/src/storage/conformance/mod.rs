//! The laws of storage, written once, run by every backend: `grantor::store_suite!(make)`, where
//! `make` is an async function answering an empty store in an `Arc`, and a guard that is dropped
//! after the test (a temporary directory, or nothing).

mod registry;
mod replay;
mod token;

use super::{ClientRegistry, DEFAULT_REPLAY_QUOTA, PermissionRegistry, Store, SubjectRegistry};
use crate::{
    clock::UnixTime,
    types::{ClientId, SubjectId},
};

pub use self::{registry::*, replay::*, token::*};

/// A backend with all its halves.
pub trait Registry: Store + ClientRegistry + SubjectRegistry + PermissionRegistry {}

impl<T: Store + ClientRegistry + SubjectRegistry + PermissionRegistry> Registry for T {}

/// Generates one test for each law, against a new store from `$make().await`.
#[macro_export]
macro_rules! store_suite {
    ($make:path) => {
        $crate::store_suite!(@tests $make:
            a_client_comes_back_as_it_went_in
            a_changed_client_is_seen_on_the_next_read
            a_change_that_was_overtaken_changes_nothing
            no_change_is_lost_among_many_at_once
            a_number_is_never_given_again
            names_are_taken_once
            deleting_a_client_takes_its_permissions_along
            deleting_a_subject_takes_its_permissions_along
            permissions_need_both_sides
            lists_are_in_order
            one_of_many_concurrent_claims_wins
            a_claim_ends_when_it_says
            claims_are_kept_apart_by_issuer
            an_issuer_over_its_quota_claims_nothing
            opaque_tokens_are_found_by_digest
            a_revoked_token_stays_revoked
            a_client_over_its_quota_keeps_no_more_tokens
            a_client_over_its_quota_keeps_no_more_revocations
            no_use_is_fresh_that_may_have_been_forgotten
        );
    };
    (@tests $make:path: $($law:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                let (store, _guard) = $make().await;
                $crate::storage::conformance::$law(store).await;
            }
        )*
    };
}

/// The time at which the laws are tried: a backend that has a clock gets one that says so.
pub const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);
const QUOTA: u64 = DEFAULT_REPLAY_QUOTA;

fn id(text: &str) -> ClientId {
    ClientId::parse(text).expect("a client id")
}

fn subject_id(text: &str) -> SubjectId {
    SubjectId::parse(text).expect("a subject id")
}
