//! What expires, in PostgreSQL: one table, in which the end of a family is a row too.
//!
//! Each method is one statement with all its conditions in it, which commits by itself: nothing is
//! decided by what was read before. What is put goes in groups ([`super::artifact_group`]). Of two
//! nodes that change one row, the second waits for the first, and then looks at the row as it has
//! become. A reader takes an artifact for ended by the row of the end alone: what is put beside an end
//! that is under way needs no lock.

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    storage::{
        Artifact, ArtifactKey, ArtifactKind, Artifacts, Ending, FamilyId, GroupId, Put, Spared,
        StoreError,
    },
};
use tokio_postgres::Row;

use super::{
    Inner, PostgresStore,
    error::Failure,
    fence::Fence,
    registry::to_its_end,
    revision::column,
    search::Boxed,
    session::{Session, Value, Values},
};
use crate::{
    feed::Feed as _,
    form::{Unreadable, unreadable},
    quota::{Owner, Room},
};

/// Which rows of kind $2 are there: not expired at $3, their families not ended.
const ARE_THERE: &str = "kind = $2 AND expires_at > $3 AND (family IS NULL OR NOT EXISTS ( \
    SELECT FROM artifact AS ended WHERE ended.digest = artifact.family AND ended.kind = 'ended'))";
/// Up to when revocations may have been lost; what has ended up to when may have been removed; the
/// history of the server, and the one that was looked into: of the state that the rows are read in.
const MARKS: &str = "coalesce((SELECT value::bigint FROM meta WHERE name = 'token_fence'), 0), \
    coalesce((SELECT value::bigint FROM meta WHERE name = 'swept_to'), 0), \
    substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), \
    (SELECT value FROM meta WHERE name = 'timeline')";
/// How many columns they are.
const MARK_COLUMNS: usize = 4;
const COLUMNS: &str = "created_at, expires_at, owner, family, version, document, group_id, digest";

/// Records the end of a family, or moves it to a later time, and removes what it takes along.
const END: &str = "WITH ended AS (INSERT INTO artifact \
        (digest, kind, created_at, expires_at, owner, version, document) \
        VALUES ($1, 'ended', $2, $3, $4, 1, '') ON CONFLICT (digest, kind) DO UPDATE \
        SET expires_at = excluded.expires_at WHERE artifact.expires_at < excluded.expires_at) \
    DELETE FROM artifact WHERE family = $1";

/// Ends what is there of group $1, but for the newest $4 and the one with digest $5.
fn end_of_group() -> String {
    format!(
        "WITH ending AS MATERIALIZED (SELECT digest, family FROM ( \
            SELECT digest, family, row_number() OVER (ORDER BY created_at DESC, digest) AS place \
            FROM artifact WHERE group_id = $1 AND {ARE_THERE}) AS listed \
            WHERE place > $4 AND digest IS DISTINCT FROM $5), \
        ended AS (INSERT INTO artifact (digest, kind, created_at, expires_at, owner, version, document) \
            SELECT DISTINCT family, 'ended', $3::bigint, $6::bigint, $7::bigint, 1, '' FROM ending \
            WHERE family IS NOT NULL ORDER BY family ON CONFLICT (digest, kind) DO UPDATE \
            SET expires_at = excluded.expires_at WHERE artifact.expires_at < excluded.expires_at), \
        going AS (SELECT digest, $2::text AS kind FROM ending \
            UNION SELECT member.digest, member.kind FROM ending \
            JOIN artifact AS member ON member.family = ending.family) \
        DELETE FROM artifact USING going \
        WHERE artifact.digest = going.digest AND artifact.kind = going.kind"
    )
}

#[async_trait]
impl Artifacts for PostgresStore {
    async fn put(
        &self,
        key: ArtifactKey,
        artifact: Artifact,
        quota: u64,
    ) -> Result<Put, StoreError> {
        let (kind, owner) = (key.kind(), artifact.owner);
        let room = self.room(kind, owner, artifact.created_at, quota).await?;
        let Some(_room) = room else {
            return Ok(Put::OverQuota);
        };
        self.0.puts.put(key, artifact).await?;
        Ok(Put::Kept)
    }

