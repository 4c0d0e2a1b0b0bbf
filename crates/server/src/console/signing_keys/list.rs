//! The keys that tokens are signed with: upcoming, signing and previous ones.

use askama::Template;
use grantor::{
    admin::{SigningKeyDocument, SigningKeyState},
    clock::UnixTime,
    registry::Role,
    server::Body,
};
use http::Response;

use super::{alive::Signing, words::Words};
use crate::{
    admin::{Input, NoQuery, signing_keys::ListSigningKeys},
    console::{Error, Page, Route, Section, Shell, Visit},
    pages::{
        Coded, Markup,
        chart::{Caption, Row as ChartRow, Span, Spans, Tone, cut},
        drawing,
        time::{clock, day, distance, minute},
    },
};

/// The keys that tokens are signed with.
pub struct ListPage;

#[derive(Template)]
#[template(path = "console/signing_keys/list.html")]
struct View {
    shell: Shell,
    words: Words,
    about: Markup,
    rotate: Option<String>,
    chart: Markup,
    chart_rows: Vec<ChartRow>,
    rows: Vec<Row>,
}

struct Row {
    key: SigningKeyDocument,
    published_since: String,
    signs_from: String,
    last_token_ends: String,
    alive: Option<u64>,
    revoke: Option<String>,
}

impl Row {
    fn is_signing(&self) -> bool {
        self.key.state == SigningKeyState::Signing
    }

    fn is_upcoming(&self) -> bool {
        self.key.state == SigningKeyState::Next
    }
}

impl Page for ListPage {
    type Path = ();
    type Query = NoQuery;

    const ROUTE: Route = Route::page("/signing-keys", Section::SigningKeys);

    async fn show(visit: &Visit, (): (), _: NoQuery) -> Result<Response<Body>, Error> {
        let keys = visit.ask(Input::<ListSigningKeys>::at(())).await?.items;
        let words = Words(visit.language());
        let chart = chart(visit, words, &keys);
        let mut rows = Vec::new();
        for key in &keys {
            let signing = Signing::of(visit, &keys, &key.kid);
            let alive = match &signing {
                Some(signing) => signing.alive(visit).await?,
                None => Some(0),
            };
            rows.push(row(visit, words, key, signing, alive));
        }
        let jwks = visit.admin.config.issuer.endpoint("jwks");
        let is_owner = visit.may(Role::Owner);
        let view = View {
            words,
            about: words.about(Coded(&jwks)),
            rotate: is_owner.then(|| visit.at("/signing-keys/new", &[])),
            chart_rows: chart.rows(),
            chart: drawing(&chart),
            rows,
            shell: visit.shell(),
        };
        Ok(visit.page(&view))
    }
}

fn row(
    visit: &Visit,
    words: Words,
    key: &SigningKeyDocument,
    signing: Option<Signing>,
    alive: Option<u64>,
) -> Row {
    let ends = signing.map(|signing| signing.last_ends);
    let last_token_ends = match (key.state, ends) {
        (SigningKeyState::Signing, _) => words.while_it_signs().to_owned(),
        (_, Some(ends)) => minute(ends),
        (_, None) => "–".to_owned(),
    };
    let is_owner = visit.may(Role::Owner);
    Row {
        published_since: minute(key.created_at),
        signs_from: minute(key.signs_from),
        last_token_ends,
        alive,
        revoke: is_owner.then(|| visit.at("/signing-keys/{kid}/revoke", &[&key.kid])),
        key: key.clone(),
    }
}

/// A key as a time line has room for it.
fn short(key: &SigningKeyDocument) -> String {
    format!("{} {}", cut(&key.kid, 7), key.alg)
}

/// Whether all of it is within two days, of which days alone would tell little.
fn is_short(keys: &[SigningKeyDocument], now: UnixTime) -> bool {
    const SHORT: i64 = 2 * 24 * 3600;
    let times = keys.iter().flat_map(|key| {
        let end = key.published_until.unwrap_or(now);
        [key.created_at, key.signs_from, end]
    });
    times
        .map(|at| (at.seconds() - now.seconds()).abs())
        .all(|far| far < SHORT)
}

fn chart(visit: &Visit, words: Words, keys: &[SigningKeyDocument]) -> Spans {
    let (now, language) = (visit.now(), visit.language());
    let away = |at: UnixTime| distance(at, now, language);
    let span = |key: &SigningKeyDocument| {
        let (note, tone) = match key.state {
            SigningKeyState::Next => (words.note_upcoming(&away(key.signs_from)), Tone::Third),
            SigningKeyState::Signing => (words.note_signing(&day(key.signs_from)), Tone::First),
            _ => {
                let ends = key.published_until.unwrap_or(now);
                (words.note_previous(&away(ends)), Tone::Other)
            }
        };
        Span {
            label: short(key),
            note: note.0,
            begins: key.created_at,
            ends: key.published_until,
            tone,
        }
    };
    let mut signing = keys.iter();
    let signing = signing.find(|key| key.state == SigningKeyState::Signing);
    let message = match signing {
        Some(key) => words.one_signs(&short(key)).0,
        None => words.none_signs().to_owned(),
    };
    Spans {
        caption: Caption {
            id: "keys",
            title: words.time_line().to_owned(),
            message,
            empty: words.no_keys().to_owned(),
        },
        spans: keys.iter().map(span).collect(),
        now,
        now_word: words.now().to_owned(),
        date: match is_short(keys, now) {
            true if keys.iter().all(|key| day(key.created_at) == day(now)) => clock,
            true => minute,
            false => day,
        },
    }
}
