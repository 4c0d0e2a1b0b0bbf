//! `consent_required`: a client whose people can be asked is told where, whatever is missing and
//! whoever it is about; and nobody is told before every rule has passed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use grantor::{
    registry::{Actor, ConsentPolicy, Permission, PermissionId, Subject},
    server::{
        Answer as Page, Attempt, Context, Decision, Endpoint, Metadata, Path, Refusal, Request,
        Route, Throttle,
    },
    storage::{Registries, StoreError},
    types::{ClientId, GrantType, Scope, SubjectId},
};
use grantor_testkit::{Answer, Form, ISSUER, Jwt, Party, Use, World, at, keys, without_grant};
use http::StatusCode;

use crate::introspection::{inactive, introspect};

const PUBLIC: &str = "the subject has not allowed this yet, and can do so at consent_uri";

/// Where people would be asked.
struct ConsentPage;

#[async_trait]
impl Endpoint for ConsentPage {
    fn route(&self) -> Route {
        Route::get("consent", Path::Suffix("consent"))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(&self, _: &Context, _: &Request, _: &mut Decision) -> Result<Page, Refusal> {
        Ok(Page::empty())
    }
}

/// Counts failures.
#[derive(Clone, Default)]
struct Failures(Arc<AtomicUsize>);

impl Throttle for Failures {
    fn wait(&self, _: &Attempt<'_>) -> Option<Duration> {
        None
    }

