//! What needs attention: is anything wrong? All of it is found without reading all of a table, so
//! that a page may ask every few seconds (M120).

use std::time::Duration;

use grantor::{
    admin::{
        AudienceUse, ClientDocument, ClientFilter, CountDocument, Error, GroupDocument, KeyEntry,
        SigningKeyState, StatisticsQuery,
    },
    clock::{UnixTime, rfc3339 as time},
    registry::AudiencePolicy,
    storage::{CountBy, CountStep, DecisionFilter, Disk},
    types::{ClientId, DisplayName, Rule},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Administration, Answered, Input, NoQuery, Operation, Route};

/// Says what needs attention.
pub struct ShowAttention;

/// What needs attention, and what will.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AttentionDocument {
    /// What needs attention, the worst first; nothing if nothing is wrong.
    pub items: Vec<Attention>,
    /// The keys and secrets of enabled clients that end within 30 days, the first first, at most ten.
    pub ends: Vec<End>,
    /// Clients that are registered to name audiences as before RFC 10070, at most 50.
    pub legacy: Vec<ClientId>,
    /// Whether there are more of these.
    pub more_legacy: bool,
}

/// Something that needs attention.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Attention {
    /// The next request could not be decided: the storage does not answer.
    NotReady,
    /// The disk of the database is nearly full.
    DiskFull {
        /// Octets that can still be written.
        free: u64,
        /// Octets of the disk.
        size: u64,
    },
    /// Decisions since the start of the server that are not on record: it could not be written in
    /// time.
    DecisionsLost {
        /// How many.
        count: u64,
    },
    /// A client has no key or secret any more.
    Ended {
        /// The client.
        client: Named,
        /// When the last one ended (RFC 3339).
        #[serde(serialize_with = "time::serialize", deserialize_with = "time::read")]
        #[schemars(with = "String")]
        at: UnixTime,
    },
    /// A registered key cannot be used.
    UnusableKey {
        /// The client.
        client: Named,
        /// The key.
        key: String,
        /// Why not.
        why: String,
    },
    /// A refresh token was used again after its successor: somebody else may have it.
    RefreshReuse(Repeated),
    /// More is refused than before.
    Rising {
        /// How many were refused in the last ten minutes.
        lately: u64,
        /// How many in ten minutes of the fifty before, on average.
        before: u64,
    },
    /// The same is refused of the same party again and again, within the last hour.
    Refused(Repeated),
    /// The last key or secret of a client ends soon.
    Ends(End),
    /// Senders have to wait, as they failed too often.
    Waiting {
        /// Requests that were refused for that in the last hour.
        count: u64,
    },
    /// The key that signs is older than 90 days, and no other follows.
    OldSigningKey {
        /// Its `kid`.
        kid: String,
        /// When it was made (RFC 3339).
        #[serde(serialize_with = "time::serialize", deserialize_with = "time::read")]
        #[schemars(with = "String")]
        since: UnixTime,
    },
    /// Clients with the audience policy `legacy` that named nothing but this server's issuer in their
    /// newest requests: their policy can become `strict`.
    MayBeStrict {
        /// The clients.
        clients: Vec<ClientId>,
    },
}

/// A client, as people know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Named {
    /// The client.
    pub client_id: ClientId,
    /// Its name, if it has one.
    pub client_name: Option<DisplayName>,
}

impl Named {
    fn of(client: &ClientDocument) -> Self {
        Self {
            client_id: client.client_id.clone(),
            client_name: client.client_name.clone(),
        }
    }

    /// Its name, else its id.
    pub fn shown(&self) -> &str {
        let name = self.client_name.as_ref().map(DisplayName::as_str);
        name.unwrap_or(self.client_id.as_str())
    }
}

/// Refusals for the same rule and of the same party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Repeated {
    /// The rule.
    pub rule: String,
    /// The party, if one was named.
    pub party: Option<String>,
    /// How many there are.
    pub count: u64,
    /// When the first was (RFC 3339).
    #[serde(serialize_with = "time::serialize", deserialize_with = "time::read")]
    #[schemars(with = "String")]
    pub first: UnixTime,
    /// When the last was (RFC 3339).
    #[serde(serialize_with = "time::serialize", deserialize_with = "time::read")]
    #[schemars(with = "String")]
    pub last: UnixTime,
}

