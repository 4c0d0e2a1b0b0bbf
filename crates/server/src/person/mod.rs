//! People: who is signed in at a browser, and how they sign in.

mod console_link;
mod invitation;
pub mod passkey;
mod password;
mod seen;
mod session;
mod unused;

pub use console_link::ConsoleLink;
pub use invitation::{EarlierWays, Invitation};
pub use passkey::{
    New as NewPasskey, OwnPasskey, Page as PasskeyPage, PasskeyError, Passkeys, Purpose,
};
pub use password::{Busy, Password, Passwords, Unfit};
pub use seen::Seen;
pub use session::{OpenSession, Presence, Proof, Proofs, Session, SessionKind, Sessions};
pub use unused::end_unused;
