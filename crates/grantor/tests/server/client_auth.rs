//! Client authentication: one method per client, one mechanism per request, and credentials that
//! are sent are always validated.

use grantor::{
    registry::{Actor, ClientSecret},
    server::{ClientAssertion, ClientAuthRequirement, ClientCredentials, JwtBearer},
    storage::Registries,
    types::AuthMethod,
};
use grantor_testkit::{
    Answer, Form, Key, Use, World,
    credentials::{METHODS, client, grant_form, signed, with_credentials, world_with},
    keys, metadata, with_client_assertion,
};
use http::StatusCode;

fn is_refused(answer: &Answer, row: &str, cause: &str) {
    let rule = match cause.split_once(':') {
        Some((rule @ ("key" | "method"), _)) => rule,
        _ => "client",
    };
    answer.refused(row, "invalid_client", rule, cause);
}

#[tokio::test]
async fn each_client_may_use_the_method_it_registered_and_no_other() {
    let id = "client-of-one-method";
    for registered in &METHODS {
        for used in &METHODS {
            let row = format!("registered {registered}, used {used}");
            let world = world_with(id, registered).await;
            let for_itself = world
                .send(&with_credentials(Form::new("client_credentials"), id, used))
                .await;
            let with_grant = world
                .send(&with_credentials(grant_form(id), id, used))
                .await;
            let assertions = [&METHODS[0], &METHODS[1]];
            let wrong = match assertions.contains(&registered) && assertions.contains(&used) {
                true => "key: the issuer has no key for algorithm",
                false => "method: client is registered with",
            };
            match used == registered {
                true if *used == AuthMethod::NONE => {
                    is_refused(
                        &for_itself,
                        &row,
                        "method: none is not accepted by this grant",
                    );
                }
                true => drop(for_itself.granted(&row)),
                false => is_refused(&for_itself, &row, wrong),
            }
            // A bare client_id claims nothing that the assertion does not prove.
            match used == registered || *used == AuthMethod::NONE {
                true => drop(with_grant.granted(&row)),
                false => is_refused(&with_grant, &row, wrong),
            }
        }
    }
}

/// The time that a long secret takes must not tell who is there: it is refused before anybody is
/// looked up.
#[tokio::test]
async fn a_secret_longer_than_any_is_refused_whoever_is_meant() {
    for method in [&METHODS[2], &METHODS[3]] {
        let world = world_with("client-with-secret", method).await;
        let answer = async |id: &str, octets: usize| {
            let (secret, form) = ("x".repeat(octets), Form::new("client_credentials"));
            let form = match *method == METHODS[2] {
                true => form.basic(id, &secret),
                false => form.with("client_id", id).with("client_secret", &secret),
            };
            world.send(&form).await
        };
        for id in ["client-with-secret", "nobody-of-ours"] {
            is_refused(
                &answer(id, 1025).await,
                id,
                "client secret is longer than any",
            );
        }
        is_refused(
            &answer("client-with-secret", 1024).await,
            "the control",
            "client secret is wrong",
        );
        is_refused(
            &answer("nobody-of-ours", 1024).await,
            "the control",
            "is not registered",
        );
    }
}

#[tokio::test]
async fn the_decision_names_the_client_and_its_method() {
    for method in &METHODS[..4] {
        let world = world_with("client-by-name", method).await;
        let answer = world
            .send(&with_credentials(
                Form::new("client_credentials"),
                "client-by-name",
                method,
            ))
            .await;
        assert_eq!(
            answer.decision.client.as_ref().map(|id| id.as_str()),
            Some("client-by-name")
        );
        assert_eq!(answer.decision.auth_method.as_ref(), Some(method));
    }
}

#[tokio::test]
async fn wrong_credentials_beside_a_good_grant_assertion_are_refused() {
    let id = "client-that-need-not";
    let wrong = Key::secret("w".repeat(64));
    let rows = [
        (
            0,
            with_client_assertion(
                grant_form(id),
                &signed(id, Use::PrivateKeyJwt, &keys::P256_OTHER),
            ),
            "key",
            "no key with this kid",
        ),
        (
            1,
            with_client_assertion(grant_form(id), &signed(id, Use::ClientSecretJwt, &wrong)),
            "signature",
            "does not verify",
        ),
        (
            2,
            grant_form(id).basic(id, wrong.text()),
            "client",
            "client secret is wrong",
        ),
        (
            3,
            grant_form(id)
                .with("client_id", id)
                .with("client_secret", wrong.text()),
            "client",
            "client secret is wrong",
        ),
        (
            0,
            grant_form(id).header("authorization", "Bearer something-else"),
            "client",
            "the scheme is not Basic",
        ),
    ];
    for (method, form, rule, cause) in rows {
        let world = world_with(id, &METHODS[method]).await;
        world
            .send(&form)
            .await
            .refused(cause, "invalid_client", rule, cause);
        world
            .send(&with_credentials(grant_form(id), id, &METHODS[method]))
            .await
            .granted("right credentials");
        world.send(&grant_form(id)).await.granted("no credentials");
    }
}

