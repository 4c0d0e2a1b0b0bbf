//! Issuers and trusts: who may be one, with what they end, and how requests find them.

use std::sync::Arc;

use grantor_jose::{Algorithm, PrivateJwk, VerificationKey};
use serde_json::{Value, json};

use super::{
    Hooked, by, exists, is_conflict, is_missing, public_client, records::records, subject,
};
use crate::{
    registry::{
        Action, ChangeRecord, Client, ClientKey, Issuers, KeyOrigin, Mode, Resource as _, Trust,
        TrustedIssuer, Trusts, UploadedKey,
    },
    storage::{
        AnyChange, Change, Cursor, StoreError,
        conformance::{NOW, Two, id, within_a_second},
    },
    types::{IssuerId, Name},
};

const IDP: &str = "https://idp.example/";
const CLUSTER: &str = "kubernetes/serviceaccount";

pub(in super::super) fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

pub(super) fn iss(text: &str) -> IssuerId {
    IssuerId::parse(text).expect("an iss")
}

fn uploaded() -> (UploadedKey, Value) {
    let jwk = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let jwk = jwk.public();
    let x = json!(jwk)["x"].clone();
    let key = VerificationKey::from_jwk(jwk).expect("a key");
    (UploadedKey::new(ClientKey::new(key, None), NOW), x)
}

/// An issuer with a key that was uploaded.
pub(in super::super) fn issuer(id: &str, called: &str) -> TrustedIssuer {
    let keys = vec![uploaded().0];
    TrustedIssuer::new(iss(id), name(called), KeyOrigin::Uploaded { keys }, NOW)
}

/// A trust of an issuer in a client, with one pin.
fn trust(called: &str, issuer: &str, client: &str) -> Trust {
    let mut trust = Trust::new(name(called), iss(issuer), id(client), NOW);
    let pin = json!({"claim": "sub", "text": "somebody"});
    trust.pins = vec![serde_json::from_value(pin).expect("a pin")];
    trust
}

/// All members at once, as documents have them.
fn full() -> (Value, Value) {
    let (key, _) = uploaded();
    let issuer = json!({
        "id": IDP, "name": "idp", "keys": {"from": "uploaded_spiffe_bundle", "keys": [key]},
        "fetching": {"ca": "PEM", "bearer_token_file": "/run/token", "allow_internal": ["10.0.0.0/8"]},
        "trust_domain": "acme.example", "audiences": ["https://a.example", "b"], "audience_match": "any",
        "algorithms": ["ES256", "EdDSA"], "types": ["at+jwt"], "max_lifetime": 300, "leeway": 5,
        "replay": "once-by-digest", "tenant_claims": ["/tenant/id", "org"], "template": {"name": "spiffe", "version": 3},
        "enabled": false, "tokens_since": NOW, "created_at": NOW,
    });
    let trust = json!({
        "name": "deploy", "issuer": IDP, "client": "a", "uses": ["grant", "client_authentication"],
        "pins": [
            {"claim": "repository_id", "text": "int:20"}, {"claim": "/a~1b/c", "integer": -20},
            {"claim": "fork", "boolean": false}, {"claim": "groups", "contains": "ops"},
        ],
        "matches": [{"claim": "ref", "glob": "refs/heads/*"}],
        "condition": "assertion.event_name in ['push', 'release']",
        "subject": "template:ci:{repository_id}/{ref}", "scope": "read write",
        "resources": ["https://api.example"], "lifetime": 120, "cap_to_assertion": true,
        "claims": [{"to": "repo", "from": "repository"}], "needs_client_auth": true, "mode": "shadow",
        "template": {"name": "github", "version": 2}, "allowed_lints": ["wide_glob"], "created_at": NOW,
    });
    (issuer, trust)
}

async fn registered<S: Hooked>(store: &S, issuer: TrustedIssuer) -> Arc<TrustedIssuer> {
    let created = store.issuer_registry().create(issuer, &by()).await;
    created.expect("created")
}

async fn trusted<S: Hooked>(store: &S, trust: Trust) -> Arc<Trust> {
    let created = store.trust_registry().create(trust, &by()).await;
    created.expect("created")
}

