//! Operations of decisions: why requests were granted or refused.

use grantor::{
    admin::{DecisionDocument, Error, GroupsDocument},
    assertion::Usage,
    server::{Decision, Outcome},
    storage::DecisionFilter,
    types::{GrantType, Name, Shown},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Administration, Answered, Input, NoQuery, Operation, Recorded, Route,
    advice::Refused,
    records,
    remedy::{Remedy, Whose},
};

/// Lists decisions.
pub struct ListDecisions;

impl Operation for ListDecisions {
    type Path = ();
    type Query = DecisionFilter;
    type Body = ();
    type Answer = Recorded<Kept>;

    const ROUTE: Route = Route::records(
        "/decisions",
        "list_decisions",
        "List decisions, oldest first: the newest, or those behind a place; `next` follows them",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let Input { query, portion, .. } = input;
        let start = records::start(&portion);
        let page = admin.decisions();
        let page = page.page(&query, start, portion.limit).await?;
        let items = page.decisions.into_iter().map(Kept).collect();
        Ok(Recorded::new(items, page.count, page.previous.as_ref(), &page.next).into())
    }
}

/// Groups refusals.
pub struct GroupDecisions;

impl Operation for GroupDecisions {
    type Path = ();
    type Query = DecisionFilter;
    type Body = ();
    type Answer = GroupsDocument;

    const ROUTE: Route = Route::get(
        "/decisions/groups",
        "group_decisions",
        "Count the newest refusals by rule and party, the largest groups first",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        Ok(admin.decisions().groups(&input.query).await?.into())
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
    /// What to do about a refusal; null of the rule of an extension.
    pub advice: Option<String>,
    /// Who has to do it.
    #[serde(default)]
    pub whose: Option<Whose>,
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
        let document = admin.decisions().get(&input.path, &admin.clients()).await?;
        let own = advice(admin, &document.decision).await?;
        let remedy = match &document.decision.outcome {
            Outcome::Refused { rule, .. } => Remedy::of(rule),
            Outcome::Granted | Outcome::Undecided => None,
        };
        let of_rule = || remedy.map(|remedy| remedy.advice.english.to_owned());
        Ok(ExplainedDecision {
            document,
            advice: own.or_else(of_rule),
            whose: remedy.map(|remedy| remedy.whose),
        }
        .into())
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
