//! The server's signing keys in PostgreSQL.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    jose::{Algorithm, PrivateJwk},
    keys::{KeyRing, SigningKeys},
    registry::Actor,
    storage::{KeyStore, SigningKeyInfo, StoreError},
};

use super::{
    PostgresStore,
    error::Failure,
    registry::{Changing, expect_row, to_its_end},
    session::Session,
};
use crate::{
    MasterKey,
    cached::Moment,
    form::signing_key::{
        KEPT_BEYOND_END, StoredKey, Successor, Times, generate, infos, moment, sealed, successor,
    },
};

impl SigningKeys for PostgresStore {
    fn key_ring(&self) -> Arc<KeyRing> {
        self.0.cached.key_ring()
    }
}

#[async_trait]
impl KeyStore for PostgresStore {
    async fn signing_key_list(&self) -> Result<Vec<SigningKeyInfo>, StoreError> {
        let session = self.0.connections().reads().session().await?;
        let now = self.0.now();
        let keys = read_keys(&session, self.0.master_key(), now).await?;
        Ok(infos(&keys, now))
    }

    async fn signing_key_rotate(
        &self,
        algorithm: Algorithm,
        ahead: Duration,
        overlap: Duration,
        by: &Actor,
    ) -> Result<SigningKeyInfo, StoreError> {
        let mut changing = Changing::begin(&self.0, by).await?;
        let now = changing.at;
        let key = generate(algorithm)?;
        let signs_from = now.plus(ahead);
        let mut info = SigningKeyInfo::new(key.key_id().to_owned(), algorithm, now, signs_from);
        info.is_signing = ahead.is_zero();
        let rotate = async move {
            prune(&changing).await?;
            let before = all(&changing).await?;
            end_before(changing.session(), signs_from, overlap).await?;
            let (session, master_key) = (changing.session(), changing.master_key());
            insert(session, master_key, &key, now, signs_from).await?;
            record(&mut changing, &before).await?;
            changing.commit().await
        };
        to_its_end(rotate).await?;
        Ok(info)
    }

    async fn signing_key_revoke(
        &self,
        key_id: &str,
        algorithm: Algorithm,
        by: &Actor,
    ) -> Result<Vec<SigningKeyInfo>, StoreError> {
        let mut changing = Changing::begin(&self.0, by).await?;
        let now = changing.at;
        let new = generate(algorithm)?;
        let key_id = key_id.to_owned();
        let revoke = async move {
            prune(&changing).await?;
            let before = all(&changing).await?;
            withdraw(changing.session(), &key_id, now).await?;
            succeed(changing.session(), changing.master_key(), &new, now).await?;
            record(&mut changing, &before).await?;
            changing.commit().await
        };
        to_its_end(revoke).await?;
        self.signing_key_list().await
    }
}

/// Removes the keys that nobody needs any more.
async fn prune(changing: &Changing) -> Result<(), Failure> {
    let gone = changing.at.minus(KEPT_BEYOND_END);
    let delete = "DELETE FROM signing_key WHERE retires_at < $1";
    let pruned = changing.session().execute(delete, &[&gone.millis()]).await;
    pruned.map(drop)
}

/// What is told of all keys, those that are published no more, too.
async fn all(changing: &Changing) -> Result<Vec<SigningKeyInfo>, Failure> {
    let (session, gone) = (changing.session(), changing.at.minus(KEPT_BEYOND_END));
    let keys = read_keys(session, changing.master_key(), gone).await?;
    Ok(keys.iter().map(StoredKey::info).collect())
}

/// Records what became of each key.
async fn record(changing: &mut Changing, before: &[SigningKeyInfo]) -> Result<(), Failure> {
    let after = all(changing).await?;
    let records = SigningKeyInfo::changes(before, &after, &changing.by, changing.at);
    changing.records.extend(records);
    Ok(())
}

/// No key signs longer than until then.
async fn end_before(
    session: &Session,
    signs_from: UnixTime,
    overlap: Duration,
) -> Result<(), Failure> {
    for (position, times) in read_times(session).await? {
        match times.end_before(signs_from, overlap) {
            Some(times) => write_times(session, position, times).await?,
            None => {
                let never_signs = "DELETE FROM signing_key WHERE position = $1";
                session.execute(never_signs, &[&position]).await?;
            }
        }
    }
    Ok(())
}

