//! What changes between its reading and the answer to a claim: nothing is answered (S036).

use std::{sync::Arc, time::Duration};

use grantor::{
    assertion::Usage,
    registry::{
        Actor, Client, ClientMetadata, Permission, PermissionId, Subject, Trust, TrustedIssuer,
    },
    storage::{MemoryStore, Registries as _, Registry, StoreError},
    types::{AuthMethod, GrantType, Scope},
};
use grantor_testkit::{Answer, Authorize, Form, Party, Use, World, keys};

use crate::{
    meanwhile::{self, At, Meanwhile, Work},
    people::{ANNA, APP, Place, authenticated, redeem_as_app},
};

const POST: AuthMethod = AuthMethod::CLIENT_SECRET_POST;

fn by() -> Actor {
    Actor::program("test")
}

impl Meanwhile {
    fn at(&self, at: At, work: Work) {
        *self.work.lock().expect("no panic") = Some((at, work));
    }

    #[track_caller]
    fn is_done(&self, row: &str) {
        assert!(self.work.lock().expect("no panic").is_none(), "{row}");
    }
}

/// A server whose claims and permissions something happens behind.
fn world() -> (World, Arc<Meanwhile>) {
    let meanwhile = Arc::<Meanwhile>::default();
    let world = World::with(|builder| {
        let builder = builder.replay(meanwhile.clone());
        builder.permissions(meanwhile.clone())
    });
    let _ = meanwhile.store.set(world.store.clone());
    (world, meanwhile)
}

/// As [`world`], with people, and an [`APP`] that gets refresh tokens.
async fn place() -> (Place, Arc<Meanwhile>) {
    let meanwhile = Arc::<Meanwhile>::default();
    let place = Place::with(|builder| {
        let builder = builder.replay(meanwhile.clone());
        builder.permissions(meanwhile.clone())
    });
    let _ = meanwhile.store.set(place.world.store.clone());
    let may_refresh = |client: &mut ClientMetadata| {
        client.grant_types.push(GrantType::REFRESH_TOKEN);
    };
    place.client(APP, POST, may_refresh).await;
    place.person(ANNA).await;
    (place, meanwhile)
}

/// How a client changes.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Disabled,
    OtherKeys,
    Narrowed,
    Gone,
}

async fn turn(store: Arc<MemoryStore>, id: String, turn: Turn) {
    let (id, registry) = (id.parse().expect("a client"), store.clients());
    let change = |client: &Client| {
        let mut metadata = client.metadata().clone();
        let mut keys = client.keys().to_vec();
        match turn {
            Turn::Disabled => metadata.enabled = false,
            Turn::OtherKeys => keys = vec![keys::P384.public().into()],
            Turn::Narrowed => metadata.scope = Scope::parse("read").expect("a scope"),
            Turn::Gone => {}
        }
        let secrets = client.secrets().to_vec();
        let changed = client.changed(metadata, keys, secrets);
        Ok::<_, StoreError>(changed.expect("a client that makes sense"))
    };
    match turn {
        Turn::Gone => registry.delete(&id, &by()).await.expect("it is there"),
        _ => drop(registry.change(&id, &by(), change).await.expect("changed")),
    }
}

#[track_caller]
fn is_unanswered(answer: &Answer, what: &str, row: &str) {
    let cause = format!("{what} changed while the request was decided");
    answer.refused(row, "temporarily_unavailable", "unchanged", &cause);
    assert_eq!(answer.status, 503, "{row}");
    assert_eq!(answer.headers["retry-after"], "1", "{row}");
    assert_eq!(answer.body.get("access_token"), None, "{row}");
}

#[tokio::test]
async fn s036_a_client_that_changes_while_its_jwt_is_claimed_gets_nothing() {
    use Turn::{Disabled, Gone, Narrowed, OtherKeys};
    for usage in [Use::Grant, Use::PrivateKeyJwt] {
        for how in [Disabled, OtherKeys, Narrowed, Gone] {
            let row = format!("{usage:?}: {how:?}");
            let (world, meanwhile) = world();
            let (party, other) = (world.party(usage).await, world.party(usage).await);
            let send = async || world.send(&party.good_form()).await;
            send().await.granted(&row);
            let works = |id: &String| Box::pin(turn(world.store.clone(), id.clone(), how));
            meanwhile.at(At::Claim, works(&other.id));
            send().await.granted(&format!("{row} of another client"));
            meanwhile.is_done(&row);
            meanwhile.at(At::Claim, works(&party.id));
            is_unanswered(&send().await, "client", &row);
            meanwhile.is_done(&row);
        }
    }
}

#[tokio::test]
async fn s036_who_changes_while_it_asks_about_a_token_is_not_answered() {
    let (world, meanwhile) = world();
    let party = world.party(Use::PrivateKeyJwt).await;
    let token = world
        .send(&party.good_form())
        .await
        .granted("a token")
        .to_owned();
    let send = async || {
        let form = party
            .good_form()
            .without("grant_type")
            .with("token", &token);
        let uri = "/introspect".to_owned();
        world.send(&Form { uri, ..form }).await
    };
    assert_eq!(send().await.body["active"], true);
    let work = turn(world.store.clone(), party.id.clone(), Turn::Disabled);
    meanwhile.at(At::Claim, Box::pin(work));
    is_unanswered(&send().await, "client", "introspection");
}

#[tokio::test]
async fn s036_a_client_that_changes_while_its_code_is_claimed_gets_nothing() {
    for how in [Turn::Disabled, Turn::Narrowed] {
        let row = format!("{how:?}");
        let (place, meanwhile) = place().await;
        let code = place.code(&Authorize::new(APP)).await;
        place
            .world
            .send(&redeem_as_app(&code))
            .await
            .granted_both(&row);
        let code = place.code(&Authorize::new(APP)).await;
        let work = turn(place.world.store.clone(), APP.to_owned(), how);
        meanwhile.at(At::Claim, Box::pin(work));
        let answer = place.world.send(&redeem_as_app(&code)).await;
        is_unanswered(&answer, "client", &row);
        meanwhile.is_done(&row);
    }
}

