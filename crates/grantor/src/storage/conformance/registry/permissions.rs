//! Permissions: who may give one, and with what it ends.

use super::{
    Hooked, as_given, by, exists, is_missing, permission, permissions, public_client,
    store_with_permission, subject,
};
use crate::{
    registry::{Permission, Subject},
    storage::{
        StoreError,
        conformance::{NOW, Two, at, id, subject_id, within_a_second},
    },
    types::{GrantType, Scope},
};

/// One with everything that a person may say.
fn consent(client: &str, subject: &str) -> Permission {
    let scope = Scope::parse("read write").expect("a scope");
    let grants = vec![
        GrantType::from_static("urn:example:own"),
        GrantType::JWT_BEARER,
    ];
    Permission::consented(id(client), subject_id(subject), scope, grants)
        .given_at(NOW)
        .until(Some(at(60)))
        .with_text_version("1")
}

/// A permission joins two that exist, once.
pub async fn permissions_need_both_sides<S: Hooked>([store, _]: Two<S>) {
    assert!(is_missing(
        store
            .permissions()
            .create(permission("a", "b"), &by())
            .await
    ));
    store
        .clients()
        .create(public_client("a"), &by())
        .await
        .expect("created");
    assert!(is_missing(
        store
            .permissions()
            .create(permission("a", "b"), &by())
            .await
    ));
    store
        .subjects()
        .create(subject("b"), &by())
        .await
        .expect("created");
    store
        .permissions()
        .create(permission("a", "b"), &by())
        .await
        .expect("created");
    assert!(exists(
        store
            .permissions()
            .create(permission("a", "b"), &by())
            .await
    ));
    store
        .permissions()
        .delete(&permission("a", "b").id(), &by())
        .await
        .expect("deleted");
    assert!(permissions(&*store, "a", "b").await.is_empty());
    assert!(is_missing(
        store
            .permissions()
            .delete(&permission("a", "b").id(), &by())
            .await
    ));
}

/// Each record is given, changed and withdrawn by itself, and comes back as it went in.
pub async fn operator_and_person_give_apart<S: Hooked>([store, _]: Two<S>) {
    store_with_permission(&*store).await;
    let operators = permission("a", "b");
    let given = store.permissions().create(consent("a", "b"), &by()).await;
    let given = given.expect("created");
    assert_eq!(as_given(&given), consent("a", "b"));
    assert!(exists(
        store.permissions().create(consent("a", "b"), &by()).await
    ));
    let both = permissions(&*store, "a", "b").await;
    let (operator, person) = both.operator().zip(both.person()).expect("both");
    assert_eq!(as_given(operator), operators);
    assert_eq!(person, &given);
    assert_ne!(operator.revision.number, person.revision.number);
    let listed = store.permissions().all().await.expect("a list");
    assert_eq!(listed, [operator.clone(), person.clone()]);
    let page = store
        .permissions()
        .page(&Default::default(), None, 1)
        .await
        .expect("a page");
    let rest = store
        .permissions()
        .page(&Default::default(), page.next.as_ref(), 1)
        .await;
    assert_eq!(rest.expect("a page").items, std::slice::from_ref(person));

    let wider = |permission: &Permission| {
        let scope = Scope::parse("other read write").ok();
        let permission = Permission {
            scope,
            ..permission.clone()
        };
        Ok::<_, StoreError>(
            permission
                .by_grants(vec![GrantType::JWT_BEARER])
                .given_at(at(1))
                .until(None)
                .with_text_version("2"),
        )
    };
    let changed = store.permissions().change(&given.id(), &by(), wider).await;
    let changed = changed.expect("changed");
    let wider = wider(&consent("a", "b")).expect("a permission");
    assert_eq!(as_given(&changed), wider);
    assert_eq!(changed.revision, given.revision.next());
    let both = permissions(&*store, "a", "b").await;
    assert_eq!(both.person(), Some(&changed));
    assert_eq!(both.operator().map(|one| as_given(one)), Some(operators));

    let withdrawn = store.permissions().delete(&given.id(), &by()).await;
    withdrawn.expect("deleted");
    let rest = permissions(&*store, "a", "b").await;
    assert!(rest.person().is_none() && rest.operator().is_some());
    store
        .permissions()
        .create(consent("a", "b"), &by())
        .await
        .expect("created");
    let operators = permission("a", "b").id();
    let withdrawn = store.permissions().delete(&operators, &by()).await;
    withdrawn.expect("deleted");
    let rest = permissions(&*store, "a", "b").await;
    assert!(rest.operator().is_none());
    let again = rest.person().expect("the person's");
    assert!(again.revision.number > given.revision.number);
}

