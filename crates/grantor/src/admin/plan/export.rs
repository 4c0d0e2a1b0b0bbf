//! All that is registered in the form of files, page by page (M063).

use std::collections::VecDeque;

use grantor_jose::json::Object;
use serde_json::Value;

use super::{Kind, Plans, Registrations, written::Filed};
use crate::{
    admin::Error,
    registry::{Origin, Permission},
    storage::{Cursor, List, Registry, StoreError},
};

/// What places of exports are places in.
const LIST: &str = "export";
/// Registrations that are read at once.
const PAGE: u32 = 500;

/// The documents of a registry, one after the other: so that a million of them are never in memory
/// together. Without secrets, and without what people have given.
pub struct Export<'a> {
    plans: Plans<'a>,
    /// The kinds that are still to come, the present one first.
    kinds: VecDeque<Kind>,
    after: Option<Cursor>,
    ready: VecDeque<(Kind, Object)>,
}

impl<'a> Export<'a> {
    pub(super) fn new(plans: Plans<'a>) -> Self {
        Self {
            plans,
            kinds: Kind::ALL.into(),
            after: None,
            ready: VecDeque::new(),
        }
    }

    /// Goes on from the place of an earlier one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no such place.
    pub(super) fn from_place(plans: Plans<'a>, place: &Cursor) -> Result<Self, Error> {
        let text = List::new(LIST, &()).place(place)?;
        let parts = text.split_once(' ');
        let (kind, after) = parts.ok_or(StoreError::Cursor)?;
        let kind = kind_named(kind).ok_or(StoreError::Cursor)?;
        let kinds = Kind::ALL.into_iter().filter(|later| *later >= kind);
        Ok(Self {
            kinds: kinds.collect(),
            after: (!after.is_empty()).then(|| Cursor::from_text(after)),
            ..Self::new(plans)
        })
    }

    /// At least so many documents, if there are, in whole pages.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it goes on from no place, [`Error::Store`]
    pub async fn portion(&mut self, least: usize) -> Result<Registrations, Error> {
        let (mut portion, mut count) = (Registrations::default(), 0);
        while count < least
            && let Some(kind) = self.kinds.front()
        {
            self.read(*kind).await?;
            for (kind, document) in self.ready.drain(..) {
                portion.of_mut(kind).push(Value::Object(document));
                count += 1;
            }
        }
        Ok(portion)
    }

    /// The place behind the last portion; `None` at the end.
    pub fn place(&self) -> Option<Cursor> {
        let kind = self.kinds.front()?;
        let after = self.after.as_ref().map(Cursor::to_string);
        let place = format!("{kind} {}", after.unwrap_or_default());
        Some(List::new(LIST, &()).cursor(&place))
    }

    /// The next document; `None` after the last one. Kinds come in the order of [`Kind::ALL`], and
    /// documents in the order of their names.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub async fn next(&mut self) -> Result<Option<(Kind, Object)>, Error> {
        while self.ready.is_empty() {
            match self.kinds.front() {
                Some(kind) => self.read(*kind).await?,
                None => return Ok(None),
            }
        }
        Ok(self.ready.pop_front())
    }

    /// All that is left.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub async fn collect(mut self) -> Result<Registrations, Error> {
        let mut all = Registrations::default();
        while let Some((kind, document)) = self.next().await? {
            all.of_mut(kind).push(Value::Object(document));
        }
        Ok(all)
    }

    /// Reads the next page of a kind.
    async fn read(&mut self, kind: Kind) -> Result<(), Error> {
        let stores = self.plans.stores;
        match kind {
            Kind::Client => self.page(stores.trust.clients, |_| true).await,
            Kind::Subject => self.page(stores.trust.subjects, |_| true).await,
            Kind::Permission => {
                let is_given = |one: &Permission| one.origin == Origin::Operator;
                self.page(stores.permissions, is_given).await
            }
            Kind::Scope => self.page(stores.scopes, |_| true).await,
            Kind::Issuer => self.page(stores.trust.issuers, |_| true).await,
            Kind::Trust => self.page(stores.trust.trusts, |_| true).await,
        }
    }

    async fn page<R: Filed>(
        &mut self,
        registry: &dyn Registry<R>,
        is_wanted: fn(&R) -> bool,
    ) -> Result<(), Error> {
        let all = R::Filter::default();
        let page = registry.page(&all, self.after.as_ref(), PAGE).await?;
        let context = self.plans.context();
        let wanted = page.items.iter().filter(|one| is_wanted(one));
        let written = wanted.map(|one| (R::KIND, one.written(&context)));
        self.ready.extend(written);
        self.after = page.next;
        if self.after.is_none() {
            self.kinds.pop_front();
        }
        Ok(())
    }
}

fn kind_named(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
}
