//! The pages that the code grant shows: the question, and what comes after the answer.

use async_trait::async_trait;
use http::StatusCode;

use super::{AuthorizationRequest, ConsentRequest, HandOver, hand_over::page};
use crate::{
    registry::{Permissions, Subject},
    server::{Answer, Context, Decision, Refusal, Request, answer::public_description},
};

/// Shows what a person is asked, and how it ended. The form of [`show`](ConsentPage::show) is sent
/// to `consent/decision` below the issuer, with the fields `t`, the
/// [ticket](ConsentRequest::ticket); `decision`, which is `allow` or `deny`; and `scope` for each
/// optional scope that is chosen.
#[async_trait]
pub trait ConsentPage: Send + Sync + 'static {
    /// Shows the page that asks the person.
    ///
    /// # Errors
    /// [`Refusal`] if it cannot be shown.
    async fn show(
        &self,
        context: &Context,
        request: &Request,
        consent: ConsentRequest,
    ) -> Result<Answer, Refusal>;

    /// Says what is allowed now, at the end of a consent link.
    ///
    /// # Errors
    /// [`Refusal`] if it cannot be shown.
    async fn done(
        &self,
        _context: &Context,
        _request: &Request,
        allowed: Allowed,
    ) -> Result<Answer, Refusal> {
        let client = allowed.request.client().metadata().shown_name();
        let text = format!("{} may act for you.", escape(client));
        Ok(Answer::new(page(StatusCode::OK, plain("Allowed", &text))))
    }

    /// Leads on to the client, after a form: [`HandOver::page`], or a redirect to one.
    async fn hand_over(&self, _context: &Context, _request: &Request, to: HandOver) -> Answer {
        let text = format!(
            r#"<a href="{}">Continue to {}</a>"#,
            escape(to.url()),
            escape(to.place())
        );
        to.page(plain("One moment", &text))
    }

    /// Says that a request is refused, where no client can be told: in the words of
    /// [`Refusal::public_text`], with the decision's id.
    async fn refused(
        &self,
        _context: &Context,
        _request: &Request,
        refusal: &Refusal,
        decision: &Decision,
    ) -> Answer {
        let text = escape(&public_description(refusal, decision));
        let page = page(StatusCode::BAD_REQUEST, plain("This did not work", &text));
        Answer::refusing(refusal, page)
    }
}

/// What a client may do for a person who followed a consent link.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Allowed {
    /// What was asked for.
    pub request: AuthorizationRequest,
    /// The person.
    pub subject: Subject,
    /// The records, as they are now.
    pub permissions: Permissions,
}

fn plain(title: &str, body: &str) -> String {
    format!(
        r#"<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><h1>{title}</h1><p>{body}</p></html>"#
    )
}

/// As text in HTML, in a quoted attribute too.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for each in text.chars() {
        match each {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            each => escaped.push(each),
        }
    }
    escaped
}
