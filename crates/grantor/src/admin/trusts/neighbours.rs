//! What only the other trusts of an issuer tell: a `sub` authenticates one client (T081), and few
//! trusts are tried on every JWT.

use std::collections::{BTreeSet, HashMap};

use super::{Conflict, Error, Named, Trusts, check};
use crate::{assertion::Usage, registry::Trust, types::Name};

/// The trusts of one issuer, as far as they meet each other.
#[derive(Debug, Default)]
pub(in crate::admin) struct Neighbours<'t> {
    by_sub: HashMap<&'t str, Vec<&'t Name>>,
    unpinned: BTreeSet<&'t Name>,
}

impl<'t> Neighbours<'t> {
    /// These trusts.
    pub fn of(trusts: impl IntoIterator<Item = &'t Trust>) -> Self {
        let mut all = Self::default();
        for trust in trusts {
            if let Some(sub) = federated_sub(trust) {
                all.by_sub.entry(sub).or_default().push(&trust.name);
            }
            if check::is_unpinned(trust) {
                all.unpinned.insert(&trust.name);
            }
        }
        all
    }

    /// Whether the others have to be asked about a trust that takes the place of what it was.
    pub fn concern(trust: &Trust, was: Option<&Trust>) -> bool {
        is_more(trust, was) || new_sub(trust, was).is_some()
    }

    /// Succeeds if this trust may be among them, in the place of what it was.
    pub fn check(&self, trust: &Trust, was: Option<&Trust>) -> Result<(), Error> {
        let is_other = |name: &&&Name| ***name != trust.name;
        if let Some(sub) = new_sub(trust, was) {
            let mut same = self.by_sub.get(sub).into_iter().flatten();
            if let Some(other) = same.find(is_other) {
                let named = Named::FederatedSubject(sub.to_owned(), (*other).clone());
                return Err(Error::Exists(named));
            }
        }
        let others = self.unpinned.iter().filter(is_other).count();
        if is_more(trust, was) && others >= Trusts::MAX_UNPINNED {
            let most = Conflict::TooManyUnpinned(trust.issuer.to_string(), Trusts::MAX_UNPINNED);
            return Err(Error::Conflict(most));
        }
        Ok(())
    }
}

/// The one `sub` by which a trust authenticates its client (T081).
fn federated_sub(trust: &Trust) -> Option<&str> {
    let sub = trust.pinned_sub();
    sub.filter(|_| trust.is_for(Usage::ClientAuthentication))
}

/// That `sub`, if it was not this trust's before.
fn new_sub<'t>(trust: &'t Trust, was: Option<&Trust>) -> Option<&'t str> {
    let sub = federated_sub(trust);
    sub.filter(|_| was.and_then(federated_sub) != sub)
}

fn is_more(trust: &Trust, was: Option<&Trust>) -> bool {
    check::is_unpinned(trust) && !was.is_some_and(check::is_unpinned)
}
