//! The laws of when permissions were last used.

use super::{NOW, Two, at, id, registry::Hooked, subject_id, within_a_second};
use crate::{
    clock::UnixTime,
    registry::{Actor, Client, ClientMetadata, Permission, PermissionNumbers, Subject},
    server::{Decision, Request},
    storage::{ChangeFilter, DecisionStore, Start},
    types::{AuthMethod, GrantType, Scope},
};

/// Generates one test for each law of a backend that keeps decisions and permissions.
/// `permission_use_suite!(run make)` is a future that tries them one after the other.
#[macro_export]
macro_rules! permission_use_suite {
    ($make:path) => { $crate::permission_use_suite!(@tests $make); };
    (run $make:path) => { $crate::permission_use_suite!(@run $make) };
    (@$how:ident $make:path) => {
        $crate::laws! { $how permission_use $make:
            the_last_use_is_kept_to_the_hour_and_is_no_change
            a_use_of_what_was_withdrawn_is_none_of_what_is_given_later
        }
    };
}

fn by() -> Actor {
    Actor::program("laws")
}

/// A client and a subject, with what the operator and the person give. Answers their numbers.
async fn store_with_both<S: Hooked>(store: &S) -> PermissionNumbers {
    let metadata = ClientMetadata::new(id("a"), AuthMethod::NONE, NOW);
    let client = Client::new(metadata, Vec::new(), Vec::new()).expect("a client");
    let created = store.clients().create(client, &by()).await;
    created.expect("created");
    let subject = Subject::new(subject_id("b"));
    let created = store.subjects().create(subject, &by()).await;
    created.expect("created");
    let operators = Permission::new(id("a"), subject_id("b"), None);
    let operator = store.permissions().create(operators, &by()).await;
    let person = store.permissions().create(consent(), &by()).await;
    PermissionNumbers {
        operator: Some(operator.expect("created").revision.number),
        person: Some(person.expect("created").revision.number),
    }
}

fn consent() -> Permission {
    let scope = Scope::parse("read").expect("a scope");
    let grants = vec![GrantType::JWT_BEARER];
    Permission::consented(id("a"), subject_id("b"), scope, grants)
}

/// Something is granted by these permissions.
async fn grant<S: DecisionStore>(store: &S, permissions: PermissionNumbers, at: UnixTime) {
    let mut decision = Decision::new("token", &Request::blank(at)).with_permissions(permissions);
    (decision.client, decision.subject) = (Some(id("a")), Some(subject_id("b")));
    store.record(&decision);
    store.flush().await.expect("flushed");
}

/// When the operator's and the person's were used.
async fn uses<S: Hooked>(store: &S) -> Vec<Option<UnixTime>> {
    let all = store.permissions().all().await.expect("a list");
    let mut uses = Vec::new();
    for listed in &all {
        let found = store.permissions().get(&listed.id()).await;
        let found = found.expect("the store answers").expect("a permission");
        assert_eq!(found.last_used_at, listed.last_used_at);
        uses.push(listed.last_used_at);
    }
    uses
}

/// Each record by itself; the latest use counts, in whatever order they are told.
pub async fn the_last_use_is_kept_to_the_hour_and_is_no_change<S: Hooked + DecisionStore>(
    [one, other]: Two<S>,
) {
    let numbers = store_with_both(&*one).await;
    assert_eq!(uses(&*one).await, [None, None]);
    let operators = PermissionNumbers {
        person: None,
        ..numbers
    };
    // It is the beginning of an hour.
    let hour = |hours: u64| Some(at(hours * 3600));
    let changes = async || {
        let all = ChangeFilter::default();
        let page = one.changes().page(&all, Start::Oldest, 100).await;
        page.expect("read").entries.len()
    };
    let before = changes().await;
    let revisions = async || {
        let all = one.permissions().all().await.expect("a list");
        let revisions = all.iter().map(|permission| permission.revision);
        revisions.collect::<Vec<_>>()
    };
    let revisions_before = revisions().await;
    grant(&*one, operators, at(59)).await;
    assert_eq!(uses(&*one).await, [hour(0), None]);
    grant(&*one, numbers, at(3600 + 3599)).await;
    assert_eq!(uses(&*one).await, [hour(1), hour(1)]);
    grant(&*one, numbers, at(3599)).await;
    grant(&*one, PermissionNumbers::default(), at(7200)).await;
    assert_eq!(uses(&*one).await, [hour(1), hour(1)]);
    grant(&*other, operators, at(7200)).await;
    within_a_second("used", async || uses(&*one).await == [hour(2), hour(1)]).await;
    assert_eq!(changes().await, before);
    assert_eq!(revisions().await, revisions_before);
}

/// A number is that of one record.
pub async fn a_use_of_what_was_withdrawn_is_none_of_what_is_given_later<
    S: Hooked + DecisionStore,
>(
    [store, _]: Two<S>,
) {
    let numbers = store_with_both(&*store).await;
    grant(&*store, numbers, NOW).await;
    let withdrawn = store.permissions().delete(&consent().id(), &by()).await;
    withdrawn.expect("deleted");
    grant(&*store, numbers, at(3600)).await;
    let given = store.permissions().create(consent(), &by()).await;
    given.expect("created");
    assert_eq!(uses(&*store).await, [Some(at(3600)), None]);
    grant(&*store, numbers, at(7200)).await;
    assert_eq!(uses(&*store).await, [Some(at(7200)), None]);
}
