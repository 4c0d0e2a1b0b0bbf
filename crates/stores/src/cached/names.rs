//! The names of all clients.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState},
    sync::{PoisonError, RwLock},
};

/// Digests of the names of all clients, as far as known, and the number of each one's row: a name
/// that is not among them needs no read, so that a stranger cannot make the database work, and the
/// time of a refusal does not tell who is registered. Removed names stay in until the next start;
/// they are looked up and not found.
#[derive(Default)]
pub(crate) struct KnownNames(
    RwLock<HashMap<u64, i64, BuildHasherDefault<NoHash>>>,
    RandomState,
);

impl KnownNames {
    /// Makes room for so many names in all.
    pub(crate) fn reserve(&self, count: usize) {
        let mut numbers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let more = count.saturating_sub(numbers.len());
        numbers.reserve(more);
    }

    pub(crate) fn insert(&self, name: &str, number: i64) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(self.1.hash_one(name), number);
    }

    /// The number of the row in which a client of this name may be.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&self.1.hash_one(name))
            .copied()
    }
}

/// The digests are hashes already.
#[derive(Default)]
struct NoHash(u64);

impl Hasher for NoHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, digest: u64) {
        self.0 = digest;
    }
}