    async fn get(&self, key: &ArtifactKey, now: UnixTime) -> Result<Option<Artifact>, StoreError> {
        let query =
            format!("SELECT {MARKS}, {COLUMNS} FROM artifact WHERE digest = $1 AND {ARE_THERE}");
        let (digest, kind, now) = (&key.digest()[..], key.kind().as_str(), now.millis());
        let rows = self.read(&query, &[&digest, &kind, &now]).await?;
        let found = self.unless_lost(&rows, key.kind()).await?;
        Ok(found.into_iter().next().map(|(_, artifact)| artifact))
    }

    async fn replace(
        &self,
        key: ArtifactKey,
        artifact: Artifact,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let known = self.get(&key, now).await?;
        known.ok_or(StoreError::Missing("artifact"))?;
        let update = format!(
            "UPDATE artifact SET expires_at = $4, document = $5, version = version + 1 \
             WHERE version = $6 AND digest = $1 AND {ARE_THERE} RETURNING true"
        );
        let values: Owned = vec![
            Box::new(key.digest().to_vec()),
            Box::new(key.kind().as_str()),
            Box::new(now.millis()),
            Box::new(artifact.expires_at.millis()),
            Box::new(artifact.document),
            Box::new(column(artifact.version)),
        ];
        if !self.write(update, values).await?.is_empty() {
            return Ok(());
        }
        match self.get(&key, now).await? {
            Some(_) => Err(StoreError::Conflict("artifact")),
            None => Err(StoreError::Missing("artifact")),
        }
    }

    async fn take(&self, key: ArtifactKey, now: UnixTime) -> Result<Option<Artifact>, StoreError> {
        let delete = format!(
            "DELETE FROM artifact WHERE digest = $1 AND {ARE_THERE} RETURNING {MARKS}, {COLUMNS}"
        );
        let values: Owned = vec![
            Box::new(key.digest().to_vec()),
            Box::new(key.kind().as_str()),
            Box::new(now.millis()),
        ];
        let rows = self.write(delete, values).await?;
        let taken = self.unless_lost(&rows, key.kind()).await?;
        Ok(taken.into_iter().next().map(|(_, artifact)| artifact))
    }

    async fn end_family(
        &self,
        family: FamilyId,
        ending: Ending,
        quota: u64,
    ) -> Result<Put, StoreError> {
        let Ending { owner, at, until } = ending;
        let room = self.room(ArtifactKind::ENDED, owner, at, quota).await?;
        let Some(_room) = room else {
            return Ok(Put::OverQuota);
        };
        let values: Owned = vec![
            Box::new(family.as_bytes().to_vec()),
            Box::new(at.millis()),
            Box::new(until.millis()),
            Box::new(owner.map(column)),
        ];
        self.write(END.to_owned(), values).await?;
        Ok(Put::Kept)
    }

    async fn list(
        &self,
        kind: ArtifactKind,
        group: &GroupId,
        now: UnixTime,
        limit: u32,
    ) -> Result<Vec<(ArtifactKey, Artifact)>, StoreError> {
        let query = group_list();
        let (group, name) = (&group.as_bytes()[..], kind.as_str());
        let values: &Values<'_> = &[&group, &name, &now.millis(), &i64::from(limit)];
        let rows = self.read(&query, values).await?;
        // What may be lost is older than the rest: the first are those that are wanted.
        Ok(self.unless_lost(&rows, kind).await?)
    }

    async fn end_group(
        &self,
        kind: ArtifactKind,
        group: GroupId,
        spared: Spared,
        ending: Ending,
    ) -> Result<(), StoreError> {
        let Ending { owner, at, until } = ending;
        let newest = match spared {
            Spared::Newest(count) => i64::from(count),
            _ => 0,
        };
        let one = match spared {
            Spared::One(key) if key.kind() == kind => Some(key.digest().to_vec()),
            _ => None,
        };
        let values: Owned = vec![
            Box::new(group.as_bytes().to_vec()),
            Box::new(kind.as_str()),
            Box::new(at.millis()),
            Box::new(newest),
            Box::new(one),
            Box::new(until.millis()),
            Box::new(owner.map(column)),
        ];
        self.write(end_of_group(), values).await.map(drop)
    }

