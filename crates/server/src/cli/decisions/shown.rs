//! One decision as people read it: what happened, the rules, and what to do.

use std::fmt;

use grantor::{
    admin::DecisionDocument,
    server::{Decision, Outcome},
    types::{Scope, escaped},
};

use super::{table, time};
use crate::{admin::decisions::ExplainedDecision, cli::trust::Tables};

/// A decision in lines.
pub struct Shown<'a>(pub &'a ExplainedDecision);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ExplainedDecision {
            document, advice, ..
        } = self.0;
        let DecisionDocument {
            decision,
            nearest_client,
            ..
        } = document;
        let lines = facts(decision)
            .into_iter()
            .filter_map(|(name, fact)| Some(format!("{name:9}  {}", escaped(&fact?))));
        write!(f, "{}", lines.collect::<Vec<_>>().join("\n"))?;
        if let Some(explanation) = &decision.explanation {
            write!(f, "\n\n{}", table(explanation))?;
        }
        // Of a refusal the explanation has the trusts that were asked.
        let taken = decision.trust.as_slice();
        if !taken.is_empty() {
            write!(f, "\n\n{}", Tables(taken))?;
        }
        if !decision.shadows.is_empty() {
            write!(f, "\n\n{}", Tables(&decision.shadows))?;
        }
        if let Some(nearest) = nearest_client {
            write!(f, "\nnearest client: {nearest}")?;
        }
        match advice {
            Some(advice) => write!(f, "\n\nWhat to do: {advice}"),
            None => Ok(()),
        }
    }
}

/// What is known, by name. `--json` has the rest, such as the digest of the `jti`.
fn facts(decision: &Decision) -> Vec<(&'static str, Option<String>)> {
    let (outcome, rule, cause) = match &decision.outcome {
        Outcome::Refused { error, rule, cause } => (
            format!("refused: {error}"),
            Some(rule.to_string()),
            Some(cause.clone()),
        ),
        Outcome::Granted => ("granted".to_owned(), None, None),
        Outcome::Undecided => ("undecided: the request was cut off".to_owned(), None, None),
    };
    let by = decision.auth_method.as_ref();
    let by = by.map_or_else(String::new, |method| format!(", by {method}"));
    let client = decision
        .client
        .as_ref()
        .map(|client| format!("{client}{by}"));
    let unproven = |name: &dyn fmt::Display| format!("{name}, not proven");
    let claimed_client = decision
        .claimed_client
        .as_ref()
        .filter(|_| client.is_none());
    let claimed_issuer = decision
        .claimed_issuer
        .as_ref()
        .filter(|_| client.is_none());
    let key_id = decision.key_id.as_ref();
    let key_id = key_id.map_or_else(String::new, |key_id| format!(" (kid {key_id:?})"));
    vec![
        ("decision", Some(decision.id.to_string())),
        ("time", Some(time(decision.at))),
        ("outcome", Some(outcome)),
        ("rule", rule),
        ("cause", cause),
        ("endpoint", Some(decision.endpoint.to_string())),
        (
            "grant",
            decision.grant_type.as_ref().map(ToString::to_string),
        ),
        (
            "client",
            client.or_else(|| claimed_client.map(|name| unproven(name))),
        ),
        (
            "issuer",
            match &decision.issuer {
                Some(name) => Some(match &decision.claimed_issuer {
                    Some(iss) => format!("{name}, {iss}"),
                    None => name.to_string(),
                }),
                None => claimed_issuer.map(|name| unproven(name)),
            },
        ),
        (
            "trust",
            decision.trust.as_ref().map(|check| check.trust.to_string()),
        ),
        (
            "subject",
            decision.subject.as_ref().map(ToString::to_string),
        ),
        (
            "key",
            decision
                .key_source
                .as_ref()
                .map(|source| format!("{source}{key_id}")),
        ),
        ("scope", decision.scope.as_ref().map(Scope::to_string)),
        (
            "audience",
            decision.audience.as_ref().map(ToString::to_string),
        ),
        ("from", decision.sender.map(|sender| sender.to_string())),
    ]
}
