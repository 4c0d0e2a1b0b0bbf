//! What operators read in the record of decisions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Clients, Error, Named, document::time};
use crate::{
    assertion::{Explanation, Usage, Verdict},
    clock::UnixTime,
    registry::{AudiencePolicy, Client},
    server::{Decision, Outcome},
    storage::{
        Cursor, DecisionFilter, DecisionStore, Entry, GROUPED, LOOKED_THROUGH, RefusalGroup,
        Registry, Start,
    },
    types::{ClientId, Issuer, Rule, Shown, SubjectId},
};

/// Decisions that are read at once.
const PORTION: u32 = 256;

/// A decision, with the registered client that was perhaps meant by an unknown name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DecisionDocument {
    /// The decision.
    #[serde(flatten)]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "serde_json::Map<String, serde_json::Value>")
    )]
    pub decision: Decision,
    /// The client.
    pub nearest_client: Option<ClientId>,
}

/// Some decisions, and where to go on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DecisionPage {
    /// The decisions, oldest first. One that cannot be read is left out, with a warning in the log.
    pub decisions: Vec<Decision>,
    /// How many there were, with those left out: none at the end.
    pub count: usize,
    /// The place behind all that was looked at.
    pub next: Cursor,
    /// The place before the first of them, if there are any.
    pub previous: Option<Cursor>,
}

/// Which audiences a client was seen to send for its authentication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AudienceUse {
    /// The client.
    pub client_id: ClientId,
    /// What is registered about it.
    pub audience_policy: AudiencePolicy,
    /// How often it named the issuer.
    pub issuer: u64,
    /// How often it named the token endpoint.
    pub token_endpoint: u64,
    /// How often it was refused for its audience.
    pub refused: u64,
    /// When one of these was counted last (RFC 3339).
    #[serde(with = "time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub last_seen: Option<UnixTime>,
}

/// Refusals by rule and party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GroupsDocument {
    /// The groups, the largest first.
    pub groups: Vec<GroupDocument>,
    /// How many groups there are, with those that are not here.
    pub all: u64,
    /// How many refusals there are in all groups.
    pub refused: u64,
    /// How many refusals are looked at, the newest: if there are as many, there may be others.
    pub most: u32,
    /// How many of the newest decisions were looked through.
    pub looked_through: u32,
}

/// Refusals for the same rule and of the same party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GroupDocument {
    /// The broken rule.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub rule: Rule,
    /// The client, else the claimed issuer or client; null where none was named.
    pub party: Option<String>,
    /// How many there are.
    pub count: u64,
    /// When the first was (RFC 3339).
    #[serde(serialize_with = "time::serialize", deserialize_with = "time::read")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub first: UnixTime,
    /// When the last was (RFC 3339).
    #[serde(serialize_with = "time::serialize", deserialize_with = "time::read")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub last: UnixTime,
    /// The id of the newest decision.
    pub newest: String,
}

impl GroupDocument {
    fn of(group: RefusalGroup) -> Self {
        let RefusalGroup {
            rule,
            party,
            count,
            first,
            last,
            newest,
        } = group;
        Self {
            rule,
            party,
            count,
            first,
            last,
            newest,
        }
    }
}

/// The record of decisions.
#[derive(Clone, Copy)]
pub struct Decisions<'a> {
    pub(super) store: &'a dyn DecisionStore,
}

impl<'a> Decisions<'a> {
    /// Most groups that are told at once.
    pub const MOST_GROUPS: u32 = 50;

    /// That of this store.
    pub fn new(store: &'a dyn DecisionStore) -> Self {
        Self { store }
    }

    /// The decisions from `start` on that pass the filter, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a cursor that is none, [`Error::Store`]
    pub async fn page(
        &self,
        filter: &DecisionFilter,
        start: Start,
        limit: u32,
    ) -> Result<DecisionPage, Error> {
        let page = self.store.page(filter, start, limit).await?;
        Ok(DecisionPage {
            decisions: page.entries.iter().filter_map(readable).collect(),
            count: page.entries.len(),
            next: page.next,
            previous: page.previous,
        })
    }

