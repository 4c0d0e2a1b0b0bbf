//! The gate before a database: what it decides holds between processes too, and beside rows that cannot
//! be read.

use std::sync::Arc;

use grantor::{
    admin::{Gate, Ports, Rights},
    clock::UnixTime,
    registry::{
        Actor, Client, ClientMetadata, Denial, KeyOrigin, Operator, Password, PasswordDigest, Role,
        Subject, Trust, TrustedIssuer,
    },
    storage::{AnyChange, Batch as _, Change, Registries as _, StoreError},
    types::{AuthMethod, IssuerId, Name, Scope, SubjectId},
};

use crate::{
    engine::{Database, Store},
    given::id,
};

const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);
const DIGEST: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA";

fn by() -> Actor {
    Actor::program("test")
}

fn subject(name: &str) -> SubjectId {
    SubjectId::parse(name).expect("a name")
}

fn gate(store: &Arc<Store>, rights: Rights) -> Gate {
    Gate::new(Ports::of(store.clone()), rights)
}

async fn owner(store: &Store, name: &str) {
    let digest = PasswordDigest::parse(DIGEST).expect("a digest");
    let made = vec![
        Change::Create(Subject::new(subject(name))).into(),
        Change::Create(Operator::new(subject(name), Role::Owner)).into(),
        Change::Create(Password::new(subject(name), digest, NOW)).into(),
    ];
    store.apply_all(made, &by()).await.expect("an owner");
}

fn client(name: &str, scope: &str) -> Client {
    let mut metadata = ClientMetadata::new(id(name), AuthMethod::NONE, NOW);
    metadata.scope = Scope::parse(scope).expect("a scope");
    Client::new(metadata, Vec::new(), Vec::new()).expect("a client")
}

fn is_last_owner<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Denied(Denial::LastOwner)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m014_two_owners_do_not_remove_each_other_from_two_processes() {
    let Some(database) = Database::new() else {
        return;
    };
    let stores = [database.open().await, database.open().await].map(Arc::new);
    owner(&stores[0], "alice").await;
    for _ in 0..8 {
        owner(&stores[0], "bob").await;
        let ends = [("alice", &stores[0]), ("bob", &stores[1])].map(|(who, store)| {
            let gate = gate(store, Rights::of(Role::Owner));
            tokio::spawn(async move { gate.subjects().delete(&subject(who), &by()).await })
        });
        let mut denied = 0;
        for end in ends {
            match end.await.expect("it ended") {
                Ok(()) => {}
                result => {
                    assert!(is_last_owner(result));
                    denied += 1;
                }
            }
        }
        assert_eq!(denied, 1);
        let left = stores[1].operators().all().await.expect("a list");
        assert_eq!(left.len(), 1);
        let left = &left[0].subject;
        if left.as_str() == "bob" {
            owner(&stores[0], "alice").await;
            stores[0]
                .subjects()
                .delete(left, &by())
                .await
                .expect("deleted");
        }
    }
}

#[tokio::test]
async fn m014_the_last_client_with_admin_is_found_among_others() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = Arc::new(database.open().await);
    let mut others: Vec<AnyChange> = vec![Change::Create(client("root", "grantor:admin")).into()];
    others.push(Change::Create(client("lesser", "grantor:write")).into());
    let plain = (0..50).map(|number| client(&format!("c{number}"), "read"));
    others.extend(plain.map(|client| Change::Create(client).into()));
    store.apply_all(others, &by()).await.expect("created");
    let gate = gate(&store, Rights::of(Role::Owner));
    assert!(is_last_owner(
        gate.clients().delete(&id("root"), &by()).await
    ));
    let another = client("z", "grantor:admin read");
    store
        .clients()
        .create(another, &by())
        .await
        .expect("created");
    gate.clients()
        .delete(&id("root"), &by())
        .await
        .expect("z is left");
    assert!(is_last_owner(gate.clients().delete(&id("z"), &by()).await));
}

#[tokio::test]
async fn m012_an_issuer_is_as_powerful_as_its_trusts() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = Arc::new(database.open().await);
    let iss = IssuerId::parse("https://idp.example").expect("an iss");
    let name = |name: &str| Name::parse(name).expect("a name");
    let keys = KeyOrigin::Discovery { metadata_url: None };
    let issuer = TrustedIssuer::new(iss.clone(), name("idp"), keys, NOW);
    let made = vec![
        Change::Create(client("root", "grantor:admin")).into(),
        Change::Create(client("plain", "read")).into(),
        Change::Create(issuer).into(),
        Change::Create(Trust::new(name("a"), iss.clone(), id("plain"), NOW)).into(),
    ];
    store.apply_all(made, &by()).await.expect("created");
    let gate = gate(&store, Rights::of(Role::Editor));
    let disable = |issuer: &TrustedIssuer| {
        let mut issuer = issuer.clone();
        issuer.enabled = false;
        Ok::<_, StoreError>(issuer)
    };
    let issuers = gate.issuer_registry();
    issuers
        .change(&iss, &by(), disable)
        .await
        .expect("it has no power");
    let of_root = Trust::new(name("b"), iss.clone(), id("root"), NOW);
    store
        .trust_registry()
        .create(of_root, &by())
        .await
        .expect("created");
    let denied = issuers.change(&iss, &by(), disable).await;
    assert!(matches!(
        denied,
        Err(StoreError::Denied(Denial::NeedsOwner { .. }))
    ));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_removed_at_the_database_or_by_an_owner_who_overrides() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = Arc::new(database.open().await);
    for (rights, is_removed) in [
        (Rights::of(Role::Editor).overriding(), false),
        (Rights::of(Role::Owner), false),
        (Rights::of(Role::Owner).overriding(), true),
        (Rights::local(), true),
    ] {
        store
            .clients()
            .create(client("a", "read"), &by())
            .await
            .expect("created");
        let broken = "UPDATE client SET metadata = 'x' WHERE id = 'a'";
        database.by_hand(broken).expect("broken");
        let gate = gate(&store, rights.clone());
        let removed = gate.clients().delete(&id("a"), &by()).await;
        assert_eq!(removed.is_ok(), is_removed, "{rights:?}");
        if !is_removed {
            store
                .clients()
                .delete(&id("a"), &by())
                .await
                .expect("deleted");
        }
    }
}
