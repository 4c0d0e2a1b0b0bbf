//! The operator's own account: how they sign in, and where they are signed in.

mod passkeys;
mod password;
mod sessions;
mod show;
mod words;

pub use self::{
    passkeys::{NewPasskeyPage, RemovePasskeyPage},
    password::PasswordPage,
    sessions::EndOthersPage,
    show::AccountPage,
};

/// The paths of its pages below the console.
const ACCOUNT: &str = "/account";
const PASSWORD: &str = "/account/password";
const SESSIONS: &str = "/account/sessions";
const NEW_PASSKEY: &str = "/account/passkeys/new";
const PASSKEY: &str = "/account/passkeys/{passkey}";