impl Repeated {
    fn of(group: GroupDocument) -> Self {
        Self {
            rule: group.rule.to_string(),
            party: group.party,
            count: group.count,
            first: group.first,
            last: group.last,
        }
    }
}

/// The end of a key or secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct End {
    /// The client.
    pub client: Named,
    /// The key; null for a secret.
    pub key: Option<String>,
    /// When it ends (RFC 3339).
    #[serde(serialize_with = "time::serialize", deserialize_with = "time::read")]
    #[schemars(with = "String")]
    pub at: UnixTime,
    /// Whether none of the client's is left then.
    pub is_last: bool,
    /// How many the client has now that work.
    pub of: usize,
}

impl Operation for ShowAttention {
    type Path = ();
    type Query = NoQuery;
    type Body = ();
    type Answer = AttentionDocument;

    const ROUTE: Route = Route::get(
        "/attention",
        "show_attention",
        "Say what needs attention: what ends, what is refused again and again, what is nearly full",
    );

    async fn run(admin: &Administration, _: Input<Self>) -> Result<Answered<Self::Answer>, Error> {
        let looked = Looked::at(admin).await?;
        Ok(looked.document.into())
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// What ends within this time is told, and what ended as long ago.
const SOON: Duration = Duration::from_secs(30 * 86_400);
/// Within this time a refresh token that was used again is told.
const REUSE: Duration = Duration::from_secs(7 * 86_400);
/// A key that signs for longer is old.
const OLD_KEY: Duration = Duration::from_secs(90 * 86_400);
/// Clients whose keys end that are looked at, before and after now.
const CLIENTS: usize = 40;
/// Most of one kind that are told.
const MOST: usize = 10;
/// Most refusals of which the same is told.
const MOST_REPEATED: usize = 3;
/// Fewer refusals of the same in an hour happen to everybody.
const OFTEN: u64 = 10;
/// Fewer refusals in ten minutes say nothing.
const SOME: u64 = 20;
/// That many times as many are more than before.
const MORE: u64 = 3;
/// Most clients of the policy `legacy` that are looked at.
const LEGACY: u32 = 50;
/// Most decisions about them that are read.
const READ: u32 = 300;
/// A client has to have asked as often to show how it asks.
const SHOWN: u64 = 3;

/// What was found so far.
struct Looked<'a> {
    admin: &'a Administration,
    now: UnixTime,
    /// What was refused in the last hour, by minute and rule.
    refused: Vec<CountDocument>,
    document: AttentionDocument,
}

impl<'a> Looked<'a> {
    async fn at(admin: &'a Administration) -> Result<Self, Error> {
        let now = admin.now();
        let query = StatisticsQuery {
            from: Some(now.minus(HOUR)),
            step: CountStep::Minute,
            by: CountBy::Rule,
            ..StatisticsQuery::default()
        };
        let mut looked = Self {
            admin,
            now,
            refused: admin.statistics().counts(&query).await?.counts,
            document: AttentionDocument {
                items: Vec::new(),
                ends: Vec::new(),
                legacy: Vec::new(),
                more_legacy: false,
            },
        };
        looked.storage().await;
        let clients = looked.ending().await?;
        looked.refusals(&clients).await?;
        looked.ends(&clients);
        looked.waiting();
        looked.signing_key().await?;
        looked.audiences().await?;
        Ok(looked)
    }

    fn tell(&mut self, item: Attention) {
        self.document.items.push(item);
    }

    async fn storage(&mut self) {
        if self.admin.store.readiness.check().await.is_err() {
            self.tell(Attention::NotReady);
        }
        let disk = self.admin.store.figures.figures().disk;
        if let Some(Disk { free, size, .. }) = disk.filter(is_nearly_full) {
            self.tell(Attention::DiskFull { free, size });
        }
        let count = self.admin.store.decisions.dropped();
        if count > 0 {
            self.tell(Attention::DecisionsLost { count });
        }
    }

    /// Enabled clients with a key or secret that ends soon, or has ended.
    async fn ending(&self) -> Result<Vec<ClientDocument>, Error> {
        let ends = &self.admin.store.client_ends;
        let mut found: Vec<ClientDocument> = Vec::new();
        for id in ends.clients_ending(self.now, SOON, CLIENTS).await? {
            if found.iter().all(|client| client.client_id != id) {
                found.extend(self.enabled(&id).await?);
            }
        }
        Ok(found)
    }

