//! Public keys: reading a JWK (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2), and verifying with it.

use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::{
    Algorithm, Curve, JwkError, JwsError, KeyType, base64url,
    crypto::{self, Verifier},
    ecdsa_der,
    json::{self, Members, Node, Object, Value},
    rsa_modulus::{self, RsaDefect},
};

/// Members that only a private or symmetric key has (RFC 7518 §6.2.2, §6.3.2, §6.4.1; `priv`: key
/// type AKP).
const PRIVATE_MEMBERS: [&str; 9] = ["d", "k", "p", "q", "dp", "dq", "qi", "oth", "priv"];

/// A public JWK, structurally sound. [`VerificationKey::from_jwk`] finishes the checks that need
/// arithmetic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk {
    parameters: Parameters,
    key_id: Option<String>,
    algorithm: Option<Algorithm>,
    verifies: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Parameters {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    Ec {
        curve: Curve,
        x: Vec<u8>,
        y: Vec<u8>,
    },
    Ed25519 {
        x: Vec<u8>,
    },
}

impl Jwk {
    /// Reads a public JWK from JSON.
    ///
    /// # Errors
    /// [`JwkError`]; among them [`JwkError::Private`] for a private or symmetric key.
    pub fn parse(input: &[u8]) -> Result<Self, JwkError> {
        let jwk = json::members(input)?;
        not_private(&jwk)?;
        Self::public_half(&jwk)
    }

    /// The public half of a JWK that may be private.
    pub(crate) fn public_half(jwk: &Members<'_>) -> Result<Self, JwkError> {
        let parameters = Parameters::read(jwk)?;
        let algorithm = match text(jwk, "alg")? {
            Some(name) => Some(Algorithm::from_name(name).ok_or(JwkError::Unsupported("alg"))?),
            None => parameters.only_algorithm(),
        };
        match algorithm {
            Some(algorithm) if algorithm.key_type() != parameters.key_type() => {
                Err(JwkError::AlgorithmMismatch(algorithm))
            }
            _ => {
                let key_id = text(jwk, "kid")?.map(str::to_owned);
                Ok(Self {
                    parameters,
                    key_id,
                    algorithm,
                    verifies: may_verify(jwk)?,
                })
            }
        }
    }

    /// `kid`
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The same key under another `kid`.
    #[must_use]
    pub fn with_key_id(self, key_id: impl Into<String>) -> Self {
        Self {
            key_id: Some(key_id.into()),
            ..self
        }
    }

    /// The same key, which is for verifying whatever its `use` says.
    pub(crate) fn for_verifying(self) -> Self {
        Self {
            verifies: true,
            ..self
        }
    }

    /// The one algorithm this key is for: its `alg`, else the only one its curve allows. `None` for
    /// RSA without `alg`.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// The kind of key.
    pub fn key_type(&self) -> KeyType {
        self.parameters.key_type()
    }

    /// The SHA-256 thumbprint in base64url: a name for the key made of the key itself (RFC 7638
    /// §3).
    pub fn thumbprint(&self) -> String {
        let canonical =
            serde_json::to_vec(&self.parameters.members()).expect("a map of strings is JSON");
        base64url::encode(crypto::sha256(&[&canonical]))
    }

    /// What takes too long to be done whenever a key is read, and is done once, when it is
    /// registered: that an RSA modulus has no small factor, is not from a generator known to be
    /// faulty, and is no prime number. Milliseconds; 0.3 s for 8192 bits.
    ///
    /// # Errors
    /// [`JwkError::RsaModulus`]
    pub fn vet(&self) -> Result<(), JwkError> {
        self.vet_briefly()?;
        match &self.parameters {
            Parameters::Rsa { n, .. } if rsa_modulus::is_prime(n) => {
                Err(JwkError::RsaModulus(RsaDefect::Prime))
            }
            _ => Ok(()),
        }
    }

    /// As [`Jwk::vet`], but for the prime numbers: 0.3 ms.
    pub(crate) fn vet_briefly(&self) -> Result<(), JwkError> {
        let Parameters::Rsa { n, .. } = &self.parameters else {
            return Ok(());
        };
        rsa_modulus::cheap_defect(n).map_or(Ok(()), |defect| Err(JwkError::RsaModulus(defect)))
    }

