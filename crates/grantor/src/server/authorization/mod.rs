//! The authorization code grant: a person signs in and says yes, once, and a client gets a code
//! (RFC 6749 §4.1, with RFC 7636, RFC 9207 and RFC 9700).
//!
//! ```text
//! Request -> AuthorizationForm -> RedirectTarget -> SignedIn -> Consented -> IssuedCode -> Answer
//! ```
//!
//! Holding a [`RedirectTarget`] is the proof that an error may go to the client. Nothing is written
//! before a person says yes: a request travels from page to page as a sealed ticket, and a code is a
//! sealed value too.
//!
//! # Embedding
//!
//! Three things are yours, all else is here:
//!
//! 1. [`SignIn`]: the person who sits at a browser, and where one goes who is nobody yet. Your page
//!    of that gets a ticket ([`AuthorizationRequest::ticket`], bound to a cookie of yours). When the
//!    person has signed in, it goes on by [`AuthorizationRequest::resume`], [`advance`] and
//!    [`Step::answer`].
//! 2. [`ConsentPage`]: the page that shows a [`ConsentRequest`]. Its form goes to
//!    `consent/decision`. The pages that come after it have a plain default.
//! 3. [`People`]: the two together with the registry in which a yes is recorded, for
//!    [`Builder::code_grant`](crate::server::Builder::code_grant).
//!
//! A page of yours is an [`Endpoint`](crate::server::Endpoint) with
//! [`Route::page`](crate::server::Route::page), whose forms are held to [`check_origin`]. `examples/code_grant.rs` is the whole of it.

mod answered;
mod challenge;
mod code;
mod consent;
mod error;
mod form;
mod hand_over;
mod line;
mod page;
mod people;
mod request;
mod sign_in;
mod target;

pub use answered::{actor, check_origin, check_origin_is};
pub(super) use answered::{decide, reopen};
pub(super) use code::Code;
pub use consent::{AskedPart, AskedScope, ConsentRequest};
pub use error::AuthorizationError;
pub use hand_over::HandOver;
pub use line::{Step, advance, refuse};
pub use page::{Allowed, ConsentPage};
pub use people::People;
pub use request::AuthorizationRequest;
pub use sign_in::{Anew, SignIn, SignInRequest, SignedIn};
pub use target::RedirectTarget;
pub(super) use target::is_registered;

use super::{Context, Refusal, Request};

/// The values of `prompt` that are understood.
pub(super) const PROMPTS: [&str; 4] = request::Prompt::VALUES;

/// The person at the browser that sent a request, by the server's [`SignIn`].
pub(super) async fn signed_in(
    context: &Context,
    request: &Request,
) -> Result<Option<SignedIn>, Refusal> {
    let people = context.people().ok_or(AuthorizationError::NoPeople)?;
    people.sign_in.signed_in(context, request).await
}
