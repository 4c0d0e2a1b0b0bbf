//! An operator at a page of the console: who, with which rights, in which language.

use std::sync::Arc;

use askama::Template;
use grantor::{
    clock::UnixTime,
    registry::{Operator, Revision, Role, Subject},
    server::{Body, Context},
};
use http::{HeaderMap, Response, StatusCode, Uri};

use super::{
    Console, Error, ListQuery, Notice, Route, Section, shell::Shell, typed::Typed, words::Words,
};
use crate::{
    admin::{Administration, Input, Operation, encoded_path_of, path_of},
    pages::{BrowserSecret, Desk, Frame, Language, html, time},
    person::{OpenSession, Proof, Session},
};

/// An operator at a page.
pub struct Visit {
    /// The use cases, with the operator's rights.
    pub admin: Arc<Administration>,
    /// Who it is.
    pub operator: Operator,
    pub(super) console: Arc<Console>,
    pub(super) secret: BrowserSecret,
    pub(super) session: Session,
    pub(super) route: Route,
    /// The path of the page below the console.
    pub(super) below: String,
    pub(super) frame: Frame,
    pub(super) notice: Option<Notice>,
    /// Which part of a list, in which form.
    pub list: ListQuery,
}

impl Visit {
    /// The language of the page.
    pub fn language(&self) -> Language {
        self.frame.language()
    }

    /// What all pages of the console share.
    pub fn words(&self) -> Words {
        Words(self.language())
    }

    /// The server.
    pub fn context(&self) -> &Context {
        self.console.server.context()
    }

    /// Now.
    pub fn now(&self) -> UnixTime {
        self.admin.now()
    }

    /// A moment, and how far away it is.
    pub fn moment(&self, at: UnixTime) -> String {
        let away = time::distance(at, self.now(), self.language());
        format!("{}, {away}", time::minute(at))
    }

    /// The operator, as a subject.
    pub fn subject(&self) -> &Subject {
        &self.session.subject
    }

    /// What the operator's browser is known by.
    pub fn secret(&self) -> &BrowserSecret {
        &self.secret
    }

    /// Where the operator came in.
    pub fn desk(&self) -> &Desk {
        &self.console.desk
    }

    /// Whether this session is the one that the page is shown in.
    pub fn is_session(&self, session: &OpenSession) -> bool {
        session.is_of(&self.secret)
    }

    /// Ends all sessions of the operator but this one, which goes on under another secret.
    ///
    /// # Errors
    /// As of the store.
    pub async fn end_other_sessions(&self) -> Result<BrowserSecret, Error> {
        let sessions = &self.desk().sessions;
        Ok(sessions.end_others(self.context(), &self.session).await?)
    }

    /// Ends all sessions of the operator, and begins another one here, with what was proved just now.
    ///
    /// # Errors
    /// As of the store.
    pub async fn begin_anew(&self, by: Proof) -> Result<BrowserSecret, Error> {
        let (sessions, context) = (&self.desk().sessions, self.context());
        sessions.end_all(context, self.subject()).await?;
        let before = Some(&self.secret);
        Ok(sessions.begin(context, before, self.subject(), by).await?)
    }

    /// Succeeds if the operator proved a moment ago who they are. What is grave for some resources
    /// only asks for it, before it shows its form and before it does it (M112).
    ///
    /// # Errors
    /// [`Error::Anew`]
    pub fn check_fresh(&self) -> Result<(), Error> {
        match self.session.is_fresh(self.now()) {
            true => Ok(()),
            false => Err(Error::Anew),
        }
    }

    /// What is told of an error: an owner who may not do what only owners may has to prove anew who
    /// they are (M112).
    pub(super) fn unless_anew(&self, error: Error) -> Error {
        let needed = error.problem().and_then(|problem| problem.needed);
        match needed == Some(Role::Owner) && self.may(Role::Owner) {
            true => self.check_fresh().err().unwrap_or(error),
            false => error,
        }
    }

    /// What the operator may do.
    pub fn role(&self) -> Role {
        self.operator.role
    }

    /// Whether the operator may do what needs this role. What one may not do is not offered (M113).
    pub fn may(&self, role: Role) -> bool {
        self.role() >= role
    }

    /// Whether the operator changes what gives no power.
    pub fn may_edit(&self) -> bool {
        self.may(Role::Editor)
    }

    /// Does an operation of `/admin/v1`, and answers its document.
    ///
    /// # Errors
    /// As the operation.
    pub async fn ask<O: Operation>(&self, input: Input<O>) -> Result<O::Answer, Error> {
        Ok(self.answered::<O>(input).await?.0)
    }

    /// Does an operation of `/admin/v1`, and answers its document and the state that it shows, as its
    /// `ETag` has it.
    ///
    /// # Errors
    /// As the operation.
    pub async fn answered<O: Operation>(
        &self,
        input: Input<O>,
    ) -> Result<(O::Answer, Option<Revision>), Error> {
        // An operation says itself which role it needs, wherever it is asked from.
        if !self.may(O::ROUTE.needs) {
            return Err(Error::Role(O::ROUTE.needs));
        }
        if O::ROUTE.is_much_work {
            let spent = self.console.sparing.spend(self.operator.subject.as_str());
            spent.map_err(Error::SlowDown)?;
        }
        let answered = O::run(&self.admin, input).await?;
        Ok((answered.document, answered.revision))
    }

    /// Does an operation about what may not be there; `None` if it is not.
    ///
    /// # Errors
    /// As the operation.
    pub async fn find<O: Operation>(&self, input: Input<O>) -> Result<Option<O::Answer>, Error> {
        match self.ask(input).await {
            Ok(found) => Ok(Some(found)),
            Err(Error::NothingHere) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The path of a page of the console: a template such as `/clients/{client}`, and the names in
    /// its braces.
    pub fn at(&self, template: &str, names: &[&str]) -> String {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut path = path_of(template, &names);
        // A name may be a word that another page has in its place, such as `new`.
        if let Ok(found) = self.console.routes.at(&path)
            && self.console.leaves[*found.value].route().path != template
        {
            path = encoded_path_of(template, &names);
        }
        format!("{}{path}", self.console.path)
    }

    /// The path of this page.
    pub fn here(&self) -> String {
        format!("{}{}", self.console.path, self.below)
    }

    /// The ticket of the form of this page.
    pub fn ticket(&self) -> String {
        self.ticket_for(&self.here())
    }

    /// The ticket of a form that is sent to this path. The form of a grave page has its ticket from
    /// that page alone, which says what stops working (M112).
    pub fn ticket_for(&self, path: &str) -> String {
        self.console.desk.ticket(self.context(), path, &self.secret)
    }

    /// What stands around the page: the side bar, who is signed in, what happened.
    pub fn shell(&self) -> Shell {
        Shell::of(self)
    }

    /// The page.
    pub fn page(&self, template: &impl Template) -> Response<Body> {
        html::apart(html::page(template))
    }

    /// The page of a form: with status 422 if something is wrong with its fields.
    pub fn form(&self, typed: &Typed, template: &impl Template) -> Response<Body> {
        let mut response = self.page(template);
        if typed.faults().next().is_some() {
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        }
        response
    }

    /// The section of the page.
    pub fn section(&self) -> Section {
        self.route.section
    }
}

/// What stands around a page of the console that was asked for so.
pub(super) fn frame(console: &Console, headers: &HeaderMap, uri: &Uri) -> Frame {
    let kept = uri.query().unwrap_or_default();
    Frame::new(&console.desk.site, headers, uri, kept, "console")
}
