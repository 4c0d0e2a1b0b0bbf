//! What expires: opaque access tokens, and which tokens were given back. Each is stored under a
//! digest, so that a copy of the store holds nothing that can be used.

use std::time::Duration;

use async_trait::async_trait;
use grantor_jose::crypto;
use serde::{Serialize, de::DeserializeOwned};

use super::StoreError;
use crate::clock::UnixTime;

/// What an artifact is. No text that stands for one of a kind is taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArtifactKind(&'static str);

impl ArtifactKind {
    /// An opaque access token.
    pub const ACCESS_TOKEN: Self = Self("access_token");
    /// A family of refresh tokens.
    pub const REFRESH: Self = Self("refresh");
    /// The end of a family, for backends that keep it as a record among others.
    pub const ENDED: Self = Self("ended");

    /// The public keys of an issuer or client, as they were fetched last.
    pub const ISSUER_KEYS: Self = Self("issuer_keys");

    /// A kind of the embedder's own: a name with a colon, such as a URN, which no kind of ours
    /// has.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// Its name, as a backend stores it.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

/// Under what an artifact is stored: its kind, and SHA-256 of the text that stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArtifactKey {
    kind: ArtifactKind,
    digest: [u8; 32],
}

impl ArtifactKey {
    /// The key of this digest, as a list of artifacts showed it.
    pub fn from_digest(kind: ArtifactKind, digest: [u8; 32]) -> Self {
        Self { kind, digest }
    }

    /// The key of what this text stands for: a text that cannot be guessed.
    pub fn of(kind: ArtifactKind, text: &str) -> Self {
        Self {
            kind,
            digest: crypto::sha256(&[text.as_bytes()]),
        }
    }

    /// The kind.
    pub fn kind(&self) -> ArtifactKind {
        self.kind
    }

    /// The digest: it may be shown, for it opens nothing.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

/// Artifacts that end together, by SHA-256 of their name. An access token is a family of its own,
/// named by its text or, if it is a JWT, by its `jti`: revoking it ends that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FamilyId([u8; 32]);

impl FamilyId {
    /// How much longer the end of a family is kept than the family would have lasted: a clock that is
    /// ahead by no more brings no revoked token back.
    pub const KEPT_BEYOND_END: Duration = Duration::from_secs(86_400);

    /// The family of this name.
    pub fn of(name: &str) -> Self {
        Self(crypto::sha256(&[name.as_bytes()]))
    }

    /// The family of these octets, as a backend kept them.
    pub fn from_bytes(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// The octets.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Where a backend that keeps the ends of families among the artifacts keeps this one.
    pub fn ended_key(&self) -> ArtifactKey {
        ArtifactKey {
            kind: ArtifactKind::ENDED,
            digest: self.0,
        }
    }
}

/// Artifacts of one kind that are listed and ended together: all refresh tokens of a client for a
/// subject, all sessions of a person. SHA-256 of its name, which has the numbers of those whose it
/// is ([`Revision::number`](crate::registry::Revision::number)): their ids may be given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupId([u8; 32]);

impl GroupId {
    /// The group of this name.
    pub fn of(name: &str) -> Self {
        Self(crypto::sha256(&[name.as_bytes()]))
    }

    /// The group of these octets, as a backend kept them.
    pub fn from_bytes(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// The octets.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A record that expires.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Artifact {
    /// When it was made.
    pub created_at: UnixTime,
    /// From when on it is not there any more.
    pub expires_at: UnixTime,
    /// The number of the client whose quota it counts to
    /// ([`Revision::number`](crate::registry::Revision::number)).
    pub owner: Option<u64>,
    /// With what it ends before that.
    pub family: Option<FamilyId>,
    /// With what it is listed, and ended.
    pub group: Option<GroupId>,
    /// Grows with each replacement, from 1 on.
    pub version: u64,
    /// A JSON document, or nothing.
    pub document: String,
}

impl Artifact {
    /// A record without owner, family, group and document.
    pub fn new(created_at: UnixTime, expires_at: UnixTime) -> Self {
        Self {
            created_at,
            expires_at,
            owner: None,
            family: None,
            group: None,
            version: 1,
            document: String::new(),
        }
    }

    /// Counts it to the quota of the client with this number.
    #[must_use]
    pub fn owned_by(self, owner: Option<u64>) -> Self {
        Self { owner, ..self }
    }

    /// Lets it end with a family.
    #[must_use]
    pub fn in_family(self, family: Option<FamilyId>) -> Self {
        Self { family, ..self }
    }

    /// Lists it in a group.
    #[must_use]
    pub fn in_group(self, group: Option<GroupId>) -> Self {
        Self { group, ..self }
    }

    /// Sets what it holds: a value that can be written as JSON.
    #[must_use]
    pub fn holding(self, value: &impl Serialize) -> Self {
        let document = serde_json::to_string(value).expect("a document of ours is JSON");
        Self { document, ..self }
    }

    /// What it holds.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if it holds something else.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        let unreadable = |error| format!("a stored artifact cannot be read: {error}").into();
        serde_json::from_str(&self.document).map_err(|error| StoreError::Failed(unreadable(error)))
    }
}

/// How keeping something went. Complete: nothing counts as kept by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Put {
    /// It is recorded, durably where the backend is durable.
    Kept,
    /// Its owner has as much of this kind in force as it may have. Nothing is recorded.
    OverQuota,
}

/// The end of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The number of the client that ends it, whose quota this counts to; `None` where the server
    /// does.
    pub owner: Option<u64>,
    /// When it ends.
    pub at: UnixTime,
    /// When all of the family would have expired.
    pub until: UnixTime,
}

