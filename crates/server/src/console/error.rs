//! Why a page of the console does not show, or does not do, what it was asked for.

use std::time::Duration;

use grantor::{admin, registry::Role, server::Refusal, storage::StoreError};

use crate::{
    admin::{Problem, Slug},
    pages::Language,
};

/// Why not.
#[derive(Debug)]
pub enum Error {
    /// There is no such page, or nothing of this name.
    NothingHere,
    /// The filter makes no sense.
    Filter,
    /// The path takes these methods only.
    Method(&'static str),
    /// The operator's role is less than this.
    Role(Role),
    /// Nobody is signed in, or nobody any longer.
    SignIn,
    /// The operator has to prove anew who they are.
    Anew,
    /// The form did not come from a page of ours, or its page was open too long.
    Form(Box<Refusal>),
    /// The form was sent before, and what it shows once was shown.
    Shown,
    /// The operator asked for what is much work too often: how long to wait.
    SlowDown(Duration),
    /// The body is too long, or no form.
    Unreadable(&'static str),
    /// What the use cases say, and what is told of it.
    Told(Box<Problem>, Option<Box<admin::Error>>),
    /// What is told in this language, in words of the console.
    Worded(Box<Problem>, Language),
}

impl Error {
    /// A problem in words of the console.
    pub fn worded(problem: Problem, language: Language) -> Self {
        Self::Worded(Box::new(problem), language)
    }

    /// The language of what is told: that of the use cases is English.
    pub fn language(&self) -> Language {
        match self {
            Self::Worded(_, language) => *language,
            _ => Language::English,
        }
    }

    /// What is told of it, if the use cases said it.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Told(problem, _) | Self::Worded(problem, _) => Some(problem),
            _ => None,
        }
    }

    /// Whether the form is to be shown again: something in it can be mended.
    pub fn is_of_form(&self) -> bool {
        let Some(problem) = self.problem() else {
            return matches!(self, Self::SlowDown(_));
        };
        !matches!(problem.slug, Slug::Broken | Slug::Busy | Slug::NotFound)
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Told(Box::new(problem), None)
    }
}

impl From<admin::Error> for Error {
    fn from(error: admin::Error) -> Self {
        match error {
            admin::Error::NotFound(_) => Self::NothingHere,
            error => Self::Told(Box::new(Problem::from(&error)), Some(Box::new(error))),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        admin::Error::Store(error).into()
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Form(Box::new(refusal))
    }
}
