//! The gate, rule by rule: each refusal beside a control that passes.

mod ahead;
mod attacks;
mod first_role;
mod last_owner;
mod managed;
mod power;

use std::{path::PathBuf, sync::Arc};

use grantor_jose::{Algorithm, PrivateJwk};
use serde_json::json;

use super::*;
use crate::{
    clock::UnixTime,
    registry::{
        ChangeRecord, ClientMetadata, CredentialId, Denial, KeyOrigin, Operator, Passkey,
        PasskeyKey, Password, PasswordDigest, Permission, PermissionId, Role, ScopeText,
        SubjectMapping, Trust,
    },
    storage::{ChangeFilter, MemoryStore, Registries as _},
    types::{AuthMethod, DisplayName, GrantType, IssuerId, Name, Scope, ScopeToken},
};

const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);
const DIGEST: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA";

fn by() -> Actor {
    Actor::program("test")
}

fn client_id(text: &str) -> ClientId {
    ClientId::parse(text).expect("a client id")
}

fn subject_id(text: &str) -> SubjectId {
    SubjectId::parse(text).expect("a subject id")
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn iss(text: &str) -> IssuerId {
    IssuerId::parse(&format!("https://{text}.example")).expect("an iss")
}

fn scope(text: &str) -> Scope {
    Scope::parse(text).expect("a scope")
}

fn client(id: &str, widest: &str) -> Client {
    let mut metadata = ClientMetadata::new(client_id(id), AuthMethod::NONE, NOW);
    metadata.grant_types = vec![GrantType::JWT_BEARER];
    metadata.scope = scope(widest);
    Client::new(metadata, Vec::new(), Vec::new()).expect("a client")
}

fn subject(id: &str) -> Subject {
    Subject::new(subject_id(id))
}

fn operator(id: &str, role: Role) -> Operator {
    Operator::new(subject_id(id), role)
}

/// An owner who can sign in.
fn second_owner(id: &str) -> Vec<AnyChange> {
    vec![
        Change::Create(operator(id, Role::Owner)).into(),
        Change::Create(password(id)).into(),
    ]
}

fn password(id: &str) -> Password {
    let digest = PasswordDigest::parse(DIGEST).expect("a digest");
    Password::new(subject_id(id), digest, NOW)
}

fn credential(text: &str) -> CredentialId {
    CredentialId::new(text.as_bytes()).expect("an id")
}

/// The passkey of this id.
fn passkey(subject: &str, id: &str) -> Passkey {
    let private = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let key = PasskeyKey::new(private.public()).expect("a key of a passkey");
    let name = DisplayName::parse("laptop").expect("a name");
    Passkey::new(subject_id(subject), credential(id), key, name, NOW)
}

fn permission(client: &str, subject: &str, widest: Option<&str>) -> Permission {
    Permission::new(client_id(client), subject_id(subject), widest.map(scope))
}

fn text(token: &str) -> ScopeText {
    ScopeText::new(ScopeToken::parse(token).expect("a token"))
}

fn issuer(called: &str) -> TrustedIssuer {
    let keys = KeyOrigin::Discovery { metadata_url: None };
    TrustedIssuer::new(iss(called), name(called), keys, NOW)
}

fn trust(called: &str, issuer: &str, client: &str) -> Trust {
    Trust::new(name(called), iss(issuer), client_id(client), NOW)
}

/// Without power: the client `billing` for `read write`, the subjects `bob` and `carol`, of whom
/// `bob` has a password, and their permissions; the issuer `idp` with the trust `ci`.
/// With power: the client `root` for `grantor:admin`; the owner `alice`, who can sign in; the
/// issuer `forge` with the trust `root-ci` for `root`. And texts of two scopes.
async fn world() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let registered: Vec<AnyChange> = vec![
        Change::Create(client("billing", "read write")).into(),
        Change::Create(client("root", "grantor:admin")).into(),
        Change::Create(subject("alice")).into(),
        Change::Create(subject("bob")).into(),
        Change::Create(subject("carol")).into(),
        Change::Create(operator("alice", Role::Owner)).into(),
        Change::Create(password("alice")).into(),
        Change::Create(password("bob")).into(),
        Change::Create(permission("billing", "bob", Some("read"))).into(),
        Change::Create(permission("billing", "alice", Some("read"))).into(),
        Change::Create(permission("root", "bob", None)).into(),
        Change::Create(issuer("idp")).into(),
        Change::Create(issuer("forge")).into(),
        Change::Create(trust("ci", "idp", "billing")).into(),
        Change::Create(trust("root-ci", "forge", "root")).into(),
        Change::Create(text("read")).into(),
        Change::Create(text("grantor:read")).into(),
    ];
    let made = store.apply_all(registered, &by()).await;
    made.expect("all of it is new");
    store
}

