//! Tokens for the admin API: who gets one, with which scope, where, and what is left of it when
//! something behind it ends.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use grantor::{
    jose::base64url_decode,
    registry::{
        Actor, Client, ClientError, ClientMetadata, ConsentPolicy, Operator, Permission,
        PermissionId, Role, Subject, SubjectMapping, TokenFormat, Trust,
    },
    server::{
        AccessToken, Attempt, AuthorizationServer, Blame, Builder, ErrorCode, Outcome, Refusal,
        Sender, Settings, Throttle,
    },
    storage::{FromRegistry, MemoryStore, Registries, Registry, RoleSource, StoreError},
    types::{AuthMethod, ClientId, GrantType, Issuer, Rule, SubjectId},
};
use grantor_testkit::{
    Answer, Authorize, Form, ISSUER, JWT_BEARER, Party, ThirdParty, Use, World, keys, metadata,
    without_grant,
};
use http::{Extensions, Request};
use http_body_util::{BodyExt, Empty};
use serde_json::{Value, json};

use crate::{
    introspection::{inactive, introspect},
    people::{ANNA, APP, Place, redeem_as_app, scope},
};

const ADMIN: &str = "https://as.example/admin/v1";
const API: &str = "https://api.example";
const READ: &str = "grantor:read";
const WRITE: &str = "grantor:write";
const OWN: &str = "grantor:admin";

/// Who has which role.
#[derive(Clone, Default)]
struct Roles(Arc<Mutex<BTreeMap<String, Role>>>);

impl Roles {
    fn set(&self, subject: &str, role: Option<Role>) {
        let mut roles = self.0.lock().expect("no panic while locked");
        match role {
            Some(role) => roles.insert(subject.to_owned(), role),
            None => roles.remove(subject),
        };
    }
}

#[async_trait]
impl RoleSource for Roles {
    async fn role(&self, subject: &SubjectId) -> Result<Option<Role>, StoreError> {
        let roles = self.0.lock().expect("no panic while locked");
        match roles.get(subject.as_str()) {
            Some(_) if subject.as_str() == "nobody-knows" => {
                Err(StoreError::Unavailable("no roles today".into()))
            }
            role => Ok(role.copied()),
        }
    }
}

fn settings() -> Settings {
    Settings {
        admin_resource: Some(ADMIN.to_owned()),
        resources: vec![API.to_owned()],
        ..Settings::default()
    }
}

/// A server with the admin API, and who has which role there.
fn world() -> (World, Roles) {
    world_with(settings())
}

fn world_with(settings: Settings) -> (World, Roles) {
    let roles = Roles::default();
    let operators = Arc::new(roles.clone());
    let world = World::with(|builder| builder.settings(settings).operators(operators));
    (world, roles)
}

/// A client with this scope, that gets tokens in this format.
async fn party(world: &World, usage: Use, held: &str, format: TokenFormat) -> Party {
    let key = match usage {
        Use::ClientSecretJwt => keys::SECRET.clone(),
        Use::Grant | Use::PrivateKeyJwt => keys::P256.clone(),
    };
    let change = |metadata: &mut ClientMetadata| {
        metadata.scope = scope(held);
        metadata.token_format = format;
    };
    world.party_with(usage, key, change).await
}

/// A request for the admin API.
fn asking(party: &Party) -> Form {
    party.good_form().with("resource", ADMIN)
}

/// As [`asking`], about a subject.
fn about(party: &Party, subject: &str) -> Form {
    let jwt = party.jwt().text("sub", subject).sign(&party.key);
    party.form(&jwt).with("resource", ADMIN)
}

/// The claims of a JWT.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("three segments");
    serde_json::from_slice(&base64url_decode(payload).expect("base64url")).expect("JSON")
}

fn by() -> Actor {
    Actor::program("test")
}

fn client(party: &Party) -> ClientId {
    ClientId::parse(&party.id).expect("a client id")
}

fn subject(name: &str) -> SubjectId {
    SubjectId::parse(name).expect("a subject")
}

/// Changes what is registered of a client.
async fn change(world: &World, party: &Party, change: impl Fn(&mut ClientMetadata)) {
    let changed = |known: &Client| {
        let mut metadata = known.metadata().clone();
        change(&mut metadata);
        let (keys, secrets) = (known.keys().to_vec(), known.secrets().to_vec());
        let changed = known.changed(metadata, keys, secrets);
        Ok::<_, StoreError>(changed.expect("a client that makes sense"))
    };
    let clients = world.store.clients();
    let changed = clients.change(&client(party), &by(), changed).await;
    changed.expect("a known client");
}

/// What a token stands for now.
async fn held(world: &World, token: &str) -> Option<AccessToken> {
    world.server.access_token(token).await.expect("memory")
}

/// What a token may do at the admin API now; `None` for one that is not in force.
async fn role(world: &World, token: &str) -> Option<Option<Role>> {
    held(world, token).await.map(|token| {
        assert_eq!(token.audience(), ADMIN);
        token.role()
    })
}