async fn with_client<S: Hooked>(store: &S, name: &str) {
    let created = store.clients().create(public_client(name), &by()).await;
    created.expect("created");
}

async fn issuers<S: Hooked>(store: &S) -> Arc<Issuers> {
    store.issuers().await.expect("the store answers")
}

async fn trusts<S: Hooked>(store: &S, issuer: &TrustedIssuer) -> Arc<Trusts> {
    store.trusts(issuer).await.expect("the store answers")
}

/// The names of the trusts that requests find.
async fn names<S: Hooked>(store: &S, issuer: &TrustedIssuer) -> Vec<String> {
    let trusts = trusts(store, issuer).await;
    let names = trusts.all().iter().map(|trust| trust.name.to_string());
    names.collect()
}

fn told(records: &[ChangeRecord]) -> Vec<(&str, &str, Action)> {
    let records = records.iter();
    let told = records.map(|record| (&*record.resource, &*record.name, record.action));
    told.collect()
}

/// Whether it is this of [`StoreError::Exists`].
fn is_taken<T>(result: &Result<T, StoreError>, what: &str) -> bool {
    matches!(result, Err(StoreError::Exists(found)) if *found == what)
}

/// Whether it is this of [`StoreError::Missing`].
fn lacks<T>(result: &Result<T, StoreError>, what: &str) -> bool {
    matches!(result, Err(StoreError::Missing(found)) if *found == what)
}

/// All members survive, in the registry and where requests find them: also what is disabled, for
/// it is the server that refuses it.
pub async fn issuers_and_trusts_come_back_as_they_went_in<S: Hooked>([one, two]: Two<S>) {
    let (issuer, trust) = full();
    with_client(&*one, "a").await;
    let made = serde_json::from_value(issuer.clone()).expect("an issuer");
    let made = registered(&*one, made).await;
    assert!((made.revision.number, made.revision.version) > (0, 0));
    let found = two.issuer_registry().get(&made.id).await;
    let found = found.expect("the store answers").expect("the issuer");
    assert_eq!(json!(*found), issuer);
    assert_eq!(found.revision, made.revision);
    let at_hand = issuers(&*one).await;
    for found in [
        at_hand.get(IDP),
        at_hand.named("idp"),
        at_hand.numbered(made.revision.number),
        at_hand.of_domain("acme.example"),
    ] {
        let found = found.expect("the issuer");
        assert_eq!(
            (json!(**found), found.revision),
            (issuer.clone(), made.revision)
        );
    }
    assert!(
        at_hand.get("https://idp.example").is_none(),
        "to the letter"
    );

    let given = serde_json::from_value(trust.clone()).expect("a trust");
    let given = trusted(&*one, given).await;
    let found = two.trust_registry().get(&name("deploy")).await;
    let found = found.expect("the store answers").expect("the trust");
    assert_eq!(
        (json!(*found), found.revision),
        (trust.clone(), given.revision)
    );
    let at_hand = trusts(&*one, &made).await;
    let found = at_hand.numbered(given.revision.number).expect("the trust");
    assert_eq!((json!(**found), found.revision), (trust, given.revision));
    assert!(
        two.trust_registry()
            .get(&name("Deploy"))
            .await
            .is_ok_and(|none| none.is_none())
    );
}

/// RFC 8725 §3.12: what one party says is never taken for the word of another.
pub async fn t018_an_iss_is_no_client_id<S: Hooked>([one, two]: Two<S>) {
    with_client(&*one, "a").await;
    registered(&*one, issuer("b", "b")).await;
    for node in [&one, &two] {
        let refused = node.issuer_registry().create(issuer("a", "a"), &by()).await;
        assert!(is_taken(&refused, "client or issuer"), "{refused:?}");
        let refused = node.clients().create(public_client("b"), &by()).await;
        assert!(is_taken(&refused, "client or issuer"), "{refused:?}");
    }
    // Compared octet for octet; a subject may be called so, and so may an issuer's name be a client's.
    registered(&*one, issuer("A", "a")).await;
    let subject = two.subjects().create(subject("b"), &by()).await;
    subject.expect("created");
    // Free from when the other is gone, within one call too.
    let exchange = || -> Vec<AnyChange> {
        vec![
            Change::<Client>::Delete(id("a"), None).into(),
            Change::Create(issuer("a", "new")).into(),
        ]
    };
    let mut refused = exchange();
    refused.push(Change::Create(public_client("a")).into());
    let refused = two.apply_all(refused, &by()).await;
    assert!(is_taken(&refused, "client or issuer"), "{refused:?}");
    let made = two.apply_all(exchange(), &by()).await;
    made.expect("its name is free");
    let deleted = one.issuer_registry().delete(&iss("a"), &by()).await;
    deleted.expect("deleted");
    with_client(&*two, "a").await;
}