#[tokio::test]
async fn client_credentials_need_authentication() {
    let world = world_with("client-in-need", &METHODS[0]).await;
    let none = Form::new("client_credentials");
    is_refused(&world.send(&none).await, "nothing", "the grant requires it");
    is_refused(
        &world
            .send(&none.clone().with("client_id", "client-in-need"))
            .await,
        "client_id",
        "method: client is registered with private_key_jwt",
    );
    world
        .send(&with_credentials(none, "client-in-need", &METHODS[0]))
        .await
        .granted("authenticated");
}

#[tokio::test]
async fn two_mechanisms_are_refused_although_each_is_right() {
    let id = "client-of-two-minds";
    let [private_key, secret_jwt, basic, post, _] = &METHODS;
    let rows = [
        (basic, vec![basic, post], "invalid_request"),
        (post, vec![basic, post], "invalid_request"),
        (private_key, vec![private_key, basic], "invalid_client"),
        (basic, vec![private_key, basic], "invalid_client"),
        (private_key, vec![private_key, post], "invalid_client"),
        (secret_jwt, vec![secret_jwt, basic], "invalid_client"),
        (secret_jwt, vec![secret_jwt, post], "invalid_client"),
        (basic, vec![private_key, basic, post], "invalid_client"),
    ];
    for (registered, used, error) in rows {
        for form in [Form::new("client_credentials"), grant_form(id)] {
            let world = world_with(id, registered).await;
            let both = used.iter().fold(form.clone(), |form, method| {
                with_credentials(form, id, method)
            });
            let answer = world.send(&both).await;
            answer.refused(
                &format!("{used:?}"),
                error,
                "client",
                "more than one client authentication mechanism",
            );
            world
                .send(&with_credentials(form, id, registered))
                .await
                .granted("one mechanism");
        }
    }
}

#[tokio::test]
async fn half_of_an_assertion_pair_is_a_failed_authentication() {
    let id = "client-with-half-a-pair";
    let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    let upper = "urn:ietf:params:oauth:client-assertion-type:JWT-bearer";
    let spaced = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer ";
    for start in [Form::new("client_credentials"), grant_form(id)] {
        let world = world_with(id, &METHODS[0]).await;
        let whole = with_credentials(start, id, &METHODS[0]);
        let rows = [
            (
                whole.clone().without("client_assertion"),
                "'client_assertion' is missing",
            ),
            (
                whole.clone().without("client_assertion_type"),
                "'client_assertion_type' is missing",
            ),
            (
                whole.clone().set("client_assertion", ""),
                "'client_assertion' is missing",
            ),
            (
                whole.clone().set("client_assertion_type", ""),
                "'client_assertion_type' is missing",
            ),
            (
                whole.clone().set("client_assertion_type", saml),
                "client_assertion_type is not jwt-bearer",
            ),
            (
                whole.clone().set("client_assertion_type", upper),
                "client_assertion_type is not jwt-bearer",
            ),
            (
                whole.clone().set("client_assertion_type", spaced),
                "client_assertion_type is not jwt-bearer",
            ),
        ];
        for (form, cause) in rows {
            is_refused(&world.send(&form).await, cause, cause);
        }
        world.send(&whole).await.granted("the whole pair");
    }
    let world = world_with(id, &METHODS[3]).await;
    let half = Form::new("client_credentials").with("client_secret", keys::SECRET.text());
    is_refused(
        &world.send(&half).await,
        "no client_id",
        "'client_id' is missing",
    );
    world
        .send(&half.with("client_id", id))
        .await
        .granted("both");
}

#[tokio::test]
async fn an_empty_pair_beside_basic_counts_as_omitted() {
    let id = "client-with-empty-pair";
    let world = world_with(id, &METHODS[2]).await;
    let form = with_credentials(Form::new("client_credentials"), id, &METHODS[2]);
    world
        .send(
            &form
                .with("client_assertion", "")
                .with("client_assertion_type", "")
                .with("client_secret", ""),
        )
        .await
        .granted("empty");
}

