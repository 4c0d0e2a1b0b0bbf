//! What happened, in the order in which it was recorded: decisions, and changes of the registry.
//!
//! A decision is appended by [`DecisionLog::record`] and never waited for. A change is recorded by
//! the registry, in the transaction that makes it. Both are read in the same kind of pages.

use async_trait::async_trait;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Cursor, StoreError, TrustOutcome, TrustOutcomes, trust_outcome};
use crate::{
    clock::{UnixTime, rfc3339},
    registry::{ChangeRecord, is_default},
    server::{Decision, DecisionLog, Outcome},
    types::{ClientId, Name, Rule, Shown, SubjectId},
};

/// Reads records of one kind.
#[async_trait]
pub trait Log<R: Logged>: Send + Sync + 'static {
    /// The records from `start` on that pass the filter, oldest first, at most `limit`.
    ///
    /// The log is followed by asking again behind [`LogPage::next`]: each record comes once, also one
    /// that was given its place before another and was committed after it.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] for a place of another log, or of another filter.
    async fn page(
        &self,
        filter: &R::Filter,
        start: Start,
        limit: u32,
    ) -> Result<LogPage, StoreError>;
}

/// A kind of record.
pub trait Logged {
    /// The kind.
    const NAME: &'static str;

    /// Which records are asked for. The default is all of them.
    type Filter: Clone + Default + Serialize + DeserializeOwned + Send + Sync;
}

/// Where a page begins. Complete: a backend knows all, or does not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record that is kept.
    Oldest,
    /// Behind this place.
    After(Cursor),
    /// So that the page ends at this place, as [`LogPage::previous`] is one: with the newest before it.
    Before(Cursor),
    /// So that this many are left, of those that pass the filter. With 0 the page is empty, and what
    /// is recorded from then on is behind its [`LogPage::next`].
    Last(u32),
}

/// Some records, and where to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// The records, oldest first.
    pub entries: Vec<Entry>,
    /// The place behind all that was looked at.
    pub next: Cursor,
    /// The place before the first of the records, if there are any.
    pub previous: Option<Cursor>,
}

/// A stored record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The place behind it.
    pub cursor: Cursor,
    /// The record as JSON, as it was written.
    pub document: String,
}

/// Keeps decisions, for a bounded time and number, and reads them.
#[async_trait]
pub trait DecisionStore: DecisionLog + Log<Decision> {
    /// Waits until every decision recorded so far is kept, and every count: before the process
    /// ends.
    async fn flush(&self) -> Result<(), StoreError>;

    /// How many decisions were lost since the start: too many were waiting, or they could not be
    /// written.
    fn dropped(&self) -> u64;

    /// The newest [`GROUPED`] refusals that pass the filter, among the newest [`LOOKED_THROUGH`]
    /// decisions, by rule and party: at most `limit` groups, the largest first.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn groups(
        &self,
        filter: &DecisionFilter,
        limit: u32,
    ) -> Result<RefusalGroups, StoreError>;

    /// The newest decisions of these clients ([`DecisionIndex::client`]) among the newest
    /// [`LOOKED_THROUGH`], at most `limit`, the newest first: their records as JSON.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn newest_of(&self, clients: &[ClientId], limit: u32) -> Result<Vec<String>, StoreError>;

    /// When each of these subjects was last granted something at one of these endpoints, among the
    /// newest [`GROUPED`] of their decisions there, of the newest [`LOOKED_THROUGH`]. Those to whom it
    /// never happened are left out.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn last_granted(
        &self,
        subjects: &[SubjectId],
        endpoints: &[&str],
    ) -> Result<Vec<(SubjectId, UnixTime)>, StoreError>;

    /// What this trust made of JWTs ([`DecisionIndex::trusts`]), among the newest [`LOOKED_THROUGH`]
    /// decisions, of those that are not older than `since`: all are counted, and of those against the
    /// JWT the newest `limit` are told.
    ///
    /// # Errors
    /// [`StoreError`]
    async fn outcomes_of(
        &self,
        trust: &Name,
        since: Option<UnixTime>,
        limit: u32,
    ) -> Result<TrustOutcomes, StoreError>;
}

/// Most decisions that are looked through for groups of refusals, and for reports of trusts: so there
/// is an end to it.
pub const LOOKED_THROUGH: u32 = 100_000;
/// Most refusals that are grouped, and most decisions that are read for when subjects were last
/// granted something.
pub const GROUPED: u32 = 20_000;

/// Refusals by rule and party.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusalGroups {
    /// The largest first; of equal ones that of the newest refusal.
    pub groups: Vec<RefusalGroup>,
    /// How many groups there are, with those left out.
    pub all: u64,
    /// How many refusals there are in all of them.
    pub refused: u64,
}

/// Refusals for the same rule and of the same party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalGroup {
    /// The broken rule.
    pub rule: Rule,
    /// The party, if one was named ([`DecisionIndex::party`]).
    pub party: Option<String>,
    /// How many there are: not 0.
    pub count: u64,
    /// When the first was.
    pub first: UnixTime,
    /// When the last was.
    pub last: UnixTime,
    /// The id of the newest decision.
    pub newest: String,
}

impl Logged for Decision {
    const NAME: &'static str = "decision";

    type Filter = DecisionFilter;
}

