//! When operators were last at the console.

use std::collections::BTreeMap;

use grantor::{admin::Error, clock::UnixTime, registry::Subject, types::SubjectId};

use crate::{admin::Administration, person::OpenSession};

/// The pages by which operators come in, by the names of their endpoints.
const WAYS_IN: [&str; 3] = ["console_signin", "console_open", "console_invitation"];

/// When each of these was last at the console: by the sessions that are open, else by when they last
/// came in, as far as that is on record. All of them are looked for among decisions at once.
///
/// # Errors
/// [`Error::Store`]
pub async fn last_seen<'s>(
    admin: &Administration,
    subjects: impl Iterator<Item = &'s Subject>,
) -> Result<BTreeMap<SubjectId, UnixTime>, Error> {
    let (mut seen, mut away) = (BTreeMap::new(), Vec::new());
    for subject in subjects {
        let open = OpenSession::all(&*admin.store.artifacts, subject, admin.now()).await?;
        match open.iter().map(|session| session.used_at).max() {
            Some(at) => drop(seen.insert(subject.id.clone(), at)),
            None => away.push(subject.id.clone()),
        }
    }
    if !away.is_empty() {
        seen.extend(admin.decisions().last_granted(&away, &WAYS_IN).await?);
    }
    Ok(seen)
}
