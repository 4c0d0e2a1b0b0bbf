//! The pages that people see: sign-in, consent, the way back to the client, what they allowed.
//!
//! Each page is an [`Endpoint`](grantor::server::Endpoint) of the library: its requests are read,
//! throttled, decided, recorded and counted as those for tokens are.

mod activity;
mod assets;
pub mod chart;
mod consent;
mod cookie;
mod desk;
pub mod html;
mod invitation;
mod language;
mod look;
mod markup;
mod me;
mod notice;
mod number;
mod open;
mod passkey;
mod refusal;
pub mod shell;
mod sign_in;
mod sign_out;
mod site;
mod tag;
pub mod time;
mod views;
mod waiting;
mod ways;
mod words;

use std::sync::Arc;

use grantor::server::{Builder, authorization::People};
use http::{HeaderName, header};

pub use assets::Asset;
pub use cookie::BrowserSecret;
pub use desk::{Desk, INVITATION, INVITATION_TO_CONSOLE, Registries, Visitor};
pub use html::Frame;
pub use language::Language;
pub use look::{Choice, Look};
pub(crate) use markup::words;
pub use markup::{Coded, Link, Markup, Named, Part, Visible, drawing, markup, named};
pub use notice::{DONE, Notice};
pub use number::{count, writer};
pub use passkey::options as passkey_options;
pub use site::Site;
pub use tag::Tag;
pub use waiting::{HELD, TO, Waiting};
pub use words::Words;

/// Adds what all pages load.
pub fn add_assets(builder: Builder) -> Builder {
    assets::ALL
        .into_iter()
        .map(assets::AssetEndpoint)
        .fold(builder, Builder::endpoint)
}

/// Adds the pages on which operators sign in to the console and out of it.
pub fn add_console(builder: Builder, desk: Arc<Desk>) -> Builder {
    [
        header::COOKIE,
        header::ORIGIN,
        header::ACCEPT_LANGUAGE,
        HeaderName::from_static("sec-fetch-site"),
    ]
    .into_iter()
    .fold(builder, Builder::keep_header)
    .endpoint(sign_in::SignInPage(desk.clone()))
    .endpoint(passkey::PasskeySignIn(sign_in::SignInPage(desk.clone())))
    .endpoint(passkey::OptionsEndpoint(desk.clone()))
    .endpoint(open::OpenPage(desk.clone()))
    .endpoint(invitation::InvitationPage(desk.clone()))
    .endpoint(invitation::passkey::OptionsEndpoint(desk.clone()))
    .endpoint(invitation::passkey::AcceptEndpoint(
        invitation::InvitationPage(desk.clone()),
    ))
    .endpoint(sign_out::SignOutPage(desk))
}

/// Adds the pages, and the code grant with them.
pub fn add(builder: Builder, desk: Desk) -> Builder {
    let desk = Arc::new(desk);
    let people = People::new(
        sign_in::AtTheDesk(desk.clone()),
        consent::ConsentPages(desk.clone()),
        desk.registry.permissions.clone(),
        desk.registry.scope_texts.clone(),
    );
    builder
        .code_grant(people)
        .endpoint(sign_in::SignInPage(desk.clone()))
        .endpoint(passkey::PasskeySignIn(sign_in::SignInPage(desk.clone())))
        .endpoint(passkey::OptionsEndpoint(desk.clone()))
        .endpoint(consent::HandOverPage(desk.clone()))
        .endpoint(invitation::InvitationPage(desk.clone()))
        .endpoint(invitation::passkey::OptionsEndpoint(desk.clone()))
        .endpoint(invitation::passkey::AcceptEndpoint(
            invitation::InvitationPage(desk.clone()),
        ))
        .endpoint(me::OwnPage(desk.clone()))
        .endpoint(me::WithdrawPage(desk.clone()))
        .endpoint(activity::ActivityPage(desk.clone()))
        .endpoint(activity::NotMePage(desk.clone()))
        .endpoint(ways::WaysPage(desk.clone()))
        .endpoint(ways::MakingOptions(desk.clone()))
        .endpoint(sign_out::SignOutPage(desk))
}