    /// The JWK as a JSON object, with `use: sig`.
    pub fn to_object(&self) -> Object {
        let mut jwk = self.parameters.members();
        let optional = [
            ("kid", self.key_id.clone()),
            (
                "alg",
                self.algorithm.map(|algorithm| algorithm.name().to_owned()),
            ),
        ];
        jwk.extend(
            optional
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?.into()))),
        );
        jwk.insert(
            "use".to_owned(),
            if self.verifies { "sig" } else { "enc" }.into(),
        );
        jwk
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_object().serialize(serializer)
    }
}

impl Parameters {
    fn read(jwk: &Members<'_>) -> Result<Self, JwkError> {
        match text(jwk, "kty")?.ok_or(JwkError::Missing("kty"))? {
            "RSA" => Self::read_rsa(jwk),
            "EC" => {
                let curve = text(jwk, "crv")?.ok_or(JwkError::Missing("crv"))?;
                let curve = Curve::from_name(curve).ok_or(JwkError::Unsupported("crv"))?;
                let coordinate = |name| octets_of_length(jwk, name, curve.coordinate_bytes());
                Ok(Self::Ec {
                    curve,
                    x: coordinate("x")?,
                    y: coordinate("y")?,
                })
            }
            "OKP" => match text(jwk, "crv")?.ok_or(JwkError::Missing("crv"))? {
                "Ed25519" => Ok(Self::Ed25519 {
                    x: octets_of_length(jwk, "x", 32)?,
                }),
                _ => Err(JwkError::Unsupported("crv")),
            },
            _ => Err(JwkError::Unsupported("kty")),
        }
    }

    fn read_rsa(jwk: &Members<'_>) -> Result<Self, JwkError> {
        let (n, e) = (unsigned(jwk, "n")?, unsigned(jwk, "e")?);
        let bits = n.len() * 8 - n[0].leading_zeros() as usize;
        if !(2048..=8192).contains(&bits) {
            return Err(JwkError::RsaBits(bits));
        }
        let is_odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
        // At most four octets and odd: below 2^32. The only odd value below 3 is 1.
        if !is_odd(&e) || e.len() > 4 || e == [1] {
            return Err(JwkError::RsaExponent);
        }
        if !is_odd(&n) {
            return Err(JwkError::RsaModulus(RsaDefect::SmallFactor(2)));
        }
        Ok(Self::Rsa { n, e })
    }

    fn key_type(&self) -> KeyType {
        match self {
            Self::Rsa { .. } => KeyType::Rsa,
            Self::Ec { curve, .. } => KeyType::Ec(*curve),
            Self::Ed25519 { .. } => KeyType::Ed25519,
        }
    }

    fn only_algorithm(&self) -> Option<Algorithm> {
        match self {
            Self::Rsa { .. } => None,
            Self::Ec {
                curve: Curve::P256, ..
            } => Some(Algorithm::Es256),
            Self::Ec {
                curve: Curve::P384, ..
            } => Some(Algorithm::Es384),
            Self::Ec {
                curve: Curve::P521, ..
            } => Some(Algorithm::Es512),
            Self::Ed25519 { .. } => Some(Algorithm::Ed25519),
        }
    }

    /// The required members, which are those of the thumbprint (RFC 7638 §3.2, RFC 8037 §2). In
    /// order of their names.
    fn members(&self) -> Object {
        let encode = |octets: &Vec<u8>| base64url::encode(octets);
        let members = match self {
            Self::Rsa { n, e } => vec![("e", encode(e)), ("kty", "RSA".into()), ("n", encode(n))],
            Self::Ec { curve, x, y } => {
                vec![
                    ("crv", curve.name().into()),
                    ("kty", "EC".into()),
                    ("x", encode(x)),
                    ("y", encode(y)),
                ]
            }
            Self::Ed25519 { x } => vec![
                ("crv", "Ed25519".into()),
                ("kty", "OKP".into()),
                ("x", encode(x)),
            ],
        };
        members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::String(value)))
            .collect()
    }
}

/// Refuses private and symmetric keys (RFC 7517 §9.3).
pub(crate) fn not_private(jwk: &Members<'_>) -> Result<(), JwkError> {
    let member = PRIVATE_MEMBERS
        .into_iter()
        .find(|member| jwk.get(member).is_some());
    member.map_or(Ok(()), |member| Err(JwkError::Private(member)))
}