/// Also where the other record stays in force.
pub async fn a_permission_that_is_withdrawn_is_gone_at_every_node<S: Hooked>(
    [here, there]: Two<S>,
) {
    store_with_permission(&*here).await;
    here.permissions()
        .create(consent("a", "b"), &by())
        .await
        .expect("created");
    within_a_second("given", async || {
        permissions(&*there, "a", "b").await.person().is_some()
    })
    .await;
    let withdrawn = here
        .permissions()
        .delete(&consent("a", "b").id(), &by())
        .await;
    withdrawn.expect("deleted");
    let rest = permissions(&*here, "a", "b").await;
    assert!(rest.person().is_none() && rest.operator().is_some());
    within_a_second("withdrawn", async || {
        let rest = permissions(&*there, "a", "b").await;
        rest.person().is_none() && rest.operator().is_some()
    })
    .await;
}

/// Those of everybody else are left out.
pub async fn permissions_are_found_by_their_subject<S: Hooked>([here, there]: Two<S>) {
    store_with_permission(&*here).await;
    here.clients()
        .create(public_client("c"), &by())
        .await
        .expect("created");
    here.subjects()
        .create(subject("d"), &by())
        .await
        .expect("created");
    for given in [
        consent("a", "b"),
        permission("c", "b"),
        permission("a", "d"),
    ] {
        let created = here.permissions().create(given, &by()).await;
        created.expect("created");
    }
    let expected = [
        permission("a", "b"),
        consent("a", "b"),
        permission("c", "b"),
    ];
    for store in [here, there] {
        let found = store.permissions_for(&subject_id("b")).await;
        let found: Vec<_> = found
            .expect("a list")
            .iter()
            .map(|one| as_given(one))
            .collect();
        assert_eq!(found, expected);
        let nobody = store.permissions_for(&subject_id("nobody")).await;
        assert!(nobody.expect("a list").is_empty());
    }
}

/// A later client of the same name inherits nothing.
pub async fn deleting_a_client_takes_its_permissions_along<S: Hooked>([store, _]: Two<S>) {
    store_with_permission(&*store).await;
    store
        .clients()
        .delete(&id("a"), &by())
        .await
        .expect("deleted");
    store
        .clients()
        .create(public_client("a"), &by())
        .await
        .expect("created");
    assert!(permissions(&*store, "a", "b").await.is_empty());
}

/// A later subject of the same name is open to nobody.
pub async fn deleting_a_subject_takes_its_permissions_along<S: Hooked>([store, _]: Two<S>) {
    store_with_permission(&*store).await;
    store
        .subjects()
        .change(&subject_id("b"), &by(), |subject: &Subject| {
            Ok::<_, StoreError>(subject.clone().disabled())
        })
        .await
        .expect("updated");
    let found = store
        .subject(&subject_id("b"))
        .await
        .expect("the store answers")
        .expect("the subject");
    assert!(!found.enabled && found.created_at == Some(NOW));
    store
        .subjects()
        .delete(&subject_id("b"), &by())
        .await
        .expect("deleted");
    assert!(is_missing(
        store.subjects().replace(subject("b"), &by()).await
    ));
    store
        .subjects()
        .create(subject("b"), &by())
        .await
        .expect("created");
    assert!(permissions(&*store, "a", "b").await.is_empty());
}
