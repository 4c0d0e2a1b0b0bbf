//! The record of changes: who, what, before and after, in pages that can be followed.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use grantor_jose::base64url_encode;
use serde_json::{Value, json};

use super::{
    Hooked, by, disabled, exists, full_client, is_missing, public_client, store_with_permission,
    subject,
};
use crate::{
    registry::{Action, Actor, ChangeRecord, Client, ClientSecret, Resource as _, Way, Who},
    storage::{
        Change, ChangeFilter, Cursor, LogPage, Registries, Start,
        conformance::{Two, id, subject_id},
    },
};

/// The changes from there on that pass, page by page, and the place behind them.
async fn changes_from(
    store: &impl Registries,
    filter: &ChangeFilter,
    mut start: Start,
) -> (Vec<ChangeRecord>, Cursor) {
    let mut records = Vec::new();
    loop {
        let page = store.changes().page(filter, start, 2).await;
        let LogPage { entries, next, .. } = page.expect("a page");
        if entries.is_empty() {
            return (records, next);
        }
        for entry in &entries {
            records.push(ChangeRecord::read(&entry.document).expect("a record"));
        }
        start = Start::After(next);
    }
}

pub(in super::super) async fn records(store: &impl Registries) -> Vec<ChangeRecord> {
    let all = ChangeFilter::default();
    changes_from(store, &all, Start::Oldest).await.0
}

/// Law 14: who, by which way, why, what, before and after.
pub async fn a_change_is_recorded_with_what_was_and_what_is<S: Hooked>([one, two]: Two<S>) {
    let actor = Actor::new(Who::Operator(subject_id("anna")), Way::Console)
        .because("a test")
        .from_address([192, 0, 2, 1].into())
        .in_request("request-1");
    let clients = one.clients();
    let created = clients.create(public_client("a"), &actor).await;
    let created = created.expect("created");
    let replaced = clients.replace(disabled(&created), &by()).await;
    let replaced = replaced.expect("replaced");
    clients.delete(&id("a"), &by()).await.expect("deleted");
    let records = records(&*two).await;
    let [create, replace, delete] = <&[_; 3]>::try_from(&records[..]).expect("three records");
    assert_eq!(create.actor, actor);
    assert_eq!(replace.actor, by());
    assert!(create.id > 0 && create.id < replace.id && replace.id < delete.id);
    for (record, action, before, after) in [
        (create, Action::Create, None, Some(&created)),
        (replace, Action::Replace, Some(&created), Some(&replaced)),
        (delete, Action::Delete, Some(&replaced), None),
    ] {
        let document = |client: Option<&Arc<Client>>| client.map(|client| client.document());
        assert_eq!((&*record.resource, &*record.name), ("client", "a"));
        assert_eq!(record.action, action);
        assert_eq!(record.before, document(before), "{action:?}");
        assert_eq!(record.after, document(after), "{action:?}");
    }
    let after = replace.after.as_ref().expect("a document");
    assert_eq!(
        (&after["enabled"], &after["id"]),
        (&json!(false), &json!("a"))
    );
}

