use grantor_jose::{
    PrivateJwk, base64url_encode,
    crypto::sha256,
    json::{Object, Value},
    spki_from_pem,
};
use serde_json::json;

use super::*;
use crate::{
    admin::{Error, Fault, Kind, PlanRequest, PlanStores, Plans},
    clock::UnixTime,
    jose::Algorithm,
    storage::MemoryStore,
};

/// A certificate of a key on P-256, self-signed, without the lines of PEM.
const CERTIFICATE: &str = "MIIBbTCCAROgAwIBAgIUDCNxfbJ2s8XBCmXySGDlPq9aagswCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwBdDAeFw0yNjExMjcwMzE5MzNaFw0yNjExMjgwMzE5MzNaMAwxCjAIBgNVBAMMAXQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAR0LP+cqRJNcl8tyAZPv5wL7IH6JlEOkJ3RtyL/2vAxz3nURwB5GgsvrUuxd4iRQX0H3iZWlWTA6H2ThwcDi94ro1MwUTAdBgNVHQ4EFgQUB7XW7RMn4H3yWaupXox+tmRxWwgwHwYDVR0jBBgwFoAUB7XW7RMn4H3yWaupXox+tmRxWwgwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEA59C7qkYRMYGjg/0WCpaHcRoQRNAP8tBMuiA5gF9qL2ECIAl/VVF9/QAsn0QgeIaecPk7VxBwpYONjlmQC0HeH92k";
/// Its key.
const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEdCz/nKkSTXJfLcgGT7+cC+yB+iZRDpCd0bci/9rwMc951EcAeRoLL61LsXeIkUF9B94mVpVkwOh9k4cHA4veKw==";

fn import(realm: &Value) -> Imported {
    Imported::of_keycloak(realm.to_string().as_bytes()).expect("an export")
}

/// A service client with a secret, with these members instead.
fn client(members: Value) -> Value {
    let mut client = json!({"clientId": "billing", "enabled": true, "protocol": "openid-connect", "clientAuthenticatorType": "client-secret", "publicClient": false, "bearerOnly": false, "standardFlowEnabled": false, "implicitFlowEnabled": false, "directAccessGrantsEnabled": false, "serviceAccountsEnabled": true, "consentRequired": false});
    let Value::Object(members) = members else {
        unreachable!("an object")
    };
    client.as_object_mut().expect("an object").extend(members);
    client
}

/// What is made of this client alone.
fn of_client(members: Value) -> Imported {
    import(&json!({"clients": [client(members)]}))
}

/// The one client that is made of it, and the places of what is left out.
fn made(members: Value) -> (Value, Vec<String>) {
    let imported = of_client(members);
    assert_eq!(imported.registrations.client.len(), 1, "{imported:?}");
    let client = imported.registrations.client[0].clone();
    (client, places(&imported))
}

fn places(imported: &Imported) -> Vec<String> {
    let left_out = imported.left_out.iter();
    left_out.map(|one| one.pointer.clone()).collect()
}

/// Why this place is left out, by a word.
fn says(imported: &Imported, pointer: &str, word: &str) -> bool {
    let mut there = imported
        .left_out
        .iter()
        .filter(|one| one.pointer == pointer);
    there.any(|one| one.why.contains(word))
}

fn public_set(kid: &str) -> Value {
    let key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let mut jwk = serde_json::to_value(key.public()).expect("JSON");
    jwk["kid"] = json!(kid);
    json!({"keys": [jwk]})
}

/// The faults of a plan of it, for an empty registry.
async fn faults(imported: &Imported) -> Vec<Fault> {
    let store = MemoryStore::new();
    let terms = made::any_terms();
    let plans = Plans::new(PlanStores::of(&store), &terms, UnixTime::from_millis(0));
    let request = PlanRequest::new(imported.registrations.clone());
    match plans.make(&request).await {
        Ok(_) => Vec::new(),
        Err(Error::Invalid(faults)) => faults,
        Err(error) => unreachable!("{error}"),
    }
}