    async fn enabled(&self, id: &ClientId) -> Result<Option<ClientDocument>, Error> {
        match self.admin.clients().get(id).await {
            Ok(client) => Ok(client.enabled.then_some(client)),
            // It was deleted meanwhile.
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is refused again and again, and what cannot be used.
    async fn refusals(&mut self, ending: &[ClientDocument]) -> Result<(), Error> {
        let now = self.now;
        let since = |length: Duration| {
            let mut filter = DecisionFilter::default();
            filter.since = Some(now.minus(length));
            filter
        };
        let lately = self.admin.decisions().groups(&since(HOUR)).await?.groups;
        let mut clients = Vec::new();
        let of_keys = lately.iter().filter(|group| group.rule == Rule::Key);
        let parties = of_keys.filter_map(|group| ClientId::parse(group.party.as_deref()?).ok());
        let is_known = |id: &ClientId| ending.iter().any(|client| client.client_id == *id);
        for id in parties.filter(|id| !is_known(id)).take(MOST) {
            clients.extend(self.enabled(&id).await?);
        }
        self.unusable(ending.iter().chain(&clients));
        let mut reuse = since(REUSE);
        reuse.rule = Some(Rule::RefreshReuse.to_string());
        let reused = self.admin.decisions().groups(&reuse).await?.groups;
        for group in reused.into_iter().take(MOST_REPEATED) {
            self.tell(Attention::RefreshReuse(Repeated::of(group)));
        }
        self.rising();
        let is_told = |group: &GroupDocument| {
            let is_apart = matches!(group.rule, Rule::RefreshReuse | Rule::Throttled);
            group.count >= OFTEN && group.party.is_some() && !is_apart
        };
        for group in lately.into_iter().filter(is_told).take(MOST_REPEATED) {
            self.tell(Attention::Refused(Repeated::of(group)));
        }
        Ok(())
    }

    fn unusable<'c>(&mut self, clients: impl Iterator<Item = &'c ClientDocument>) {
        let of = |client: &'c ClientDocument| {
            let keys = client.keys.iter().filter(|key| is_unusable(key, self.now));
            keys.map(|key| Attention::UnusableKey {
                client: Named::of(client),
                key: key.name.clone(),
                why: key.refused.clone().unwrap_or_default(),
            })
        };
        let unusable: Vec<_> = clients.flat_map(of).take(MOST).collect();
        self.document.items.extend(unusable);
    }

    fn rising(&mut self) {
        let recent = self.now.minus(10 * MINUTE);
        let mut sums = [0, 0];
        for row in &self.refused {
            sums[usize::from(row.start >= recent)] += row.count;
        }
        let (before, lately) = (sums[0] / 5, sums[1]);
        if lately >= SOME && lately >= MORE * before.max(1) {
            self.tell(Attention::Rising { lately, before });
        }
    }

    /// Keys and secrets that end.
    fn ends(&mut self, clients: &[ClientDocument]) {
        let mut ended = Vec::new();
        for client in clients {
            let live = Live::of(client, self.now);
            let lately = |at: &UnixTime| *at >= self.now.minus(SOON);
            match live.ended.filter(lately) {
                // An issuer vouches for a federated client.
                Some(at) if live.ends.is_empty() && !client.federated => {
                    let client = Named::of(client);
                    ended.push((at, Attention::Ended { client, at }));
                }
                _ => self.document.ends.extend(live.told(client, self.now)),
            }
        }
        ended.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let ended = ended.into_iter().take(MOST).map(|(_, item)| item);
        // Worse than what is refused now and then.
        let place = self
            .document
            .items
            .iter()
            .position(|item| !matches!(item, Attention::NotReady | Attention::DiskFull { .. }));
        let place = place.unwrap_or(self.document.items.len());
        self.document.items.splice(place..place, ended);
        self.document.ends.sort_by_key(|end| end.at);
        let last = self.document.ends.iter().filter(|end| end.is_last);
        let last: Vec<_> = last.take(MOST).cloned().map(Attention::Ends).collect();
        self.document.items.extend(last);
        self.document.ends.truncate(MOST);
    }

    fn waiting(&mut self) {
        let throttled = self.refused.iter();
        let throttled = throttled.filter(|row| row.key == Rule::Throttled.name());
        let count = throttled.map(|row| row.count).sum();
        if count > 0 {
            self.tell(Attention::Waiting { count });
        }
    }