#[track_caller]
fn is_beyond(answer: &Answer, row: &str, cause: &str) {
    answer.refused(row, "invalid_scope", "scope", cause);
    assert_eq!(
        answer.description(),
        "scope exceeds what is allowed",
        "{row}"
    );
}

#[track_caller]
fn is_elsewhere(answer: &Answer, row: &str) {
    let cause = "is granted at the resource of the admin API alone";
    answer.refused(row, "invalid_scope", "scope", cause);
}

#[tokio::test]
async fn m003_a_token_for_the_admin_api_has_what_was_asked_for_by_name_and_nothing_else() {
    for usage in Use::ALL {
        for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
            let (world, _) = world();
            let party = party(&world, usage, "grantor:admin read", format).await;
            for unnamed in [asking(&party), asking(&party).with("scope", "")] {
                let answer = world.send(&unnamed).await;
                let cause = "no scope is asked for at the resource of the admin API";
                answer.refused("no scope", "invalid_scope", "scope", cause);
                assert_eq!(
                    answer.description(),
                    "this resource has no default scope; name grantor:read, write or admin"
                );
            }
            for other in ["read", "grantor:read read", "grantor:foo", "Grantor:read"] {
                let answer = world.send(&asking(&party).with("scope", other)).await;
                is_beyond(&answer, other, "the client is registered for grantor:admin");
            }
            let answer = world.send(&asking(&party).with("scope", READ)).await;
            let token = answer.granted("by name");
            assert_eq!(answer.body["scope"], READ);
            assert_eq!(role(&world, token).await, Some(Some(Role::Reader)));
            if format == TokenFormat::Jwt {
                let claims = claims(token);
                assert_eq!(
                    (&claims["aud"], &claims["scope"]),
                    (&json!(ADMIN), &json!(READ))
                );
            }
        }
    }
}

#[tokio::test]
async fn m003_at_any_other_resource_the_servers_own_scopes_are_never_granted() {
    for usage in Use::ALL {
        let (world, _) = world();
        let format = TokenFormat::Jwt;
        let party = party(&world, usage, "grantor:admin grantor:read read", format).await;
        for resource in [None, Some(API)] {
            let form = |wanted: Option<&str>| {
                let form = party.good_form();
                let form = match resource {
                    Some(resource) => form.with("resource", resource),
                    None => form,
                };
                match wanted {
                    Some(wanted) => form.with("scope", wanted),
                    None => form,
                }
            };
            for wanted in [READ, OWN, "grantor:read read", "GRANTOR:read", "grantor:"] {
                let answer = world.send(&form(Some(wanted))).await;
                is_elsewhere(&answer, wanted);
            }
            for wanted in [None, Some("read")] {
                let answer = world.send(&form(wanted)).await;
                let token = answer.granted("control");
                assert_eq!(answer.body["scope"], "read", "{wanted:?}");
                assert_eq!(
                    held(&world, token).await.and_then(|token| token.role()),
                    None
                );
            }
        }
    }
}

#[tokio::test]
async fn m003_the_admin_api_is_a_resource_to_the_letter_and_only_where_there_is_one() {
    let (without, _) = world_with(Settings {
        admin_resource: None,
        ..settings()
    });
    for usage in Use::ALL {
        let (world, _) = world();
        let format = TokenFormat::Jwt;
        let here = party(&world, usage, OWN, format).await;
        for other in [
            "https://as.example/admin/v1/",
            "https://as.example/admin",
            "https://as.example/admin/v1/clients",
            "https://AS.example/admin/v1",
            "http://as.example/admin/v1",
        ] {
            let form = here.good_form().with("resource", other);
            let answer = world.send(&form.with("scope", READ)).await;
            answer.refused(other, "invalid_target", "resource", "is not served");
        }
        let form = asking(&here).with("resource", API).with("scope", READ);
        let answer = world.send(&form).await;
        answer.refused("two", "invalid_target", "resource", "more than one");
        let answer = world.send(&asking(&here).with("scope", READ)).await;
        answer.granted("control");

        let there = party(&without, usage, OWN, format).await;
        let answer = without.send(&asking(&there).with("scope", READ)).await;
        answer.refused("no API", "invalid_target", "resource", "is not served");
    }
}

#[tokio::test]
async fn m003_the_greater_scope_holds_the_lesser_and_not_the_greater() {
    for (registered, granted) in [
        (READ, vec![READ]),
        (WRITE, vec![READ, WRITE]),
        (OWN, vec![READ, WRITE, OWN, "grantor:admin grantor:read"]),
        ("read", vec![]),
    ] {
        for usage in Use::ALL {
            let (world, _) = world();
            let party = party(&world, usage, registered, TokenFormat::Jwt).await;
            for wanted in [READ, WRITE, OWN, "grantor:admin grantor:read"] {
                let row = format!("{registered}: {wanted}");
                let answer = world.send(&asking(&party).with("scope", wanted)).await;
                match granted.contains(&wanted) {
                    true => {
                        answer.granted(&row);
                        assert_eq!(answer.body["scope"], wanted, "{row}");
                    }
                    false => is_beyond(&answer, &row, "the client is registered for "),
                }
            }
        }
    }
}