#[test]
fn m075_a_service_client_keeps_its_name_and_gets_a_new_secret() {
    let (client, places) = made(
        json!({"secret": "of-keycloak-itself", "name": "Billing", "description": "Writes invoices", "enabled": false}),
    );
    assert_eq!(
        client,
        json!({"client_id": "billing", "enabled": false, "token_endpoint_auth_method": "client_secret_basic", "grant_types": ["client_credentials"], "client_name": "Billing", "description": "Writes invoices", "secret": "make"})
    );
    assert_eq!(places, ["/clients"]);
    for (members, method) in [
        (
            json!({"clientAuthenticatorType": null}),
            "client_secret_basic",
        ),
        (
            json!({"attributes": {"client.secret.authentication.allowed.method": "client_secret_post"}}),
            "client_secret_post",
        ),
        (
            json!({"clientAuthenticatorType": "client-secret-jwt"}),
            "client_secret_jwt",
        ),
    ] {
        let (client, _) = made(members);
        assert_eq!(client["token_endpoint_auth_method"], json!(method));
        assert_eq!(client["secret"], json!("make"));
    }
    let (public, places) = made(
        json!({"publicClient": true, "serviceAccountsEnabled": false, "standardFlowEnabled": true, "consentRequired": true, "redirectUris": ["https://app.example/back"]}),
    );
    assert_eq!(public["token_endpoint_auth_method"], json!("none"));
    assert_eq!(public.get("secret"), None);
    assert!(places.is_empty(), "{places:?}");
}

#[test]
fn m075_no_secret_of_the_export_is_in_what_is_made_of_it() {
    let secret = "Zq3-9hT7-never-shown";
    let realm = json!({
        "clients": [client(json!({"secret": secret, "registrationAccessToken": secret, "attributes": {"client.secret.rotated": secret}}))],
        "users": [{"id": "u1", "username": "alice", "enabled": true, "credentials": [{"type": "password", "secretData": secret, "value": secret}]}],
        "identityProviders": [{"alias": "idp", "providerId": "oidc", "config": {"issuer": "https://idp.example", "useJwksUrl": "true", "jwksUrl": "https://idp.example/jwks", "clientSecret": secret}}],
        "smtpServer": {"password": secret},
        "components": {"org.keycloak.keys.KeyProvider": [{"config": {"privateKey": [secret]}}]},
    });
    let imported = import(&realm);
    let text = serde_json::to_string(&imported).expect("JSON");
    assert!(
        !text.contains(secret) && text.contains("\"secret\":\"make\""),
        "{text}"
    );
    assert!(says(
        &imported,
        "/users",
        "passwords and second factors of 1 users"
    ));
    assert!(says(&imported, "/smtpServer", "1 settings"));
    assert!(says(&imported, "/components", "1 components"));
}

#[test]
fn m075_keys_come_in_each_form_that_keycloak_has() {
    let with = |attributes: Value| json!({"clientAuthenticatorType": "client-jwt", "attributes": attributes});
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{KEY}\n-----END PUBLIC KEY-----\n");
    let usual = base64url_encode(sha256(&[&spki_from_pem(&pem).expect("a key")]));
    for (attributes, kid) in [
        (json!({"jwt.credential.public.key": KEY}), &*usual),
        (json!({"jwt.credential.public.key": pem}), &*usual),
        (json!({"jwt.credential.certificate": CERTIFICATE}), &*usual),
        (
            json!({"jwt.credential.certificate": CERTIFICATE, "jwt.credential.kid": "own"}),
            "own",
        ),
        (
            json!({"use.jwks.string": "true", "jwks.string": public_set("of-set").to_string(), "jwt.credential.certificate": "passed over"}),
            "of-set",
        ),
    ] {
        let (client, places) = made(with(attributes.clone()));
        assert_eq!(
            client["token_endpoint_auth_method"],
            json!("private_key_jwt")
        );
        assert_eq!(client["jwks"]["keys"][0]["kid"], json!(kid), "{attributes}");
        assert_eq!(client["jwks"]["keys"].as_array().map(Vec::len), Some(1));
        assert!(places.is_empty(), "{places:?}");
    }
    let (client, _) = made(with(
        json!({"use.jwks.url": "true", "jwks.url": "https://billing.example/jwks", "jwks.string": "passed over", "token.endpoint.auth.signing.alg": "PS256"}),
    ));
    assert_eq!(client["jwks_uri"], json!("https://billing.example/jwks"));
    assert_eq!(client["token_endpoint_auth_signing_alg"], json!("PS256"));
}

