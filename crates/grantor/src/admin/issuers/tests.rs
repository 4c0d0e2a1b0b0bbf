use std::sync::Mutex;

use grantor_jose::{Algorithm, PrivateJwk};
use serde_json::{Value, json};

use super::*;
use crate::{
    admin::trusts::{NewTrust, PinDocument, TrustDocument, Trusts},
    registry::{ChangeRecord, Client, ClientMetadata, PinValue, TemplateRef},
    storage::{ChangeFilter, MemoryStore, Registries as _, Start},
    types::{AuthMethod, ClaimPath},
};

const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);
/// Self-signed, and long expired.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBbTCCAROgAwIBAgIUDCNxfbJ2s8XBCmXySGDlPq9aagswCgYIKoZIzj0EAwIw
DDEKMAgGA1UEAwwBdDAeFw0yNjExMjcwMzE5MzNaFw0yNjExMjgwMzE5MzNaMAwx
CjAIBgNVBAMMAXQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAR0LP+cqRJNcl8t
yAZPv5wL7IH6JlEOkJ3RtyL/2vAxz3nURwB5GgsvrUuxd4iRQX0H3iZWlWTA6H2T
hwcDi94ro1MwUTAdBgNVHQ4EFgQUB7XW7RMn4H3yWaupXox+tmRxWwgwHwYDVR0j
BBgwFoAUB7XW7RMn4H3yWaupXox+tmRxWwgwDwYDVR0TAQH/BAUwAwEB/zAKBggq
hkjOPQQDAgNIADBFAiEA59C7qkYRMYGjg/0WCpaHcRoQRNAP8tBMuiA5gF9qL2EC
IAl/VVF9/QAsn0QgeIaecPk7VxBwpYONjlmQC0HeH92k
-----END CERTIFICATE-----
";
const ISS: &str = "https://idp.acme.example";

fn terms() -> ServerTerms {
    ServerTerms::new("https://as.example".parse().expect("an issuer"))
}

fn by() -> Actor {
    Actor::program("test")
}

fn path(text: &str) -> ClaimPath {
    ClaimPath::parse(text).expect("a claim")
}

/// A document with these members beside the least that is one.
fn document(members: Value) -> Result<IssuerDocument, Error> {
    let mut document = json!({"iss": ISS, "keys": {"discovery": {}}});
    if let (Some(document), Value::Object(members)) = (document.as_object_mut(), members) {
        document.extend(members);
    }
    IssuerDocument::parse(document.to_string().as_bytes())
}

fn valid(members: Value) -> IssuerDocument {
    document(members).expect("a document")
}

/// The faults of a registration: of its document, or of what that says.
fn faults(members: &Value) -> Vec<Fault> {
    let (store, terms) = (MemoryStore::new(), terms());
    let checked = document(members.clone())
        .and_then(|document| Issuers::new(TrustStores::of(&store), &terms, NOW).checked(document));
    match checked {
        Ok(_) => Vec::new(),
        Err(Error::Invalid(faults)) => faults,
        Err(error) => unreachable!("{error}"),
    }
}

fn pointers(members: &Value) -> Vec<String> {
    let mut pointers: Vec<_> = faults(members).into_iter().map(|one| one.pointer).collect();
    pointers.sort();
    pointers
}

/// A JWK Set as `kubectl get --raw /openid/v1/jwks` prints it, with this key.
fn jwks(key: &PrivateJwk) -> Value {
    let mut jwk = Value::Object(key.public().to_object());
    jwk["use"] = json!("sig");
    json!({"keys": [jwk]})
}

fn key(algorithm: Algorithm) -> PrivateJwk {
    PrivateJwk::generate(algorithm).expect("a key")
}

fn kids(document: &IssuerDocument) -> Vec<(String, bool)> {
    let uploaded = document.keys.uploaded.iter();
    uploaded
        .map(|entry| (entry.name.clone(), entry.expires_at.is_some()))
        .collect()
}

#[test]
fn t001_an_issuer_is_any_text_and_is_called_by_its_host() {
    let uploaded = jwks(&key(Algorithm::Es256));
    for (iss, name) in [
        ("https://sts.windows.net/T/", "sts.windows.net"),
        ("kubernetes/serviceaccount", "kubernetes-serviceaccount"),
        ("accounts.acme.example", "accounts.acme.example"),
        ("urn:acme:ci", "urn-acme-ci"),
        ("https://[::1]:8443/x", "1"),
        (&"a".repeat(512), &"a".repeat(64)),
    ] {
        let made = valid(json!({"iss": iss, "keys": {"jwks": uploaded}}));
        assert_eq!((made.iss.as_str(), made.name.as_str()), (iss, name));
        assert_eq!(
            pointers(&json!({"iss": iss, "keys": {"jwks": uploaded}})),
            [""; 0]
        );
    }
    assert_eq!(pointers(&json!({"iss": "a".repeat(513)})), ["/iss"]);
}

