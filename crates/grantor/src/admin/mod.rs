//! What operators do, whichever way they come: use cases over the ports of [`storage`](crate::storage),
//! and the documents that they take and answer. Commands parse, call and print; so does every other way.
//!
//! A resource has one file with its document, its filter and its use cases. Each change names its
//! [`Actor`](crate::registry::Actor). What goes wrong is an [`Error`], whatever the resource.

mod changes;
mod clients;
mod decisions;
mod difference;
mod document;
mod effective;
mod error;
mod gate;
mod import;
mod issuers;
mod keys;
mod lints;
mod manager;
mod name;
mod operators;
mod pace;
mod permissions;
mod plan;
mod preview;
#[cfg(feature = "schema")]
mod schema;
mod scopes;
mod statistics;
mod subjects;
mod templates;
mod terms;
mod tokens;
mod trust_report;
mod trust_stores;
pub mod trusts;

pub use crate::registry::{
    ClientFilter, IssuerFilter, OperatorFilter, PermissionFilter, ScopeFilter, SubjectFilter,
    TrustFilter,
};
pub use changes::{ChangeDocument, ChangePage, Changes};
pub use clients::{
    ClientDocument, Clients, KeyEntry, NewClient, NewKeys, NewKeysDocument, NewSecret,
    NewSecretDocument, Prepared, PublicJwk, PublicJwks, SecretEntry, Warning,
};
pub use decisions::{
    AudienceUse, DecisionDocument, DecisionPage, Decisions, GroupDocument, GroupsDocument,
};
pub use difference::{Difference, Updated};
pub use document::{Document, Patch, problem, time_text};
pub use effective::{Effective, EffectiveDocument, GrantDocument};
pub use error::{Conflict, Error, Fault, Named};
pub use gate::{Expected, Gate, Ports, Rights};
pub use import::{Imported, LeftOut};
pub use issuers::{
    BundleDocument, Cascade, DiscoveryDocument, IssuerDocument, Issuers, KeyCheck, KeysDocument,
    NewIssuerKeys, NoKeys, Tokens, UploadedEntry,
};
pub use keys::{SigningKeyDocument, SigningKeyState, SigningKeys, WhileSigning};
pub use lints::lint_names;
pub use operators::{OperatorDocument, Operators, PowerDocument};
pub use permissions::{PermissionDocument, Permissions};
pub use plan::{
    Action, Export, Kind, Outcome, Plan, PlanRequest, PlanStores, Planned, Plans, Registrations,
    Step, Summary,
};
pub use preview::{PreviewDocument, PreviewRequest, Served};
pub use scopes::{ScopeDocument, Scopes};
pub use statistics::{CountDocument, Statistics, StatisticsDocument, StatisticsQuery};
pub use subjects::{SubjectDocument, Subjects};
pub use templates::{
    Hints, IssuerChoice, MadeByTemplate, MutableName, Narrowing, NearMiss, OneOf, Refusal, Refused,
    Shape, Template, TemplateOption, TemplateOptions, Templates,
};
pub use terms::{Places, ServerTerms};
pub use tokens::{IssuedTokens, TokenDocument, TokenFilter, TokenKind};
pub use trust_report::{TrustReason, TrustReport};
pub use trust_stores::TrustStores;
pub use trusts::{
    ClientAuth, CopyDocument, FederatedSub, MadeTrust, MatchDocument, NewFederatedClient, NewTrust,
    PinDocument, TrustDocument, Trusts,
};

/// Whether a client or subject is accepted: one or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is accepted.
    Enabled,
    /// It is refused from the next request on.
    Disabled,
}

/// What documents have where nothing is said of it.
fn yes() -> bool {
    true
}
