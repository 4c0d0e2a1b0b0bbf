//! M014: the last owner stays.

use super::*;

/// Ways to take the way in from a subject.
async fn endings(store: &Arc<MemoryStore>, who: &str) -> Vec<(&'static str, AnyChange)> {
    let id = subject_id(who);
    vec![
        ("deleting", delete::<Subject>(id.clone())),
        (
            "disabling",
            replace(store, id.clone(), |it: &mut Subject| it.enabled = false).await,
        ),
        (
            "lowering",
            replace(store, id.clone(), |it: &mut Operator| {
                it.role = Role::Editor;
            })
            .await,
        ),
        ("taking the role", delete::<Operator>(id.clone())),
        ("taking the password", delete::<Password>(id)),
    ]
}

async fn make(store: &Arc<MemoryStore>, changes: Vec<AnyChange>) {
    store.apply_all(changes, &by()).await.expect("made");
}

#[tokio::test]
async fn m014_ma08_the_last_owner_who_can_sign_in_stays() {
    let count = endings(&world().await, "alice").await.len();
    for index in 0..count {
        let store = world().await;
        let (what, ending) = endings(&store, "alice").await.swap_remove(index);
        let denied = denial(&store, owner(), ending.clone()).await;
        assert_eq!(denied, Some(Denial::LastOwner), "{what}");
        // The control: bob, who has a password, is an owner too.
        make(&store, second_owner("bob")).await;
        assert_eq!(denial(&store, owner(), ending).await, None, "{what}");
    }
}

#[tokio::test]
async fn m014_an_owner_who_cannot_sign_in_is_none() {
    for (what, other) in [("without a password", "carol"), ("disabled", "bob")] {
        let store = world().await;
        let made = match other {
            "bob" => second_owner(other),
            _ => vec![Change::Create(operator(other, Role::Owner)).into()],
        };
        make(&store, made).await;
        if other == "bob" {
            let disable = replace(&store, subject_id("bob"), |it: &mut Subject| {
                it.enabled = false;
            });
            make(&store, vec![disable.await]).await;
        }
        for (how, ending) in endings(&store, "alice").await {
            let denied = denial(&store, owner(), ending).await;
            assert_eq!(denied, Some(Denial::LastOwner), "{what}, {how}");
        }
        // Such a one may go: nobody's way in is taken.
        let gone = delete::<Operator>(subject_id(other));
        assert_eq!(denial(&store, owner(), gone).await, None, "{what}");
    }
}

#[tokio::test]
async fn m014_who_is_at_the_database_is_not_held() {
    for (what, ending) in endings(&world().await, "alice").await {
        let store = world().await;
        assert_eq!(
            denial(&store, Rights::local(), ending).await,
            None,
            "{what}"
        );
    }
}

#[tokio::test]
async fn m014_without_a_person_the_last_client_with_admin_stays() {
    let endings = async |store: &Arc<MemoryStore>| {
        let disable = |it: &mut Client| with(it, |metadata| metadata.enabled = false);
        let lower = |it: &mut Client| with(it, |metadata| metadata.scope = scope("grantor:write"));
        [
            delete::<Client>(client_id("root")),
            replace(store, client_id("root"), disable).await,
            replace(store, client_id("root"), lower).await,
        ]
    };
    for index in 0..3 {
        let store = world().await;
        let ending = endings(&store).await[index].clone();
        make(&store, vec![delete::<Operator>(subject_id("alice"))]).await;
        let denied = denial(&store, owner(), ending.clone()).await;
        assert_eq!(denied, Some(Denial::LastOwner), "{ending:?}");
        let rename =
            |it: &mut Client| with(it, |metadata| metadata.scope = scope("a grantor:admin"));
        let harmless = replace(&store, client_id("root"), rename).await;
        assert_eq!(denial(&store, owner(), harmless).await, None);
        let another: AnyChange = Change::Create(client("root2", "grantor:admin")).into();
        make(&store, vec![another]).await;
        let ending = endings(&store).await[index].clone();
        assert_eq!(denial(&store, owner(), ending).await, None);

        // With a person who can sign in, the client may go.
        let store = world().await;
        let ending = endings(&store).await[index].clone();
        assert_eq!(denial(&store, owner(), ending).await, None);
    }
}

#[tokio::test]
async fn m014_a_batch_that_makes_another_owner_may_end_the_last() {
    let store = world().await;
    let end = || delete::<Operator>(subject_id("alice"));
    let make = |role| Change::Create(operator("bob", role)).into();
    let apply =
        async |changes: Vec<AnyChange>| gate(&store, owner()).apply_all(changes, &by()).await;
    // What bob signs in with ends with his first role; what is set up with the role stays.
    let set_up = || Change::Create(password("bob")).into();
    for changes in [
        vec![make(Role::Editor), set_up(), end()],
        vec![make(Role::Owner), end()],
    ] {
        let denied = apply(changes).await;
        assert!(matches!(denied, Err(StoreError::Denied(Denial::LastOwner))));
    }
    apply(vec![end(), make(Role::Owner), set_up()])
        .await
        .expect("bob is left");
}