#[tokio::test]
async fn m003_a_token_for_the_admin_api_lives_for_ten_minutes_at_most() {
    for (usual, admin) in [(3600, 600), (601, 600), (60, 60)] {
        for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
            let (world, _) = world_with(Settings {
                token_lifetime: Duration::from_secs(usual),
                ..settings()
            });
            let party = party(&world, Use::PrivateKeyJwt, "grantor:read read", format).await;
            let answer = world.send(&party.good_form()).await;
            answer.granted("control");
            assert_eq!(answer.body["expires_in"], usual, "{format:?}");
            let answer = world.send(&asking(&party).with("scope", READ)).await;
            let token = answer.granted("for the admin API");
            assert_eq!(answer.body["expires_in"], admin, "{format:?}");
            world.set_clock(admin as f64 - 0.001);
            assert!(held(&world, token).await.is_some());
            world.set_clock(admin as f64);
            assert!(held(&world, token).await.is_none());
        }
    }
}

/// Whoever brings a scope in an assertion has asked for it by name.
#[tokio::test]
async fn m003_a_scope_claim_asks_by_name() {
    let (world, _) = world();
    let party = party(&world, Use::Grant, OWN, TokenFormat::Jwt).await;
    for (claim, is_granted) in [("\"grantor:write\"", true), ("\"\"", false)] {
        let jwt = party.jwt().claim("scope", claim).sign(&party.key);
        let answer = world.send(&party.form(&jwt).with("resource", ADMIN)).await;
        match is_granted {
            true => {
                answer.granted(claim);
                assert_eq!(answer.body["scope"], WRITE);
            }
            false => answer.refused(claim, "invalid_scope", "scope", "no scope is asked for"),
        }
    }
    let jwt = party
        .jwt()
        .claim("scope", "\"grantor:read\"")
        .sign(&party.key);
    is_elsewhere(&world.send(&party.form(&jwt)).await, "for the default");
}

#[tokio::test]
async fn m003_the_code_grant_and_refresh_tokens_give_no_power() {
    let place = Place::with(|builder| {
        builder
            .settings(settings())
            .operators(Arc::new(owner(ANNA)))
    });
    place
        .client(APP, AuthMethod::CLIENT_SECRET_POST, |metadata| {
            metadata.scope = scope("grantor:admin read");
            metadata.grant_types.push(GrantType::REFRESH_TOKEN);
        })
        .await;
    place.person(ANNA).await;
    let browser = place.annas();
    let good = Authorize::new(APP);
    for wanted in [READ, OWN, "GRANTOR:ADMIN", "grantor:read read"] {
        let page = browser.authorize(&good.clone().with("scope", wanted)).await;
        page.told_error(wanted, "invalid_scope", "scope");
    }
    let page = browser
        .authorize(&good.clone().with("resource", ADMIN))
        .await;
    page.told_error("the admin API", "invalid_target", "resource");

    let page = browser.asked(&good).await;
    assert_eq!(crate::people::listed(&page, "needed"), ["read"]);
    let code = browser.allow(&page).await.code();
    let elsewhere = redeem_as_app(&code).with("resource", ADMIN);
    let answer = place.world.send(&elsewhere).await;
    answer.refused("a code", "invalid_target", "resource", "is not served");
    let code = place.code(&good).await;
    let answer = place.world.send(&redeem_as_app(&code)).await;
    let (_, refresh) = answer.granted_both("a code");
    assert_eq!(answer.body["scope"], "read");
    let form = Form::new("refresh_token").with("refresh_token", &refresh);
    let method = AuthMethod::CLIENT_SECRET_POST;
    let form = crate::people::authenticated(form, APP, &method);
    let answer = place
        .world
        .send(&form.clone().with("resource", ADMIN))
        .await;
    answer.refused("refresh", "invalid_target", "resource", "is not served");
    let answer = place.world.send(&form.clone().with("scope", READ)).await;
    is_elsewhere(&answer, "refresh");
    let answer = place.world.send(&form).await;
    answer.granted_both("control");
    assert_eq!(answer.body["scope"], "read");
}

/// This subject is an owner.
fn owner(name: &str) -> Roles {
    let roles = Roles::default();
    roles.set(name, Some(Role::Owner));
    roles
}

