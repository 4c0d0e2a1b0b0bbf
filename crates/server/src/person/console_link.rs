//! The link by which whoever has the database in hand opens the console, once (M062).

use std::time::Duration;

use grantor::{
    clock::UnixTime,
    jose::{base64url_encode, crypto::random_bytes},
    registry::Subject,
    storage::{Artifact, ArtifactKey, ArtifactKind, Artifacts, Put, StoreError},
    types::SubjectId,
};
use serde::{Deserialize, Serialize};

const LINK: ArtifactKind = ArtifactKind::new("grantor:console-link");

/// Whom a link lets in: a stored format.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConsoleLink {
    /// The operator.
    pub subject: SubjectId,
    /// The subject's number: another of the same name is not meant.
    pub number: u64,
}

impl ConsoleLink {
    /// How long a link works: 5 minutes.
    pub const LIFETIME: Duration = Duration::from_secs(5 * 60);

    /// Makes a link for this subject, and answers its token, which is kept as a digest only.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn make(
        artifacts: &dyn Artifacts,
        subject: &Subject,
        now: UnixTime,
    ) -> Result<String, StoreError> {
        let token = base64url_encode(random_bytes::<32>());
        let link = Self {
            subject: subject.id.clone(),
            number: subject.revision.number,
        };
        let artifact = Artifact::new(now, now.plus(Self::LIFETIME)).holding(&link);
        match artifacts.put(key_of(&token), artifact, u64::MAX).await? {
            Put::Kept | Put::OverQuota => Ok(token),
        }
    }

    /// The link of this token, which is not used up by looking.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn find(
        artifacts: &dyn Artifacts,
        token: &str,
        now: UnixTime,
    ) -> Result<Option<Self>, StoreError> {
        let found = artifacts.get(&key_of(token), now).await?;
        found.map(|artifact| artifact.read()).transpose()
    }

    /// Uses the link of this token up: exactly one caller gets it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn take(
        artifacts: &dyn Artifacts,
        token: &str,
        now: UnixTime,
    ) -> Result<Option<Self>, StoreError> {
        let taken = artifacts.take(key_of(token), now).await?;
        taken.map(|artifact| artifact.read()).transpose()
    }
}

fn key_of(token: &str) -> ArtifactKey {
    ArtifactKey::of(LINK, token)
}
