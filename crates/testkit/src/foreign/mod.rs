//! Servers and clients of other projects, installed from their languages' registries.

pub mod packages;
pub mod servers;
