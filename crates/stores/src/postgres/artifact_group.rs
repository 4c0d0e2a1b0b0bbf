//! What is put goes in groups, as claims do: one statement for each (S080). Who puts is answered when
//! the commit is.

use std::{collections::HashSet, sync::Arc, time::Instant};

use grantor::storage::{Artifact, ArtifactKey, StoreError};
use tokio::sync::mpsc;

use super::{
    error::{Failure, again},
    queue::{Queued, take_in_groups},
    revision::column,
    session::Values,
    source::Source,
};
use crate::{
    answers::{self, Answer},
    cached::Cached,
};

/// Most artifacts in one group.
const GROUP: usize = 128;
/// Artifacts that may wait. Beyond, requests are told to come back.
const QUEUE: usize = 4096;

/// Answers the keys of the rows that were written: not those under which one is that has not expired.
const INSERT: &str = "INSERT INTO artifact \
    (digest, kind, created_at, expires_at, owner, family, version, document, group_id) \
    SELECT * FROM unnest($1::bytea[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], \
        $6::bytea[], $7::bigint[], $8::text[], $9::bytea[]) \
    ON CONFLICT (digest, kind) DO UPDATE \
    SET created_at = excluded.created_at, expires_at = excluded.expires_at, \
    owner = excluded.owner, family = excluded.family, version = excluded.version, \
    document = excluded.document, group_id = excluded.group_id \
    WHERE artifact.expires_at <= excluded.created_at RETURNING digest, kind";

/// The way to the task, which ends when this is dropped and all are answered.
pub(super) struct Puts {
    jobs: mpsc::Sender<Job>,
}

/// An artifact on its way.
struct Job {
    key: ArtifactKey,
    artifact: Artifact,
    /// When it began to wait.
    asked: Instant,
    answer: Answer<Result<(), StoreError>>,
}

impl Job {
    /// Tells whoever asked, who may have gone away.
    fn end(self, outcome: Result<(), StoreError>) {
        self.answer.send(outcome);
    }
}

impl Puts {
    /// Starts the task.
    pub(super) fn start(cached: Arc<Cached<Source>>) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let group = move |jobs| group(cached.clone(), jobs);
        tokio::spawn(take_in_groups(queue, GROUP, group));
        Self { jobs }
    }

    /// Keeps an artifact.
    ///
    /// # Errors
    /// Exists, where one that has not expired has this key; Unavailable; Unknown
    pub(super) async fn put(&self, key: ArtifactKey, artifact: Artifact) -> Result<(), StoreError> {
        let (answer, answered) = answers::channel();
        let job = Job {
            key,
            artifact,
            asked: Instant::now(),
            answer,
        };
        self.jobs
            .try_send(job)
            .map_err(|_| StoreError::Unavailable("too much is waiting to be kept".into()))?;
        answered.await.map_err(|_| {
            StoreError::Unknown("the task of artifacts ended before it answered".into())
        })?
    }
}

impl Queued for Job {
    const NAME: &'static str = "artifacts";

    fn since(&self) -> Instant {
        self.asked
    }

    fn give_up(self) {
        let error = "what was to be kept before this took too long";
        self.end(Err(StoreError::Unavailable(error.into())));
    }
}

/// Writes a group, each key once: a statement writes no row twice.
async fn group(cached: Arc<Cached<Source>>, mut jobs: Vec<Job>) {
    while !jobs.is_empty() {
        let mut keys = HashSet::new();
        let (first, again): (Vec<_>, Vec<_>) =
            jobs.into_iter().partition(|job| keys.insert(job.key));
        write(&cached, first).await;
        jobs = again;
    }
}

/// Writes these, in one order on all nodes. They are sent once more where the server took them back
/// because of others.
async fn write(cached: &Cached<Source>, mut jobs: Vec<Job>) {
    jobs.sort_unstable_by_key(|job| (*job.key.digest(), job.key.kind().as_str()));
    let written = match insert(cached, &jobs).await {
        Err(error) if error.may_be_repeated() => insert(cached, &jobs).await,
        written => written,
    };
    let written = written.map_err(|error| Arc::new(error.of_commit()));
    for job in jobs {
        let outcome = match &written {
            Ok(written) if written.contains(&name(&job.key)) => Ok(()),
            Ok(_) => Err(StoreError::Exists("artifact")),
            Err(error) => Err(again(error)),
        };
        job.end(outcome);
    }
}

/// A row's key.
type Name = (Vec<u8>, String);

fn name(key: &ArtifactKey) -> Name {
    (key.digest().to_vec(), key.kind().as_str().to_owned())
}

/// The keys of the rows that were written.
async fn insert(cached: &Cached<Source>, jobs: &[Job]) -> Result<HashSet<Name>, Failure> {
    let session = cached.source().connections.lend().await?;
    // Where this gets no answer, nothing was done.
    let statement = session.prepared(INSERT).await;
    let statement = statement.map_err(|unsent| Failure::Store(unsent.into()))?;
    let keys = || jobs.iter().map(|job| &job.key);
    let artifacts = || jobs.iter().map(|job| &job.artifact);
    let digests: Vec<&[u8]> = keys().map(|key| &key.digest()[..]).collect();
    let kinds: Vec<&str> = keys().map(|key| key.kind().as_str()).collect();
    let created: Vec<i64> = artifacts()
        .map(|artifact| artifact.created_at.millis())
        .collect();
    let ends: Vec<i64> = artifacts()
        .map(|artifact| artifact.expires_at.millis())
        .collect();
    let owners: Vec<Option<i64>> = artifacts()
        .map(|artifact| artifact.owner.map(column))
        .collect();
    let families: Vec<Option<&[u8]>> = artifacts()
        .map(|artifact| {
            artifact
                .family
                .as_ref()
                .map(|family| &family.as_bytes()[..])
        })
        .collect();
    let versions: Vec<i64> = artifacts()
        .map(|artifact| column(artifact.version))
        .collect();
    let documents: Vec<&str> = artifacts()
        .map(|artifact| artifact.document.as_str())
        .collect();
    let groups: Vec<Option<&[u8]>> = artifacts()
        .map(|artifact| artifact.group.as_ref().map(|group| &group.as_bytes()[..]))
        .collect();
    let values: &Values<'_> = &[
        &digests, &kinds, &created, &ends, &owners, &families, &versions, &documents, &groups,
    ];
    let written = session.run(&statement, values).await;
    session.give_back();
    Ok(written?
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect())
}