#[tokio::test]
async fn client_id_is_not_needed_but_must_agree() {
    let id = "client-that-says-its-id";
    for method in &METHODS[..4] {
        let world = world_with(id, method).await;
        world
            .store
            .clients()
            .create(
                client(metadata("another-valid-client", method.clone())),
                &Actor::program("test"),
            )
            .await
            .expect("a new name");
        for other in [
            "another-valid-client",
            "no-client-of-ours",
            "client-that-says-its-ID",
        ] {
            if *method == AuthMethod::CLIENT_SECRET_POST {
                continue;
            }
            let form = with_credentials(Form::new("client_credentials"), id, method)
                .set("client_id", other);
            is_refused(
                &world.send(&form).await,
                other,
                "client_id does not match the credentials",
            );
        }
        let form =
            with_credentials(Form::new("client_credentials"), id, method).set("client_id", id);
        world.send(&form).await.granted("its own");
    }
}

#[tokio::test]
async fn a_bare_client_id_beside_a_grant_assertion_must_name_its_issuer() {
    let id = "client-that-is-confidential";
    for method in &METHODS {
        let world = world_with(id, method).await;
        world
            .store
            .clients()
            .create(
                client(metadata("some-public-client", AuthMethod::NONE)),
                &Actor::program("test"),
            )
            .await
            .expect("a new name");
        for (other, error) in [
            ("some-public-client", "invalid_grant"),
            ("no-client-of-ours", "invalid_grant"),
            ("control\u{7}characters", "invalid_client"),
        ] {
            let answer = world.send(&grant_form(id).with("client_id", other)).await;
            assert_eq!(answer.body["error"], error, "{other}");
            assert!(
                format!("{:?}", answer.decision.outcome).contains("client_id does not match"),
                "{other}"
            );
        }
        world
            .send(&grant_form(id).with("client_id", id))
            .await
            .granted("its own");
        world.send(&grant_form(id)).await.granted("none");
    }
}

#[tokio::test]
async fn an_authenticated_client_cannot_use_the_assertion_of_another() {
    let world = world_with("client-that-signed", &METHODS[0]).await;
    for method in &METHODS[..4] {
        let id = format!("thief-by-{method}");
        world
            .store
            .clients()
            .create(
                client(metadata(&id, method.clone())),
                &Actor::program("test"),
            )
            .await
            .expect("a new name");
        let answer = world
            .send(&with_credentials(
                grant_form("client-that-signed"),
                &id,
                method,
            ))
            .await;
        answer.refused(&id, "invalid_grant", "caller", "is not the issuer");
        world
            .send(&with_credentials(grant_form(&id), &id, method))
            .await
            .granted("its own");
    }
}

#[tokio::test]
async fn basic_credentials_are_decoded_exactly_once() {
    let (id, secret) = (
        "id with:colon %2B+\u{e9}",
        "secret with:colon %2B+\u{e9} and more",
    );
    let world = World::new();
    let secrets = vec![ClientSecret::digest(secret, None)];
    world
        .register(
            metadata(id, AuthMethod::CLIENT_SECRET_BASIC),
            vec![],
            secrets,
        )
        .await;
    let form = Form::new("client_credentials");
    world
        .send(&form.clone().basic(id, secret))
        .await
        .granted("percent-encoded");
    let plus = grantor_testkit::form::encode(id).replace("%20", "+");
    let header = grantor_testkit::form::basic_of(format!(
        "{plus}:{}",
        grantor_testkit::form::encode(secret)
    ));
    world
        .send(&form.clone().header("authorization", &header))
        .await
        .granted("plus for space");
    world
        .send(
            &form
                .clone()
                .header("authorization", &header.replacen("Basic", "bAsIc", 1)),
        )
        .await
        .granted("scheme in any case");
    let raw = grantor_testkit::form::basic_of(format!("{id}:{secret}"));
    is_refused(
        &world.send(&form.header("authorization", &raw)).await,
        "not encoded",
        "is not registered",
    );
}

