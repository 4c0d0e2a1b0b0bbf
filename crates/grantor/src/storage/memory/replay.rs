//! Replay claims in memory.

use std::collections::HashMap;

use async_trait::async_trait;

use super::{MemoryStore, RECOUNT_AFTER, lock};
use crate::{
    clock::UnixTime,
    storage::{Claim, IssuerTag, ReplayGuard, ReplayKey, StoreError, Used},
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

    /// Whether this use was claimed before. What may be forgotten is not decided.
    fn is_claimed(&self, used: &Used, now: UnixTime) -> Result<bool, StoreError> {
        let Used { key, until } = used;
        if self.ends.get(key).is_some_and(|end| *end >= now) {
            return Ok(true);
        }
        if self.swept_to.is_some_and(|swept_to| *until <= swept_to) {
            let reason = "the clock was ahead: this use may be forgotten";
            return Err(StoreError::Unavailable(reason.into()));
        }
        Ok(false)
    }

    /// Whether one of the issuers may have no claim more, beside those that it gets here.
    fn is_over_quota(&self, uses: &[Used], quota: u64) -> bool {
        uses.iter().enumerate().any(|(number, used)| {
            let issuer = used.key.issuer();
            let held = self.by_issuer.get(&issuer).copied().unwrap_or_default();
            let beside = uses[..number]
                .iter()
                .filter(|other| other.key.issuer() == issuer);
            held + beside.count() as u64 >= quota
        })
    }
}

#[async_trait]
impl ReplayGuard for MemoryStore {
    async fn claim(&self, uses: &[Used], now: UnixTime, quota: u64) -> Result<Claim, StoreError> {
        let mut claims = lock(&self.claims);
        for used in uses {
            if claims.is_claimed(used, now)? {
                return Ok(Claim::Replayed(used.key));
            }
        }
        let recount = claims.is_over_quota(uses, quota)
            && claims
                .swept_at
                .is_none_or(|swept_at| swept_at.plus(RECOUNT_AFTER) <= now);
        if recount || claims.ends.len() >= claims.sweep_at {
            claims.sweep(now);
        }
        if claims.is_over_quota(uses, quota) {
            return Ok(Claim::OverQuota);
        }
        for used in uses {
            if claims.ends.insert(used.key, used.until).is_none() {
                *claims.by_issuer.entry(used.key.issuer()).or_default() += 1;
            }
        }
        Ok(Claim::Fresh)
    }

    async fn is_claimed(&self, key: ReplayKey, now: UnixTime) -> Result<bool, StoreError> {
        let claims = lock(&self.claims);
        Ok(claims.ends.get(&key).is_some_and(|end| *end >= now))
    }
}
