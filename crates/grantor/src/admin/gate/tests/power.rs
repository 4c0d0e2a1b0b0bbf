//! M012, M013: who holds or gives power.

use super::*;

/// Changes of what has power, or would have it, and beside each one that differs in that alone.
async fn changes(store: &Arc<MemoryStore>) -> Vec<(&'static str, AnyChange, AnyChange)> {
    let disable = |client: &mut Client| with(client, |metadata| metadata.enabled = false);
    let [root, billing] = ["root", "billing"].map(client_id);
    let [alice, bob] = ["alice", "bob"].map(subject_id);
    let give = |scope: &'static str| {
        move |client: &mut Client| with(client, |metadata| metadata.scope = super::scope(scope))
    };
    let of_operator = SubjectMapping::Fixed(alice.clone());
    let of_other = SubjectMapping::Fixed(subject_id("robot"));
    let mapped = |mapping: SubjectMapping| move |trust: &mut Trust| trust.subject = mapping;
    let scoped = |scope: &'static str| move |trust: &mut Trust| trust.scope = super::scope(scope);
    let moved = |client: &'static str| move |trust: &mut Trust| trust.client = client_id(client);
    let described = |text: &mut ScopeText| text.sensitive = true;
    let leeway = |issuer: &mut TrustedIssuer| issuer.audiences = vec!["a".to_owned()];
    let of_bob = |client: &str| PermissionId::by_operator(client_id(client), subject_id("bob"));
    let token = |text: &str| ScopeToken::parse(text).expect("a token");
    let rename = |it: &mut Passkey| it.name = DisplayName::parse("phone").expect("a name");
    let give_to = |subject: &'static str| move |it: &mut Passkey| it.subject = subject_id(subject);
    let reset = |password: &mut Password| password.changed_at = UnixTime::from_millis(7);
    vec![
        (
            "creating a client",
            Change::Create(client("new", "grantor:read")).into(),
            Change::Create(client("new", "read")).into(),
        ),
        (
            "changing a client",
            replace(store, root.clone(), disable).await,
            replace(store, billing.clone(), disable).await,
        ),
        (
            "widening a client",
            replace(store, billing.clone(), give("read grantor:read")).await,
            replace(store, billing.clone(), give("read")).await,
        ),
        (
            "taking a client's power",
            replace(store, root.clone(), give("read")).await,
            replace(store, billing.clone(), give("write")).await,
        ),
        (
            "deleting a client",
            delete::<Client>(root.clone()),
            delete::<Client>(billing.clone()),
        ),
        (
            "changing a subject",
            replace(store, alice.clone(), |it: &mut Subject| it.enabled = false).await,
            replace(store, bob.clone(), |it: &mut Subject| it.enabled = false).await,
        ),
        (
            "deleting a subject",
            delete::<Subject>(alice.clone()),
            delete::<Subject>(subject_id("carol")),
        ),
        (
            "creating an operator",
            Change::Create(operator("bob", Role::Reader)).into(),
            Change::Create(password("carol")).into(),
        ),
        (
            "changing a role",
            replace(store, alice.clone(), |it: &mut Operator| {
                it.role = Role::Reader;
            })
            .await,
            Change::Create(password("carol")).into(),
        ),
        (
            "taking a role",
            delete::<Operator>(alice.clone()),
            delete::<Password>(bob.clone()),
        ),
        (
            "changing a password",
            replace(store, alice.clone(), reset).await,
            replace(store, bob.clone(), reset).await,
        ),
        (
            "taking a password",
            delete::<Password>(alice.clone()),
            delete::<Password>(bob.clone()),
        ),
        (
            "a new passkey",
            Change::Create(passkey("alice", "new")).into(),
            Change::Create(passkey("bob", "new")).into(),
        ),
        (
            "changing a passkey",
            replace(store, credential("of alice"), rename).await,
            replace(store, credential("of bob"), rename).await,
        ),
        (
            "giving a passkey to another",
            replace(store, credential("of bob"), give_to("alice")).await,
            replace(store, credential("of bob"), give_to("carol")).await,
        ),
        (
            "taking a passkey from one to give it to another",
            replace(store, credential("of alice"), give_to("carol")).await,
            replace(store, credential("of bob"), give_to("carol")).await,
        ),
        (
            "taking a passkey",
            delete::<Passkey>(credential("of alice")),
            delete::<Passkey>(credential("of bob")),
        ),
        (
            "a permission of a client",
            Change::Create(permission("root", "carol", None)).into(),
            Change::Create(permission("billing", "carol", None)).into(),
        ),
        (
            "a permission by its scope",
            Change::Create(permission("billing", "carol", Some("grantor:read"))).into(),
            Change::Create(permission("billing", "carol", Some("read"))).into(),
        ),
        (
            "a permission for a subject",
            replace(
                store,
                PermissionId::by_operator(billing.clone(), alice.clone()),
                |it: &mut Permission| it.expires_at = None,
            )
            .await,
            replace(store, of_bob("billing"), |it: &mut Permission| {
                it.expires_at = None;
            })
            .await,
        ),
        (
            "taking a permission",
            delete::<Permission>(of_bob("root")),
            delete::<Permission>(of_bob("billing")),
        ),
        (
            "a trust of a client",
            Change::Create(trust("new", "idp", "root")).into(),
            Change::Create(trust("new", "idp", "billing")).into(),
        ),
        (
            "a trust that is given to a client",
            replace(store, name("ci"), moved("root")).await,
            replace(store, name("ci"), moved("billing")).await,
        ),
        (
            "a trust that a client has",
            replace(store, name("root-ci"), moved("billing")).await,
            replace(store, name("ci"), moved("billing")).await,
        ),
        (
            "a trust by its scope",
            replace(store, name("ci"), scoped("grantor:write")).await,
            replace(store, name("ci"), scoped("write")).await,
        ),
        (
            "a trust by its subject",
            replace(store, name("ci"), mapped(of_operator)).await,
            replace(store, name("ci"), mapped(of_other)).await,
        ),
        (
            "deleting a trust",
            delete::<Trust>(name("root-ci")),
            delete::<Trust>(name("ci")),
        ),
        (
            "changing an issuer",
            replace(store, iss("forge"), leeway).await,
            replace(store, iss("idp"), leeway).await,
        ),
        (
            "deleting an issuer",
            delete::<TrustedIssuer>(iss("forge")),
            delete::<TrustedIssuer>(iss("idp")),
        ),
        (
            "a text",
            Change::Create(text("grantor:write")).into(),
            Change::Create(text("write")).into(),
        ),
        (
            "changing a text",
            replace(store, token("grantor:read"), described).await,
            replace(store, token("read"), described).await,
        ),
        (
            "deleting a text",
            delete::<ScopeText>(token("grantor:read")),
            delete::<ScopeText>(token("read")),
        ),
    ]
}