fn gate(store: &Arc<MemoryStore>, rights: Rights) -> Gate {
    Gate::new(Ports::of(store.clone()), rights)
}

fn editor() -> Rights {
    Rights::of(Role::Editor)
}

fn owner() -> Rights {
    Rights::of(Role::Owner)
}

async fn records(store: &MemoryStore) -> usize {
    let all = ChangeFilter::default();
    let page = store.changes().page(&all, Start::Oldest, 1000).await;
    page.expect("a page").entries.len()
}

/// A change of the one that is registered under a name.
async fn replace<R: Guarded>(
    store: &Arc<MemoryStore>,
    id: R::Id,
    change: impl FnOnce(&mut R),
) -> AnyChange {
    let ports = Ports::of(store.clone());
    let found = R::registry(&ports).get(&id).await.expect("it answers");
    let mut after = Arc::unwrap_or_clone(found.expect("it is there"));
    change(&mut after);
    R::any(Change::Replace(after))
}

fn delete<R: Guarded>(id: R::Id) -> AnyChange {
    R::any(Change::Delete(id, None))
}

/// Changes a client's metadata.
fn with(client: &mut Client, change: impl FnOnce(&mut ClientMetadata)) {
    let mut metadata = client.metadata().clone();
    change(&mut metadata);
    let changed = client.changed(metadata, Vec::new(), Vec::new());
    *client = changed.expect("a client");
}

/// Why a change is denied; nothing is changed then.
async fn denial(store: &Arc<MemoryStore>, rights: Rights, change: AnyChange) -> Option<Denial> {
    let before = records(store).await;
    match gate(store, rights)
        .apply_all(vec![change.clone()], &by())
        .await
    {
        Ok(_) => None,
        Err(StoreError::Denied(denial)) => {
            assert_eq!(records(store).await, before, "{change:?}");
            Some(denial)
        }
        Err(error) => panic!("{change:?}: {error}"),
    }
}

/// A store in which somebody else is faster: once a change was decided, another is made.
struct Overtaken {
    store: Arc<MemoryStore>,
    meanwhile: std::sync::Mutex<Option<AnyChange>>,
}

#[async_trait]
impl Batch for Overtaken {
    async fn apply_all(
        &self,
        changes: Vec<AnyChange>,
        by: &Actor,
    ) -> Result<Vec<ChangeRecord>, StoreError> {
        let meanwhile = self.meanwhile.lock().expect("a lock").take();
        if let Some(meanwhile) = meanwhile {
            self.store.apply_all(vec![meanwhile], by).await?;
        }
        self.store.apply_all(changes, by).await
    }
}

fn overtaken(store: &Arc<MemoryStore>, meanwhile: AnyChange) -> Ports {
    let mut ports = Ports::of(store.clone());
    ports.batch = Arc::new(Overtaken {
        store: store.clone(),
        meanwhile: std::sync::Mutex::new(Some(meanwhile)),
    });
    ports
}

