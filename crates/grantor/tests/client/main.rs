//! The client role, against an authorization server that answers by script.
#![cfg(all(feature = "client", feature = "reqwest"))]

mod blocking;
mod code;
#[cfg(feature = "server")]
mod end_to_end;
mod hostile;
mod key_files;
mod layers;
mod metadata;
mod methods;
#[cfg(feature = "server")]
mod people;
mod presets;
mod refresh;
mod source;
mod support;
