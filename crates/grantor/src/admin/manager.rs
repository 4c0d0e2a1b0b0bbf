//! Who says what a resource is: files under a name, which `apply` reads, or whoever comes.

use super::Fault;
use crate::types::Name;

/// The fault of a document that names another manager than the resource has: only `apply` makes
/// one.
pub(super) fn fault_of_manager(named: &Option<Name>, before: &Option<Name>) -> Option<Fault> {
    (named != before).then(|| Fault::new("managed_by", "does not change; leave it out"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        admin::{
            ClientDocument, Clients, Error, IssuerDocument, Issuers, NewClient, NewTrust, Patch,
            PermissionDocument, Permissions, ScopeDocument, Scopes, ServerTerms, SubjectDocument,
            Subjects, TrustDocument, TrustStores, Trusts,
        },
        clock::UnixTime,
        registry::{Actor, Resource, ScopeText, Trust},
        storage::{MemoryStore, Registries as _, Registry, StoreError},
        types::{ClientId, SubjectId},
    };

    const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);

    fn by() -> Actor {
        Actor::program("test")
    }

    fn git() -> Name {
        Name::parse("git").expect("a name")
    }

    /// What is said of a member alone.
    fn of_manager<T>(result: Result<T, Error>) {
        let Err(Error::Invalid(faults)) = result else {
            panic!("it is no fault")
        };
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            ["member 'managed_by': does not change; leave it out"]
        );
    }

    async fn manage<R: Resource>(
        registry: &dyn Registry<R>,
        id: &R::Id,
        managed: fn(R, Option<Name>) -> R,
    ) {
        let change = |before: &R| Ok::<_, StoreError>(managed(before.clone(), Some(git())));
        let changed = registry.change(id, &by(), change).await.expect("changed");
        assert_eq!(changed.managed_by(), Some(&git()));
        assert_eq!(changed.document()["managed_by"], "git");
    }

    #[tokio::test]
    async fn m010_nothing_but_apply_makes_something_managed() {
        let (store, terms) = (MemoryStore::new(), terms());
        let clients = Clients::new(store.clients(), &terms, NOW);
        let create = async |document: ClientDocument| {
            let prepared = NewClient::new(document).prepare(&terms, NOW)?;
            clients.make(prepared, &by()).await
        };
        let mut document = client();
        document.managed_by = Some(git());
        of_manager(create(document).await);
        create(client()).await.expect("registered");

        let subjects = Subjects::new(store.subjects(), NOW);
        let mut document = subject();
        document.managed_by = Some(git());
        of_manager(subjects.create(document, &by()).await);
        subjects.create(subject(), &by()).await.expect("registered");

        let permissions = Permissions::new(store.permissions(), NOW);
        let mut document = permission();
        document.managed_by = Some(git());
        let clients = store.clients();
        of_manager(permissions.create(document, clients, &by()).await);
        let given = permissions.create(permission(), clients, &by()).await;
        given.expect("registered");

        let stores = TrustStores::of(&store);
        let issuers = Issuers::new(stores, &terms, NOW);
        let mut document = issuer();
        document.managed_by = Some(git());
        of_manager(issuers.create(document, None, &by()).await);
        let registered = issuers.create(issuer(), None, &by()).await;
        registered.expect("registered");

        let trusts = Trusts::new(stores, &terms, NOW);
        let mut document = trust();
        document.managed_by = Some(git());
        let managed = trusts.create(NewTrust::new(document), None, &by()).await;
        of_manager(managed);
        let registered = trusts.create(NewTrust::new(trust()), None, &by()).await;
        let registered = registered.expect("registered").trust;
        let text = serde_json::to_string(&registered).expect("JSON");
        assert!(!text.contains("managed_by"), "{text}");
    }

    #[tokio::test]
    async fn m010_a_change_leaves_the_manager_and_names_no_other() {
        let (store, terms) = (MemoryStore::new(), terms());
        let stores = TrustStores::of(&store);
        let clients = Clients::new(store.clients(), &terms, NOW);
        let prepared = NewClient::new(client()).prepare(&terms, NOW);
        let made = clients.make(prepared.expect("prepared"), &by()).await;
        let id = made.expect("registered").client_id;
        manage(store.clients(), &id, |client, git| client.with_manager(git)).await;
        let issuers = Issuers::new(stores, &terms, NOW);
        let made = issuers.create(issuer(), None, &by()).await;
        let iss = made.expect("registered").iss;
        manage(store.issuer_registry(), &iss, |mut issuer, git| {
            issuer.managed_by = git;
            issuer
        })
        .await;
        let trusts = Trusts::new(stores, &terms, NOW);
        let made = trusts.create(NewTrust::new(trust()), None, &by()).await;
        let name = made.expect("registered").trust.name;
        manage(store.trust_registry(), &name, |trust, managed_by| Trust {
            managed_by,
            ..trust
        })
        .await;
        let update = async |patch: &Patch| {
            clients.update(&id, patch, &by()).await?;
            let issuer = issuers.update(iss.as_str(), patch, None, &by()).await?;
            let trust = trusts.update(&name, patch, &by()).await?;
            Ok::<_, Error>([
                clients.get(&id).await?.managed_by,
                issuer.document.managed_by,
                trust.document.managed_by,
            ])
        };
        for other in [json!("other"), json!(null)] {
            let patch = Patch::default().with("managed_by", other);
            of_manager(clients.update(&id, &patch, &by()).await);
            of_manager(issuers.update(iss.as_str(), &patch, None, &by()).await);
            of_manager(trusts.update(&name, &patch, &by()).await);
        }
        for same in [Patch::default(), Patch::default().with("managed_by", "git")] {
            let managers = update(&same).await.expect("changed");
            assert_eq!(managers, [(); 3].map(|()| Some(git())), "{same:?}");
        }
    }

    #[tokio::test]
    async fn m010_a_text_that_is_set_anew_keeps_its_manager() {
        let store = MemoryStore::new();
        let scopes = Scopes::new(store.scopes());
        let plain = ScopeDocument::new("read".parse().expect("a token"));
        let mut managed = plain.clone();
        managed.managed_by = Some(git());
        of_manager(scopes.set(&managed, &by()).await);
        let set = scopes.set(&plain, &by()).await.expect("set");
        assert_eq!(json!(set), json!(plain));
        of_manager(scopes.set(&managed, &by()).await);
        manage(store.scopes(), &plain.name, |text, managed_by| ScopeText {
            managed_by,
            ..text
        })
        .await;
        for document in [&plain, &managed] {
            let set = scopes.set(document, &by()).await.expect("set");
            assert_eq!(json!(set), json!(managed));
        }
        let mut other = plain.clone();
        other.managed_by = Some(Name::parse("other").expect("a name"));
        of_manager(scopes.set(&other, &by()).await);
    }

    fn terms() -> ServerTerms {
        ServerTerms::new("https://as.example".parse().expect("an issuer"))
    }

    fn client() -> ClientDocument {
        let text =
            json!({"client_id": "billing", "token_endpoint_auth_method": "none", "scope": "a"});
        ClientDocument::parse(text.to_string().as_bytes()).expect("a document")
    }

    fn subject() -> SubjectDocument {
        SubjectDocument::new(SubjectId::parse("alice").expect("a subject"))
    }

    fn permission() -> PermissionDocument {
        let client = ClientId::parse("billing").expect("a client");
        PermissionDocument::new(client, subject().id)
    }

    fn issuer() -> IssuerDocument {
        let text = json!({"iss": "https://idp.example", "name": "idp", "keys": {"discovery": {}}});
        IssuerDocument::parse(text.to_string().as_bytes()).expect("a document")
    }

    fn trust() -> TrustDocument {
        let pin = json!({"claim": "tid", "equals": "T"});
        let text = json!({"name": "ci", "issuer": "idp", "client": "billing", "pins": [pin]});
        TrustDocument::parse(text.to_string().as_bytes()).expect("a document")
    }
}
