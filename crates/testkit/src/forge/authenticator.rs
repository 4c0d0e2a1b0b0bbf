//! Passkeys in software: an authenticator and its browser, which say what they are told to.

use std::sync::Arc;

use grantor::jose::{
    Algorithm, KeyType, base64url_encode,
    crypto::{random_bytes, sha256},
};
use serde_json::{Value, json};

use super::Key;

/// The user was there, and was verified.
pub const PRESENT_AND_VERIFIED: u8 = 0b101;
/// A new credential follows.
const HAS_CREDENTIAL: u8 = 1 << 6;

/// An authenticator with one passkey.
#[derive(Clone)]
pub struct Authenticator {
    pub id: Vec<u8>,
    pub key: Arc<Key>,
    /// How it was told to call its user.
    pub user_handle: Vec<u8>,
    pub counter: u32,
}

/// What is said in one ceremony: all of it may be changed before it is sent.
#[derive(Clone)]
pub struct Ceremony {
    /// Members of `clientDataJSON`.
    pub client_data: Value,
    pub relying_party: String,
    pub flags: u8,
    pub counter: u32,
    /// The id within the authenticator data, of a new passkey.
    pub attested_id: Option<Vec<u8>>,
    /// Octets at the end of the authenticator data.
    pub behind: Vec<u8>,
    /// The id that the browser says.
    pub id: Vec<u8>,
    pub user_handle: Vec<u8>,
    pub spki: Vec<u8>,
    pub algorithm: i64,
    key: Arc<Key>,
}

impl Authenticator {
    /// With a new passkey, for nobody yet.
    pub fn new(algorithm: Algorithm) -> Self {
        Self {
            id: random_bytes::<16>().to_vec(),
            key: Key::generate(algorithm),
            user_handle: Vec::new(),
            counter: 0,
        }
    }

    /// Makes the passkey, as it is asked for.
    pub fn create(&self, challenge: &str, origin: &str, relying_party: &str) -> Ceremony {
        Ceremony {
            flags: PRESENT_AND_VERIFIED | HAS_CREDENTIAL,
            attested_id: Some(self.id.clone()),
            // CBOR, which nobody reads: an empty map.
            behind: vec![0xa0],
            ..self.get(challenge, origin, relying_party)
        }
        .of_kind("webauthn.create")
    }

    /// Signs with the passkey, as it is asked to.
    pub fn get(&self, challenge: &str, origin: &str, relying_party: &str) -> Ceremony {
        Ceremony {
            client_data: json!({
                "type": "webauthn.get",
                "challenge": challenge,
                "origin": origin,
                "crossOrigin": false,
            }),
            relying_party: relying_party.to_owned(),
            flags: PRESENT_AND_VERIFIED,
            counter: self.counter,
            attested_id: None,
            behind: Vec::new(),
            id: self.id.clone(),
            user_handle: self.user_handle.clone(),
            spki: self.key.spki(),
            algorithm: match self.key.algorithm {
                Algorithm::Es256 => -7,
                Algorithm::Ed25519 => -8,
                Algorithm::Rs256 => -257,
                // RS1, which nobody asks for.
                _ => -65535,
            },
            key: self.key.clone(),
        }
    }
}

impl Ceremony {
    fn of_kind(mut self, kind: &str) -> Self {
        self.client_data["type"] = kind.into();
        self
    }

    /// The same with something changed.
    #[must_use]
    pub fn but(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut changed = self.clone();
        change(&mut changed);
        changed
    }

    /// `clientDataJSON`
    pub fn client_data_json(&self) -> Vec<u8> {
        self.client_data.to_string().into_bytes()
    }

    pub fn authenticator_data(&self) -> Vec<u8> {
        let mut data = sha256(&[self.relying_party.as_bytes()]).to_vec();
        data.push(self.flags);
        data.extend_from_slice(&self.counter.to_be_bytes());
        if let Some(id) = &self.attested_id {
            data.extend_from_slice(&[0; 16]);
            let length = u16::try_from(id.len()).expect("a short id");
            data.extend_from_slice(&length.to_be_bytes());
            data.extend_from_slice(id);
        }
        data.extend_from_slice(&self.behind);
        data
    }

    /// The signature over this, in the form of WebAuthn.
    pub fn signature(&self) -> Vec<u8> {
        let digest = sha256(&[&self.client_data_json()]);
        let message = [&self.authenticator_data()[..], &digest].concat();
        let signature = self.key.sign(&message);
        match self.key.algorithm.key_type() {
            KeyType::Ec(_) => in_der(&signature),
            _ => signature,
        }
    }

    /// What a browser sends of a new passkey (`RegistrationResponseJSON`).
    pub fn registration(&self) -> Value {
        json!({
            "id": base64url_encode(&self.id),
            "rawId": base64url_encode(&self.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": base64url_encode(self.client_data_json()),
                "authenticatorData": base64url_encode(self.authenticator_data()),
                "publicKey": base64url_encode(&self.spki),
                "publicKeyAlgorithm": self.algorithm,
                "transports": ["internal"],
            },
        })
    }

    /// What a browser sends of a passkey that was used (`AuthenticationResponseJSON`).
    pub fn assertion(&self) -> Value {
        json!({
            "id": base64url_encode(&self.id),
            "rawId": base64url_encode(&self.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": base64url_encode(self.client_data_json()),
                "authenticatorData": base64url_encode(self.authenticator_data()),
                "signature": base64url_encode(self.signature()),
                "userHandle": base64url_encode(&self.user_handle),
            },
        })
    }
}

/// An ECDSA signature as X.509 has it: a sequence of two integers.
fn in_der(fixed: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let zeros = number.iter().take_while(|octet| **octet == 0).count();
        let number = &number[zeros..];
        let sign: &[u8] = if number[0] & 0x80 != 0 { &[0] } else { &[] };
        let length = (sign.len() + number.len()) as u8;
        [&[2, length], sign, number].concat()
    };
    let (r, s) = fixed.split_at(fixed.len() / 2);
    let numbers = [integer(r), integer(s)].concat();
    [&[0x30, numbers.len() as u8], &numbers[..]].concat()
}