/// Each leads to one issuer: law 11.
pub async fn an_issuer_has_an_iss_a_name_and_a_trust_domain_of_its_own<S: Hooked>(
    [one, two]: Two<S>,
) {
    let of_domain = |id, called, domain: &str| {
        let mut issuer = issuer(id, called);
        issuer.trust_domain = Some(domain.to_owned());
        issuer
    };
    let first = registered(&*one, of_domain(IDP, "idp", "acme.example")).await;
    let second = registered(&*two, of_domain(CLUSTER, "cluster", "other.example")).await;
    for (bad, what) in [
        (issuer(IDP, "new"), "issuer"),
        (issuer("new", "idp"), "issuer name"),
        (of_domain("new", "new", "acme.example"), "trust domain"),
    ] {
        let refused = two.issuer_registry().create(bad, &by()).await;
        assert!(is_taken(&refused, what), "{what}: {refused:?}");
    }
    for (bad, what) in [
        (of_domain(CLUSTER, "idp", "other.example"), "issuer name"),
        (
            of_domain(CLUSTER, "cluster", "acme.example"),
            "trust domain",
        ),
    ] {
        let bad = bad.with_revision(second.revision);
        let refused = one.issuer_registry().replace(bad, &by()).await;
        assert!(is_taken(&refused, what), "{what}: {refused:?}");
    }
    let good = of_domain(CLUSTER, "cluster", "other.example").with_revision(second.revision);
    let replaced = one.issuer_registry().replace(good, &by()).await;
    assert_eq!(replaced.expect("its own").revision, second.revision.next());
    for called in ["new", "newer"] {
        // Several may have none.
        registered(&*one, issuer(called, called)).await;
    }
    let deleted = one.issuer_registry().delete(&first.id, &by()).await;
    deleted.expect("deleted");
    registered(&*two, of_domain("newest", "idp", "acme.example")).await;
}

/// When it is made, and when it is changed.
pub async fn a_trust_needs_its_issuer_and_its_client<S: Hooked>([one, two]: Two<S>) {
    with_client(&*one, "a").await;
    registered(&*one, issuer(IDP, "idp")).await;
    let without = [
        (trust("t", CLUSTER, "a"), "issuer"),
        (trust("t", IDP, "b"), "client"),
    ];
    for (bad, what) in without.clone() {
        let refused = two.trust_registry().create(bad, &by()).await;
        assert!(lacks(&refused, what), "{what}: {refused:?}");
    }
    let made = trusted(&*two, trust("t", IDP, "a")).await;
    assert!(exists(
        one.trust_registry()
            .create(trust("t", IDP, "a"), &by())
            .await
    ));
    for (bad, what) in without {
        let bad = bad.with_revision(made.revision);
        let refused = one.trust_registry().replace(bad, &by()).await;
        assert!(lacks(&refused, what), "{what}: {refused:?}");
    }
    let found = two.trust_registry().get(&made.name).await;
    let found = found.expect("the store answers").expect("the trust");
    assert_eq!(
        (json!(*found), found.revision),
        (json!(*made), made.revision)
    );
    let again = (*made).clone();
    let replaced = one.trust_registry().replace(again, &by()).await;
    assert_eq!(replaced.expect("as it was").revision, made.revision.next());
}

