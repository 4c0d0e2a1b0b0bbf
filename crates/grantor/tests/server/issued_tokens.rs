//! What comes out: RFC 9068 access tokens that verify against the served keys, or opaque ones that
//! are stored by digest.

use std::{collections::HashSet, sync::Arc, time::Duration};

use bytes::Bytes;
use grantor::{
    clock::UnixTime,
    jose::{Algorithm, JwkSet, PrivateJwk, Unverified, base64url_decode},
    keys::KeyRing,
    registry::{ClientMetadata, ClientSecret, TokenFormat},
    server::Settings,
    storage::{
        Artifact, ArtifactKey, ArtifactKind, Artifacts, Ending, FamilyId, GroupId, Put, Registries,
        StoreError,
    },
    types::AuthMethod,
};
use grantor_testkit::{Answer, Form, ISSUER, NOW, Party, Use, World, keys};
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

async fn served_keys(world: &World) -> (Bytes, JwkSet) {
    let request = Request::get("/jwks")
        .body(Full::<Bytes>::default())
        .expect("a request");
    let response = world.server.respond(request).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let text = response
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    let set = JwkSet::parse(&text).expect("a public JWK Set");
    (text, set)
}

/// Header and claims of an access token that verifies with a served key of its `kid`.
async fn verified(world: &World, token: &str) -> (Value, Value) {
    let (_, set) = served_keys(world).await;
    let jws = Unverified::parse(token).expect("a compact JWS");
    let key = set
        .keys
        .into_iter()
        .find(|key| key.key_id() == jws.header().key_id())
        .expect("a served key");
    let verified = jws.verify(&key).expect("a good signature");
    let header = base64url_decode(token.split('.').next().expect("segments")).expect("base64url");
    (
        serde_json::from_slice(&header).expect("JSON"),
        serde_json::from_slice(verified.payload()).expect("JSON"),
    )
}

#[tokio::test]
async fn access_tokens_are_those_of_rfc_9068() {
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        world.set_clock(0.999);
        let answer = world.send(&party.good_form().with("scope", "read")).await;
        let (header, mut claims) = verified(&world, answer.granted("a token")).await;
        assert_eq!(
            (&header["typ"], &header["alg"]),
            (&json!("at+jwt"), &json!("ES256"))
        );
        let jti = claims
            .as_object_mut()
            .expect("an object")
            .remove("jti")
            .expect("a jti");
        assert!(
            jti.as_str()
                .is_some_and(|jti| base64url_decode(jti).is_some_and(|octets| octets.len() >= 28)),
            "{jti}"
        );
        let expected = json!({
            "iss": ISSUER, "sub": party.id, "aud": ISSUER, "client_id": party.id, "iat": NOW, "exp": NOW + 3600, "scope": "read"
        });
        assert_eq!(claims, expected);
    }
}

#[tokio::test]
async fn subject_and_client_are_told_apart() {
    let (world, party) = World::with_party(Use::Grant).await;
    world.permit(&party, "somebody", None).await;
    let answer = world
        .accepts(&party, "for somebody", |jwt| jwt.text("sub", "somebody"))
        .await;
    let (_, claims) = verified(&world, answer.granted("a token")).await;
    assert_eq!(
        (&claims["sub"], &claims["client_id"]),
        (&json!("somebody"), &json!(party.id))
    );
    let names = (
        answer.decision.client.map(|id| id.to_string()),
        answer.decision.subject.map(|id| id.to_string()),
    );
    assert_eq!(names, (Some(party.id), Some("somebody".to_owned())));
}

#[tokio::test]
async fn each_algorithm_signs_tokens_that_the_served_keys_verify() {
    for algorithm in Algorithm::ALL
        .into_iter()
        .filter(|algorithm| !algorithm.is_mac())
    {
        let ring = KeyRing::generate(algorithm).expect("a key ring");
        let world = World::with(|builder| builder.signing_keys(Arc::new(Arc::new(ring))));
        let party = world.party(Use::Grant).await;
        let answer = world.send(&party.good_form()).await;
        let (header, _) = verified(&world, answer.granted(algorithm.name())).await;
        assert_eq!(header["alg"], algorithm.name());
    }
}

#[tokio::test]
async fn served_keys_are_public_for_signatures_and_named() {
    let older = PrivateJwk::generate(Algorithm::Rs256).expect("a key");
    let current = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let ring = KeyRing::new(&current, [older.public().into()]).expect("a key ring");
    let world = World::with(|builder| builder.signing_keys(Arc::new(Arc::new(ring))));
    let (text, set) = served_keys(&world).await;
    assert_eq!((set.keys.len(), set.skipped.len()), (2, 0));
    let document: Value = serde_json::from_slice(&text).expect("JSON");
    for key in document["keys"].as_array().expect("an array") {
        assert_eq!(key["use"], "sig");
        assert!(key["kid"].is_string() && key["alg"].is_string(), "{key}");
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert_eq!(key.get(private), None);
        }
    }
    let party = world.party(Use::Grant).await;
    let answer = world.send(&party.good_form()).await;
    let (header, _) = verified(&world, answer.granted("a token")).await;
    assert_eq!(header["kid"], current.key_id(), "the current key signs");
}

