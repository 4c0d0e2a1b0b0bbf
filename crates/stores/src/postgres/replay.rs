//! Replay claims in PostgreSQL: the database decides, for all nodes. What has to be asked of it goes
//! with a group ([`super::claim_group`]).

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    storage::{Claim, IssuerTag, ReplayGuard, ReplayKey, StoreError, Used},
};

use super::{
    Inner, PostgresStore,
    claim_row::{self, Short},
    error::Failure,
};

#[async_trait]
impl ReplayGuard for PostgresStore {
    async fn claim(&self, uses: &[Used], now: UnixTime, quota: u64) -> Result<Claim, StoreError> {
        if uses.is_empty() {
            return Ok(Claim::Fresh);
        }
        let fence = &self.0.source().fence;
        if uses.iter().any(|used| fence.may_be_gone(used.until)) {
            let error = StoreError::Unavailable(
                "the clock was ahead for a while, and this use may have been forgotten; set the clock"
                    .into(),
            );
            return self.0.first_recorded(uses, now).await?.ok_or(error);
        }
        let issuers = uses.iter().map(|used| used.key.issuer()).collect();
        let count = |issuer| self.0.count_claims(issuer, now, quota);
        let room = self.0.claims.held().take(issuers, (now, quota), count);
        match room.await? {
            Some(room) => self.0.claims.claim(uses, now, room).await,
            None => {
                let recorded = self.0.first_recorded(uses, now).await?;
                Ok(recorded.unwrap_or(Claim::OverQuota))
            }
        }
    }

    fn fence(&self) -> Option<UnixTime> {
        self.0.source().fence.fence()
    }

    async fn is_claimed(&self, key: ReplayKey, now: UnixTime) -> Result<bool, StoreError> {
        let session = self.0.connections().reads().session().await?;
        let ends = claim_row::ends(&session, &[Short::of(key)]).await?;
        Ok(ends.values().any(|until| *until >= now))
    }
}

impl Inner {
    /// The first of these that is recorded, and not to be forgotten yet.
    async fn first_recorded(&self, uses: &[Used], now: UnixTime) -> Result<Option<Claim>, Failure> {
        let session = self.connections().reads().session().await?;
        let names: Vec<Short> = uses.iter().map(|used| Short::of(used.key)).collect();
        let ends = claim_row::ends(&session, &names).await?;
        let recorded = uses.iter().find(|used| {
            let until = ends.get(&Short::of(used.key));
            until.is_some_and(|until| !claim_row::is_over(*until, now))
        });
        Ok(recorded.map(|used| Claim::Replayed(used.key)))
    }

    /// How many claims of an issuer are in force, and no more than the quota.
    async fn count_claims(
        &self,
        issuer: IssuerTag,
        now: UnixTime,
        quota: u64,
    ) -> Result<u64, StoreError> {
        let count = "SELECT count(*) FROM (SELECT FROM claim WHERE issuer = $1 AND until >= $3 LIMIT $2) AS counted";
        let session = self.connections().reads().session().await?;
        let issuer = i64::from_be_bytes(issuer);
        let (most, now) = (i64::try_from(quota).unwrap_or(i64::MAX), now.millis());
        let row = session.query_one(count, &[&issuer, &most, &now]).await?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    }
}
