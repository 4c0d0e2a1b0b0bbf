//! One at a time: those that want the same answer wait for the one that is under way.

use std::{error::Error, sync::Arc};

use grantor::storage::StoreError;
use tokio::sync::watch;

/// Something under way, and its answer once there is one.
pub(super) struct Flight<T>(watch::Receiver<Option<Answer<T>>>);

/// What comes of wanting an answer.
pub(super) enum Seat<T> {
    Waits(Flight<T>),
    Leads(Lead<T>),
}

/// An answer for several.
type Answer<T> = Result<T, SharedError>;

impl<T: Clone> Flight<T> {
    /// Joins the flight that is under way, or begins one and leaves it for others to join.
    pub(super) fn board(under_way: &mut Option<Self>) -> Seat<T> {
        if let Some(flight) = under_way.as_ref().and_then(Self::join) {
            return Seat::Waits(flight);
        }
        let (sender, receiver) = watch::channel(None);
        *under_way = Some(Self(receiver));
        Seat::Leads(Lead(sender))
    }

    /// One to wait for, unless it has ended: an answer from before is no answer to a question that
    /// is asked now, and a lead may have gone away without one.
    fn join(&self) -> Option<Self> {
        let is_under_way = self.0.has_changed().is_ok() && self.0.borrow().is_none();
        is_under_way.then(|| Self(self.0.clone()))
    }

    /// Waits for the answer. `None` if the lead goes away without one, as does a request whose
    /// sender hangs up.
    pub(super) async fn answer(mut self) -> Option<Result<T, StoreError>> {
        let answer = self.0.wait_for(Option::is_some).await.ok()?.clone()?;
        Some(answer.map_err(StoreError::from))
    }
}

/// What gives the answer.
pub(super) struct Lead<T>(watch::Sender<Option<Answer<T>>>);

impl<T: Clone> Lead<T> {
    /// Answers all that wait, and gives back the same.
    pub(super) fn answer(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        let answer = outcome.map_err(SharedError::from);
        self.0.send_replace(Some(answer.clone()));
        answer.map_err(StoreError::from)
    }
}

/// Why a read failed, for several.
#[derive(Clone)]
enum SharedError {
    Unavailable(Arc<dyn Error + Send + Sync>),
    Failed(Arc<dyn Error + Send + Sync>),
}

impl From<StoreError> for SharedError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(cause) => Self::Unavailable(cause.into()),
            StoreError::Failed(cause) => Self::Failed(cause.into()),
            // No read answers so.
            other => Self::Failed(Arc::new(other)),
        }
    }
}

impl From<SharedError> for StoreError {
    fn from(error: SharedError) -> Self {
        match error {
            SharedError::Unavailable(cause) => Self::Unavailable(Box::new(cause)),
            SharedError::Failed(cause) => Self::Failed(Box::new(cause)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flight_that_has_ended_is_not_joined() {
        let mut under_way = None;
        let Seat::Leads(lead) = Flight::board(&mut under_way) else {
            unreachable!("none is under way")
        };
        assert!(matches!(Flight::board(&mut under_way), Seat::Waits(_)));
        lead.answer(Ok(())).expect("the answer");
        assert!(matches!(Flight::board(&mut under_way), Seat::Leads(_)));
        drop(lead);
        assert!(matches!(Flight::board(&mut under_way), Seat::Leads(_)));
    }
}