fn text<'a>(jwk: &'a Members<'_>, name: &'static str) -> Result<Option<&'a str>, JwkError> {
    jwk.text(name, JwkError::Malformed(name))
}

/// The octets of a required base64url member.
pub(crate) fn octets(jwk: &Members<'_>, name: &'static str) -> Result<Vec<u8>, JwkError> {
    let encoded = text(jwk, name)?.ok_or(JwkError::Missing(name))?;
    base64url::decode(encoded).ok_or(JwkError::Malformed(name))
}

/// As [`octets`], of exactly this length: a coordinate or private scalar keeps its leading zeros
/// (RFC 7518 §6.2.1.2).
pub(crate) fn octets_of_length(
    jwk: &Members<'_>,
    name: &'static str,
    length: usize,
) -> Result<Vec<u8>, JwkError> {
    octets(jwk, name).and_then(|octets| {
        if octets.len() == length {
            Ok(octets)
        } else {
            Err(JwkError::Malformed(name))
        }
    })
}

/// As [`octets`], a positive number without leading zeros (RFC 7518 §2, Base64urlUInt).
fn unsigned(jwk: &Members<'_>, name: &'static str) -> Result<Vec<u8>, JwkError> {
    octets(jwk, name).and_then(|octets| match octets.first() {
        Some(0) | None => Err(JwkError::Malformed(name)),
        Some(_) => Ok(octets),
    })
}

/// Whether `use` and `key_ops` allow verifying (RFC 7517 §4.2, §4.3).
pub(crate) fn may_verify(jwk: &Members<'_>) -> Result<bool, JwkError> {
    may_verify_as(jwk, |key_use| matches!(key_use, None | Some("sig")))
}

/// As [`may_verify`], where these are the values of `use` that mean it.
pub(crate) fn may_verify_as(
    jwk: &Members<'_>,
    means_it: fn(Option<&str>) -> bool,
) -> Result<bool, JwkError> {
    let key_use = text(jwk, "use")?;
    let operations = match jwk.get("key_ops") {
        None => None,
        Some(Node::Array(values)) => {
            let names: Option<Vec<&str>> = values.iter().map(Node::as_text).collect();
            Some(names.ok_or(JwkError::Malformed("key_ops"))?)
        }
        Some(_) => return Err(JwkError::Malformed("key_ops")),
    };
    let by_operations = operations
        .as_ref()
        .is_none_or(|names| names.contains(&"verify"));
    let repeated = operations
        .as_ref()
        .is_some_and(|names| (1..names.len()).any(|at| names[..at].contains(&names[at])));
    match key_use {
        _ if repeated => Err(JwkError::Use),
        Some("enc") if operations.is_some() && by_operations => Err(JwkError::Use),
        key_use => Ok(means_it(key_use) && by_operations),
    }
}

/// A key ready to verify: parsed once, and bound to the algorithms it may be used with.
pub struct VerificationKey {
    material: Material,
    /// The one algorithm, where registration or the key itself names one (RFC 8725 §3.1).
    only: Option<Algorithm>,
}

enum Material {
    Public { verifier: Verifier, jwk: Box<Jwk> },
    Secret(Zeroizing<Vec<u8>>),
}

impl VerificationKey {
    /// Prepares a public key.
    ///
    /// # Errors
    /// [`JwkError::Point`] or [`JwkError::RsaRefused`] if the key is not one,
    /// [`JwkError::NotForVerification`] if `use` or `key_ops` say so.
    pub fn from_jwk(jwk: Jwk) -> Result<Self, JwkError> {
        if !jwk.verifies {
            return Err(JwkError::NotForVerification);
        }
        let verifier = match &jwk.parameters {
            Parameters::Rsa { n, e } => Some(Verifier::rsa(n, e)),
            Parameters::Ec { curve, x, y } => Verifier::ec(*curve, x, y),
            Parameters::Ed25519 { x } => Verifier::ed25519(x),
        };
        let verifier = verifier.ok_or(JwkError::Point)?;
        if !verifier.is_usable(jwk.algorithm.unwrap_or(Algorithm::Rs256)) {
            return Err(JwkError::RsaRefused);
        }
        Ok(Self {
            only: jwk.algorithm,
            material: Material::Public {
                verifier,
                jwk: Box::new(jwk),
            },
        })
    }