#[tokio::test]
async fn m003_nobody_is_asked_for_consent_where_there_is_none_to_give() {
    let place = Place::with(|builder| {
        builder
            .settings(settings())
            .operators(Arc::new(owner(ANNA)))
    });
    place
        .client(APP, AuthMethod::PRIVATE_KEY_JWT, |metadata| {
            metadata.scope = scope("grantor:admin read");
            metadata.consent = ConsentPolicy::Ask;
        })
        .await;
    place.person(ANNA).await;
    place.person("bert").await;
    let app = Party {
        id: APP.to_owned(),
        usage: Use::Grant,
        key: keys::P256.clone(),
    };
    // Known, never asked, unknown: alike.
    for name in [ANNA, "bert", "nobody"] {
        let answer = place
            .world
            .send(&about(&app, name).with("scope", READ))
            .await;
        is_beyond(&answer, name, "of the admin API");
        assert_eq!(answer.consent_uri(), None, "{name}");
    }
    // Nor for what nobody can say yes to: all that is left at other resources is no scope.
    let permissions = place.world.store.permissions();
    for (registered, is_asked) in [("grantor:admin read", true), (OWN, false)] {
        place
            .change(APP, |metadata| metadata.scope = scope(registered))
            .await;
        let nothing = Permission::new(client(&app), subject("bert"), Some(scope(READ)));
        permissions
            .create(nothing, &by())
            .await
            .expect("a permission");
        let jwt = app.jwt().text("sub", "bert").sign(&app.key);
        let answer = place.world.send(&app.form(&jwt)).await;
        assert_eq!(answer.consent_uri().is_some(), is_asked, "{registered}");
        assert_eq!(answer.body.get("scope"), None, "{registered}");
        let nothing = PermissionId::by_operator(client(&app), subject("bert"));
        permissions
            .delete(&nothing, &by())
            .await
            .expect("a permission");
    }
    place
        .change(APP, |metadata| metadata.scope = scope("grantor:admin read"))
        .await;
    // What a person has said yes to names no power, whatever is in the record.
    let grants = vec![GrantType::JWT_BEARER];
    let yes = Permission::consented(
        client(&app),
        subject(ANNA),
        scope("grantor:read read"),
        grants,
    );
    permissions.create(yes, &by()).await.expect("a permission");
    let answer = place
        .world
        .send(&about(&app, ANNA).with("scope", READ))
        .await;
    is_beyond(&answer, "consented", "permission or trust name none");
    let yes = PermissionId::by_person(client(&app), subject(ANNA));
    permissions.delete(&yes, &by()).await.expect("a permission");
    let named = Permission::new(client(&app), subject(ANNA), Some(scope(READ)));
    permissions
        .create(named, &by())
        .await
        .expect("a permission");
    let answer = place
        .world
        .send(&about(&app, ANNA).with("scope", READ))
        .await;
    answer.granted("control: an operator's permission names it");
}

#[tokio::test]
async fn m013_a_permission_gives_power_where_it_names_it_within_the_client_and_the_role() {
    for (row, registered, permitted, role, granted) in [
        (
            "all that the client may get",
            OWN,
            None,
            Some(Role::Owner),
            None,
        ),
        ("something else", OWN, Some("read"), Some(Role::Owner), None),
        (
            "named",
            OWN,
            Some(OWN),
            Some(Role::Owner),
            Some(Role::Owner),
        ),
        (
            "the lesser",
            OWN,
            Some(WRITE),
            Some(Role::Owner),
            Some(Role::Editor),
        ),
        (
            "the lesser client",
            READ,
            Some(OWN),
            Some(Role::Owner),
            Some(Role::Reader),
        ),
        (
            "the lesser role",
            OWN,
            Some(OWN),
            Some(Role::Editor),
            Some(Role::Editor),
        ),
        ("no role", OWN, Some(OWN), None, None),
        ("no such client", "read", Some(OWN), Some(Role::Owner), None),
    ] {
        let (world, roles) = world();
        let party = party(&world, Use::Grant, registered, TokenFormat::Jwt).await;
        world.permit(&party, "alice", permitted).await;
        roles.set("alice", role);
        for wanted in Role::ALL {
            let row = format!("{row}: {wanted}");
            let form = about(&party, "alice").with("scope", wanted.scope());
            let answer = world.send(&form).await;
            match granted >= Some(wanted) {
                true => {
                    let token = answer.granted(&row);
                    assert_eq!(self::role(&world, token).await, Some(Some(wanted)), "{row}");
                }
                false => is_beyond(&answer, &row, wanted.scope()),
            }
        }
    }
}

#[tokio::test]
async fn m013_the_cause_names_each_limit() {
    let (world, roles) = world();
    let party = party(&world, Use::Grant, OWN, TokenFormat::Jwt).await;
    world.permit(&party, "alice", Some(WRITE)).await;
    roles.set("alice", Some(Role::Reader));
    let answer = world.send(&about(&party, "alice").with("scope", OWN)).await;
    is_beyond(
        &answer,
        "all three",
        "scope: requested \"grantor:admin\" of the admin API; the client is registered for \
         grantor:admin, permission or trust name grantor:write, the subject's role is grantor:read",
    );
    assert_eq!(answer.decision.subject.as_ref(), Some(&subject("alice")));
}

