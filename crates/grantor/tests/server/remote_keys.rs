//! Keys that issuers and clients publish: when they are fetched, how long they are used, and what a
//! stranger can cause.

mod clients;
mod discovery;
mod guard;
mod lives;
mod sets;
mod storms;
mod web;
mod wire;