#[test]
fn t003_keys_come_from_exactly_one_place() {
    let uploaded = jwks(&key(Algorithm::Es256));
    let places = [
        json!({"discovery": {}}),
        json!({"discovery": {"metadata_url": "https://meta.acme.example/m"}}),
        json!({"jwks_uri": "https://keys.acme.example/jwks"}),
        json!({"jwks": uploaded}),
        json!({"pem": CERTIFICATE}),
    ];
    for place in &places {
        assert_eq!(pointers(&json!({"keys": place})), [""; 0], "{place}");
    }
    let bundle = json!({"spiffe_bundle": "https://spire.acme.example/bundle"});
    let spiffe = json!({"iss": "spiffe://acme.example", "name": "spire", "keys": bundle});
    assert_eq!(pointers(&spiffe), [""; 0]);
    let two = json!({"keys": {"discovery": {}, "jwks_uri": "https://keys.acme.example/jwks"}});
    assert_eq!(pointers(&two), ["/keys"]);
    assert!(
        faults(&two)[0]
            .detail
            .starts_with("discovery and jwks_uri are named")
    );
    assert_eq!(pointers(&json!({"keys": {}})), ["/keys"]);
    assert_eq!(pointers(&json!({"keys": {"x": 1}})), ["/keys"]);
}

/// All at once, each by its member, with what would be accepted.
#[test]
fn what_is_wrong_with_an_issuer_is_told_at_once() {
    let wrong = json!({
        "audiences": ["", "https://*.example", "a", "a"],
        "algorithms": ["RS256", "HS256"],
        "types": ["wit+jwt", "at+jwt", "application/WIT+JWT"],
        "max_lifetime": 90_001,
        "leeway": 301,
        "ca": "no certificate",
        "bearer_token_file": "token",
        "trust_domain": "acme.example",
    });
    let expected = [
        "/algorithms/1",
        "/audiences/0",
        "/audiences/1",
        "/audiences/3",
        "/bearer_token_file",
        "/ca",
        "/leeway",
        "/max_lifetime",
        "/trust_domain",
        "/types/0",
        "/types/2",
    ];
    assert_eq!(pointers(&wrong), expected);
    for fault in faults(&wrong) {
        let says_what = ["expected", "leave", "name ", "some of"];
        let says_what = says_what.iter().any(|word| fault.detail.contains(word));
        assert!(says_what, "{fault}");
    }
}

