//! What operators do with the registry, whichever way they come: the documents that they read and
//! write, and the changes that they make. The commands call it.

mod clients;
mod document;

pub use clients::{
    ClientChangeError, Standing, new_secret, with_keys, with_secret, with_standing, without_key,
};
pub use document::{ClientDocument, DocumentError, KeyEntry, PublicJwks, SecretEntry, time_text};
