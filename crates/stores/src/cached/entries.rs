//! Registrations of one kind in memory, and those that are being read.
//!
//! A read that races with a change must not leave the old value behind, not even for a moment: each
//! forgetting begins a new generation, a value whose reading began in an older one is not put in,
//! and none that comes later waits for such a reading.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard},
};

use grantor::storage::StoreError;
use quick_cache::sync::Cache;

use super::flight::{Flight, Seat};

/// Most entries of each kind.
const CAPACITY: usize = 100_000;

/// Which forgetting was the last. Held to read while a value is put in, to write while values are
/// forgotten.
#[derive(Default)]
pub(super) struct Generation(RwLock<u64>);

impl Generation {
    pub(super) fn current(&self) -> u64 {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// From then on nothing is put in that was read before. Held until what has to go is gone.
    pub(super) fn next(&self) -> RwLockWriteGuard<'_, u64> {
        let mut generation = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *generation += 1;
        generation
    }
}

/// The entries of one kind.
pub(super) struct Entries<K, V> {
    values: Cache<K, V>,
    /// The reads that are under way, each with the generation in which it began.
    flights: Mutex<Flights<K, V>>,
}

type Flights<K, V> = HashMap<K, (u64, Option<Flight<Option<V>>>)>;

impl<K: Eq + Hash + Clone, V: Clone> Entries<K, V> {
    pub(super) fn new() -> Self {
        Self {
            values: Cache::new(CAPACITY),
            flights: Mutex::default(),
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.values.get(key)
    }

    pub(super) fn remove(&self, key: &K) {
        self.values.remove(key);
    }

    pub(super) fn clear(&self) {
        self.values.clear();
    }

    /// What `load` reads, or what it is reading for another. That nothing was found is not
    /// remembered, unless `V` says so: an attacker could crowd out what is there.
    pub(super) async fn load<F: Future<Output = Result<Option<V>, StoreError>>>(
        &self,
        generation: &Generation,
        key: &K,
        load: impl Fn() -> F,
    ) -> Result<Option<V>, StoreError> {
        loop {
            let current = generation.current();
            match self.board(key, current) {
                Seat::Waits(flight) => {
                    if let Some(answer) = flight.answer().await {
                        return answer;
                    }
                }
                Seat::Leads(lead) => {
                    let reading = Reading {
                        entries: self,
                        key,
                        generation: current,
                    };
                    // The read before may just have ended.
                    let outcome = match self.get(key) {
                        Some(value) => Ok(Some(value)),
                        None => load().await,
                    };
                    if let Ok(Some(value)) = &outcome {
                        reading.put(generation, value);
                    }
                    return lead.answer(outcome);
                }
            }
        }
    }

    /// Joins the read of this generation that is under way, or begins it.
    fn board(&self, key: &K, generation: u64) -> Seat<Option<V>> {
        let mut flights = self.flights();
        let (of, flight) = flights.entry(key.clone()).or_default();
        if *of != generation {
            (*of, *flight) = (generation, None);
        }
        Flight::board(flight)
    }

    fn flights(&self) -> MutexGuard<'_, Flights<K, V>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A read that is under way, until it is dropped.
struct Reading<'e, K: Eq + Hash + Clone, V: Clone> {
    entries: &'e Entries<K, V>,
    key: &'e K,
    generation: u64,
}

impl<K: Eq + Hash + Clone, V: Clone> Reading<'_, K, V> {
    /// Puts in what was read, unless something was forgotten meanwhile.
    fn put(&self, generation: &Generation, value: &V) {
        let current = generation.0.read().unwrap_or_else(PoisonError::into_inner);
        if *current == self.generation {
            self.entries.values.insert(self.key.clone(), value.clone());
        }
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Drop for Reading<'_, K, V> {
    fn drop(&mut self) {
        let mut flights = self.entries.flights();
        // A later generation may be reading by now.
        if flights
            .get(self.key)
            .is_some_and(|(generation, _)| *generation == self.generation)
        {
            flights.remove(self.key);
        }
    }
}
