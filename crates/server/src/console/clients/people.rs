//! For how many people a client may act, and since when it did not.

use std::{collections::BTreeSet, time::Duration};

use grantor::{admin::PermissionFilter, clock::UnixTime, types::ClientId};

use super::words::Words;
use crate::{
    admin::{Input, Portion, permissions::ListPermissions},
    console::{Count, Error, Visit},
    pages::{Markup, markup},
};

/// A permission that nobody used for so long is perhaps not needed: 90 days.
pub const UNUSED: Duration = Duration::from_secs(90 * 86_400);

/// For whom a client may act.
#[derive(Clone, Copy, Debug)]
pub struct People {
    pub subjects: Count,
    pub last_used_at: Option<UnixTime>,
    /// Permissions that were not used for [`UNUSED`].
    pub unused: Count,
}

impl People {
    /// The people of this client.
    pub async fn of(visit: &Visit, client: &ClientId) -> Result<Self, Error> {
        let mut filter = PermissionFilter::default();
        filter.client = Some(client.clone());
        let all = visit.ask(asked(filter.clone())).await?;
        let subjects: BTreeSet<_> = all.items.iter().map(|one| &one.subject).collect();
        filter.unused_since = Some(visit.now().minus(UNUSED));
        let unused = visit.ask(asked(filter)).await?;
        Ok(Self {
            subjects: Count::new(subjects.len(), all.next.as_ref()),
            last_used_at: all.items.iter().filter_map(|one| one.last_used_at).max(),
            unused: Count::new(unused.items.len(), unused.next.as_ref()),
        })
    }

    /// For how many it acts, in a sentence.
    pub fn sentence(&self, words: Words) -> Markup {
        let Count { number, has_more } = self.subjects;
        match (number, has_more) {
            (number, true) => words.acts_for_more(number),
            (0, false) => markup(words.acts_for_nobody()),
            (1, false) => markup(words.acts_for_one()),
            (number, false) => words.acts_for(number),
        }
    }

    /// How many lose by its end, in a sentence.
    pub fn loss(&self, words: Words) -> Markup {
        let Count { number, has_more } = self.subjects;
        match (number, has_more) {
            (number, true) => words.more_lose(number),
            (0, false) => markup(words.acts_for_nobody()),
            (1, false) => markup(words.one_loses()),
            (number, false) => words.many_lose(number),
        }
    }

    /// How many permissions are unused, in a sentence; `None` if none is.
    pub fn unused_sentence(&self, words: Words) -> Option<Markup> {
        let Count { number, has_more } = self.unused;
        match (number, has_more) {
            (0, _) => None,
            (number, true) => Some(words.more_unused(number)),
            (1, false) => Some(markup(words.one_unused())),
            (number, false) => Some(words.some_unused(number)),
        }
    }
}

fn asked(filter: PermissionFilter) -> Input<ListPermissions> {
    Input {
        path: (),
        query: filter,
        portion: Portion {
            limit: Portion::MOST,
            ..Portion::default()
        },
        body: (),
    }
}