/// A permission that ends with its client or subject is a change of its own.
pub async fn what_goes_along_is_recorded_too<S: Hooked>([store, _]: Two<S>) {
    store_with_permission(&*store).await;
    let before = records(&*store).await.len();
    let deleted = store.subjects().delete(&subject_id("b"), &by()).await;
    deleted.expect("deleted");
    let records = records(&*store).await;
    let told: Vec<_> = records[before..]
        .iter()
        .map(|record| (&*record.resource, &*record.name, record.action))
        .collect();
    assert_eq!(
        told,
        [
            ("permission", r#"["a","b"]"#, Action::Delete),
            ("subject", "b", Action::Delete)
        ]
    );
    let permission = records[before].before.as_ref().expect("a document");
    assert_eq!(permission["scope"], "read");
}

/// Nothing is said of what was refused.
pub async fn what_was_not_changed_is_not_recorded<S: Hooked>([store, _]: Two<S>) {
    let twice = vec![Change::Create(public_client("a")); 2];
    assert!(exists(store.clients().apply(twice, &by()).await));
    assert!(is_missing(store.clients().delete(&id("a"), &by()).await));
    assert_eq!(records(&*store).await, []);
}

/// A secret is told by the beginning of its digest, the same whichever way it is kept.
pub async fn no_secret_is_in_a_record<S: Hooked>([store, _]: Two<S>) {
    let client = full_client("a");
    let key = client.keys()[0].to_stored().into_owned();
    let created = store.clients().create(client, &by()).await;
    created.expect("created");
    store
        .clients()
        .delete(&id("a"), &by())
        .await
        .expect("deleted");
    let records = records(&*store).await;
    let text = serde_json::to_string(&records).expect("JSON");
    let secret = "s".repeat(64);
    let digest = ClientSecret::digest(&secret, None);
    let octets = digest.stored_digest().expect("a digest");
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let x = serde_json::from_str::<Value>(&key).expect("a JWK")["x"].to_string();
    for secret in [&*secret, &*hex, &*base64url_encode(octets), &*x] {
        assert!(!text.contains(secret), "{secret}");
    }
    let document = records[0].after.as_ref().expect("a document");
    let [readable, other] = <&[_; 2]>::try_from(&document["secrets"].as_array().expect("two")[..])
        .expect("two secrets");
    assert_eq!(readable["fingerprint"], format!("sha256:{}", &hex[..8]));
    assert_eq!(readable["fingerprint"], digest.fingerprint());
    assert_ne!(readable["fingerprint"], other["fingerprint"]);
}

/// Each member of the filter, and two at once.
pub async fn changes_are_found_by_what_they_say<S: Hooked>([one, other]: Two<S>) {
    let anna = Actor::new(Who::Operator(subject_id("anna")), Way::Console);
    let created = one.clients().create(public_client("a"), &anna).await;
    created.expect("created");
    let created = one.subjects().create(subject("b"), &by()).await;
    created.expect("created");
    let deleted = one.clients().delete(&id("a"), &by()).await;
    deleted.expect("deleted");
    let all = records(&*other).await;
    let found = async |set: fn(&mut ChangeFilter)| {
        let mut filter = ChangeFilter::default();
        set(&mut filter);
        let (found, _) = changes_from(&*other, &filter, Start::Oldest).await;
        found
            .iter()
            .map(|one| one.id - all[0].id)
            .collect::<Vec<_>>()
    };
    let by_anna = |filter: &mut ChangeFilter| filter.actor = Some("operator anna".to_owned());
    assert_eq!(found(by_anna).await, [0]);
    let by_laws = |filter: &mut ChangeFilter| filter.actor = Some("program laws".to_owned());
    assert_eq!(found(by_laws).await, [1, 2]);
    let of_clients = |filter: &mut ChangeFilter| filter.resource = Some("client".to_owned());
    assert_eq!(found(of_clients).await, [0, 2]);
    let of_b = |filter: &mut ChangeFilter| filter.name = Some("b".to_owned());
    assert_eq!(found(of_b).await, [1]);
    let both = |filter: &mut ChangeFilter| {
        filter.actor = Some("program laws".to_owned());
        filter.name = Some("a".to_owned());
    };
    assert_eq!(found(both).await, [2]);
    let of_kind_and_name = |filter: &mut ChangeFilter| {
        (filter.resource, filter.name) = (Some("client".to_owned()), Some("a".to_owned()));
    };
    assert_eq!(found(of_kind_and_name).await, [0, 2]);
    let by_whom_of_what = |filter: &mut ChangeFilter| {
        filter.actor = Some("program laws".to_owned());
        filter.resource = Some("subject".to_owned());
    };
    assert_eq!(found(by_whom_of_what).await, [1]);
    let none = |filter: &mut ChangeFilter| filter.name = Some("A".to_owned());
    assert!(found(none).await.is_empty());
    for (id, place) in [
        (all[1].id, Some(1)),
        (all[2].id + 1, None),
        (u64::MAX, None),
    ] {
        let filter = ChangeFilter {
            id: Some(id),
            ..ChangeFilter::default()
        };
        for start in [Start::Oldest, Start::Last(1)] {
            let (found, _) = changes_from(&*other, &filter, start).await;
            let expected = place.map(|place: usize| all[place].clone());
            assert_eq!(found, Vec::from_iter(expected), "{id}");
        }
    }
    for (since, count) in [
        (all[0].at, 3),
        (all[2].at.plus(Duration::from_millis(1)), 0),
    ] {
        let since = Some(since);
        let filter = ChangeFilter {
            since,
            ..ChangeFilter::default()
        };
        let (found, _) = changes_from(&*other, &filter, Start::Oldest).await;
        assert_eq!(found.len(), count);
    }
    let end = all[2].at.plus(Duration::from_millis(1));
    for (until, count) in [(all[0].at, 0), (end, 3)] {
        let filter = ChangeFilter {
            until: Some(until),
            ..ChangeFilter::default()
        };
        let (found, _) = changes_from(&*other, &filter, Start::Last(9)).await;
        assert_eq!(found.len(), count);
    }
}

/// The newest so many that pass the filter, or only what comes from now on.
pub async fn the_last_changes_are_found_and_then_followed<S: Hooked>([one, other]: Two<S>) {
    let of_clients = ChangeFilter {
        resource: Some("client".to_owned()),
        ..ChangeFilter::default()
    };
    for name in ["a", "b", "c"] {
        let created = one.clients().create(public_client(name), &by()).await;
        created.expect("created");
        let subject = subject(&format!("s-{name}"));
        let created = one.subjects().create(subject, &by()).await;
        created.expect("created");
    }
    let names = |records: &[ChangeRecord]| {
        let names = records.iter().map(|record| record.name.clone());
        names.collect::<Vec<_>>()
    };
    let (last, next) = changes_from(&*other, &of_clients, Start::Last(2)).await;
    assert_eq!(names(&last), ["b", "c"]);
    let (none, end) = changes_from(&*other, &of_clients, Start::Last(0)).await;
    assert_eq!((none.len(), &end), (0, &next));
    let created = one.clients().create(public_client("late"), &by()).await;
    created.expect("created");
    let next = Cursor::from_text(next.to_string());
    let (late, _) = changes_from(&*other, &of_clients, Start::After(next)).await;
    assert_eq!(names(&late), ["late"]);
}

/// Two handles change at the same time; the one that follows reads neither too little nor twice.
pub async fn a_record_of_changes_that_is_followed_gives_each_once<S: Hooked>([one, other]: Two<S>) {
    const EACH: usize = 40;
    let registering = |store: Arc<S>, which: &'static str| {
        tokio::spawn(async move {
            for number in 0..EACH {
                let client = public_client(&format!("{which} {number}"));
                let created = store.clients().create(client, &by()).await;
                created.expect("created");
            }
        })
    };
    let all = ChangeFilter::default();
    let (_, mut next) = changes_from(&*one, &all, Start::Last(0)).await;
    let tasks = [registering(one.clone(), "one"), registering(other, "other")];
    let mut seen = Vec::new();
    loop {
        // First: what was changed before is on the pages that follow.
        let is_done = tasks.iter().all(tokio::task::JoinHandle::is_finished);
        let (records, then) = changes_from(&*one, &all, Start::After(next)).await;
        next = then;
        seen.extend(records.into_iter().map(|record| record.name));
        if is_done {
            break;
        }
    }
    for task in tasks {
        task.await.expect("no panic");
    }
    assert_eq!(seen.len(), 2 * EACH);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 2 * EACH);
}
