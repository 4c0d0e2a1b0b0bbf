//! What is registered before and after a plan, as far as the plan has to know.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use grantor_jose::{base64url_encode, crypto};
use serde_json::json;

use crate::{
    admin::Error,
    registry::{
        Client, Permission, Resource, ResourceId as _, ScopeText, Subject, Trust, TrustedIssuer,
    },
    storage::Registry,
};

/// All kinds.
#[derive(Default)]
pub(super) struct Tables {
    pub clients: Table<Client>,
    pub subjects: Table<Subject>,
    pub permissions: Table<Permission>,
    pub scopes: Table<ScopeText>,
    pub issuers: Table<TrustedIssuer>,
    pub trusts: Table<Trust>,
}

/// Most names that are asked for at once.
const AT_ONCE: usize = 500;

/// Registrations of a kind.
pub(super) struct Table<R: Resource> {
    /// As they were read; `None` for a name that nothing is registered under.
    before: BTreeMap<R::Id, Option<Arc<R>>>,
    /// Those that the plan changes; `None` for what it removes.
    after: HashMap<R::Id, Option<Arc<R>>>,
}

impl<R: Resource> Default for Table<R> {
    fn default() -> Self {
        Self {
            before: BTreeMap::new(),
            after: HashMap::new(),
        }
    }
}

impl<R: Resource> Table<R> {
    /// Reads what is registered under these names, unless it was read before.
    pub async fn read(
        &mut self,
        registry: &dyn Registry<R>,
        names: impl IntoIterator<Item = R::Id>,
    ) -> Result<(), Error> {
        let names = names.into_iter();
        let unread: BTreeSet<_> = names
            .filter(|name| !self.before.contains_key(name))
            .collect();
        let unread: Vec<_> = unread.into_iter().collect();
        for some in unread.chunks(AT_ONCE) {
            let found = registry.get_all(some).await?;
            self.before.extend(some.iter().cloned().zip(found));
        }
        Ok(())
    }

    /// Keeps what was read.
    pub fn keep(&mut self, read: Arc<R>) {
        self.before.insert(read.id(), Some(read));
    }

    /// What was registered under a name, of those that were read.
    pub fn before(&self, name: &R::Id) -> Option<&Arc<R>> {
        self.before.get(name)?.as_ref()
    }

    /// All that were registered, of those that were read.
    pub fn all_before(&self) -> impl Iterator<Item = &Arc<R>> {
        self.before.values().flatten()
    }

    /// What is registered under a name when the plan is carried out.
    pub fn after(&self, name: &R::Id) -> Option<&Arc<R>> {
        match self.after.get(name) {
            Some(after) => after.as_ref(),
            None => self.before(name),
        }
    }

    /// All that are registered when the plan is carried out, of those that are known.
    pub fn all_after(&self) -> impl Iterator<Item = &Arc<R>> {
        let stays = |one: &&Arc<R>| !self.after.contains_key(&one.id());
        let stay = self.all_before().filter(stays);
        stay.chain(self.after.values().flatten())
    }

    /// Whether the plan changes what is registered under a name.
    pub fn changes(&self, name: &R::Id) -> bool {
        self.after.contains_key(name)
    }

    /// Whether the plan removes what is registered under a name.
    pub fn removes(&self, name: &R::Id) -> bool {
        self.after.get(name).is_some_and(Option::is_none)
    }

    /// Lets the plan register this, or remove what is there.
    pub fn set(&mut self, name: R::Id, after: Option<Arc<R>>) {
        self.after.insert(name, after);
    }

    /// A line for each name that was read.
    fn lines(&self) -> impl Iterator<Item = String> {
        self.before.iter().map(|(name, found)| {
            let revision = found.as_ref().map(|found| found.revision());
            let numbers = revision.map(|revision| (revision.number, revision.version));
            json!([R::NAME, name.to_text(), numbers]).to_string()
        })
    }
}

impl Tables {
    /// The digest of the kinds, names and revisions of all that was read.
    pub fn state(&self) -> String {
        let lines = self.clients.lines().chain(self.subjects.lines());
        let lines = lines.chain(self.permissions.lines());
        let lines = lines.chain(self.scopes.lines());
        let lines = lines.chain(self.issuers.lines()).chain(self.trusts.lines());
        let lines: Vec<_> = lines.collect();
        base64url_encode(crypto::sha256(&[lines.join("\n").as_bytes()]))
    }
}