#[test]
fn each_limit_of_an_issuer_has_a_value_that_keeps_it() {
    for (right, wrong, pointer) in [
        (
            json!({"max_lifetime": 90_000}),
            json!({"max_lifetime": 90_001}),
            "/max_lifetime",
        ),
        (
            json!({"max_lifetime": 1}),
            json!({"max_lifetime": 0}),
            "/max_lifetime",
        ),
        (json!({"leeway": 300}), json!({"leeway": 301}), "/leeway"),
        (
            json!({"algorithms": ["ES384"]}),
            json!({"algorithms": ["HS384"]}),
            "/algorithms/0",
        ),
        (
            json!({"algorithms": ["RS256"]}),
            json!({"algorithms": []}),
            "/algorithms",
        ),
        (
            json!({"algorithms": ["PS256"]}),
            json!({"algorithms": ["none"]}),
            "/algorithms",
        ),
        (
            json!({"types": ["at+jwt"]}),
            json!({"types": ["wit+jwt"]}),
            "/types/0",
        ),
        (
            json!({"types": ["x"]}),
            json!({"types": ["dpop+jwt"]}),
            "/types/0",
        ),
        (
            json!({"audiences": ["api://x"]}),
            json!({"audiences": [" api://x"]}),
            "/audiences/0",
        ),
        (
            json!({"audience_match": "any"}),
            json!({"audience_match": "none"}),
            "/audience_match",
        ),
        (
            json!({"replay": "once-by-digest"}),
            json!({"replay": "twice"}),
            "/replay",
        ),
        (json!({"ca": CERTIFICATE}), json!({"ca": "x"}), "/ca"),
        (
            json!({"bearer_token_file": "/run/token"}),
            json!({"bearer_token_file": "token"}),
            "/bearer_token_file",
        ),
        (
            json!({"keys": {"jwks_uri": "https://keys.acme.example/"}}),
            json!({"keys": {"jwks_uri": "http://keys.acme.example/"}}),
            "/keys/jwks_uri",
        ),
        (
            json!({"keys": {"jwks_uri": "https://keys.acme.example/"}}),
            json!({"keys": {"jwks_uri": "https://jo@keys.acme.example/"}}),
            "/keys/jwks_uri",
        ),
        (
            json!({"iss": "http://127.0.0.1:8080", "allow_internal": ["127.0.0.1/32"]}),
            json!({"iss": "http://127.0.0.1:8080"}),
            "/iss",
        ),
        (
            json!({"iss": "http://localhost:8080", "allow_internal": ["127.0.0.0/8"]}),
            json!({"iss": "http://10.0.0.1", "allow_internal": ["10.0.0.0/8"]}),
            "/iss",
        ),
        (
            json!({"iss": "http://[::1]:8080", "name": "a", "allow_internal": ["::1/128"]}),
            json!({"iss": "http://[::1]:8080", "name": "a", "allow_internal": ["127.0.0.0/8"]}),
            "/iss",
        ),
        (
            json!({"iss": "x", "keys": {"discovery": {"metadata_url": "https://acme.example"}}}),
            json!({"iss": "x", "keys": {"discovery": {}}}),
            "/iss",
        ),
        (
            json!({"iss": "https://as.example/"}),
            json!({"iss": "https://as.example"}),
            "/iss",
        ),
        (
            json!({"iss": "https://as.example/tokens"}),
            json!({"iss": "https://as.example/token"}),
            "/iss",
        ),
        (
            json!({"tenant_claims": ["tid"]}),
            json!({"tenant_claims": [""]}),
            "/tenant_claims",
        ),
    ] {
        assert_eq!(pointers(&right), [""; 0], "{right}");
        assert_eq!(pointers(&wrong), [pointer], "{wrong}");
    }
}

#[test]
fn the_spiffe_trust_domain_is_that_of_the_issuer() {
    let bundle = json!({"spiffe_bundle": "https://spire.acme.example/bundle"});
    let with = |iss: &str, domain: Option<&str>| {
        let mut members = json!({"iss": iss, "name": "spire", "keys": bundle});
        if let Some(domain) = domain {
            members["trust_domain"] = json!(domain);
        }
        pointers(&members)
    };
    assert_eq!(with("spiffe://acme.example", None), [""; 0]);
    assert_eq!(with("spiffe://acme.example", Some("acme.example")), [""; 0]);
    assert_eq!(
        with("https://spire.acme.example", Some("acme.example")),
        [""; 0]
    );
    for (iss, domain) in [
        ("spiffe://acme.example", Some("other.example")),
        ("https://spire.acme.example", None),
        ("https://spire.acme.example", Some("Acme.example")),
        ("https://spire.acme.example", Some("acme.example:8443")),
        ("https://spire.acme.example", Some("acme.example/ns")),
    ] {
        assert_eq!(with(iss, domain), ["/trust_domain"], "{iss} {domain:?}");
    }
}

#[test]
fn t042_an_issuer_that_is_known_to_be_shared_is_registered_so() {
    let (store, terms) = (MemoryStore::new(), terms());
    let issuers = Issuers::new(TrustStores::of(&store), &terms, NOW);
    let github = json!({"iss": "https://token.actions.githubusercontent.com"});
    let made = issuers.checked(valid(github.clone())).expect("an issuer");
    assert_eq!(made.tenant_claims, [path("repository_owner_id")]);
    let mut wrong = github;
    wrong["tenant_claims"] = json!(["repository"]);
    assert_eq!(pointers(&wrong), ["/tenant_claims"]);
    wrong["tenant_claims"] = json!(["repository_owner_id"]);
    assert_eq!(pointers(&wrong), [""; 0]);
    for iss in [
        "https://login.microsoftonline.com/common/v2.0",
        "https://login.microsoftonline.com/organizations/v2.0",
        "https://login.microsoftonline.com/consumers/v2.0",
    ] {
        assert_eq!(pointers(&json!({"iss": iss})), ["/iss"], "{iss}");
    }
    let own = json!({"iss": "https://login.microsoftonline.com/T/v2.0"});
    assert_eq!(pointers(&own), [""; 0]);
}

