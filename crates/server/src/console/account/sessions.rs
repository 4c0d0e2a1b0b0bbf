//! Ending one's other sessions.

use grantor::{registry::Action, server::Body};
use http::Response;
use serde_json::json;

use super::{ACCOUNT, SESSIONS, words::Words};
use crate::{
    console::{Confirm, Done, Error, Form, Notice, Route, Section, Typed, Visit},
    pages::markup,
};

/// The question before an operator's other sessions end.
pub struct EndOthersPage;

impl Form for EndOthersPage {
    type Path = ();

    const ROUTE: Route = Route::form(SESSIONS, Section::Account).for_readers();

    async fn show(visit: &Visit, (): &(), typed: &Typed) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let (question, verb) = (markup(words.end_others_question()), words.end_others());
        let back = visit.at(ACCOUNT, &[]);
        let page = Confirm::ask(visit, typed, question, verb, back.clone())
            .below(back, words.heading())
            .saying(markup(words.ending()));
        Ok(page.page(visit))
    }

    async fn submit(visit: &Visit, (): &(), _: &Typed) -> Result<Done, Error> {
        let words = Words(visit.language());
        let ended = json!({"which": "all but the one that ends them"});
        let (kind, states) = (("session", &visit.subject().id), [Some(ended), None]);
        // Before: none ends that is not on record.
        visit.admin.record(kind, Action::Delete, states).await?;
        let secret = visit.end_other_sessions().await?;
        let notice = Notice::of(markup(words.others_ended()));
        Ok(Done::GoAs(secret, visit.at(ACCOUNT, &[]), notice))
    }
}