    fn failed(&self, _: &Attempt<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn succeeded(&self, _: &Attempt<'_>) {}
}

fn world() -> World {
    World::with(|builder| builder.endpoint(ConsentPage))
}

async fn party(world: &World, consent: ConsentPolicy) -> Party {
    let change = |metadata: &mut grantor::registry::ClientMetadata| metadata.consent = consent;
    let key = keys::P256.clone();
    world.party_with(Use::Grant, key, change).await
}

fn by() -> Actor {
    Actor::program("test")
}

fn id(party: &Party) -> ClientId {
    ClientId::parse(&party.id).expect("an id")
}

fn subject(name: &str) -> SubjectId {
    SubjectId::parse(name).expect("a subject")
}

async fn register(world: &World, subject: Subject) {
    let registered = world.store.subjects().create(subject, &by()).await;
    registered.expect("a new name");
}

fn consent(party: &Party, name: &str, scope: &str, grant: GrantType) -> Permission {
    let scope = Scope::parse(scope).expect("a scope");
    Permission::consented(id(party), subject(name), scope, vec![grant])
}

async fn give(world: &World, permission: Permission) {
    let given = world.store.permissions().create(permission, &by()).await;
    given.expect("a new permission");
}

async fn withdraw(world: &World, party: &Party, name: &str) {
    let id = PermissionId::by_person(id(party), subject(name));
    let withdrawn = world.store.permissions().delete(&id, &by()).await;
    withdrawn.expect("a permission");
}

fn form(party: &Party, name: &str) -> Form {
    party.form(&party.jwt().text("sub", name).sign(&party.key))
}

async fn ask(world: &World, party: &Party, name: &str, scope: Option<&str>) -> Answer {
    let form = form(party, name);
    let form = match scope {
        Some(scope) => form.with("scope", scope),
        None => form,
    };
    world.send(&form).await
}

/// The names and values of the consent link.
fn link(answer: &Answer) -> Vec<(String, String)> {
    let text = answer.consent_uri().expect("a link");
    let (page, query) = text.split_once('?').expect("a query");
    assert_eq!(page, format!("{ISSUER}/consent"));
    let link = url::form_urlencoded::parse(query.as_bytes());
    link.into_owned().collect()
}

fn pairs(party: &Party, name: &str, scope: Option<&str>) -> Vec<(String, String)> {
    let pairs = [
        ("client_id", Some(&*party.id)),
        ("scope", scope),
        ("login_hint", Some(name)),
    ];
    let given = pairs
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    given.collect()
}

/// Everybody who may not be acted for, each for another reason: the rule, and the private cause.
async fn everybody(
    world: &World,
    party: &Party,
) -> Vec<(&'static str, &'static str, &'static str)> {
    let bearer = GrantType::JWT_BEARER;
    for name in ["never", "withdrawn", "ended", "narrower", "grant"] {
        register(world, Subject::new(subject(name))).await;
    }
    register(world, Subject::new(subject("disabled")).disabled()).await;
    give(
        world,
        consent(party, "disabled", "read write", bearer.clone()),
    )
    .await;
    give(
        world,
        consent(party, "withdrawn", "read write", bearer.clone()),
    )
    .await;
    withdraw(world, party, "withdrawn").await;
    let ended = consent(party, "ended", "read write", bearer.clone()).until(Some(at(0.0)));
    give(world, ended).await;
    give(world, consent(party, "narrower", "write", bearer)).await;
    let refresh = GrantType::REFRESH_TOKEN;
    give(world, consent(party, "grant", "read write", refresh)).await;
    vec![
        ("nobody", "subject", "is not known"),
        ("disabled", "subject", "is disabled"),
        ("never", "permission", "holds no permission"),
        ("withdrawn", "permission", "holds no permission"),
        ("ended", "permission", "holds no permission"),
        ("narrower", "scope", "requested also \"read\""),
        ("grant", "permission", "holds no permission"),
    ]
}

#[tokio::test]
async fn c042_the_answer_is_the_same_whatever_is_missing() {
    let world = world();
    let party = party(&world, ConsentPolicy::Ask).await;
    register(&world, Subject::new(subject("allowed"))).await;
    let allowed = consent(&party, "allowed", "read", GrantType::JWT_BEARER);
    give(&world, allowed).await;
    for (name, rule, cause) in everybody(&world, &party).await {
        let answer = ask(&world, &party, name, Some("read")).await;
        answer.refused(name, "consent_required", rule, cause);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name}");
        assert_eq!(answer.description(), PUBLIC, "{name}");
        assert_eq!(link(&answer), pairs(&party, name, Some("read")));
        let known = (name != "nobody").then(|| subject(name));
        assert_eq!(answer.decision.subject, known, "{name}");
    }
    let allowed = ask(&world, &party, "allowed", Some("read")).await;
    allowed.granted("the control");
}

#[tokio::test]
async fn c042_what_is_wrong_beside_is_told_of_everybody_alike() {
    let world = world();
    let party = party(&world, ConsentPolicy::Ask).await;
    for (name, ..) in everybody(&world, &party).await {
        let beyond = ask(&world, &party, name, Some("read admin")).await;
        beyond.refused(name, "invalid_scope", "scope", "requested also \"admin\"");
        let malformed = ask(&world, &party, name, Some("\"")).await;
        malformed.refused(name, "invalid_scope", "scope", "malformed");
        let elsewhere = form(&party, name).with("resource", "https://other.example/");
        let elsewhere = world.send(&elsewhere).await;
        elsewhere.refused(name, "invalid_target", "resource", "is not served");
        let claim = |text: &str| {
            let jwt = party.jwt().text("sub", name).text("scope", text);
            party.form(&jwt.sign(&party.key))
        };
        let malformed = world.send(&claim("a  b")).await;
        malformed.refused(name, "invalid_scope", "scope_claim", "malformed");
        let asked = world.send(&claim("read")).await;
        assert_eq!(link(&asked), pairs(&party, name, Some("read")));
    }
}

#[tokio::test]
async fn c042_who_may_not_use_the_grant_is_told_that_of_everybody() {
    let world = world();
    let change = |metadata: &mut grantor::registry::ClientMetadata| {
        metadata.consent = ConsentPolicy::Ask;
        without_grant(metadata, &GrantType::JWT_BEARER);
    };
    let party = world
        .party_with(Use::Grant, keys::P256.clone(), change)
        .await;
    for (name, ..) in everybody(&world, &party).await {
        let answer = ask(&world, &party, name, None).await;
        answer.refused(name, "unauthorized_client", "grant", "not registered");
    }
}

#[tokio::test]
async fn c052_all_that_is_left_is_granted_where_nothing_is_asked_and_nothing_beyond() {
    let world = world();
    let party = party(&world, ConsentPolicy::Ask).await;
    register(&world, Subject::new(subject("somebody"))).await;
    let consent = |scope| consent(&party, "somebody", scope, GrantType::JWT_BEARER);
    give(&world, consent("read other")).await;
    let answer = ask(&world, &party, "somebody", None).await;
    assert_eq!(answer.body["scope"], "read");
    let wider = ask(&world, &party, "somebody", Some("read write")).await;
    wider.refused("wider", "consent_required", "scope", "also \"write\"");
    assert_eq!(link(&wider), pairs(&party, "somebody", Some("read write")));
    let scope = Scope::parse("write").expect("a scope");
    let operators = Permission::new(id(&party), subject("somebody"), Some(scope));
    give(&world, operators.clone()).await;
    let both = ask(&world, &party, "somebody", Some("read write")).await;
    both.granted("either allows it");
    let permissions = world.store.permissions();
    let withdrawn = permissions.delete(&operators.id(), &by()).await;
    withdrawn.expect("a permission");
    withdraw(&world, &party, "somebody").await;
    give(&world, consent("other")).await;
    let nothing = ask(&world, &party, "somebody", None).await;
    nothing.refused("nothing left", "consent_required", "scope", "allowed \"\"");
    assert_eq!(link(&nothing), pairs(&party, "somebody", None));
}

#[tokio::test]
async fn ca28_who_has_not_proven_anything_learns_nothing() {
    let world = world();
    let party = party(&world, ConsentPolicy::Ask).await;
    let used = form(&party, "nobody");
    let answer = world.send(&used).await;
    answer.refused("the control", "consent_required", "subject", "is not known");
    let sign = |jwt: Jwt| party.form(&jwt.text("sub", "nobody").sign(&party.key));
    let other = grantor_testkit::Key::generate(grantor::jose::Algorithm::Es256);
    let rows = [
        ("replayed", "replay", used),
        (
            "another audience",
            "aud",
            sign(party.jwt().text("aud", "https://other.example")),
        ),
        (
            "expired",
            "exp",
            sign(party.jwt().claim("exp", "1".to_owned())),
        ),
        (
            "another key",
            "signature",
            party.form(&party.jwt().text("sub", "nobody").sign(&other)),
        ),
    ];
    let own = |jwt: Jwt| party.form(&jwt.sign(&party.key));
    let about_itself = [
        (
            "another audience",
            own(party.jwt().text("aud", "https://other.example")),
        ),
        ("expired", own(party.jwt().claim("exp", "1".to_owned()))),
        ("another key", party.form(&party.jwt().sign(&other))),
    ];
    let mut told = Vec::new();
    for (row, rule, form) in rows {
        let answer = world.send(&form).await;
        answer.refused(row, "invalid_grant", rule, "");
        assert_eq!(answer.consent_uri(), None);
        told.push((row, answer.description().to_owned()));
    }
    for (row, form) in about_itself {
        let answer = world.send(&form).await;
        let same = (row, answer.description().to_owned());
        assert!(told.contains(&same), "{same:?} is not in {told:?}");
    }
}

#[tokio::test]
async fn dc1_clients_that_ask_nobody_are_answered_as_before() {
    let with_page = world();
    let without = World::new();
    for (world, consent) in [
        (&with_page, ConsentPolicy::Off),
        (&with_page, ConsentPolicy::Implied),
        (&without, ConsentPolicy::Ask),
    ] {
        let party = party(world, consent).await;
        let answer = ask(world, &party, "nobody", None).await;
        answer.refused("as before", "invalid_grant", "subject", "is not known");
        assert_eq!(
            answer.description(),
            "the client may not act for this subject"
        );
        let name = format!("somebody-{consent:?}");
        register(world, Subject::new(subject(&name))).await;
        let answer = ask(world, &party, &name, None).await;
        answer.refused("as before", "invalid_grant", "permission", "no permission");
    }
}

/// What people said counts no more once the operator lets nobody be asked.
#[tokio::test]
async fn c004_a_consent_counts_only_where_people_are_asked() {
    let world = world();
    let party = party(&world, ConsentPolicy::Ask).await;
    let asker = world.party(Use::PrivateKeyJwt).await;
    register(&world, Subject::new(subject("somebody"))).await;
    let consent = consent(&party, "somebody", "read", GrantType::JWT_BEARER);
    give(&world, consent).await;
    let answer = ask(&world, &party, "somebody", None).await;
    let token = answer.granted("asked").to_owned();
    let set = async |consent| {
        let change = |client: &grantor::registry::Client| {
            let mut metadata = client.metadata().clone();
            metadata.consent = consent;
            let (keys, secrets) = (client.keys().to_vec(), client.secrets().to_vec());
            let changed = client.changed(metadata, keys, secrets);
            Ok::<_, StoreError>(changed.expect("a client"))
        };
        let clients = world.store.clients();
        let changed = clients.change(&id(&party), &by(), change).await;
        changed.expect("a client");
    };
    set(ConsentPolicy::Off).await;
    assert_eq!(introspect(&world, &asker, &token).await, inactive());
    let answer = ask(&world, &party, "somebody", None).await;
    answer.refused("off", "invalid_grant", "permission", "no permission");
    set(ConsentPolicy::Implied).await;
    assert_eq!(introspect(&world, &asker, &token).await["active"], true);
    let answer = ask(&world, &party, "somebody", None).await;
    answer.granted("what was said counts");
}

#[tokio::test]
async fn c041_the_link_is_the_issuers_own_and_the_client_is_not_blamed() {
    let failures = Failures::default();
    let counting = failures.clone();
    let world = World::with(|builder| builder.endpoint(ConsentPage).throttle(counting));
    let party = party(&world, ConsentPolicy::Ask).await;
    let failed = || failures.0.load(Ordering::Relaxed);
    for (name, value) in [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "host=evil.example"),
    ] {
        let answer = world
            .send(&form(&party, "nobody").header(name, value))
            .await;
        assert_eq!(link(&answer), pairs(&party, "nobody", None), "{name}");
    }
    assert_eq!(failed(), 0);
    let mut form = form(&party, "nobody");
    form = form.set(
        "assertion",
        &party.jwt().text("aud", "other").sign(&party.key),
    );
    world.send(&form).await;
    assert_eq!(failed(), 1, "the control");
}

#[tokio::test]
async fn c041_any_name_and_scope_are_in_the_link_as_they_were_sent() {
    let world = world();
    let change = |metadata: &mut grantor::registry::ClientMetadata| {
        metadata.consent = ConsentPolicy::Ask;
        metadata.scope = Scope::parse("a+b c%20d e&f=g#h").expect("a scope");
    };
    let party = world
        .party_with(Use::Grant, keys::P256.clone(), change)
        .await;
    let long = "ä".repeat(127);
    for name in ["a&scope=all#x", "say \"yes\" <b>", "100%25+1", &long] {
        let answer = ask(&world, &party, name, Some("a+b e&f=g#h")).await;
        answer.refused(name, "consent_required", "subject", "is not known");
        assert_eq!(link(&answer), pairs(&party, name, Some("a+b e&f=g#h")));
    }
}

/// What `assertion explain` says is what a request gets.
#[tokio::test]
async fn the_explanation_fails_at_what_is_missing() {
    let world = world();
    let party = party(&world, ConsentPolicy::Ask).await;
    for (name, rule, _) in everybody(&world, &party).await {
        let jwt = party.jwt().text("sub", name).text("scope", "read");
        let token = jwt.sign(&party.key);
        let explained = world.server.explain(&token, None).await.expect("explained");
        let failed: Vec<_> = explained
            .checks
            .iter()
            .filter(|check| check.verdict == grantor::assertion::Verdict::Fail)
            .map(|check| check.rule.name())
            .collect();
        assert_eq!(failed, [rule], "{name}");
    }
}
