//! Tokens that no honest library makes: any header, any claims, any octets for a signature. And
//! passkeys that say anything.

pub mod authenticator;
pub mod jwt;
pub mod key;
pub mod keys;

pub use authenticator::Authenticator;
pub use jwt::{Jwt, quote, segments};
pub use key::{Key, with_other_s};
