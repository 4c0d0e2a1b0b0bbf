//! How much is given: scope within registration and permission (RFC 6749 §3.3), and the resource a
//! token is for (RFC 8707).

use grantor::{
    registry::{Actor, ClientMetadata, Subject, TokenFormat},
    server::Settings,
    storage::{Registries, StoreError},
    types::{Scope, SubjectId},
};
use grantor_testkit::{Answer, Party, Use, World, keys};
use serde_json::Value;
use std::time::Duration;

/// The claims of an access token.
fn claims(answer: &Answer) -> Value {
    let token = answer.granted("a token");
    let payload = token.split('.').nth(1).expect("three segments");
    serde_json::from_slice(&grantor::jose::base64url_decode(payload).expect("base64url"))
        .expect("JSON")
}

/// What was granted: the same in the answer, in the token and in the decision.
fn granted_scope(answer: &Answer) -> String {
    let scope = answer
        .body
        .get("scope")
        .map(|scope| scope.as_str().expect("a text").to_owned())
        .unwrap_or_default();
    assert_eq!(
        claims(answer)
            .get("scope")
            .and_then(Value::as_str)
            .unwrap_or_default(),
        scope
    );
    assert_eq!(
        answer.decision.scope.as_ref().map(Scope::to_string),
        Some(scope.clone())
    );
    scope
}

#[tokio::test]
async fn a_scope_within_the_registered_one_is_granted_as_requested() {
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        for (requested, granted) in [
            ("read", "read"),
            ("write read", "read write"),
            ("read read", "read"),
            ("", "read write"),
        ] {
            let answer = world
                .send(&party.good_form().with("scope", requested))
                .await;
            assert_eq!(granted_scope(&answer), granted, "{requested}");
        }
        assert_eq!(
            granted_scope(&world.send(&party.good_form()).await),
            "read write",
            "no scope: all that is allowed"
        );
    }
}

#[tokio::test]
async fn a_scope_beyond_the_registered_one_is_refused() {
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        for requested in [
            "administrate",
            "read administrate",
            "READ",
            "readwrite",
            "read,write",
        ] {
            let answer = world
                .send(&party.good_form().with("scope", requested))
                .await;
            answer.refused(
                requested,
                "invalid_scope",
                "scope",
                "scope: allowed \"read write\", requested also \"",
            );
        }
        world
            .send(&party.good_form().with("scope", "read"))
            .await
            .granted("read");
    }
}

#[tokio::test]
async fn a_malformed_scope_is_refused() {
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        let long = "r".repeat(5000);
        for scope in [
            " ",
            " read",
            "read ",
            "read  write",
            "read\twrite",
            "read\nwrite",
            "re\"ad",
            "re\\ad",
            "r\u{e9}ad",
            "read\u{0}",
            &long,
        ] {
            let answer = world.send(&party.good_form().with("scope", scope)).await;
            answer.refused(scope, "invalid_scope", "scope", "scope is malformed");
        }
        world
            .send(&party.good_form().with("scope", "read write"))
            .await
            .granted("read write");
    }
}

#[tokio::test]
async fn a_client_without_scope_gets_a_token_without_scope() {
    for usage in Use::ALL {
        let world = World::new();
        let key = if usage == Use::ClientSecretJwt {
            keys::SECRET.clone()
        } else {
            keys::P256.clone()
        };
        let party = world
            .party_with(usage, key, |metadata| metadata.scope = Scope::default())
            .await;
        let answer = world.send(&party.good_form()).await;
        assert_eq!(
            (answer.body.get("scope"), claims(&answer).get("scope")),
            (None, None)
        );
        world
            .send(&party.good_form().with("scope", "read"))
            .await
            .refused("read", "invalid_scope", "scope", "allowed \"\"");
    }
}

async fn grant_with_scope_claim(
    world: &World,
    party: &Party,
    claim: &str,
    form: Option<&str>,
) -> Answer {
    let token = party.jwt().claim("scope", claim).sign(&party.key);
    let request = party.form(&token);
    world
        .send(&form.map_or(request.clone(), |scope| request.with("scope", scope)))
        .await
}

