//! What can be wrong with a token or a key, one variant per broken rule. No message repeats input:
//! kinds and names only.

use crate::{Algorithm, RsaDefect};

/// Why a text is not the JSON this crate reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Not JSON (RFC 8259), not UTF-8, or more than one value.
    #[error("not valid JSON")]
    Syntax,
    /// JSON, but an object was needed.
    #[error("not a JSON object")]
    NotAnObject,
    /// A member name occurs twice in one object.
    #[error("duplicate member name")]
    DuplicateMember,
    /// Nested deeper than [`crate::json::MAX_DEPTH`].
    #[error("nested too deeply")]
    TooDeep,
    /// More members and elements than [`crate::json::MAX_ITEMS`].
    #[error("too many members")]
    TooManyItems,
}

/// Why a JOSE header is refused (RFC 7515 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The header is no acceptable JSON object.
    #[error("header: {0}")]
    Json(#[from] JsonError),
    /// `alg` is absent (RFC 7515 §4.1.1).
    #[error("header parameter 'alg' is missing")]
    MissingAlgorithm,
    /// `alg` is a string that names no algorithm offered here; `none` is among them.
    #[error("header parameter 'alg' names no supported algorithm")]
    UnknownAlgorithm,
    /// The named parameter has the wrong JSON type.
    #[error("header parameter '{0}' has the wrong type")]
    WrongType(&'static str),
    /// `crit`: no extension is understood here, so each is refused (RFC 7515 §4.1.11).
    #[error("header parameter 'crit' is not supported")]
    Critical,
    /// `b64`: not for JWTs (RFC 7797 §7).
    #[error("header parameter 'b64' is not allowed in a JWT")]
    UnencodedPayload,
    /// `zip`: compression belongs to JWE, and to bombs.
    #[error("header parameter 'zip' is not supported")]
    Compressed,
    /// `enc`: this is a JWE header.
    #[error("encrypted JWTs are not supported")]
    Encrypted,
    /// `cty: JWT`: nested JWTs are not supported (RFC 7519 §5.2).
    #[error("nested JWTs are not supported")]
    Nested,
}

/// Why a compact JWS is refused (RFC 7515 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwsError {
    /// Longer than [`crate::MAX_TOKEN_BYTES`], or its header longer than
    /// [`crate::MAX_HEADER_BYTES`].
    #[error("token is too large")]
    TooLarge,
    /// Not three segments separated by dots.
    #[error("not a compact JWS of three segments")]
    Segments,
    /// Five segments: a JWE.
    #[error("encrypted JWTs are not supported")]
    Encrypted,
    /// The JSON serialisation (RFC 7515 §7.2).
    #[error("JSON serialisation is not supported")]
    JsonSerialization,
    /// The named segment is not canonical base64url.
    #[error("{0} is not base64url without padding")]
    Base64(&'static str),
    /// The header is refused.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The third segment is empty.
    #[error("signature is empty")]
    MissingSignature,
    /// The key may not be used with the token's `alg` (RFC 8725 §3.1).
    #[error("the key is not for algorithm {0}")]
    AlgorithmNotForKey(Algorithm),
    /// The signature or MAC does not verify.
    #[error("signature does not verify")]
    Signature,
}

/// Why a claims set is refused (RFC 7519 §4, §7.2). Values are judged elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimsError {
    /// The payload is no acceptable JSON object.
    #[error("claims: {0}")]
    Json(#[from] JsonError),
    /// A registered claim has a type RFC 7519 does not give it. Never treated as absent.
    #[error("claim '{claim}' is not {expected}")]
    WrongType {
        /// The claim's name.
        claim: &'static str,
        /// What RFC 7519 wants there.
        expected: &'static str,
    },
}

/// Why a JWK is refused (RFC 7517, RFC 7518 §6, RFC 8037 §2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// No acceptable JSON object.
    #[error("key: {0}")]
    Json(#[from] JsonError),
    /// `kty`, `crv` or `alg` is a value this crate does not know: in a set, such a key is skipped
    /// (RFC 7517 §5).
    #[error("key parameter '{0}' has an unsupported value")]
    Unsupported(&'static str),
    /// A required parameter is absent.
    #[error("key parameter '{0}' is missing")]
    Missing(&'static str),
    /// A parameter is no string, no canonical base64url, or of the wrong length.
    #[error("key parameter '{0}' is malformed")]
    Malformed(&'static str),
    /// A private or symmetric parameter where only public keys belong (RFC 7517 §9.3).
    #[error("key contains the private parameter '{0}'; register the public key only")]
    Private(&'static str),
    /// RSA outside 2048 to 8192 bits (RFC 7518 §3.3).
    #[error("RSA key has {0} bits; 2048 to 8192 are allowed")]
    RsaBits(usize),
    /// RSA exponent even, below 3 or above 2^32.
    #[error(
        "key parameter 'e' must be odd, at least 3 and below 2^32; make a new key, 65537 is usual"
    )]
    RsaExponent,
    /// An RSA modulus that can be factored.
    #[error("key parameter 'n' {0}; make a new key")]
    RsaModulus(RsaDefect),
    /// The cryptographic library refuses the RSA key.
    #[error("RSA key is refused by the cryptographic library; make a new key")]
    RsaRefused,
    /// The coordinates are not a point of the curve, or a point of small order.
    #[error("public key is not a valid point on its curve")]
    Point,
    /// `alg` does not fit `kty` and `crv`.
    #[error("key parameter 'alg' is {0}, which does not fit the key's type")]
    AlgorithmMismatch(Algorithm),
    /// `use` and `key_ops` contradict each other, or `key_ops` repeats itself (RFC 7517 §4.3).
    #[error("key parameters 'use' and 'key_ops' are inconsistent")]
    Use,
    /// `use` or `key_ops` exclude verifying signatures.
    #[error("key is not for verifying signatures")]
    NotForVerification,
    /// A shared secret shorter than its hash (RFC 7518 §3.2).
    #[error("secret has {got} octets; {algorithm} needs at least {needed}")]
    WeakSecret {
        /// The algorithm that sets the minimum.
        algorithm: Algorithm,
        /// Octets needed.
        needed: usize,
        /// Octets given.
        got: usize,
    },
}

/// Why a JWK Set is refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkSetError {
    /// No acceptable JSON object.
    #[error("key set: {0}")]
    Json(#[from] JsonError),
    /// `keys` is absent or no array of objects.
    #[error("key set has no array 'keys' of objects")]
    NoKeys,
    /// More keys than [`crate::JwkSet::MAX_KEYS`].
    #[error("key set has more than {0} keys")]
    TooMany(usize),
    /// One of the keys is private or symmetric: whoever published it must replace it, so nothing of
    /// the set is used.
    #[error("key {index} of the set: {error}")]
    Private {
        /// Position in `keys`, from 0.
        index: usize,
        /// What was found.
        error: JwkError,
    },
}

/// Why a private key cannot be used, or a signature cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError {
    /// The key's public half is refused.
    #[error(transparent)]
    Jwk(#[from] JwkError),
    /// The JWK has no private part.
    #[error(
        "a public JWK: it has no private part ('d'); sign with the private key that it belongs to"
    )]
    NotPrivate,
    /// The private part contradicts the public one, or is malformed.
    #[error("private key is malformed or does not match its public part")]
    Inconsistent,
    /// An RSA key without `alg`: say which one it signs with.
    #[error("key has no 'alg'; name the algorithm it signs with")]
    NoAlgorithm,
    /// The PEM holds no private key that is read.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// `use` says that the key is for something else, such as encryption.
    #[error("key parameter 'use' says that the key is not for signatures")]
    NotForSigning,
    /// Not a certificate in PEM.
    #[error("not a certificate in PEM")]
    CertificatePem,
    /// The cryptographic library failed.
    #[error("the cryptographic library refused to sign")]
    Crypto,
}

/// What a PEM text holds instead of one private key that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// Nothing.
    #[error("it is empty")]
    Empty,
    /// No PEM.
    #[error("no PEM: there is no line that begins with '-----BEGIN'")]
    NoBlock,
    /// A BEGIN line without its END line.
    #[error("the PEM has no END line for its BEGIN line: it is cut off")]
    Unfinished,
    /// A public key alone.
    #[error("a public key: sign with the private key that it belongs to")]
    PublicKey,
    /// A certificate alone.
    #[error(
        "a certificate without its private key: add the private key, or name the file that holds it"
    )]
    Certificate,
    /// A certificate request alone.
    #[error("a certificate request: name the file with the private key that it was made with")]
    CertificateRequest,
    /// Something else.
    #[error("the PEM holds no private key")]
    NoKey,
    /// A private key that needs a passphrase.
    #[error(
        "the private key is encrypted, and no passphrase is asked for: decrypt it with 'openssl pkey -in FILE -out NEWFILE'"
    )]
    Encrypted,
    /// OpenSSH's own format, which is no PKCS.
    #[error(
        "the private key is in OpenSSH's own format: convert a copy of it with 'ssh-keygen -p -m PKCS8 -f COPY'"
    )]
    OpenSsh,
    /// More than one private key.
    #[error("there are {0} private keys in it, and no saying which is meant: leave one")]
    Several(usize),
    /// An EC key on another curve.
    #[error("an EC key on a curve that is not supported: P-256, P-384 and P-521 are")]
    Curve,
    /// A key of another type: DSA, X25519, Ed448, RSA for PSS only.
    #[error(
        "a private key of a type that is not supported: RSA, EC (P-256, P-384, P-521) and Ed25519 are"
    )]
    KeyType,
    /// No base64, or not what the label says.
    #[error(
        "the private key in the PEM is damaged: what is between its BEGIN and END lines is not what the label says"
    )]
    Damaged,
}