#[test]
fn m075_a_client_whose_keys_cannot_be_used_is_left_out() {
    let private = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let private = format!("{{\"keys\":[{}]}}", private.expose_json());
    for (attributes, place) in [
        (json!({}), "/clients/0/attributes"),
        (
            json!({"jwt.credential.public.key": "AAAA"}),
            "/clients/0/attributes/jwt.credential.public.key",
        ),
        (
            json!({"jwt.credential.public.key": 7}),
            "/clients/0/attributes/jwt.credential.public.key",
        ),
        (
            json!({"use.jwks.string": "true", "jwks.string": private}),
            "/clients/0/attributes/jwks.string",
        ),
        (
            json!({"use.jwks.string": "true"}),
            "/clients/0/attributes/jwks.string",
        ),
        (
            json!({"use.jwks.string": "true", "jwks.string": "{\"keys\":[]}"}),
            "/clients/0",
        ),
        (
            json!({"use.jwks.url": "true", "jwks.url": "http://billing.example/jwks"}),
            "/clients/0",
        ),
        (
            json!({"use.jwks.url": "perhaps"}),
            "/clients/0/attributes/use.jwks.url",
        ),
        (
            json!({"jwt.credential.certificate": CERTIFICATE, "token.endpoint.auth.signing.alg": "RS256"}),
            "/clients/0",
        ),
        (
            json!({"jwt.credential.certificate": CERTIFICATE, "token.endpoint.auth.signing.alg": "none"}),
            "/clients/0",
        ),
    ] {
        let imported =
            of_client(json!({"clientAuthenticatorType": "client-jwt", "attributes": attributes}));
        assert!(imported.registrations.is_empty(), "{attributes}");
        assert_eq!(places(&imported), [place], "{attributes}");
        assert_eq!(imported.left_out[0].name.as_deref(), Some("billing"));
        let text = serde_json::to_string(&imported).expect("JSON");
        assert!(!text.contains("\"d\":"), "{text}");
    }
}