#[tokio::test]
async fn m004_without_operators_and_with_a_registry_that_fails_no_subject_has_a_role() {
    let world = World::with(|builder| builder.settings(settings()));
    let nobody = party(&world, Use::Grant, OWN, TokenFormat::Jwt).await;
    world.permit(&nobody, "alice", Some(OWN)).await;
    let answer = world
        .send(&about(&nobody, "alice").with("scope", READ))
        .await;
    is_beyond(&answer, "no operators", "the subject's role is none");
    let answer = world.send(&asking(&nobody).with("scope", READ)).await;
    answer.granted("control: the client itself");

    let (world, roles) = self::world();
    let party = party(&world, Use::Grant, OWN, TokenFormat::Jwt).await;
    world.permit(&party, "nobody-knows", Some(OWN)).await;
    let form = || about(&party, "nobody-knows").with("scope", READ);
    roles.set("nobody-knows", Some(Role::Owner));
    let answer = world.send(&form()).await;
    answer.refused(
        "no registry",
        "temporarily_unavailable",
        "storage",
        "no roles",
    );
    roles.set("nobody-knows", None);
    let answer = world.send(&form()).await;
    is_beyond(
        &answer,
        "control: a registry without the subject",
        "role is none",
    );
}

#[tokio::test]
async fn m004_roles_come_from_the_registry_of_operators() {
    let store = Arc::new(MemoryStore::new());
    let roles = FromRegistry::new(store.clone());
    for name in ["alice", "bob"] {
        let new = Subject::new(subject(name));
        store
            .subjects()
            .create(new, &by())
            .await
            .expect("a new name");
    }
    let operators: &dyn Registry<Operator> = &*store;
    let editor = Operator::new(subject("alice"), Role::Editor);
    operators.create(editor, &by()).await.expect("an operator");
    let role = async |name| roles.role(&subject(name)).await.expect("memory");
    assert_eq!(role("alice").await, Some(Role::Editor));
    assert_eq!((role("bob").await, role("nobody").await), (None, None));
    let deleted = operators.delete(&subject("alice"), &by()).await;
    deleted.expect("an operator");
    assert_eq!(role("alice").await, None);
}

async fn trusted(world: &World, registered: &str, change: impl FnOnce(&mut Trust)) -> ThirdParty {
    let idp = world.third_party("idp", |_| ()).await;
    let mut deployer = metadata("deployer", AuthMethod::NONE);
    deployer.scope = scope(registered);
    without_grant(&mut deployer, &GrantType::CLIENT_CREDENTIALS);
    world.register(deployer, vec![], vec![]).await;
    world.trust(&idp, "ci", "deployer", change).await;
    idp
}

fn presenting(idp: &ThirdParty) -> Form {
    Form::new(JWT_BEARER).with("assertion", &idp.token())
}

#[tokio::test]
async fn m013_a_trust_gives_power_where_it_names_it_and_the_admin_api() {
    for (row, registered, named, resources, granted) in [
        ("not named", OWN, "read", vec![ADMIN], None),
        (
            "named",
            "grantor:admin read",
            "grantor:write read",
            vec![API, ADMIN],
            Some(Role::Editor),
        ),
        (
            "the lesser client",
            "grantor:read read",
            OWN,
            vec![ADMIN],
            Some(Role::Reader),
        ),
        ("the client has none", "read", OWN, vec![ADMIN], None),
    ] {
        let (world, _) = world();
        let idp = trusted(&world, registered, |trust| {
            trust.scope = scope(named);
            trust.resources = resources.iter().map(|one| (*one).to_owned()).collect();
        })
        .await;
        for wanted in Role::ALL {
            let row = format!("{row}: {wanted}");
            let form = presenting(&idp).with("resource", ADMIN);
            let answer = world.send(&form.with("scope", wanted.scope())).await;
            match granted >= Some(wanted) {
                true => {
                    let token = answer.granted(&row);
                    assert_eq!(role(&world, token).await, Some(Some(wanted)), "{row}");
                    assert_eq!(answer.body["expires_in"], 600, "{row}");
                }
                false => is_beyond(&answer, &row, "permission or trust name"),
            }
        }
        let answer = world.send(&presenting(&idp).with("resource", ADMIN)).await;
        let cause = "no scope is asked for";
        answer.refused("by default", "invalid_scope", "scope", cause);
    }
}

#[tokio::test]
async fn m013_a_trust_that_does_not_name_the_admin_api_gives_no_token_for_it() {
    for resources in [vec![], vec![API.to_owned()]] {
        let (world, _) = world();
        let idp = trusted(&world, "grantor:admin read", |trust| {
            trust.scope = scope("grantor:admin read");
            trust.resources = resources;
        })
        .await;
        let form = presenting(&idp).with("resource", ADMIN).with("scope", READ);
        let answer = world.send(&form).await;
        answer.refused("not named", "invalid_target", "resource", "is not served");
        is_elsewhere(
            &world.send(&presenting(&idp).with("scope", READ)).await,
            "elsewhere",
        );
        let answer = world.send(&presenting(&idp)).await;
        answer.granted("control");
        assert_eq!(answer.body["scope"], "read");
    }
}

