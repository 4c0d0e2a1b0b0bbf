//! What expires, in SQLite: one table, in which the end of a family is a row too.

use std::sync::Arc;

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    storage::{
        Artifact, ArtifactKey, ArtifactKind, Artifacts, Ending, FamilyId, GroupId, Put, Spared,
        StoreError,
    },
};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{SqliteStore, error::failed, marks::Marks, revision::column};
use crate::quota::{Owner, Room};

/// Which rows of kind ?2 are there: not expired at ?3, their families not ended.
const ARE_THERE: &str = "kind = ?2 AND expires_at > ?3 AND (family IS NULL OR NOT EXISTS (
    SELECT 1 FROM artifact AS ended WHERE ended.digest = artifact.family AND ended.kind = 'ended'
))";
const COLUMNS: &str = "created_at, expires_at, owner, family, version, document, group_id";

#[async_trait]
impl Artifacts for SqliteStore {
    async fn put(
        &self,
        key: ArtifactKey,
        artifact: Artifact,
        quota: u64,
    ) -> Result<Put, StoreError> {
        let (owner, at) = (artifact.owner, artifact.created_at);
        let Some(_room) = self.room(key.kind(), owner, at, quota).await? else {
            return Ok(Put::OverQuota);
        };
        let put = move |connection: &Connection| insert(connection, &key, &artifact);
        match self.0.writer.execute(put).await? {
            0 => Err(StoreError::Exists("artifact")),
            _ => Ok(Put::Kept),
        }
    }

    async fn get(&self, key: &ArtifactKey, now: UnixTime) -> Result<Option<Artifact>, StoreError> {
        let found = self.0.readers().read_here(|connection| {
            // Other processes that remove ends of families have said so in the state that is read
            // here.
            let transaction = connection.unchecked_transaction()?;
            self.marks().reload(&transaction)?;
            Ok(find(&transaction, key, now)?)
        })?;
        Ok(self.unless_lost(found))
    }

    async fn replace(
        &self,
        key: ArtifactKey,
        artifact: Artifact,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let known = self.get(&key, now).await?;
        known.ok_or(StoreError::Missing("artifact"))?;
        let replace = move |connection: &Connection| {
            let update = format!(
                "UPDATE artifact SET expires_at = ?4, document = ?5, version = version + 1 \
                 WHERE version = ?6 AND digest = ?1 AND {ARE_THERE}"
            );
            let changed = connection.prepare_cached(&update)?.execute((
                key.digest(),
                key.kind().as_str(),
                now.millis(),
                artifact.expires_at.millis(),
                &artifact.document,
                column(artifact.version),
            ))?;
            Ok((changed > 0, find(connection, &key, now)?.is_some()))
        };
        match self.0.writer.execute(replace).await? {
            (true, _) => Ok(()),
            (false, true) => Err(StoreError::Conflict("artifact")),
            (false, false) => Err(StoreError::Missing("artifact")),
        }
    }

    async fn take(&self, key: ArtifactKey, now: UnixTime) -> Result<Option<Artifact>, StoreError> {
        let marks = self.marks().clone();
        let take = move |connection: &Connection| {
            marks.reload(connection)?;
            let delete = format!(
                "DELETE FROM artifact WHERE digest = ?1 AND {ARE_THERE} RETURNING {COLUMNS}"
            );
            connection
                .prepare_cached(&delete)?
                .query_row((key.digest(), key.kind().as_str(), now.millis()), read)
                .optional()
        };
        let taken = self.0.writer.execute(take).await?;
        Ok(self.unless_lost(taken))
    }

    async fn end_family(
        &self,
        family: FamilyId,
        ending: Ending,
        quota: u64,
    ) -> Result<Put, StoreError> {
        let Ending { owner, at, .. } = ending;
        let room = self.room(ArtifactKind::ENDED, owner, at, quota).await?;
        let Some(_room) = room else {
            return Ok(Put::OverQuota);
        };
        let end = move |connection: &Connection| end(connection, &family, ending).map_err(failed);
        self.0.writer.write(end).await.map(|()| Put::Kept)
    }

    async fn list(
        &self,
        kind: ArtifactKind,
        group: &GroupId,
        now: UnixTime,
        limit: u32,
    ) -> Result<Vec<(ArtifactKey, Artifact)>, StoreError> {
        let (group, marks) = (*group, self.marks().clone());
        let read = move |connection: &Connection| {
            let transaction = connection.unchecked_transaction()?;
            marks.reload(&transaction)?;
            Ok(group_list(&transaction, kind, &group, now)?)
        };
        let mut found = self.0.readers().read(read).await?;
        found.retain(|(_, artifact)| !self.may_have_ended(artifact.created_at));
        found.truncate(limit as usize);
        Ok(found)
    }

    async fn end_group(
        &self,
        kind: ArtifactKind,
        group: GroupId,
        spared: Spared,
        ending: Ending,
    ) -> Result<(), StoreError> {
        let end = move |connection: &Connection| {
            end_group(connection, kind, &group, spared, ending).map_err(failed)
        };
        self.0.writer.write(end).await
    }

