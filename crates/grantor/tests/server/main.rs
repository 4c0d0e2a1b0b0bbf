//! The authorization server, asked as a client asks it: every rule, refusal and answer.
#![cfg(feature = "server")]

mod admin_tokens;
mod algorithms;
mod assertion_rules;
mod authorization;
mod builder;
mod client_auth;
mod code_grant;
mod conditions;
mod consent;
mod consent_required;
mod endpoints;
mod enumeration;
mod expectation;
mod explanation;
mod hooks;
mod introspection;
mod issued_tokens;
mod lifecycle;
mod meanwhile;
mod metadata;
mod people;
mod permissions;
mod policy;
mod presented;
mod profile;
mod refresh;
mod remote_keys;
mod replay;
mod request_form;
mod revocation;
mod times;
mod trust_choice;
mod trusted_issuers;
mod unchanged;
mod webauthn;