#[test]
fn m075_what_a_client_may_not_do_here_is_said_once() {
    for (members, place) in [
        (json!({"bearerOnly": true}), "/clients/0/bearerOnly"),
        (json!({"protocol": "saml"}), "/clients/0/protocol"),
        (
            json!({"clientAuthenticatorType": "client-x509"}),
            "/clients/0/clientAuthenticatorType",
        ),
        (
            json!({"clientAuthenticatorType": "of-a-plugin"}),
            "/clients/0/clientAuthenticatorType",
        ),
        (json!({"serviceAccountsEnabled": false}), "/clients/0"),
        (
            json!({"serviceAccountsEnabled": false, "directAccessGrantsEnabled": true}),
            "/clients/0",
        ),
        (json!({"publicClient": true}), "/clients/0"),
        (json!({"clientId": "a\nb"}), "/clients/0"),
        (json!({"clientId": ".."}), "/clients/0"),
        (json!({"clientId": 7}), "/clients/0/clientId"),
        (json!({"clientId": ""}), "/clients/0/clientId"),
        (json!({"publicClient": "no"}), "/clients/0/publicClient"),
        (json!({"attributes": []}), "/clients/0/attributes"),
        (
            json!({"defaultClientScopes": "email"}),
            "/clients/0/defaultClientScopes",
        ),
    ] {
        let imported = of_client(members.clone());
        assert!(imported.registrations.is_empty(), "{members}");
        assert_eq!(places(&imported), [place], "{members}");
    }
    for (members, place) in [
        (
            json!({"directAccessGrantsEnabled": true}),
            "/clients/0/directAccessGrantsEnabled",
        ),
        (
            json!({"implicitFlowEnabled": true}),
            "/clients/0/implicitFlowEnabled",
        ),
        (
            json!({"attributes": {"access.token.lifespan": "60"}}),
            "/clients/0/attributes/access.token.lifespan",
        ),
        (
            json!({"attributes": {"access.token.lifespan": 60}}),
            "/clients/0/attributes/access.token.lifespan",
        ),
        (
            json!({"attributes": {"standard.token.exchange.enabled": "true"}}),
            "/clients/0/attributes/standard.token.exchange.enabled",
        ),
        (
            json!({"attributes": {"dpop.bound.access.tokens": "true"}}),
            "/clients/0/attributes/dpop.bound.access.tokens",
        ),
        (json!({"name": "\u{202e}gnilliB"}), "/clients/0/name"),
        (
            json!({"description": "x".repeat(281)}),
            "/clients/0/description",
        ),
        (
            json!({"protocolMappers": [{}]}),
            "/clients/0/protocolMappers",
        ),
        (
            json!({"optionalClientScopes": ["of-nobody"]}),
            "/clients/0/optionalClientScopes/0",
        ),
    ] {
        let (_, places) = made(members.clone());
        assert_eq!(places, [place, "/clients"], "{members}");
    }
    let (client, places) = made(
        json!({"name": "${client_billing}", "description": "", "attributes": {"access.token.lifespan": "-1"}}),
    );
    assert_eq!(
        (client.get("client_name"), client.get("description")),
        (None, None)
    );
    assert_eq!(places, ["/clients"]);
}

#[test]
fn m075_the_code_grant_keeps_whole_redirect_uris_and_asks() {
    let (client, places) = made(json!({
        "standardFlowEnabled": true, "consentRequired": true, "rootUrl": "https://app.example/",
        "redirectUris": ["/back", "https://other.example/back", "https://app.example/*", "https://app.example/back", "javascript:alert(1)"],
        "attributes": {"oauth2.jwt.authorization.grant.enabled": "true"},
    }));
    assert_eq!(
        client["redirect_uris"],
        json!(["https://app.example/back", "https://other.example/back"])
    );
    assert_eq!(client["consent"], json!("ask"));
    assert_eq!(
        client["grant_types"],
        json!([
            "client_credentials",
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:jwt-bearer"
        ])
    );
    assert_eq!(
        places,
        [
            "/clients/0/redirectUris/2",
            "/clients/0/redirectUris/4",
            "/clients"
        ]
    );
    let (client, places) = made(
        json!({"standardFlowEnabled": true, "redirectUris": ["https://app.example/back"], "attributes": {"use.refresh.tokens": "false"}}),
    );
    assert_eq!(
        client["grant_types"],
        json!(["client_credentials", "authorization_code"])
    );
    assert_eq!(client.get("consent"), None);
    assert_eq!(places, ["/clients/0/consentRequired", "/clients"]);
    let relative = |is_service: bool| json!({"serviceAccountsEnabled": is_service, "standardFlowEnabled": true, "rootUrl": "${authBaseUrl}", "redirectUris": ["/back"]});
    let (client, places) = made(relative(true));
    assert_eq!(client["grant_types"], json!(["client_credentials"]));
    assert_eq!(
        places,
        [
            "/clients/0/redirectUris/0",
            "/clients/0/redirectUris",
            "/clients"
        ]
    );
    let imported = of_client(relative(false));
    assert!(imported.registrations.is_empty());
    assert!(says(
        &imported,
        "/clients/0/redirectUris",
        "needs a redirect URI"
    ));
    let many: Vec<_> = (0..22)
        .map(|number| format!("https://app.example/{number}"))
        .collect();
    let (client, places) =
        made(json!({"standardFlowEnabled": true, "consentRequired": true, "redirectUris": many}));
    assert_eq!(client["redirect_uris"].as_array().map(Vec::len), Some(20));
    assert_eq!(
        places,
        [
            "/clients/0/redirectUris/20",
            "/clients/0/redirectUris/21",
            "/clients"
        ]
    );
}

