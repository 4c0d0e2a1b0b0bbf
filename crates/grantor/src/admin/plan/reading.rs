//! The documents of a file, read: all that can be read of it, and every fault of the rest.

use std::collections::HashSet;

use grantor_jose::json::{Object, Value};

use super::{
    Kind, Registrations,
    written::{Filed, MAKE, SECRET},
};
use crate::{
    admin::{Fault, document::Document as _},
    registry::{Client, Permission, ScopeText, Subject, Trust, TrustedIssuer},
};

/// A document, and its place among those of its kind.
pub(super) struct Item<R: Filed> {
    pub place: usize,
    pub name: R::Id,
    pub document: R::Document,
    /// Whether a secret is to be made, for a client that needs one and has none.
    pub makes_secret: bool,
}

/// The documents of a file.
#[derive(Default)]
pub(super) struct Documents {
    pub clients: Vec<Item<Client>>,
    pub subjects: Vec<Item<Subject>>,
    pub permissions: Vec<Item<Permission>>,
    pub scopes: Vec<Item<ScopeText>>,
    pub issuers: Vec<Item<TrustedIssuer>>,
    pub trusts: Vec<Item<Trust>>,
    /// The names in documents that cannot be read: they are meant to be there.
    meant: HashSet<(Kind, Vec<String>)>,
    pub faults: Vec<Fault>,
}

impl Documents {
    pub fn read(registrations: &Registrations) -> Self {
        let mut read = Self::default();
        read.clients = read.of_kind(registrations);
        read.subjects = read.of_kind(registrations);
        read.permissions = read.of_kind(registrations);
        read.scopes = read.of_kind(registrations);
        read.issuers = read.of_kind(registrations);
        read.trusts = read.of_kind(registrations);
        read
    }

    /// Whether a document that cannot be read has this name.
    pub fn mean(&self, kind: Kind, name: &str) -> bool {
        self.meant.contains(&(kind, vec![name.to_owned()]))
    }

    /// As [`Documents::mean`], by the name of a registration.
    pub fn mean_this<R: Filed>(&self, name: &R::Id) -> bool {
        self.meant.contains(&(R::KIND, R::parts_of(name)))
    }

    fn of_kind<R: Filed>(&mut self, registrations: &Registrations) -> Vec<Item<R>> {
        let (mut items, mut names) = (Vec::new(), HashSet::new());
        for (place, value) in registrations.of(R::KIND).iter().enumerate() {
            if self.faults.len() > MOST_FAULTS {
                break;
            }
            let (item, faults) = read_one::<R>(place, value);
            let at = pointer(R::KIND, place);
            self.faults
                .extend(faults.into_iter().map(|fault| fault.below(&at)));
            let Some(item) = item else {
                self.meant.extend(raw_name::<R>(value));
                continue;
            };
            match names.insert(item.name.clone()) {
                true => items.push(item),
                false => {
                    let fault = Fault::new(R::NAMED_BY[0], "is there twice; leave one out");
                    self.faults.push(fault.below(&at));
                }
            }
        }
        items
    }
}

/// With more faults than this nothing more is read: a file of another kind has millions.
const MOST_FAULTS: usize = 1000;

/// The place of a document.
pub(super) fn pointer(kind: Kind, place: usize) -> String {
    format!("/{kind}/{place}")
}

fn read_one<R: Filed>(place: usize, value: &Value) -> (Option<Item<R>>, Vec<Fault>) {
    let Value::Object(object) = value else {
        return (None, vec![Fault::of_all("expected an object")]);
    };
    let (mut object, mut faults) = (object.clone(), Vec::new());
    for name in R::READ_ONLY {
        if object.remove(*name).is_some() {
            faults.push(Fault::new(name, "is not for files; leave it out"));
        }
    }
    let makes_secret = R::KIND == Kind::Client && makes_secret(&mut object, &mut faults);
    match R::Document::read(object) {
        Err(more) => {
            faults.extend(more);
            (None, faults)
        }
        Ok(_) if !faults.is_empty() => (None, faults),
        Ok(document) => {
            let item = Item {
                place,
                name: R::name_of(&document),
                document,
                makes_secret,
            };
            (Some(item), faults)
        }
    }
}

/// Takes out the member that asks for a secret. A secret itself is in no file (M074).
fn makes_secret(object: &mut Object, faults: &mut Vec<Fault>) -> bool {
    match object.remove(SECRET) {
        None => false,
        Some(value) if value == MAKE => true,
        Some(_) => {
            let detail = format!("no secret is in a file; write \"{MAKE}\" to have one made");
            faults.push(Fault::new(SECRET, detail));
            false
        }
    }
}

fn raw_name<R: Filed>(value: &Value) -> Option<(Kind, Vec<String>)> {
    let part = |member: &&str| value.get(member)?.as_str().map(str::to_owned);
    let name: Option<Vec<_>> = R::NAMED_BY.iter().map(part).collect();
    Some((R::KIND, name?))
}
