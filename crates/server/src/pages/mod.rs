//! The pages that people see: sign-in, consent, the way back to the client, what they allowed.
//!
//! Each page is an [`Endpoint`](grantor::server::Endpoint) of the library: its requests are read,
//! throttled, decided, recorded and counted as those for tokens are.

mod assets;
mod consent;
mod cookie;
mod desk;
mod html;
mod invitation;
mod me;
mod sign_in;
mod sign_out;
mod site;
mod views;

use std::sync::Arc;

use grantor::server::{Builder, authorization::People};

pub use cookie::BrowserSecret;
pub use desk::{Desk, Registries};
pub use site::Site;

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
        .endpoint(consent::HandOverPage(desk.clone()))
        .endpoint(invitation::InvitationPage(desk.clone()))
        .endpoint(me::OwnPage(desk.clone()))
        .endpoint(me::WithdrawPage(desk.clone()))
        .endpoint(sign_out::SignOutPage(desk))
        .endpoint(assets::StyleSheet)
}
