//! What expires: opaque access tokens, and which tokens were given back. Each is stored under a
//! digest, so that a copy of the store holds nothing that can be used.

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
    /// The end of a family, for backends that keep it as a record among others.
    pub const ENDED: Self = Self("ended");

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

    /// The digest.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

/// Artifacts that end together, by SHA-256 of their name. An access token is a family of its own,
/// named by its text or, if it is a JWT, by its `jti`: revoking it ends that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FamilyId([u8; 32]);

impl FamilyId {
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
    /// Grows with each replacement, from 1 on.
    pub version: u64,
    /// A JSON document, or nothing.
    pub document: String,
}

impl Artifact {
    /// A record without owner, family and document.
    pub fn new(created_at: UnixTime, expires_at: UnixTime) -> Self {
        Self {
            created_at,
            expires_at,
            owner: None,
            family: None,
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

/// How keeping something went.
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

/// How many opaque tokens, and how many revocations, of one client may be in force at once where
/// nothing else is set: 100,000.
pub const DEFAULT_TOKEN_QUOTA: u64 = 100_000;

/// Keeps what expires, until it expires, is taken or ends with its family.
///
/// An owner over its quota is counted again ten seconds later at the latest; the quota is exact on
/// one node, and each further one may let in a sixteenth of it more.
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

    /// Whether a family that began at `began_at` has ended, or may have: the backend may have lost
    /// that, as when a backup was restored, or the clock was far ahead for a while.
    async fn family_has_ended(
        &self,
        family: &FamilyId,
        began_at: UnixTime,
    ) -> Result<bool, StoreError>;
}
