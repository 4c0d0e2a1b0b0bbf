//! Shorthands for what clients need.

use std::sync::Arc;

use grantor::{
    client::LocalKey,
    clock::{ManualClock, UnixTime},
    jose::{Algorithm, PrivateJwk},
};
pub(crate) use grantor_testkit::double::{
    Asked, Body, Double, ReadJwt, answer, redirect, refusal, text, token, with_header,
};

/// When the clock stands at the start, in seconds.
pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(UnixTime::from_millis(NOW * 1000)))
}

/// A new key, and the signer with it.
pub(crate) fn key(algorithm: Algorithm) -> (PrivateJwk, LocalKey) {
    let key = PrivateJwk::generate(algorithm).expect("a key");
    let signer = LocalKey::new(&key).expect("a signer");
    (key, signer)
}