#[test]
fn audiences_that_everybody_has_are_refused_where_they_are_known() {
    let eks = "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC";
    for (iss, audience, is_fine) in [
        (eks, "https://as.example", true),
        (eks, "https://kubernetes.default.svc", false),
        (
            "https://kubernetes.default.svc.cluster.local",
            "https://kubernetes.default.svc.cluster.local",
            false,
        ),
        (
            "https://accounts.google.com",
            "32555940559.apps.googleusercontent.com",
            false,
        ),
        (
            "https://accounts.google.com",
            "my.apps.googleusercontent.com",
            true,
        ),
        (
            "https://sts.windows.net/T/",
            "https://graph.microsoft.com/",
            false,
        ),
        ("https://sts.windows.net/T/", "api://grantor", true),
    ] {
        let found = pointers(&json!({"iss": iss, "audiences": [audience]}));
        assert_eq!(found.is_empty(), is_fine, "{iss} {audience} {found:?}");
    }
}

#[test]
fn t013_audiences_that_are_not_this_servers_own_are_shown_as_shared() {
    let (store, terms) = (MemoryStore::new(), terms());
    let issuers = Issuers::new(TrustStores::of(&store), &terms, NOW);
    let audiences = ["https://as.example", "https://as.example/token", "api://x"];
    let issuer = issuers.checked(valid(json!({"audiences": audiences})));
    let shown = IssuerDocument::of(&issuer.expect("an issuer"), &terms, NOW);
    assert_eq!(shown.shared_audiences, ["api://x"]);
}

#[test]
fn t006_uploaded_keys_are_public_and_for_an_algorithm_of_the_issuer() {
    let es256 = key(Algorithm::Es256);
    let private: Value = serde_json::from_str(es256.expose_json()).expect("JSON");
    let symmetric = json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"});
    let public = jwks(&es256)["keys"][0].clone();
    let set = |keys: &[&Value]| json!({"keys": {"jwks": {"keys": keys}}});
    assert_eq!(pointers(&set(&[&public])), [""; 0]);
    // RFC 7517 §5: a set that has a secret in it is refused as a whole.
    for secret in [&private, &symmetric] {
        assert_eq!(pointers(&set(&[&public, secret])), ["/keys/jwks/keys/1"]);
    }
    assert_eq!(pointers(&set(&[])), ["/keys/jwks"]);
    assert_eq!(pointers(&json!({"keys": {"pem": "x"}})), ["/keys/pem"]);
    let pem = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";
    assert_eq!(pointers(&json!({"keys": {"pem": pem}})), ["/keys/pem"]);
    let es384 = json!({"jwks": jwks(&key(Algorithm::Es384))});
    let mut wrong = json!({"keys": es384});
    assert_eq!(pointers(&wrong), ["/algorithms"]);
    wrong["algorithms"] = json!(["ES256", "ES384"]);
    assert_eq!(pointers(&wrong), [""; 0]);
    // What is fetched with is not needed for what is uploaded.
    let mut wrong = set(&[&public]);
    wrong["bearer_token_file"] = json!("/run/token");
    assert_eq!(pointers(&wrong), ["/bearer_token_file"]);
}

#[test]
fn t008_of_an_uploaded_bundle_only_the_keys_for_jwt_svids_are_taken() {
    let svid = |algorithm, usage: &str, kid: bool| {
        let mut jwk = Value::Object(key(algorithm).public().to_object());
        jwk["use"] = json!(usage);
        if !kid && let Some(jwk) = jwk.as_object_mut() {
            jwk.remove("kid");
        }
        jwk
    };
    let wanted = svid(Algorithm::Es256, "jwt-svid", true);
    let keys = [
        svid(Algorithm::Es256, "x509-svid", true),
        wanted.clone(),
        svid(Algorithm::Es256, "jwt-svid", false),
        svid(Algorithm::Es256, "wit-svid", true),
    ];
    let (store, terms) = (MemoryStore::new(), terms());
    let issuers = Issuers::new(TrustStores::of(&store), &terms, NOW);
    let bundle = |keys: &[Value]| {
        let bundle = json!({"spiffe_sequence": 1, "spiffe_refresh_hint": 300, "keys": keys});
        valid(json!({"iss": "spiffe://acme.example", "keys": {"spiffe_bundle": bundle}}))
    };
    let issuer = issuers.checked(bundle(&keys)).expect("an issuer");
    let uploaded = issuer.keys.uploaded().expect("uploaded");
    let names: Vec<_> = uploaded
        .iter()
        .map(|key| key.key.name().into_owned())
        .collect();
    assert_eq!(names, [wanted["kid"].as_str().expect("a kid")]);
    assert_eq!(issuer.trust_domain.as_deref(), Some("acme.example"));
    // What is shown is read again as the same.
    let shown = IssuerDocument::of(&issuer, &terms, NOW);
    let text = serde_json::to_vec(&shown).expect("JSON");
    let again = issuers.checked(IssuerDocument::parse(&text).expect("a document"));
    let again = again.expect("an issuer");
    assert_eq!(again.keys.uploaded().map(<[_]>::len), Some(1));
    // T009: none is all revoked.
    let empty = issuers.checked(bundle(&[])).expect("an issuer");
    assert_eq!(empty.keys.uploaded().map(<[_]>::len), Some(0));
}