    async fn family_has_ended(
        &self,
        family: &FamilyId,
        began_at: UnixTime,
    ) -> Result<bool, StoreError> {
        let query = "SELECT EXISTS (SELECT 1 FROM artifact WHERE digest = ?1 AND kind = 'ended')";
        let is_recorded = self.0.readers().read_here(|connection| {
            let transaction = connection.unchecked_transaction()?;
            self.marks().reload(&transaction)?;
            Ok(transaction
                .prepare_cached(query)?
                .query_row([family.as_bytes()], |row| row.get::<_, bool>(0))?)
        })?;
        Ok(is_recorded || self.may_have_ended(began_at))
    }
}

impl SqliteStore {
    fn marks(&self) -> &Arc<Marks> {
        &self.0.source().marks
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
        // On this thread, which waits for nothing.
        let count = async {
            let readers = self.0.readers();
            readers.read_here(|connection| Ok(count(connection, owner, now)?))
        };
        self.0.quota.take(owner, quota, count).await
    }

    /// Whether it may be lost that something made then has ended.
    fn may_have_ended(&self, made_at: UnixTime) -> bool {
        self.marks()
            .may_have_been_revoked(made_at, self.0.cached.clock().now())
    }

    fn unless_lost(&self, artifact: Option<Artifact>) -> Option<Artifact> {
        artifact.filter(|artifact| !self.may_have_ended(artifact.created_at))
    }
}

/// The rows of an owner that end at `now` or later.
fn count(connection: &Connection, (kind, client): Owner, now: UnixTime) -> rusqlite::Result<u64> {
    let count = "SELECT count(*) FROM artifact WHERE owner = ?1 AND kind = ?2 AND expires_at >= ?3";
    let rows = connection
        .prepare_cached(count)?
        .query_row((client, kind, now.millis()), |row| row.get::<_, i64>(0))?;
    Ok(rows.unsigned_abs())
}

fn find(
    connection: &Connection,
    key: &ArtifactKey,
    now: UnixTime,
) -> rusqlite::Result<Option<Artifact>> {
    let query = format!("SELECT {COLUMNS} FROM artifact WHERE digest = ?1 AND {ARE_THERE}");
    connection
        .prepare_cached(&query)?
        .query_row((key.digest(), key.kind().as_str(), now.millis()), read)
        .optional()
}

/// What is there of a group, newest first.
fn group_list(
    connection: &Connection,
    kind: ArtifactKind,
    group: &GroupId,
    now: UnixTime,
) -> rusqlite::Result<Vec<(ArtifactKey, Artifact)>> {
    let query = format!(
        "SELECT {COLUMNS}, digest FROM artifact WHERE group_id = ?1 AND {ARE_THERE} \
         ORDER BY created_at DESC, digest"
    );
    let mut statement = connection.prepare_cached(&query)?;
    let found = statement.query_map((group.as_bytes(), kind.as_str(), now.millis()), |row| {
        Ok((
            ArtifactKey::from_digest(kind, row.get("digest")?),
            read(row)?,
        ))
    })?;
    found.collect()
}

fn end_group(
    connection: &Connection,
    kind: ArtifactKind,
    group: &GroupId,
    spared: Spared,
    ending: Ending,
) -> rusqlite::Result<()> {
    let found = group_list(connection, kind, group, ending.at)?;
    for (place, (key, artifact)) in found.iter().enumerate() {
        if spared.has(place, key) {
            continue;
        }
        connection
            .prepare_cached("DELETE FROM artifact WHERE digest = ?1 AND kind = ?2")?
            .execute((key.digest(), kind.as_str()))?;
        if let Some(family) = &artifact.family {
            end(connection, family, ending)?;
        }
    }
    Ok(())
}

/// Records the end of a family, or moves it to a later time, and removes what it takes along.
fn end(connection: &Connection, family: &FamilyId, ending: Ending) -> rusqlite::Result<()> {
    let known =
        "UPDATE artifact SET expires_at = max(expires_at, ?2) WHERE digest = ?1 AND kind = 'ended'";
    let until = (family.as_bytes(), ending.until.millis());
    if connection.prepare_cached(known)?.execute(until)? == 0 {
        let row = Artifact::new(ending.at, ending.until).owned_by(ending.owner);
        insert(connection, &family.ended_key(), &row)?;
    }
    connection
        .prepare_cached("DELETE FROM artifact WHERE family = ?1")?
        .execute([family.as_bytes()])?;
    Ok(())
}