/// T092: trusts end with their issuer, each as a change of its own. An issuer that is registered
/// again has none of them, and requests that hold the old one find none of the new one's.
pub async fn t092_trusts_end_with_their_issuer<S: Hooked>([one, two]: Two<S>) {
    with_client(&*one, "a").await;
    registered(&*one, issuer(CLUSTER, "cluster")).await;
    trusted(&*one, trust("other", CLUSTER, "a")).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let made = registered(&*one, issuer(IDP, "idp")).await;
        let mut numbers = vec![made.revision.number];
        assert!(
            names(&*one, &made).await.is_empty(),
            "none of an earlier one"
        );
        for called in ["t1", "t2"] {
            let made = trusted(&*one, trust(called, IDP, "a")).await;
            numbers.push(made.revision.number);
        }
        assert_eq!(names(&*one, &made).await, ["t1", "t2"]);
        let before = records(&*two).await.len();
        let deleted = two.issuer_registry().delete(&made.id, &by()).await;
        deleted.expect("deleted");
        let records = records(&*one).await;
        let ended = |resource, name| (resource, name, Action::Delete);
        assert_eq!(
            told(&records[before..]),
            [
                ended("trust", "t1"),
                ended("trust", "t2"),
                ended("issuer", IDP)
            ]
        );
        let document = records[before].before.as_ref().expect("a document");
        assert_eq!(document["client"], "a");
        assert!(names(&*two, &made).await.is_empty());
        assert!(issuers(&*two).await.get(IDP).is_none());
        assert!(is_missing(
            two.trust_registry().delete(&name("t1"), &by()).await
        ));
        seen.push((numbers, made));
    }
    assert!(
        seen.windows(2).all(|pair| pair[0]
            .0
            .iter()
            .zip(&pair[1].0)
            .all(|(one, next)| one < next)),
        "{seen:?}"
    );
    let again = registered(&*one, issuer(IDP, "idp")).await;
    trusted(&*one, trust("t1", IDP, "a")).await;
    assert_eq!(names(&*one, &again).await, ["t1"]);
    for (_, stale) in &seen {
        assert!(names(&*one, stale).await.is_empty(), "{:?}", stale.revision);
    }
    let cluster = issuers(&*one).await.named("cluster").cloned();
    assert_eq!(names(&*one, &cluster.expect("the other")).await, ["other"]);
}

/// A later client of the same name has none of them.
pub async fn trusts_end_with_their_client<S: Hooked>([one, two]: Two<S>) {
    let made = registered(&*one, issuer(IDP, "idp")).await;
    for client in ["a", "b"] {
        with_client(&*one, client).await;
        trusted(&*one, trust(&format!("of-{client}"), IDP, client)).await;
    }
    assert_eq!(names(&*one, &made).await, ["of-a", "of-b"]);
    let before = records(&*two).await.len();
    let deleted = one.clients().delete(&id("a"), &by()).await;
    deleted.expect("deleted");
    assert_eq!(names(&*one, &made).await, ["of-b"]);
    let records = records(&*two).await;
    let ended = [
        ("trust", "of-a", Action::Delete),
        ("client", "a", Action::Delete),
    ];
    assert_eq!(told(&records[before..]), ended);
    with_client(&*two, "a").await;
    let found = one.trust_registry().get(&name("of-a")).await;
    assert!(found.expect("the store answers").is_none());
    within_a_second("ended", async || names(&*two, &made).await == ["of-b"]).await;
    assert_eq!(names(&*one, &made).await, ["of-b"]);
}

