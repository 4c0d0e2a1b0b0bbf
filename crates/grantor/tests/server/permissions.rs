//! Permissions: by which grants, until when, and who gave them; and what a token that was issued
//! under them ends with.

use std::time::Duration;

use async_trait::async_trait;
use grantor::{
    jose::Unverified,
    registry::{Actor, ClientMetadata, ConsentPolicy, Permission, PermissionId, TokenFormat},
    server::{
        Authorization, Caller, ClientAuthRequirement, Context, Decision, Grant, GrantError,
        RefreshToken, Request, Settings, TokenFamily,
    },
    storage::{Artifacts as _, Ending, Put, Registries},
    types::{ClientId, GrantType, Scope, SubjectId},
};
use grantor_testkit::{Answer, Form, NOW, Party, Use, World, at, keys, with_client_assertion};
use serde_json::{Value, json};

use crate::introspection::{inactive, introspect, party_of, token_of};

const BOTH: [TokenFormat; 2] = [TokenFormat::Jwt, TokenFormat::Opaque];

fn by() -> Actor {
    Actor::program("test")
}

fn id(party: &Party) -> ClientId {
    ClientId::parse(&party.id).expect("an id")
}

fn somebody() -> SubjectId {
    SubjectId::parse("somebody").expect("a subject")
}

fn scope(text: &str) -> Scope {
    Scope::parse(text).expect("a scope")
}

/// A client whose people are asked.
async fn asking(world: &World, format: TokenFormat) -> Party {
    let change = |metadata: &mut ClientMetadata| {
        metadata.token_format = format;
        metadata.consent = ConsentPolicy::Ask;
    };
    world
        .party_with(Use::Grant, keys::P256.clone(), change)
        .await
}

/// What the person lets `party` do by assertions.
fn consent(party: &Party, text: &str) -> Permission {
    let grants = vec![GrantType::JWT_BEARER];
    Permission::consented(id(party), somebody(), scope(text), grants)
}

async fn give(world: &World, permission: Permission) {
    let given = world.store.permissions().create(permission, &by()).await;
    given.expect("a new permission");
}

async fn withdraw(world: &World, permission: &PermissionId) {
    let withdrawn = world.store.permissions().delete(permission, &by()).await;
    withdrawn.expect("a permission");
}

fn operators(party: &Party) -> PermissionId {
    PermissionId::by_operator(id(party), somebody())
}

/// Changes what the operator gave.
async fn change(world: &World, party: &Party, change: impl Fn(Permission) -> Permission) {
    let changed =
        |permission: &Permission| Ok::<_, grantor::storage::StoreError>(change(permission.clone()));
    let permissions = world.store.permissions();
    let changed = permissions.change(&operators(party), &by(), changed).await;
    changed.expect("a permission");
}

async fn ask(world: &World, party: &Party) -> Answer {
    let assertion = party.jwt().text("sub", "somebody").sign(&party.key);
    world.send(&party.form(&assertion)).await
}

async fn is_refused(world: &World, party: &Party, row: &str) {
    let answer = ask(world, party).await;
    answer.refused(row, "invalid_grant", "permission", "no permission");
    assert_eq!(
        answer.description(),
        "the client may not act for this subject"
    );
}

#[tokio::test]
async fn a_permission_counts_for_the_grants_that_it_lists() {
    let (world, party) = World::with_party(Use::Grant).await;
    world.permit(&party, "somebody", None).await;
    change(&world, &party, |permission| {
        permission.by_grants(vec![GrantType::from_static("urn:example:other")])
    })
    .await;
    is_refused(&world, &party, "another grant").await;
    change(&world, &party, |permission| {
        let listed = GrantType::from_static("urn:example:other");
        permission.by_grants(vec![listed, GrantType::JWT_BEARER])
    })
    .await;
    ask(&world, &party).await.granted("this one too");
}

