//! How many tokens a key has signed that are alive: at most so many, from the counts of decisions.

use std::time::Duration;

use grantor::{
    admin::{SigningKeyDocument, SigningKeyState, StatisticsQuery},
    clock::UnixTime,
    storage::{CountBy, CountStep},
};

use crate::{
    admin::{Input, statistics::CountDecisions},
    console::{Error, Visit},
};

/// What is counted by the minute, where tokens live no longer.
const BY_THE_MINUTE: Duration = Duration::from_secs(24 * 3600);

/// When a key signs, and how long its tokens live.
#[derive(Clone, Copy, Debug)]
pub struct Signing {
    from: UnixTime,
    /// It signed last; now if it signs.
    pub until: UnixTime,
    /// The last token that it has signed so far ends.
    pub last_ends: UnixTime,
    longest: Duration,
}

impl Signing {
    /// What a key of this list signed, the newest first; nothing of one that has not signed yet.
    pub fn of(visit: &Visit, keys: &[SigningKeyDocument], kid: &str) -> Option<Self> {
        let place = keys.iter().position(|key| key.kid == kid)?;
        let (key, now) = (&keys[place], visit.now());
        let longest = visit.admin.terms().longest_token;
        let until = match key.state {
            SigningKeyState::Signing => now,
            _ if key.signs_from > now => return None,
            _ => {
                let newer = keys[..place].last().map(|newer| newer.signs_from);
                let planned = key.published_until.map(|end| end.minus(longest));
                newer.or(planned).unwrap_or(now).min(now)
            }
        };
        Some(Self {
            from: key.signs_from,
            until,
            last_ends: until.plus(longest),
            longest,
        })
    }

    /// How many tokens it has signed that are alive, at most: not more than requests were granted,
    /// nor than there were at the token endpoint. `None` where they cannot be counted.
    pub async fn alive(&self, visit: &Visit) -> Result<Option<u64>, Error> {
        let now = visit.now();
        let from = self.from.max(now.minus(self.longest));
        let step = match self.longest <= BY_THE_MINUTE {
            true => CountStep::Minute,
            false => CountStep::Hour,
        };
        let to = self.until.plus(step.length());
        if self.until <= from || self.last_ends <= now {
            return Ok(Some(0));
        }
        let counted = async |by, key: &str| {
            let mut query = StatisticsQuery::default();
            (query.from, query.to, query.step, query.by) = (Some(from), Some(to), step, by);
            let asked = Input::<CountDecisions>::at(()).asking(query);
            match visit.ask(asked).await {
                Ok(told) => {
                    let counts = told.counts.iter().filter(|count| count.key == key);
                    Ok(Some(counts.map(|count| count.count).sum()))
                }
                // More rows than are told at once.
                Err(error) if error.is_of_form() => Ok(None),
                Err(error) => Err(error),
            }
        };
        let granted: Option<u64> = counted(CountBy::Outcome, "granted").await?;
        let requests: Option<u64> = counted(CountBy::Endpoint, "token").await?;
        Ok(granted.into_iter().chain(requests).min())
    }
}
