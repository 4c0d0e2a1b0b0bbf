use std::{collections::HashSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use grantor_jose::Algorithm;

use super::*;
use crate::{
    admin::{Conflict, Fault},
    credential::{Credential, KeyFileForm},
    registry::{
        AudiencePolicy, ChangeRecord, ClientKey, ClientMetadata, ClientSecret, Subject, Who,
    },
    storage::{
        Applied, Change, ChangeFilter, Entry, MemoryStore, Registries as _, Start, StoreError,
    },
    types::AuthMethod,
};

const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);

fn id(text: &str) -> ClientId {
    ClientId::parse(text).expect("an identifier")
}

fn terms() -> ServerTerms {
    ServerTerms::new("https://as.example".parse().expect("an issuer"))
}

fn operator() -> Actor {
    Actor::program("operator").because("a reason")
}

fn new(name: &str, method: AuthMethod) -> NewClient {
    NewClient::new(ClientDocument::new(id(name), method))
}

fn with_key(name: &str) -> NewClient {
    NewClient {
        generate: Some(Algorithm::Es256),
        ..new(name, AuthMethod::PRIVATE_KEY_JWT)
    }
}

fn kid(prepared: &Prepared) -> String {
    match prepared.key_file.as_ref().map(|file| &file.credential) {
        Some(Credential::PrivateKey(key)) => key.key_id().to_owned(),
        _ => unreachable!("no private key was made"),
    }
}

fn faults(error: Error) -> Vec<String> {
    match error {
        Error::Invalid(faults) => faults.into_iter().map(|fault| fault.pointer).collect(),
        other => unreachable!("{other:?}"),
    }
}

async fn records(store: &MemoryStore) -> Vec<ChangeRecord> {
    let all = ChangeFilter::default();
    let page = store.changes().page(&all, Start::Oldest, 100).await;
    let entries = page.expect("records").entries.into_iter();
    let read = |entry: Entry| serde_json::from_str(&entry.document).expect("a record");
    entries.map(read).collect()
}

#[tokio::test]
async fn what_is_prepared_changes_nothing_before_it_is_made() {
    let (store, terms) = (MemoryStore::new(), terms());
    let clients = Clients::new(store.clients(), &terms, NOW);
    let prepared = with_key("billing").prepare(&terms, NOW).expect("prepared");
    let first = kid(&prepared);
    let missing = clients
        .get(&id("billing"))
        .await
        .expect_err("prepared only");
    assert!(matches!(missing, Error::NotFound(Named::Client(name)) if name == id("billing")));
    let made = clients.make(prepared, &operator()).await.expect("made");
    assert_eq!(made.keys[0].name, first);
    assert_eq!(made.created_at, Some(NOW));

    let keys = NewKeys {
        generate: Some(Algorithm::Es256),
        overlap: Some(HOUR),
        ..NewKeys::default()
    };
    let prepared = clients
        .prepare_keys(&id("billing"), keys)
        .await
        .expect("prepared");
    let second = kid(&prepared);
    assert_eq!(
        clients.get(&id("billing")).await.expect("read").keys.len(),
        1
    );
    let made = clients.make(prepared, &operator()).await.expect("made");
    let ends: Vec<_> = made
        .keys
        .iter()
        .map(|key| (&*key.name, key.expires_at))
        .collect();
    assert_eq!(ends, [(&*first, Some(NOW.plus(HOUR))), (&*second, None)]);

    let without = clients
        .remove_key(&id("billing"), &first, &operator())
        .await;
    assert_eq!(without.expect("removed").keys.len(), 1);
    let last = clients
        .remove_key(&id("billing"), &second, &operator())
        .await;
    assert!(matches!(last, Err(Error::Conflict(Conflict::LastKey(..)))));
    let gone = clients
        .remove_key(&id("billing"), &first, &operator())
        .await;
    assert!(matches!(gone, Err(Error::NotFound(Named::ClientKey(_, name))) if name == first));
}

#[tokio::test]
async fn each_change_has_its_actor_and_its_reason() {
    let (store, terms) = (MemoryStore::new(), terms());
    let clients = Clients::new(store.clients(), &terms, NOW);
    let by = operator();
    let prepared = with_key("billing").prepare(&terms, NOW).expect("prepared");
    clients.make(prepared, &by).await.expect("made");
    let patch = Patch::default().with("scope", "read");
    clients
        .update(&id("billing"), &patch, &by)
        .await
        .expect("updated");
    let off = clients
        .set_standing(&id("billing"), Standing::Disabled, &by)
        .await;
    assert!(!off.expect("disabled").enabled);
    clients.delete(&id("billing"), &by).await.expect("deleted");
    let records = records(&store).await;
    assert_eq!(records.len(), 4);
    for record in records {
        assert_eq!(record.actor.who, Who::Program("operator".to_owned()));
        assert_eq!(record.actor.reason.as_deref(), Some("a reason"));
    }
}