#[tokio::test]
async fn unreadable_authorization_headers_fail_authentication() {
    let id = "client-of-basic";
    let world = world_with(id, &METHODS[2]).await;
    let encoded = |text: &[u8]| grantor_testkit::form::basic_of(text);
    let good = encoded(format!("{id}:{}", keys::SECRET.text()).as_bytes());
    let rows = [
        ("Basic".to_owned(), "no credentials after the scheme"),
        (good.replace(' ', "\t"), "no credentials after the scheme"),
        (
            "Bearer an-access-token".to_owned(),
            "the scheme is not Basic",
        ),
        (
            "Digest username=client-of-basic".to_owned(),
            "the scheme is not Basic",
        ),
        ("Basic ***".to_owned(), "not base64"),
        (format!("{good}, {good}"), "not base64"),
        (encoded(b"no-colon-at-all"), "no colon"),
        (encoded(b"bad%zz:escape"), "not form-encoded"),
        (encoded(b"\xff\xfe:not-utf-8"), "not UTF-8"),
        (encoded(b":only-a-secret"), "is not registered"),
        (
            encoded(format!("{id}:").as_bytes()),
            "client secret is wrong",
        ),
        (
            encoded(format!("{id}:{}x", keys::SECRET.text()).as_bytes()),
            "client secret is wrong",
        ),
        (
            encoded(format!("{id}:{}", keys::SECRET.text().to_uppercase()).as_bytes()),
            "client secret is wrong",
        ),
    ];
    for (header, cause) in rows {
        let answer = world
            .send(&Form::new("client_credentials").header("authorization", &header))
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        is_refused(&answer, &header, cause);
    }
    let twice = Form::new("client_credentials")
        .header("authorization", &good)
        .header("authorization", &good);
    world.send(&twice).await.refused(
        "two headers",
        "invalid_request",
        "form",
        "more than one Authorization header",
    );
    world
        .send(&Form::new("client_credentials").header("authorization", &good))
        .await
        .granted("the good header");
}

#[tokio::test]
async fn a_grant_takes_the_methods_on_its_own_list_only() {
    let id = "client-of-a-picky-grant";
    let only_keys = ClientAuthRequirement {
        methods: vec![AuthMethod::PRIVATE_KEY_JWT],
        optional: false,
    };
    for method in &METHODS {
        let world = World::bare(|builder| {
            let standard = builder
                .grant(JwtBearer::with_client_auth(only_keys.clone()))
                .grant(ClientCredentials::new());
            standard
                .client_auth(ClientAssertion)
                .client_auth(grantor::server::ClientSecretBasic)
                .client_auth(grantor::server::ClientSecretPost)
                .client_auth(grantor::server::PublicClient)
        });
        world
            .store
            .clients()
            .create(
                client(metadata(id, method.clone())),
                &Actor::program("test"),
            )
            .await
            .expect("a new name");
        let answer = world
            .send(&with_credentials(grant_form(id), id, method))
            .await;
        match *method == AuthMethod::PRIVATE_KEY_JWT {
            true => drop(answer.granted(method.as_str())),
            false => is_refused(
                &answer,
                method.as_str(),
                &format!("method: {method} is not accepted by this grant"),
            ),
        }
        is_refused(
            &world.send(&grant_form(id)).await,
            "anonymous",
            "the grant requires it",
        );
    }
}

#[tokio::test]
async fn credentials_of_a_mechanism_that_is_not_offered_are_refused_not_overlooked() {
    let id = "client-of-a-small-server";
    let assertions_only =
        World::bare(|builder| builder.grant(JwtBearer::new()).client_auth(ClientAssertion));
    let secrets_only = World::bare(|builder| {
        builder
            .grant(JwtBearer::new())
            .client_auth(grantor::server::ClientSecretBasic)
    });
    for world in [&assertions_only, &secrets_only] {
        world
            .store
            .clients()
            .create(
                client(metadata(id, METHODS[0].clone())),
                &Actor::program("test"),
            )
            .await
            .expect("a new name");
        world.send(&grant_form(id)).await.granted("no credentials");
        let answer = world
            .send(&grant_form(id).with("client_id", "no-client-of-ours"))
            .await;
        answer.refused(
            "another name",
            "invalid_grant",
            "caller",
            "does not match the issuer",
        );
    }
    let half = |name| grant_form(id).with(name, "a-value-of-no-use");
    for form in [
        with_credentials(grant_form(id), id, &METHODS[2]),
        with_credentials(grant_form(id), id, &METHODS[3]),
    ] {
        is_refused(
            &assertions_only.send(&form).await,
            "a secret",
            "does not offer",
        );
        let both = with_credentials(form, id, &METHODS[0]).without("client_id");
        is_refused(
            &assertions_only.send(&both).await,
            "a secret and an assertion",
            "more than one",
        );
    }
    let basic_and_post = with_credentials(grant_form(id), id, &METHODS[2])
        .with("client_secret", "a-value-of-no-use");
    let answer = secrets_only.send(&basic_and_post).await;
    answer.refused(
        "a header and a parameter",
        "invalid_request",
        "client",
        "more than one",
    );
    for form in [
        with_credentials(grant_form(id), id, &METHODS[0]),
        half("client_assertion"),
        half("client_assertion_type"),
    ] {
        is_refused(
            &secrets_only.send(&form).await,
            "an assertion",
            "does not offer",
        );
    }
}
