//! What is made of an export, by the rules by which apply registers it: what these refuse is left
//! out, so that a file is never refused for one entry.

use std::collections::{BTreeSet, HashMap};

use grantor_jose::{
    Algorithm,
    json::{Object, Value},
};

use super::{Imported, LeftOut, part::Part};
use crate::{
    admin::{
        ClientDocument, Error, IssuerDocument, Kind, NewClient, ScopeDocument, ServerTerms,
        SubjectDocument, document::Document, issuers,
    },
    clock::UnixTime,
    types::{Issuer, Name},
};

/// What was made so far.
pub(super) struct Made {
    imported: Imported,
    /// Where each name was read, by its kind. Clients, subjects and issuers share their names.
    names: HashMap<(Kind, String), String>,
    /// What issuers are named: none has the `iss` of another for its name.
    issuer_names: BTreeSet<String>,
    /// Their names and `iss`, in lower case.
    issuer_words: BTreeSet<String>,
    terms: ServerTerms,
}

const EPOCH: UnixTime = UnixTime::from_millis(0);

impl Made {
    pub fn new() -> Self {
        Self {
            imported: Imported::default(),
            names: HashMap::new(),
            issuer_names: BTreeSet::new(),
            issuer_words: BTreeSet::new(),
            terms: any_terms(),
        }
    }

    pub fn into_imported(self) -> Imported {
        self.imported
    }

    pub fn leave_out(&mut self, one: LeftOut) {
        self.imported.left_out.push(one);
    }

    /// Adds a client, or leaves it out. Of one that is added, `notes` say what of it is left out.
    pub fn client(
        &mut self,
        part: &Part<'_>,
        name: &str,
        object: Object,
        notes: Vec<LeftOut>,
    ) -> bool {
        let problem = self
            .taken(name, &[Kind::Client])
            .or_else(|| fault_of_client(object.clone(), &self.terms));
        self.settle(Kind::Client, part, name, object, problem, notes)
    }

    /// Adds a subject, or leaves it out.
    pub fn subject(&mut self, part: &Part<'_>, name: &str, object: Object) {
        let problem = self
            .taken(name, &[Kind::Client, Kind::Subject])
            .or_else(|| {
                let read = read::<SubjectDocument>(object.clone());
                read.and_then(|document| first(document.check())).err()
            });
        self.settle(Kind::Subject, part, name, object, problem, Vec::new());
    }

    /// Adds the text of a scope, or leaves it out.
    pub fn scope(&mut self, part: &Part<'_>, name: &str, object: Object) -> bool {
        let problem = self
            .taken(name, &[Kind::Scope])
            .or_else(|| read::<ScopeDocument>(object.clone()).err());
        self.settle(Kind::Scope, part, name, object, problem, Vec::new())
    }

    /// Adds an issuer under a name that is like this one, or leaves it out.
    pub fn issuer(
        &mut self,
        part: &Part<'_>,
        alias: &str,
        mut object: Object,
        notes: Vec<LeftOut>,
    ) {
        let iss = object.get("iss").and_then(Value::as_str);
        let iss = iss.unwrap_or_default().to_owned();
        let name = self.free_name(alias);
        object.insert("name".to_owned(), name.clone().into());
        let problem = self
            .taken(&iss, &[Kind::Client, Kind::Issuer])
            .or_else(|| {
                let is_name = self.issuer_names.contains(&iss);
                is_name.then(|| "its iss is what another issuer is named".to_owned())
            })
            .or_else(|| {
                let document = read::<IssuerDocument>(object.clone());
                let checked =
                    |document| first(issuers::checked(document, &self.terms, EPOCH).map(drop));
                document.and_then(checked).err()
            });
        if problem.is_none() {
            let words = [&name, &iss].map(|word| word.to_ascii_lowercase());
            self.issuer_words.extend(words);
            self.issuer_names.insert(name);
        }
        self.settle_as(Kind::Issuer, part, (&iss, alias), object, problem, notes);
    }

    /// Where the name is already.
    fn taken(&self, name: &str, kinds: &[Kind]) -> Option<String> {
        kinds.iter().find_map(|kind| {
            let place = self.names.get(&(*kind, name.to_owned()))?;
            Some(format!(
                "{place} has this name already; a {kind} is told by its name alone"
            ))
        })
    }

    fn settle(
        &mut self,
        kind: Kind,
        part: &Part<'_>,
        name: &str,
        object: Object,
        problem: Option<String>,
        notes: Vec<LeftOut>,
    ) -> bool {
        self.settle_as(kind, part, (name, name), object, problem, notes)
    }

    /// `names`: by which it is told, and what it was called.
    fn settle_as(
        &mut self,
        kind: Kind,
        part: &Part<'_>,
        names: (&str, &str),
        object: Object,
        problem: Option<String>,
        notes: Vec<LeftOut>,
    ) -> bool {
        let (name, called) = names;
        let is_made = problem.is_none();
        match problem {
            Some(why) => self.leave_out(LeftOut::new(&*part.pointer, why).called(called)),
            None => {
                self.names
                    .insert((kind, name.to_owned()), part.pointer.clone());
                self.imported
                    .registrations
                    .of_mut(kind)
                    .push(Value::Object(object));
                let notes = notes.into_iter().map(|note| note.called(called));
                self.imported.left_out.extend(notes);
            }
        }
        is_made
    }

    /// A name for an issuer that no other has.
    fn free_name(&self, alias: &str) -> String {
        let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        let plain: String = alias
            .chars()
            .map(|letter| if is_allowed(letter) { letter } else { '-' })
            .skip_while(|letter| !letter.is_ascii_alphanumeric())
            .take(Name::MAX_BYTES - 8)
            .collect();
        let plain = if plain.is_empty() {
            "issuer".to_owned()
        } else {
            plain
        };
        let is_free = |name: &String| !self.issuer_words.contains(&name.to_ascii_lowercase());
        let numbered = (2..).map(|number: u32| format!("{plain}-{number}"));
        let mut names = std::iter::once(plain.clone()).chain(numbered);
        names.find(is_free).unwrap_or(plain)
    }
}

/// A server that accepts all that some server does: what one accepts by its own configuration, apply
/// says.
pub(super) fn any_terms() -> ServerTerms {
    let issuer = Issuer::parse("https://import.invalid").expect("an issuer identifier");
    let mut terms = ServerTerms::new(issuer);
    terms.assertion_algorithms = Algorithm::ALL.to_vec();
    terms
}

/// What is wrong with a client.
pub(super) fn fault_of_client(mut object: Object, terms: &ServerTerms) -> Option<String> {
    object.remove("secret");
    let read = read::<ClientDocument>(object);
    let prepared =
        read.and_then(|document| first(NewClient::new(document).prepare(terms, EPOCH).map(drop)));
    prepared.err()
}

fn read<D: Document>(object: Object) -> Result<D, String> {
    D::read(object).map_err(|faults| {
        let first = faults.into_iter().next();
        first.map_or_else(String::new, |fault| fault.to_string())
    })
}

/// The first of what is wrong.
fn first(done: Result<(), Error>) -> Result<(), String> {
    done.map_err(|error| match error {
        Error::Invalid(faults) if !faults.is_empty() => faults[0].to_string(),
        error => error.to_string(),
    })
}