/// What becomes of a permission and its subject.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Subject,
    Permission,
    Scope,
}

impl Ends {
    fn what(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Permission | Self::Scope => "permission",
        }
    }
}

async fn end(store: Arc<MemoryStore>, id: PermissionId, ends: Ends) {
    let permissions: &dyn Registry<Permission> = &*store;
    match ends {
        Ends::Subject => {
            let disabled = |known: &Subject| Ok::<_, StoreError>(known.clone().disabled());
            let changed = store.subjects().change(&id.subject, &by(), disabled).await;
            changed.expect("it is there");
        }
        Ends::Permission => permissions.delete(&id, &by()).await.expect("it is there"),
        Ends::Scope => {
            let narrowed = |known: &Permission| {
                let mut known = known.clone();
                known.scope = Some(Scope::parse("write").expect("a scope"));
                Ok::<_, StoreError>(known)
            };
            let changed = permissions.change(&id, &by(), narrowed).await;
            changed.expect("it is there");
        }
    }
}

fn permission(client: &str, subject: &str) -> PermissionId {
    let client = client.parse().expect("a client");
    PermissionId::by_operator(client, subject.parse().expect("a subject"))
}

#[tokio::test]
async fn s036_under_a_permission_that_changes_behind_its_reading_nothing_is_granted() {
    for ends in [Ends::Subject, Ends::Permission, Ends::Scope] {
        for at in [At::Claim, At::Permissions] {
            let row = format!("{ends:?} {at:?}");
            let (world, meanwhile) = world();
            let party = world.party(Use::Grant).await;
            world.permit(&party, "alice", Some("read")).await;
            let other = world.party(Use::Grant).await;
            world.permit(&other, "bob", Some("read")).await;
            let send = async || {
                let jwt = party.jwt().text("sub", "alice");
                let form = party.form(&jwt.sign(&party.key)).with("scope", "read");
                world.send(&form).await
            };
            let works = |id| Box::pin(end(world.store.clone(), id, ends));
            meanwhile.at(at, works(permission(&other.id, "bob")));
            send().await.granted(&format!("{row} of others"));
            meanwhile.is_done(&row);
            meanwhile.at(at, works(permission(&party.id, "alice")));
            let answer = send().await;
            meanwhile.is_done(&row);
            match at {
                At::Permissions => is_unanswered(&answer, ends.what(), &row),
                // They are read behind the claim: the answer is final.
                _ => assert_eq!(answer.status, 400, "{row}"),
            }
        }
    }
}

#[tokio::test]
async fn s036_a_refresh_token_under_what_changes_behind_its_reading_gets_nothing() {
    for ends in [Ends::Subject, Ends::Permission, Ends::Scope] {
        let row = format!("{ends:?}");
        let (place, meanwhile) = place().await;
        let code = place.code(&Authorize::new(APP)).await;
        let redeemed = place.world.send(&redeem_as_app(&code)).await;
        let (_, token) = redeemed.granted_both(&row);
        let refresh = async |token: &str| {
            let form = Form::new("refresh_token").with("refresh_token", token);
            place.world.send(&authenticated(form, APP, &POST)).await
        };
        let (_, token) = refresh(&token).await.granted_both(&row);
        let id = PermissionId::by_person(
            APP.parse().expect("a client"),
            ANNA.parse().expect("a subject"),
        );
        let work = end(place.world.store.clone(), id, ends);
        meanwhile.at(At::Permissions, Box::pin(work));
        is_unanswered(&refresh(&token).await, ends.what(), &row);
        meanwhile.is_done(&row);
    }
}

/// The leeway of the issuer, or the scope of its trusts.
async fn move_one(store: Arc<MemoryStore>, is_trust: bool) {
    if !is_trust {
        let id = "https://idp.example".parse().expect("an issuer");
        let change = |issuer: &TrustedIssuer| {
            let mut issuer = issuer.clone();
            issuer.leeway = Duration::from_secs(31);
            Ok::<_, StoreError>(issuer)
        };
        let changed = store.issuer_registry().change(&id, &by(), change).await;
        changed.expect("it is registered");
        return;
    }
    for name in ["ci", "job"] {
        let name = name.parse().expect("a name");
        let change = |trust: &Trust| {
            let mut trust = trust.clone();
            trust.scope = Scope::parse("write").expect("a scope");
            Ok::<_, StoreError>(trust)
        };
        let changed = store.trust_registry().change(&name, &by(), change).await;
        changed.expect("it is registered");
    }
}

#[tokio::test]
async fn s036_a_trust_or_an_issuer_that_changes_while_a_jwt_is_claimed_grants_nothing() {
    for usage in [Usage::Grant, Usage::ClientAuthentication] {
        for (what, is_trust) in [("issuer", false), ("trust", true)] {
            let row = format!("{usage:?}: {what}");
            let (world, idp, meanwhile) = meanwhile::world().await;
            let deployer = Party {
                id: "deployer".to_owned(),
                usage: Use::PrivateKeyJwt,
                key: idp.key.clone(),
            };
            world.permit(&deployer, "alice", Some("read")).await;
            meanwhile::ask(&world, &idp, usage).await.granted(&row);
            let work = move_one(world.store.clone(), is_trust);
            meanwhile.at(At::Claim, Box::pin(work));
            let answer = meanwhile::ask(&world, &idp, usage).await;
            is_unanswered(&answer, what, &row);
            meanwhile.is_done(&row);
        }
    }
}
