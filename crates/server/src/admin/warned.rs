//! Answers with what the operator should know beside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A document, and what the operator should know.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Warned<D> {
    /// The document.
    #[serde(flatten)]
    pub document: D,
    /// What the operator should know, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl<D> Warned<D> {
    /// With these warnings.
    pub fn new(document: D, warnings: Vec<String>) -> Self {
        Self { document, warnings }
    }
}
