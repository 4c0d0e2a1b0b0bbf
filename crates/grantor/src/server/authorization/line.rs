//! THE LINE of a person's browser: from a valid request to the way back to the client, one stage
//! after the other. It stops where the person has to do something, and goes on from there with the
//! same request.

use http::Method;

use super::{
    AuthorizationError, AuthorizationRequest, ConsentRequest, HandOver, SignInRequest, SignedIn,
    code::IssuedCode,
    consent::{Standing, standing},
    page::Allowed,
    sign_in::{Anew, present},
};
use crate::server::{
    Answer, Context, Decision, Refusal, Request,
    consent_link::{CONSENT, consent_link},
};

/// Where a request stands.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
    /// Somebody has to sign in first.
    SignIn(Box<SignInRequest>),
    /// The person has to be asked first.
    Consent(Box<ConsentRequest>),
    /// The client gets its code.
    Done(HandOver),
    /// A consent link has led to its end: the client may act.
    Allowed(Box<Allowed>),
}

/// Takes a request as far as it goes with the person at the browser, if there is one. Nothing is
/// written: a code is a sealed value.
///
/// # Errors
/// [`Refusal`]; where a client waits, it is told.
pub async fn advance(
    context: &Context,
    request: AuthorizationRequest,
    signed_in: Option<&SignedIn>,
    decision: &mut Decision,
) -> Result<Step, Refusal> {
    step(context, &request, signed_in, decision)
        .await
        .map_err(|error| request.refused(error))
}

async fn step(
    context: &Context,
    request: &AuthorizationRequest,
    signed_in: Option<&SignedIn>,
    decision: &mut Decision,
) -> Result<Step, AuthorizationError> {
    let people = context.people().ok_or(AuthorizationError::NoPeople)?;
    let present = match present(context, request, signed_in, decision).await? {
        Ok(present) => present,
        Err(anew) => return sign_in(request, anew, decision),
    };
    let consented = match standing(context, people, request, present).await? {
        Standing::Consented(consented) => consented,
        Standing::SignIn(anew) => return sign_in(request, Some(anew), decision),
        Standing::Ask(consent) => {
            decision.waits();
            return Ok(Step::Consent(consent));
        }
    };
    let client = request.client();
    decision.is_allowed(client.id(), &consented.scope);
    match request.reply() {
        Some(reply) => {
            let code = IssuedCode::issue(context, client, reply, *consented);
            Ok(Step::Done(reply.target.with_code(context, code.expose())))
        }
        None => {
            let subject = consented.present.subject;
            let permissions = context.permissions_of(client, &subject.id);
            Ok(Step::Allowed(Box::new(Allowed {
                request: request.clone(),
                permissions: permissions.await?,
                subject,
            })))
        }
    }
}

fn sign_in(
    request: &AuthorizationRequest,
    anew: Option<Anew>,
    decision: &mut Decision,
) -> Result<Step, AuthorizationError> {
    if request.wanted().prompt.none {
        return Err(AuthorizationError::LoginRequired(match anew {
            None | Some(Anew::NoSubject) => "nobody is signed in",
            Some(Anew::Asked | Anew::TooLongAgo) => "the person signed in too long ago",
        }));
    }
    decision.waits();
    Ok(Step::SignIn(Box::new(SignInRequest {
        request: request.clone(),
        anew,
    })))
}

impl Step {
    /// The answer to the browser, by the hooks: the page or redirect that comes next.
    ///
    /// # Errors
    /// [`Refusal`] of a hook.
    pub async fn answer(self, context: &Context, request: &Request) -> Result<Answer, Refusal> {
        let people = context.people().ok_or(AuthorizationError::NoPeople)?;
        match self {
            Self::SignIn(wanted) => people.sign_in.ask(context, request, *wanted).await,
            Self::Consent(consent) if is_consent_page(context, request) => {
                people.consent_page.show(context, request, *consent).await
            }
            Self::Consent(consent) => Ok(Answer::see_other(&consent.location(context))),
            // A form is answered by the way to a page, so that it is not sent once more.
            Self::Allowed(allowed) if request.method() == Method::POST => {
                let (client, subject) = (allowed.request.client().id(), &allowed.subject.id);
                let scope = allowed.request.wanted().scope.as_ref();
                let issuer = context.identity().issuer();
                let link = consent_link(issuer, client, scope, subject);
                Ok(Answer::see_other(&link))
            }
            Self::Allowed(allowed) => people.consent_page.done(context, request, *allowed).await,
            Self::Done(hand_over) => Ok(lead(context, request, hand_over).await),
        }
    }
}

/// Whether the browser is where questions are asked, and may be shown one: a form is answered by a
/// redirect, so that going back does not send it again.
fn is_consent_page(context: &Context, request: &Request) -> bool {
    let page = context.identity().issuer().endpoint_path(CONSENT);
    request.method() != Method::POST && request.uri().path() == page
}

/// Leads to the client.
async fn lead(context: &Context, request: &Request, hand_over: HandOver) -> Answer {
    match context.people() {
        Some(people) if hand_over.needs_page() => {
            people
                .consent_page
                .hand_over(context, request, hand_over)
                .await
        }
        _ => hand_over.redirect(),
    }
}

/// How a refusal is told where people's browsers come: to the client if one waits and may be told,
/// else on a page. [`Endpoint::refuse`](crate::server::Endpoint::refuse) of a page does so by itself.
pub async fn refuse(
    context: &Context,
    request: &Request,
    refusal: &Refusal,
    decision: &Decision,
) -> Answer {
    match (context.people(), refusal.target()) {
        (_, Some(target)) => {
            lead(
                context,
                request,
                target.with_error(context, refusal, decision),
            )
            .await
        }
        (Some(people), None) => {
            people
                .consent_page
                .refused(context, request, refusal, decision)
                .await
        }
        (None, None) => Answer::refusal(request, refusal, decision),
    }
}