#[test]
fn m075_a_federated_client_waits_for_its_trust() {
    let imported = of_client(
        json!({"clientAuthenticatorType": "federated-jwt", "attributes": {"jwt.credential.issuer": "idp", "jwt.credential.sub": "job"}}),
    );
    assert_eq!(imported.registrations.client[0]["federated"], json!(true));
    assert!(imported.registrations.trust.is_empty());
    assert!(says(
        &imported,
        "/clients/0/attributes/jwt.credential.issuer",
        "grantor trust create"
    ));
}

#[test]
fn m075_scopes_are_those_that_tokens_have_and_none_has_power_here() {
    let scope = |name: &str, attributes: Value, description: &str| json!({"name": name, "protocol": "openid-connect", "description": description, "attributes": attributes});
    let realm = json!({
        "clientScopes": [
            scope("invoices:read", json!({"include.in.token.scope": "true", "consent.screen.text": "Read your invoices"}), "internal"),
            scope("invoices:write", json!({"consent.screen.text": "${writeText}"}), "Write invoices"),
            scope("tenant", json!({"include.in.token.scope": "false"}), ""),
            scope("Grantor:admin", json!({}), ""),
            scope("grantor:admin", json!({}), ""),
            scope("two words", json!({}), ""),
            scope("email", json!({}), "built in"),
            scope("invoices:read", json!({}), "again"),
            scope("long", json!({}), &"x".repeat(300)),
            json!({"name": "saml", "protocol": "saml"}),
            json!(null),
        ],
        "clients": [client(json!({"defaultClientScopes": ["email", "tenant", "invoices:read", "grantor:admin"], "optionalClientScopes": ["invoices:write", "invoices:read", "two words", "Grantor:admin"]}))],
    });
    let imported = import(&realm);
    assert_eq!(
        imported.registrations.scope,
        [
            json!({"name": "invoices:read", "en": "Read your invoices"}),
            json!({"name": "invoices:write", "en": "Write invoices"}),
            json!({"name": "long"}),
        ]
    );
    assert_eq!(
        imported.registrations.client[0]["scope"],
        json!("invoices:read invoices:write")
    );
    let clients_scopes = "/clientScopes";
    assert_eq!(
        places(&imported),
        [
            "/clientScopes/2",
            "/clientScopes/3",
            "/clientScopes/4",
            "/clientScopes/5",
            "/clientScopes/7",
            "/clientScopes/8/description",
            "/clientScopes/9",
            "/clientScopes/10/name",
            clients_scopes,
            "/clients"
        ]
    );
    assert!(says(&imported, "/clientScopes/4", "no power"));
    assert!(says(
        &imported,
        "/clientScopes/7",
        "/clientScopes/0 has this name already"
    ));
}

