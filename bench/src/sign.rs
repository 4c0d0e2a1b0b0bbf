//! Assertions by the thousand: all at once before the clock runs, or one after the other as they are needed.

use std::{error::Error, sync::Arc, thread, time::Duration};

use grantor::{
    assertion::NewAssertion,
    clock::{Clock as _, SystemClock},
    jose::{PrivateJwk, SigningKey, json::Object},
};
use tokio::sync::mpsc::{self, Receiver};

/// Who signs, and for whom.
#[derive(Clone)]
pub struct Signer {
    pub issuer: String,
    pub key: Arc<PrivateJwk>,
}

impl Signer {
    /// Signs on all cores.
    pub fn presign(&self, count: usize) -> Result<Vec<String>, Box<dyn Error>> {
        let threads = thread::available_parallelism()?.get();
        let share = count.div_ceil(threads);
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let signer = self.clone();
                thread::spawn(move || {
                    let key = signer.key.signing_key()?;
                    (0..share).map(|_| signer.sign(&key)).collect::<Result<Vec<_>, _>>()
                })
            })
            .collect();
        let mut signed = Vec::new();
        for worker in workers {
            signed.extend(worker.join().map_err(|_| "a signing thread panicked")??);
        }
        signed.truncate(count);
        Ok(signed)
    }

    /// Signs on one thread, a few ahead of who takes them. Ends with the receiver.
    pub fn stream(&self) -> Receiver<String> {
        let (sender, receiver) = mpsc::channel(256);
        let signer = self.clone();
        thread::spawn(move || {
            let Ok(key) = signer.key.signing_key() else { return };
            while let Ok(assertion) = signer.sign(&key) {
                if sender.blocking_send(assertion).is_err() {
                    return;
                }
            }
        });
        receiver
    }

    fn sign(&self, key: &SigningKey) -> Result<String, grantor::jose::SigningError> {
        let assertion = NewAssertion {
            issuer: "bench",
            subject: "bench",
            audience: &self.issuer,
            lifetime: Duration::from_secs(600),
            typ: Some("JWT"),
            claims: Object::new(),
        };
        assertion.sign(key, SystemClock.now())
    }
}