#[tokio::test]
async fn a_scope_claim_is_the_requested_scope_where_the_form_has_none() {
    let (world, party) = World::with_party(Use::Grant).await;
    for (claim, form, granted) in [
        ("\"read\"", None, "read"),
        ("\"write read\"", None, "read write"),
        ("\"\"", None, "read write"),
        ("\"read\"", Some("write"), "write"),
        ("\"read\"", Some(""), "read"),
        ("\"administrate\"", Some("read"), "read"),
    ] {
        let answer = grant_with_scope_claim(&world, &party, claim, form).await;
        assert_eq!(granted_scope(&answer), granted, "{claim} {form:?}");
    }
}

#[tokio::test]
async fn a_scope_claim_never_widens() {
    let (world, party) = World::with_party(Use::Grant).await;
    let wide = grant_with_scope_claim(&world, &party, "\"read administrate\"", None).await;
    wide.refused(
        "claim",
        "invalid_scope",
        "scope",
        "requested also \"administrate\"",
    );
    let wide =
        grant_with_scope_claim(&world, &party, "\"administrate\"", Some("administrate")).await;
    wide.refused(
        "claim and form",
        "invalid_scope",
        "scope",
        "requested also \"administrate\"",
    );
    for malformed in ["1", "null", "[\"read\"]", "\" read\"", "\"read  write\""] {
        let answer = grant_with_scope_claim(&world, &party, malformed, None).await;
        answer.refused(
            malformed,
            "invalid_scope",
            "scope_claim",
            "the 'scope' claim is malformed",
        );
    }
    granted_scope(&grant_with_scope_claim(&world, &party, "\"read\"", None).await);
    for usage in Use::CLIENT {
        let party = world.party(usage).await;
        let answer = grant_with_scope_claim(&world, &party, "\"administrate\"", None).await;
        assert_eq!(
            granted_scope(&answer),
            "read write",
            "for client authentication it means nothing"
        );
    }
}

#[tokio::test]
async fn a_permission_limits_the_scope_for_its_subject() {
    let (world, party) = World::with_party(Use::Grant).await;
    world
        .permit(&party, "reader-subject", Some("read administrate"))
        .await;
    world.permit(&party, "unlimited-subject", None).await;
    world.permit(&party, "empty-subject", Some("")).await;
    for (subject, requested, granted) in [
        ("reader-subject", None, Some("read")),
        ("reader-subject", Some("read"), Some("read")),
        ("reader-subject", Some("write"), None),
        ("reader-subject", Some("administrate"), None),
        ("unlimited-subject", None, Some("read write")),
        ("unlimited-subject", Some("administrate"), None),
        ("empty-subject", None, Some("")),
        ("empty-subject", Some("read"), None),
    ] {
        let form = party.form(&party.jwt().text("sub", subject).sign(&party.key));
        let answer = world
            .send(&requested.map_or(form.clone(), |scope| form.with("scope", scope)))
            .await;
        match granted {
            Some(granted) => {
                assert_eq!(granted_scope(&answer), granted, "{subject} {requested:?}");
                assert_eq!(claims(&answer)["sub"], subject);
            }
            None => answer.refused(subject, "invalid_scope", "scope", "scope: allowed"),
        }
    }
}

#[tokio::test]
async fn a_client_acts_for_enabled_subjects_that_permit_it_and_nobody_else() {
    let world = World::new();
    let [party, other] = [world.party(Use::Grant).await, world.party(Use::Grant).await];
    world.permit(&party, "subject-of-this-client", None).await;
    world.permit(&other, "subject-of-other-client", None).await;
    let send = async |subject: &str| {
        world
            .send(&party.form(&party.jwt().text("sub", subject).sign(&party.key)))
            .await
    };
    send("subject-of-this-client").await.granted("permitted");
    let refused = [
        (
            "subject-of-other-client",
            "permission",
            "no permission for subject",
        ),
        ("Subject-of-this-client", "subject", "is not known"),
        ("nobody-at-all", "subject", "is not known"),
        (&*other.id, "subject", "is not known"),
    ];
    let mut words = Vec::new();
    for (subject, rule, cause) in refused {
        let answer = send(subject).await;
        answer.refused(subject, "invalid_grant", rule, cause);
        words.push(answer.description().to_owned());
    }
    let id = SubjectId::parse("subject-of-this-client").expect("a subject");
    world
        .store
        .subjects()
        .change(&id, &Actor::program("test"), |subject: &Subject| {
            Ok::<_, StoreError>(subject.clone().disabled())
        })
        .await
        .expect("a known subject");
    let answer = send("subject-of-this-client").await;
    answer.refused(
        "disabled",
        "invalid_grant",
        "subject",
        "subject is disabled",
    );
    words.push(answer.description().to_owned());
    words.dedup();
    assert_eq!(
        words,
        ["the client may not act for this subject"],
        "a client cannot find out who exists"
    );
    world
        .store
        .subjects()
        .change(&id, &Actor::program("test"), |subject: &Subject| {
            Ok::<_, StoreError>(subject.clone().enabled())
        })
        .await
        .expect("a known subject");
    send("subject-of-this-client")
        .await
        .granted("enabled again");
    world
        .store
        .subjects()
        .delete(&id, &Actor::program("test"))
        .await
        .expect("a known subject");
    send("subject-of-this-client").await.refused(
        "deleted",
        "invalid_grant",
        "subject",
        "is not known",
    );
}

