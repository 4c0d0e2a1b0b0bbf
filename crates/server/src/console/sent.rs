//! Forms that make what is shown once (M115). The page with a new key or secret is itself the answer to
//! its form, and nothing of it is kept: whoever sends the form again, as by reloading, is told that it
//! was shown.

use std::time::Duration;

use askama::Template;
use grantor::{
    jose::{base64url_encode, crypto::random_bytes},
    server::Body,
    storage::{Artifact, ArtifactKey, ArtifactKind},
};
use http::Response;

use super::{Error, Shell, Typed, Visit};
use crate::pages::words;

const SENT: ArtifactKind = ArtifactKind::new("grantor:form-sent");
/// The field that tells one form from another of the same page.
const ONCE: &str = "once";
/// How long a form is remembered that was sent.
const REMEMBERED: Duration = Duration::from_secs(86_400);
/// Octets by which forms are told apart, and what they are as text.
const LENGTH: usize = 16;
const TEXT_LENGTH: usize = 22;

words! {
    /// What is said of what is shown once.
    struct Words;
    heading: "This was shown once", "Ceci n'a été affiché qu'une fois";
    sentence: "What this form made was shown, and it is kept nowhere here. If it is lost, make a new one.", "Ce que ce formulaire a créé a été affiché et n'est conservé nulle part ici. S'il est perdu, créez-en un nouveau.";
    go_on: "Go on", "Continuer";
}

/// What tells a new form from all others.
pub fn new_form() -> String {
    base64url_encode(random_bytes::<LENGTH>())
}

/// Whether this form was sent before, and what it made was shown.
///
/// # Errors
/// As the store.
pub async fn was_sent(visit: &Visit, typed: &Typed) -> Result<bool, Error> {
    let Some(key) = key_of(typed) else {
        return Ok(false);
    };
    let found = visit.context().artifacts().get(&key, visit.now()).await?;
    Ok(found.is_some())
}

/// Remembers that this form was sent.
pub async fn remember_sent(visit: &Visit, typed: &Typed) {
    let Some(key) = key_of(typed) else {
        return;
    };
    let now = visit.now();
    let mark = Artifact::new(now, now.plus(REMEMBERED));
    // Whatever comes of it, the page is shown: what is on it is nowhere else.
    let _ = visit.context().artifacts().put(key, mark, u64::MAX).await;
}

fn key_of(typed: &Typed) -> Option<ArtifactKey> {
    let text = typed.value(ONCE)?;
    (text.len() == TEXT_LENGTH).then(|| ArtifactKey::of(SENT, text))
}

/// The page for whoever sends a form again: it leads on to this path.
pub fn shown_before(visit: &Visit, next: String) -> Response<Body> {
    visit.page(&ShownView {
        words: Words(visit.language()),
        shell: visit.shell(),
        next,
    })
}

#[derive(Template)]
#[template(path = "console/shown.html")]
struct ShownView {
    shell: Shell,
    words: Words,
    next: String,
}
