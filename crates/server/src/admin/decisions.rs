//! Operations of decisions: why requests were granted or refused.

use grantor::{
    admin::{DecisionDocument, Error},
    assertion::Usage,
    clock::{UnixTime, rfc3339},
    server::{Decision, Outcome},
    storage::DecisionFilter,
    types::{GrantType, Name, Shown},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Administration, Answered, Input, NoQuery, Operation, Recorded, Route, advice::Refused, records,
};

/// Lists decisions.
pub struct ListDecisions;

/// Which decisions are listed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DecisionQuery {
    /// Only those refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<bool>,
    /// Only the one with this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Only those of this party: the client, else the claimed client or issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// Only those refused for this rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Only those of this client: the one that authenticated, else the one that was claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Only those of this issuer: by its name where it signed, or by the `iss` that was claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Only those of this trust.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<String>,
    /// Only those about this subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Only those of this endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Only those not older than this (RFC 3339).
    #[serde(with = "rfc3339::exact", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<UnixTime>,
    /// Only those older than this (RFC 3339).
    #[serde(with = "rfc3339::exact", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<UnixTime>,
    /// Begins so that this many are left; without `after` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<u32>,
}

impl DecisionQuery {
    fn filter(self) -> DecisionFilter {
        let mut filter = DecisionFilter::default();
        filter.refused = self.refused.unwrap_or_default();
        (filter.id, filter.party, filter.rule) = (self.id, self.party, self.rule);
        (filter.client, filter.issuer, filter.trust) = (self.client, self.issuer, self.trust);
        (filter.subject, filter.endpoint) = (self.subject, self.endpoint);
        (filter.since, filter.until) = (self.since, self.until);
        filter
    }
}

impl Operation for ListDecisions {
    type Path = ();
    type Query = DecisionQuery;
    type Body = ();
    type Answer = Recorded<Kept>;

    const ROUTE: Route = Route::list(
        "/decisions",
        "list_decisions",
        "List decisions, oldest first: the newest, or those behind a place; `next` follows them",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let Input { query, portion, .. } = input;
        let start = records::start(&portion, query.last);
        let page = admin.decisions();
        let page = page.page(&query.filter(), start, portion.limit).await?;
        let items = page.decisions.into_iter().map(Kept).collect();
        Ok(Recorded::new(items, page.count, &page.next).into())
    }
}

/// A decision as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Kept(
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    /// The decision.
    pub Decision,
);

/// Shows a decision.
pub struct ShowDecision;

/// A decision, and what to do about it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedDecision {
    /// The decision.
    #[serde(flatten)]
    pub document: DecisionDocument,
    /// What to do about a refusal, where that depends on the issuer of its JWT, or on a trust.
    pub advice: Option<String>,
}

impl Operation for ShowDecision {
    type Path = String;
    type Query = NoQuery;
    type Body = ();
    type Answer = ExplainedDecision;

    const ROUTE: Route = Route::get(
        "/decisions/{decision}",
        "show_decision",
        "Show a decision: every rule, expected and got, and what to do",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let found = admin.decisions().get(&input.path, &admin.clients()).await?;
        let advice = advice(admin, &found.decision).await?;
        let document = found;
        Ok(ExplainedDecision { document, advice }.into())
    }
}

/// What to do about a refusal, where that depends on the issuer of its JWT, or on a trust.
async fn advice(admin: &Administration, decision: &Decision) -> Result<Option<String>, Error> {
    let Outcome::Refused { rule, cause, .. } = &decision.outcome else {
        return Ok(None);
    };
    let claimed = decision.claimed_issuer.as_ref();
    let claimed = claimed.or(decision.claimed_client.as_ref());
    let explained = decision.explanation.as_ref();
    let is_grant = decision.grant_type.as_ref() == Some(&GrantType::JWT_BEARER);
    let refused = Refused {
        rule,
        cause,
        usage: match is_grant {
            true => Usage::Grant,
            false => Usage::ClientAuthentication,
        },
        issuer: decision.issuer.as_ref().map(Name::as_str),
        claimed: claimed.map(Shown::as_str),
        taken: decision.trust.as_ref(),
        trusts: explained.map_or(&[][..], |explanation| &explanation.trusts),
    };
    refused.advice(admin).await
}
