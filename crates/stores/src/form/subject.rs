//! Subjects: a column for each member.

use grantor::{
    clock::UnixTime,
    registry::{Revision, Subject},
    types::{DisplayName, Language, LanguageError, Name, SubjectId},
};

use super::{Unreadable, unreadable};

const WHAT: &str = "subject";

/// A subject as it is stored.
pub(crate) struct SubjectRow {
    pub(crate) id: String,
    pub(crate) enabled: bool,
    /// Milliseconds since 1970.
    pub(crate) created_at: Option<i64>,
    pub(crate) managed_by: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) revision: Revision,
}

impl SubjectRow {
    pub(crate) fn read(self) -> Result<Subject, Unreadable> {
        let id = SubjectId::parse(&self.id).map_err(|error| unreadable(WHAT, error))?;
        let mut subject = Subject::new(id);
        subject.enabled = self.enabled;
        subject.created_at = self.created_at.map(UnixTime::from_millis);
        subject.managed_by = super::manager(self.managed_by)?;
        let name = self.display_name.map(|name| DisplayName::parse(&name));
        let name = name.transpose();
        subject.display_name = name.map_err(|error| unreadable(WHAT, error))?;
        let language = self.language.map(|tag| tag.parse()).transpose();
        subject.language = language.map_err(|error: LanguageError| unreadable(WHAT, error))?;
        subject.revision = self.revision;
        Ok(subject)
    }
}

pub(crate) fn display_name(subject: &Subject) -> Option<&str> {
    subject.display_name.as_ref().map(DisplayName::as_str)
}

pub(crate) fn manager(subject: &Subject) -> Option<&str> {
    subject.managed_by.as_ref().map(Name::as_str)
}

pub(crate) fn language(subject: &Subject) -> Option<&'static str> {
    subject.language.map(Language::as_str)
}