/// T090, law 4: in force here when it is answered, at every other node within a second.
pub async fn t090_a_change_of_an_issuer_or_a_trust_is_in_force<S: Hooked>([here, there]: Two<S>) {
    with_client(&*here, "a").await;
    assert!(issuers(&*here).await.get(IDP).is_none());
    assert!(issuers(&*there).await.get(IDP).is_none());
    let made = registered(&*here, issuer(IDP, "idp")).await;
    assert!(issuers(&*here).await.get(IDP).is_some());
    within_a_second("registered", async || {
        issuers(&*there).await.get(IDP).is_some()
    })
    .await;
    assert!(names(&*here, &made).await.is_empty());
    assert!(names(&*there, &made).await.is_empty());

    let given = trusted(&*here, trust("t", IDP, "a")).await;
    assert_eq!(names(&*here, &made).await, ["t"]);
    within_a_second("trusted", async || names(&*there, &made).await == ["t"]).await;
    let mut off = (*given).clone();
    off.mode = Mode::Off;
    let off = here.trust_registry().replace(off, &by()).await;
    off.expect("replaced");
    let mode = async |node: &S| {
        let trusts = trusts(node, &made).await;
        trusts.named(&given.name).map(|trust| trust.mode)
    };
    assert_eq!(mode(&here).await, Some(Mode::Off));
    within_a_second("off", async || mode(&there).await == Some(Mode::Off)).await;
    let deleted = here.trust_registry().delete(&given.name, &by()).await;
    deleted.expect("deleted");
    assert_eq!(mode(&here).await, None);
    within_a_second("withdrawn", async || mode(&there).await.is_none()).await;

    let mut disabled = (*made).clone();
    disabled.enabled = false;
    let disabled = here.issuer_registry().replace(disabled, &by()).await;
    let disabled = disabled.expect("replaced");
    let is_enabled = async |node: &S| issuers(node).await.get(IDP).map(|found| found.enabled);
    assert_eq!(is_enabled(&here).await, Some(false));
    within_a_second("disabled", async || is_enabled(&there).await == Some(false)).await;
    assert_eq!(
        disabled.revision.number, made.revision.number,
        "it is the same issuer"
    );
    let deleted = here.issuer_registry().delete(&made.id, &by()).await;
    deleted.expect("deleted");
    assert_eq!(is_enabled(&here).await, None);
    within_a_second("deleted", async || is_enabled(&there).await.is_none()).await;
}

/// It is gone from where it was.
pub async fn a_trust_that_is_given_to_another_issuer_is_its<S: Hooked>([here, there]: Two<S>) {
    with_client(&*here, "a").await;
    let idp = registered(&*here, issuer(IDP, "idp")).await;
    let cluster = registered(&*here, issuer(CLUSTER, "cluster")).await;
    let made = trusted(&*here, trust("t", IDP, "a")).await;
    let both = async |node: &S| (names(node, &idp).await, names(node, &cluster).await);
    let only = |name: &str| vec![name.to_owned()];
    assert_eq!(both(&here).await, (only("t"), vec![]));
    within_a_second("there", async || both(&there).await == (only("t"), vec![])).await;
    let moved = trust("t", CLUSTER, "a").with_revision(made.revision);
    let moved = here.trust_registry().replace(moved, &by()).await;
    moved.expect("replaced");
    assert_eq!(both(&here).await, (vec![], only("t")));
    within_a_second("moved", async || both(&there).await == (vec![], only("t"))).await;
}

/// Nor does a request find any of it.
pub async fn of_issuers_and_trusts_nothing_is_changed_unless_everything_is<S: Hooked>(
    [one, two]: Two<S>,
) {
    let register = || -> Vec<AnyChange> {
        vec![
            Change::Create(public_client("a")).into(),
            Change::Create(issuer(IDP, "idp")).into(),
            Change::Create(trust("t", IDP, "a")).into(),
        ]
    };
    let mut refused = register();
    refused.push(Change::Create(trust("u", CLUSTER, "a")).into());
    let refused = one.apply_all(refused, &by()).await;
    assert!(lacks(&refused, "issuer"), "{refused:?}");
    assert!(issuers(&*one).await.iter().next().is_none());
    assert_eq!(records(&*two).await, []);
    let made = one.apply_all(register(), &by()).await;
    let made = made.expect("each may be made");
    let (client, issuer, trust) = (("client", "a"), ("issuer", IDP), ("trust", "t"));
    let created = [client, issuer, trust].map(|(kind, name)| (kind, name, Action::Create));
    assert_eq!(told(&made), created);
    assert_eq!(made, records(&*two).await);

    let idp = issuers(&*one).await.get(IDP).cloned().expect("the issuer");
    let given = two.trust_registry().get(&name("t")).await;
    let given = given.expect("the store answers").expect("the trust");
    let mut stale = (*given).clone();
    stale.mode = Mode::Off;
    let replaced = two.trust_registry().replace(stale.clone(), &by()).await;
    let current = replaced.expect("it is as it was read");
    assert!(is_conflict(
        one.trust_registry().replace(stale, &by()).await
    ));
    for gone in [
        Change::<TrustedIssuer>::Delete(iss(IDP), None).into(),
        Change::<Client>::Delete(id("a"), None).into(),
    ] {
        let what = format!("{gone:?}");
        let changes = vec![gone, Change::<Trust>::Delete(name("t"), None).into()];
        let refused = one.apply_all(changes, &by()).await;
        assert!(
            lacks(&refused, "trust"),
            "it went along: {what}: {refused:?}"
        );
        let found = trusts(&*one, &idp).await;
        let found = found.named(&current.name).map(|found| found.revision);
        assert_eq!(found, Some(current.revision), "{what}");
        let found = issuers(&*one).await.get(IDP).map(|found| found.revision);
        assert_eq!(found, Some(idp.revision), "{what}");
    }
}

