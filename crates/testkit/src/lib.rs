//! What the tests of several crates share. `forge` makes tokens that no honest library makes;
//! `world` is an authorization server in memory with the parties that call it, and `answer` the one
//! oracle that every answer of its token endpoint has to pass; `double` is an authorization server that answers
//! by script; `people` sign in and are asked; `third_party` are issuers that are trusted; `foreign` installs the servers and
//! clients of other projects; `postgres` starts a database; `binary` runs `grantor` itself; `port` and `wait` are how tests find
//! servers, and wait for them.
#![allow(
    missing_docs,
    reason = "a field or a method of a test says what it is by its name"
)]
#![allow(
    clippy::new_without_default,
    reason = "a world is made where a test says so"
)]

pub mod answer;
pub mod assertion;
pub mod binary;
pub mod credentials;
pub mod double;
pub mod foreign;
pub mod forge;
pub mod form;
pub mod people;
pub mod port;
pub mod postgres;
pub mod rows;
pub mod third_party;
pub mod wait;
pub mod world;

pub use answer::Answer;
pub use assertion::NewAssertion;
pub use forge::{Authenticator, Jwt, Key, keys, quote};
pub use form::Form;
pub use people::{Authorize, Browser, CALLBACK, Page, Sessions, VERIFIER, challenge};
pub use third_party::{ThirdParty, pin};
pub use world::{
    ISSUER, JWT_BEARER, Log, NOW, Party, Reason, TOKEN_ENDPOINT, Use, World, at, metadata,
    new_token_id, readable, with_client_assertion, without_grant,
};