/// With a passkey of `alice` and one of `bob`.
async fn with_passkeys() -> Arc<MemoryStore> {
    let store = world().await;
    let made = [passkey("alice", "of alice"), passkey("bob", "of bob")];
    let made = made.map(|passkey| Change::Create(passkey).into());
    store.apply_all(made.into(), &by()).await.expect("made");
    store
}

#[tokio::test]
async fn m012_only_an_owner_changes_what_has_power() {
    let count = Box::pin(changes(&with_passkeys().await)).await.len();
    for index in 0..count {
        let store = with_passkeys().await;
        let (what, powerful, _) = Box::pin(changes(&store)).await.swap_remove(index);
        let denied = denial(&store, editor(), powerful).await;
        assert!(
            matches!(denied, Some(Denial::NeedsOwner { .. })),
            "{what}: {denied:?}"
        );
        let (_, _, control) = Box::pin(changes(&store)).await.swap_remove(index);
        assert_eq!(denial(&store, editor(), control).await, None, "{what}");

        // With a second owner no rule but this is in the way.
        let store = with_passkeys().await;
        let mut second = second_owner("dave");
        second.insert(0, Change::Create(subject("dave")).into());
        let second = store.apply_all(second, &by()).await;
        second.expect("made");
        let (_, powerful, _) = Box::pin(changes(&with_passkeys().await))
            .await
            .swap_remove(index);
        let denied = denial(&store, owner(), powerful).await;
        assert_eq!(denied, None, "{what}");
    }
}

#[tokio::test]
async fn m012_power_does_not_end_along_with_something_else() {
    let scoped = async |scope: &str| {
        let store = world().await;
        let scope = super::scope(scope);
        let of_bob = PermissionId::by_operator(client_id("billing"), subject_id("bob"));
        let changes = vec![
            replace(&store, of_bob, |it: &mut Permission| {
                it.scope = Some(scope.clone());
            })
            .await,
            replace(&store, name("ci"), |it: &mut Trust| {
                it.scope = scope.clone();
            })
            .await,
        ];
        store.apply_all(changes, &by()).await.expect("changed");
        store
    };
    for gone in [
        || delete::<Client>(client_id("billing")),
        || delete::<TrustedIssuer>(iss("idp")),
    ] {
        let powerful = denial(&scoped("grantor:read").await, editor(), gone()).await;
        assert!(matches!(powerful, Some(Denial::NeedsOwner { .. })));
        assert_eq!(denial(&scoped("read").await, editor(), gone()).await, None);
        let by_owner = denial(&scoped("grantor:read").await, owner(), gone()).await;
        assert_eq!(by_owner, None);
    }
    // The permission of the client root is bob's, and carol has none.
    for (who, is_denied) in [("bob", true), ("carol", false)] {
        let gone = delete::<Subject>(subject_id(who));
        let denied = denial(&world().await, editor(), gone).await;
        assert_eq!(denied.is_some(), is_denied, "{who}");
    }
}

