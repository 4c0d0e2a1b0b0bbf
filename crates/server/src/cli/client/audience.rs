//! `grantor client list --audience`: who still sends the token endpoint URL as the audience of its
//! authentication. What an operator needs to know before a client's policy can become strict (RFC
//! 10070).

use grantor::registry::AudiencePolicy;

use crate::{
    admin::{Input, ListAudiences},
    cli::{Connection, Failure, Output, output::time},
};

/// Counts over the decisions that are kept.
pub async fn report(connection: &Connection, output: Output) -> Result<(), Failure> {
    let rows = connection.call(Input::<ListAudiences>::at(())).await?.items;
    let head = [
        "CLIENT",
        "POLICY",
        "ISSUER",
        "TOKEN ENDPOINT",
        "REFUSED",
        "LAST SEEN",
    ];
    output.print_list(&rows, &head, |row| {
        let policy = if row.audience_policy == AudiencePolicy::Legacy {
            "legacy"
        } else {
            "strict"
        };
        vec![
            row.client_id.to_string(),
            policy.to_owned(),
            row.issuer.to_string(),
            row.token_endpoint.to_string(),
            row.refused.to_string(),
            row.last_seen.map(time).unwrap_or_default(),
        ]
    })
}
