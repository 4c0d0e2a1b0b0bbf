//! M. JWTs of third parties: workloads of other platforms, and of strangers on the same ones. The
//! rows are those of the attacks on trusted issuers.

mod client_keys;
mod guard;
mod idp;
mod key_sets;
mod mapping;
mod platforms;
mod races;
mod rules;
mod storms;
mod trusts;
