//! Proving by a passkey that its owner is there (WebAuthn §7.2).

use grantor_jose::{base64url_decode, crypto::constant_time_eq, json};
use serde_json::Value;

use super::{
    AuthenticatorData, Ceremony, ClientData, Expectation, MAX_BYTES, WebauthnError, members,
};
use crate::registry::{CredentialId, PasskeyKey};

/// What a browser says of a passkey that was used: `toJSON()` of the credential, with nothing
/// proven.
#[derive(Debug)]
pub struct Assertion {
    id: CredentialId,
    client_data: ClientData,
    authenticator_data: Vec<u8>,
    signature: Vec<u8>,
    user_handle: Vec<u8>,
}

/// What is known of the passkey that is named.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Its public key.
    pub key: &'a PasskeyKey,
    /// How its owner is called at authenticators.
    pub user_handle: &'a [u8],
    /// Where its counter stood when it was used last; 0 if it counts nothing.
    pub counter: u32,
}

/// The owner of the passkey was there, and was verified.
#[derive(Debug)]
pub struct Proven {
    counter: u32,
}

impl Assertion {
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
        // Passkeys are discoverable: the authenticator says whose it is.
        let user_handle = response.get("userHandle").and_then(Value::as_str);
        let user_handle = user_handle.and_then(base64url_decode);
        Ok(Self {
            id: members::credential_id(&credential)?,
            client_data: ClientData::parse(&members::octets(response, "clientDataJSON")?)?,
            authenticator_data: members::octets(response, "authenticatorData")?,
            signature: members::octets(response, "signature")?,
            user_handle: user_handle.ok_or(WebauthnError::Malformed("userHandle"))?,
        })
    }

    /// The passkey that is named.
    pub fn credential(&self) -> &CredentialId {
        &self.id
    }

    /// The challenge that the browser says it was given, in base64url.
    pub fn challenge(&self) -> &str {
        self.client_data.challenge()
    }

    /// Whether the owner of the passkey that is named was there, by every rule.
    ///
    /// # Errors
    /// [`WebauthnError`], the first rule that is broken.
    pub fn verify(
        &self,
        expected: &Expectation<'_>,
        known: &Known<'_>,
    ) -> Result<Proven, WebauthnError> {
        let data = AuthenticatorData::parse(&self.authenticator_data)?;
        expected.check(Ceremony::Get, &self.client_data, &data)?;
        data.check_end()?;
        if !constant_time_eq(&self.user_handle, known.user_handle) {
            return Err(WebauthnError::UserHandle);
        }
        let message = [&self.authenticator_data[..], self.client_data.digest()].concat();
        let (key, algorithm) = (known.key.key(), known.key.algorithm());
        key.verify_detached(algorithm, &message, &self.signature)
            .map_err(|_| WebauthnError::Signature)?;
        // §7.2: a copy of the authenticator would have counted apart.
        let (known, got) = (known.counter, data.counter);
        match (known, got) == (0, 0) || known < got {
            true => Ok(Proven { counter: got }),
            false => Err(WebauthnError::Counter { known, got }),
        }
    }
}

impl Proven {
    /// Where the passkey's counter stands now; 0 if it counts nothing.
    pub fn counter(&self) -> u32 {
        self.counter
    }
}
