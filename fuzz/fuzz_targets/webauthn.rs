//! What browsers say of passkeys: what is read is what was said, a passkey is made by the rules or
//! not at all, and nobody but its authenticator proves anything by it.

#![no_main]

use std::sync::LazyLock;

use grantor::{
    jose::{base64url_decode, base64url_encode, crypto::sha256, json::Value},
    registry::PasskeyKey,
    types::Issuer,
    webauthn::{Assertion, Expectation, Known, Registration, RelyingParty, cose_number},
};
use libfuzzer_sys::fuzz_target;

const ORIGIN: &str = "http://localhost:8080";
/// The user of the passkey that `made` makes.
const HANDLE: &[u8] = b"alice";

/// A passkey, and all that it has signed.
static MADE: &[u8] = include_bytes!("../corpus/webauthn/made");
static PROVEN: [&[u8]; 3] = [
    include_bytes!("../corpus/webauthn/proven"),
    include_bytes!("../corpus/webauthn/proven_counting"),
    include_bytes!("../corpus/webauthn/proven_extended"),
];

static PARTY: LazyLock<RelyingParty> = LazyLock::new(|| {
    let issuer = Issuer::parse(ORIGIN).expect("an issuer");
    RelyingParty::of(&issuer).expect("a name")
});
static KEY: LazyLock<PasskeyKey> = LazyLock::new(|| {
    let registration = Registration::parse(MADE).expect("a registration");
    let made = registration.verify(&expected(registration.challenge()));
    made.expect("the corpus has a passkey").key().clone()
});

fuzz_target!(|input: &[u8]| {
    if let Ok(registration) = Registration::parse(input) {
        let said = Said::of(input).expect("an accepted registration has its members");
        assert_eq!(registration.challenge(), said.client_data["challenge"]);
        if let Ok(made) = registration.verify(&expected(registration.challenge())) {
            said.is_by_the_rules("webauthn.create");
            let data = &said.authenticator_data;
            let length = usize::from(u16::from_be_bytes([data[53], data[54]]));
            let attested = base64url_encode(&data[55..55 + length]);
            assert_eq!((made.id().as_str(), &attested), (&*attested, &said.id));
            let number = cose_number(made.key().algorithm());
            assert_eq!(said.response["publicKeyAlgorithm"].as_i64(), number);
        }
    }
    if let Ok(assertion) = Assertion::parse(input) {
        let said = Said::of(input).expect("an accepted assertion has its members");
        assert_eq!(assertion.challenge(), said.client_data["challenge"]);
        assert_eq!(assertion.credential().as_str(), said.id);
        let known = Known {
            key: &KEY,
            user_handle: HANDLE,
            counter: 0,
        };
        let verified = assertion.verify(&expected(assertion.challenge()), &known);
        if verified.is_ok() {
            said.is_by_the_rules("webauthn.get");
            let mut signed = PROVEN
                .map(|proven| Said::of(proven).expect("an assertion"))
                .into_iter();
            let is_signed = signed.any(|signed| {
                (&said.client_data, &said.authenticator_data)
                    == (&signed.client_data, &signed.authenticator_data)
            });
            assert!(is_signed, "it is forged");
        }
    }
});

fn expected(challenge: &str) -> Expectation<'_> {
    Expectation {
        challenge,
        origin: ORIGIN,
        relying_party: &PARTY,
    }
}

/// What was said, as a lax parser reads it.
struct Said {
    id: String,
    response: Value,
    client_data: Value,
    authenticator_data: Vec<u8>,
}

impl Said {
    fn of(input: &[u8]) -> Option<Self> {
        let credential: Value = serde_json::from_slice(input).ok()?;
        let response = credential.get("response")?.clone();
        let octets = |name: &str| base64url_decode(response.get(name)?.as_str()?);
        Some(Self {
            id: credential.get("id")?.as_str()?.to_owned(),
            client_data: serde_json::from_slice(&octets("clientDataJSON")?).ok()?,
            authenticator_data: octets("authenticatorData")?,
            response,
        })
    }

    fn is_by_the_rules(&self, ceremony: &str) {
        assert_eq!(self.client_data["type"], ceremony);
        assert_eq!(self.client_data["origin"], ORIGIN);
        assert_ne!(self.client_data["crossOrigin"], true);
        assert_eq!(self.authenticator_data[..32], sha256(&[b"localhost"]));
        assert_eq!(self.authenticator_data[32] & 0b101, 0b101);
    }
}
