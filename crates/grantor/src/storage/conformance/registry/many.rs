//! More changes in one call than a backend makes by one statement.

use std::sync::Arc;

use super::{
    Hooked, by, exists, full_client, is_conflict, public_client, read, records::records, subject,
};
use crate::{
    registry::{Client, Resource as _, Revision, Subject},
    storage::{
        AnyChange, Change,
        conformance::{Two, id},
    },
    types::{DisplayName, Language},
};

/// So many of each kind.
const MANY: usize = 300;

/// Clients with and without secrets.
fn clients() -> Vec<Client> {
    let client = |number| match number % 100 {
        7 => full_client(&format!("client-{number}")),
        _ => public_client(&format!("client-{number}")),
    };
    (0..MANY).map(client).collect()
}

/// Subjects with and without what may be left out.
fn subjects() -> Vec<Subject> {
    let display_name =
        |number| DisplayName::parse(&format!("Subject {number}")).expect("a display name");
    let subject = |number| Subject {
        enabled: number % 3 != 0,
        language: (number % 2 == 0).then_some(Language::French),
        display_name: (number % 5 == 0).then(|| display_name(number)),
        ..subject(&format!("subject-{number}"))
    };
    (0..MANY).map(subject).collect()
}

/// All are new.
fn creating(clients: &[Client], subjects: &[Subject]) -> Vec<AnyChange> {
    let clients = clients.iter().cloned().map(Change::Create);
    let subjects = subjects.iter().cloned().map(Change::Create);
    let changes = clients.map(AnyChange::from);
    changes.chain(subjects.map(AnyChange::from)).collect()
}

/// Where one of many may not be made, none is.
pub async fn of_many_changes_none_is_made_unless_all_are<S: Hooked>([one, two]: Two<S>) {
    let taken = one.subjects().create(subject("taken"), &by()).await;
    taken.expect("created");
    let before = records(&*one).await;
    let with = |bad: AnyChange| {
        let mut changes = creating(&clients(), &subjects());
        changes.insert(MANY / 2, bad);
        changes
    };
    for bad in [
        Change::Create(public_client("taken")).into(),
        Change::Create(public_client("client-3")).into(),
        AnyChange::from(Change::Create(subject("client-3"))),
    ] {
        let what = format!("{bad:?}");
        assert!(exists(two.apply_all(with(bad), &by()).await), "{what}");
        assert_eq!(records(&*one).await, before, "{what}");
        assert!(read(&*one, "client-0").await.is_none(), "{what}");
    }
    let expected = Change::<Client>::Expect(id("client-3"), None).into();
    assert!(is_conflict(two.apply_all(with(expected), &by()).await));
    assert_eq!(records(&*one).await, before);
}

/// Each of many comes back as it went in, and is recorded in its place.
pub async fn of_many_changes_each_is_made_in_its_place<S: Hooked>([one, two]: Two<S>) {
    let (clients, subjects) = (clients(), subjects());
    let made = two.apply_all(creating(&clients, &subjects), &by()).await;
    let made = made.expect("all are free");
    assert!(made == records(&*one).await, "told as they are recorded");
    let names = made.iter().map(|record| record.name.clone());
    let wanted = clients.iter().map(|client| client.id().to_string());
    let wanted = wanted.chain(subjects.iter().map(|subject| subject.id.to_string()));
    assert!(names.eq(wanted), "in their order");
    for (client, record) in clients.iter().zip(&made) {
        let found = one.clients().get(client.id()).await.expect("read");
        let found = found.expect("it is there");
        assert_eq!(found.metadata(), client.metadata());
        assert_eq!(found.secrets().len(), client.secrets().len());
        assert_eq!(found.keys().len(), client.keys().len());
        assert_eq!(record.after, Some(found.document()));
    }
    for subject in &subjects {
        let found = one.subjects().get(&subject.id).await.expect("read");
        let found = found.expect("it is there");
        let wanted = subject.clone().with_revision(found.revision);
        assert_eq!(*found, wanted);
    }
}

/// Of many conditions each has to hold; all that were expected are answered in their order.
pub async fn of_many_conditions_each_has_to_hold<S: Hooked>([one, two]: Two<S>) {
    let created = two.apply_all(creating(&clients(), &[]), &by()).await;
    created.expect("all are free");
    let ids: Vec<_> = clients().iter().map(|client| client.id().clone()).collect();
    let found = one.clients().get_all(&ids).await.expect("read");
    let revisions = |found: &[Option<Arc<Client>>]| -> Vec<Option<Revision>> {
        let found = found.iter();
        found
            .map(|one| one.as_ref().map(|client| client.revision()))
            .collect()
    };
    let expected = revisions(&found);
    let conditions = |wrong: Option<usize>| -> Vec<Change<Client>> {
        let mut expected = expected.clone();
        wrong.into_iter().for_each(|place| expected[place] = None);
        let named = ids.iter().cloned().zip(expected);
        named
            .map(|(id, expected)| Change::Expect(id, expected))
            .collect()
    };
    for wrong in [0, MANY / 2, MANY - 1] {
        let refused = one.clients().apply(conditions(Some(wrong)), &by()).await;
        assert!(is_conflict(refused), "{wrong}");
    }
    let answered = one.clients().apply(conditions(None), &by()).await;
    let answered = answered.expect("all are so").resources;
    assert_eq!(revisions(&answered), expected);
}
