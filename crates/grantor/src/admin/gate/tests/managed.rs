//! M073: what files manage.

use super::*;

fn git() -> Name {
    name("git")
}

/// With `bob` and the permission of `billing` for `carol` managed by `git`.
async fn managed() -> Arc<MemoryStore> {
    let store = world().await;
    let mut given = permission("billing", "carol", None);
    given.managed_by = Some(git());
    let changes = vec![
        replace(&store, subject_id("bob"), |it: &mut Subject| {
            it.managed_by = Some(git());
        })
        .await,
        Change::Create(given).into(),
    ];
    store.apply_all(changes, &by()).await.expect("managed");
    store
}

fn rights() -> [(&'static str, Rights, bool); 6] {
    [
        ("an owner", owner(), true),
        ("somebody at the database", Rights::local(), true),
        ("another apply", owner().managing(name("other")), true),
        ("apply", owner().managing(git()), false),
        ("who overrides", owner().overriding(), false),
        (
            "who overrides at the database",
            Rights::local().overriding(),
            false,
        ),
    ]
}

#[tokio::test]
async fn m073_what_is_managed_is_changed_by_apply_or_by_overriding() {
    for (who, rights, is_denied) in rights() {
        let store = managed().await;
        let by_git = |kind, name: &str| Denial::Managed {
            kind,
            name: name.to_owned(),
            owner: git(),
        };
        let disable = replace(&store, subject_id("bob"), |it: &mut Subject| {
            it.enabled = false;
        });
        let denied = denial(&store, rights.clone(), disable.await).await;
        assert_eq!(denied, is_denied.then(|| by_git("subject", "bob")), "{who}");
        let release = replace(&store, subject_id("bob"), |it: &mut Subject| {
            it.managed_by = None;
        });
        let denied = denial(&store, rights.clone(), release.await).await;
        assert_eq!(denied.is_some(), is_denied, "{who}");
        let id = PermissionId::by_operator(client_id("billing"), subject_id("carol"));
        let denied = denial(&store, rights.clone(), delete::<Permission>(id)).await;
        let permission = || by_git("permission", r#"["billing","carol"]"#);
        assert_eq!(denied, is_denied.then(permission), "{who}");
        let control = replace(&store, subject_id("carol"), |it: &mut Subject| {
            it.enabled = false;
        });
        assert_eq!(denial(&store, rights, control.await).await, None, "{who}");
    }
}

#[tokio::test]
async fn m073_nothing_but_apply_makes_something_managed() {
    for (who, rights, is_denied) in rights() {
        let store = world().await;
        let mut new = subject("dave");
        new.managed_by = Some(git());
        let denied = denial(&store, rights.clone(), Change::Create(new).into()).await;
        assert_eq!(denied.is_some(), is_denied, "{who}");
        let adopt = replace(&store, subject_id("bob"), |it: &mut Subject| {
            it.managed_by = Some(git());
        });
        let denied = denial(&store, rights.clone(), adopt.await).await;
        assert_eq!(denied.is_some(), is_denied, "{who}");
        let control = Change::Create(subject("erin")).into();
        assert_eq!(denial(&store, rights, control).await, None, "{who}");
    }
}

#[tokio::test]
async fn m073_what_is_managed_does_not_end_along_with_something_else() {
    for (who, rights, is_denied) in rights() {
        let store = managed().await;
        for gone in [
            delete::<Client>(client_id("billing")),
            delete::<Subject>(subject_id("carol")),
        ] {
            let denied = denial(&store, rights.clone(), gone).await;
            assert_eq!(denied.is_some(), is_denied, "{who}");
        }
        let control = delete::<TrustedIssuer>(iss("idp"));
        assert_eq!(denial(&store, rights, control).await, None, "{who}");
    }
}

#[tokio::test]
async fn m073_what_a_batch_has_ended_before_is_no_obstacle() {
    let store = managed().await;
    let id = PermissionId::by_operator(client_id("billing"), subject_id("carol"));
    let changes = vec![
        delete::<Permission>(id),
        delete::<Subject>(subject_id("carol")),
    ];
    let apply = gate(&store, owner().managing(git()));
    apply
        .apply_all(changes, &by())
        .await
        .expect("both are its own, or nobody's");
}
