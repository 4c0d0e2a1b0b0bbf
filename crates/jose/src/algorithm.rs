//! Which signature algorithms exist here, and what each demands of a key (RFC 7518 §3.1, RFC 8037
//! §3.1, RFC 9864 §2).

use std::fmt;

/// The key type (`kty`) an algorithm needs (RFC 7518 §6.1, RFC 8037 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyType {
    /// `RSA`: 2048 to 8192 bits.
    Rsa,
    /// `EC` on the given curve.
    Ec(Curve),
    /// `OKP` on Ed25519.
    Ed25519,
    /// `oct`: a shared secret.
    Oct,
}

/// A NIST curve (RFC 7518 §6.2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Curve {
    /// `P-256`
    P256,
    /// `P-384`
    P384,
    /// `P-521`
    P521,
}

impl Curve {
    /// The `crv` value of this curve.
    pub fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// The curve with this `crv` value, if it is one of the three.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::P256, Self::P384, Self::P521]
            .into_iter()
            .find(|curve| curve.name() == name)
    }

    /// Octets of one coordinate, full length (RFC 7518 §6.2.1.2).
    pub fn coordinate_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

/// A JWS signature or MAC algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, mandatory for RFC 7523 (§5).
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256, salt of 32 octets.
    Ps256,
    /// RSASSA-PSS with SHA-384, salt of 48 octets.
    Ps384,
    /// RSASSA-PSS with SHA-512, salt of 64 octets.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// Ed25519 under its fully specified name (RFC 9864).
    Ed25519,
    /// Ed25519 under the older, polymorphic name (RFC 8037). Ed448 is not offered.
    EdDsa,
    /// HMAC with SHA-256, key of at least 32 octets.
    Hs256,
    /// HMAC with SHA-384, key of at least 48 octets.
    Hs384,
    /// HMAC with SHA-512, key of at least 64 octets.
    Hs512,
}

/// One row per algorithm. Adding an algorithm is adding a row here and its constant in `crypto`.
/// `bytes` is the signature's fixed length in octets, or for RSA 0: as long as the modulus.
const TABLE: [(Algorithm, &str, KeyType, usize); 14] = {
    use {Algorithm::*, Curve::*, KeyType as K};
    [
        (Rs256, "RS256", K::Rsa, 0),
        (Rs384, "RS384", K::Rsa, 0),
        (Rs512, "RS512", K::Rsa, 0),
        (Ps256, "PS256", K::Rsa, 0),
        (Ps384, "PS384", K::Rsa, 0),
        (Ps512, "PS512", K::Rsa, 0),
        (Es256, "ES256", K::Ec(P256), 64),
        (Es384, "ES384", K::Ec(P384), 96),
        (Es512, "ES512", K::Ec(P521), 132),
        (Ed25519, "Ed25519", K::Ed25519, 64),
        (EdDsa, "EdDSA", K::Ed25519, 64),
        (Hs256, "HS256", K::Oct, 32),
        (Hs384, "HS384", K::Oct, 48),
        (Hs512, "HS512", K::Oct, 64),
    ]
};

impl Algorithm {
    /// Every algorithm, in the table's order.
    pub const ALL: [Self; TABLE.len()] = {
        let mut all = [Self::Rs256; TABLE.len()];
        let mut row = 0;
        while row < TABLE.len() {
            all[row] = TABLE[row].0;
            row += 1;
        }
        all
    };

    fn row(self) -> &'static (Self, &'static str, KeyType, usize) {
        &TABLE[self as usize]
    }

    /// The `alg` value.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The algorithm of this `alg` value: case-sensitive, `none` and unknown names are `None` (RFC
    /// 7515 §4.1.1).
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// The kind of key this algorithm works with.
    pub fn key_type(self) -> KeyType {
        self.row().2
    }

    /// Octets of a signature; `None` for RSA, where it is the length of the modulus.
    pub fn signature_bytes(self) -> Option<usize> {
        match self.row().3 {
            0 => None,
            bytes => Some(bytes),
        }
    }

    /// Whether this is an HMAC, verified with the secret that also signs.
    pub fn is_mac(self) -> bool {
        self.key_type() == KeyType::Oct
    }

    /// Fewest octets an HMAC key may have: the hash's length (RFC 7518 §3.2). 0 for signatures.
    pub fn minimum_secret_bytes(self) -> usize {
        if self.is_mac() { self.row().3 } else { 0 }
    }

    /// Whether both names mean the same computation: equal, or the two names of Ed25519 (RFC 9864
    /// §2.2).
    pub fn is_same_as(self, other: Self) -> bool {
        self == other
            || (self.key_type() == KeyType::Ed25519 && other.key_type() == KeyType::Ed25519)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_indexed_by_its_own_order() {
        for (index, (algorithm, name, ..)) in TABLE.iter().enumerate() {
            assert_eq!(*algorithm as usize, index);
            assert_eq!(algorithm.name(), *name);
            assert_eq!(Algorithm::from_name(name), Some(*algorithm));
        }
    }

    #[test]
    fn names_are_compared_to_the_letter() {
        for name in [
            "none",
            "None",
            "rs256",
            "RS256 ",
            "RS1",
            "HS1",
            "ES256K",
            "",
            "RS256,HS256",
        ] {
            assert_eq!(Algorithm::from_name(name), None, "{name:?}");
        }
    }

    #[test]
    fn only_the_two_names_of_ed25519_are_the_same() {
        for a in Algorithm::ALL {
            for b in Algorithm::ALL {
                let twins = a.key_type() == KeyType::Ed25519 && b.key_type() == KeyType::Ed25519;
                assert_eq!(a.is_same_as(b), a == b || twins, "{a} {b}");
            }
        }
    }
}
