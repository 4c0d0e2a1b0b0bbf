//! Compact JWS: taking one apart, verifying it with a key the caller chose, and making one (RFC
//! 7515 §3.1, §5, §7.1).

use std::{borrow::Cow, collections::BTreeMap, fmt};

use memchr::memchr_iter;

use crate::{
    Algorithm, Header, JwsError, KnownHeader, SigningError, SigningKey, VerificationKey, base64url,
    json::Object,
};

/// Longest compact JWS that is looked at, in octets.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// Longest header, in octets of base64url.
pub const MAX_HEADER_BYTES: usize = 4 * 1024;

/// A JWS taken apart, about which nothing is proven yet. `Debug` shows the header only: the whole
/// is a credential.
pub struct Unverified<'a> {
    header: Cow<'a, Header>,
    /// Octets of the header in `signing_input`.
    header_bytes: usize,
    signing_input: &'a str,
    /// Payload and signature, one after the other.
    decoded: Vec<u8>,
    payload_bytes: usize,
}

impl<'a> Unverified<'a> {
    /// Takes a compact JWS apart: exactly three canonical base64url segments, a header this crate
    /// supports, a signature.
    ///
    /// # Errors
    /// [`JwsError`]; size is checked before anything is decoded.
    pub fn parse(token: &'a str) -> Result<Self, JwsError> {
        Self::parse_knowing(token, None)
    }

    /// As [`Unverified::parse`]. A header that is `known` is not read again: most tokens of an
    /// issuer have the same.
    ///
    /// # Errors
    /// As [`Unverified::parse`].
    pub fn parse_knowing(token: &'a str, known: Option<&'a KnownHeader>) -> Result<Self, JwsError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(JwsError::TooLarge);
        }
        let (header, payload, signature) = segments(token)?;
        if header.len() > MAX_HEADER_BYTES {
            return Err(JwsError::TooLarge);
        }
        if signature.is_empty() {
            return Err(JwsError::MissingSignature);
        }
        let signing_input = &token[..header.len() + 1 + payload.len()];
        let header_bytes = header.len();
        let header = match known.and_then(|known| known.says(header)) {
            Some(known) => Cow::Borrowed(known),
            None => Cow::Owned(Header::parse(
                &base64url::decode(header).ok_or(JwsError::Base64("header"))?,
            )?),
        };
        let mut decoded = Vec::with_capacity(payload.len() + signature.len());
        base64url::decode_onto(&mut decoded, payload).ok_or(JwsError::Base64("payload"))?;
        let payload_bytes = decoded.len();
        base64url::decode_onto(&mut decoded, signature).ok_or(JwsError::Base64("signature"))?;
        Ok(Self {
            header,
            header_bytes,
            signing_input,
            decoded,
            payload_bytes,
        })
    }

    /// The header, to choose the key by.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The header alone.
    pub fn into_header(self) -> Header {
        self.header.into_owned()
    }

    /// The header, for [`Unverified::parse_knowing`] the next time; `None` if it was known this
    /// time.
    pub fn header_to_know(&self) -> Option<KnownHeader> {
        match &self.header {
            Cow::Owned(header) => Some(KnownHeader::new(
                &self.signing_input[..self.header_bytes],
                header.clone(),
            )),
            Cow::Borrowed(_) => None,
        }
    }

    /// The payload, to find out whose key is needed. Anybody may have written it.
    pub fn dangerously_unverified_payload(&self) -> &[u8] {
        &self.decoded[..self.payload_bytes]
    }

    /// Turns into a [`Verified`] if and only if `key` is for the header's `alg` and the signature
    /// verifies.
    ///
    /// # Errors
    /// [`JwsError::AlgorithmNotForKey`] or [`JwsError::Signature`].
    pub fn verify(mut self, key: &VerificationKey) -> Result<Verified, JwsError> {
        self.check(key)?;
        self.decoded.truncate(self.payload_bytes);
        Ok(Verified {
            header: self.header.into_owned(),
            payload: self.decoded,
        })
    }

    /// How many octets the signature has.
    pub fn signature_bytes(&self) -> usize {
        self.decoded.len() - self.payload_bytes
    }

    /// The first of several keys that is for the header's `alg` and with which the signature
    /// verifies.
    ///
    /// # Errors
    /// The last key's error; [`JwsError::Signature`] if there is no key.
    pub fn verified_by<K: AsRef<VerificationKey>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<K, JwsError> {
        let mut refusal = JwsError::Signature;
        for key in keys {
            match self.check(key.as_ref()) {
                Ok(()) => return Ok(key),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    fn check(&self, key: &VerificationKey) -> Result<(), JwsError> {
        let signature = &self.decoded[self.payload_bytes..];
        key.verify(
            self.header.algorithm(),
            self.signing_input.as_bytes(),
            signature,
        )
    }
}

impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

fn segments(token: &str) -> Result<(&str, &str, &str), JwsError> {
    let mut dots = memchr_iter(b'.', token.as_bytes());
    match (dots.next(), dots.next(), dots.count()) {
        (Some(first), Some(second), 0) => Ok((
            &token[..first],
            &token[first + 1..second],
            &token[second + 1..],
        )),
        (Some(_), Some(_), 2) => Err(JwsError::Encrypted),
        _ if token.trim_start().starts_with('{') => Err(JwsError::JsonSerialization),
        _ => Err(JwsError::Segments),
    }
}

/// A JWS whose signature has verified.
#[derive(Debug)]
pub struct Verified {
    header: Header,
    payload: Vec<u8>,
}

impl Verified {
    /// The header that was signed.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The payload that was signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }
}

/// Signs `payload` as a compact JWS. The header has `alg` and `kid` from the key, and `typ` if
/// given.
///
/// # Errors
/// [`SigningError::Crypto`] if the cryptographic library fails.
pub fn sign(key: &SigningKey, typ: Option<&str>, payload: &[u8]) -> Result<String, SigningError> {
    let parameters = [("kid", key.key_id()), ("typ", typ)];
    let header = parameters
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
        .collect();
    let input = signing_input(key.algorithm(), header, payload);
    let signature = key.sign(input.as_bytes())?;
    Ok(compact(input, &signature))
}

/// What is signed: header and payload in base64url with a dot between (RFC 7515 §5.1). The header
/// is `header` with this `alg`, in the order of names. For signers that are no [`SigningKey`]: a
/// KMS, a hardware module.
pub fn signing_input(algorithm: Algorithm, header: Object, payload: &[u8]) -> String {
    let mut header: BTreeMap<_, _> = header.into_iter().collect();
    header.insert("alg".to_owned(), algorithm.name().into());
    let header = serde_json::to_vec(&header).expect("a map of JSON values is JSON");
    let mut input = base64url::encode(header);
    input.push('.');
    input.push_str(&base64url::encode(payload));
    input
}

/// The compact JWS of a signing input and its signature (RFC 7515 §7.1).
pub fn compact(mut signing_input: String, signature: &[u8]) -> String {
    signing_input.push('.');
    signing_input.push_str(&base64url::encode(signature));
    signing_input
}