#[tokio::test]
async fn m013_of_a_trust_for_registered_subjects_permission_and_role_have_to_name_it_too() {
    let (world, roles) = world();
    let idp = trusted(&world, OWN, |trust| {
        trust.scope = scope(OWN);
        trust.resources = vec![ADMIN.to_owned()];
        trust.subject = SubjectMapping::Existing("sub".parse().expect("a claim"));
    })
    .await;
    let deployer = Party {
        id: "deployer".to_owned(),
        usage: Use::Grant,
        key: keys::P256.clone(),
    };
    let form = || {
        presenting(&idp)
            .with("resource", ADMIN)
            .with("scope", WRITE)
    };
    let who = "repo:acme/widgets";
    world.permit(&deployer, who, None).await;
    roles.set(who, Some(Role::Owner));
    is_beyond(
        &world.send(&form()).await,
        "all",
        "permission or trust name none",
    );
    let named = |permission: &Permission| {
        let mut named = permission.clone();
        named.scope = Some(scope(OWN));
        Ok::<_, StoreError>(named)
    };
    let id = PermissionId::by_operator(client(&deployer), subject(who));
    let permissions = world.store.permissions();
    permissions.change(&id, &by(), named).await.expect("known");
    roles.set(who, Some(Role::Reader));
    is_beyond(
        &world.send(&form()).await,
        "role",
        "the subject's role is grantor:read",
    );
    roles.set(who, Some(Role::Editor));
    let answer = world.send(&form()).await;
    let token = answer.granted("control").to_owned();
    assert_eq!(role(&world, &token).await, Some(Some(Role::Editor)));
    roles.set(who, None);
    assert_eq!(role(&world, &token).await, Some(None));
}

#[tokio::test]
async fn m004_ma07_a_trust_that_names_less_leaves_less_in_tokens_at_hand() {
    let (world, _) = world();
    let idp = trusted(&world, OWN, |trust| {
        trust.scope = scope(OWN);
        trust.resources = vec![ADMIN.to_owned()];
    })
    .await;
    let form = presenting(&idp).with("resource", ADMIN).with("scope", OWN);
    let token = world.send(&form).await.granted("control").to_owned();
    let trusts = world.store.trust_registry();
    let name = "ci".parse().expect("a name");
    for (named, left) in [
        (OWN, Some(Role::Owner)),
        (READ, Some(Role::Reader)),
        ("read", None),
        (OWN, Some(Role::Owner)),
    ] {
        let changed = |trust: &Trust| {
            let mut changed = trust.clone();
            changed.scope = scope(named);
            Ok::<_, StoreError>(changed)
        };
        trusts.change(&name, &by(), changed).await.expect("known");
        assert_eq!(role(&world, &token).await, Some(left), "{named}");
    }
    trusts.delete(&name, &by()).await.expect("known");
    assert!(held(&world, &token).await.is_none());
}

#[tokio::test]
async fn m004_ma07_a_client_that_loses_its_scope_or_is_disabled_loses_it_in_tokens_at_hand() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let (world, _) = world();
        let party = party(&world, Use::PrivateKeyJwt, OWN, format).await;
        let form = asking(&party).with("scope", "grantor:admin grantor:read");
        let answer = world.send(&form).await;
        let token = answer.granted("control").to_owned();
        for (registered, left) in [
            (OWN, "grantor:admin grantor:read"),
            (WRITE, "grantor:read grantor:write"),
            (READ, READ),
            ("read", ""),
            (OWN, "grantor:admin grantor:read"),
        ] {
            change(&world, &party, |metadata| {
                metadata.scope = scope(registered);
            })
            .await;
            let token = held(&world, &token).await.expect("in force");
            assert_eq!(token.scope(), &scope(left), "{registered}");
        }
        change(&world, &party, |metadata| metadata.enabled = false).await;
        assert!(held(&world, &token).await.is_none());
        change(&world, &party, |metadata| metadata.enabled = true).await;
        assert_eq!(role(&world, &token).await, Some(Some(Role::Owner)));
        let mut revoking = party
            .good_form()
            .without("grant_type")
            .with("token", &token);
        revoking.uri = "/revoke".to_owned();
        assert_eq!(world.send_plain(&revoking).await.0, 200);
        assert!(held(&world, &token).await.is_none());
    }
}

