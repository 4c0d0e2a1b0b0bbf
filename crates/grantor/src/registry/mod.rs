//! What is registered: clients with their keys and secrets, subjects, permissions. Nouns without
//! I/O; where they are kept is for [`storage`](crate::storage).

mod authentication;
mod client;
mod client_key;
mod client_secret;
mod permission;
mod revision;
mod subject;

pub use authentication::{
    Authentication, DigestedSecrets, Keys, MacAlgorithm, OtherMethod, ReadableSecrets, SecretVia,
    SignatureAlgorithm,
};
pub use client::{
    AssertionProfile, AudiencePolicy, Client, ClientError, ClientMetadata, TokenFormat,
};
pub use client_key::ClientKey;
pub use client_secret::{ClientSecret, PresentedSecret};
pub use permission::Permission;
pub use revision::Revision;
pub use subject::Subject;