    /// Prepares a shared secret for HMAC: for `only` this algorithm, or for each whose minimum the
    /// secret reaches.
    ///
    /// # Errors
    /// [`JwkError::WeakSecret`] if the secret is shorter than the hash (RFC 7518 §3.2),
    /// [`JwkError::AlgorithmMismatch`] if `only` is no HMAC.
    pub fn from_secret(secret: &[u8], only: Option<Algorithm>) -> Result<Self, JwkError> {
        let algorithm = only.unwrap_or(Algorithm::Hs256);
        let needed = algorithm.minimum_secret_bytes();
        if !algorithm.is_mac() {
            return Err(JwkError::AlgorithmMismatch(algorithm));
        }
        if secret.len() < needed {
            return Err(JwkError::WeakSecret {
                algorithm,
                needed,
                got: secret.len(),
            });
        }
        Ok(Self {
            material: Material::Secret(Zeroizing::new(secret.to_vec())),
            only,
        })
    }

    /// `kid`; a secret has none.
    pub fn key_id(&self) -> Option<&str> {
        self.jwk().and_then(Jwk::key_id)
    }

    /// The public JWK; a secret has none.
    pub fn jwk(&self) -> Option<&Jwk> {
        match &self.material {
            Material::Public { jwk, .. } => Some(jwk),
            Material::Secret(_) => None,
        }
    }

    /// How many octets the modulus of an RSA key has, and each of its signatures with it (RFC 8017
    /// §8); other keys have none.
    pub fn modulus_bytes(&self) -> Option<usize> {
        match self.jwk()?.parameters {
            Parameters::Rsa { ref n, .. } => Some(n.len()),
            _ => None,
        }
    }

    /// Whether this key may verify signatures of `algorithm`: the algorithm fits the key, and is
    /// the one it is bound to.
    pub fn accepts(&self, algorithm: Algorithm) -> bool {
        let fits = match &self.material {
            Material::Public { jwk, .. } => algorithm.key_type() == jwk.key_type(),
            Material::Secret(secret) => {
                algorithm.is_mac() && secret.len() >= algorithm.minimum_secret_bytes()
            }
        };
        fits && self.only.is_none_or(|only| only.is_same_as(algorithm))
    }

    /// Verifies a signature that stands alone, in the form that X.509 and WebAuthn give it: of EC
    /// keys both numbers in DER (RFC 3279 §2.2.3), of others as a JWS has it.
    ///
    /// # Errors
    /// [`JwsError::AlgorithmNotForKey`] unless the key [accepts](Self::accepts) `algorithm`;
    /// [`JwsError::Signature`]
    pub fn verify_detached(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), JwsError> {
        match algorithm.key_type() {
            KeyType::Ec(curve) => {
                let fixed = ecdsa_der::to_fixed(signature, curve.coordinate_bytes());
                let fixed = fixed.ok_or(JwsError::Signature)?;
                self.verify(algorithm, message, &fixed)
            }
            _ => self.verify(algorithm, message, signature),
        }
    }

    /// Verifies `signature` over `message`, if and only if the key [accepts](Self::accepts)
    /// `algorithm`.
    pub(crate) fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), JwsError> {
        if !self.accepts(algorithm) {
            return Err(JwsError::AlgorithmNotForKey(algorithm));
        }
        let right_length = algorithm
            .signature_bytes()
            .is_none_or(|length| length == signature.len());
        let verifies = right_length
            && match &self.material {
                Material::Public { verifier, .. } => verifier.verify(algorithm, message, signature),
                Material::Secret(secret) => {
                    crypto::verify_mac(algorithm, secret, message, signature)
                }
            };
        if verifies {
            Ok(())
        } else {
            Err(JwsError::Signature)
        }
    }
}

impl AsRef<Self> for VerificationKey {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl std::fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.jwk().is_some() {
            "public"
        } else {
            "secret"
        };
        f.debug_struct("VerificationKey")
            .field("kind", &kind)
            .field("kid", &self.key_id())
            .finish_non_exhaustive()
    }
}
