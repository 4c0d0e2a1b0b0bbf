//! Whether the next request could be decided: this node is current, and the server keeps what is
//! promised. Neither costs the server anything: the pulse and the checks have asked.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use grantor::storage::{EngineFigures, Figures, Readiness, StoreError, StoreFigures};
use tokio::sync::Mutex;

use super::{Inner, PostgresStore, error::because};

/// How long an answer holds.
const ANSWER_HOLDS: Duration = Duration::from_secs(1);

/// The last answer and its moment. Whoever asks while a check runs waits for it.
#[derive(Default)]
pub(super) struct LastCheck(Mutex<Option<(Instant, Result<(), String>)>>);

#[async_trait]
impl Readiness for PostgresStore {
    /// Names and keys were read when it was opened, and claims stay with the server.
    async fn prepare(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn check(&self) -> Result<(), StoreError> {
        let mut last = self.0.last_check.0.lock().await;
        let outcome = match &*last {
            Some((at, outcome)) if at.elapsed() < ANSWER_HOLDS => outcome.clone(),
            _ => {
                let outcome = self.0.is_ready().await;
                last.insert((Instant::now(), outcome)).1.clone()
            }
        };
        outcome.map_err(|cause| StoreError::Unavailable(cause.into()))
    }

    /// Whatever has happened to the server, it may come back.
    fn has_ended(&self) -> bool {
        false
    }

    async fn ended(&self) {
        std::future::pending::<()>().await;
    }
}

impl StoreFigures for PostgresStore {
    fn figures(&self) -> Figures {
        let source = self.0.source();
        let mut engine = EngineFigures::default();
        engine.age_of_look = source.proof.age_of_look();
        engine.is_current = source.proof.check().is_ok() && source.fitness.verdict().is_ok();
        engine.connections = source.connections.open();
        engine.failed_connects = source.connections.failed();
        engine.failed_statements = source.connections.failed_statements().count();
        let sent = self.0.claims.sent();
        engine.claims = sent.claims.load(Ordering::Relaxed);
        engine.claim_groups = sent.groups.load(Ordering::Relaxed);
        engine.fence = source.fence.fence();
        let mut figures = Figures::default();
        figures.engine = Some(engine);
        figures
    }
}

impl Inner {
    /// Each reason in one line. A node that is not current says why its connection cannot be opened,
    /// where that is why.
    async fn is_ready(&self) -> Result<(), String> {
        let source = self.source();
        let mut reasons = Vec::new();
        if let Err(error) = source.proof.check() {
            reasons.push(reason(error));
            if let Err(failure) = source.connections.looks.session().await {
                reasons.push(reason(failure.into()));
            }
        }
        reasons.extend(source.fitness.verdict().err().map(reason));
        let claims = self.claims.sent().failure();
        reasons.extend(claims.map(|cause| format!("claims fail: {cause}")));
        match reasons.as_slice() {
            [] => Ok(()),
            reasons => Err(reasons.join(" | ")),
        }
    }
}

/// What the server said, below what the store makes of it.
fn reason(error: StoreError) -> String {
    match error {
        StoreError::Unavailable(cause) | StoreError::Failed(cause) => because(&*cause),
        other => other.to_string(),
    }
}
