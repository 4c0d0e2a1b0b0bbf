//! The blocks of a PEM text (RFC 7468), and which private key is in it: one, unencrypted, and
//! whatever else tools write beside it. What else a file holds is told by name, because the name
//! leads to the remedy.

use pkcs8::SecretDocument;
use zeroize::Zeroizing;

use crate::{
    PemError,
    crypto::{self, PrivateParts},
};

/// The octets of a line of base64 (RFC 7468 §2).
const LINE: usize = 64;

/// What is between BEGIN and END, and what the label says that it is.
pub(crate) struct Block<'t> {
    pub(crate) label: &'t str,
    /// `None` where there is no END.
    body: Option<&'t str>,
}

/// The parameters of the one private key in `text`: PKCS#8, PKCS#1 or SEC 1. Text outside of the
/// blocks is passed over (RFC 7468 §5.2: bag attributes, for example), and so are certificates,
/// public keys and parameters beside the key.
pub(crate) fn private_parts(text: &str) -> Result<PrivateParts, PemError> {
    let blocks = blocks(text);
    let mut private = blocks
        .iter()
        .filter(|block| block.label.ends_with("PRIVATE KEY"));
    match (private.next(), private.count()) {
        (Some(block), 0) => block.private_parts(),
        (Some(_), others) => Err(PemError::Several(others + 1)),
        (None, _) => Err(what_it_is_instead(text, &blocks)),
    }
}

/// The DER of the first certificate in `text`, wherever it stands.
pub(crate) fn certificate(text: &str) -> Option<Vec<u8>> {
    let blocks = blocks(text);
    let block = blocks.iter().find(|block| block.label == "CERTIFICATE")?;
    Some(block.document()?.as_bytes().to_vec())
}

fn what_it_is_instead(text: &str, blocks: &[Block<'_>]) -> PemError {
    let has = |ending: &str| blocks.iter().any(|block| block.label.ends_with(ending));
    match () {
        () if text.trim().is_empty() => PemError::Empty,
        () if blocks.is_empty() => PemError::NoBlock,
        () if has("PUBLIC KEY") => PemError::PublicKey,
        () if has("CERTIFICATE") => PemError::Certificate,
        () if has("CERTIFICATE REQUEST") => PemError::CertificateRequest,
        () => PemError::NoKey,
    }
}

/// The blocks of a text, in their order. A BEGIN line begins a line.
pub(crate) fn blocks(text: &str) -> Vec<Block<'_>> {
    const BEGIN: &str = "-----BEGIN ";
    let mut blocks = Vec::new();
    // Some editors write a byte order mark.
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    while let Some(at) = rest.find(BEGIN) {
        let begins_a_line = rest[..at]
            .bytes()
            .next_back()
            .is_none_or(|before| before.is_ascii_whitespace());
        rest = &rest[at + BEGIN.len()..];
        let label = rest
            .split_once("-----")
            .filter(|(label, _)| begins_a_line && !label.contains('\n'));
        let Some((label, after)) = label else {
            continue;
        };
        let body = after
            .split_once(&format!("-----END {label}-----"))
            .map(|(body, _)| body);
        blocks.push(Block { label, body });
        rest = &after[body.map_or(0, str::len)..];
    }
    blocks
}

impl Block<'_> {
    fn private_parts(&self) -> Result<PrivateParts, PemError> {
        let body = self.body.ok_or(PemError::Unfinished)?;
        let read: fn(&[u8]) -> Result<PrivateParts, PemError> = match self.label {
            // RFC 1421 §4.6.1.1, which OpenSSL still writes.
            _ if body.contains("Proc-Type:") && body.contains("ENCRYPTED") => {
                return Err(PemError::Encrypted);
            }
            "ENCRYPTED PRIVATE KEY" => return Err(PemError::Encrypted),
            "OPENSSH PRIVATE KEY" => return Err(PemError::OpenSsh),
            "PRIVATE KEY" => from_pkcs8,
            "RSA PRIVATE KEY" => |der| crypto::rsa_parts_from_pkcs1(der).ok_or(PemError::Damaged),
            "EC PRIVATE KEY" => |der| crypto::ec_parts_from_sec1(der).ok_or_else(|| unread_ec(der)),
            _ => return Err(PemError::KeyType),
        };
        read(self.document().ok_or(PemError::Damaged)?.as_bytes())
    }

    /// The DER. Lines may have any length, and spaces around them: text that went through a mail or
    /// a YAML file has.
    pub(crate) fn document(&self) -> Option<SecretDocument> {
        let base64: Zeroizing<String> =
            Zeroizing::new(self.body?.split_ascii_whitespace().collect());
        let mut pem = Zeroizing::new(String::with_capacity(
            base64.len() + base64.len() / LINE + 2 * LINE + 2 * self.label.len(),
        ));
        pem.push_str(&format!("-----BEGIN {}-----\n", self.label));
        let mut left = base64.as_str();
        while !left.is_empty() {
            let (line, rest) = left.split_at_checked(LINE.min(left.len()))?;
            pem.push_str(line);
            pem.push('\n');
            left = rest;
        }
        pem.push_str(&format!("-----END {}-----\n", self.label));
        SecretDocument::from_pem(&pem)
            .ok()
            .map(|(_, document)| document)
    }
}

fn from_pkcs8(der: &[u8]) -> Result<PrivateParts, PemError> {
    if let Some(parts) = crypto::parts_from_pkcs8(der) {
        return Ok(parts);
    }
    let info = pkcs8::PrivateKeyInfoRef::try_from(der).map_err(|_| PemError::Damaged)?;
    match info.algorithm.oid {
        oid if oid == EC => Err(unread_ec(der)),
        oid if oid == pkcs1::ALGORITHM_OID || oid == ED25519 => Err(PemError::Damaged),
        _ => Err(PemError::KeyType),
    }
}

/// id-ecPublicKey (RFC 5480 §2.1.1)
const EC: pkcs8::ObjectIdentifier = pkcs8::ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// RFC 8410 §3
const ED25519: pkcs8::ObjectIdentifier = pkcs8::ObjectIdentifier::new_unwrap("1.3.101.112");

/// Why an EC key is not read: its curve is another one, or it is one of ours and something else is
/// wrong.
fn unread_ec(der: &[u8]) -> PemError {
    const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
    const P521: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];
    let names = |oid: &[u8]| der.windows(oid.len()).any(|window| window == oid);
    if [P256, P384, P521].into_iter().any(names) {
        PemError::Damaged
    } else {
        PemError::Curve
    }
}