#[tokio::test]
async fn a_permission_counts_until_it_ends_and_so_do_its_tokens() {
    for format in BOTH {
        let world = World::new();
        let party = party_of(&world, format).await;
        let asker = world.party(Use::PrivateKeyJwt).await;
        world.permit(&party, "somebody", None).await;
        change(&world, &party, |permission| {
            permission.until(Some(at(30.0)))
        })
        .await;
        world.set_clock(29.999);
        let token = ask(&world, &party).await.granted("just before").to_owned();
        assert_eq!(introspect(&world, &asker, &token).await["active"], true);
        world.set_clock(30.0);
        is_refused(&world, &party, "at its end").await;
        assert_eq!(introspect(&world, &asker, &token).await, inactive());
    }
}

#[tokio::test]
async fn a_client_may_what_either_operator_or_person_allows() {
    for format in BOTH {
        let world = World::new();
        let party = asking(&world, format).await;
        let asker = world.party(Use::PrivateKeyJwt).await;
        world.permit(&party, "somebody", Some("read")).await;
        let narrow = ask(&world, &party).await;
        assert_eq!(narrow.body["scope"], "read");
        give(&world, consent(&party, "write")).await;
        let wide = ask(&world, &party).await;
        assert_eq!(wide.body["scope"], "read write");
        let tokens = [narrow, wide].map(|answer| answer.granted("both").to_owned());
        let scopes = async || {
            let mut scopes = Vec::new();
            for token in &tokens {
                let told = introspect(&world, &asker, token).await;
                scopes.push(told["scope"].as_str().map(str::to_owned));
            }
            scopes
        };
        let told = |scopes: [Option<&str>; 2]| scopes.map(|scope| scope.map(str::to_owned));
        assert_eq!(scopes().await, told([Some("read"), Some("read write")]));
        withdraw(&world, &operators(&party)).await;
        assert_eq!(scopes().await, told([None, Some("write")]), "{format:?}");
        withdraw(&world, &consent(&party, "write").id()).await;
        assert_eq!(scopes().await, told([None, None]), "{format:?}");
        give(&world, consent(&party, "write")).await;
        assert_eq!(scopes().await, told([None, None]), "{format:?} given again");
        assert_eq!(ask(&world, &party).await.body["scope"], "write");
    }
}

/// A person that allows more later allows it to the tokens of before too; their own scope bounds
/// them.
#[tokio::test]
async fn a_wider_consent_leaves_tokens_of_before_in_force() {
    for format in BOTH {
        let world = World::new();
        let party = asking(&world, format).await;
        let asker = world.party(Use::PrivateKeyJwt).await;
        world.permit(&party, "somebody", None).await;
        withdraw(&world, &operators(&party)).await;
        give(&world, consent(&party, "read")).await;
        let token = token_of(&world, &party, "somebody").await;
        let wider = |permission: &Permission| {
            let mut permission = permission.clone();
            permission.scope = Some(scope("read write"));
            Ok::<_, grantor::storage::StoreError>(permission)
        };
        let permissions = world.store.permissions();
        let id = consent(&party, "read").id();
        let changed = permissions.change(&id, &by(), wider).await;
        changed.expect("a permission");
        assert_eq!(introspect(&world, &asker, &token).await["scope"], "read");
        assert_eq!(ask(&world, &party).await.body["scope"], "read write");
    }
}

const SITTING: GrantType = GrantType::from_static("urn:example:sitting");
const FAMILY: [u8; 16] = [7; 16];
const AUDIENCE: &str = "https://api.example/";

/// A grant that says all that a grant may say.
struct Sitting;

#[async_trait]
impl Grant for Sitting {
    fn grant_type(&self) -> GrantType {
        SITTING
    }

    fn client_auth(&self) -> ClientAuthRequirement {
        ClientAuthRequirement::confidential()
    }

    async fn authorize(
        &self,
        context: &Context,
        _: &Request,
        caller: &Caller,
        _: &mut Decision,
    ) -> Result<Authorization, GrantError> {
        let client = caller.authenticated().ok_or(GrantError::NotAllowed)?;
        let subject = context.subjects().subject(&somebody()).await?;
        let subject = subject.ok_or(GrantError::NotAllowed)?;
        Ok(
            Authorization::for_registered(client.clone(), &SITTING, &subject)?
                .within(&scope("read other"))
                .for_audience(AUDIENCE)
                .authenticated_at(at(-5.0))
                .in_family(TokenFamily::from_bytes(FAMILY))
                .with_refresh_token(RefreshToken::new("the next")),
        )
    }
}

