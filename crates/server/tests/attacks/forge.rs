//! Forged tokens, and the key of an attacker.

use std::sync::{Arc, LazyLock};

use grantor::jose::Algorithm;
pub use grantor_testkit::forge::{Key, quote, segments};

/// A key that is registered nowhere.
pub static ATTACKER: LazyLock<Arc<Key>> = LazyLock::new(|| Key::generate(Algorithm::Es256));

/// A token and the key that signs it.
pub type Jwt<'k> = grantor_testkit::forge::Jwt<&'k Key>;
