//! Lists are in order, and their pages hold everything once.

use super::{Hooked, by, permission, public_client, subject};
use crate::storage::{ChangeFilter, Cursor, Start, StoreError, conformance::Two};

/// Lists are sorted by name, octet by octet.
pub async fn lists_are_in_order<S: Hooked>([store, _]: Two<S>) {
    for name in ["b", "a", "C"] {
        store
            .clients()
            .create(public_client(name), &by())
            .await
            .expect("created");
        store
            .subjects()
            .create(subject(&format!("s-{name}")), &by())
            .await
            .expect("created");
        store
            .permissions()
            .create(permission(name, &format!("s-{name}")), &by())
            .await
            .expect("created");
    }
    let clients = store.clients().all().await.expect("a list");
    assert_eq!(
        clients
            .iter()
            .map(|client| client.id().as_str())
            .collect::<Vec<_>>(),
        ["C", "a", "b"]
    );
    let subjects = store.subjects().all().await.expect("a list");
    assert_eq!(
        subjects
            .iter()
            .map(|subject| subject.id.as_str())
            .collect::<Vec<_>>(),
        ["s-C", "s-a", "s-b"]
    );
    let permissions = store.permissions().all().await.expect("a list");
    assert_eq!(
        permissions
            .iter()
            .map(|one| one.client.as_str())
            .collect::<Vec<_>>(),
        ["C", "a", "b"]
    );
}

/// What is there from the first page to the last is on one page, whatever comes and goes meanwhile.
pub async fn pages_hold_everything_once_while_rows_come_and_go<S: Hooked>([one, two]: Two<S>) {
    for name in ["b", "d", "f", "h", "j"] {
        let created = one.clients().create(public_client(name), &by()).await;
        created.expect("created");
    }
    let (mut seen, mut after) = (Vec::new(), None);
    for passing in ["a", "e", "i", "k"] {
        let page = two
            .clients()
            .page(&Default::default(), after.as_ref(), 2)
            .await;
        let page = page.expect("a page");
        assert!(page.items.len() <= 2);
        seen.extend(page.items.iter().map(|client| client.id().to_string()));
        let created = one.clients().create(public_client(passing), &by()).await;
        created.expect("created");
        if let Some(first) = page.items.first() {
            let passed = one.clients().delete(first.id(), &by()).await;
            passed.expect("deleted behind the reader");
        }
        let Some(next) = page.next else { break };
        after = Some(Cursor::from_text(next.to_string()));
    }
    let stayed: Vec<_> = seen.iter().filter(|name| "bdfhj".contains(*name)).collect();
    assert_eq!(stayed, ["b", "d", "f", "h", "j"], "{seen:?}");
    let last = one
        .clients()
        .page(&Default::default(), None, 100)
        .await
        .expect("a page");
    assert!(last.next.is_none() && !last.items.is_empty());
}

/// A text that no list has handed out is no place in it.
pub async fn a_cursor_of_another_list_is_refused<S: Hooked>([store, _]: Two<S>) {
    for text in ["", "?", "%00", "W10"] {
        let cursor = Cursor::from_text(text);
        let page = store
            .permissions()
            .page(&Default::default(), Some(&cursor), 1)
            .await;
        assert!(matches!(page, Err(StoreError::Cursor)), "{text:?}");
        let start = Start::After(cursor);
        let all = ChangeFilter::default();
        let page = store.changes().page(&all, start, 1).await;
        assert!(matches!(page, Err(StoreError::Cursor)), "{text:?}");
    }
}
