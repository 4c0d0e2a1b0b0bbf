//! When something was used last: the last decision about it that is kept.

use grantor::{clock::UnixTime, storage::DecisionFilter};

use super::{Error, Visit};
use crate::admin::{Input, Portion, decisions::ListDecisions};

impl Visit {
    /// When the last of these requests was decided, as far as decisions are kept.
    ///
    /// # Errors
    /// As of the store.
    pub async fn last_decided(&self, filter: DecisionFilter) -> Result<Option<UnixTime>, Error> {
        let input = Input::<ListDecisions> {
            path: (),
            query: filter,
            portion: Portion {
                limit: 1,
                last: Some(1),
                ..Portion::default()
            },
            body: (),
        };
        let found = self.ask(input).await?;
        Ok(found.items.last().map(|kept| kept.0.at))
    }
}