/// Says whether keys can be had, and keeps which issuers it was asked about.
#[derive(Default)]
struct Answers {
    problems: Vec<String>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl KeyCheck for Answers {
    async fn check(&self, issuer: &TrustedIssuer) -> Result<(), NoKeys> {
        self.asked
            .lock()
            .expect("a lock")
            .push(issuer.id.to_string());
        match self.problems.is_empty() {
            true => Ok(()),
            false => Err(NoKeys::Failed(self.problems.clone())),
        }
    }
}

#[tokio::test]
async fn t020_an_issuer_whose_keys_cannot_be_had_is_not_registered() {
    let (store, terms) = (MemoryStore::new(), terms());
    let issuers = Issuers::new(TrustStores::of(&store), &terms, NOW);
    let fails = Answers {
        problems: vec!["idp.acme.example is not found".to_owned()],
        ..Answers::default()
    };
    let error = issuers.create(valid(json!({})), Some(&fails), &by()).await;
    let error = error.expect_err("no keys");
    assert!(matches!(error, Error::Conflict(Conflict::NoKeys(..))));
    assert!(
        error.to_string().contains("idp.acme.example is not found"),
        "{error}"
    );
    assert!(
        store
            .issuer_registry()
            .all()
            .await
            .expect("a list")
            .is_empty()
    );
    // A wrong document is refused before anything is fetched.
    let wrong = valid(json!({"algorithms": ["HS256"]}));
    let wrong = issuers.create(wrong, Some(&fails), &by()).await;
    assert!(matches!(wrong, Err(Error::Invalid(_))));
    assert_eq!(*fails.asked.lock().expect("a lock"), [ISS]);
    let finds = Answers::default();
    let made = issuers.create(valid(json!({})), Some(&finds), &by()).await;
    assert_eq!(made.expect("made").created_at, Some(NOW));
    assert_eq!(*finds.asked.lock().expect("a lock"), [ISS]);
    // Uploaded keys are there, and `--no-check` asks nobody.
    let uploaded = valid(json!({
        "iss": "cluster-a",
        "keys": {"jwks": jwks(&key(Algorithm::Es256))},
    }));
    issuers
        .create(uploaded, Some(&fails), &by())
        .await
        .expect("made");
    let unchecked = valid(json!({"iss": "https://other.acme.example"}));
    issuers.create(unchecked, None, &by()).await.expect("made");
    assert_eq!(fails.asked.lock().expect("a lock").len(), 1);
}

#[tokio::test]
async fn t017_an_issuer_is_registered_once_by_its_iss_and_once_by_its_name() {
    let (store, terms) = (MemoryStore::new(), terms());
    let issuers = Issuers::new(TrustStores::of(&store), &terms, NOW);
    let create = async |members: Value| issuers.create(valid(members), None, &by()).await;
    create(json!({})).await.expect("made");
    let again = create(json!({"name": "other"}))
        .await
        .expect_err("there already");
    assert_eq!(again.to_string(), format!("issuer {ISS} exists already"));
    let named = create(json!({"iss": "https://b.example", "name": "idp.acme.example"})).await;
    assert!(matches!(named, Err(Error::Exists(Named::IssuerName(_)))));
    let named = create(json!({"iss": "https://b.example", "name": "b"})).await;
    named.expect("made");
    let kubeadm = json!({"iss": "https://kubernetes.default.svc.cluster.local"});
    create(kubeadm.clone()).await.expect("made");
    let again = create(kubeadm)
        .await
        .expect_err("there already")
        .to_string();
    assert!(again.contains("--service-account-issuer"), "{again}");
    let bundle = json!({"spiffe_bundle": "https://spire.acme.example/bundle"});
    create(json!({"iss": "spiffe://acme.example", "keys": bundle}))
        .await
        .expect("made");
    let same = json!({
        "iss": "https://spire.acme.example",
        "trust_domain": "acme.example",
        "keys": bundle,
    });
    let again = create(same).await;
    assert!(matches!(again, Err(Error::Exists(Named::TrustDomain(_)))));
}

#[tokio::test]
async fn t018_no_issuer_is_a_client_and_no_client_an_issuer() {
    let (store, terms) = (MemoryStore::new(), terms());
    let issuers = Issuers::new(TrustStores::of(&store), &terms, NOW);
    let client = |id: &str| {
        let id = ClientId::parse(id).expect("an id");
        let metadata = ClientMetadata::new(id, AuthMethod::NONE, NOW);
        Client::new(metadata, Vec::new(), Vec::new()).expect("a client")
    };
    let clients = store.clients();
    clients
        .create(client(ISS), &by())
        .await
        .expect("registered");
    let taken = issuers.create(valid(json!({})), None, &by()).await;
    assert!(matches!(taken, Err(Error::Exists(Named::Client(_)))));
    let free = valid(json!({"iss": "https://idp.acme.example/"}));
    issuers.create(free, None, &by()).await.expect("made");
    let taken = clients
        .create(client("https://idp.acme.example/"), &by())
        .await;
    assert!(
        matches!(taken, Err(StoreError::Exists("client or issuer"))),
        "{taken:?}"
    );
}

#[tokio::test]
async fn t006_keys_are_added_with_an_overlap_and_replaced() {
    let (store, terms) = (MemoryStore::new(), terms());
    let at = |hours: u32| Issuers::new(TrustStores::of(&store), &terms, NOW.plus(HOUR * hours));
    let [one, two, three] = [(); 3].map(|()| key(Algorithm::Es256));
    let kid = |key: &PrivateJwk| key.key_id().to_owned();
    let keys = |key: &PrivateJwk, overlap| {
        let keys = json!({"iss": "x", "keys": {"jwks": jwks(key)}});
        let mut new = NewIssuerKeys::new(valid(keys).keys);
        new.overlap = overlap;
        new
    };
    let cluster = valid(json!({"iss": "cluster-a", "keys": {"jwks": jwks(&one)}}));
    at(0).create(cluster, None, &by()).await.expect("made");
    let added = at(1)
        .add_keys("cluster-a", &keys(&two, Some(HOUR)), &by())
        .await;
    let added = added.expect("added");
    assert_eq!(
        kids(&added.document),
        [(kid(&one), true), (kid(&two), false)]
    );
    let ages: Vec<_> = added
        .document
        .keys
        .uploaded
        .iter()
        .map(|one| one.added_at)
        .collect();
    assert_eq!(ages, [Some(NOW), Some(NOW.plus(HOUR))]);
    assert!(added.differences.iter().any(|one| one.member == "keys"));
    // What is uploaded again works again, and is as old as it was.
    let again = at(1).add_keys("cluster-a", &keys(&one, None), &by()).await;
    let again = again.expect("added");
    assert_eq!(
        kids(&again.document),
        [(kid(&two), false), (kid(&one), false)]
    );
    assert_eq!(again.document.keys.uploaded[1].added_at, Some(NOW));
    let replaced = at(2)
        .add_keys("cluster-a", &keys(&three, Some(Duration::ZERO)), &by())
        .await;
    assert_eq!(
        kids(&replaced.expect("replaced").document),
        [(kid(&three), false)]
    );
    let url = NewIssuerKeys::new(KeysDocument::discovery(None));
    let url = at(2).add_keys("cluster-a", &url, &by()).await;
    assert!(matches!(url, Err(Error::Invalid(_))));
    at(2)
        .create(valid(json!({})), None, &by())
        .await
        .expect("made");
    let fetched = at(2).add_keys(ISS, &keys(&one, None), &by()).await;
    assert!(matches!(fetched, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn t035_an_update_answers_what_differs_and_is_recorded() {
    let (store, terms) = (MemoryStore::new(), terms());
    let issuers = Issuers::new(TrustStores::of(&store), &terms, NOW);
    issuers
        .create(valid(json!({})), None, &by())
        .await
        .expect("made");
    let patch = Patch::default().with("leeway", 60).with("replay", "once");
    let updated = issuers
        .update("idp.acme.example", &patch, None, &by())
        .await;
    let updated = updated.expect("updated");
    let differences: Vec<_> = updated
        .differences
        .iter()
        .map(|one| (&*one.member, &one.before, &one.after))
        .collect();
    assert_eq!(differences, [("leeway", &json!(30), &json!(60))]);
    // The other place of the keys replaces the one before, and is asked first.
    let fails = Answers {
        problems: vec!["nothing there".to_owned()],
        ..Answers::default()
    };
    let place = json!({"jwks_uri": "https://keys.acme.example/jwks"});
    let patch = Patch::default().with("keys", place.clone());
    let unreachable = issuers.update(ISS, &patch, Some(&fails), &by()).await;
    assert!(matches!(
        unreachable,
        Err(Error::Conflict(Conflict::NoKeys(..)))
    ));
    let updated = issuers
        .update(ISS, &patch, None, &by())
        .await
        .expect("updated");
    assert_eq!(
        serde_json::to_value(&updated.document.keys).expect("JSON"),
        place
    );
    for (member, value) in [
        ("iss", json!("https://other.example")),
        ("created_at", json!("2020-01-01T00:00:00Z")),
        ("tokens_since", json!("2020-01-01T00:00:00Z")),
        ("template", json!({"name": "gitlab", "version": 1})),
        ("leeway", json!(301)),
        ("colour", json!("red")),
    ] {
        let wrong = Patch::default().with(member, value);
        let wrong = issuers.update(ISS, &wrong, None, &by()).await;
        let Err(Error::Invalid(faults)) = wrong else {
            unreachable!("{member} is not changed")
        };
        assert_eq!(faults[0].pointer, format!("/{member}"));
    }
    let changes = store.changes();
    let page = changes
        .page(&ChangeFilter::default(), Start::Oldest, 100)
        .await;
    let records = page.expect("a page").entries;
    let records: Vec<_> = records
        .iter()
        .map(|entry| {
            ChangeRecord::read(&entry.document)
                .expect("a record")
                .resource
        })
        .collect();
    assert_eq!(records, ["issuer"; 3]);
}

#[tokio::test]
async fn t091_tokens_that_were_revoked_stay_so() {
    let (store, terms) = (MemoryStore::new(), terms());
    let issuers = Issuers::new(TrustStores::of(&store), &terms, NOW);
    issuers
        .create(valid(json!({})), None, &by())
        .await
        .expect("made");
    let disabled = issuers
        .disable(ISS, Tokens::Stay, &by())
        .await
        .expect("disabled");
    assert_eq!((disabled.enabled, disabled.tokens_since), (false, None));
    let disabled = issuers
        .disable(ISS, Tokens::Revoke, &by())
        .await
        .expect("disabled");
    assert_eq!(
        (disabled.enabled, disabled.tokens_since),
        (false, Some(NOW))
    );
    let enabled = issuers.enable(ISS, &by()).await.expect("enabled");
    assert_eq!((enabled.enabled, enabled.tokens_since), (true, Some(NOW)));
    let patch = Patch::default().with("leeway", 1);
    let updated = issuers
        .update(ISS, &patch, None, &by())
        .await
        .expect("updated");
    assert_eq!(updated.document.tokens_since, Some(NOW));
    let nobody = issuers.enable("nobody", &by()).await;
    assert!(matches!(nobody, Err(Error::NotFound(Named::Issuer(_)))));
}

/// A trust of this name, by a pin.
async fn trust(store: &MemoryStore, name: &str, issuer: &str, claim: &str) {
    let terms = terms();
    let trusts = Trusts::new(TrustStores::of(store), &terms, NOW);
    let issuer = IssuerId::parse(issuer).expect("an issuer");
    let mut document = TrustDocument::new(Name::parse(name).expect("a name"), issuer);
    document.pins = vec![PinDocument::new(
        path(claim),
        PinValue::Text("1".to_owned()),
    )];
    let made = trusts.create(NewTrust::new(document), None, &by()).await;
    made.expect("a trust");
}

#[tokio::test]
async fn t092_an_issuer_with_trusts_is_deleted_only_with_them() {
    let (store, terms) = (MemoryStore::new(), terms());
    let issuers = Issuers::new(TrustStores::of(&store), &terms, NOW);
    issuers
        .create(valid(json!({})), None, &by())
        .await
        .expect("made");
    trust(&store, "one", ISS, "sub").await;
    trust(&store, "two", ISS, "azp").await;
    let refused = issuers
        .delete(ISS, Cascade::Refuse, &by())
        .await
        .expect_err("trusts");
    assert!(matches!(&refused, Error::Conflict(Conflict::HasTrusts(_, names)) if names.len() == 2));
    assert!(refused.to_string().contains("one, two"), "{refused}");
    let gone = issuers
        .delete("idp.acme.example", Cascade::Trusts, &by())
        .await;
    let gone: Vec<_> = gone
        .expect("deleted")
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(gone, ["one", "two"]);
    assert!(
        store
            .trust_registry()
            .all()
            .await
            .expect("a list")
            .is_empty()
    );
    issuers
        .create(valid(json!({})), None, &by())
        .await
        .expect("made again");
    let trusts = store.trust_registry().all().await.expect("a list");
    assert!(trusts.is_empty(), "{trusts:?}");
    let gone = issuers
        .delete(ISS, Cascade::Refuse, &by())
        .await
        .expect("deleted");
    assert!(gone.is_empty());
    let gone = issuers.delete(ISS, Cascade::Refuse, &by()).await;
    assert!(matches!(gone, Err(Error::NotFound(Named::Issuer(_)))));
}

/// T042: from the issuer's side too.
#[tokio::test]
async fn t042_an_issuer_does_not_become_shared_under_trusts_that_take_strangers() {
    let (store, terms) = (MemoryStore::new(), terms());
    let issuers = Issuers::new(TrustStores::of(&store), &terms, NOW);
    issuers
        .create(valid(json!({})), None, &by())
        .await
        .expect("made");
    trust(&store, "safe", ISS, "tenant").await;
    trust(&store, "unsafe", ISS, "sub").await;
    let shared = Patch::default().with("tenant_claims", json!(["tenant"]));
    let refused = issuers
        .update(ISS, &shared, None, &by())
        .await
        .expect_err("a trust");
    let text = refused.to_string();
    assert!(
        text.contains(": unsafe;") && !text.contains("safe,"),
        "{text}"
    );
    let trusts = Trusts::new(TrustStores::of(&store), &terms, NOW);
    let name = Name::parse("unsafe").expect("a name");
    trusts.set_mode(&name, Mode::Off, &by()).await.expect("off");
    issuers
        .update(ISS, &shared, None, &by())
        .await
        .expect("shared");
    let on = trusts.set_mode(&name, Mode::On, &by()).await;
    assert!(matches!(on, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn a_filter_finds_issuers_by_name_state_and_template() {
    let (store, terms) = (MemoryStore::new(), terms());
    let issuers = Issuers::new(TrustStores::of(&store), &terms, NOW);
    for (iss, members) in [
        ("https://a.example", json!({"name": "one"})),
        (
            "https://b.example",
            json!({"name": "two", "enabled": false}),
        ),
    ] {
        let mut members = members;
        members["iss"] = json!(iss);
        issuers
            .create(valid(members), None, &by())
            .await
            .expect("made");
    }
    let mut made = valid(json!({"iss": "https://c.example"}));
    made.template = Some(TemplateRef::new("oidc", 1));
    issuers.create(made, None, &by()).await.expect("made");
    for (filter, expected) in [
        (json!({}), &["one", "two", "c.example"][..]),
        (json!({"q": "b.exa"}), &["two"]),
        (json!({"q": "one"}), &["one"]),
        (json!({"enabled": false}), &["two"]),
        (json!({"template": "oidc"}), &["c.example"]),
    ] {
        let filter: IssuerFilter = serde_json::from_value(filter).expect("a filter");
        let page = issuers.page(&filter, None, 10).await.expect("a page");
        let names: Vec<_> = page.items.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, expected);
    }
}

#[tokio::test]
async fn a_document_that_is_shown_is_read_again() {
    let (store, terms) = (MemoryStore::new(), terms());
    let issuers = Issuers::new(TrustStores::of(&store), &terms, NOW);
    let all = json!({
        "name": "all",
        "keys": {"discovery": {"metadata_url": "https://meta.acme.example/m"}},
        "audiences": ["api://x"],
        "audience_match": "any",
        "algorithms": ["ES384", "PS256"],
        "types": ["at+jwt"],
        "max_lifetime": 600,
        "leeway": 1,
        "replay": "reusable",
        "tenant_claims": ["tid"],
        "ca": CERTIFICATE,
        "bearer_token_file": "/run/token",
        "allow_internal": ["10.0.0.0/8"],
    });
    let made = issuers
        .create(valid(all.clone()), None, &by())
        .await
        .expect("made");
    let text = serde_json::to_value(&made).expect("JSON");
    for (member, value) in all.as_object().expect("an object") {
        assert_eq!(text[member], *value, "{member}");
    }
    let read = IssuerDocument::parse(text.to_string().as_bytes()).expect("a document");
    assert_eq!(serde_json::to_value(&read).expect("JSON"), text);
}
