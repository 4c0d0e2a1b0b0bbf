use grantor_jose::PrivateJwk;

use super::*;
use crate::registry::ClientSecret;

const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);

fn client(method: AuthMethod, change: impl FnOnce(&mut ClientMetadata)) -> Client {
    let id = ClientId::parse("billing").expect("an identifier");
    let mut metadata = ClientMetadata::new(id, method.clone(), NOW);
    change(&mut metadata);
    let key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let key = VerificationKey::from_jwk(key.public()).expect("a public key");
    let end = NOW.plus(Duration::from_secs(3600));
    let secret = || ClientSecret::digest("secret", Some(end));
    let secrets = (method == AuthMethod::CLIENT_SECRET_BASIC).then(secret);
    let keys = vec![ClientKey::new(key, Some(end))];
    Client::new(metadata, keys, secrets.into_iter().collect()).expect("a client")
}

fn read_back(client: &Client) -> ClientDocument {
    let text = serde_json::to_vec(&ClientDocument::of(client, NOW)).expect("JSON");
    let document = ClientDocument::parse(&text).expect("a document");
    assert_eq!(serde_json::to_vec(&document).expect("JSON"), text);
    document
}

#[test]
fn what_is_written_registers_the_same() {
    let clients = [
        client(AuthMethod::PRIVATE_KEY_JWT, |_| ()),
        client(AuthMethod::NONE, |metadata| metadata.enabled = false),
        client(AuthMethod::CLIENT_SECRET_BASIC, |metadata| {
            metadata.scope = Scope::parse("a b").expect("a scope");
            metadata.signing_algorithm = Some(Algorithm::Es256);
            metadata.audience_policy = AudiencePolicy::Legacy;
            metadata.assertion_profile = AssertionProfile::ServiceAccount;
            metadata.token_format = TokenFormat::Opaque;
            metadata.grant_types = vec![GrantType::JWT_BEARER, GrantType::AUTHORIZATION_CODE];
            metadata.redirect_uris =
                vec![RedirectUri::parse("https://a.example/b").expect("a URI")];
            metadata.display_name = Some(DisplayName::parse("Billing").expect("a name"));
            metadata.description = Some(Description::parse("Bills.").expect("a text"));
            metadata.homepage = Some(Homepage::parse("https://a.example/").expect("a URL"));
            metadata.consent = ConsentPolicy::Implied;
            metadata.permission_lifetime = Some(Duration::from_secs(86_400));
        }),
    ];
    for client in &clients {
        let read = read_back(client);
        assert_eq!(&read.metadata(NOW), client.metadata());
        let keys = read.public_keys().expect("keys");
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0].to_stored(), client.keys()[0].to_stored());
        assert_eq!(keys[0].expires_at, client.keys()[0].expires_at);
    }
}

#[test]
fn what_is_left_out_has_its_default_and_what_is_wrong_is_named() {
    let least = r#"{"client_id":"billing","token_endpoint_auth_method":"none"}"#;
    let document = ClientDocument::parse(least.as_bytes()).expect("a document");
    let id = ClientId::parse("billing").expect("an identifier");
    let expected = ClientMetadata::new(id, AuthMethod::NONE, NOW);
    assert_eq!(document.metadata(NOW), expected);
    assert!(document.public_keys().expect("keys").is_empty());
    let key = r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#;
    let weak = format!(r#""jwks":{{"keys":[{key}]}}"#);
    for (more, pointers) in [
        (r#""colour":"x""#, &["/colour"][..]),
        (r#""client_name":"""#, &["/client_name"]),
        (
            r#""redirect_uris":["https://a.example/b","x"]"#,
            &["/redirect_uris"],
        ),
        (r#""consent":"always""#, &["/consent"]),
        (r#""permission_lifetime":"1d""#, &["/permission_lifetime"]),
        (r#""scope":7"#, &["/scope"]),
        (r#""scope":"a""#, &[]),
        (r#""enabled":null"#, &["/enabled"]),
        (r#""created_at":"yesterday""#, &["/created_at"]),
        (
            r#""jwks":{"keys":[{"kty":"EC","d":"AA"}]}"#,
            &["/jwks/keys/0"],
        ),
        (r#""jwks":{"keys":[{"kty":"LATTICE"}]}"#, &[]),
        (&weak, &["/jwks/keys/0"]),
        (r#""jwks":7"#, &["/jwks"]),
        (r#""keys":[{"name":"x"}]"#, &["/keys/0"]),
        (r#""keys":[{"name":"x","refused":"expired"}]"#, &[]),
        (r#""keys":[{}]"#, &["/keys"]),
        (
            r#""token_endpoint_auth_signing_alg":"ES257""#,
            &["/token_endpoint_auth_signing_alg"],
        ),
        (
            r#""scope":"a  b","enabled":1,"b":1"#,
            &["/b", "/enabled", "/scope"],
        ),
    ] {
        let text = format!("{},{more}}}", least.trim_end_matches('}'));
        assert_eq!(wrong(&text), pointers, "{text}");
    }
    assert_eq!(wrong("{}"), ["/client_id", "/token_endpoint_auth_method"]);
    assert_eq!(
        wrong(r#"{"client_id":7}"#),
        ["/client_id", "/token_endpoint_auth_method"]
    );
    assert_eq!(wrong("[]"), [""]);
    assert_eq!(wrong(r#"{"client_id":"a","client_id":"a"}"#), [""]);
}

fn wrong(text: &str) -> Vec<String> {
    let read = ClientDocument::parse(text.as_bytes());
    let read = read.and_then(|document| Ok(document.public_keys()?));
    let mut pointers: Vec<_> = match read {
        Ok(_) => Vec::new(),
        Err(Error::Invalid(faults)) => faults.into_iter().map(|fault| fault.pointer).collect(),
        Err(other) => unreachable!("{other:?}"),
    };
    pointers.sort();
    pointers
}