/// The times of all keys in the table, newest first, and where each is.
async fn read_times(session: &Session) -> Result<Vec<(i64, Times)>, Failure> {
    let query = "SELECT position, signs_from, signs_until, retires_at FROM signing_key ORDER BY position DESC";
    let rows = session.query(query, &[]).await?;
    let times = rows
        .iter()
        .map(|row| (row.get(0), Times::new(row.get(1), row.get(2), row.get(3))));
    Ok(times.collect())
}

async fn write_times(session: &Session, position: i64, times: Times) -> Result<(), Failure> {
    let update = "UPDATE signing_key SET signs_from = $2, signs_until = $3, retires_at = $4 WHERE position = $1";
    let signs_from = times.signs_from.millis();
    let [signs_until, retires_at] =
        [times.signs_until, times.retires_at].map(|at| at.map(UnixTime::millis));
    session
        .execute(update, &[&position, &signs_from, &signs_until, &retires_at])
        .await
        .map(drop)
}

/// Removes a key, and notes that no restored state brings it back.
async fn withdraw(session: &Session, key_id: &str, now: UnixTime) -> Result<(), Failure> {
    let delete = "DELETE FROM signing_key WHERE kid = $1";
    expect_row(session.execute(delete, &[&key_id]).await?, "signing key")?;
    let withdraw =
        "INSERT INTO withdrawn_key (kid, withdrawn_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    session
        .execute(withdraw, &[&key_id, &now.millis()])
        .await
        .map(drop)
}

/// Sees to it that a key signs from now on, for good: `new`, if no other can.
async fn succeed(
    session: &Session,
    master_key: &MasterKey,
    new: &PrivateJwk,
    now: UnixTime,
) -> Result<(), Failure> {
    let (positions, times): (Vec<_>, Vec<_>) = read_times(session).await?.into_iter().unzip();
    match successor(&times, now) {
        Successor::Signs => Ok(()),
        Successor::Takes(place, times) => write_times(session, positions[place], times).await,
        Successor::New => insert(session, master_key, new, now, now).await,
    }
}

/// Makes the first key, if there is none, in the open transaction.
pub(super) async fn ensure(
    session: &Session,
    master_key: &MasterKey,
    algorithm: Algorithm,
    now: UnixTime,
) -> Result<(), Failure> {
    let any = "SELECT EXISTS (SELECT FROM signing_key)";
    if session.query_one(any, &[]).await?.get(0) {
        return Ok(());
    }
    insert(session, master_key, &generate(algorithm)?, now, now).await
}

async fn insert(
    session: &Session,
    master_key: &MasterKey,
    key: &PrivateJwk,
    now: UnixTime,
    signs_from: UnixTime,
) -> Result<(), Failure> {
    let statement =
        "INSERT INTO signing_key (kid, sealed, created_at, signs_from) VALUES ($1, $2, $3, $4)";
    let sealed = sealed(key, master_key);
    let (now, signs_from) = (now.millis(), signs_from.millis());
    session
        .execute(statement, &[&key.key_id(), &sealed, &now, &signs_from])
        .await
        .map(drop)
}

/// All keys that are published, newest first.
async fn read_keys(
    session: &Session,
    master_key: &MasterKey,
    now: UnixTime,
) -> Result<Vec<StoredKey>, Failure> {
    let query = "SELECT kid, sealed, created_at, signs_from, signs_until, retires_at FROM signing_key \
        WHERE retires_at IS NULL OR retires_at > $1 ORDER BY position DESC";
    let rows = session.query(query, &[&now.millis()]).await?;
    let open = |row: &tokio_postgres::Row| {
        let times = Times::new(row.get(3), row.get(4), row.get(5));
        StoredKey::open(row.get(0), row.get(1), row.get(2), times, master_key)
    };
    Ok(rows.iter().map(open).collect::<Result<_, _>>()?)
}

/// The keys of this moment, ready for use.
pub(super) async fn read_moment(
    session: &Session,
    master_key: &MasterKey,
    now: UnixTime,
) -> Result<Moment, Failure> {
    Ok(moment(read_keys(session, master_key, now).await?, now)?)
}