impl Logged for ChangeRecord {
    const NAME: &'static str = "change";

    type Filter = ChangeFilter;
}

/// Which changes are asked for: those that are all of what is set here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ChangeFilter {
    /// Only the one with this number ([`ChangeRecord::id`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Only those of this actor, as [`Who`](crate::registry::Who) is displayed: `operator anna`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Only those of resources of this kind ([`ChangeRecord::resource`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Only those of resources of this name ([`ChangeRecord::name`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only those not older than this.
    #[serde(with = "rfc3339::exact", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub since: Option<UnixTime>,
    /// Only those older than this.
    #[serde(with = "rfc3339::exact", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub until: Option<UnixTime>,
}

impl ChangeFilter {
    /// Whether a change passes.
    pub fn passes(&self, change: &ChangeRecord) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        self.id.is_none_or(|id| change.id == id)
            && is(&self.actor, &change.actor.who.to_string())
            && is(&self.resource, &change.resource)
            && is(&self.name, &change.name)
            && is_within(change.at, self.since, self.until)
    }
}

fn is_within(at: UnixTime, since: Option<UnixTime>, until: Option<UnixTime>) -> bool {
    since.is_none_or(|since| at >= since) && until.is_none_or(|until| at < until)
}

/// Which decisions are asked for: those that are all of what is set here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DecisionFilter {
    /// Only those refused.
    #[serde(skip_serializing_if = "is_default")]
    pub refused: bool,
    /// Only the one with this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Only those whose ids begin with this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_begins: Option<String>,
    /// Only those of this party: the client, else the claimed client or issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// Only those refused for the rule of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Only those of this client: the one that authenticated, else the one that was claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Only those of this issuer: by its name where it signed, or by the `iss` that was claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Only those of the trust of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<String>,
    /// Only those about this subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Only those of the endpoint of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Only those not older than this.
    #[serde(with = "rfc3339::exact", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub since: Option<UnixTime>,
    /// Only those older than this.
    #[serde(with = "rfc3339::exact", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub until: Option<UnixTime>,
}

impl DecisionFilter {
    /// Whether a decision passes.
    pub fn passes(&self, decision: &DecisionIndex) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == found
        };
        (!self.refused || decision.refused)
            && is(&self.id, Some(&decision.id))
            && decision
                .id
                .starts_with(self.id_begins.as_deref().unwrap_or_default())
            && is(&self.party, decision.party.as_deref())
            && is(&self.rule, decision.rule.as_ref().map(Rule::name))
            && is(&self.client, decision.client.as_deref())
            && (is(&self.issuer, decision.issuer.as_deref())
                || is(&self.issuer, decision.claimed_issuer.as_deref()))
            && is(&self.trust, decision.trust.as_deref())
            && is(&self.subject, decision.subject.as_deref())
            && is(&self.endpoint, decision.endpoint.as_deref())
            && is_within(decision.at, self.since, self.until)
    }
}

/// What a decision is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecisionIndex {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub at: UnixTime,
    /// Whether it was a refusal.
    pub refused: bool,
    /// The rule that was broken.
    pub rule: Option<Rule>,
    /// The client, else the claimed issuer, else the claimed client.
    pub party: Option<String>,
    /// The client that authenticated, else the one that was claimed.
    pub client: Option<String>,
    /// The name of the issuer that signed.
    pub issuer: Option<String>,
    /// The `iss` that was claimed.
    pub claimed_issuer: Option<String>,
    /// The name of the trust that took it.
    pub trust: Option<String>,
    /// Whom it is about.
    pub subject: Option<String>,
    /// The name of the endpoint.
    pub endpoint: Option<String>,
    /// The trusts that were asked, and what each made of the JWT.
    pub trusts: Vec<(Name, TrustOutcome)>,
}

impl DecisionIndex {
    /// Of a decision that is no refusal, and about nobody.
    pub fn new(id: String, at: UnixTime) -> Self {
        Self {
            id,
            at,
            refused: false,
            rule: None,
            party: None,
            client: None,
            issuer: None,
            claimed_issuer: None,
            trust: None,
            subject: None,
            endpoint: None,
            trusts: Vec::new(),
        }
    }

    /// Of this decision.
    pub fn of(decision: &Decision) -> Self {
        let rule = match &decision.outcome {
            Outcome::Refused { rule, .. } => Some(rule.clone()),
            Outcome::Granted | Outcome::Undecided => None,
        };
        let text = |shown: &Option<Shown>| shown.as_ref().map(|shown| shown.as_str().to_owned());
        let client = decision.client.as_ref().map(ClientId::as_str);
        let client = client.or_else(|| decision.claimed_client.as_ref().map(Shown::as_str));
        Self {
            refused: rule.is_some(),
            rule,
            party: decision.party().map(str::to_owned),
            client: client.map(str::to_owned),
            issuer: decision.issuer.as_ref().map(Name::to_string),
            claimed_issuer: text(&decision.claimed_issuer),
            trust: decision.trust.as_ref().map(|check| check.trust.to_string()),
            subject: decision.subject.as_ref().map(SubjectId::to_string),
            endpoint: Some(decision.endpoint.to_string()),
            trusts: trust_outcome::named(decision),
            ..Self::new(decision.id.to_string(), decision.at)
        }
    }
}