/// Which artifacts of a group do not end with the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spared {
    /// None: all of them end.
    Nothing,
    /// This one.
    One(ArtifactKey),
    /// So many, those that were made last: of a list, its first ones.
    Newest(u32),
}

impl Spared {
    /// Whether it spares the artifact with this key, at this place of the list, from 0 on.
    pub fn has(&self, place: usize, key: &ArtifactKey) -> bool {
        match self {
            Self::Nothing => false,
            Self::One(spared) => spared == key,
            Self::Newest(count) => u32::try_from(place).is_ok_and(|place| place < *count),
        }
    }
}

/// How many opaque tokens, and how many revocations, of one client may be in force at once where
/// nothing else is set: 100,000.
pub const DEFAULT_TOKEN_QUOTA: u64 = 100_000;

/// Keeps what expires, until it expires, is taken or ends with its family.
///
/// An owner over its quota is counted again ten seconds later at the latest. One node never exceeds the
/// quota, and may reach it early by the rows that are under way; each further node may let in a sixteenth
/// of it more.
#[async_trait]
pub trait Artifacts: Send + Sync + 'static {
    /// Records an artifact, unless its owner has `quota` of this kind in force. When this answers
    /// [`Put::Kept`], every node finds it. One whose family has ended is not there from the start.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if and only if the key is in use.
    async fn put(
        &self,
        key: ArtifactKey,
        artifact: Artifact,
        quota: u64,
    ) -> Result<Put, StoreError>;

    /// The artifact under this key, if and only if it is there: neither expired at `now` nor taken,
    /// its family not ended. A backend that may have lost an end or a taking since the artifact was
    /// made, as when a backup was restored, answers `None`.
    async fn get(&self, key: &ArtifactKey, now: UnixTime) -> Result<Option<Artifact>, StoreError>;

    /// Replaces the end and the document of the artifact, if and only if it is there and still has
    /// the version of `artifact`; it has the next one then.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it has another version; [`StoreError::Missing`] if it is not
    /// there.
    async fn replace(
        &self,
        key: ArtifactKey,
        artifact: Artifact,
        now: UnixTime,
    ) -> Result<(), StoreError>;

    /// Takes the artifact away, and answers it to exactly one caller, at whichever node, if it is
    /// there.
    async fn take(&self, key: ArtifactKey, now: UnixTime) -> Result<Option<Artifact>, StoreError>;

    /// Ends a family, unless its owner has ended `quota` of them that are remembered. When this
    /// answers [`Put::Kept`], no artifact of the family is there any more, and none that is put
    /// until [`Ending::until`] will be. It may be repeated.
    ///
    /// As it is here, the end is an artifact under [`FamilyId::ended_key`].
    async fn end_family(
        &self,
        family: FamilyId,
        ending: Ending,
        quota: u64,
    ) -> Result<Put, StoreError> {
        let Ending { owner, at, until } = ending;
        let key = family.ended_key();
        let end = Artifact::new(at, until).owned_by(owner);
        match self.put(key, end, quota).await {
            Err(StoreError::Exists(_)) => {}
            put => return put,
        }
        match self.get(&key, at).await? {
            Some(mut known) if known.expires_at < until => {
                known.expires_at = until;
                self.replace(key, known, at).await.map(|()| Put::Kept)
            }
            _ => Ok(Put::Kept),
        }
    }

    /// The artifacts of this kind in a group that are there, as [`Artifacts::get`] finds them: those
    /// made last first, of one millisecond by their digests, at most `limit`.
    async fn list(
        &self,
        kind: ArtifactKind,
        group: &GroupId,
        now: UnixTime,
        limit: u32,
    ) -> Result<Vec<(ArtifactKey, Artifact)>, StoreError>;

    /// Ends the artifacts of this kind in a group that are there, but for those spared. The family
    /// of each ends with it, as by [`Artifacts::end_family`] and without a quota: no artifact of it
    /// is there any more, and none that is put until [`Ending::until`] will be; an artifact without
    /// a family is gone. One that is put into the group later is there.
    ///
    /// As it is here, they end one after the other, and after an error it has to be repeated. A
    /// durable backend ends all of them at once or none.
    async fn end_group(
        &self,
        kind: ArtifactKind,
        group: GroupId,
        spared: Spared,
        ending: Ending,
    ) -> Result<(), StoreError> {
        let found = self.list(kind, &group, ending.at, u32::MAX).await?;
        for (place, (key, artifact)) in found.into_iter().enumerate() {
            match artifact.family {
                _ if spared.has(place, &key) => {}
                Some(family) => drop(self.end_family(family, ending, u64::MAX).await?),
                None => drop(self.take(key, ending.at).await?),
            }
        }
        Ok(())
    }

    /// Whether a family that began at `began_at` has ended, or may have: the backend may have lost
    /// that, as when a backup was restored, or the clock was far ahead for a while.
    async fn family_has_ended(
        &self,
        family: &FamilyId,
        began_at: UnixTime,
    ) -> Result<bool, StoreError>;
}
