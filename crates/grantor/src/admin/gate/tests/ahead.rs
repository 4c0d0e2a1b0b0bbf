//! A batch is read ahead, and decided as it would be without that.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use super::*;

/// Permissions that count how they are asked for. Those of `spoilt` cannot be read.
struct Counting {
    store: Arc<MemoryStore>,
    spoilt: Option<PermissionId>,
    single: AtomicUsize,
    at_once: Mutex<Vec<usize>>,
}

impl Counting {
    fn check(&self, id: &PermissionId) -> Result<(), StoreError> {
        match self.spoilt.as_ref() == Some(id) {
            true => Err(StoreError::Failed("it cannot be read".into())),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Registry<Permission> for Counting {
    async fn get(&self, id: &PermissionId) -> Result<Option<Arc<Permission>>, StoreError> {
        self.single.fetch_add(1, Ordering::Relaxed);
        self.check(id)?;
        self.store.permissions().get(id).await
    }

    async fn get_all(
        &self,
        ids: &[PermissionId],
    ) -> Result<Vec<Option<Arc<Permission>>>, StoreError> {
        self.at_once.lock().expect("a lock").push(ids.len());
        ids.iter().try_for_each(|id| self.check(id))?;
        self.store.permissions().get_all(ids).await
    }

    async fn page(
        &self,
        filter: &<Permission as Resource>::Filter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<Arc<Permission>>, StoreError> {
        self.store.permissions().page(filter, after, limit).await
    }

    async fn apply(
        &self,
        changes: Vec<Change<Permission>>,
        by: &Actor,
    ) -> Result<Applied<Permission>, StoreError> {
        self.store.permissions().apply(changes, by).await
    }
}

/// A gate before a store with these permissions of `billing`, and what counts.
async fn counted(subjects: &[SubjectId], spoilt: Option<PermissionId>) -> (Gate, Arc<Counting>) {
    let store = world().await;
    let made = subjects.iter().flat_map(|id| -> [AnyChange; 2] {
        [
            Change::Create(subject(id.as_str())).into(),
            Change::Create(permission("billing", id.as_str(), Some("read"))).into(),
        ]
    });
    let made = store.apply_all(made.collect(), &by()).await;
    made.expect("all of it is new");
    let counting = Arc::new(Counting {
        store: store.clone(),
        spoilt,
        single: AtomicUsize::new(0),
        at_once: Mutex::default(),
    });
    let mut ports = Ports::of(store);
    ports.permissions = counting.clone();
    (Gate::new(ports, editor()), counting)
}

fn many() -> Vec<SubjectId> {
    let names = (0..1_200).map(|number| subject_id(&format!("person-{number}")));
    names.collect()
}

fn removals(subjects: &[SubjectId]) -> Vec<AnyChange> {
    let id = |subject: &SubjectId| permission("billing", subject.as_str(), None).id();
    let removals = subjects
        .iter()
        .map(|subject| delete::<Permission>(id(subject)));
    removals.collect()
}

#[tokio::test]
async fn a_batch_is_read_in_portions_each_name_once() {
    let subjects = many();
    let (gate, counting) = counted(&subjects, None).await;
    let mut changes = removals(&subjects);
    let absent = permission("billing", "carol", None).id();
    let expect = Change::<Permission>::Expect(absent, None);
    changes.extend([expect.clone().into(), expect.into()]);
    let made = gate.apply_all(changes, &by()).await;
    made.expect("nobody has power here");
    assert_eq!(counting.single.load(Ordering::Relaxed), 0);
    assert_eq!(*counting.at_once.lock().expect("a lock"), [500, 500, 201]);
}

/// Those in the portions of others are read at once all the same.
#[tokio::test]
async fn one_that_cannot_be_read_hides_no_other() {
    let subjects = many();
    let spoilt = permission("billing", "person-3", None).id();
    let (gate, counting) = counted(&subjects, Some(spoilt)).await;
    let failed = gate.apply_all(removals(&subjects), &by()).await;
    assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
    let mut others = subjects.clone();
    others.remove(3);
    counting.single.store(0, Ordering::Relaxed);
    let made = gate.apply_all(removals(&others), &by()).await;
    made.expect("the others can be read");
    assert_eq!(counting.single.load(Ordering::Relaxed), 0);
}

/// What was read ahead is a condition like what is read when it is asked for.
#[tokio::test]
async fn what_changes_behind_the_reading_is_decided_anew() {
    let (store, others) = (world().await, world().await);
    let power = replace::<Client>(&store, client_id("billing"), |client| {
        with(client, |metadata| metadata.scope = scope("grantor:admin"));
    });
    let power = power.await;
    let none = replace::<Client>(&others, client_id("billing"), |client| {
        with(client, |metadata| metadata.scope = scope("read"));
    });
    let none = none.await;
    for (store, meanwhile, is_denied) in [(store, power, true), (others, none, false)] {
        let gate = Gate::new(overtaken(&store, meanwhile), editor());
        let change = Change::Create(permission("billing", "carol", None)).into();
        let made = gate.apply_all(vec![change], &by()).await;
        let denied = matches!(made, Err(StoreError::Denied(Denial::NeedsOwner { .. })));
        assert_eq!(denied, is_denied, "{made:?}");
        assert_eq!(made.is_ok(), !is_denied);
    }
}