#[test]
fn m075_users_are_their_ids_and_no_more() {
    let realm = json!({"clients": [client(json!({}))], "users": [
        {"id": "5e1e", "username": "alice", "enabled": true, "clientConsents": [{}], "federatedIdentities": [{}]},
        {"id": "5e1f", "username": "bob", "enabled": false},
        {"id": "5e20", "username": "carol"},
        {"id": "5e1e", "username": "again", "enabled": true},
        {"id": "billing", "username": "as-a-client", "enabled": true},
        {"username": "without", "enabled": true},
        {"id": "5e21", "username": "wrong", "enabled": "maybe"},
        {"id": "s1", "username": "service-account-billing", "serviceAccountClientId": "billing"},
        7,
    ]});
    let imported = import(&realm);
    assert_eq!(
        imported.registrations.subject,
        [
            json!({"id": "5e1e"}),
            json!({"id": "5e1f", "enabled": false}),
            json!({"id": "5e20", "enabled": false})
        ]
    );
    for (place, word) in [
        ("/users/3", "/users/0 has this name already"),
        ("/users/4", "/clients/0 has this name already"),
        ("/users/5/id", "no id"),
        ("/users/6/enabled", "true or false"),
        ("/users/8/id", "no id"),
        ("/users", "1 users that are service accounts"),
        ("/users", "what was allowed to clients by 1 users"),
        ("/users", "accounts elsewhere of 1 users"),
    ] {
        assert!(
            says(&imported, place, word),
            "{place} {word}: {:?}",
            imported.left_out
        );
    }
}

#[test]
fn m075_identity_providers_are_issuers_and_trusts_are_for_a_person() {
    let provider = |alias: &str, members: Value, config: Value| {
        let mut provider =
            json!({"alias": alias, "providerId": "oidc", "enabled": true, "config": config});
        let Value::Object(members) = members else {
            unreachable!("an object")
        };
        provider.as_object_mut().expect("an object").extend(members);
        provider
    };
    let at = |host: &str| json!({"issuer": format!("https://{host}"), "useJwksUrl": "true", "jwksUrl": format!("https://{host}/jwks")});
    let realm = json!({"clients": [client(json!({"clientId": "https://client.example"}))], "identityProviders": [
        provider("Acme Login", json!({"providerId": "jwt-authorization-grant"}), json!({"issuer": "https://acme.example/", "useJwksUrl": true, "jwksUrl": "https://acme.example/jwks", "jwtAuthorizationGrantAssertionSignatureAlg": "PS256", "jwtAuthorizationGrantAllowedClockSkew": 5, "jwtAuthorizationGrantMaxAllowedAssertionExpiration": "300", "jwtAuthorizationGrantAssertionReuseAllowed": "true"})),
        provider("acme/login", json!({"enabled": false}), json!({"issuer": "https://b.example", "useJwksUrl": "false", "publicKeySignatureVerifier": KEY, "publicKeySignatureVerifierKeyId": "k1"})),
        provider("again", json!({}), at("b.example")),
        provider("client", json!({}), at("client.example")),
        provider("plain", json!({}), json!({"issuer": "https://c.example", "useJwksUrl": "true", "jwksUrl": "http://c.example/jwks"})),
        provider("none", json!({}), json!({"useJwksUrl": "true", "jwksUrl": "https://d.example/jwks"})),
        provider("keyless", json!({}), json!({"issuer": "https://e.example"})),
        provider("cluster", json!({"providerId": "kubernetes"}), at("k.example")),
        provider("mesh", json!({"providerId": "spiffe"}), json!({})),
        provider("google", json!({"providerId": "google"}), json!({})),
        provider("odd", json!({}), json!({"issuer": "https://f.example", "useJwksUrl": "true", "jwksUrl": "https://f.example/jwks", "jwtAuthorizationGrantAllowedClockSkew": "2147483", "jwtAuthorizationGrantMaxAllowedAssertionExpiration": "soon"})),
        provider("set", json!({}), json!({"issuer": "https://g.example", "publicKeySignatureVerifier": public_set("of-set").to_string()})),
    ]});
    let imported = import(&realm);
    let issuers = &imported.registrations.issuer;
    assert_eq!(
        issuers[0],
        json!({"iss": "https://acme.example/", "name": "Acme-Login", "keys": {"jwks_uri": "https://acme.example/jwks"}, "algorithms": ["PS256"], "leeway": 5, "max_lifetime": 300})
    );
    assert_eq!(issuers[1]["name"], json!("acme-login-2"));
    assert_eq!(
        (&issuers[1]["enabled"], &issuers[1]["algorithms"]),
        (&json!(false), &json!(["ES256"]))
    );
    assert_eq!(issuers[1]["keys"]["jwks"]["keys"][0]["kid"], json!("k1"));
    assert_eq!(
        issuers
            .iter()
            .filter_map(|one| one["name"].as_str())
            .skip(2)
            .collect::<Vec<_>>(),
        ["odd", "set"]
    );
    assert!(imported.registrations.trust.is_empty());
    for (place, word) in [
        ("/identityProviders/0", "until a trust says"),
        (
            "/identityProviders/0/config/jwtAuthorizationGrantAssertionReuseAllowed",
            "again",
        ),
        ("/identityProviders/2", "/identityProviders/1 has this name"),
        ("/identityProviders/3", "/clients/0 has this name"),
        ("/identityProviders/4", "http"),
        ("/identityProviders/5/config/issuer", "no iss"),
        ("/identityProviders/6/config", "no keys"),
        (
            "/identityProviders/7/providerId",
            "template show kubernetes",
        ),
        ("/identityProviders/8/providerId", "--spiffe-bundle"),
        ("/identityProviders/9/providerId", "sign in"),
        (
            "/identityProviders/10/config/jwtAuthorizationGrantAllowedClockSkew",
            "at most 300",
        ),
        (
            "/identityProviders/10/config/jwtAuthorizationGrantMaxAllowedAssertionExpiration",
            "seconds",
        ),
    ] {
        assert!(
            says(&imported, place, word),
            "{place} {word}: {:?}",
            imported.left_out
        );
    }
}