    /// The refusals that pass the filter, by rule and party, at most [`Decisions::MOST_GROUPS`]
    /// groups: the newest [`GROUPED`] of them, among the newest [`LOOKED_THROUGH`] decisions, so that
    /// it never takes long.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub async fn groups(&self, filter: &DecisionFilter) -> Result<GroupsDocument, Error> {
        let found = self.store.groups(filter, Self::MOST_GROUPS).await?;
        Ok(GroupsDocument {
            groups: found.groups.into_iter().map(GroupDocument::of).collect(),
            all: found.all,
            refused: found.refused,
            most: GROUPED,
            looked_through: LOOKED_THROUGH,
        })
    }

    /// One decision, with the client that was perhaps meant.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for one that cannot be read; [`Error::Store`]
    pub async fn get(&self, id: &str, clients: &Clients<'_>) -> Result<DecisionDocument, Error> {
        let filter = DecisionFilter {
            id: Some(id.to_owned()),
            ..DecisionFilter::default()
        };
        let found = self.page(&filter, Start::Last(1), 1).await?.decisions.pop();
        let decision = found.ok_or_else(|| Error::NotFound(Named::Decision(id.to_owned())))?;
        let nearest_client = match &decision.explanation {
            Some(explanation) => clients.meant_by(explanation).await?,
            None => None,
        };
        Ok(DecisionDocument {
            decision,
            nearest_client,
        })
    }

    /// Of each client, which audiences it sent, as far as decisions are kept: what has to be known
    /// before its policy can become strict (RFC 10070). In the order of their names.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub async fn audience_use(
        &self,
        clients: &dyn Registry<Client>,
        issuer: &Issuer,
    ) -> Result<Vec<AudienceUse>, Error> {
        let clients = clients.all().await?;
        let new =
            |client: &Client| AudienceUse::new(client.id(), client.metadata().audience_policy);
        let named = clients
            .iter()
            .map(|client| (client.id().as_str(), new(client)));
        let mut used = BTreeMap::from_iter(named);
        let (all, mut start) = (DecisionFilter::default(), Start::Oldest);
        loop {
            let page = self.page(&all, start, PORTION).await?;
            if page.count == 0 {
                return Ok(used.into_values().collect());
            }
            for decision in &page.decisions {
                let of_client = decision.party().and_then(|party| used.get_mut(party));
                if let Some(used) = of_client {
                    used.count(decision, &issuer.endpoint("token"));
                }
            }
            start = Start::After(page.next);
        }
    }
}

impl Decisions<'_> {
    /// Of each of these clients of the policy `legacy`, which audiences it sent in the newest
    /// decisions about them, of which at most `most` are read: what can be asked for often.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub async fn audiences_of(
        &self,
        clients: &[ClientId],
        issuer: &Issuer,
        most: u32,
    ) -> Result<Vec<AudienceUse>, Error> {
        let named = clients
            .iter()
            .map(|id| (id.as_str(), AudienceUse::new(id, AudiencePolicy::Legacy)));
        let mut used = BTreeMap::from_iter(named);
        let token_endpoint = issuer.endpoint("token");
        for document in self.store.newest_of(clients, most).await? {
            // The newest comes first, and is the last that was seen.
            let Ok(decision) = Decision::read(&document) else {
                continue;
            };
            let of_client = decision.party().and_then(|party| used.get_mut(party));
            if let Some(used) = of_client {
                let last_seen = used.last_seen;
                used.count(&decision, &token_endpoint);
                used.last_seen = last_seen.max(used.last_seen);
            }
        }
        Ok(used.into_values().collect())
    }

    /// When each of these subjects was last granted something at one of these endpoints, as far as
    /// that is on record.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub async fn last_granted(
        &self,
        subjects: &[SubjectId],
        endpoints: &[&str],
    ) -> Result<Vec<(SubjectId, UnixTime)>, Error> {
        Ok(self.store.last_granted(subjects, endpoints).await?)
    }
}

impl AudienceUse {
    fn new(client: &ClientId, audience_policy: AudiencePolicy) -> Self {
        Self {
            client_id: client.clone(),
            audience_policy,
            issuer: 0,
            token_endpoint: 0,
            refused: 0,
            last_seen: None,
        }
    }

    fn count(&mut self, decision: &Decision, token_endpoint: &str) {
        match decision.audience.as_ref().map(Shown::as_str) {
            Some(audience) if audience == token_endpoint => self.token_endpoint += 1,
            Some(_) => self.issuer += 1,
            None if is_refused_for_its_audience(decision) => self.refused += 1,
            None => return,
        }
        self.last_seen = Some(decision.at);
    }
}

impl Clients<'_> {
    /// The client that was perhaps meant by the unknown issuer of an assertion.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub async fn meant_by(&self, explanation: &Explanation) -> Result<Option<ClientId>, Error> {
        let mut failed = explanation
            .checks
            .iter()
            .filter(|check| check.verdict == Verdict::Fail);
        // Of a long name, or of one that may be a secret, only parts are kept: nothing is near to it.
        match failed.find(|check| check.rule == Rule::Issuer) {
            Some(unknown) => self.nearest(unknown.got.trim_matches('"')).await,
            None => Ok(None),
        }
    }
}

/// One of many. That one is damaged must not hide the others.
fn readable(stored: &Entry) -> Option<Decision> {
    let read = Decision::read(&stored.document);
    if let Err(error) = &read {
        tracing::warn!(
            place = %stored.cursor,
            %error,
            "a stored decision cannot be read, and is left out"
        );
    }
    read.ok()
}

/// Whether client authentication failed for its audience.
fn is_refused_for_its_audience(decision: &Decision) -> bool {
    let explanation = decision.explanation.as_ref();
    let usage = explanation.map(|explanation| explanation.usage);
    let broken =
        matches!(&decision.outcome, Outcome::Refused { rule, .. } if *rule == Rule::Audience);
    broken && usage == Some(Usage::ClientAuthentication)
}