#[test]
fn all_that_is_wrong_with_a_registration_is_told_at_once() {
    let mut client = new("~billing", AuthMethod::CLIENT_SECRET_BASIC);
    let mut strict = terms();
    strict.profile = crate::assertion::Profile::Fapi2;
    client.generate = Some(Algorithm::Es256);
    let error = client.prepare(&strict, NOW).expect_err("three faults");
    assert_eq!(
        faults(error),
        ["/client_id", "/token_endpoint_auth_method", "/generate"]
    );
    let mut client = with_key("billing");
    client.document.scope = "grantor:foo".parse().expect("a scope");
    client.document.grant_types.clear();
    client.document.token_endpoint_auth_signing_alg = Some(Algorithm::Hs256);
    let error = client.prepare(&terms(), NOW).expect_err("three faults");
    assert_eq!(
        faults(error),
        ["/scope", "/token_endpoint_auth_signing_alg", "/grant_types"]
    );
    let control = with_key("billing").prepare(&terms(), NOW);
    assert!(control.is_ok());
}

#[test]
fn no_client_has_a_name_that_a_path_reads_otherwise() {
    for (name, is_taken) in [
        (".", false),
        ("..", false),
        ("~", false),
        ("~YQ", false),
        ("...", true),
        ("a~", true),
        (".a", true),
    ] {
        let prepared = with_key(name).prepare(&terms(), NOW);
        assert_eq!(prepared.is_ok(), is_taken, "{name}");
        if let Err(error) = prepared {
            assert_eq!(faults(error), ["/client_id"], "{name}");
        }
    }
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_nothing_else() {
    let (store, terms) = (MemoryStore::new(), terms());
    let clients = Clients::new(store.clients(), &terms, NOW);
    let mut client = with_key("billing");
    client.document.scope = "read write".parse().expect("a scope");
    let prepared = client.prepare(&terms, NOW).expect("prepared");
    let before = clients.make(prepared, &operator()).await.expect("made");
    let update = async |text: &str| {
        let patch = Patch::parse(text.as_bytes())?;
        clients.update(&id("billing"), &patch, &operator()).await
    };
    let after = update(r#"{"enabled":false,"audience_policy":"legacy"}"#).await;
    let after = after.expect("updated");
    assert!(!after.enabled && after.audience_policy == AudiencePolicy::Legacy);
    assert_eq!((&after.scope, &after.jwks), (&before.scope, &before.jwks));
    let after = update(r#"{"scope":null,"grant_types":null,"client_id":"billing"}"#).await;
    let after = after.expect("updated");
    assert!(after.scope.is_empty() && after.grant_types == before.grant_types);
    for (patch, pointers) in [
        (r#"{"client_id":"other"}"#, &["/client_id"][..]),
        (r#"{"client_id":null}"#, &["/client_id"]),
        (r#"{"created_at":"2020-01-01T00:00:00Z"}"#, &["/created_at"]),
        (r#"{"secrets":[{"expires_at":null}]}"#, &["/secrets"]),
        (
            r#"{"enabled":null,"scope":7,"colour":"red"}"#,
            &["/colour", "/scope"],
        ),
        (r#"{"enabled":0,"enabled":1}"#, &[""]),
        (r#"{"jwks":null,"keys":null}"#, &["/jwks"]),
        (
            r#"{"token_endpoint_auth_signing_alg":"RS256"}"#,
            &["/token_endpoint_auth_signing_alg"],
        ),
        (
            r#"{"token_endpoint_auth_method":"client_secret_post"}"#,
            &["/token_endpoint_auth_method"],
        ),
    ] {
        let mut found = faults(update(patch).await.expect_err(patch));
        found.sort();
        assert_eq!(found, pointers, "{patch}");
    }
    let nobody = clients
        .update(&id("nobody"), &Patch::default(), &operator())
        .await;
    assert!(matches!(nobody, Err(Error::NotFound(Named::Client(_)))));
}

/// An unusable key in the store is not lost when something else changes.
#[tokio::test]
async fn a_patch_leaves_keys_that_cannot_be_used() {
    let (store, terms) = (MemoryStore::new(), terms());
    let clients = Clients::new(store.clients(), &terms, NOW);
    let metadata = ClientMetadata::new(id("old"), AuthMethod::PRIVATE_KEY_JWT, NOW);
    let keys = vec![ClientKey::from_stored(r#"{"kty":"RSA"}"#, None)];
    let client = Client::from_stored(metadata, keys, Vec::new()).expect("a client");
    store
        .clients()
        .create(client, &operator())
        .await
        .expect("registered");
    let patch = Patch::default().with("scope", "read");
    let after = clients.update(&id("old"), &patch, &operator()).await;
    let after = after.expect("updated");
    assert!(after.keys[0].refused.is_some() && after.jwks.keys.is_empty());
}

#[tokio::test]
async fn a_secret_is_made_once_and_the_one_before_ends() {
    let (store, terms) = (MemoryStore::new(), terms());
    let clients = Clients::new(store.clients(), &terms, NOW);
    let by = operator();
    let prepared = new("legacy", AuthMethod::CLIENT_SECRET_BASIC).prepare(&terms, NOW);
    let prepared = prepared.expect("prepared");
    assert!(prepared.key_file.is_some());
    clients.make(prepared, &by).await.expect("made");
    let rotate = |overlap| NewSecret {
        lifetime: Some(4 * HOUR),
        overlap,
    };
    for _ in 0..3 {
        let prepared = clients.prepare_secret(&id("legacy"), rotate(HOUR)).await;
        clients
            .make(prepared.expect("prepared"), &by)
            .await
            .expect("made");
    }
    let many = clients.prepare_secret(&id("legacy"), rotate(HOUR)).await;
    assert!(matches!(
        many,
        Err(Error::Conflict(Conflict::TooManySecrets(_, 5, 4)))
    ));
    let prepared = clients
        .prepare_secret(&id("legacy"), rotate(Duration::ZERO))
        .await;
    let made = clients
        .make(prepared.expect("prepared"), &by)
        .await
        .expect("made");
    assert_eq!(made.secrets.len(), 1);
    assert_eq!(made.secrets[0].expires_at, Some(NOW.plus(4 * HOUR)));
    let prepared = with_key("billing").prepare(&terms, NOW).expect("prepared");
    clients.make(prepared, &by).await.expect("made");
    let none = clients.prepare_secret(&id("billing"), rotate(HOUR)).await;
    assert!(matches!(none, Err(Error::Conflict(Conflict::NoSecret(_)))));
}

#[tokio::test]
async fn a_name_is_taken_once_by_a_client_or_a_subject() {
    let (store, terms) = (MemoryStore::new(), terms());
    let clients = Clients::new(store.clients(), &terms, NOW);
    let alice = Subject::new("alice".parse().expect("a subject"));
    store
        .subjects()
        .create(alice, &operator())
        .await
        .expect("registered");
    for (name, is_free) in [("alice", false), ("billing", true), ("billing", false)] {
        let prepared = with_key(name).prepare(&terms, NOW).expect("prepared");
        match clients.make(prepared, &operator()).await {
            Ok(_) => assert!(is_free, "{name}"),
            Err(error) => {
                assert!(error.is_certain() && !is_free, "{name}: {error}");
                assert!(matches!(error, Error::Exists(Named::Client(_))), "{name}");
            }
        }
    }
    let taken = clients.check_free(&id("billing")).await;
    assert!(matches!(taken, Err(Error::Exists(_))));
    clients.check_free(&id("other")).await.expect("free");
}

#[test]
fn a_service_account_has_the_key_file_of_one() {
    let mut client = new("ci@example", AuthMethod::PRIVATE_KEY_JWT);
    client.generate = Some(Algorithm::Rs256);
    client.form = KeyFileForm::ServiceAccount;
    let prepared = client.prepare(&terms(), NOW).expect("prepared");
    let file = prepared.key_file.expect("a key file");
    assert_eq!(file.form, KeyFileForm::ServiceAccount);
    assert!(file.to_text().is_some());
}

/// `count` clients, named by `name`.
async fn filled(count: u32, name: impl Fn(u32) -> String) -> MemoryStore {
    let store = MemoryStore::new();
    let client = |number| {
        let metadata = ClientMetadata::new(id(&name(number)), AuthMethod::NONE, NOW);
        Client::new(metadata, Vec::new(), Vec::new()).expect("a client")
    };
    let changes = (0..count).map(|number| Change::Create(client(number)));
    store
        .clients()
        .apply(changes.collect(), &operator())
        .await
        .expect("registered");
    store
}

#[tokio::test]
async fn the_pages_of_a_search_have_each_client_once_and_in_order() {
    let terms = terms();
    let store = filled(1300, |number| format!("client {number:04}")).await;
    let clients = Clients::new(store.clients(), &terms, NOW);
    let pages = async |q: Option<&str>, limit| {
        let filter = ClientFilter {
            q: q.map(str::to_owned),
            ..ClientFilter::default()
        };
        let (mut after, mut names) = (None, Vec::new());
        loop {
            let page = clients.page(&filter, after.as_ref(), limit).await;
            let page = page.expect("a page");
            assert!(page.items.len() <= limit as usize);
            names.extend(page.items.into_iter().map(|client| client.client_id));
            after = page.next;
            if after.is_none() {
                return names;
            }
        }
    };
    for (q, limit, count) in [
        (None, 50, 1300),
        (None, 1300, 1300),
        (Some("7"), 50, 328),
        (Some("99"), 1, 22),
        (Some("client 0000"), 200, 1),
        (Some("%"), 50, 0),
        (Some("client_"), 50, 0),
    ] {
        let names = pages(q, limit).await;
        assert_eq!(names.len(), count, "{q:?} {limit}");
        assert!(names.is_sorted(), "{q:?} {limit}");
        assert_eq!(
            HashSet::<_>::from_iter(&names).len(),
            count,
            "{q:?} {limit}"
        );
    }
    let wrong = Cursor::from_text("!");
    let page = clients
        .page(&ClientFilter::default(), Some(&wrong), 1)
        .await;
    assert_eq!(faults(page.expect_err("no cursor")), ["/after"]);
}

/// Counts what is read.
struct Counted {
    store: MemoryStore,
    read: std::sync::atomic::AtomicUsize,
}

#[async_trait]
impl Registry<Client> for Counted {
    async fn get(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        self.store.clients().get(id).await
    }

    async fn page(
        &self,
        filter: &ClientFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<Arc<Client>>, StoreError> {
        let page = self.store.clients().page(filter, after, limit).await?;
        let read = page.items.len();
        self.read
            .fetch_add(read, std::sync::atomic::Ordering::Relaxed);
        Ok(page)
    }

    async fn apply(
        &self,
        changes: Vec<Change<Client>>,
        by: &Actor,
    ) -> Result<Applied<Client>, StoreError> {
        self.store.clients().apply(changes, by).await
    }
}

#[tokio::test]
async fn the_nearest_name_is_found_without_reading_all() {
    let terms = terms();
    let store = filled(5000, |number| match number {
        4711 => "reporting".to_owned(),
        _ => format!("client-of-somebody {number:04}"),
    });
    let counted = Counted {
        store: store.await,
        read: 0.into(),
    };
    let clients = Clients::new(&counted, &terms, NOW);
    for (name, expected) in [
        ("reportnig", Some("reporting")),
        ("rporting", Some("reporting")),
        ("reporting", None),
        ("something-else", None),
        ("é", None),
    ] {
        let nearest = clients.nearest(name).await.expect("an answer");
        assert_eq!(nearest, expected.map(id), "{name}");
        let read = counted.read.swap(0, std::sync::atomic::Ordering::Relaxed);
        assert!(read <= 1500, "{name}: {read}");
    }
}

#[test]
fn a_secret_of_a_method_that_signs_is_kept_readable_and_no_other() {
    let kinds = [
        (AuthMethod::CLIENT_SECRET_JWT, true),
        (AuthMethod::CLIENT_SECRET_BASIC, false),
    ];
    for (method, is_readable) in kinds {
        let prepared = new("legacy", method)
            .prepare(&terms(), NOW)
            .expect("prepared");
        let Work::Create(client) = prepared.work else {
            unreachable!("a new client")
        };
        let is_kept = |secret: &ClientSecret| secret.expose().is_some();
        assert_eq!(client.secrets().iter().all(is_kept), is_readable);
    }
}

#[test]
fn a_fault_names_the_member_by_its_pointer() {
    for (fault, pointer, text) in [
        (Fault::of_all("no JSON"), "", "no JSON"),
        (
            Fault::new("scope", "wrong"),
            "/scope",
            "member 'scope': wrong",
        ),
        (
            Fault::new("a/b~c", "wrong").at(3),
            "/a~1b~0c/3",
            "member 'a~1b~0c/3': wrong",
        ),
    ] {
        assert_eq!((&*fault.pointer, &*fault.to_string()), (pointer, text));
    }
}
