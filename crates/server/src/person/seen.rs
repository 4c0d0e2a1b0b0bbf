//! Until when a person has seen what they are told on their page (C064).

use std::time::Duration;

use grantor::{
    clock::UnixTime,
    registry::Subject,
    storage::{Artifact, ArtifactKey, ArtifactKind, Artifacts, Put, StoreError},
};

const SEEN: ArtifactKind = ArtifactKind::new("grantor:seen");
/// Longer than decisions are kept, from which the notices are made.
const KEPT: Duration = Duration::from_secs(400 * 86_400);

/// That a person has seen it.
pub struct Seen;

impl Seen {
    /// When the person said so last.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn find(
        artifacts: &dyn Artifacts,
        subject: &Subject,
        now: UnixTime,
    ) -> Result<Option<UnixTime>, StoreError> {
        let found = artifacts.get(&key_of(subject), now).await?;
        found.map(|artifact| artifact.read()).transpose()
    }

    /// The person says so now.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn keep(
        artifacts: &dyn Artifacts,
        subject: &Subject,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let key = key_of(subject);
        artifacts.take(key, now).await?;
        let artifact = Artifact::new(now, now.plus(KEPT)).holding(&now);
        match artifacts.put(key, artifact, u64::MAX).await? {
            Put::Kept | Put::OverQuota => Ok(()),
        }
    }
}

fn key_of(subject: &Subject) -> ArtifactKey {
    ArtifactKey::of(SEEN, &subject.revision.number.to_string())
}
