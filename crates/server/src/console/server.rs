//! The server itself: how it is, its configuration, what should be mended, how it is backed up.

mod words;

use askama::Template;
use grantor::{jose::json::Value, server::Body};
use http::Response;

use self::words::Words;
use super::{Error, Page, Route, Section, Shell, Visit};
use crate::{
    admin::{
        Input, NoQuery, ServerDocument, ShowServer,
        notes::{Note, Severity},
    },
    pages::{Coded, Markup},
};

/// The server.
pub struct ServerPage;

#[derive(Template)]
#[template(path = "console/server/show.html")]
struct View {
    shell: Shell,
    words: Words,
    server: ServerDocument,
    dropped: Option<Markup>,
    notes: Vec<Shown>,
    sections: Vec<Part>,
    backup: Markup,
    master_key: Markup,
}

/// A note, and whether it has to be mended.
struct Shown {
    is_wrong: bool,
    message: String,
    remedy: String,
}

/// A section of the configuration; of what stands before all sections the name is empty.
struct Part {
    name: String,
    /// Whether it is there at all.
    is_set: bool,
    rows: Vec<(String, String)>,
}

impl Page for ServerPage {
    type Path = ();
    type Query = NoQuery;

    const ROUTE: Route = Route::page("/server", Section::Server).long();

    async fn show(visit: &Visit, (): (), _: NoQuery) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let server = visit.ask(Input::<ShowServer>::at(())).await?;
        let view = View {
            words,
            dropped: (server.decisions_dropped > 0)
                .then(|| words.dropped(server.decisions_dropped)),
            notes: server.notes.iter().map(shown).collect(),
            sections: sections(words, &server),
            backup: words.backup_by(Coded("grantor backup FILE")),
            master_key: words.keep_the_key(Coded("master.key")),
            shell: visit.shell(),
            server,
        };
        Ok(visit.page(&view))
    }
}

fn shown(note: &Note) -> Shown {
    Shown {
        is_wrong: note.verdict == Severity::Wrong,
        message: note.message.clone(),
        remedy: note.remedy.clone(),
    }
}

/// What stands alone first, and then section by section.
fn sections(words: Words, server: &ServerDocument) -> Vec<Part> {
    let mut alone = Part {
        name: String::new(),
        is_set: true,
        rows: Vec::new(),
    };
    let mut parts = Vec::new();
    for (name, value) in &server.configuration {
        match value {
            Value::Object(members) => parts.push(Part {
                name: name.clone(),
                is_set: true,
                rows: members
                    .iter()
                    .map(|(member, value)| (member.clone(), text_of(words, value)))
                    .collect(),
            }),
            Value::Null => parts.push(Part {
                name: name.clone(),
                is_set: false,
                rows: Vec::new(),
            }),
            value => alone.rows.push((name.clone(), text_of(words, value))),
        }
    }
    parts.insert(0, alone);
    parts
}

fn text_of(words: Words, value: &Value) -> String {
    match value {
        Value::Null => words.not_set().to_owned(),
        Value::Bool(true) => words.yes().to_owned(),
        Value::Bool(false) => words.no().to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) if values.is_empty() => words.nothing().to_owned(),
        Value::Array(values) => {
            let texts = values.iter().map(|value| text_of(words, value));
            texts.collect::<Vec<_>>().join(", ")
        }
        value => value.to_string(),
    }
}
