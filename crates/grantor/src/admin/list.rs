//! Lists and searches, page by page.

use std::sync::Arc;

use super::Error;
use crate::{
    registry::Resource,
    storage::{Cursor, Page, Registry},
};

/// Registrations that are read at once when the first read did not fill the page.
const PORTION: u32 = 500;
/// After this many the search stops, so that no page takes long; its cursor goes on.
const LOOKED_AT: usize = 10_000;

/// At most `limit` registrations that are wanted, in the order of their names. A page may be
/// shorter, or empty, although there is a next one.
pub(super) async fn search<R: Resource>(
    registry: &dyn Registry<R>,
    is_wanted: impl Fn(&R) -> bool + Send + Sync,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page<Arc<R>>, Error> {
    let limit = limit.max(1);
    let (mut found, mut after, mut looked_at) = (Vec::new(), after.cloned(), 0);
    let mut length = limit;
    loop {
        let mut portion = registry.page(after.as_ref(), length).await?;
        let room = limit as usize - found.len();
        if let Some(length) = shorter(&portion.items, &is_wanted, room) {
            // The page ends within the portion: the cursor of that place comes with a shorter one.
            portion = registry.page(after.as_ref(), length).await?;
        }
        looked_at += portion.items.len();
        let wanted = portion.items.into_iter();
        found.extend(wanted.filter(|resource| is_wanted(resource)));
        after = portion.next;
        if after.is_none() || found.len() >= limit as usize || looked_at >= LOOKED_AT {
            return Ok(Page {
                items: found,
                next: after,
            });
        }
        length = PORTION;
    }
}

/// How many of the items hold as many wanted ones as there is room for, if not all are needed.
fn shorter<R>(items: &[Arc<R>], is_wanted: impl Fn(&R) -> bool, room: usize) -> Option<u32> {
    let wanted = items.iter().enumerate();
    let mut wanted = wanted.filter(|(_, resource)| is_wanted(resource));
    let (last, _) = wanted.nth(room - 1)?;
    let length = u32::try_from(last + 1).ok()?;
    (last + 1 < items.len()).then_some(length)
}

/// Whether one of these texts has this part; every one has, if none is asked for.
pub(super) fn has_part(part: Option<&str>, texts: &[&str]) -> bool {
    part.is_none_or(|part| texts.iter().any(|text| text.contains(part)))
}
