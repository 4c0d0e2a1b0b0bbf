//! Ending what a subject signs in with: its sessions, its ways to sign in, its invitation.

use grantor::{registry::CredentialId, server::Body, types::SubjectId};
use http::Response;

use super::{SUBJECT, SUBJECTS, TAKE_PASSKEY, to_change, words::Words};
use crate::{
    admin::{
        Input, Operation,
        subjects::{DeleteCredentials, DeletePasskey, EndOpen, ShowCredentials},
    },
    console::{Confirm, Done, Error, Form, Notice, Route, Section, Typed, Visit},
    pages::{Markup, Named, markup},
    person::{Invitation, OpenSession},
};

/// The question before the sessions of a subject end.
pub struct EndSessionsPage;

/// The question before a subject has no way to sign in any more.
pub struct EndCredentialsPage;

/// The question before a passkey is taken from a subject.
pub struct TakePasskeyPage;

/// The question before the invitation of a subject ends.
pub struct EndInvitationsPage;

impl Form for EndSessionsPage {
    type Path = SubjectId;

    const ROUTE: Route = Route::form("/subjects/{subject}/sessions", Section::Subjects);

    async fn show(visit: &Visit, id: &SubjectId, typed: &Typed) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let question = words.end_sessions_question(Named(id.as_str()));
        let asked = (question, words.ending_sessions(), words.end_sessions());
        ask(visit, id, typed, asked).await
    }

    async fn submit(visit: &Visit, id: &SubjectId, _: &Typed) -> Result<Done, Error> {
        let happened = Words(visit.language()).sessions_ended(Named(id.as_str()));
        let input = Input::<EndOpen<OpenSession>>::at(id.clone());
        end(visit, id, input, happened).await
    }
}

impl Form for EndCredentialsPage {
    type Path = SubjectId;

    const ROUTE: Route = Route::form("/subjects/{subject}/credentials", Section::Subjects).grave();

    async fn show(visit: &Visit, id: &SubjectId, typed: &Typed) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let question = words.end_credentials_question(Named(id.as_str()));
        let verb = words.end_credentials();
        let asked = (question, words.ending_credentials(), verb);
        ask(visit, id, typed, asked).await
    }

    async fn submit(visit: &Visit, id: &SubjectId, _: &Typed) -> Result<Done, Error> {
        let happened = Words(visit.language()).credentials_ended(Named(id.as_str()));
        let input = Input::<DeleteCredentials>::at(id.clone());
        end(visit, id, input, happened).await
    }
}

impl Form for TakePasskeyPage {
    type Path = (SubjectId, CredentialId);

    const ROUTE: Route = Route::form(TAKE_PASSKEY, Section::Subjects).grave();

    async fn show(
        visit: &Visit,
        path: &Self::Path,
        typed: &Typed,
    ) -> Result<Response<Body>, Error> {
        let (words, (id, passkey)) = (Words(visit.language()), path);
        let name = name_of(visit, id, passkey).await?;
        let question = words.take_passkey_question(Named(&name), Named(id.as_str()));
        let asked = (question, words.taking_passkey(), words.take_passkey());
        ask(visit, id, typed, asked).await
    }

    async fn submit(visit: &Visit, path: &Self::Path, _: &Typed) -> Result<Done, Error> {
        let (words, (id, passkey)) = (Words(visit.language()), path);
        let name = name_of(visit, id, passkey).await?;
        let happened = words.passkey_taken(Named(&name), Named(id.as_str()));
        let input = Input::<DeletePasskey>::at(path.clone());
        end(visit, id, input, happened).await
    }
}

/// What the owner of a passkey calls it.
async fn name_of(visit: &Visit, id: &SubjectId, passkey: &CredentialId) -> Result<String, Error> {
    let ways = visit.ask(Input::<ShowCredentials>::at(id.clone())).await?;
    let mut known = ways.passkeys.into_iter();
    let found = known.find(|known| known.credential == passkey.as_str());
    Ok(found.ok_or(Error::NothingHere)?.name)
}

impl Form for EndInvitationsPage {
    type Path = SubjectId;

    const ROUTE: Route = Route::form("/subjects/{subject}/invitations", Section::Subjects);

    async fn show(visit: &Visit, id: &SubjectId, typed: &Typed) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let question = words.end_invitation_question(Named(id.as_str()));
        let verb = words.end_invitation();
        let asked = (question, words.ending_invitation(), verb);
        ask(visit, id, typed, asked).await
    }

    async fn submit(visit: &Visit, id: &SubjectId, _: &Typed) -> Result<Done, Error> {
        let happened = Words(visit.language()).invitation_ended(Named(id.as_str()));
        let input = Input::<EndOpen<Invitation>>::at(id.clone());
        end(visit, id, input, happened).await
    }
}

/// The page that asks: a question, what it means, and the button.
async fn ask(
    visit: &Visit,
    id: &SubjectId,
    typed: &Typed,
    (question, sentence, verb): (Markup, &'static str, &'static str),
) -> Result<Response<Body>, Error> {
    to_change(visit, id).await?;
    let back = visit.at(SUBJECT, &[id.as_str()]);
    let page = Confirm::ask(visit, typed, question, verb, back.clone())
        .below(visit.at(SUBJECTS, &[]), Words(visit.language()).heading())
        .below(back, id.as_str())
        .saying(markup(sentence));
    Ok(page.page(visit))
}

/// Does it, and says that it happened.
async fn end<O: Operation>(
    visit: &Visit,
    id: &SubjectId,
    input: Input<O>,
    happened: Markup,
) -> Result<Done, Error> {
    to_change(visit, id).await?;
    visit.ask(input).await?;
    let back = visit.at(SUBJECT, &[id.as_str()]);
    Ok(Done::Go(back, Notice::of(happened)))
}