#[test]
fn m075_no_issuer_is_named_as_another_says_iss() {
    let provider = |alias: &str, iss: &str| {
        let config =
            json!({"issuer": iss, "useJwksUrl": "true", "jwksUrl": "https://idp.example/jwks"});
        json!({"alias": alias, "providerId": "oidc", "config": config})
    };
    let imported = import(
        &json!({"identityProviders": [provider("one", "TWO"), provider("two", "three"), provider("four", "one"), provider("four", "five")]}),
    );
    let names = |member: &str| {
        let issuers = imported.registrations.issuer.iter();
        issuers
            .filter_map(|one| one[member].as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("iss"), ["TWO", "three", "five"]);
    assert_eq!(names("name"), ["one", "two-2", "four"]);
    assert!(says(
        &imported,
        "/identityProviders/2",
        "another issuer is named"
    ));
}

#[test]
fn m075_everything_else_is_a_line_for_each_kind() {
    let imported = import(&json!({
        "realm": "acme", "accessTokenLifespan": 300, "sslRequired": "external",
        "clients": [client(json!({"clientId": "account"})), client(json!({"clientId": "broker"}))],
        "roles": {"realm": [{}, {}], "client": {"a": [{}], "b": []}}, "groups": [], "authenticationFlows": [{}, {}],
        "of a plugin/~": {"a": [1, 2]},
    }));
    assert!(imported.registrations.is_empty());
    let mut places = places(&imported);
    places.sort_unstable();
    assert_eq!(
        places,
        [
            "",
            "/accessTokenLifespan",
            "/authenticationFlows",
            "/clients",
            "/of a plugin~1~0",
            "/roles"
        ]
    );
    assert!(says(&imported, "/roles", "3 roles"));
    assert!(says(&imported, "/accessTokenLifespan", "300 s"));
    assert!(says(&imported, "", "2 settings"));
    assert!(says(&imported, "/clients", "2 that Keycloak makes itself"));
}

#[test]
fn m075_what_is_no_export_is_refused_with_its_place() {
    let deep = format!(
        "{{\"clients\":[],\"groups\":{}{}}}",
        "[".repeat(40),
        "]".repeat(40)
    );
    for (text, pointer, word) in [
        ("", "", "JSON"),
        ("[{\"clients\":[]}]", "", "list"),
        (" {\"realm\":\"acme\"}", "", "neither clients nor users"),
        ("{\"clients\":[],\"clients\":[]}", "", "duplicate"),
        ("{\"clients\":{}}", "/clients", "array"),
        ("{\"users\":7}", "/users", "array"),
        (&*deep, "", "del(.groups)"),
    ] {
        let error = Imported::of_keycloak(text.as_bytes()).expect_err("no export");
        let Error::Invalid(faults) = error else {
            unreachable!("{error}")
        };
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].pointer, pointer, "{text}");
        assert!(
            faults[0].detail.contains(word),
            "{text}: {}",
            faults[0].detail
        );
    }
    let long = vec![b' '; Imported::MAX_BYTES + 1];
    assert!(Imported::of_keycloak(&long).is_err());
    assert!(Imported::of_keycloak(b"\xef\xbb\xbf{\"users\":[]}").is_ok());
}

