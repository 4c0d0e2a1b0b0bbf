//! What stands around each page of the console.

use super::{Notice, Section, Visit, typed::Typed, words::Words};
use crate::pages::Frame;

/// What stands around a page.
pub struct Shell {
    pub frame: Frame,
    pub words: Words,
    /// Who is signed in, and their role.
    pub operator: String,
    pub role: &'static str,
    /// Whether the operator only looks.
    pub is_reader: bool,
    pub home: String,
    pub find: String,
    pub account: String,
    pub is_account: bool,
    pub sign_out: String,
    pub sign_out_ticket: String,
    pub entries: Vec<Entry>,
    pub notice: Option<Notice>,
}

/// An entry of the side bar.
pub struct Entry {
    pub path: String,
    pub text: &'static str,
    pub is_here: bool,
    /// The key that leads there, where keys are switched on.
    pub key: Option<char>,
}

impl Shell {
    pub(super) fn of(visit: &Visit) -> Self {
        let words = visit.words();
        let desk = &visit.console.desk;
        let entry = |section: Section| Entry {
            path: visit.at(section.path(), &[]),
            text: words.section(section),
            is_here: section == visit.section(),
            key: section.key(),
        };
        Self {
            frame: visit.frame.clone(),
            words,
            operator: visit.operator.subject.to_string(),
            role: words.role(visit.role()),
            is_reader: !visit.may_edit(),
            home: visit.at("", &[]),
            find: visit.at("/find", &[]),
            account: visit.at(Section::Account.path(), &[]),
            is_account: visit.section() == Section::Account,
            sign_out: desk.site.path(desk.sign_out()),
            sign_out_ticket: desk.ticket(visit.context(), "signout", &visit.secret),
            entries: Section::ALL.into_iter().map(entry).collect(),
            notice: visit.notice.clone(),
        }
    }
}

/// What is wrong with a form, on top of it: sentences, each with its field if it is one's fault.
pub struct Summary {
    pub sentence: Option<String>,
    pub faults: Vec<(String, String)>,
    /// The tag of the language in which they are said.
    pub language: &'static str,
}

impl Summary {
    /// The summary of this form; `None` if nothing is wrong.
    pub fn of(typed: &Typed) -> Option<Self> {
        typed.is_refused().then(|| Self {
            sentence: typed.problem().map(str::to_owned),
            faults: typed
                .faults()
                .map(|(field, detail)| (field.to_owned(), detail.to_owned()))
                .collect(),
            language: typed.language(),
        })
    }
}