#[tokio::test]
async fn m012_an_issuer_that_reads_a_file_or_asks_inside_is_an_owners() {
    let store = world().await;
    let from_file = |issuer: &mut TrustedIssuer| {
        issuer.fetching.bearer_token_file = Some(PathBuf::from("/run/token"));
    };
    let inside = |issuer: &mut TrustedIssuer| {
        issuer.fetching.allow_internal = vec!["10.0.0.0/8".parse().expect("a network")];
    };
    let with_ca = |issuer: &mut TrustedIssuer| issuer.fetching.ca = Some("PEM".to_owned());
    for (change, is_denied) in [
        (replace(&store, iss("idp"), from_file).await, true),
        (replace(&store, iss("idp"), inside).await, true),
        (replace(&store, iss("idp"), with_ca).await, false),
    ] {
        assert_eq!(denial(&store, editor(), change).await.is_some(), is_denied);
    }
    let change = replace(&store, iss("idp"), from_file).await;
    assert_eq!(denial(&store, owner(), change).await, None);
    let back = |issuer: &mut TrustedIssuer| issuer.fetching.bearer_token_file = None;
    let change = replace(&store, iss("idp"), back).await;
    assert!(denial(&store, editor(), change).await.is_some());
}

#[tokio::test]
async fn m012_what_a_batch_makes_counts_for_what_follows_in_it() {
    let store = world().await;
    let new_client = |scope| Change::Create(client("new", scope)).into();
    let for_it = || Change::Create(permission("new", "bob", Some("read"))).into();
    let batch = async |rights, scope| {
        let changes: Vec<AnyChange> = vec![new_client(scope), for_it()];
        gate(&store, rights).apply_all(changes, &by()).await
    };
    let denied = batch(editor(), "grantor:read").await;
    assert!(matches!(denied, Err(StoreError::Denied(_))));
    batch(editor(), "read").await.expect("it has no power");
    let of_issuer: Vec<AnyChange> = vec![
        Change::Create(issuer("new")).into(),
        Change::Create(trust("new", "new", "root")).into(),
    ];
    let denied = gate(&store, editor())
        .apply_all(of_issuer.clone(), &by())
        .await;
    assert!(matches!(denied, Err(StoreError::Denied(_))));
    let made = gate(&store, owner()).apply_all(of_issuer, &by()).await;
    made.expect("an owner may");
}

#[tokio::test]
async fn m012_power_that_comes_while_a_change_is_decided_denies_it() {
    let gives_power = |client: &mut Client| {
        with(client, |metadata| {
            metadata.scope = scope("read grantor:read");
        });
    };
    let harmless = |client: &mut Client| with(client, |metadata| metadata.scope = scope("read"));
    for is_powerful in [true, false] {
        let store = world().await;
        let meanwhile = match is_powerful {
            true => replace(&store, client_id("billing"), gives_power).await,
            false => replace(&store, client_id("billing"), harmless).await,
        };
        let gate = Gate::new(overtaken(&store, meanwhile), editor());
        let given = permission("billing", "carol", None);
        let given = gate.permissions().create(given, &by()).await;
        match is_powerful {
            true => assert!(matches!(given, Err(StoreError::Denied(_)))),
            false => drop(given.expect("it is decided anew")),
        }
    }
}

#[tokio::test]
async fn m012_a_trust_with_power_that_comes_while_its_issuer_is_changed_denies_it() {
    for (client, is_denied) in [("root", true), ("billing", false)] {
        let store = world().await;
        let meanwhile = Change::Create(trust("new", "idp", client)).into();
        let gate = Gate::new(overtaken(&store, meanwhile), editor());
        let audience = |issuer: &mut TrustedIssuer| issuer.audiences = vec!["a".to_owned()];
        let change = replace(&store, iss("idp"), audience).await;
        let changed = gate.apply_all(vec![change], &by()).await;
        match is_denied {
            true => assert!(matches!(changed, Err(StoreError::Denied(_)))),
            false => drop(changed.expect("it is decided anew")),
        }
    }
}

#[tokio::test]
async fn m012_what_hangs_on_power_beside_the_registries_is_an_owners() {
    let store = world().await;
    let (editor, owner) = (gate(&store, editor()), gate(&store, owner()));
    let denied = editor.check_subject(&subject_id("alice")).await;
    assert!(matches!(
        denied,
        Err(StoreError::Denied(Denial::NeedsOwner { .. }))
    ));
    editor
        .check_subject(&subject_id("bob"))
        .await
        .expect("bob has no role");
    owner
        .check_subject(&subject_id("alice"))
        .await
        .expect("an owner");
    editor
        .check_client(&client_id("root"))
        .await
        .expect_err("it has power");
    editor
        .check_client(&client_id("billing"))
        .await
        .expect("it has none");
    let reader = gate(&store, Rights::of(Role::Reader));
    reader
        .check_client(&client_id("billing"))
        .await
        .expect_err("a reader");
}
