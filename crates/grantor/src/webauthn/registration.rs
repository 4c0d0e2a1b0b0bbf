//! Making a passkey (WebAuthn §7.1).

use grantor_jose::{json, public_key_from_spki};
use serde_json::Value;

use super::{
    AuthenticatorData, Ceremony, ClientData, Expectation, MAX_BYTES, WebauthnError, cose_number,
    members,
};
use crate::registry::{CredentialId, PasskeyKey};

/// What a browser says of a new passkey: `toJSON()` of the credential, with nothing proven.
#[derive(Debug)]
pub struct Registration {
    id: CredentialId,
    client_data: ClientData,
    authenticator_data: Vec<u8>,
    /// As X.509 writes it.
    key: Vec<u8>,
    /// By its number in COSE.
    algorithm: i64,
}

/// A passkey that was made as it was asked for.
#[derive(Debug)]
pub struct Made {
    id: CredentialId,
    key: PasskeyKey,
    counter: u32,
}

impl Registration {
    /// Reads what a browser sent.
    ///
    /// # Errors
    /// [`WebauthnError`]; size is checked before anything is read.
    pub fn parse(input: &[u8]) -> Result<Self, WebauthnError> {
        if input.len() > MAX_BYTES {
            return Err(WebauthnError::TooLarge);
        }
        let credential = json::parse_object(input).map_err(WebauthnError::Json)?;
        let response = members::response(&credential)?;
        let algorithm = response.get("publicKeyAlgorithm").and_then(Value::as_i64);
        Ok(Self {
            id: members::credential_id(&credential)?,
            client_data: ClientData::parse(&members::octets(response, "clientDataJSON")?)?,
            authenticator_data: members::octets(response, "authenticatorData")?,
            key: members::octets(response, "publicKey")?,
            algorithm: algorithm.ok_or(WebauthnError::Malformed("publicKeyAlgorithm"))?,
        })
    }

    /// The challenge that the browser says it was given, in base64url.
    pub fn challenge(&self) -> &str {
        self.client_data.challenge()
    }

    /// The new passkey, if and only if every rule is kept. Vetting an RSA key takes milliseconds.
    ///
    /// # Errors
    /// [`WebauthnError`], the first rule that is broken.
    pub fn verify(&self, expected: &Expectation<'_>) -> Result<Made, WebauthnError> {
        let data = AuthenticatorData::parse(&self.authenticator_data)?;
        expected.check(Ceremony::Create, &self.client_data, &data)?;
        let id = CredentialId::new(data.new_credential()?);
        if id.as_ref() != Ok(&self.id) {
            return Err(WebauthnError::CredentialId);
        }
        let key = PasskeyKey::new(public_key_from_spki(&self.key)?)?;
        if cose_number(key.algorithm()) != Some(self.algorithm) {
            return Err(WebauthnError::Algorithm(self.algorithm));
        }
        Ok(Made {
            id: self.id.clone(),
            key,
            counter: data.counter,
        })
    }
}

impl Made {
    /// The id that its authenticator gave it.
    pub fn id(&self) -> &CredentialId {
        &self.id
    }

    /// Its public key.
    pub fn key(&self) -> &PasskeyKey {
        &self.key
    }

    /// Where its counter stands; 0 if it counts nothing.
    pub fn counter(&self) -> u32 {
        self.counter
    }
}