#[tokio::test]
async fn m004_ma07_a_subject_that_loses_its_role_loses_it_in_tokens_at_hand() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let (world, roles) = world();
        let party = party(&world, Use::Grant, OWN, format).await;
        world.permit(&party, "alice", Some(OWN)).await;
        roles.set("alice", Some(Role::Owner));
        let answer = world.send(&about(&party, "alice").with("scope", OWN)).await;
        let token = answer.granted("control").to_owned();
        for is in [
            Some(Role::Owner),
            Some(Role::Editor),
            None,
            Some(Role::Reader),
        ] {
            roles.set("alice", is);
            assert_eq!(role(&world, &token).await, Some(is));
        }
        roles.set("alice", Some(Role::Owner));
        let permissions = world.store.permissions();
        let id = PermissionId::by_operator(client(&party), subject("alice"));
        for (named, left) in [
            (Some(READ), Some(Role::Reader)),
            (None, None),
            (Some(OWN), Some(Role::Owner)),
        ] {
            let changed = |permission: &Permission| {
                let mut changed = permission.clone();
                changed.scope = named.map(scope);
                Ok::<_, StoreError>(changed)
            };
            permissions
                .change(&id, &by(), changed)
                .await
                .expect("known");
            assert_eq!(role(&world, &token).await, Some(left), "{named:?}");
        }
        for enabled in [false, true] {
            let changed = |subject: &Subject| {
                let mut changed = subject.clone();
                changed.enabled = enabled;
                Ok::<_, StoreError>(changed)
            };
            let subjects = world.store.subjects();
            let changed = subjects.change(&subject("alice"), &by(), changed).await;
            changed.expect("known");
            assert_eq!(held(&world, &token).await.is_some(), enabled);
        }
        permissions.delete(&id, &by()).await.expect("known");
        assert!(held(&world, &token).await.is_none());
    }
}

#[tokio::test]
async fn ma01_what_is_no_token_in_force_is_none() {
    let (world, _) = world();
    let party = party(
        &world,
        Use::PrivateKeyJwt,
        "grantor:admin read",
        TokenFormat::Jwt,
    )
    .await;
    let answer = world.send(&asking(&party).with("scope", OWN)).await;
    let token = answer.granted("control").to_owned();
    assert!(held(&world, &token).await.is_some());
    let assertion = party.jwt().text("aud", ADMIN).sign(&party.key);
    let (rest, _) = token.rsplit_once('.').expect("three segments");
    for other in [
        "",
        "garbage",
        "a.b.c",
        &assertion,
        &format!("{rest}.AAAA"),
        &format!("{token}A"),
    ] {
        assert!(held(&world, other).await.is_none(), "{other}");
    }
    // A good token of another resource is one, and says so.
    let answer = world.send(&party.good_form()).await;
    let other = held(&world, answer.granted("ordinary")).await;
    let other = other.expect("in force");
    assert_eq!((other.audience(), other.role()), (ISSUER, None));
}

#[tokio::test]
async fn m003_introspection_tells_of_a_token_for_the_admin_api_to_its_own_client_alone() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let (world, _) = world();
        let own = party(&world, Use::PrivateKeyJwt, "grantor:admin read", format).await;
        let other = party(&world, Use::ClientSecretJwt, OWN, format).await;
        let answer = world.send(&asking(&own).with("scope", WRITE)).await;
        let token = answer.granted("a token").to_owned();
        assert_eq!(introspect(&world, &other, &token).await, inactive());
        let told = introspect(&world, &own, &token).await;
        assert_eq!(
            (&told["scope"], &told["aud"]),
            (&json!(WRITE), &json!(ADMIN))
        );
        let answer = world.send(&own.good_form()).await;
        let ordinary = answer.granted("control").to_owned();
        let told = introspect(&world, &other, &ordinary).await;
        assert_eq!(told["scope"], "read");
    }
}

#[tokio::test]
async fn m003_metadata_says_nothing_of_the_admin_api() {
    let (world, _) = world();
    party(&world, Use::PrivateKeyJwt, OWN, TokenFormat::Jwt).await;
    let uri = "/.well-known/oauth-authorization-server";
    let request = Request::get(uri).body(Empty::<bytes::Bytes>::new());
    let answer = world.server.respond(request.expect("a request")).await;
    let body = answer
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    let text = String::from_utf8(body.to_vec()).expect("UTF-8");
    assert!(
        !text.contains("grantor:") && !text.contains("admin"),
        "{text}"
    );
}

#[tokio::test]
async fn m013_an_assertion_is_explained_by_the_scope_that_it_may_not_have() {
    let (world, _) = world();
    let party = party(&world, Use::Grant, READ, TokenFormat::Jwt).await;
    let answer = world.send(&asking(&party).with("scope", OWN)).await;
    let explanation = answer.decision.explanation.as_ref().expect("explained");
    let row = explanation
        .checks
        .iter()
        .find(|check| check.rule == Rule::Scope);
    let row = row.expect("a row");
    let got = "also \"grantor:admin\"; the client is registered for grantor:read";
    assert_eq!(
        (&*row.expected, &*row.got),
        ("no more power than each limit allows", got)
    );
    let answer = world.send(&asking(&party).with("scope", READ)).await;
    answer.granted("control");
}

