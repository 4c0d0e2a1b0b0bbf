//! When permissions were last used, to the hour: written beside the decisions, never waited for.

use std::collections::HashSet;

use grantor::clock::UnixTime;
use rusqlite::Connection;

use crate::waiting::DecisionRow;

/// The permissions whose use in this hour is written: most uses need no statement.
#[derive(Default)]
pub(super) struct Uses {
    hour: Option<UnixTime>,
    written: HashSet<u64>,
}

impl Uses {
    /// Writes the uses that are the first in their hour. What cannot be written is lost: the next
    /// hour tells.
    pub(super) fn write(&mut self, connection: &Connection, decisions: &[DecisionRow]) {
        for decision in decisions {
            let hour = decision.at().start_of_hour();
            let numbers = decision.permissions();
            for number in [numbers.operator, numbers.person].into_iter().flatten() {
                if self.is_new(number, hour)
                    && let Err(error) = write(connection, number, hour)
                {
                    tracing::warn!(%error, "the use of a permission could not be recorded");
                }
            }
        }
    }

    /// What was written may not be there: the commit failed.
    pub(super) fn forget(&mut self) {
        self.written.clear();
    }

    fn is_new(&mut self, number: u64, hour: UnixTime) -> bool {
        if Some(hour) > self.hour {
            self.hour = Some(hour);
            self.written.clear();
        }
        // One that is told late is told by a later one already, or lost.
        Some(hour) == self.hour && self.written.insert(number)
    }
}

/// Of a permission that is there still.
fn write(connection: &Connection, number: u64, hour: UnixTime) -> rusqlite::Result<()> {
    let write = "INSERT INTO permission_use (number, used_at) SELECT number, ?2 FROM permission WHERE number = ?1 \
        ON CONFLICT (number) DO UPDATE SET used_at = excluded.used_at WHERE excluded.used_at > used_at";
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(write)?;
    statement.execute((number, hour.millis())).map(drop)
}
