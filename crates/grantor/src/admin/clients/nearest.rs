//! Which client a mistyped name was perhaps meant for.

use super::super::Error;
use crate::{
    registry::{Client, ClientFilter},
    storage::{List, Registry, StoreError},
    types::ClientId,
};

/// Clients that are looked at from each place.
const LOOKED_AT: u32 = 500;

/// Looks at the first clients of all and, where there are more, at those behind the beginning of the
/// name and behind its first letter: at most three pages, however many are registered.
pub(super) async fn nearest(
    registry: &dyn Registry<Client>,
    name: &str,
) -> Result<Option<ClientId>, Error> {
    let mut best: Option<(usize, ClientId)> = None;
    let mut look = |clients: &[std::sync::Arc<Client>]| {
        for client in clients {
            let distance = strsim::damerau_levenshtein(client.id().as_str(), name);
            let is_near = distance > 0 && distance * 3 <= client.id().as_str().chars().count();
            let found = (distance, client.id().clone());
            if is_near && best.as_ref().is_none_or(|best| found < *best) {
                best = Some(found);
            }
        }
    };
    let every = ClientFilter::default();
    let first = registry.page(&every, None, LOOKED_AT).await?;
    look(&first.items);
    if first.next.is_some() {
        for beginning in [
            beginning(name, name.chars().count() / 2),
            beginning(name, 1),
        ] {
            let place = List::of::<Client>(&every).cursor(beginning);
            match registry.page(&every, Some(&place), LOOKED_AT).await {
                Ok(page) => look(&page.items),
                // This store does not begin at names.
                Err(StoreError::Cursor) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(best.map(|(_, id)| id))
}

/// The first characters of a name.
fn beginning(name: &str, characters: usize) -> &str {
    let end = name.char_indices().nth(characters);
    &name[..end.map_or(name.len(), |(end, _)| end)]
}
