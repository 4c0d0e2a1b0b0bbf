//! What people are told whose request is refused: what happened, and the id under which the operator
//! finds the reason.

use askama::Template;
use grantor::{
    server::{Answer, Decision, Refusal, Request, Retry},
    types::Rule,
};

use super::{desk::Desk, html::Frame};

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalView<'a> {
    frame: Frame,
    heading: &'a str,
    text: String,
    again: Option<String>,
    decision: String,
}

/// The page of a refusal.
pub fn refused(desk: &Desk, request: &Request, refusal: &Refusal, decision: &Decision) -> Answer {
    let (heading, text) = words(refusal);
    let again = matches!(refusal.rule(), Rule::Ticket | Rule::Session);
    let view = RefusalView {
        frame: desk.frame(request, ""),
        heading,
        text,
        again: again.then(|| desk.site.path(desk.sign_in())),
        decision: decision.id.to_string(),
    };
    Answer::refusing(refusal, desk.page(request, &view))
}

/// What people are told, by the rule that was broken.
fn words(refusal: &Refusal) -> (&'static str, String) {
    if let Some(Retry::TooMany(wait)) = refusal.retry() {
        let seconds = wait.as_secs() + 1;
        let text = format!("Too many wrong tries from here. Go on in {seconds} seconds.");
        return ("Wait a little", text);
    }
    match refusal.rule() {
        Rule::Client | Rule::RedirectUri => (
            "This link does not work",
            "The program that sent you here is not registered with this address.".to_owned(),
        ),
        Rule::Ticket => (
            "This page was open too long",
            "Nothing has been changed.".to_owned(),
        ),
        Rule::Session => (
            "You are not signed in",
            "Nothing has been changed.".to_owned(),
        ),
        Rule::Origin => (
            "This form did not come from here",
            "Nothing has been changed.".to_owned(),
        ),
        Rule::Consent => (
            "Nothing was allowed",
            "The program may do no more than before.".to_owned(),
        ),
        Rule::Invitation => (
            "This link does not work any more",
            "It was used, it has ended, or a newer one was made. Whoever sent it can send another."
                .to_owned(),
        ),
        _ => ("This did not work", sentence(refusal.public_text())),
    }
}

/// With a capital letter, and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}
