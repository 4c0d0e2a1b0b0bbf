//! How administrators of clients made themselves administrators of all, elsewhere: the patterns of
//! keycloak#46719, #50445, #50615 and #50350, and the attacks of the specification.

use super::*;
use crate::admin::{
    ClientDocument, Clients, Error, NewClient, NewKeys, NewTrust, Patch, PermissionDocument,
    Permissions, ServerTerms, Standing, TrustDocument, TrustStores, Trusts,
};
use grantor_jose::Algorithm;

fn terms() -> ServerTerms {
    ServerTerms::new("https://as.example".parse().expect("an issuer"))
}

fn needs_owner<T>(result: Result<T, Error>) {
    match result {
        Err(Error::Denied(Denial::NeedsOwner { .. })) => {}
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was let through"),
    }
}

#[tokio::test]
async fn keycloak_46719_ma04_an_administrator_of_clients_gives_no_scope_of_power() {
    let (store, terms) = (world().await, terms());
    let gate = gate(&store, editor());
    let clients = Clients::new(gate.clients(), &terms, NOW);
    let create = async |scope: &str| {
        let mut document = ClientDocument::new(client_id("mine"), AuthMethod::NONE);
        document.scope = super::scope(scope);
        let prepared = NewClient::new(document).prepare(&terms, NOW)?;
        clients.make(prepared, &by()).await
    };
    for role in Role::ALL {
        needs_owner(create(&format!("read {}", role.scope())).await);
    }
    create("read").await.expect("it gives no power");
    let widen = async |scope: &str| {
        let patch = Patch::default().with("scope", scope);
        clients.update(&client_id("mine"), &patch, &by()).await
    };
    for role in Role::ALL {
        needs_owner(widen(&format!("read {}", role.scope())).await);
    }
    widen("read write").await.expect("it gives no power");
}

#[tokio::test]
async fn keycloak_50445_an_administrator_of_clients_maps_nobody_to_an_owner() {
    let (store, terms) = (world().await, terms());
    let gate = gate(&store, editor());
    let trusts = Trusts::new(TrustStores::of(&gate), &terms, NOW);
    let create = async |called: &str, client: &str, subject: &str, scope: &str| {
        let pin = json!({"claim": "tid", "equals": "T"});
        let document = json!({"name": called, "issuer": "idp", "client": client, "pins": [pin], "subject": subject, "scope": scope});
        let document = TrustDocument::parse(document.to_string().as_bytes())?;
        trusts.create(NewTrust::new(document), None, &by()).await
    };
    needs_owner(create("a", "root", "template:ci:{sub}", "").await);
    needs_owner(create("a", "root", "existing:sub", "grantor:admin").await);
    create("a", "billing", "template:ci:{sub}", "read")
        .await
        .expect("it gives no power");
    // Past the use case, which knows who is registered: the gate knows of whom it is.
    let mut fixed = trust("b", "idp", "billing");
    fixed.subject = SubjectMapping::Fixed(subject_id("alice"));
    let fixed = gate.trust_registry().create(fixed, &by()).await;
    needs_owner(fixed.map_err(Error::from));
    // Nor are the keys of an issuer changed that is trusted for power.
    let uri = |issuer: &TrustedIssuer| {
        let mut issuer = issuer.clone();
        let url = "https://mine.example/jwks".parse().expect("a URL");
        issuer.keys = KeyOrigin::JwksUri { url };
        Ok::<_, Error>(issuer)
    };
    let issuers = gate.issuer_registry();
    needs_owner(issuers.change(&iss("forge"), &by(), uri).await);
    issuers
        .change(&iss("idp"), &by(), uri)
        .await
        .expect("it gives no power");
}

#[tokio::test]
async fn keycloak_50615_an_administrator_of_clients_permits_nothing_that_has_power() {
    let store = world().await;
    let gate = gate(&store, editor());
    let permissions = Permissions::new(gate.permissions(), NOW);
    let give = async |client: &str, subject: &str, scope: Option<&str>| {
        let mut document = PermissionDocument::new(client_id(client), subject_id(subject));
        document.scope = scope.map(super::scope);
        let clients = gate.clients();
        permissions.create(document, clients, &by()).await
    };
    needs_owner(give("root", "carol", None).await);
    needs_owner(give("root", "alice", Some("grantor:admin")).await);
    needs_owner(give("billing", "carol", Some("grantor:read")).await);
    let of_alice = PermissionId::by_operator(client_id("billing"), subject_id("alice"));
    needs_owner(permissions.delete(&of_alice, &by()).await);
    give("billing", "carol", Some("read"))
        .await
        .expect("it gives no power");
}

#[tokio::test]
async fn keycloak_50350_ma05_an_administrator_of_clients_adds_no_key_to_one_that_has_power() {
    let (store, terms) = (world().await, terms());
    // Both authenticate by keys, and differ in their scope alone.
    for (name, scope) in [("powerful", "grantor:admin"), ("plain", "read")] {
        let mut document = ClientDocument::new(client_id(name), AuthMethod::PRIVATE_KEY_JWT);
        document.scope = super::scope(scope);
        let mut new = NewClient::new(document);
        new.generate = Some(Algorithm::Es256);
        let prepared = new.prepare(&terms, NOW).expect("prepared");
        let clients = Clients::new(store.clients(), &terms, NOW);
        clients.make(prepared, &by()).await.expect("registered");
    }
    let gate = gate(&store, editor());
    let clients = Clients::new(gate.clients(), &terms, NOW);
    let attack = async |name: &str| {
        let id = client_id(name);
        let keys = NewKeys {
            generate: Some(Algorithm::Es256),
            ..NewKeys::default()
        };
        let prepared = clients.prepare_keys(&id, keys).await.expect("prepared");
        let uris = Patch::default().with("client_name", "Mine");
        [
            clients.make(prepared, &by()).await,
            clients.update(&id, &uris, &by()).await,
            clients.set_standing(&id, Standing::Disabled, &by()).await,
            clients.set_standing(&id, Standing::Enabled, &by()).await,
        ]
    };
    for result in attack("powerful").await {
        needs_owner(result);
    }
    needs_owner(clients.delete(&client_id("powerful"), &by()).await);
    for result in attack("plain").await {
        result.expect("it has no power");
    }
    clients
        .delete(&client_id("plain"), &by())
        .await
        .expect("it has no power");
}
