//! Replay claims in memory.

use std::collections::HashMap;

use async_trait::async_trait;

use super::{MemoryStore, RECOUNT_AFTER, lock};
use crate::{
    clock::UnixTime,
    storage::{Claim, IssuerTag, ReplayGuard, ReplayKey, StoreError},
};

/// The claims in force, and some that have ended.
#[derive(Debug, Default)]
pub(super) struct Claims {
    ends: HashMap<ReplayKey, UnixTime>,
    /// Claims of each issuer, ended ones among them until they are looked for.
    by_issuer: HashMap<IssuerTag, u64>,
    swept_at: Option<UnixTime>,
    /// What ended up to then may be forgotten.
    swept_to: Option<UnixTime>,
    /// Claims after which expired ones are looked for: twice as many as were alive the last time.
    sweep_at: usize,
}

impl Claims {
    /// Forgets the claims that have ended.
    fn sweep(&mut self, now: UnixTime) {
        self.swept_to = self.swept_to.max(Some(now));
        self.ends.retain(|_, end| *end >= now);
        self.by_issuer.clear();
        for key in self.ends.keys() {
            *self.by_issuer.entry(key.issuer()).or_default() += 1;
        }
        self.sweep_at = (self.ends.len() * 2).max(1024);
        self.swept_at = Some(now);
    }

    fn may_be_gone(&self, until: UnixTime) -> bool {
        self.swept_to.is_some_and(|swept_to| until <= swept_to)
    }

    fn is_over_quota(&self, issuer: IssuerTag, quota: u64) -> bool {
        self.by_issuer
            .get(&issuer)
            .is_some_and(|claims| *claims >= quota)
    }
}

#[async_trait]
impl ReplayGuard for MemoryStore {
    async fn claim(
        &self,
        key: ReplayKey,
        until: UnixTime,
        now: UnixTime,
        quota: u64,
    ) -> Result<Claim, StoreError> {
        let mut claims = lock(&self.claims);
        if claims.ends.get(&key).is_some_and(|end| *end >= now) {
            return Ok(Claim::Replayed);
        }
        if claims.may_be_gone(until) {
            return Err(StoreError::Unavailable(
                "the clock was ahead: this use may be forgotten".into(),
            ));
        }
        let recount = claims.is_over_quota(key.issuer(), quota)
            && claims
                .swept_at
                .is_none_or(|swept_at| swept_at.plus(RECOUNT_AFTER) <= now);
        if recount || claims.ends.len() >= claims.sweep_at {
            claims.sweep(now);
        }
        if claims.is_over_quota(key.issuer(), quota) {
            return Ok(Claim::OverQuota);
        }
        if claims.ends.insert(key, until).is_none() {
            *claims.by_issuer.entry(key.issuer()).or_default() += 1;
        }
        Ok(Claim::Fresh)
    }

    async fn is_claimed(&self, key: ReplayKey, now: UnixTime) -> Result<bool, StoreError> {
        Ok(lock(&self.claims)
            .ends
            .get(&key)
            .is_some_and(|end| *end >= now))
    }
}
