//! Inviting a subject to choose how it signs in, and letting it recover access: by a link that is
//! shown once (M115).

use askama::Template;
use grantor::{server::Body, types::SubjectId};
use http::Response;

use super::{SUBJECT, SUBJECTS, to_change, words::Words};
use crate::{
    admin::{
        Input,
        subjects::{InvitationBody, InviteSubject},
    },
    console::{Done, Error, Form, Once, Route, Section, Shell, Summary, Typed, Visit},
    pages::{Markup, Named, markup, time},
};

/// The form of an invitation.
pub struct InvitePage;

/// The form of a link by which somebody recovers access.
pub struct RecoverPage;

#[derive(Template)]
#[template(path = "console/subjects/invite.html")]
struct View {
    shell: Shell,
    words: Words,
    summary: Option<Summary>,
    trail: Vec<(String, String)>,
    question: Markup,
    sentences: Vec<&'static str>,
    action: String,
    ticket: String,
    /// How long the link works, in seconds, and as it is said.
    lifetimes: [(&'static str, &'static str); 4],
    lifetime: String,
    verb: &'static str,
    back: String,
    typed: Typed,
}

/// As long as where nothing is said: 3 days.
const USUAL: &str = "259200";

impl Form for InvitePage {
    type Path = SubjectId;

    const ROUTE: Route = Route::form("/subjects/{subject}/invite", Section::Subjects)
        .grave()
        .once();

    async fn show(visit: &Visit, id: &SubjectId, typed: &Typed) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let question = words.invite_it(Named(id.as_str()));
        let sentences = vec![
            words.inviting(),
            words.inviting_ends_older(),
            words.inviting_keeps(),
        ];
        let asked = (question, sentences, words.invite());
        ask(visit, id, typed, asked).await
    }

    async fn submit(visit: &Visit, id: &SubjectId, typed: &Typed) -> Result<Done, Error> {
        let body = typed.members().number("lifetime").body()?;
        make(visit, id, body).await
    }
}

impl Form for RecoverPage {
    type Path = SubjectId;

    const ROUTE: Route = Route::form("/subjects/{subject}/recover", Section::Subjects)
        .grave()
        .once();

    async fn show(visit: &Visit, id: &SubjectId, typed: &Typed) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let question = words.recover_it(Named(id.as_str()));
        let sentences = vec![
            words.inviting(),
            words.recovering(),
            words.inviting_ends_older(),
        ];
        let asked = (question, sentences, words.recover());
        ask(visit, id, typed, asked).await
    }

    async fn submit(visit: &Visit, id: &SubjectId, typed: &Typed) -> Result<Done, Error> {
        let members = typed.members().number("lifetime").with("recover", true);
        make(visit, id, members.body()?).await
    }
}

async fn ask(
    visit: &Visit,
    id: &SubjectId,
    typed: &Typed,
    (question, sentences, verb): (Markup, Vec<&'static str>, &'static str),
) -> Result<Response<Body>, Error> {
    to_change(visit, id).await?;
    let words = Words(visit.language());
    let back = visit.at(SUBJECT, &[id.as_str()]);
    let view = View {
        words,
        summary: Summary::of(typed),
        trail: vec![
            (visit.at(SUBJECTS, &[]), words.heading().to_owned()),
            (back.clone(), id.to_string()),
        ],
        question,
        sentences,
        action: visit.here(),
        ticket: visit.ticket(),
        lifetimes: [
            ("86400", words.a_day()),
            (USUAL, words.three_days()),
            ("604800", words.a_week()),
            ("2592000", words.a_month()),
        ],
        lifetime: match typed.text("lifetime") {
            "" => USUAL.to_owned(),
            typed => typed.to_owned(),
        },
        verb,
        back,
        typed: typed.clone(),
        shell: visit.shell(),
    };
    Ok(visit.form(typed, &view))
}

async fn make(visit: &Visit, id: &SubjectId, body: InvitationBody) -> Result<Done, Error> {
    to_change(visit, id).await?;
    let words = Words(visit.language());
    let made = visit
        .ask(Input::<InviteSubject>::with(id.clone(), body))
        .await?;
    let ends = made.expires_at;
    let until = words.link_works_until(
        &time::minute(ends),
        &time::distance(ends, visit.now(), visit.language()),
    );
    let back = visit.at(SUBJECT, &[id.as_str()]);
    let heading = words.link_of(Named(id.as_str()));
    let page = Once::of(visit, words.link(), heading, back.clone())
        .below(visit.at(SUBJECTS, &[]), words.heading())
        .below(back, id.as_str())
        .showing("link", words.link(), made.link, "invitation.txt")
        .saying(until)
        .saying(markup(words.give_the_link()));
    Ok(page.done(visit))
}