/// In order of `iss` and of names, octet by octet, page by page.
pub async fn issuers_and_trusts_are_listed_in_order<S: Hooked>([one, two]: Two<S>) {
    with_client(&*one, "a").await;
    for text in ["b", "a-1", "C"] {
        // The order of names is another one than that of iss.
        let called = format!("{}", 9 - text.len());
        registered(
            &*one,
            issuer(&format!("{text}/"), &format!("{called}{text}")),
        )
        .await;
        trusted(&*one, trust(text, &format!("{text}/"), "a")).await;
    }
    let issuers = two.issuer_registry().all().await.expect("a list");
    let issuers: Vec<_> = issuers.iter().map(|issuer| issuer.id.as_str()).collect();
    assert_eq!(issuers, ["C/", "a-1/", "b/"]);
    let page = two
        .issuer_registry()
        .page(&Default::default(), None, 1)
        .await
        .expect("a page");
    let next = Cursor::from_text(page.next.expect("another page").to_string());
    let rest = one
        .issuer_registry()
        .page(&Default::default(), Some(&next), 9)
        .await;
    assert_eq!(rest.expect("a page").items[0].id, iss("a-1/"));
    let trusts = two.trust_registry().all().await.expect("a list");
    let trusts: Vec<_> = trusts.iter().map(|trust| trust.name.as_str()).collect();
    assert_eq!(trusts, ["C", "a-1", "b"]);
    let page = two
        .trust_registry()
        .page(&Default::default(), None, 2)
        .await
        .expect("a page");
    let next = Cursor::from_text(page.next.expect("another page").to_string());
    let rest = one
        .trust_registry()
        .page(&Default::default(), Some(&next), 9)
        .await;
    let rest = rest.expect("a page");
    assert_eq!((rest.items.len(), &rest.items[0].name), (1, &name("b")));
    assert!(rest.next.is_none());
    let none = Cursor::from_text("");
    for page in [
        two.issuer_registry()
            .page(&Default::default(), Some(&none), 1)
            .await
            .map(drop),
        two.trust_registry()
            .page(&Default::default(), Some(&none), 1)
            .await
            .map(drop),
    ] {
        assert!(matches!(page, Err(StoreError::Cursor)));
    }
}

/// Law 14: an uploaded key is told by its name and fingerprint.
pub async fn no_uploaded_key_is_in_a_record<S: Hooked>([store, _]: Two<S>) {
    let (key, x) = uploaded();
    let fingerprint = key.key.fingerprint();
    let mut made = issuer(IDP, "idp");
    made.keys = KeyOrigin::Uploaded { keys: vec![key] };
    let made = registered(&*store, made).await;
    let replaced = store
        .issuer_registry()
        .replace((*made).clone(), &by())
        .await;
    replaced.expect("replaced");
    let deleted = store.issuer_registry().delete(&made.id, &by()).await;
    deleted.expect("deleted");
    let records = records(&*store).await;
    let text = serde_json::to_string(&records).expect("JSON");
    assert!(!text.contains(x.as_str().expect("a coordinate")), "{text}");
    let states = records
        .iter()
        .flat_map(|record| [&record.before, &record.after]);
    let states: Vec<_> = states.flatten().collect();
    assert_eq!(states.len(), 4);
    for state in states {
        assert_eq!(state["keys"]["from"], "uploaded");
        assert_eq!(state["keys"]["keys"][0]["fingerprint"], *fingerprint);
        assert_eq!(state["keys"]["keys"][0]["added_at"], json!(NOW));
    }
}