#[tokio::test]
async fn the_answer_has_the_members_of_rfc_6749_and_no_others() {
    for usage in Use::ALL {
        let world = World::with(|builder| {
            builder.settings(Settings {
                token_lifetime: Duration::from_millis(90_500),
                ..Settings::default()
            })
        });
        let party = world.party(usage).await;
        let answer = world.send(&party.good_form()).await;
        answer.granted("a token");
        let mut members: Vec<_> = answer
            .body
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect();
        members.sort();
        assert_eq!(
            members,
            ["access_token", "expires_in", "scope", "token_type"]
        );
        assert_eq!(answer.body["expires_in"], json!(90), "whole seconds");
    }
}

#[tokio::test]
async fn an_access_token_is_no_assertion() {
    for usage in Use::PUBLIC_KEY {
        // Even for a client that holds the very key the server signs with.
        let private = keys::P256.clone();
        let server_key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
        let ring = KeyRing::new(&server_key, []).expect("a key ring");
        let world = World::with(|builder| builder.signing_keys(Arc::new(Arc::new(ring))));
        let shared = grantor::jose::VerificationKey::from_jwk(server_key.public()).expect("a key");
        let metadata = grantor_testkit::metadata(ISSUER, AuthMethod::PRIVATE_KEY_JWT);
        world
            .register(
                metadata,
                vec![shared.into(), private.public().into()],
                vec![],
            )
            .await;
        let party = Party {
            id: ISSUER.to_owned(),
            usage,
            key: private,
        };
        let answer = world.send(&party.good_form()).await;
        let token = answer.granted("a token").to_owned();
        world.send(&party.form(&token)).await.refused(
            "its own token",
            usage.error(),
            "typ",
            "at+jwt",
        );
    }
}

async fn opaque_party(world: &World) -> Party {
    let opaque = |metadata: &mut ClientMetadata| metadata.token_format = TokenFormat::Opaque;
    world
        .party_with(Use::Grant, keys::P256.clone(), opaque)
        .await
}

#[tokio::test]
async fn opaque_tokens_are_recorded_by_digest_alone() {
    let world = World::new();
    let party = opaque_party(&world).await;
    world.permit(&party, "somebody", None).await;
    let answer = world
        .accepts(&party, "for somebody", |jwt| jwt.text("sub", "somebody"))
        .await;
    let token = answer.granted("a token");
    assert!(
        base64url_decode(token).is_some_and(|octets| octets.len() == 32),
        "{token}"
    );
    let key = |token| ArtifactKey::of(ArtifactKind::ACCESS_TOKEN, token);
    let now = grantor_testkit::at(0.0);
    let found = world.store.get(&key(token), now).await.expect("a store");
    let record = found.expect("a record");
    let document: Value = record.read().expect("its document");
    assert_eq!(
        [
            &document["client"],
            &document["subject"],
            &document["scope"],
            &document["audience"],
        ],
        [&*party.id, "somebody", "read write", ISSUER]
    );
    assert_eq!(
        (record.created_at, record.expires_at),
        (now, grantor_testkit::at(3600.0))
    );
    assert!(
        !format!("{:?}", world.store).contains(token),
        "the store does not hold the token"
    );
    assert!(
        !serde_json::to_string(&answer.decision)
            .expect("JSON")
            .contains(token),
        "nor does the log"
    );
    let jwt_party = world.party(Use::Grant).await;
    let jwt = world
        .send(&jwt_party.good_form())
        .await
        .granted("a JWT")
        .to_owned();
    assert_eq!(
        world.store.get(&key(&jwt), now).await.expect("a store"),
        None,
        "a JWT is not recorded"
    );
}

/// A store that is away.
struct Away;

fn away<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable(
        "the token store is on holiday".into(),
    ))
}

#[async_trait::async_trait]
impl Artifacts for Away {
    async fn put(&self, _: ArtifactKey, _: Artifact, _: u64) -> Result<Put, StoreError> {
        away()
    }

    async fn get(&self, _: &ArtifactKey, _: UnixTime) -> Result<Option<Artifact>, StoreError> {
        Ok(None)
    }

    async fn replace(&self, _: ArtifactKey, _: Artifact, _: UnixTime) -> Result<(), StoreError> {
        away()
    }