const API: &str = "https://api.example/v1?tenant=a";

fn with_resources(world: impl FnOnce(Settings) -> World) -> World {
    world(Settings {
        resources: vec![API.to_owned(), "urn:example:api".to_owned()],
        ..Settings::default()
    })
}

#[tokio::test]
async fn a_resource_that_is_served_becomes_the_audience() {
    for usage in Use::ALL {
        let world = with_resources(|settings| World::with(|builder| builder.settings(settings)));
        let party = world.party(usage).await;
        for resource in [API, "urn:example:api"] {
            let answer = world
                .send(&party.good_form().with("resource", resource))
                .await;
            assert_eq!(claims(&answer)["aud"], resource);
        }
        assert_eq!(
            claims(&world.send(&party.good_form()).await)["aud"],
            grantor_testkit::ISSUER,
            "without resource"
        );
    }
}

#[tokio::test]
async fn other_resources_are_refused() {
    for usage in Use::ALL {
        let world = with_resources(|settings| World::with(|builder| builder.settings(settings)));
        let party = world.party(usage).await;
        for resource in [
            "https://other.example/api",
            "https://api.example/v1",
            "https://API.example/v1?tenant=a",
            "https://api.example/v1?tenant=a#fragment",
            "/relative/path",
            "not-a-uri",
            "urn:example:api/",
        ] {
            let answer = world
                .send(&party.good_form().with("resource", resource))
                .await;
            answer.refused(resource, "invalid_target", "resource", "is not served");
        }
        for second in [API, "urn:example:api", "https://other.example/api"] {
            let answer = world
                .send(
                    &party
                        .good_form()
                        .with("resource", API)
                        .with("resource", second),
                )
                .await;
            answer.refused(
                second,
                "invalid_target",
                "resource",
                "more than one resource",
            );
        }
        world
            .send(&party.good_form().with("resource", API).with("resource", ""))
            .await
            .granted("an empty one counts as omitted");
    }
}

#[tokio::test]
async fn settings_name_the_default_audience_and_the_lifetime() {
    let settings = Settings {
        default_audience: Some("https://default.example".to_owned()),
        token_lifetime: Duration::from_secs(120),
        ..Settings::default()
    };
    for usage in Use::ALL {
        let world = World::with(|builder| builder.settings(settings.clone()));
        let party = world.party(usage).await;
        let answer = world.send(&party.good_form()).await;
        let claims = claims(&answer);
        assert_eq!(
            (answer.body["expires_in"].as_u64(), &claims["aud"]),
            (Some(120), &Value::from("https://default.example"))
        );
        assert_eq!(
            claims["exp"].as_i64().zip(claims["iat"].as_i64()),
            Some((grantor_testkit::NOW + 120, grantor_testkit::NOW))
        );
    }
}

#[tokio::test]
async fn refused_requests_store_no_token() {
    let world = World::new();
    let opaque = |metadata: &mut ClientMetadata| metadata.token_format = TokenFormat::Opaque;
    let party = world
        .party_with(Use::Grant, keys::P256.clone(), opaque)
        .await;
    world
        .send(&party.good_form().with("scope", "administrate"))
        .await
        .refused("wide", "invalid_scope", "scope", "allowed");
    let store = format!("{:?}", world.store);
    assert!(store.contains("records: {}"), "{store}");
    world.send(&party.good_form()).await.granted("within");
    assert!(!format!("{:?}", world.store).contains("records: {}"));
}
