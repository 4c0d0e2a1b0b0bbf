//! Assertions by the thousand: all at once before the clock runs, or one after the other as they
//! are needed.

use std::{error::Error, sync::Arc, thread, time::Duration};

use grantor::{
    clock::{Clock as _, SystemClock},
    jose::{SigningError, SigningKey, json::Object},
};
use grantor_testkit::NewAssertion;
use tokio::sync::mpsc::{self, Receiver};

/// What is signed beforehand may wait for minutes.
const PRESIGNED_LIFETIME: Duration = Duration::from_secs(600);
/// What is signed as it is needed lives as long as that of common clients.
const STREAMED_LIFETIME: Duration = Duration::from_secs(60);

/// Who signs, and for whom.
#[derive(Clone)]
pub struct Signer {
    pub client: String,
    pub audience: String,
    pub key: Arc<SigningKey>,
}

impl Signer {
    /// Signs with another key, and says it were the same client.
    pub fn with(&self, key: SigningKey) -> Self {
        Self {
            key: Arc::new(key),
            ..self.clone()
        }
    }

    /// Signs on all cores.
    pub fn presign(&self, count: usize) -> Result<Vec<String>, Box<dyn Error>> {
        on_all_cores(count, |share| {
            share.map(|_| self.sign(PRESIGNED_LIFETIME)).collect()
        })
    }

    /// Signs on one thread, a few ahead of who takes them. Ends with the receiver.
    pub fn stream(&self) -> Receiver<String> {
        let (sender, receiver) = mpsc::channel(256);
        let signer = self.clone();
        thread::spawn(move || {
            while let Ok(assertion) = signer.sign(STREAMED_LIFETIME) {
                if sender.blocking_send(assertion).is_err() {
                    return;
                }
            }
        });
        receiver
    }

    fn sign(&self, lifetime: Duration) -> Result<String, SigningError> {
        let assertion = NewAssertion {
            issuer: &self.client,
            subject: &self.client,
            audience: &self.audience,
            lifetime,
            typ: Some("JWT"),
            claims: Object::new(),
        };
        assertion.sign(&self.key, SystemClock.now())
    }
}

/// One assertion by each of these.
pub fn presign_each(signers: &[Signer]) -> Result<Vec<String>, Box<dyn Error>> {
    on_all_cores(signers.len(), |share| {
        signers[share]
            .iter()
            .map(|signer| signer.sign(PRESIGNED_LIFETIME))
            .collect()
    })
}

/// Shares `count` pieces of work out among the cores, and puts the results together in order.
pub fn on_all_cores<T: Send>(
    count: usize,
    work: impl Fn(std::ops::Range<usize>) -> Result<Vec<T>, SigningError> + Sync,
) -> Result<Vec<T>, Box<dyn Error>> {
    let threads = thread::available_parallelism()?.get();
    let share = count.div_ceil(threads).max(1);
    let work = &work;
    thread::scope(|scope| {
        let start = |from: usize| scope.spawn(move || work(from..count.min(from + share)));
        let workers: Vec<_> = (0..count).step_by(share).map(start).collect();
        let mut all = Vec::with_capacity(count);
        for worker in workers {
            all.extend(worker.join().map_err(|_| "a signing thread panicked")??);
        }
        Ok(all)
    })
}