#[tokio::test]
async fn what_is_let_through_is_made_and_answered_as_the_store_does() {
    let store = world().await;
    let gate = gate(&store, editor());
    let given = gate
        .permissions()
        .create(permission("billing", "carol", None), &by())
        .await;
    let given = given.expect("nobody has power here");
    let kept = store.permissions().get(&Resource::id(&*given)).await;
    assert_eq!(kept.expect("it answers"), Some(given));
    let rename = |text: &ScopeText| {
        let mut text = text.clone();
        text.optional = true;
        Ok::<_, StoreError>(text)
    };
    let token = ScopeToken::parse("read").expect("a token");
    let changed = gate.scopes().change(&token, &by(), rename).await;
    let kept = store.scopes().get(&token).await.expect("it answers");
    assert_eq!(kept, Some(changed.expect("changed")));
    let disable = |subject: &Subject| Ok::<_, StoreError>(subject.clone().disabled());
    let changed = gate
        .subjects()
        .change(&subject_id("bob"), &by(), disable)
        .await;
    let kept = store.subjects().get(&subject_id("bob")).await;
    assert_eq!(kept.expect("it answers"), Some(changed.expect("changed")));
    let gone = gate.subjects().delete(&subject_id("bob"), &by()).await;
    gone.expect_err("the client root has power, and a permission for bob");
    gate.subjects()
        .delete(&subject_id("carol"), &by())
        .await
        .expect("deleted");
    let missing = gate.subjects().delete(&subject_id("carol"), &by()).await;
    assert!(matches!(missing, Err(StoreError::Missing("subject"))));
    let again = gate.subjects().create(subject("bob"), &by()).await;
    assert!(matches!(again, Err(StoreError::Exists(_))));
}

#[tokio::test]
async fn ma02_a_reader_changes_nothing() {
    let store = world().await;
    for (role, is_denied) in [(Role::Reader, true), (Role::Editor, false)] {
        let change = Change::Create(subject("dave")).into();
        let denied = denial(&store, Rights::of(role), change).await;
        assert_eq!(denied.is_some(), is_denied, "{role}");
    }
}

#[tokio::test]
async fn m006_a_change_is_of_the_state_that_was_seen() {
    let store = world().await;
    let id = subject_id("bob");
    let seen = store.subjects().get(&id).await.expect("it answers");
    let seen = seen.expect("bob").revision;
    let enable = async |expected: Expected| {
        let gate = gate(&store, editor().expecting(expected));
        let change = |subject: &Subject| Ok::<_, StoreError>(subject.clone().enabled());
        gate.subjects().change(&id, &by(), change).await
    };
    let one = |revision| Expected::OneOf(vec![revision]);
    for stale in [
        one(Revision::new(9, 9)),
        Expected::OneOf(Vec::new()),
        one(seen.next()),
    ] {
        let denied = enable(stale).await;
        let denied = matches!(denied, Err(StoreError::Denied(Denial::Changed("subject"))));
        assert!(denied);
    }
    enable(one(seen)).await.expect("as it was seen");
    enable(one(seen)).await.expect_err("it was changed since");
    enable(Expected::Present).await.expect("it is there");
    enable(Expected::Anything)
        .await
        .expect("it may be anything");

    for (expected, is_denied) in [
        (Expected::Present, true),
        (one(seen), true),
        (Expected::Anything, false),
    ] {
        let new = Change::Create(subject("dave")).into();
        let denied = denial(&store, editor().expecting(expected), new).await;
        assert_eq!(denied, is_denied.then_some(Denial::Changed("subject")));
    }
    let dave = store.subjects().get(&subject_id("dave")).await;
    let dave = dave.expect("it answers").expect("dave").revision;
    for (expected, is_denied) in [(one(dave.next()), true), (one(dave), false)] {
        let gone = delete::<Subject>(subject_id("dave"));
        let denied = denial(&store, editor().expecting(expected), gone).await;
        assert_eq!(denied, is_denied.then_some(Denial::Changed("subject")));
    }
}

#[tokio::test]
async fn m007_who_was_overtaken_is_told_so() {
    let store = world().await;
    let gate = gate(&store, editor());
    let bob = store.subjects().get(&subject_id("bob")).await;
    let bob = Arc::unwrap_or_clone(bob.expect("it answers").expect("bob"));
    let replaced = gate.subjects().replace(bob.clone(), &by()).await;
    replaced.expect("as it is");
    let stale = gate.subjects().replace(bob.clone(), &by()).await;
    assert!(matches!(stale, Err(StoreError::Conflict("subject"))));
    let changes = vec![Change::Delete(bob.id.clone(), Some(bob.revision))];
    let stale = gate.subjects().apply(changes, &by()).await;
    assert!(matches!(stale, Err(StoreError::Conflict("subject"))));
    let changes = vec![Change::<Subject>::Expect(bob.id, Some(bob.revision)).into()];
    let stale = gate.apply_all(changes, &by()).await;
    assert!(matches!(stale, Err(StoreError::Conflict("subject"))));
}
