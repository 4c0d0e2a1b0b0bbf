//! The JOSE layer from outside: vectors of the RFCs and of Wycheproof, other libraries, properties.

mod differential;
mod json_test_suite;
mod keys;
mod properties;
mod rfc_examples;
mod vectors;
mod wycheproof;
