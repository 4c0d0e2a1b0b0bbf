//! What people are told whose request is refused: what happened, and the id under which the operator
//! finds the reason.

use askama::Template;
use grantor::{
    server::{Answer, Decision, Refusal, Request, Retry},
    types::Rule,
};

use super::{Coded, Language, Markup, desk::Desk, html::Frame, markup, words::Words};

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalView<'a> {
    frame: Frame,
    words: Words,
    heading: &'a str,
    sentence: Markup,
    /// The language of the sentence.
    language: &'static str,
    again: Option<String>,
    decision: String,
}

/// The page of a refusal.
pub fn refused(desk: &Desk, request: &Request, refusal: &Refusal, decision: &Decision) -> Answer {
    let frame = desk.frame(request, "");
    let words = frame.words();
    let (heading, sentence, language) = told(words, refusal);
    let again = matches!(refusal.rule(), Rule::Ticket | Rule::Session);
    let view = RefusalView {
        frame,
        words,
        heading,
        sentence,
        language: language.tag(),
        again: again.then(|| desk.site.path(desk.sign_in())),
        decision: decision.id.to_string(),
    };
    Answer::refusing(refusal, desk.page(request, &view))
}

/// What people are told, by the rule that was broken, and in which language the sentence is.
fn told(words: Words, refusal: &Refusal) -> (&'static str, Markup, Language) {
    if let Some(Retry::TooMany(wait)) = refusal.retry() {
        let sentence = words.wait(wait.as_secs() + 1);
        return (words.wait_heading(), sentence, words.0);
    }
    let (heading, sentence) = match refusal.rule() {
        Rule::Client | Rule::RedirectUri => (words.link_does_not_work(), words.not_registered()),
        Rule::Ticket => (words.open_too_long(), words.nothing_changed()),
        Rule::Session => (words.not_signed_in(), words.nothing_changed()),
        Rule::Origin => (words.not_from_here(), words.nothing_changed()),
        Rule::Consent => (words.nothing_allowed(), words.no_more_than_before()),
        Rule::Invitation => (words.link_no_more(), words.link_was_used()),
        _ => {
            let text = sentence(refusal.public_text());
            return (
                words.did_not_work(),
                markup(text.as_str()),
                Language::English,
            );
        }
    };
    (heading, markup(sentence), words.0)
}

/// With a capital letter, and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}