/// A server with that grant, and a client for it.
async fn sitting(format: TokenFormat, resources: &[&str]) -> (World, Party) {
    let settings = Settings {
        resources: resources.iter().map(|&one| one.to_owned()).collect(),
        ..Settings::default()
    };
    let world = World::with(|builder| builder.settings(settings).grant(Sitting));
    let party = world
        .party_with(Use::PrivateKeyJwt, keys::P256.clone(), |metadata| {
            metadata.token_format = format;
            metadata.grant_types.push(SITTING);
        })
        .await;
    world.permit(&party, "somebody", None).await;
    (world, party)
}

fn form(party: &Party) -> Form {
    let assertion = party.jwt().sign(&party.key);
    with_client_assertion(Form::new(SITTING.as_str()), &assertion)
}

async fn sit(world: &World, party: &Party) -> Value {
    let answer = world.send(&form(party)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

#[tokio::test]
async fn a_grant_says_when_the_subject_signed_in_whom_the_token_is_for_and_what_comes_with_it() {
    for format in BOTH {
        let (world, party) = sitting(format, &[AUDIENCE]).await;
        let body = sit(&world, &party).await;
        assert_eq!(body["refresh_token"], "the next");
        assert_eq!(body["scope"], "read");
        let token = body["access_token"].as_str().expect("a token");
        if format == TokenFormat::Jwt {
            let jws = Unverified::parse(token).expect("a JWS");
            let claims: Value =
                serde_json::from_slice(jws.dangerously_unverified_payload()).expect("JSON");
            assert_eq!(claims["auth_time"], json!(NOW - 5));
        }
        let told = introspect(&world, &party, token).await;
        assert_eq!(
            (&told["aud"], &told["auth_time"], &told["sub"]),
            (&json!(AUDIENCE), &json!(NOW - 5), &json!("somebody")),
            "{format:?}"
        );
    }
}

#[tokio::test]
async fn the_form_may_name_the_resource_of_the_grant_and_no_other() {
    let other = "https://other.example/";
    let (world, party) = sitting(TokenFormat::Jwt, &[AUDIENCE, other]).await;
    let answer = world.send(&form(&party).with("resource", AUDIENCE)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = world.send(&form(&party).with("resource", other)).await;
    answer.refused("another", "invalid_target", "resource", "is not served");
    let twice = form(&party).with("resource", AUDIENCE);
    let answer = world.send(&twice.with("resource", AUDIENCE)).await;
    answer.refused("twice", "invalid_target", "resource", "more than one");
    let (world, party) = sitting(TokenFormat::Jwt, &[other]).await;
    let answer = world.send(&form(&party)).await;
    answer.refused("no more", "invalid_target", "resource", "is not served");
}

#[tokio::test]
async fn a_token_ends_with_its_family_and_with_its_subject() {
    for format in BOTH {
        for by_family in [true, false] {
            let (world, party) = sitting(format, &[AUDIENCE]).await;
            let body = sit(&world, &party).await;
            let token = body["access_token"].as_str().expect("a token");
            let own = token_of_client(&world, &party).await;
            assert_eq!(introspect(&world, &party, token).await["active"], true);
            if by_family {
                let ending = Ending {
                    owner: None,
                    at: at(0.0),
                    until: at(0.0).plus(Duration::from_secs(3600)),
                };
                let family = TokenFamily::from_bytes(FAMILY).id();
                let ended = world.store.end_family(family, ending, 1).await;
                assert_eq!(ended.expect("the store answers"), Put::Kept);
            } else {
                let deleted = world.store.subjects().delete(&somebody(), &by()).await;
                deleted.expect("a subject");
                world.permit(&party, "somebody", None).await;
            }
            assert_eq!(introspect(&world, &party, token).await, inactive());
            assert_eq!(introspect(&world, &party, &own).await["active"], true);
        }
    }
}

async fn token_of_client(world: &World, party: &Party) -> String {
    let answer = world.send(&party.good_form()).await;
    answer.granted("its own").to_owned()
}