    async fn signing_key(&mut self) -> Result<(), Error> {
        let keys = self.admin.signing_keys().list().await?;
        let is = |state| keys.iter().find(|key| key.state == state);
        let old = is(SigningKeyState::Signing)
            .filter(|key| key.signs_from < self.now.minus(OLD_KEY))
            .filter(|_| is(SigningKeyState::Next).is_none());
        if let Some(key) = old {
            self.tell(Attention::OldSigningKey {
                kid: key.kid.clone(),
                since: key.created_at,
            });
        }
        Ok(())
    }

    async fn audiences(&mut self) -> Result<(), Error> {
        let mut filter = ClientFilter::default();
        filter.audience_policy = Some(AudiencePolicy::Legacy);
        let page = self.admin.clients().page(&filter, None, LEGACY).await?;
        let legacy: Vec<_> = page
            .items
            .iter()
            .map(|client| client.client_id.clone())
            .collect();
        if !legacy.is_empty() {
            let (decisions, issuer) = (self.admin.decisions(), &self.admin.terms().issuer);
            let used = decisions.audiences_of(&legacy, issuer, READ).await?;
            let is_ready = |used: &&AudienceUse| {
                used.issuer >= SHOWN && used.token_endpoint == 0 && used.refused == 0
            };
            let ready = used.iter().filter(is_ready);
            let clients: Vec<_> = ready.map(|used| used.client_id.clone()).collect();
            if !clients.is_empty() {
                self.tell(Attention::MayBeStrict { clients });
            }
        }
        self.document.more_legacy = page.next.is_some();
        self.document.legacy = legacy;
        Ok(())
    }
}

/// Whether the disk will be full soon: a twentieth of it is left, or a GiB of a large one.
fn is_nearly_full(disk: &Disk) -> bool {
    const GIB: u64 = 1 << 30;
    disk.free < (disk.size / 20).min(GIB)
}

/// Whether it is not refused for its end.
fn is_unusable(key: &KeyEntry, now: UnixTime) -> bool {
    key.refused.is_some() && key.expires_at.is_none_or(|end| end > now)
}

/// What a client can authenticate with.
struct Live<'c> {
    /// The keys, by name, and the secrets that work, with their ends.
    ends: Vec<(Option<&'c str>, Option<UnixTime>)>,
    /// When the last one ended that has ended.
    ended: Option<UnixTime>,
}

impl<'c> Live<'c> {
    fn of(client: &'c ClientDocument, now: UnixTime) -> Self {
        let keys = client.keys.iter();
        let all_keys = keys.map(|key| (Some(key.name.as_str()), key.expires_at));
        let secrets = client.secrets.iter();
        let all_secrets = secrets.map(|secret| (None, secret.expires_at));
        let unusable = |name: &str| {
            let mut keys = client.keys.iter();
            keys.any(|key| key.name == name && is_unusable(key, now))
        };
        let all: Vec<_> = all_keys.chain(all_secrets).collect();
        let is_live = |(name, end): &(Option<&str>, Option<UnixTime>)| {
            end.is_none_or(|end| end > now) && !name.is_some_and(unusable)
        };
        Self {
            ended: all
                .iter()
                .filter_map(|(_, end)| *end)
                .filter(|end| *end <= now)
                .max(),
            ends: all.into_iter().filter(is_live).collect(),
        }
    }

    /// Those that end soon.
    fn told(&self, client: &ClientDocument, now: UnixTime) -> Vec<End> {
        let ends: Option<Vec<_>> = self.ends.iter().map(|(_, end)| *end).collect();
        // None, if one never ends.
        let last = ends.and_then(|ends| ends.into_iter().max());
        let soon = |(name, end): &(Option<&str>, Option<UnixTime>)| {
            let at = end.filter(|end| *end < now.plus(SOON))?;
            Some(End {
                client: Named::of(client),
                key: name.map(str::to_owned),
                at,
                is_last: Some(at) == last,
                of: self.ends.len(),
            })
        };
        self.ends.iter().filter_map(soon).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m120_a_disk_is_nearly_full_when_a_twentieth_is_left_or_a_gib_of_a_large_one() {
        const MIB: u64 = 1 << 20;
        for (size, free, expected) in [
            (10_000, 499, true),
            (10_000, 500, false),
            (100 * 1024, 1023, true),
            (100 * 1024, 1024, false),
        ] {
            let disk = Disk::new(size * MIB, free * MIB);
            assert_eq!(is_nearly_full(&disk), expected, "{free} of {size} MiB");
        }
    }
}