    async fn family_has_ended(
        &self,
        family: &FamilyId,
        began_at: UnixTime,
    ) -> Result<bool, StoreError> {
        let query = format!(
            "SELECT {MARKS}, EXISTS (SELECT FROM artifact WHERE digest = $1 AND kind = 'ended')"
        );
        let rows = self.read(&query, &[&&family.as_bytes()[..]]).await?;
        let row = rows.first();
        let row = row.ok_or_else(|| Failure::unavailable("there was no answer"))?;
        if row.get(MARK_COLUMNS) {
            return Ok(true);
        }
        self.look_into(row).await?;
        Ok(self.may_have_ended(row, began_at))
    }
}

/// What a statement is given that goes on where whoever waits for it goes away.
type Owned = Vec<Boxed>;

impl PostgresStore {
    /// What a read on the primary finds, if this node is current.
    async fn read(&self, query: &str, values: &Values<'_>) -> Result<Vec<Row>, StoreError> {
        let session = self.0.connections().reads().session().await?;
        let rows = session.query(query, values).await?;
        self.0.source().check()?;
        Ok(rows)
    }

    /// What a statement answers that commits by itself. It is sent once more where the server took
    /// it back because of others.
    async fn write(&self, statement: String, values: Owned) -> Result<Vec<Row>, StoreError> {
        let store = self.0.clone();
        to_its_end(async move {
            let values: Vec<_> = values.iter().map(|value| &**value as Value<'_>).collect();
            match store.write_once(&statement, &values).await? {
                Err(failure) if failure.may_be_repeated() => {
                    let again = store.write_once(&statement, &values).await?;
                    again.map_err(Failure::of_commit)
                }
                written => written.map_err(Failure::of_commit),
            }
        })
        .await
    }

    /// Room for a row of this kind more, which is counted from then on; `None` where the owner has its
    /// quota.
    async fn room(
        &self,
        kind: ArtifactKind,
        owner: Option<u64>,
        now: UnixTime,
        quota: u64,
    ) -> Result<Option<Room>, StoreError> {
        let Some(owner) = owner else {
            return Ok(Some(Room::UNLIMITED));
        };
        let owner = (kind.as_str(), column(owner));
        let count = async {
            let session = self.0.connections().reads().session().await?;
            Ok(count(&session, owner, now, quota).await?)
        };
        self.0.quota.take(owner, quota, count).await
    }

    /// The artifacts in these rows, but for those whose end may be lost.
    async fn unless_lost(
        &self,
        rows: &[Row],
        kind: ArtifactKind,
    ) -> Result<Vec<(ArtifactKey, Artifact)>, Failure> {
        let mut artifacts = Vec::with_capacity(rows.len());
        if let Some(row) = rows.first() {
            self.look_into(row).await?;
        }
        for row in rows {
            let (digest, artifact) = read(row)?;
            if !self.may_have_ended(row, artifact.created_at) {
                artifacts.push((ArtifactKey::from_digest(kind, digest), artifact));
            }
        }
        Ok(artifacts)
    }

    /// Finds out what is lost where another history of the server answers, or something else was a
    /// sign of it.
    async fn look_into(&self, row: &Row) -> Result<(), Failure> {
        let fence = self.fence();
        let timeline: &str = row.get(2);
        let is_recorded = row.get::<_, Option<&str>>(3) == Some(timeline);
        if is_recorded && !fence.is_doubted() {
            return Ok(());
        }
        let session = self.0.connections().lend().await?;
        if !is_recorded {
            fence.heed_unrecorded(&session, timeline).await?;
        }
        fence.settle(&session).await?;
        session.give_back();
        Ok(())
    }

    /// Whether it may be lost that something made then has ended, by the [`MARKS`] of this row, or
    /// by those that this node knows.
    fn may_have_ended(&self, row: &Row, made_at: UnixTime) -> bool {
        let now = self.0.now();
        let mark = |index: usize| UnixTime::from_millis(row.get(index));
        made_at <= mark(0)
            || now.plus(FamilyId::KEPT_BEYOND_END) < mark(1)
            || self.fence().may_have_been_revoked(made_at, now)
    }

    fn fence(&self) -> &Fence {
        &self.0.source().fence
    }
}

impl Inner {
    /// The outer error: nothing was sent.
    async fn write_once(
        &self,
        statement: &str,
        values: &Values<'_>,
    ) -> Result<Result<Vec<Row>, Failure>, Failure> {
        let session = self.connections().lend().await?;
        let statement = session.prepared(statement).await?;
        let written = session.run(&statement, values).await;
        session.give_back();
        Ok(written)
    }
}

/// The rows of an owner that end at `now` or later, as far as its quota.
async fn count(
    session: &Session,
    (kind, client): Owner,
    now: UnixTime,
    quota: u64,
) -> Result<u64, Failure> {
    let count = "SELECT count(*) FROM (SELECT FROM artifact \
        WHERE owner = $1 AND kind = $2 AND expires_at >= $3 LIMIT $4) AS counted";
    let values: &Values<'_> = &[&client, &kind, &now.millis(), &column(quota)];
    let row = session.query_one(count, values).await?;
    Ok(row.get::<_, i64>(0).unsigned_abs())
}

/// What is there of group $1, newest first, at most $4.
fn group_list() -> String {
    format!(
        "SELECT {MARKS}, {COLUMNS} FROM artifact WHERE group_id = $1 AND {ARE_THERE} \
         ORDER BY created_at DESC, digest LIMIT $4"
    )
}

/// From [`COLUMNS`] behind [`MARKS`]: with its digest.
fn read(row: &Row) -> Result<([u8; 32], Artifact), Unreadable> {
    let at = |place: usize| MARK_COLUMNS + place;
    let time = |place| UnixTime::from_millis(row.get(at(place)));
    let digest = |place| {
        row.get::<_, Option<&[u8]>>(at(place))
            .map(octets)
            .transpose()
    };
    let owner: Option<i64> = row.get(at(2));
    let mut artifact = Artifact::new(time(0), time(1))
        .owned_by(owner.map(i64::unsigned_abs))
        .in_family(digest(3)?.map(FamilyId::from_bytes))
        .in_group(digest(6)?.map(GroupId::from_bytes));
    artifact.version = row.get::<_, i64>(at(4)).unsigned_abs();
    artifact.document = row.get(at(5));
    Ok((octets(row.get(at(7)))?, artifact))
}

/// A SHA-256 digest.
fn octets(column: &[u8]) -> Result<[u8; 32], Unreadable> {
    column
        .try_into()
        .map_err(|_| unreadable("artifact", "a digest has 32 octets"))
}

/// Removes artifacts that expired before `now`, a bounded number. It waits for nobody: a row that is
/// being changed is left to the next time.
pub(super) async fn sweep(session: &Session, now: UnixTime, most: i64) -> Result<u64, Failure> {
    let delete = "DELETE FROM artifact WHERE ctid = ANY (ARRAY( \
        SELECT ctid FROM artifact WHERE kind <> 'ended' AND expires_at < $1 \
        ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))";
    session.execute(delete, &[&now.millis(), &most]).await
}

/// Removes the ends of families that would have expired before `now`, a bounded number. Answers how
/// many.
pub(super) async fn sweep_ended(
    session: &Session,
    now: UnixTime,
    most: i64,
) -> Result<u64, Failure> {
    let delete = "DELETE FROM artifact WHERE ctid = ANY (ARRAY( \
        SELECT ctid FROM artifact WHERE kind = 'ended' AND expires_at < $1 \
        ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))";
    session.execute(delete, &[&now.millis(), &most]).await
}
