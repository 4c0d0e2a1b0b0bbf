use grantor_jose::{Algorithm, PrivateJwk};
use serde_json::{Value, json};

use super::*;
use crate::{
    admin::{Clients, Patch, Permissions, Standing},
    registry::{PermissionId, Resource as _},
    storage::{ChangeFilter, MemoryStore, Start},
    types::{ClientId, SubjectId},
};

const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);

fn terms() -> ServerTerms {
    ServerTerms::new("https://as.example".parse().expect("an issuer"))
}

fn by() -> Actor {
    Actor::program("test")
}

fn owner(name: &str) -> Option<Name> {
    Some(Name::parse(name).expect("a name"))
}

fn client_id(name: &str) -> ClientId {
    ClientId::parse(name).expect("a name")
}

/// A public key.
fn jwk(kid: &str) -> Value {
    let key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let mut jwk = serde_json::to_value(key.public()).expect("JSON");
    jwk["kid"] = json!(kid);
    jwk
}

/// A client with a key of its own.
fn client(id: &str) -> Value {
    json!({"client_id": id, "token_endpoint_auth_method": "private_key_jwt", "scope": "read write", "jwks": {"keys": [jwk("k")]}})
}

fn request(resources: Value) -> PlanRequest {
    let resources = resources.to_string();
    PlanRequest::new(Registrations::parse(resources.as_bytes()).expect("registrations"))
}

async fn make(store: &MemoryStore, request: &PlanRequest) -> Result<Planned, Error> {
    let terms = terms();
    Plans::new(PlanStores::of(store), &terms, NOW)
        .make(request)
        .await
}

async fn apply(store: &MemoryStore, request: &PlanRequest) -> Result<Outcome, Error> {
    let terms = terms();
    let plans = Plans::new(PlanStores::of(store), &terms, NOW);
    plans.apply(plans.make(request).await?, &by()).await
}

/// Applies what can be applied.
async fn applied(store: &MemoryStore, resources: &Value) -> Plan {
    let outcome = apply(store, &request(resources.clone())).await;
    outcome.expect("applied").plan
}

async fn export(store: &MemoryStore) -> Value {
    let terms = terms();
    let plans = Plans::new(PlanStores::of(store), &terms, NOW);
    let all = plans.export().collect().await.expect("an export");
    serde_json::to_value(all).expect("JSON")
}

/// The faults of what is refused; by the control nothing was changed.
async fn faults(store: &MemoryStore, request: &PlanRequest) -> Vec<Fault> {
    let before = export(store).await;
    let Err(Error::Invalid(faults)) = apply(store, request).await.map(drop) else {
        unreachable!("it was not refused as a whole");
    };
    assert_eq!(export(store).await, before);
    faults
}

/// Where faults are, in what is to be registered.
fn pointers(faults: &[Fault]) -> Vec<&str> {
    let pointers = faults.iter().map(|fault| &*fault.pointer);
    let below = |pointer: &'_ str| {
        pointer
            .strip_prefix("/resources/")
            .map(|rest| rest.len() + 1)
    };
    pointers
        .map(|pointer| &pointer[pointer.len() - below(pointer).unwrap_or(pointer.len())..])
        .collect()
}

/// `+client ci`, and so on, without what is the same.
fn steps(plan: &Plan) -> Vec<String> {
    let changes = plan.steps.iter().filter(|one| one.action != Action::Same);
    let sign = |action| match action {
        Action::Create => '+',
        Action::Update => '~',
        Action::Delete => '-',
        Action::Same => '=',
    };
    changes
        .map(|one| format!("{}{} {}", sign(one.action), one.resource, one.name))
        .collect()
}

/// One of each kind, in an order in which none could be made one after the other.
fn everything() -> Value {
    json!({
        "trust": [{"name": "ci", "issuer": "forge", "client": "deployer", "scope": "read",
            "pins": [{"claim": "sub", "equals": "acme/web"}]}],
        "permission": [{"client": "billing", "subject": "alice", "scope": "read"}],
        "issuer": [{"iss": "https://forge.example", "name": "forge", "keys": {"jwks": {"keys": [jwk("f")]}}}],
        "scope": [{"name": "read", "en": "Read your invoices.", "sensitive": true}],
        "subject": [{"id": "alice"}, {"id": "bob", "enabled": false}],
        "client": [
            client("billing"),
            {"client_id": "deployer", "token_endpoint_auth_method": "none",
                "grant_types": ["urn:ietf:params:oauth:grant-type:jwt-bearer"], "scope": "read"},
        ],
    })
}