#[test]
fn ma04_a_client_is_registered_for_the_servers_own_scopes_to_the_letter() {
    let client = |held: &str| {
        let mut metadata = metadata("billing", AuthMethod::PRIVATE_KEY_JWT);
        metadata.scope = scope(held);
        Client::new(metadata, vec![keys::P256.public().into()], vec![])
    };
    for held in [
        "Grantor:admin",
        "GRANTOR:x",
        "grantor:foo",
        "grantor:",
        "grantor:Admin",
        "grantor:admins",
        "grantor:admin.",
        "grantor:read read gRANTOR:WRITE",
    ] {
        let error = client(held).expect_err(held);
        assert!(matches!(error, ClientError::ReservedScope(_)), "{held}");
        let text = error.to_string();
        assert!(
            text.contains("grantor:read, grantor:write and grantor:admin"),
            "{text}"
        );
    }
    for held in [
        "grantor:read",
        "grantor:read grantor:write grantor:admin read",
        "grantors:x",
    ] {
        assert!(client(held).is_ok(), "{held}");
    }
    let known = client("read").expect("a client");
    let changed = |held: &str| {
        let mut metadata = known.metadata().clone();
        metadata.scope = scope(held);
        known.changed(metadata, known.keys().to_vec(), vec![])
    };
    assert!(changed("Grantor:read").is_err());
    assert!(changed("grantor:read").is_ok());
}

/// What is wrong, and the change that makes it so.
type Row = (&'static str, fn(&mut Settings));

#[test]
fn m003_the_admin_api_is_no_other_resource() {
    let build = |change: fn(&mut Settings)| {
        let mut settings = settings();
        change(&mut settings);
        let store = Arc::new(MemoryStore::new());
        let issuer = Issuer::parse(ISSUER).expect("an issuer");
        let builder: Builder = AuthorizationServer::builder(issuer).store(store).standard();
        builder.settings(settings).build()
    };
    let rows: [Row; 5] = [
        ("a resource", |settings| {
            settings.resources.push(ADMIN.to_owned());
        }),
        ("the default", |settings| {
            settings.default_audience = Some(ADMIN.to_owned());
        }),
        ("the issuer", |settings| {
            settings.admin_resource = Some(ISSUER.to_owned());
        }),
        ("no URI", |settings| {
            settings.admin_resource = Some("admin".to_owned());
        }),
        ("a fragment", |settings| {
            settings.admin_resource = Some(format!("{ADMIN}#a"));
        }),
    ];
    for (row, change) in rows {
        let error = build(change).err().expect(row);
        assert!(
            error.to_string().contains("admin_resource"),
            "{row}: {error}"
        );
    }
    assert!(build(|_| ()).is_ok());
}

/// Lets nobody send a second request that proves nothing.
#[derive(Default)]
struct Impatient(Mutex<u32>);

impl Throttle for Impatient {
    fn wait(&self, _: &Attempt<'_>) -> Option<Duration> {
        None
    }

    fn failed(&self, _: &Attempt<'_>) {}

    fn succeeded(&self, _: &Attempt<'_>) {}

    fn unreadable(&self, _: &Extensions) -> Option<Duration> {
        let mut sent = self.0.lock().expect("no panic while locked");
        *sent += 1;
        (*sent > 1).then_some(Duration::from_secs(7))
    }
}

#[tokio::test]
async fn m015_a_refusal_of_the_api_is_a_decision_and_who_sends_garbage_waits() {
    let world = World::with(|builder| builder.settings(settings()).throttle(Impatient::default()));
    let party = party(&world, Use::PrivateKeyJwt, OWN, TokenFormat::Jwt).await;
    let answer = world.send(&asking(&party).with("scope", READ)).await;
    let token = held(&world, answer.granted("a token"))
        .await
        .expect("in force");
    let mut extensions = Extensions::new();
    extensions.insert(Sender([192, 0, 2, 7].into()));
    let garbage = || {
        Refusal::new(
            ErrorCode::INVALID_TOKEN,
            Rule::AccessToken,
            "no token in force",
        )
        .blaming(Blame::NoProof)
        .because("it is none of this server's")
    };
    let lesser = || {
        Refusal::new(
            ErrorCode::INSUFFICIENT_SCOPE,
            Rule::Role,
            "needs grantor:write",
        )
        .because("the token has grantor:read")
    };
    world.log.take();
    let refuse = |token, refusal| {
        world
            .server
            .record_refusal("admin", &extensions, token, refusal)
    };
    let told: Vec<_> = [
        refuse(None, garbage()),
        refuse(None, garbage()),
        refuse(Some(&token), lesser()),
    ]
    .into();
    let logged = world.log.take();
    let rules = ["access_token", "throttled", "role"];
    assert_eq!(logged.len(), rules.len());
    for ((decision, (id, refusal)), rule) in logged.iter().zip(&told).zip(rules) {
        assert_eq!((&decision.id, &*decision.endpoint), (id, "admin"));
        assert_eq!(decision.sender, Some([192, 0, 2, 7].into()));
        assert_eq!(refusal.rule().name(), rule);
        let is_known = decision.client.as_ref() == Some(&client(&party));
        assert_eq!(
            (decision.is_cheap(), is_known),
            (rule != "role", rule == "role")
        );
        let Outcome::Refused {
            rule: logged,
            cause,
            ..
        } = &decision.outcome
        else {
            panic!("refused");
        };
        assert_eq!((logged.name(), cause.as_str()), (rule, refusal.cause()));
    }
    assert!(told[1].1.retry().is_some() && told[2].1.retry().is_none());
}
