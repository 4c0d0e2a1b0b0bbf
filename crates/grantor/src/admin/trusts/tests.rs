use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::{
    admin::{ClientDocument, KeysDocument, Templates, templates::TemplateOptions},
    registry::{ChangeRecord, PinValue, Subject},
    storage::{ChangeFilter, MemoryStore, Registries as _, Start},
    types::{ClaimPath, Glob, IssuerId, Scope},
};

const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);
const ISS: &str = "https://idp.acme.example";
const GITHUB: &str = "https://token.actions.githubusercontent.com";

fn terms() -> ServerTerms {
    ServerTerms::new("https://as.example".parse().expect("an issuer"))
}

fn by() -> Actor {
    Actor::program("test")
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn client_id(text: &str) -> ClientId {
    ClientId::parse(text).expect("an id")
}

/// With the issuers `idp` and `github`, the client `billing` for `read write`, and `alice`.
async fn store() -> MemoryStore {
    let (store, terms) = (MemoryStore::new(), terms());
    let issuers = Issuers::new(TrustStores::of(&store), &terms, NOW);
    for (iss, name_of) in [(ISS, "idp"), (GITHUB, "github")] {
        let iss = IssuerId::parse(iss).expect("an issuer");
        let keys = KeysDocument::discovery(None);
        let document = IssuerDocument::new(iss, Some(name(name_of)), keys);
        issuers.create(document, None, &by()).await.expect("made");
    }
    let mut metadata = ClientMetadata::new(client_id("billing"), AuthMethod::NONE, NOW);
    metadata.scope = Scope::parse("read write").expect("a scope");
    let client = Client::new(metadata, Vec::new(), Vec::new()).expect("a client");
    store.clients().create(client, &by()).await.expect("made");
    let alice = Subject::new(SubjectId::parse("alice").expect("a subject"));
    store.subjects().create(alice, &by()).await.expect("made");
    store
}

/// A document with these members beside the least that is one.
fn document(members: Value) -> Result<TrustDocument, Error> {
    let mut document = json!({"name": "ci", "issuer": "idp", "client": "billing"});
    if let (Some(document), Value::Object(members)) = (document.as_object_mut(), members) {
        document.extend(members);
    }
    TrustDocument::parse(document.to_string().as_bytes())
}

fn pin(claim: &str, value: impl Into<Value>) -> Value {
    json!({"claim": claim, "equals": value.into()})
}

async fn create(store: &MemoryStore, members: Value) -> Result<MadeTrust, Error> {
    let terms = terms();
    let trusts = Trusts::new(TrustStores::of(store), &terms, NOW);
    let new = NewTrust::new(document(members)?);
    trusts.create(new, None, &by()).await
}

/// The faults of a registration, by their members.
async fn pointers(members: Value) -> Vec<String> {
    match create(&store().await, members).await {
        Ok(_) => Vec::new(),
        Err(Error::Invalid(faults)) => {
            let mut pointers: Vec<_> = faults.into_iter().map(|one| one.pointer).collect();
            pointers.sort();
            pointers
        }
        Err(error) => unreachable!("{error}"),
    }
}

#[tokio::test]
async fn t021_a_trust_has_everything_that_it_was_given() {
    let store = store().await;
    let all = json!({
        "uses": ["grant"],
        "pins": [pin("tid", "T"), pin("n", 20), pin("ok", true), {"claim": "groups", "contains": "ops"}],
        "matches": [{"claim": "ref", "glob": "refs/heads/release/*"}],
        "condition": "assertion.event == 'push'",
        "subject": "template:ci:{repository_id}",
        "scope": "read",
        "resources": ["https://api.example"],
        "lifetime": 600,
        "cap_to_assertion": true,
        "claims": [{"to": "ci_ref", "from": "ref"}],
        "client_auth": "optional",
        "mode": "shadow",
        "allowed_lints": ["loose-test"],
    });
    let made = create(&store, all.clone()).await.expect("made");
    assert!(made.client.is_none() && made.issuer.is_none());
    let text = serde_json::to_value(&made.trust).expect("JSON");
    for (member, value) in all.as_object().expect("an object") {
        assert_eq!(text[member], *value, "{member}");
    }
    assert_eq!(
        (&text["issuer"], &text["client"]),
        (&json!(ISS), &json!("billing"))
    );
    assert_eq!(made.trust.created_at, Some(NOW));
    let read = TrustDocument::parse(text.to_string().as_bytes()).expect("a document");
    assert_eq!(serde_json::to_value(&read).expect("JSON"), text);
    let trust = store
        .trust_registry()
        .get(&name("ci"))
        .await
        .expect("a store");
    let trust = trust.expect("a trust");
    assert_eq!(trust.lifetime, Some(Duration::from_secs(600)));
    assert_eq!(trust.pins[1].value, PinValue::Integer(20));
    let again = create(&store, all).await;
    assert!(matches!(again, Err(Error::Exists(Named::Trust(_)))));
}

/// TA58
#[tokio::test]
async fn ta58_a_pin_that_any_value_would_meet_is_refused() {
    assert_eq!(pointers(json!({})).await, ["/pins"]);
    for value in ["", " ", "\t", "*", "**", "***", " * "] {
        let pins = [pin("tid", "T"), pin("sub", value)];
        assert_eq!(
            pointers(json!({"pins": pins})).await,
            ["/pins/1"],
            "{value:?}"
        );
        let pins = json!([pin("tid", "T"), {"claim": "sub", "contains": value}]);
        assert_eq!(
            pointers(json!({"pins": pins})).await,
            ["/pins/1"],
            "{value:?}"
        );
    }
    assert_eq!(pointers(json!({"pins": [pin("sub", "a")]})).await, [""; 0]);
    for glob in ["", "*", "**", " *", "*a"] {
        let matches = [json!({"claim": "sub", "glob": glob})];
        let found = pointers(json!({"matches": matches})).await;
        assert!(found[0].starts_with("/matches"), "{glob:?} {found:?}");
    }
    assert_eq!(
        pointers(json!({"matches": [{"claim": "sub", "glob": "a*"}]})).await,
        [""; 0]
    );
    assert_eq!(
        pointers(json!({"condition": "assertion.sub == 'a'"})).await,
        [""; 0]
    );
    // Null is no value, and neither are objects, lists and fractions.
    for value in [json!(null), json!({}), json!([]), json!(1.5), json!(["a"])] {
        let pins = [json!({"claim": "sub", "equals": value})];
        assert_eq!(pointers(json!({"pins": pins})).await, ["/pins"], "{value}");
    }
    let both = [json!({"claim": "sub", "equals": "a", "contains": "a"})];
    assert_eq!(pointers(json!({"pins": both})).await, ["/pins"]);
}

/// All at once, each by its member, with what would be accepted.
#[tokio::test]
async fn what_is_wrong_with_a_trust_is_told_at_once() {
    let wrong = json!({
        "uses": ["grant", "grant"],
        "pins": [pin("sub", ""), pin("sub", "a"), pin("sub", "a")],
        "scope": "admin read",
        "resources": ["x", "https://api.example#a"],
        "lifetime": 0,
        "claims": [{"to": "iss", "from": "a"}, {"to": "", "from": "a"}],
        "client_auth": "required",
        "subject": "fixed:billing",
        "allowed_lints": ["x"],
    });
    let expected = [
        "/allowed_lints/0",
        "/claims/0",
        "/claims/1",
        "/client_auth",
        "/lifetime",
        "/pins/0",
        "/pins/1",
        "/pins/2",
        "/resources/0",
        "/resources/1",
        "/scope",
        "/subject",
        "/uses",
    ];
    assert_eq!(pointers(wrong.clone()).await, expected);
    let Err(Error::Invalid(faults)) = create(&store().await, wrong).await else {
        unreachable!("thirteen faults")
    };
    for fault in faults {
        let says_what = ["expected", "leave", "name", "choose", "call it", "make two"];
        let says_what = says_what.iter().any(|word| fault.detail.contains(word));
        assert!(says_what, "{fault}");
    }
}

#[tokio::test]
async fn each_refusal_of_a_trust_has_a_control() {
    let pins = [pin("sub", "a")];
    let with = |member: &str, value: Value| {
        let mut members = json!({"pins": pins});
        members[member] = value;
        members
    };
    let stores = store().await;
    for (member, right, wrong, pointer) in [
        ("uses", json!(["grant"]), json!(["grant", "grant"]), "/uses"),
        ("uses", json!(["grant"]), json!(["exchange"]), "/uses"),
        (
            "scope",
            json!("read write"),
            json!("read write admin"),
            "/scope",
        ),
        (
            "resources",
            json!(["https://api.example"]),
            json!(["api.example"]),
            "/resources/0",
        ),
        (
            "resources",
            json!(["urn:api"]),
            json!(["urn:api#x"]),
            "/resources/0",
        ),
        (
            "resources",
            json!(["urn:api", "urn:b"]),
            json!(["urn:api", "urn:api"]),
            "/resources/1",
        ),
        ("lifetime", json!(1), json!(0), "/lifetime"),
        (
            "client_auth",
            json!("optional"),
            json!("required"),
            "/client_auth",
        ),
        ("mode", json!("shadow"), json!("dark"), "/mode"),
        (
            "condition",
            json!("assertion.a == 'x'"),
            json!("'x'"),
            "/condition",
        ),
        (
            "condition",
            json!("assertion.a == 'x'"),
            json!("assertion.a == "),
            "/condition",
        ),
        (
            "condition",
            json!("glob(assertion.a, 'x*')"),
            json!("assertion.a.matches('x')"),
            "/condition",
        ),
        ("subject", json!("fixed:ci"), json!("fixed:"), "/subject"),
        (
            "subject",
            json!("fixed:ci"),
            json!("fixed:billing"),
            "/subject",
        ),
        (
            "subject",
            json!("fixed:ci"),
            json!("fixed:alice"),
            "/subject",
        ),
        ("subject", json!("claim:email"), json!("email"), "/subject"),
        (
            "subject",
            json!("existing:email"),
            json!("existing:"),
            "/subject",
        ),
        (
            "subject",
            json!("template:ci:{sub}"),
            json!("template:{sub}"),
            "/subject",
        ),
        (
            "subject",
            json!("template:ci:{a}/{b}"),
            json!("template:ci:{a}{b}"),
            "/subject",
        ),
        (
            "allowed_lints",
            json!(["loose-test"]),
            json!(["all"]),
            "/allowed_lints/0",
        ),
    ] {
        for (value, expected) in [(right, &[][..]), (wrong, &[pointer][..])] {
            let made = create(&stores, with(member, value.clone())).await;
            let found: Vec<_> = match made {
                Ok(_) => Vec::new(),
                Err(Error::Invalid(faults)) => faults.into_iter().map(|one| one.pointer).collect(),
                Err(error) => unreachable!("{error}"),
            };
            assert_eq!(found, expected, "{member} {value}");
            let _ = stores.trust_registry().delete(&name("ci"), &by()).await;
        }
    }
}

/// T030: no foreign claim takes the place of one that this server vouches for.
#[tokio::test]
async fn t030_no_claim_is_copied_to_a_name_that_is_reserved() {
    for reserved in [
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "client_id",
        "scope",
        "auth_time",
        "acr",
        "amr",
        "groups",
        "roles",
        "entitlements",
        "cnf",
        "act",
        "may_act",
        "active",
    ] {
        let copy = |to: &str| {
            let claims = [json!({"to": to, "from": "x"})];
            pointers(json!({"pins": [pin("sub", "a")], "claims": claims}))
        };
        assert_eq!(copy(reserved).await, ["/claims/0"], "{reserved}");
        assert_eq!(copy(&format!("ci_{reserved}")).await, [""; 0], "{reserved}");
    }
    let twice = [
        json!({"to": "a", "from": "x"}),
        json!({"to": "a", "from": "y"}),
    ];
    let found = pointers(json!({"pins": [pin("sub", "a")], "claims": twice})).await;
    assert_eq!(found, ["/claims/1"]);
}

/// T042: neither a condition nor a glob is the pin, and neither is the pin of something else.
#[tokio::test]
async fn t042_a_trust_of_a_shared_issuer_pins_the_tenant() {
    let allowed = json!([
        "foreign-events",
        "all-repositories",
        "caller-written",
        "mutable-names"
    ]);
    let on_github = async |mut members: Value| {
        members["issuer"] = json!("github");
        members["allowed_lints"] = allowed.clone();
        pointers(members).await
    };
    let condition = "assertion.repository_owner_id == '123456'";
    assert_eq!(on_github(json!({"condition": condition})).await, ["/pins"]);
    let glob = [json!({"claim": "repository_owner_id", "glob": "12345*"})];
    assert_eq!(on_github(json!({"matches": glob})).await, ["/pins"]);
    let other = [pin("repository_id", "456789")];
    assert_eq!(
        on_github(json!({"pins": other, "condition": condition})).await,
        ["/pins"]
    );
    for value in [json!(true), json!(""), json!("*")] {
        let wrong = on_github(json!({"pins": [pin("repository_owner_id", value.clone())]})).await;
        assert!(!wrong.is_empty(), "{value}");
    }
    let list = [json!({"claim": "repository_owner_id", "contains": "123456"})];
    assert_eq!(on_github(json!({"pins": list})).await, ["/pins"]);
    for claim in ["repository_owner_id", "/repository_owner_id"] {
        let owner = [pin(claim, "123456")];
        assert_eq!(on_github(json!({"pins": owner})).await, [""; 0]);
    }
}

/// TA58: an update does not take away what made the trust safe.
#[tokio::test]
async fn ta58_no_update_removes_the_tenant_pin() {
    let (store, terms) = (store().await, terms());
    let trusts = Trusts::new(TrustStores::of(&store), &terms, NOW);
    let github = Templates::get("github-actions").expect("a template");
    let options: TemplateOptions = github.example_options.clone().into_iter().collect();
    let made = github.make(&name("ci"), &options).expect("made");
    let made = trusts.create(made.into(), None, &by()).await.expect("made");
    assert!(made.issuer.is_none(), "the issuer was there");
    assert!(made.client.is_some(), "the client was not");
    let update = async |patch: Patch| trusts.update(&name("ci"), &patch, &by()).await;
    let pins = |pins: Value| Patch::default().with("pins", pins);
    for patch in [
        pins(Value::Null),
        pins(json!([
            pin("repository_id", "456789"),
            pin("ref", "refs/heads/main")
        ])),
        pins(json!([
            pin("repository_owner_id", ""),
            pin("repository_id", "456789")
        ])),
        pins(json!([
            pin("repository_owner_id", "*"),
            pin("repository_id", "456789")
        ])),
        Patch::default().with("condition", Value::Null),
        Patch::default().with("issuer", ISS),
        Patch::default().with("name", "other"),
        Patch::default().with("client", Value::Null),
        Patch::default().with("template", Value::Null),
    ] {
        let refused = update(patch.clone()).await;
        assert!(
            matches!(refused, Err(Error::Invalid(_))),
            "{patch:?} {refused:?}"
        );
    }
    let patch = Patch::default().with("lifetime", 60);
    let updated = update(patch.clone()).await.expect("updated");
    let differences: Vec<_> = updated.differences.iter().collect();
    assert_eq!(differences.len(), 1);
    assert_eq!(differences[0].member, "lifetime");
    assert_eq!(
        (&differences[0].before, &differences[0].after),
        (&Value::Null, &json!(60))
    );
    assert!(update(patch).await.expect("updated").differences.is_empty());
}

/// What was stored past the checks is refused when it is turned on or changed, and can be turned
/// off.
#[tokio::test]
async fn t042_an_unsafe_trust_in_the_store_can_only_be_turned_off() {
    let (store, terms) = (store().await, terms());
    let trusts = Trusts::new(TrustStores::of(&store), &terms, NOW);
    let github = IssuerId::parse(GITHUB).expect("an issuer");
    let mut trust = Trust::new(name("old"), github, client_id("billing"), NOW);
    let claim = ClaimPath::parse("repository_id").expect("a claim");
    trust.pins = vec![crate::registry::Pin::new(
        claim,
        PinValue::Text("1".to_owned()),
    )];
    let registry = store.trust_registry();
    registry.create(trust, &by()).await.expect("stored");
    let update = Patch::default().with("lifetime", 60);
    let refused = trusts.update(&name("old"), &update, &by()).await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
    let off = trusts.set_mode(&name("old"), Mode::Off, &by()).await;
    assert_eq!(off.expect("off").document.mode, Mode::Off);
    for mode in [Mode::On, Mode::Shadow] {
        let refused = trusts.set_mode(&name("old"), mode, &by()).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{mode:?}");
    }
}

#[tokio::test]
async fn a_client_is_made_for_a_trust_that_names_none() {
    let (store, terms) = (store().await, terms());
    let trusts = Trusts::new(TrustStores::of(&store), &terms, NOW);
    let members = json!({"client": null, "pins": [pin("sub", "a")], "scope": "read deploy"});
    let made = create(&store, members).await.expect("made");
    let client = made.client.expect("a client");
    assert_eq!(client.client_id, client_id("ci"));
    assert_eq!(client.token_endpoint_auth_method, AuthMethod::NONE);
    assert_eq!(client.grant_types, [GrantType::JWT_BEARER]);
    assert_eq!(client.scope, Scope::parse("deploy read").expect("a scope"));
    assert_eq!(made.trust.client, Some(client_id("ci")));
    // Both or none.
    trusts.delete(&name("ci"), &by()).await.expect("deleted");
    let members = json!({"client": null, "pins": [pin("sub", "a")]});
    let taken = create(&store, members)
        .await
        .expect_err("the client is there still");
    assert!(matches!(&taken, Error::Invalid(faults) if faults[0].pointer == "/client"));
    let members = json!({"name": "alice", "client": null, "pins": [pin("sub", "a")]});
    let taken = create(&store, members)
        .await
        .expect_err("a subject has the name");
    assert!(matches!(taken, Error::Exists(Named::Client(_))), "{taken}");
    assert!(
        store
            .trust_registry()
            .all()
            .await
            .expect("a list")
            .is_empty()
    );
    let members = json!({"name": "b", "client": null});
    create(&store, members)
        .await
        .expect_err("nothing is compared");
    let clients = store.clients().all().await.expect("a list");
    assert_eq!(clients.len(), 2, "billing and ci");
}

#[tokio::test]
async fn what_a_trust_names_is_there() {
    let store = store().await;
    let pins = [pin("sub", "a")];
    let nobody = create(&store, json!({"pins": pins, "client": "nobody"})).await;
    assert!(matches!(nobody, Err(Error::NotFound(Named::Client(_)))));
    let nobody = create(&store, json!({"pins": pins, "issuer": "nobody"})).await;
    assert!(matches!(nobody, Err(Error::NotFound(Named::Issuer(_)))));
    create(&store, json!({"pins": pins, "issuer": ISS}))
        .await
        .expect("made");
}

#[tokio::test]
async fn a_client_without_the_grant_gets_no_trust_for_it() {
    let store = store().await;
    let mut metadata = ClientMetadata::new(client_id("web"), AuthMethod::NONE, NOW);
    metadata.grant_types = vec![GrantType::AUTHORIZATION_CODE];
    metadata.redirect_uris = vec!["https://web.example/back".parse().expect("a URI")];
    let web = Client::new(metadata, Vec::new(), Vec::new()).expect("a client");
    store.clients().create(web, &by()).await.expect("made");
    let members = json!({"pins": [pin("sub", "a")], "client": "web"});
    let refused = create(&store, members).await.expect_err("no grant");
    assert!(matches!(&refused, Error::Invalid(faults) if faults[0].pointer == "/client"));
}

#[tokio::test]
async fn t094_a_template_makes_the_issuer_and_the_client_in_one_commit() {
    let (store, terms) = (MemoryStore::new(), terms());
    let trusts = Trusts::new(TrustStores::of(&store), &terms, NOW);
    for template in Templates::all() {
        let options: TemplateOptions = template.example_options.clone().into_iter().collect();
        let made = template
            .make(&name(&template.name), &options)
            .expect("made");
        let made = trusts.create(made.into(), None, &by()).await;
        let made = made.expect(&template.name);
        assert!(made.client.is_some(), "{}", template.name);
        let issuer = made.issuer.expect(&template.name);
        let tenants = crate::admin::templates::shared(issuer.iss.as_str());
        let tenants = tenants.map_or(&[][..], |(_, tenants)| tenants);
        assert_eq!(issuer.tenant_claims, tenants, "{}", template.name);
    }
    // The second of a platform takes the issuer that is there.
    let github = Templates::get("github-actions").expect("a template");
    let options: TemplateOptions = github.example_options.clone().into_iter().collect();
    let second = github.make(&name("second"), &options).expect("made");
    let second = trusts
        .create(second.into(), None, &by())
        .await
        .expect("made");
    assert!(second.issuer.is_none());
    // What cannot be made leaves nothing behind.
    let circleci = Templates::get("circleci").expect("a template");
    let options: TemplateOptions = circleci.example_options.clone().into_iter().collect();
    let mut made = circleci
        .make(&name("third"), &options.with("org", "other"))
        .expect("made");
    made.trust.pins.clear();
    trusts
        .create(made.into(), None, &by())
        .await
        .expect_err("no pins");
    let issuers = store.issuer_registry().all().await.expect("a list");
    assert_eq!(issuers.len(), Templates::all().len());
}

/// A federated client of this `sub`.
fn federated(id: &str, issuer: &str, sub: FederatedSub) -> NewFederatedClient {
    let document = ClientDocument::new(client_id(id), AuthMethod::PRIVATE_KEY_JWT);
    NewFederatedClient::new(document, issuer, sub)
}

#[tokio::test]
async fn t081_a_federated_client_and_its_trust_are_made_in_one_commit() {
    let (store, terms) = (store().await, terms());
    let trusts = Trusts::new(TrustStores::of(&store), &terms, NOW);
    let exactly = |sub: &str| FederatedSub::Exactly(sub.to_owned());
    let new = async |id: &str, sub: &str| {
        let new = federated(id, "idp", exactly(sub));
        trusts.create_federated(new, &by()).await
    };
    let made = new("worker", "w-1").await.expect("made");
    let client = made.client.expect("a client");
    assert!(client.federated && client.jwks.keys.is_empty());
    assert_eq!(made.trust.uses, [Usage::ClientAuthentication]);
    assert_eq!(made.trust.client, Some(client_id("worker")));
    // The pair of issuer and sub is one client's.
    let again = new("other", "w-1").await.expect_err("taken");
    assert!(
        matches!(&again, Error::Exists(Named::FederatedSubject(..))),
        "{again}"
    );
    assert!(again.to_string().contains("worker"), "{again}");
    new("other", "w-2").await.expect("another sub");
    // A pattern is no one sub.
    let glob = Glob::parse("w-*").expect("a glob");
    let many = federated("many", "idp", FederatedSub::Matching(glob));
    trusts.create_federated(many, &by()).await.expect("made");
    for sub in ["", "*"] {
        let wrong = federated("wrong", "idp", exactly(sub));
        let wrong = trusts.create_federated(wrong, &by()).await;
        assert!(matches!(wrong, Err(Error::Invalid(_))), "{sub:?}");
    }
    let wrong = federated("an odd name", "idp", exactly("w-3"));
    let odd = trusts
        .create_federated(wrong.clone(), &by())
        .await
        .expect_err("no name");
    assert!(matches!(&odd, Error::Invalid(faults) if faults[0].pointer == "/trust"));
    let named = NewFederatedClient {
        trust: Some(name("odd")),
        ..wrong
    };
    trusts.create_federated(named, &by()).await.expect("made");
    // Neither half is left behind.
    let wrong = store
        .clients()
        .get(&client_id("wrong"))
        .await
        .expect("a store");
    assert!(wrong.is_none());
}

/// T081: a GitHub sub may consist of names only.
#[tokio::test]
async fn t081_on_a_shared_issuer_a_federated_client_pins_the_tenant_besides() {
    let (store, terms) = (store().await, terms());
    let trusts = Trusts::new(TrustStores::of(&store), &terms, NOW);
    let sub = "repo:acme/widgets:ref:refs/heads/main".to_owned();
    let mut new = federated("ci", "github", FederatedSub::Exactly(sub));
    new.allowed_lints = vec!["foreign-events".to_owned(), "mutable-names".to_owned()];
    let refused = trusts
        .create_federated(new.clone(), &by())
        .await
        .expect_err("no tenant");
    assert!(
        matches!(&refused, Error::Invalid(faults) if faults.len() == 1),
        "{refused}"
    );
    assert!(
        refused.to_string().contains("repository_owner_id"),
        "{refused}"
    );
    let owner = ClaimPath::parse("repository_owner_id").expect("a claim");
    new.pins = vec![PinDocument::new(owner, PinValue::Text("123456".to_owned()))];
    trusts.create_federated(new, &by()).await.expect("made");
}

#[tokio::test]
async fn t084_a_trust_for_client_authentication_names_a_federated_client_and_a_sub() {
    let (store, terms) = (store().await, terms());
    let trusts = Trusts::new(TrustStores::of(&store), &terms, NOW);
    let sub = FederatedSub::Exactly("w-1".to_owned());
    trusts
        .create_federated(federated("worker", "idp", sub), &by())
        .await
        .expect("made");
    let uses = ["client_authentication"];
    let own_keys = json!({"uses": uses, "pins": [pin("sub", "a")]});
    let refused = create(&store, own_keys).await.expect_err("its own keys");
    assert!(matches!(&refused, Error::Invalid(faults) if faults[0].pointer == "/client"));
    let no_sub = json!({"uses": uses, "pins": [pin("azp", "a")], "client": "worker"});
    let refused = create(&store, no_sub).await.expect_err("no sub");
    assert!(matches!(&refused, Error::Invalid(faults) if faults[0].pointer == "/pins"));
    let second = json!({"uses": uses, "pins": [pin("sub", "a")], "client": "worker"});
    create(&store, second)
        .await
        .expect("a second sub of the client");
    // By an update, too, the pair stays one client's.
    let pins = Patch::default().with("pins", json!([pin("sub", "w-1")]));
    let taken = trusts.update(&name("ci"), &pins, &by()).await;
    assert!(matches!(
        taken,
        Err(Error::Exists(Named::FederatedSubject(..)))
    ));
}

#[tokio::test]
async fn few_trusts_of_an_issuer_are_without_a_pin() {
    let store = store().await;
    let unpinned = |number: usize, mode: &str| {
        let condition = format!("assertion.sub == 'w-{number}'");
        json!({"name": format!("t{number}"), "condition": condition, "mode": mode})
    };
    for number in 0..Trusts::MAX_UNPINNED {
        create(&store, unpinned(number, "on")).await.expect("made");
    }
    let one_more = create(&store, unpinned(1000, "on"))
        .await
        .expect_err("too many");
    let most = matches!(one_more, Error::Conflict(Conflict::TooManyUnpinned(_, 100)));
    assert!(most, "{one_more}");
    create(&store, unpinned(1001, "off"))
        .await
        .expect("it is not tried");
    let mut pinned = unpinned(1002, "on");
    pinned["pins"] = json!([pin("azp", "a")]);
    create(&store, pinned).await.expect("made");
    // One that is there may change.
    let terms = terms();
    let trusts = Trusts::new(TrustStores::of(&store), &terms, NOW);
    let patch = Patch::default().with("lifetime", 60);
    trusts
        .update(&name("t7"), &patch, &by())
        .await
        .expect("updated");
    let on = trusts.set_mode(&name("t1001"), Mode::On, &by()).await;
    assert!(matches!(on, Err(Error::Conflict(_))));
}

#[tokio::test]
async fn spiffe_trusts_are_below_the_trust_domain() {
    let (store, terms) = (store().await, terms());
    let issuers = Issuers::new(TrustStores::of(&store), &terms, NOW);
    let bundle = json!({
        "iss": "spiffe://acme.example",
        "name": "spire",
        "keys": {"spiffe_bundle": "https://spire.acme.example/bundle"},
    });
    let bundle = IssuerDocument::parse(bundle.to_string().as_bytes()).expect("a document");
    issuers.create(bundle, None, &by()).await.expect("made");
    for (glob, is_fine) in [
        ("spiffe://acme.example/ns/billing/**", true),
        ("spiffe://acme.example/ns/*/sa/deployer", true),
        ("spiffe://acme.example/**", false),
        ("spiffe://acme.example/*", false),
        ("spiffe://**", false),
        ("spiffe://acme.example**", false),
        ("spiffe://other.example/ns/**", false),
    ] {
        let members = json!({"issuer": "spire", "matches": [{"claim": "sub", "glob": glob}]});
        let made = create(&store, members).await;
        assert_eq!(made.is_ok(), is_fine, "{glob} {made:?}");
        let _ = store.trust_registry().delete(&name("ci"), &by()).await;
    }
    for (sub, is_fine) in [
        ("spiffe://acme.example/ns/billing/sa/deployer", true),
        ("spiffe://other.example/ns/billing/sa/deployer", false),
        ("deployer", false),
    ] {
        let members = json!({"issuer": "spire", "pins": [pin("sub", sub)]});
        assert_eq!(create(&store, members).await.is_ok(), is_fine, "{sub}");
        let _ = store.trust_registry().delete(&name("ci"), &by()).await;
    }
}

#[tokio::test]
async fn t035_every_change_of_a_trust_is_recorded() {
    let (store, terms) = (store().await, terms());
    let trusts = Trusts::new(TrustStores::of(&store), &terms, NOW);
    create(&store, json!({"pins": [pin("sub", "a")]}))
        .await
        .expect("made");
    let patch = Patch::default().with("scope", "read");
    trusts
        .update(&name("ci"), &patch, &by())
        .await
        .expect("updated");
    trusts
        .set_mode(&name("ci"), Mode::Shadow, &by())
        .await
        .expect("shadow");
    trusts.delete(&name("ci"), &by()).await.expect("deleted");
    let changes = store.changes();
    let page = changes
        .page(&ChangeFilter::default(), Start::Oldest, 100)
        .await;
    let records = page.expect("a page").entries;
    let records: Vec<_> = records
        .iter()
        .map(|entry| ChangeRecord::read(&entry.document).expect("a record"))
        .filter(|record| record.resource == "trust")
        .map(|record| (record.name, record.action))
        .collect();
    use crate::registry::Action::{Create, Delete, Replace};
    let actions = [Create, Replace, Replace, Delete];
    assert_eq!(records, actions.map(|action| ("ci".to_owned(), action)));
    let gone = trusts.delete(&name("ci"), &by()).await;
    assert!(matches!(gone, Err(Error::NotFound(Named::Trust(_)))));
}

#[tokio::test]
async fn a_filter_finds_trusts_that_are_all_of_it() {
    let store = store().await;
    let pins = [pin("sub", "a")];
    for (name, mode) in [("one", "on"), ("two", "shadow"), ("three", "off")] {
        let members = json!({"name": name, "pins": pins, "mode": mode, "client": null});
        create(&store, members).await.expect("made");
    }
    let terms = terms();
    let trusts = Trusts::new(TrustStores::of(&store), &terms, NOW);
    for (filter, expected) in [
        (json!({}), &["one", "three", "two"][..]),
        (json!({"q": "t"}), &["three", "two"]),
        (json!({"mode": "shadow"}), &["two"]),
        (json!({"client": "one"}), &["one"]),
        (json!({"issuer": ISS, "mode": "off"}), &["three"]),
        (json!({"issuer": GITHUB}), &[]),
        (json!({"template": "gitlab"}), &[]),
    ] {
        let filter: TrustFilter = serde_json::from_value(filter).expect("a filter");
        let page = trusts.page(&filter, None, 10).await.expect("a page");
        let names: Vec<_> = page.items.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, expected);
    }
}
