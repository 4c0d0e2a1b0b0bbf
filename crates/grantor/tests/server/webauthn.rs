//! The ceremonies of passkeys, rule by rule (CA40 to CA42): each refusal differs from a ceremony
//! that passes in one thing.

use grantor::{
    jose::{
        Algorithm, Curve, JwkError, KeyType, PublicPemError, base64url_decode, base64url_encode,
    },
    registry::{CredentialId, PasskeyKeyError},
    types::Issuer,
    webauthn::{
        Assertion, Expectation, Known, MAX_BYTES, Made, Proven, Registration, RelyingParty,
        WebauthnError,
    },
};
use grantor_testkit::{
    Key,
    forge::authenticator::{Authenticator, Ceremony},
    quote,
};
use serde_json::{Value, json};

const ORIGIN: &str = "https://as.example:8443";
const HANDLE: &[u8] = b"a user handle";

/// What a page of ours would have given a browser.
fn challenge() -> String {
    base64url_encode([7; 32])
}

fn relying_party() -> RelyingParty {
    let issuer = Issuer::parse("https://as.example:8443/tenant").expect("an issuer");
    RelyingParty::of(&issuer).expect("a name")
}

fn with_expectation<T>(verify: impl FnOnce(&Expectation<'_>) -> T) -> T {
    verify(&Expectation {
        challenge: &challenge(),
        origin: ORIGIN,
        relying_party: &relying_party(),
    })
}

fn create(authenticator: &Authenticator) -> Ceremony {
    authenticator.create(&challenge(), ORIGIN, "as.example")
}

fn get(authenticator: &Authenticator) -> Ceremony {
    authenticator.get(&challenge(), ORIGIN, "as.example")
}

fn made_of(sent: &Value) -> Result<Made, WebauthnError> {
    let registration = Registration::parse(sent.to_string().as_bytes())?;
    with_expectation(|expected| registration.verify(expected))
}

fn made(ceremony: &Ceremony) -> Result<Made, WebauthnError> {
    made_of(&ceremony.registration())
}

/// A user who has a passkey.
struct User {
    authenticator: Authenticator,
    made: Made,
    counter: u32,
}

impl User {
    fn new(algorithm: Algorithm) -> Self {
        let mut authenticator = Authenticator::new(algorithm);
        authenticator.user_handle = HANDLE.to_vec();
        let made = made(&create(&authenticator)).expect("a passkey");
        Self {
            authenticator,
            made,
            counter: 0,
        }
    }

    fn proven_by(&self, sent: &Value) -> Result<Proven, WebauthnError> {
        let assertion = Assertion::parse(sent.to_string().as_bytes())?;
        let known = Known {
            key: self.made.key(),
            user_handle: HANDLE,
            counter: self.counter,
        };
        with_expectation(|expected| assertion.verify(expected, &known))
    }

    fn proven(&self, ceremony: &Ceremony) -> Result<Proven, WebauthnError> {
        self.proven_by(&ceremony.assertion())
    }
}

fn refusal<T>(result: Result<T, WebauthnError>) -> Option<WebauthnError> {
    result.err()
}

#[test]
fn c090_a_passkey_of_each_algorithm_is_made_and_used() {
    for algorithm in [Algorithm::Es256, Algorithm::Ed25519, Algorithm::Rs256] {
        let mut user = User::new(algorithm);
        assert_eq!(user.made.key().algorithm(), algorithm);
        let id = CredentialId::new(&user.authenticator.id).expect("an id");
        assert_eq!(user.made.id(), &id);
        user.proven(&get(&user.authenticator)).expect("the user");
        user.authenticator.counter = 9;
        let proven = user.proven(&get(&user.authenticator)).expect("the user");
        assert_eq!(proven.counter(), 9);
    }
}

/// What Chromium 156 said at `http://localhost:18080`, with its virtual authenticator: a passkey of
/// each algorithm, made and used, for the challenge and the user of these tests.
#[test]
fn c090_what_chromium_says_is_by_the_rules() {
    let said: Value = serde_json::from_str(include_str!("webauthn/chromium.json")).expect("JSON");
    let issuer = Issuer::parse("http://localhost:18080").expect("an issuer");
    let relying_party = RelyingParty::of(&issuer).expect("a name");
    let challenge = challenge();
    let expected = Expectation {
        challenge: &challenge,
        origin: issuer.origin(),
        relying_party: &relying_party,
    };
    for (name, algorithm) in [
        ("es256", Algorithm::Es256),
        ("ed25519", Algorithm::Ed25519),
        ("rs256", Algorithm::Rs256),
    ] {
        let made = said[name]["made"].to_string();
        let made = Registration::parse(made.as_bytes()).expect("a registration");
        let made = made.verify(&expected).expect("a passkey");
        assert_eq!((made.key().algorithm(), made.counter()), (algorithm, 1));
        let proven = said[name]["proven"].to_string();
        let assertion = Assertion::parse(proven.as_bytes()).expect("an assertion");
        assert_eq!(assertion.credential(), made.id());
        let known = Known {
            key: made.key(),
            user_handle: HANDLE,
            counter: made.counter(),
        };
        let proven = assertion.verify(&expected, &known).expect("the user");
        assert_eq!(proven.counter(), 2);
        let elsewhere = Expectation {
            origin: ORIGIN,
            ..expected
        };
        let refused = refusal(assertion.verify(&elsewhere, &known));
        assert!(matches!(refused, Some(WebauthnError::Origin { .. })));
    }
}

/// What a browser says of the page that asked.
type Page = (fn(&mut Ceremony), WebauthnError);

fn pages() -> Vec<Page> {
    macro_rules! says {
        ($($member:literal: $value:expr),*) => {
            |it: &mut Ceremony| { $(it.client_data[$member] = json!($value);)* }
        };
    }
    let of = |origin: &str| WebauthnError::Origin { got: origin.into() };
    let malformed = WebauthnError::Malformed;
    vec![
        (
            says!("origin": "http://as.example:8443"),
            of("http://as.example:8443"),
        ),
        (
            says!("origin": "https://as.example"),
            of("https://as.example"),
        ),
        (
            says!("origin": "https://as.example:8444"),
            of("https://as.example:8444"),
        ),
        (
            says!("origin": "https://www.as.example:8443"),
            of("https://www.as.example:8443"),
        ),
        (
            says!("origin": "https://as.example.evil.example:8443"),
            of("https://as.example.evil.example:8443"),
        ),
        (
            says!("origin": "https://AS.example:8443"),
            of("https://AS.example:8443"),
        ),
        (
            says!("origin": "https://as.example:8443/"),
            of("https://as.example:8443/"),
        ),
        (says!("origin": "null"), of("null")),
        (says!("origin": [ORIGIN]), malformed("origin")),
        (says!("crossOrigin": true), WebauthnError::CrossOrigin),
        (says!("topOrigin": ORIGIN), WebauthnError::CrossOrigin),
        (says!("crossOrigin": "true"), malformed("crossOrigin")),
        (says!("crossOrigin": Value::Null), malformed("crossOrigin")),
        (
            says!("challenge": base64url_encode([8; 32])),
            WebauthnError::Challenge,
        ),
        (
            says!("challenge": format!("{}=", challenge())),
            WebauthnError::Challenge,
        ),
        (says!("challenge": ""), WebauthnError::Challenge),
        (says!("challenge": 7), malformed("challenge")),
        (says!("type": 7), malformed("type")),
    ]
}

#[test]
fn ca40_another_page_or_another_challenge_is_refused_in_both_ceremonies() {
    let user = User::new(Algorithm::Es256);
    let (create, get) = (create(&user.authenticator), get(&user.authenticator));
    for (change, expected) in pages() {
        let (create, get) = (create.but(change), get.but(change));
        let shown = create.client_data.to_string();
        assert_eq!(refusal(made(&create)), Some(expected.clone()), "{shown}");
        assert_eq!(refusal(user.proven(&get)), Some(expected), "{shown}");
    }
    // The controls, with what need not be there.
    let without = |it: &mut Ceremony| {
        let members = it.client_data.as_object_mut().expect("an object");
        members.remove("crossOrigin");
        members.insert("other_keys_can_be_added_here".into(), json!({"a": 1}));
    };
    made(&create.but(without)).expect("a passkey");
    user.proven(&get.but(without)).expect("the user");
}

#[test]
fn ca40_the_client_data_of_one_ceremony_is_none_of_the_other() {
    let user = User::new(Algorithm::Es256);
    let is = |kind: &'static str| move |it: &mut Ceremony| it.client_data["type"] = kind.into();
    let wrong = |expected, got: &str| {
        let got = got.into();
        Some(WebauthnError::Type { expected, got })
    };
    let create = create(&user.authenticator);
    let refused = refusal(made(&create.but(is("webauthn.get"))));
    assert_eq!(refused, wrong("webauthn.create", "webauthn.get"));
    let get = get(&user.authenticator);
    for kind in ["webauthn.create", "payment.get", "webauthn.get "] {
        let refused = refusal(user.proven(&get.but(is(kind))));
        assert_eq!(refused, wrong("webauthn.get", kind));
    }
}

#[test]
fn ca40_client_data_is_strict_json() {
    let user = User::new(Algorithm::Es256);
    let with = |text: &str| {
        let mut sent = get(&user.authenticator).assertion();
        sent["response"]["clientDataJSON"] = base64url_encode(text).into();
        refusal(user.proven_by(&sent))
    };
    let text = get(&user.authenticator).client_data.to_string();
    assert_eq!(with(&text), None, "the control");
    let twice = text.replacen('{', r#"{"origin":"https://evil.example","#, 1);
    for text in [&twice, "", "[]", "\"\"", &format!("{text}{text}")] {
        let refused = with(text).expect("it is no JSON object of ours");
        assert!(matches!(refused, WebauthnError::ClientData(_)), "{text}");
    }
}

/// What an authenticator says.
/// A change of a ceremony, and what is wrong with it then.
type Wrong = (fn(&mut Ceremony), WebauthnError);

fn authenticators() -> Vec<Wrong> {
    vec![
        (|it| it.flags &= !4, WebauthnError::UserVerification),
        (|it| it.flags &= !1, WebauthnError::UserPresence),
        (|it| it.flags |= 1 << 4, WebauthnError::BackupState),
        (
            |it| it.relying_party = "evil.example".to_owned(),
            WebauthnError::RelyingParty,
        ),
        (
            |it| it.relying_party = ORIGIN.to_owned(),
            WebauthnError::RelyingParty,
        ),
    ]
}

#[test]
fn ca41_what_the_authenticator_says_is_held_against_the_rules_in_both_ceremonies() {
    let user = User::new(Algorithm::Es256);
    let (create, get) = (create(&user.authenticator), get(&user.authenticator));
    for (change, expected) in authenticators() {
        assert_eq!(refusal(made(&create.but(change))), Some(expected.clone()));
        assert_eq!(refusal(user.proven(&get.but(change))), Some(expected));
    }
    // The control: a passkey that is copied, and may be.
    let synced = |it: &mut Ceremony| it.flags |= 0b11 << 3;
    made(&create.but(synced)).expect("a passkey");
    user.proven(&get.but(synced)).expect("the user");
}

#[test]
fn ca41_authenticator_data_ends_where_its_flags_say() {
    let user = User::new(Algorithm::Es256);
    let short = |mut sent: Value, length: usize| {
        let data = &sent["response"]["authenticatorData"];
        let data = base64url_decode(data.as_str().expect("a text")).expect("base64url");
        sent["response"]["authenticatorData"] = base64url_encode(&data[..length]).into();
        sent
    };
    let is_malformed = |refused: Option<WebauthnError>| {
        matches!(refused, Some(WebauthnError::AuthenticatorData(_)))
    };
    let (create, get) = (create(&user.authenticator), get(&user.authenticator));
    for length in [0, 31, 32, 36] {
        let sent = short(get.assertion(), length);
        assert!(is_malformed(refusal(user.proven_by(&sent))), "{length}");
    }
    for length in [36, 37, 53, 54, 55, 70, 71] {
        let sent = short(create.registration(), length);
        assert!(is_malformed(refusal(made_of(&sent))), "{length}");
    }
    let changes: [fn(&mut Ceremony); 4] = [
        |it| it.behind = vec![0xa0],
        |it| it.flags |= 1 << 7,
        |it| it.flags |= 1 << 6,
        |it| {
            it.flags |= 1 << 6;
            it.attested_id = Some(vec![1]);
        },
    ];
    for change in changes {
        assert!(is_malformed(refusal(user.proven(&get.but(change)))));
    }
    let no_credential = |it: &mut Ceremony| it.flags &= !(1 << 6);
    assert!(is_malformed(refusal(made(&create.but(no_credential)))));
    // The control: extensions.
    let extended = |it: &mut Ceremony| {
        it.flags |= 1 << 7;
        it.behind = vec![0xa0];
    };
    user.proven(&get.but(extended)).expect("the user");
}

#[test]
fn ca41_only_the_passkeys_own_signature_over_these_data_counts() {
    for algorithm in [Algorithm::Es256, Algorithm::Ed25519, Algorithm::Rs256] {
        let user = User::new(algorithm);
        let get = get(&user.authenticator);
        let sent = get.assertion();
        user.proven_by(&sent).expect("the control");
        let other = Authenticator {
            key: Key::generate(algorithm),
            ..user.authenticator.clone()
        };
        let other_key = self::get(&other).assertion();
        let other_data = get.but(|it| it.counter = 7).assertion();
        let no_signature = json!({"response": {"signature": ""}});
        let mut cut = sent.clone();
        let signature = get.signature();
        let shorter = &signature[..signature.len() - 1];
        cut["response"]["signature"] = base64url_encode(shorter).into();
        let mut longer = sent.clone();
        let more = [&signature[..], &[0]].concat();
        longer["response"]["signature"] = base64url_encode(more).into();
        for wrong in [&other_key, &other_data, &no_signature, &cut, &longer] {
            let mut sent = sent.clone();
            sent["response"]["signature"] = wrong["response"]["signature"].clone();
            let refused = refusal(user.proven_by(&sent));
            assert_eq!(refused, Some(WebauthnError::Signature), "{algorithm}");
        }
        // Client data that say the same otherwise are other data.
        let mut spaced = sent.clone();
        let text = format!(" {}", get.client_data);
        spaced["response"]["clientDataJSON"] = base64url_encode(text).into();
        let refused = refusal(user.proven_by(&spaced));
        assert_eq!(refused, Some(WebauthnError::Signature));
    }
}

#[test]
fn ca41_a_signature_in_the_form_of_jose_is_none() {
    let user = User::new(Algorithm::Es256);
    let get = get(&user.authenticator);
    let digest = grantor::jose::crypto::sha256(&[&get.client_data_json()]);
    let message = [&get.authenticator_data()[..], &digest].concat();
    let mut sent = get.assertion();
    let fixed = user.authenticator.key.sign(&message);
    sent["response"]["signature"] = base64url_encode(fixed).into();
    let refused = refusal(user.proven_by(&sent));
    assert_eq!(refused, Some(WebauthnError::Signature));
}

#[test]
fn ca41_a_counter_goes_forward_where_it_is_used() {
    let mut user = User::new(Algorithm::Es256);
    let mut counts = |known: u32, got: u32| {
        user.counter = known;
        user.authenticator.counter = got;
        refusal(user.proven(&get(&user.authenticator)))
    };
    for (known, got) in [(0, 0), (0, 1), (1, 2), (7, u32::MAX)] {
        assert_eq!(counts(known, got), None, "{known} {got}");
    }
    for (known, got) in [(1, 1), (2, 1), (1, 0), (u32::MAX, 0)] {
        let expected = WebauthnError::Counter { known, got };
        assert_eq!(counts(known, got), Some(expected), "{known} {got}");
    }
}

#[test]
fn c091_the_passkey_is_of_the_user_that_its_authenticator_names() {
    let user = User::new(Algorithm::Es256);
    let get = get(&user.authenticator);
    for handle in [&b""[..], b"a user handlE", b"a user handle "] {
        let other = get.but(|it| it.user_handle = handle.to_vec());
        let refused = refusal(user.proven(&other));
        assert_eq!(refused, Some(WebauthnError::UserHandle));
    }
    for handle in [Value::Null, json!(7), json!("not base64url")] {
        let mut sent = get.assertion();
        sent["response"]["userHandle"] = handle;
        let refused = refusal(user.proven_by(&sent));
        assert_eq!(refused, Some(WebauthnError::Malformed("userHandle")));
    }
    user.proven(&get).expect("the control");
}

#[test]
fn ca42_a_key_that_no_passkey_may_have_is_refused() {
    let create = create(&Authenticator::new(Algorithm::Es256));
    made(&create).expect("the control");
    let with = |algorithm: i64, key: &Key| {
        refusal(made(&create.but(|it| {
            it.algorithm = algorithm;
            it.spki = key.spki();
        })))
    };
    let (p256, p384) = (
        Key::generate(Algorithm::Es256),
        Key::generate(Algorithm::Es384),
    );
    assert_eq!(p384.algorithm.key_type(), KeyType::Ec(Curve::P384));
    let refused = Some(WebauthnError::Key(PasskeyKeyError::Algorithm));
    assert_eq!(with(-7, &p384), refused);
    assert_eq!(with(-35, &p384), refused);
    // RS1, and other keys than is said.
    let (rsa, ed25519) = (
        Key::generate(Algorithm::Rs256),
        Key::generate(Algorithm::Ed25519),
    );
    for (algorithm, key) in [
        (-65535, &rsa),
        (-37, &rsa),
        (-7, &rsa),
        (-257, &p256),
        (-8, &p256),
        (-7, &ed25519),
        (0, &p256),
    ] {
        let refused = Some(WebauthnError::Algorithm(algorithm));
        assert_eq!(with(algorithm, key), refused, "{algorithm}");
    }
    for (algorithm, key) in [(-257, &rsa), (-8, &ed25519), (-7, &p256)] {
        assert_eq!(with(algorithm, key), None, "{algorithm}");
    }
    let mut sent = create.registration();
    for algorithm in [Value::Null, json!("-7"), json!(-7.5)] {
        sent["response"]["publicKeyAlgorithm"] = algorithm;
        let refused = refusal(made_of(&sent));
        let expected = WebauthnError::Malformed("publicKeyAlgorithm");
        assert_eq!(refused, Some(expected));
    }
}

#[test]
fn ca42_a_public_key_is_read_strictly() {
    let create = create(&Authenticator::new(Algorithm::Es256));
    let with = |change: fn(&mut Vec<u8>)| refusal(made(&create.but(|it| change(&mut it.spki))));
    let malformed = WebauthnError::Spki(PublicPemError::Malformed("PUBLIC KEY"));
    assert_eq!(with(|spki| spki.push(0)), Some(malformed.clone()));
    assert_eq!(with(|spki| spki.truncate(90)), Some(malformed.clone()));
    assert_eq!(with(|spki| spki.clear()), Some(malformed.clone()));
    assert_eq!(with(|spki| spki[26] = 2), Some(malformed), "compressed");
    let off_the_curve = with(|spki| spki[90] ^= 1);
    let point = WebauthnError::Key(PasskeyKeyError::Jwk(JwkError::Point));
    assert_eq!(off_the_curve, Some(point));
    let short_rsa = with(|spki| *spki = rsa_1024());
    let expected = WebauthnError::Spki(PublicPemError::Jwk(JwkError::RsaBits(1024)));
    assert_eq!(short_rsa, Some(expected));
}

/// A key of 1024 bits as X.509 has it.
fn rsa_1024() -> Vec<u8> {
    let modulus = [&[2, 0x81, 0x81, 0][..], &[0xff; 128]].concat();
    let numbers = [&modulus[..], &[2, 3, 1, 0, 1]].concat();
    let sequence =
        |tag: &[u8], content: &[u8]| [tag, &[0x81, content.len() as u8], content].concat();
    let bits = sequence(&[3], &[&[0], &sequence(&[0x30], &numbers)[..]].concat());
    let algorithm = [
        0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0,
    ];
    sequence(&[0x30], &[&algorithm[..], &bits].concat())
}

#[test]
fn ca42_the_credential_id_is_the_one_in_the_authenticator_data() {
    let create = create(&Authenticator::new(Algorithm::Es256));
    let with = |sent: &[u8], attested: &[u8]| {
        refusal(made(&create.but(|it| {
            it.id = sent.to_vec();
            it.attested_id = Some(attested.to_vec());
        })))
    };
    assert_eq!(with(&[1], &[1]), None);
    assert_eq!(with(&[7; 1023], &[7; 1023]), None);
    let other = Some(WebauthnError::CredentialId);
    for (sent, attested) in [
        (&[1][..], &[2][..]),
        (&[1], &[1, 0]),
        (&[1], &[]),
        (&[7; 1023], &[7; 1024]),
    ] {
        assert_eq!(with(sent, attested), other);
    }
    for sent in [&[][..], &[7; 1024]] {
        assert_eq!(with(sent, sent), Some(WebauthnError::Malformed("id")));
    }
}

#[test]
fn what_a_browser_sends_is_strict_json_of_its_members() {
    let user = User::new(Algorithm::Es256);
    let (create, get) = (
        create(&user.authenticator).registration(),
        get(&user.authenticator).assertion(),
    );
    made_of(&create).expect("the control");
    user.proven_by(&get).expect("the control");
    for member in ["id", "type", "response"] {
        for wrong in [Value::Null, json!(7), json!("+/")] {
            let expected = Some(WebauthnError::Malformed(member));
            let (mut create, mut get) = (create.clone(), get.clone());
            for sent in [&mut create, &mut get] {
                sent[member] = wrong.clone();
                sent["rawId"] = sent["id"].clone();
            }
            assert_eq!(refusal(made_of(&create)), expected);
            assert_eq!(refusal(user.proven_by(&get)), expected);
        }
    }
    let mut raw = get.clone();
    raw["rawId"] = "AAAA".into();
    let refused = refusal(user.proven_by(&raw));
    assert_eq!(refused, Some(WebauthnError::Malformed("rawId")));
    for member in [
        "clientDataJSON",
        "authenticatorData",
        "signature",
        "publicKey",
    ] {
        for wrong in [Value::Null, json!(7), json!("a="), json!("a b")] {
            let expected = Some(WebauthnError::Malformed(member));
            let (mut create, mut get) = (create.clone(), get.clone());
            create["response"][member] = wrong.clone();
            get["response"][member] = wrong;
            if member != "signature" {
                assert_eq!(refusal(made_of(&create)), expected);
            }
            if member != "publicKey" {
                assert_eq!(refusal(user.proven_by(&get)), expected);
            }
        }
    }
    let id = quote(create["id"].as_str().expect("a text"));
    let twice = create
        .to_string()
        .replacen('{', &format!("{{\"id\":{id},"), 1);
    let refused = refusal(Registration::parse(twice.as_bytes()));
    assert!(
        matches!(refused, Some(WebauthnError::Json(_))),
        "{refused:?}"
    );
    let mut large = create;
    large["more"] = "x".repeat(MAX_BYTES).into();
    assert_eq!(refusal(made_of(&large)), Some(WebauthnError::TooLarge));
    let refused = refusal(user.proven_by(&large));
    assert_eq!(refused, Some(WebauthnError::TooLarge));
}

#[test]
fn dc8_passkeys_are_for_hosts_with_a_name() {
    let id = |issuer: &str| {
        let issuer = Issuer::parse(issuer).expect("an issuer");
        RelyingParty::of(&issuer).map(|party| party.id().to_owned())
    };
    for (issuer, expected) in [
        ("https://as.example", Some("as.example")),
        ("https://as.example:8443/tenant", Some("as.example")),
        ("http://localhost:8080", Some("localhost")),
        (
            "https://xn--bcher-kva.example",
            Some("xn--bcher-kva.example"),
        ),
        ("http://127.0.0.1:8080", None),
        ("https://192.0.2.1", None),
        ("http://[::1]:8080", None),
    ] {
        assert_eq!(id(issuer).as_deref(), expected, "{issuer}");
    }
}
