//! `grantor client list --audience`: who still sends the token endpoint URL as the audience of its
//! authentication. What an operator needs to know before a client's policy can become strict (RFC
//! 10070).

use std::collections::BTreeMap;

use grantor::{
    assertion::Usage,
    registry::AudiencePolicy,
    server::{Decision, Outcome},
    storage::{DecisionFilter, Start},
    types::{Rule, Shown},
};
use serde::Serialize;

use crate::{
    backend::Backend,
    cli::{Failure, Output, decisions::PAGE, output::time},
    config::Config,
};

/// What one client was seen to send.
#[derive(Serialize)]
struct Seen {
    client_id: String,
    audience_policy: AudiencePolicy,
    issuer: u64,
    token_endpoint: u64,
    refused: u64,
    last_seen: Option<String>,
}

/// Counts over the decisions that are kept.
pub async fn report(config: &Config, store: &Backend, output: Output) -> Result<(), Failure> {
    let clients = store.clients().all().await?;
    let new = |client: &grantor::registry::Client| Seen {
        client_id: client.id().to_string(),
        audience_policy: client.metadata().audience_policy,
        issuer: 0,
        token_endpoint: 0,
        refused: 0,
        last_seen: None,
    };
    let mut seen: BTreeMap<String, Seen> = clients
        .iter()
        .map(|client| (client.id().to_string(), new(client)))
        .collect();
    let (all, mut start) = (DecisionFilter::default(), Start::Oldest);
    loop {
        let page = store.decisions.page(&all, start, PAGE).await?;
        if page.entries.is_empty() {
            break;
        }
        for entry in &page.entries {
            if let Ok(decision) = Decision::read(&entry.document) {
                count(&mut seen, &decision, &config.issuer.endpoint("token"));
            }
        }
        start = Start::After(page.next);
    }
    let rows: Vec<Seen> = seen.into_values().collect();
    output.print_list(
        &rows,
        &[
            "CLIENT",
            "POLICY",
            "ISSUER",
            "TOKEN ENDPOINT",
            "REFUSED",
            "LAST SEEN",
        ],
        |row| {
            let policy = if row.audience_policy == AudiencePolicy::Legacy {
                "legacy"
            } else {
                "strict"
            };
            let counts =
                [row.issuer, row.token_endpoint, row.refused].map(|count| count.to_string());
            let [issuer, token_endpoint, refused] = counts;
            let last = row.last_seen.clone().unwrap_or_default();
            vec![
                row.client_id.clone(),
                policy.to_owned(),
                issuer,
                token_endpoint,
                refused,
                last,
            ]
        },
    )
}

fn count(seen: &mut BTreeMap<String, Seen>, decision: &Decision, token_endpoint: &str) {
    let accepted = decision.audience.as_ref().map(Shown::as_str);
    let Some(seen) = decision.party().and_then(|party| seen.get_mut(party)) else {
        return;
    };
    match accepted {
        Some(audience) if audience == token_endpoint => seen.token_endpoint += 1,
        Some(_) => seen.issuer += 1,
        None if is_refused_for_its_audience(decision) => seen.refused += 1,
        None => return,
    }
    seen.last_seen = Some(time(decision.at));
}

/// Whether client authentication failed for its audience.
fn is_refused_for_its_audience(decision: &Decision) -> bool {
    let explanation = decision.explanation.as_ref();
    let usage = explanation.map(|explanation| explanation.usage);
    let broken =
        matches!(&decision.outcome, Outcome::Refused { rule, .. } if *rule == Rule::Audience);
    broken && usage == Some(Usage::ClientAuthentication)
}
