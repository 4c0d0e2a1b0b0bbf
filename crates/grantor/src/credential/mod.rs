//! What a party proves itself with: key files, keys that sign, the five methods of client
//! authentication.
//!
//! A client authenticates at the token endpoint with a [`ClientAuth`], a resource with the same at
//! the introspection endpoint. A [`KeyFile`] keeps what either needs; it is read and written here.

#[cfg(any(feature = "client", feature = "resource"))]
mod assertion;
#[cfg(any(feature = "client", feature = "resource"))]
mod auth;
#[cfg(any(feature = "client", feature = "resource"))]
mod basic;
#[cfg(any(feature = "client", feature = "resource"))]
mod error;
mod key_file;
mod key_text;
#[cfg(any(feature = "client", feature = "resource"))]
pub mod preset;
#[cfg(any(feature = "client", feature = "resource"))]
mod request;
#[cfg(any(feature = "client", feature = "resource"))]
mod server;
#[cfg(any(feature = "client", feature = "resource"))]
mod signer;

pub use key_file::{Credential, KeyFile, KeyFileError, KeyFileForm};
pub use key_text::{KeyText, KeyTextError, KeyTextForm};

#[cfg(any(feature = "client", feature = "resource"))]
pub use self::{
    assertion::{AssertionMaker, Audience, ScopePlace},
    auth::{
        ClientAuth, ClientSecretBasic, ClientSecretJwt, ClientSecretPost, NoneAuth, PrivateKeyJwt,
        Proof,
    },
    error::CredentialError,
    preset::Preset,
    request::EndpointRequest,
    server::Server,
    signer::{LocalKey, Signer, SignerError},
};