/// Answers how many rows were written: none where one that has not expired has this key.
fn insert(
    connection: &Connection,
    key: &ArtifactKey,
    artifact: &Artifact,
) -> rusqlite::Result<usize> {
    let insert = "INSERT INTO artifact \
         (digest, kind, created_at, expires_at, owner, family, version, document, group_id) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (digest, kind) DO UPDATE \
         SET created_at = excluded.created_at, expires_at = excluded.expires_at, \
         owner = excluded.owner, family = excluded.family, version = excluded.version, \
         document = excluded.document, group_id = excluded.group_id \
         WHERE artifact.expires_at <= excluded.created_at";
    connection.prepare_cached(insert)?.execute((
        key.digest(),
        key.kind().as_str(),
        artifact.created_at.millis(),
        artifact.expires_at.millis(),
        artifact.owner.map(column),
        artifact.family.map(|family| *family.as_bytes()),
        column(artifact.version),
        &artifact.document,
        artifact.group.map(|group| *group.as_bytes()),
    ))
}

/// From [`COLUMNS`].
fn read(row: &Row<'_>) -> rusqlite::Result<Artifact> {
    let time = |index: usize| row.get(index).map(UnixTime::from_millis);
    let owner: Option<i64> = row.get(2)?;
    let family: Option<[u8; 32]> = row.get(3)?;
    let mut artifact = Artifact::new(time(0)?, time(1)?)
        .owned_by(owner.map(i64::unsigned_abs))
        .in_family(family.map(FamilyId::from_bytes));
    artifact.version = row.get::<_, i64>(4)?.unsigned_abs();
    artifact.document = row.get(5)?;
    artifact.group = row.get::<_, Option<_>>(6)?.map(GroupId::from_bytes);
    Ok(artifact)
}

/// Removes artifacts that expired before `now`, a bounded number.
pub(super) fn sweep(connection: &Connection, now: UnixTime, most: i64) -> rusqlite::Result<usize> {
    let delete = "DELETE FROM artifact WHERE (digest, kind) IN (
        SELECT digest, kind FROM artifact WHERE kind <> 'ended' AND expires_at < ?1 LIMIT ?2)";
    connection
        .prepare_cached(delete)?
        .execute((now.millis(), most))
}

/// Removes the ends of families that would have expired before `now`, a bounded number. Answers how
/// many.
pub(super) fn sweep_ended(
    connection: &Connection,
    now: UnixTime,
    most: i64,
) -> rusqlite::Result<usize> {
    let delete = "DELETE FROM artifact WHERE kind = 'ended' AND digest IN (
        SELECT digest FROM artifact WHERE kind = 'ended' AND expires_at < ?1 LIMIT ?2)";
    connection
        .prepare_cached(delete)?
        .execute((now.millis(), most))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite_migration::Migrations;

    use super::*;
    use crate::sqlite::open::{MIGRATIONS, migrate};

    #[test]
    fn what_an_earlier_version_kept_is_there() {
        let mut connection = Connection::open_in_memory().expect("a database");
        let migrations = Migrations::from_slice(MIGRATIONS);
        migrations
            .to_version(&mut connection, 12)
            .expect("as it was");
        let token = ArtifactKey::of(ArtifactKind::ACCESS_TOKEN, "t");
        let record = r#"{"client":"a","issued_at":1795750000000}"#;
        connection
            .execute(
                "INSERT INTO token (digest, record, expires_at, client) VALUES (?1, ?2, 9000, 7)",
                (token.digest(), record),
            )
            .expect("written");
        let family = FamilyId::of("f");
        connection
            .execute(
                "INSERT INTO revocation (digest, until, client) VALUES (?1, 8000, NULL)",
                [family.as_bytes()],
            )
            .expect("written");
        migrate(&mut connection, Path::new("")).expect("migrated");

        let at = UnixTime::from_millis;
        let found = find(&connection, &token, at(8999)).expect("read");
        let mut expected = Artifact::new(at(1_795_750_000_000), at(9000)).owned_by(Some(7));
        record.clone_into(&mut expected.document);
        assert_eq!(found, Some(expected));
        let ended = find(&connection, &family.ended_key(), at(7999)).expect("read");
        assert_eq!(ended, Some(Artifact::new(at(0), at(8000))));
    }

    #[test]
    fn a_sweep_is_bounded_and_keeps_what_lasts() {
        let mut connection = Connection::open_in_memory().expect("a database");
        migrate(&mut connection, Path::new("")).expect("migrated");
        let at = UnixTime::from_millis;
        for number in 0..5 {
            let name = number.to_string();
            let artifact = Artifact::new(at(0), at(1000 + number));
            let key = ArtifactKey::of(ArtifactKind::ACCESS_TOKEN, &name);
            insert(&connection, &key, &artifact).expect("written");
            let ended = FamilyId::of(&name).ended_key();
            insert(&connection, &ended, &artifact).expect("written");
        }
        let swept = |most, now| {
            let ended = sweep_ended(&connection, at(now), most).expect("swept");
            let others = sweep(&connection, at(now), most).expect("swept");
            (ended, others)
        };
        assert_eq!(swept(2, 1003), (2, 2));
        assert_eq!(swept(9, 1003), (1, 1));
        assert_eq!(swept(9, 1003), (0, 0));
        assert_eq!(swept(9, 2000), (2, 2));
    }
}
