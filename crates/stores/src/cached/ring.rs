//! The signing keys at hand.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use grantor::{clock::UnixTime, keys::KeyRing};

/// What is so from one time on until another, when a key begins to sign or ends.
pub(crate) struct Moment {
    pub(crate) ring: Arc<KeyRing>,
    pub(crate) from: UnixTime,
    pub(crate) until: Option<UnixTime>,
}

/// The keys of this moment.
pub(super) struct Ring {
    moment: ArcSwap<Moment>,
    /// The generation in which they were read.
    generation: Mutex<u64>,
}

impl Ring {
    pub(super) fn new(moment: Moment) -> Self {
        Self {
            moment: ArcSwap::from_pointee(moment),
            generation: Mutex::new(0),
        }
    }

    pub(super) fn keys(&self) -> Arc<KeyRing> {
        self.moment.load().ring.clone()
    }

    /// Takes keys whose reading began in this generation. Those that were read in a later one stay.
    pub(super) fn put(&self, moment: Moment, generation: u64) {
        let mut newest = self
            .generation
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if generation >= *newest {
            *newest = generation;
            self.moment.store(Arc::new(moment));
        }
    }

    /// Whether the keys have to be read again, because it is later, or because the clock was set
    /// back.
    pub(super) fn is_due(&self, now: UnixTime) -> bool {
        let moment = self.moment.load();
        now < moment.from || moment.until.is_some_and(|until| until <= now)
    }
}