#[tokio::test]
async fn m014_two_owners_do_not_remove_each_other() {
    for _ in 0..32 {
        let store = world().await;
        make(&store, second_owner("bob")).await;
        // Each through a process of its own: they share the store alone.
        let ends = ["alice", "bob"].map(|who| {
            let gate = gate(&store, owner());
            tokio::spawn(async move {
                let gone = delete::<Operator>(subject_id(who));
                gate.apply_all(vec![gone], &by()).await.is_ok()
            })
        });
        let mut ended = 0;
        for end in ends {
            ended += usize::from(end.await.expect("it ended"));
        }
        assert_eq!(ended, 1);
        assert_eq!(store.operators().all().await.expect("a list").len(), 1);
    }
}

#[tokio::test]
async fn m014_the_decision_rests_on_the_owner_who_is_left() {
    let store = world().await;
    make(&store, second_owner("bob")).await;
    let ports = Ports::of(store.clone());
    let rights = owner();
    let decided = async |who: &str| {
        let mut decision = Decision::new(&ports, &rights);
        let gone = Change::<Operator>::Delete(subject_id(who), None);
        let gone = decision.decide(gone).await.expect("another is left");
        let mut all = decision.end().await.expect("another is left");
        all.push(gone.into());
        all
    };
    // Both were decided before either was made.
    let (first, second) = (decided("alice").await, decided("bob").await);
    store.apply_all(first, &by()).await.expect("bob is left");
    let overtaken = store.apply_all(second, &by()).await;
    assert!(matches!(overtaken, Err(StoreError::Conflict(_))));
}

/// With the owner `alice`, who has these passkeys and no password.
async fn with_passkeys(ids: &[&str]) -> Arc<MemoryStore> {
    let store = world().await;
    let mut changes = vec![delete::<Password>(subject_id("alice"))];
    changes.extend(
        ids.iter()
            .map(|id| Change::Create(passkey("alice", id)).into()),
    );
    make(&store, changes).await;
    store
}

#[tokio::test]
async fn m014_ma08_the_last_passkey_of_the_last_owner_stays() {
    let store = with_passkeys(&["one"]).await;
    let gone = || delete::<Passkey>(credential("one"));
    let moved = replace(&store, credential("one"), |it: &mut Passkey| {
        it.subject = subject_id("bob");
    });
    for ending in [
        gone(),
        moved.await,
        delete::<Subject>(subject_id("alice")),
        delete::<Operator>(subject_id("alice")),
    ] {
        let denied = denial(&store, owner(), ending.clone()).await;
        assert_eq!(denied, Some(Denial::LastOwner), "{ending:?}");
    }
    // The controls: another passkey, a password, or another owner with a passkey is left.
    for other in [
        Change::Create(passkey("alice", "two")).into(),
        Change::Create(password("alice")).into(),
    ] {
        let store = with_passkeys(&["one"]).await;
        make(&store, vec![other]).await;
        assert_eq!(denial(&store, owner(), gone()).await, None);
    }
    let store = with_passkeys(&["one"]).await;
    make(
        &store,
        vec![
            Change::Create(operator("carol", Role::Owner)).into(),
            Change::Create(passkey("carol", "of carol")).into(),
        ],
    )
    .await;
    assert_eq!(denial(&store, owner(), gone()).await, None);
    assert_eq!(
        denial(&with_passkeys(&["one"]).await, Rights::local(), gone()).await,
        None
    );
}

#[tokio::test]
async fn m014_passkeys_that_end_or_begin_in_the_same_batch_count_so() {
    let [one, two] = ["one", "two"].map(credential);
    let both = vec![delete::<Passkey>(one.clone()), delete::<Passkey>(two)];
    let exchanged = || {
        vec![
            delete::<Passkey>(one.clone()),
            Change::Create(passkey("alice", "three")).into(),
        ]
    };
    let again = vec![
        delete::<Subject>(subject_id("alice")),
        Change::Create(subject("alice")).into(),
        Change::Create(operator("alice", Role::Owner)).into(),
    ];
    for (changes, is_denied) in [(both, true), (exchanged(), false), (again, true)] {
        let store = with_passkeys(&["one", "two"]).await;
        let applied = gate(&store, owner()).apply_all(changes, &by()).await;
        let denied = matches!(applied, Err(StoreError::Denied(Denial::LastOwner)));
        assert_eq!((denied, applied.is_ok()), (is_denied, !is_denied));
    }
    let store = with_passkeys(&["one"]).await;
    let applied = gate(&store, owner()).apply_all(exchanged(), &by()).await;
    applied.expect("another is left");
}

#[tokio::test]
async fn m014_the_decision_rests_on_the_passkey_that_is_left() {
    let store = with_passkeys(&["one", "two"]).await;
    let (ports, rights) = (Ports::of(store.clone()), owner());
    let decided = async |id: &str| {
        let mut decision = Decision::new(&ports, &rights);
        let gone = Change::<Passkey>::Delete(credential(id), None);
        let gone = decision.decide(gone).await.expect("another is left");
        let mut all = decision.end().await.expect("another is left");
        all.push(gone.into());
        all
    };
    // Both were decided before either was made.
    let (first, second) = (decided("one").await, decided("two").await);
    store.apply_all(first, &by()).await.expect("two is left");
    let overtaken = store.apply_all(second, &by()).await;
    assert!(matches!(overtaken, Err(StoreError::Conflict(_))));
}
