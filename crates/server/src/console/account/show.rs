//! The operator's own ways to sign in, and sessions.

use askama::Template;
use grantor::server::Body;
use http::Response;

use super::{ACCOUNT, NEW_PASSKEY, PASSKEY, PASSWORD, SESSIONS, words::Words};
use crate::{
    admin::{Input, NoQuery, subjects::ShowCredentials},
    console::{Error, Page, Route, Section, Shell, Visit},
    pages::time,
    person::{OpenSession, SessionKind},
};

/// The operator's own ways to sign in, and sessions.
pub struct AccountPage;

#[derive(Template)]
#[template(path = "console/account/show.html")]
struct View {
    shell: Shell,
    words: Words,
    /// When the password was set, and how long ago.
    password: Option<[String; 2]>,
    set_password: String,
    passkeys: Vec<PasskeyRow>,
    /// Where one is added; `None` where browsers can have none (DC8).
    add_passkey: Option<String>,
    sessions: Vec<Row>,
    end_others: Option<String>,
}

struct PasskeyRow {
    name: String,
    made: String,
    used: Option<String>,
    remove: String,
}

struct Row {
    kind: &'static str,
    is_this: bool,
    signed_in: String,
    used: String,
    ends: String,
}

impl Page for AccountPage {
    type Path = ();
    type Query = NoQuery;

    const ROUTE: Route = Route::page(ACCOUNT, Section::Account);

    async fn show(visit: &Visit, (): (), _: NoQuery) -> Result<Response<Body>, Error> {
        let (words, language, now) = (Words(visit.language()), visit.language(), visit.now());
        let subject = visit.operator.subject.clone();
        let ways = visit.ask(Input::<ShowCredentials>::at(subject)).await?;
        let password = ways.password.map(|password| {
            let at = password.changed_at;
            [time::minute(at), time::distance(at, now, language)]
        });
        let artifacts = visit.context().artifacts();
        let open = OpenSession::all(artifacts, visit.subject(), now).await?;
        let row = |session: &OpenSession| Row {
            kind: match session.kind {
                SessionKind::Person => words.own_pages(),
                SessionKind::Console => words.console(),
            },
            is_this: visit.is_session(session),
            signed_in: time::minute(session.signed_in_at),
            used: time::distance(session.used_at, now, language),
            ends: time::distance(session.expires_at, now, language),
        };
        let mut passkeys = Vec::new();
        if let Some(desk) = &visit.desk().passkeys {
            for own in desk.of(visit.context(), visit.subject()).await? {
                let id = own.passkey.credential.to_string();
                passkeys.push(PasskeyRow {
                    name: own.passkey.name.to_string(),
                    made: time::day(own.passkey.created_at),
                    used: own.used_at.map(|at| time::distance(at, now, language)),
                    remove: visit.at(PASSKEY, &[&id]),
                });
            }
        }
        let can_have = visit.desk().passkeys.is_some();
        let view = View {
            words,
            passkeys,
            add_passkey: can_have.then(|| visit.at(NEW_PASSKEY, &[])),
            password,
            set_password: visit.at(PASSWORD, &[]),
            end_others: (open.len() > 1).then(|| visit.at(SESSIONS, &[])),
            sessions: open.iter().map(row).collect(),
            shell: visit.shell(),
        };
        Ok(visit.page(&view))
    }
}