#[tokio::test]
async fn m070_all_kinds_are_registered_whatever_their_order_in_the_file() {
    let store = MemoryStore::new();
    let plan = applied(&store, &everything()).await;
    assert_eq!(
        steps(&plan),
        [
            "+client billing",
            "+client deployer",
            "+subject alice",
            "+subject bob",
            r#"+permission ["billing","alice"]"#,
            "+scope read",
            "+issuer https://forge.example",
            "+trust ci",
        ]
    );
    assert_eq!(plan.summary.create, 8);
    let name = Name::parse("ci").expect("a name");
    let trust = store
        .trust_registry()
        .get(&name)
        .await
        .expect("read")
        .expect("there");
    assert_eq!(trust.issuer.as_str(), "https://forge.example");
}

#[tokio::test]
async fn m070_m009_what_is_unknown_is_refused() {
    let parse = |text: &str| match Registrations::parse(text.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(Error::Invalid(faults)) => {
            let mut pointers: Vec<_> = faults.into_iter().map(|one| one.pointer).collect();
            pointers.sort();
            pointers
        }
        Err(error) => unreachable!("{error}"),
    };
    assert_eq!(parse("{}"), [""; 0]);
    assert_eq!(
        parse(r#"{"clients": [], "client": {}}"#),
        ["/client", "/clients"]
    );
    for text in ["[]", r#"{"client": [], "client": []}"#, "{"] {
        assert_eq!(parse(text), [""], "{text}");
    }
    let store = MemoryStore::new();
    for (member, value) in [
        ("colour", json!("red")),
        ("created_at", json!("2027-01-01T00:00:00Z")),
        ("secrets", json!([])),
        ("managed_by", json!("x")),
        ("jwks_file", json!("a.json")),
    ] {
        let mut with_more = client("a");
        with_more[member] = value;
        let faults = faults(&store, &request(json!({"client": [with_more]}))).await;
        assert_eq!(pointers(&faults), [format!("/client/0/{member}")]);
    }
    applied(&store, &json!({"client": [client("a")]})).await;
}

#[tokio::test]
async fn m071_twice_in_a_row_there_is_nothing_to_do() {
    let (store, file) = (MemoryStore::new(), everything());
    applied(&store, &file).await;
    let records = async || {
        let filter = ChangeFilter::default();
        let page = store.changes().page(&filter, Start::Oldest, 100).await;
        page.expect("a page").entries.len()
    };
    let count = records().await;
    let again = applied(&store, &file).await;
    assert!(!again.summary.is_change(), "{:?}", steps(&again));
    assert_eq!(again.summary.same, 8);
    assert_eq!(records().await, count);
}

#[tokio::test]
async fn m071_only_what_differs_is_changed_in_one_batch() {
    let (store, mut file) = (MemoryStore::new(), everything());
    applied(&store, &file).await;
    file["client"][0]["scope"] = json!("more read write");
    file["client"][0]["client_name"] = json!("Billing");
    file["subject"][1]["enabled"] = json!(true);
    let plan = applied(&store, &file).await;
    assert_eq!(steps(&plan), ["~client billing", "~subject bob"]);
    let members: Vec<_> = plan.steps[0].differences.iter().collect();
    assert_eq!(members.len(), 2, "{members:?}");
    assert_eq!(members[0].member, "client_name");
    assert_eq!(members[0].before, Value::Null);
    assert_eq!(members[1].before, json!("read write"));
    assert_eq!(members[1].after, json!("more read write"));
    // What the file does not say any more has its default.
    file["client"][0]
        .as_object_mut()
        .expect("an object")
        .remove("client_name");
    let plan = applied(&store, &file).await;
    assert_eq!(steps(&plan), ["~client billing"]);
    // What is not in the file is left alone.
    let plan = applied(&store, &json!({"subject": [{"id": "carol"}]})).await;
    assert_eq!(steps(&plan), ["+subject carol"]);
    assert_eq!(
        export(&store).await["client"].as_array().map(Vec::len),
        Some(2)
    );
}

#[tokio::test]
async fn m072_ma31_a_plan_that_was_made_before_somebody_elses_change_is_refused() {
    let (store, terms) = (MemoryStore::new(), terms());
    applied(&store, &everything()).await;
    let mut file = everything();
    file["client"] = json!([client("billing")]);
    let mut wanted = request(file);
    let dry = make(&store, &wanted).await.expect("a plan").plan;
    let text = serde_json::to_string(&dry).expect("JSON");
    let read: Plan = serde_json::from_str(&text).expect("a plan");
    assert_eq!(read, dry);
    // The control: nothing has moved.
    wanted.expected = Some(dry.state.clone());
    let planned = make(&store, &wanted).await.expect("the same state");
    let clients = Clients::new(store.clients(), &terms, NOW);
    let patch = Patch::default().with("scope", "read");
    clients
        .update(&client_id("billing"), &patch, &by())
        .await
        .expect("changed");
    let moved = make(&store, &wanted).await.map(drop);
    assert!(matches!(moved, Err(Error::MovedOn)), "{moved:?}");
    // So is one that was made already, and is carried out now.
    let plans = Plans::new(PlanStores::of(&store), &terms, NOW);
    let before = export(&store).await;
    let moved = plans.apply(planned, &by()).await.map(drop);
    assert!(matches!(moved, Err(Error::MovedOn)), "{moved:?}");
    assert_eq!(export(&store).await, before);
    wanted.expected = None;
    apply(&store, &wanted).await.expect("a new plan");
}

#[tokio::test]
async fn ma31_of_two_plans_at_once_the_second_has_moved_on() {
    let (store, terms) = (MemoryStore::new(), terms());
    let plans = Plans::new(PlanStores::of(&store), &terms, NOW);
    applied(
        &store,
        &json!({"subject": [{"id": "alice"}], "client": [client("a")]}),
    )
    .await;
    let file = |enabled: bool| {
        let permission = json!({"client": "a", "subject": "alice"});
        request(
            json!({"subject": [{"id": "alice", "enabled": enabled}], "permission": [permission]}),
        )
    };
    // The second leaves alice as she is, and rests on that.
    let first = plans.make(&file(false)).await.expect("a plan");
    let second = plans.make(&file(true)).await.expect("a plan");
    let third = plans.make(&file(false)).await.expect("a plan");
    plans.apply(first, &by()).await.expect("applied");
    for late in [second, third] {
        let moved = plans.apply(late, &by()).await.map(drop);
        assert!(matches!(moved, Err(Error::MovedOn)), "{moved:?}");
    }
    // So does a permission on a client that the file does not name.
    let id = PermissionId::by_operator(client_id("a"), SubjectId::parse("alice").expect("a name"));
    let permissions = Permissions::new(store.permissions(), NOW);
    permissions.delete(&id, &by()).await.expect("withdrawn");
    let planned = plans.make(&file(false)).await.expect("a plan");
    let clients = Clients::new(store.clients(), &terms, NOW);
    let (id, actor) = (client_id("a"), by());
    let disabled = clients.set_standing(&id, Standing::Disabled, &actor).await;
    disabled.expect("disabled");
    let moved = plans.apply(planned, &by()).await.map(drop);
    assert!(matches!(moved, Err(Error::MovedOn)), "{moved:?}");
    apply(&store, &file(false)).await.expect("a new plan");
}

#[tokio::test]
async fn ma29_all_faults_are_named_at_once_and_nothing_is_changed() {
    let store = MemoryStore::new();
    let mut clients: Vec<_> = (0..100)
        .map(|number| client(&format!("c{number}")))
        .collect();
    let good = clients.clone();
    clients[3]["colour"] = json!("red");
    clients[7]["client_id"] = json!("c6");
    clients[99]["jwks"]["keys"] =
        json!([jwk("a"), {"kty": "RSA", "e": "AQAB", "n": "AQAB", "kid": "weak"}]);
    let file = json!({
        "client": clients,
        "subject": [{"id": "alice"}],
        "permission": [
            {"client": "gone", "subject": "alice"},
            {"client": "c1", "subject": "nobody"},
            {"client": "c3", "subject": "alice"},
            {"client": "c1", "subject": "alice", "scope": "read delete"},
            {"client": "c2", "subject": "alice", "origin": "person"},
        ],
        "trust": [{"name": "t", "issuer": "unknown", "client": "gone"}],
    });
    let faults = faults(&store, &request(file)).await;
    let expected = [
        "/client/3/colour",
        "/client/7/client_id",
        "/client/99/jwks/keys/1",
        "/permission/4/origin",
        "/trust/0/issuer",
        "/permission/0/client",
        "/permission/1/subject",
        "/permission/3/scope",
    ];
    assert_eq!(pointers(&faults), expected, "{faults:?}");
    let permission = json!([{"client": "c1", "subject": "alice", "scope": "read"}]);
    let file = json!({"client": good, "subject": [{"id": "alice"}], "permission": permission});
    applied(&store, &file).await;
}

#[tokio::test]
async fn ma29_names_are_held_against_the_state_after_the_plan() {
    let store = MemoryStore::new();
    applied(
        &store,
        &json!({"client": [client("a")], "subject": [{"id": "b"}]}),
    )
    .await;
    let file = json!({
        "client": [client("b"), client("c"), client("https://i.example")],
        "subject": [{"id": "a"}, {"id": "c"}, {"id": "d"}],
        "issuer": [
            {"iss": "https://i.example", "name": "i", "keys": {"discovery": {}}},
            {"iss": "https://j.example", "name": "i", "keys": {"discovery": {}}},
        ],
    });
    let faults = faults(&store, &request(file)).await;
    let expected = [
        "/client/0/client_id",
        "/client/1/client_id",
        "/client/2/client_id",
        "/subject/0/id",
        "/subject/1/id",
        "/issuer/0/iss",
        "/issuer/0/name",
        "/issuer/1/name",
    ];
    assert_eq!(pointers(&faults), expected, "{faults:?}");
    applied(
        &store,
        &json!({"client": [client("c")], "subject": [{"id": "d"}]}),
    )
    .await;
}

#[tokio::test]
async fn t081_ma29_trusts_are_held_against_the_other_trusts_of_the_file() {
    let store = MemoryStore::new();
    let federated = |id: &str| json!({"client_id": id, "token_endpoint_auth_method": "private_key_jwt", "federated": true});
    let trust = |name: &str, sub: &str| {
        json!({"name": name, "issuer": "https://i.example", "client": name,
            "uses": ["client_authentication"], "pins": [{"claim": "sub", "equals": sub}]})
    };
    let file = |second: &str| {
        json!({
            "client": [federated("a"), federated("b")],
            "issuer": [{"iss": "https://i.example", "keys": {"discovery": {}}}],
            "trust": [trust("a", "one"), trust("b", second)],
        })
    };
    let faults = faults(&store, &request(file("one"))).await;
    assert_eq!(
        pointers(&faults),
        ["/trust/0/pins", "/trust/1/pins"],
        "{faults:?}"
    );
    applied(&store, &file("two")).await;
    // To exchange both subs is no fault: it is the state after the plan that counts.
    let mut exchanged = file("one");
    exchanged["trust"][0] = trust("a", "two");
    let plan = applied(&store, &exchanged).await;
    assert_eq!(steps(&plan), ["~trust a", "~trust b"]);
    // A client that a trust needs federated is not so any more.
    exchanged["client"][0] = client("a");
    let faults = self::faults(&store, &request(exchanged)).await;
    assert_eq!(pointers(&faults), ["/trust/0/client"]);
}

#[tokio::test]
async fn m043_ma43_issuers_are_checked_as_by_every_other_way() {
    let store = MemoryStore::new();
    let issuer = |keys: Value| json!({"issuer": [{"iss": "https://i.example", "keys": keys}]});
    for keys in [
        json!({"jwks_uri": "http://i.example/jwks"}),
        json!({"jwks_uri": "http://127.0.0.1/jwks"}),
        json!({"discovery": {"metadata_url": "file:///etc/passwd"}}),
        json!({}),
    ] {
        let faults = faults(&store, &request(issuer(keys.clone()))).await;
        assert!(
            pointers(&faults)[0].starts_with("/issuer/0/keys"),
            "{keys} {faults:?}"
        );
    }
    // Nothing is fetched for it.
    let uri = json!({"jwks_uri": "https://i.invalid/jwks"});
    applied(&store, &issuer(uri)).await;
    // A lint is a fault that says how to allow it.
    let github = "https://token.actions.githubusercontent.com";
    let trust = |allowed: Value| {
        json!({
            "client": [client("a")],
            "issuer": [{"iss": github, "name": "github", "keys": {"discovery": {}}}],
            "trust": [{"name": "ci", "issuer": "github", "client": "a", "scope": "read", "allowed_lints": allowed, "pins": [
                {"claim": "repository_owner_id", "equals": "1"}, {"claim": "sub", "equals": "repo:acme/web:ref:refs/heads/main"},
            ]}],
        })
    };
    let faults = faults(&store, &request(trust(json!([])))).await;
    let is_lint = |fault: &Fault| fault.detail.contains("or allow");
    assert!(faults.iter().all(is_lint), "{faults:?}");
    let names = faults
        .iter()
        .filter_map(|fault| fault.detail.split("or allow ").nth(1));
    let names: Vec<_> = names.collect();
    applied(&store, &trust(json!(names))).await;
}

#[tokio::test]
async fn m074_a_secret_is_made_once_where_the_file_asks_for_it() {
    let store = MemoryStore::new();
    let with = |secret: Option<Value>| {
        let mut client =
            json!({"client_id": "a", "token_endpoint_auth_method": "client_secret_basic"});
        if let Some(secret) = secret {
            client["secret"] = secret;
        }
        request(json!({"client": [client]}))
    };
    for wrong in [None, Some(json!("swordfish-12345")), Some(json!(true))] {
        let faults = faults(&store, &with(wrong)).await;
        assert_eq!(pointers(&faults), ["/client/0/secret"]);
        assert!(!faults[0].detail.contains("swordfish"), "{faults:?}");
    }
    let mut no_secret = client("b");
    no_secret["secret"] = json!("make");
    let faults = faults(&store, &request(json!({"client": [no_secret]}))).await;
    assert_eq!(pointers(&faults), ["/client/0/secret"]);
    let made = apply(&store, &with(Some(json!("make"))))
        .await
        .expect("made");
    let [key_file] = &*made.key_files else {
        unreachable!("one secret was made");
    };
    assert_eq!(key_file.client_id, client_id("a"));
    let plan = serde_json::to_string(&made.plan).expect("JSON");
    let secret = key_file.to_text().expect("a text");
    let secret: Value = serde_json::from_str(&secret).expect("JSON");
    let secret = secret["client_secret"].as_str().expect("a secret");
    let filter = ChangeFilter::default();
    let records = store.changes().page(&filter, Start::Oldest, 9).await;
    let records = records.expect("a page").entries;
    assert!(!plan.contains(secret) && records.iter().all(|one| !one.document.contains(secret)));
    for again in [None, Some(json!("make"))] {
        let again = apply(&store, &with(again)).await.expect("applied");
        assert!(again.key_files.is_empty() && !again.plan.summary.is_change());
    }
    // A client that is to have a key and no secret any more loses it.
    let plan = applied(&store, &json!({"client": [client("a")]})).await;
    assert_eq!(steps(&plan), ["~client a"]);
    let read = store.clients().get(&client_id("a")).await.expect("read");
    assert!(read.expect("there").secrets().is_empty());
}

#[tokio::test]
async fn m063_what_is_exported_is_registered_here_already_and_makes_the_same_elsewhere() {
    let (store, file) = (MemoryStore::new(), everything());
    applied(&store, &file).await;
    let more = json!({
        "client": [{"client_id": "s", "token_endpoint_auth_method": "client_secret_jwt", "secret": "make"}],
        "issuer": [{"iss": "spiffe://acme.example", "keys": {"spiffe_bundle": "https://b.example/bundle"},
            "audiences": ["https://as.example", "other"], "max_lifetime": 60}],
        "permission": [{"client": "billing", "subject": "bob", "expires_at": "2030-01-31T12:00:00Z", "scope": ""}],
    });
    applied(&store, &more).await;
    let mut keyed = client("k");
    keyed["keys"] = json!([{"name": "k", "expires_at": "2026-01-31T12:00:00Z"}]);
    applied(&store, &json!({"client": [keyed]})).await;
    // What a person has given is in no file.
    let alice = SubjectId::parse("alice").expect("a name");
    let scope = "read".parse().expect("a scope");
    let consent = Permission::consented(client_id("billing"), alice, scope, Vec::new());
    let consented = store.permissions().create(consent, &by()).await;
    consented.expect("consented");
    let exported = export(&store).await;
    let text = exported.to_string();
    for absent in ["created_at", "managed_by", "secrets", "person", "null"] {
        assert!(!text.contains(absent), "{absent} in {text}");
    }
    assert_eq!(exported["permission"].as_array().map(Vec::len), Some(2));
    let again = applied(&store, &exported).await;
    assert!(!again.summary.is_change(), "{again:?}");
    assert_eq!(again.summary.same, 12);
    let other = MemoryStore::new();
    let made = apply(&other, &request(exported.clone())).await;
    assert_eq!(made.expect("applied").key_files.len(), 1);
    assert_eq!(export(&other).await, exported);
}

#[tokio::test]
async fn issuers_take_over_each_others_names_where_that_can_be_done_in_an_order() {
    let store = MemoryStore::new();
    let issuer =
        |iss: &str, name: &str| json!({"iss": iss, "name": name, "keys": {"discovery": {}}});
    let (a, b) = ("https://a.example", "https://b.example");
    applied(
        &store,
        &json!({"issuer": [issuer(a, "one"), issuer(b, "two")]}),
    )
    .await;
    let plan = applied(
        &store,
        &json!({"issuer": [issuer(a, "two"), issuer(b, "three")]}),
    )
    .await;
    assert_eq!(plan.summary.update, 2);
    let around = json!({"issuer": [issuer(a, "three"), issuer(b, "two")]});
    let faults = faults(&store, &request(around)).await;
    assert_eq!(pointers(&faults), ["/issuer"], "{faults:?}");
}

/// What an owner's files have, pruned.
/// M016: what takes long can be ended in between, and takes as long for each as for the first.
#[tokio::test]
async fn m016_a_plan_of_thousands_rests_and_may_be_ended_there() {
    const COUNT: usize = 5000;
    let issuer = |number| json!({"iss": format!("https://i{number}.example"), "name": format!("i{number}"), "keys": {"discovery": {}}});
    let trust = |number| json!({"name": format!("t{number}"), "issuer": format!("i{number}"), "client": "c", "scope": "read", "pins": [{"claim": "sub", "equals": "job"}]});
    let wanted = request(json!({
        "client": [{"client_id": "c", "token_endpoint_auth_method": "none",
            "grant_types": ["urn:ietf:params:oauth:grant-type:jwt-bearer"], "scope": "read"}],
        "issuer": (0..COUNT).map(issuer).collect::<Vec<_>>(),
        "trust": (0..COUNT).map(trust).collect::<Vec<_>>(),
    }));
    let store = MemoryStore::new();
    let (terms, mut rests) = (terms(), 0);
    let plans = Plans::new(PlanStores::of(&store), &terms, NOW);
    let mut making = std::pin::pin!(plans.make(&wanted));
    let made = std::future::poll_fn(|context| {
        rests += 1;
        making.as_mut().poll(context)
    });
    let plan = made.await.expect("a plan").plan;
    assert_eq!(plan.summary.create, 2 * COUNT + 1);
    assert!(rests > COUNT / 10, "it rested {rests} times");
    let ended = tokio::time::timeout(std::time::Duration::ZERO, plans.make(&wanted));
    assert!(ended.await.is_err(), "nobody waits for it");
}

/// Each change at a time at which its names are free, in whatever order they are asked for.
#[tokio::test]
async fn issuers_pass_their_names_along_a_chain() {
    let store = MemoryStore::new();
    let named = |iss: usize, name: usize| json!({"iss": format!("https://i{iss}.example"), "name": format!("n{name}"), "keys": {"discovery": {}}});
    let chain =
        |shift| json!({"issuer": (0..9).map(|iss| named(iss, iss + shift)).collect::<Vec<_>>()});
    applied(&store, &chain(1)).await;
    for shift in [2, 1, 0] {
        let plan = applied(&store, &chain(shift)).await;
        assert_eq!(plan.summary.update, 9);
    }
}

fn owned(name: &str, resources: Value) -> PlanRequest {
    PlanRequest {
        owner: owner(name),
        prune: true,
        ..request(resources)
    }
}

#[tokio::test]
async fn m073_prune_removes_what_has_the_same_owner_and_nothing_else() {
    let store = MemoryStore::new();
    applied(&store, &json!({"subject": [{"id": "by-hand"}]})).await;
    let east = owned(
        "east",
        json!({"client": [client("a"), client("b")], "subject": [{"id": "s"}]}),
    );
    apply(&store, &east).await.expect("applied");
    let west = owned("west", json!({"client": [client("c")]}));
    let plan = apply(&store, &west).await.expect("applied").plan;
    assert_eq!(steps(&plan), ["+client c"]);
    let read = store.clients().get(&client_id("a")).await.expect("read");
    assert_eq!(read.expect("there").managed_by(), owner("east").as_ref());
    // Without pruning, what is not in the file stays.
    let mut kept = owned("east", json!({"client": [client("x")]}));
    kept.prune = false;
    let plan = apply(&store, &kept).await.expect("applied").plan;
    assert_eq!(steps(&plan), ["+client x"]);
    let fewer = owned("east", json!({"client": east.resources.client[..1]}));
    let plan = apply(&store, &fewer).await.expect("applied").plan;
    assert_eq!(steps(&plan), ["-client b", "-client x", "-subject s"]);
    assert_eq!(
        plan.steps[1].differences.last().map(|one| &one.after),
        Some(&Value::Null)
    );
    let left = export(&store).await;
    assert_eq!(left["client"].as_array().map(Vec::len), Some(2));
    assert_eq!(left["subject"], json!([{"id": "by-hand", "enabled": true}]));
}

#[tokio::test]
async fn m073_a_file_without_registrations_removes_nothing_unless_that_is_said() {
    let store = MemoryStore::new();
    let full = owned("east", json!({"client": [client("a")]}));
    apply(&store, &full).await.expect("applied");
    let mut empty = owned("east", json!({}));
    let refused = faults(&store, &empty).await;
    assert_eq!(pointers(&refused), ["/resources"]);
    empty.owner = None;
    let refused = faults(&store, &empty).await;
    assert_eq!(pointers(&refused), ["/owner", "/resources"]);
    empty.owner = owner("east");
    empty.allow_empty = true;
    let plan = apply(&store, &empty).await.expect("applied").plan;
    assert_eq!(steps(&plan), ["-client a"]);
}

#[tokio::test]
async fn m073_a_file_takes_over_what_nobody_manages_and_leaves_what_others_do() {
    let store = MemoryStore::new();
    let file = json!({"client": [client("a")]});
    applied(&store, &file).await;
    let manager = async || {
        let read = store.clients().get(&client_id("a")).await.expect("read");
        read.expect("there").managed_by().cloned()
    };
    assert_eq!(manager().await, None);
    let plan = apply(&store, &owned("east", file.clone()))
        .await
        .expect("applied")
        .plan;
    assert_eq!(steps(&plan), ["~client a"]);
    assert_eq!(plan.steps[0].differences[0].member, "managed_by");
    assert_eq!(manager().await, owner("east"));
    // It is so already: neither another owner nor none makes it theirs.
    let mut west = owned("west", file.clone());
    for other in [&west, &request(file.clone())] {
        let plan = apply(&store, other).await.expect("applied").plan;
        assert!(!plan.summary.is_change());
    }
    // Without an owner it stays the owner's; the gate says who may change it.
    let mut changed = file.clone();
    changed["client"][0]["scope"] = json!("read");
    applied(&store, &changed).await;
    assert_eq!(manager().await, owner("east"));
    west.resources = request(file).resources;
    let plan = apply(&store, &west).await.expect("applied").plan;
    let managed_by = plan.steps[0]
        .differences
        .iter()
        .find(|one| one.member == "managed_by");
    assert_eq!(
        managed_by.map(|one| (&one.before, &one.after)),
        Some((&json!("east"), &json!("west")))
    );
}

#[tokio::test]
async fn m073_what_hangs_on_what_is_removed_goes_along_and_is_in_the_plan() {
    let store = MemoryStore::new();
    let full = json!({"client": [client("a"), client("b")], "subject": [{"id": "s"}]});
    apply(&store, &owned("east", full.clone()))
        .await
        .expect("applied");
    // By hand, and by a person.
    let by_hand = json!({"permission": [{"client": "a", "subject": "s"}]});
    applied(&store, &by_hand).await;
    let subject = SubjectId::parse("s").expect("a name");
    let scope = "read".parse().expect("a scope");
    let consent = Permission::consented(client_id("a"), subject, scope, Vec::new());
    store
        .permissions()
        .create(consent, &by())
        .await
        .expect("consented");
    let mut fewer = full;
    fewer["client"] = json!([fewer["client"][1]]);
    let plan = make(&store, &owned("east", fewer.clone()))
        .await
        .expect("a plan")
        .plan;
    let expected = [
        "-client a",
        r#"-permission ["a","s","person"]"#,
        r#"-permission ["a","s"]"#,
    ];
    assert_eq!(steps(&plan), expected);
    // The permission of another owner is in the way.
    let west = json!({"permission": [{"client": "a", "subject": "s", "scope": "read"}]});
    let mut west = owned("west", west);
    west.prune = false;
    apply(&store, &west).await.expect("applied");
    let refused = faults(&store, &owned("east", fewer.clone())).await;
    assert!(
        refused.iter().any(|fault| fault.detail.contains("west")),
        "{refused:?}"
    );
    let none = PlanRequest {
        allow_empty: true,
        ..owned("west", json!({}))
    };
    apply(&store, &none).await.expect("applied");
    apply(&store, &owned("east", fewer)).await.expect("applied");
    assert!(export(&store).await.get("permission").is_none());
}

#[tokio::test]
async fn ma29_m073_nothing_may_rest_on_what_the_file_removes() {
    let store = MemoryStore::new();
    let trust = |name: &str, client: &str| {
        json!({"name": name, "issuer": "i", "client": client, "scope": "read",
            "pins": [{"claim": "sub", "equals": "x"}]})
    };
    let issuer = json!({"iss": "https://i.example", "name": "i", "keys": {"discovery": {}}});
    let full = json!({
        "client": [client("a"), client("b")],
        "subject": [{"id": "s"}],
        "permission": [{"client": "a", "subject": "s"}],
        "issuer": [issuer],
        "trust": [trust("t", "a")],
    });
    apply(&store, &owned("east", full.clone()))
        .await
        .expect("applied");
    let mut fewer = full.clone();
    fewer["client"] = json!([full["client"][1]]);
    fewer["subject"] = json!([]);
    fewer["issuer"] = json!([]);
    let refused = faults(&store, &owned("east", fewer.clone())).await;
    let expected = [
        "/trust/0/issuer",
        "/permission/0/client",
        "/permission/0/subject",
    ];
    assert_eq!(pointers(&refused), expected, "{refused:?}");
    assert!(
        refused.iter().all(|fault| fault.detail.contains("remove")),
        "{refused:?}"
    );
    // A trust that moves to another client does not go with the one that it leaves.
    fewer = full.clone();
    fewer["client"] = json!([full["client"][1]]);
    fewer["permission"] = json!([]);
    fewer["trust"] = json!([trust("t", "b")]);
    let plan = apply(&store, &owned("east", fewer))
        .await
        .expect("applied")
        .plan;
    assert_eq!(
        steps(&plan),
        ["-client a", r#"-permission ["a","s"]"#, "~trust t"]
    );
    // A trust by hand keeps its issuer.
    applied(&store, &json!({"trust": [trust("by-hand", "b")]})).await;
    let none = PlanRequest {
        allow_empty: true,
        ..owned("east", json!({}))
    };
    let refused = faults(&store, &none).await;
    assert!(refused[0].detail.contains("by-hand"), "{refused:?}");
}

#[tokio::test]
async fn m071_a_name_may_go_from_what_is_removed_to_what_is_made() {
    let store = MemoryStore::new();
    let east = owned(
        "east",
        json!({"client": [client("a")], "subject": [{"id": "b"}]}),
    );
    apply(&store, &east).await.expect("applied");
    let exchanged = owned(
        "east",
        json!({"client": [client("b")], "subject": [{"id": "a"}]}),
    );
    let plan = apply(&store, &exchanged).await.expect("applied").plan;
    let expected = ["-client a", "+client b", "+subject a", "-subject b"];
    assert_eq!(steps(&plan), expected);
}
