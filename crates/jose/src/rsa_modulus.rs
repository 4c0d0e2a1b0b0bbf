//! Which RSA moduli are refused although their size is right: those that no proper generator makes,
//! and that anybody, or whoever takes some trouble, can factor (RFC 8725 §3.5, CVE-2017-15361).

use std::{fmt, sync::LazyLock};

use num_bigint::BigUint;

/// What is wrong with an RSA modulus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RsaDefect {
    /// It is divisible by this prime number.
    SmallFactor(u32),
    /// It looks like those of the generator of CVE-2017-15361 (ROCA), which can be factored.
    Roca,
    /// It is a prime number: whoever knows the public key knows the private one.
    Prime,
}

impl fmt::Display for RsaDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SmallFactor(factor) => write!(f, "is divisible by {factor}"),
            Self::Roca => f.write_str("comes from the faulty generator of CVE-2017-15361 (ROCA)"),
            Self::Prime => f.write_str("is a prime number"),
        }
    }
}

/// Primes below 2^12, which n is tried with.
static SMALL_PRIMES: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let is_prime = |number: &u32| {
        (2..)
            .take_while(|factor| factor * factor <= *number)
            .all(|factor| !number.is_multiple_of(factor))
    };
    (2..4096).filter(is_prime).collect()
});
/// Modulo every prime up to here, the moduli of that generator are powers of 65537: it built them
/// so, from 2048 bits on. One sound key in 2^167 looks the same.
const LAST_ROCA_PRIME: u32 = 701;

/// What division by small primes finds out about a modulus, big-endian.
pub(crate) fn cheap_defect(modulus: &[u8]) -> Option<RsaDefect> {
    let words: Vec<u64> = modulus
        .rchunks(4)
        .rev()
        .map(|word| {
            word.iter()
                .fold(0, |sum, &octet| sum << 8 | u64::from(octet))
        })
        .collect();
    let mut is_roca = true;
    for &prime in SMALL_PRIMES.iter() {
        let rest = words
            .iter()
            .fold(0, |rest, word| (rest << 32 | word) % u64::from(prime)) as u32;
        if rest == 0 {
            return Some(RsaDefect::SmallFactor(prime));
        }
        is_roca = is_roca && (prime > LAST_ROCA_PRIME || is_power_of_65537(rest, prime));
    }
    is_roca.then_some(RsaDefect::Roca)
}

/// Whether `rest` is in the group that 65537 generates modulo `prime`.
fn is_power_of_65537(rest: u32, prime: u32) -> bool {
    let powers = std::iter::successors(Some(1), |power| Some(power * (65537 % prime) % prime));
    powers.take(prime as usize).any(|power| power == rest)
}

/// Whether 2^(n-1) is 1 modulo n (Fermat): so for every prime, and for no product of two large ones
/// that anybody has met. Takes milliseconds.
pub(crate) fn is_prime(modulus: &[u8]) -> bool {
    let modulus = BigUint::from_bytes_be(modulus);
    let one = BigUint::from(1_u8);
    BigUint::from(2_u8).modpow(&(&modulus - &one), &modulus) == one
}
