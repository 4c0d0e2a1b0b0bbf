//! The usual keys, each made when it is first asked for.

use std::sync::{Arc, LazyLock};

use grantor::jose::Algorithm;

use super::Key;

/// RSA keys are slow to make, so there is one, and one for the other party. They have no `alg` of
/// their own.
pub static RSA: LazyLock<Arc<Key>> = LazyLock::new(|| Key::generate(Algorithm::Rs256));
pub static P256: LazyLock<Arc<Key>> = LazyLock::new(|| Key::generate(Algorithm::Es256));
pub static P256_OTHER: LazyLock<Arc<Key>> = LazyLock::new(|| Key::generate(Algorithm::Es256));
pub static P384: LazyLock<Arc<Key>> = LazyLock::new(|| Key::generate(Algorithm::Es384));
pub static P521: LazyLock<Arc<Key>> = LazyLock::new(|| Key::generate(Algorithm::Es512));
pub static ED25519: LazyLock<Arc<Key>> = LazyLock::new(|| Key::generate(Algorithm::Ed25519));
pub static SECRET: LazyLock<Arc<Key>> = LazyLock::new(|| {
    Key::secret("a-client-secret-of-at-least-64-octets-that-is-good-for-HS512-too")
});
