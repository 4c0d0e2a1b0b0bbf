//! What is registered: clients with their keys and secrets, subjects with their passkeys, passwords
//! and roles, permissions, texts of scopes, issuers and trusts. Nouns without I/O; where they are kept is for [`storage`](crate::storage).

mod authentication;
mod change;
mod client;
mod client_key;
mod client_secret;
mod condition;
mod denial;
mod filter;
mod issuer;
mod operator;
mod passkey;
mod password;
mod permission;
mod resource;
mod revision;
mod role;
mod scope_text;
mod subject;
mod trust;
mod trusts;

pub use authentication::{
    Authentication, DigestedSecrets, Keys, MacAlgorithm, OtherMethod, PublicKeys, ReadableSecrets,
    SecretVia, SignatureAlgorithm, Vouching,
};
pub use change::{Action, Actor, ChangeRecord, ReasonError, Way, Who};
pub use client::{
    AssertionProfile, AudiencePolicy, Client, ClientError, ClientMetadata, ConsentPolicy,
    TokenFormat,
};
pub(crate) use client::{algorithm_name, algorithm_names, is_default, seconds, whole_seconds};
pub use client_key::ClientKey;
pub use client_secret::{ClientSecret, PresentedSecret};
pub use condition::{Condition, ConditionError, ConditionInput, LooseTest};
pub use denial::Denial;
pub use filter::{
    ClientFilter, Filter, IssuerFilter, OperatorFilter, PasskeyFilter, PasswordFilter,
    PermissionFilter, ScopeFilter, SubjectFilter, TrustFilter,
};
pub use issuer::{
    AudienceMatch, Fetching, KeyOrigin, ReplayPolicy, TemplateRef, TrustedIssuer, UploadedKey,
};
pub use operator::Operator;
pub use passkey::{CredentialId, CredentialIdError, Passkey, PasskeyKey, PasskeyKeyError};
pub use password::{Password, PasswordDigest, PasswordDigestError};
pub use permission::{Limit, Origin, Permission, PermissionId, PermissionNumbers, Permissions};
pub use resource::{Resource, ResourceId};
pub use revision::Revision;
pub use role::{Role, RoleError};
pub use scope_text::ScopeText;
pub use subject::Subject;
pub use trust::{
    ClaimCopy, Match, Mode, Pin, PinValue, SubjectMapping, SubjectTemplate, TemplateError, Trust,
    Unmapped,
};
pub use trusts::{Issuers, Trusts};

/// What is shown of a digest: enough to tell two secrets apart, too little to find one.
fn fingerprint(digest: &[u8; 32]) -> String {
    let [a, b, c, d, ..] = digest;
    format!("sha256:{a:02x}{b:02x}{c:02x}{d:02x}")
}
