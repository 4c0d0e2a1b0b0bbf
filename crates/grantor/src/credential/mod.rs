//! What a party proves itself with: key files, keys that sign, the five methods of client
//! authentication.
//!
//! A client authenticates at the token endpoint with these, a resource at the introspection
//! endpoint.

mod assertion;
mod auth;
mod key_file;
mod key_text;
pub mod preset;
mod server;
mod signer;

pub use assertion::{AssertionMaker, Audience, ScopePlace};
pub use auth::{
    ClientAuth, ClientSecretBasic, ClientSecretJwt, ClientSecretPost, NoneAuth, PrivateKeyJwt,
};
pub use key_file::{Credential, KeyFile, KeyFileError, KeyFileForm};
pub use key_text::{KeyText, KeyTextError, KeyTextForm};
pub use preset::Preset;
pub use server::Server;
pub use signer::{LocalKey, Signer, SignerError};