#[tokio::test]
async fn m075_what_is_made_can_be_registered() {
    let clients: Vec<_> = [
        "a",
        "b",
        "a",
        "\u{e4}",
        "..",
        "~x",
        "x\u{7}",
        "https://idp.example",
    ]
    .map(|name| client(json!({"clientId": name})))
    .into();
    let realm = json!({
        "clients": clients,
        "users": [{"id": "a"}, {"id": "u"}, {"id": "~u"}, {"id": "\n"}],
        "identityProviders": [
            {"alias": "", "providerId": "oidc", "config": {"issuer": "https://idp.example", "useJwksUrl": "true", "jwksUrl": "https://idp.example/jwks"}},
            {"alias": "google", "providerId": "oidc", "config": {"issuer": "https://accounts.google.com", "useJwksUrl": "true", "jwksUrl": "https://www.googleapis.com/oauth2/v3/certs"}},
        ],
    });
    let imported = import(&realm);
    let count = |kind: Kind| imported.registrations.of(kind).len();
    assert_eq!(
        (
            count(Kind::Client),
            count(Kind::Subject),
            count(Kind::Issuer)
        ),
        (4, 1, 1),
        "{imported:?}"
    );
    assert_eq!(faults(&imported).await, []);
    let mut control = imported.clone();
    control.registrations.subject.push(json!({"id": "b"}));
    assert!(!faults(&control).await.is_empty());
}

#[test]
fn m076_a_key_set_is_a_client() {
    let id = ClientId::parse("partner").expect("a name");
    let scope = Scope::parse("read write").expect("a scope");
    let mut set = public_set("k1");
    let jwk = set["keys"][0].clone();
    let encryption: Object = [("kid", json!("e")), ("use", json!("enc"))]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .chain(
            jwk.as_object()
                .cloned()
                .into_iter()
                .flatten()
                .filter(|(name, _)| !["kid", "alg", "use"].contains(&&**name)),
        )
        .collect();
    set["keys"]
        .as_array_mut()
        .expect("keys")
        .push(encryption.into());
    let imported = Imported::of_jwks(set.to_string().as_bytes(), &id, &scope).expect("a set");
    assert_eq!(
        imported.registrations.client,
        [
            json!({"client_id": "partner", "token_endpoint_auth_method": "private_key_jwt", "scope": "read write", "jwks": {"keys": [jwk]}})
        ]
    );
    assert_eq!(places(&imported), ["/keys/1"]);
    let private = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let private = format!("{{\"keys\":[{}]}}", private.expose_json());
    for text in ["{\"keys\":[]}", "[]", "{}", &private] {
        assert!(
            Imported::of_jwks(text.as_bytes(), &id, &scope).is_err(),
            "{text}"
        );
    }
    let bad = ClientId::parse("..").expect("a text");
    assert!(Imported::of_jwks(set.to_string().as_bytes(), &bad, &scope).is_err());
}