    async fn take(&self, _: ArtifactKey, _: UnixTime) -> Result<Option<Artifact>, StoreError> {
        away()
    }

    async fn end_family(&self, _: FamilyId, _: Ending, _: u64) -> Result<Put, StoreError> {
        away()
    }

    async fn list(
        &self,
        _: ArtifactKind,
        _: &GroupId,
        _: UnixTime,
        _: u32,
    ) -> Result<Vec<(ArtifactKey, Artifact)>, StoreError> {
        away()
    }

    async fn family_has_ended(&self, _: &FamilyId, _: UnixTime) -> Result<bool, StoreError> {
        away()
    }
}

#[tokio::test]
async fn an_opaque_token_that_cannot_be_recorded_is_not_answered() {
    let world = World::with(|builder| builder.artifacts(Arc::new(Away)));
    let party = opaque_party(&world).await;
    let answer = world.send(&party.good_form()).await;
    answer.refused(
        "away",
        "temporarily_unavailable",
        "storage",
        "storage is not available: the token store is on holiday",
    );
    assert_eq!(
        answer.description(),
        "the server cannot decide right now; try again"
    );
    let party = world.party(Use::Grant).await;
    world
        .send(&party.good_form())
        .await
        .granted("a JWT needs no store");
}

#[tokio::test]
async fn ten_thousand_tokens_have_nothing_in_common() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let world = World::new();
        let secret = ClientSecret::generate();
        let mut metadata =
            grantor_testkit::metadata("busy-client", AuthMethod::CLIENT_SECRET_BASIC);
        metadata.token_format = format;
        world
            .register(metadata, vec![], vec![ClientSecret::digest(&secret, None)])
            .await;
        let form = Form::new("client_credentials").basic("busy-client", &secret);
        let mut random = Vec::new();
        for _ in 0..10_000 {
            let response = world.server.respond(form.request()).await;
            let answer = Answer::read(&form, response, world.log.take()).await;
            random.push(random_part(answer.granted("a token"), format));
        }
        let bytes = random[0].len();
        assert!(bytes >= 16, "at least 128 bits");
        assert_eq!(
            random.iter().collect::<HashSet<_>>().len(),
            random.len(),
            "no two alike"
        );
        // Each octet position takes all values about equally often: 39 expected, sigma about 6.
        for position in 0..bytes {
            let mut counts = [0_u32; 256];
            random
                .iter()
                .for_each(|octets| counts[usize::from(octets[position])] += 1);
            assert!(
                counts.iter().all(|count| (4..90).contains(count)),
                "position {position}: {counts:?}"
            );
        }
    }
}

/// The octets of a token that are meant to be random.
fn random_part(token: &str, format: TokenFormat) -> Vec<u8> {
    let encoded = match format {
        TokenFormat::Opaque => token.to_owned(),
        TokenFormat::Jwt => {
            let payload =
                base64url_decode(token.split('.').nth(1).expect("segments")).expect("base64url");
            let claims: Value = serde_json::from_slice(&payload).expect("JSON");
            claims["jti"].as_str().expect("a jti").to_owned()
        }
        other => unreachable!("{other:?}"),
    };
    base64url_decode(&encoded).expect("base64url")
}

#[test]
fn generated_secrets_are_384_bits_and_never_alike() {
    let secrets: HashSet<String> = (0..1000)
        .map(|_| ClientSecret::generate().to_string())
        .collect();
    assert_eq!(secrets.len(), 1000);
    for secret in secrets {
        assert_eq!(
            base64url_decode(&secret).map(|octets| octets.len()),
            Some(48),
            "{secret}"
        );
    }
}

#[tokio::test]
async fn nothing_prints_a_token_or_a_secret() {
    let world = World::new();
    let secret = "a-secret-that-must-not-be-printed-anywhere-at-all-or-else-it-is-lost";
    let metadata = grantor_testkit::metadata("quiet-client", AuthMethod::CLIENT_SECRET_JWT);
    let secrets = vec![
        ClientSecret::digest(secret, None),
        grantor_testkit::readable(secret, None),
    ];
    world.register(metadata, vec![], secrets).await;
    let client = world
        .store
        .clients()
        .all()
        .await
        .expect("a store")
        .remove(0);
    assert!(!format!("{client:?} {:?}", world.store).contains("must-not-be-printed"));
    let form = Form::new("client_credentials")
        .basic("quiet-client", secret)
        .with("client_secret", secret);
    let (head, _) = form.request().into_parts();
    let now = UnixTime::from_millis(0);
    let parsed =
        grantor::server::Request::parse(head, form.body().as_bytes(), now).expect("a form");
    let text = format!("{parsed:?}");
    assert!(
        text.contains("client_secret") && !text.contains("must-not-be-printed"),
        "{text}"
    );
}
