//! Whether a running node may answer: by what it is checked for each minute, and by what each proof
//! returns.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use grantor::storage::StoreError;
use tokio_postgres::Row;

use super::{
    Durability, Inner, Options, agreement,
    backoff::pause,
    connect::Mark,
    error::Failure,
    finding::{Level, Unfit, Unfits, at},
    judgement::{confirms, of_clock},
    session::Failures,
    start_check::{check_all, privileges, tables},
};

/// Pause between two checks while the last one found something wrong: the node serves again soon after
/// it is repaired.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// To be returned by the statement of a proof, for [`Fitness::proven`]: the standbys that its commit
/// waits for, what nodes have agreed on, and how far the clock of this one is ahead.
pub(super) const PROVEN: &str = "current_setting('synchronous_standby_names'), current_setting('synchronous_commit'), \
    (SELECT value FROM meta WHERE name = 'oldest'), (SELECT value FROM meta WHERE name = 'windows'), \
    clock_ms - (extract(epoch FROM seen) * 1000)::bigint";

/// Whether a running node may answer, by the checks.
pub(super) struct Fitness {
    durability: Durability,
    /// As `meta` has to have them.
    windows: Option<String>,
    faults: Mutex<Faults>,
    /// All faults in one line, for requests: read without a lock.
    unfit: ArcSwapOption<String>,
}

/// What is not as it has to be.
#[derive(Default)]
struct Faults {
    /// By the last check.
    checked: Vec<String>,
    /// By the last proof.
    proven: Option<String>,
}

impl Fitness {
    /// A node was just opened.
    pub(super) fn new(durability: Durability, options: &Options) -> Self {
        Self {
            durability,
            windows: options.windows.as_ref().map(agreement::text),
            faults: Mutex::default(),
            unfit: ArcSwapOption::empty(),
        }
    }

    /// What the last check has found.
    pub(super) fn set(&self, unfit: &[Unfit]) {
        let lines = unfit.iter().map(ToString::to_string).collect();
        self.note(|faults| faults.checked = lines);
    }

    fn note(&self, change: impl FnOnce(&mut Faults)) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut faults);
        let lines = faults.checked.iter().chain(&faults.proven);
        let lines: Vec<&str> = lines.map(String::as_str).collect();
        let unfit = (!lines.is_empty()).then(|| Arc::new(lines.join(" | ")));
        self.unfit.store(unfit);
    }

    /// Whether what a proof has returned tells that commits are let go without a standby.
    pub(super) fn is_unreplicated(&self, proof: &Row) -> bool {
        let (standbys, commit): (String, String) = (proof.get(0), proof.get(1));
        self.durability == Durability::Replicated && (standbys.is_empty() || !confirms(&commit))
    }

    /// Whether what a proof has returned is as it has to be. It counts for the verdict, too.
    ///
    /// # Errors
    /// Unavailable: the commit proves nothing.
    pub(super) fn proven(&self, row: &Row) -> Result<(), StoreError> {
        let (standbys, commit): (String, String) = (row.get(0), row.get(1));
        let (oldest, windows): (Option<String>, Option<String>) = (row.get(2), row.get(3));
        let clock = of_clock(row.get(4));
        let verdict = match clock.level {
            Level::Refused => Some(Unfit(clock).to_string()),
            _ => self.verdict_of(&standbys, &commit, oldest.as_deref(), windows.as_deref()),
        };
        self.note(|faults| faults.proven.clone_from(&verdict));
        verdict.map_or(Ok(()), |line| Err(StoreError::Unavailable(line.into())))
    }

    fn verdict_of(
        &self,
        standbys: &str,
        commit: &str,
        oldest: Option<&str>,
        windows: Option<&str>,
    ) -> Option<String> {
        let oldest = oldest.filter(|oldest| agreement::is_too_old(oldest));
        if self.durability == Durability::Replicated && standbys.is_empty() {
            return Some(
                "synchronous_standby_names: found nothing, wanted the standbys that confirm a commit; run: \
                 ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (a, b)'; SELECT pg_reload_conf()"
                    .to_owned(),
            );
        }
        if !confirms(commit) {
            return Some(format!(
                "synchronous_commit: found {commit}, wanted on or remote_apply; run: ALTER SYSTEM SET synchronous_commit = on; SELECT pg_reload_conf()"
            ));
        }
        if let Some(oldest) = oldest {
            let own = env!("CARGO_PKG_VERSION");
            return Some(format!(
                "this is grantor {own}, and the database needs at least {oldest}; run a newer grantor"
            ));
        }
        match &self.windows {
            Some(own) if windows != Some(own) => Some(
                "the windows of this database were changed; start this node with the same issuer, leeway and longest lifetime as the others"
                    .to_owned(),
            ),
            Some(_) | None => None,
        }
    }

    /// Whether a node may answer.
    ///
    /// # Errors
    /// Unavailable: each reason.
    pub(super) fn verdict(&self) -> Result<(), StoreError> {
        match &*self.unfit.load() {
            None => Ok(()),
            Some(unfit) => Err(StoreError::Unavailable(unfit.as_str().into())),
        }
    }
}

/// Settings of which another value means that commits did not wait for a standby.
const LETS_COMMITS_GO: [&str; 2] = ["synchronous_standby_names", "synchronous_commit"];

/// Checks each minute for as long as the store is in use, and when a statement was refused for a
/// right that this role lacks.
pub(super) fn start(store: &Arc<Inner>) {
    let failures = store.connections().failed_statements().clone();
    let every = store.options.checks_every;
    tokio::spawn(watch(Arc::downgrade(store), failures, every));
}

async fn watch(store: Weak<Inner>, failures: Arc<Failures>, every: Duration) {
    let soon = ASK_AGAIN.min(every);
    let mut wait = every;
    let mut told = Told::default();
    loop {
        // However many are refused, it is asked once a second.
        pause(soon).await;
        tokio::select! {
            () = pause(wait - soon) => {}
            () = failures.denied() => {}
        }
        let Some(store) = store.upgrade() else {
            return;
        };
        wait = match store.check_again(&mut told).await {
            Ok(true) => every,
            Ok(false) => soon,
            // Nothing was learnt; what was found stays. That the server does not answer, others see.
            Err(_) => soon,
        };
    }
}

/// What the last check found, as it was logged.
#[derive(Default)]
struct Told {
    refused: String,
    warned: String,
}

impl Inner {
    /// Whether the server is as it has to be. What is found is logged once.
    async fn check_again(&self, told: &mut Told) -> Result<bool, Failure> {
        let source = self.source();
        // Not that of decisions: what is set in a transaction of theirs would be found.
        let session = self.connections().lend_unhurried().await?;
        let mark = session
            .query_one(
                "SELECT current_setting('grantor.session', true), current_schema()::text",
                &[],
            )
            .await?;
        let mark = Mark {
            value: mark.get::<_, Option<String>>(0).unwrap_or_default(),
            schema: mark.get::<_, Option<String>>(1).unwrap_or_default(),
        };
        let mut findings = check_all(&session, source.fitness.durability, &mark)
            .await?
            .findings;
        let denied = privileges(&session, self.options.create).await?;
        // Which there have to be is in one of them.
        if denied.is_empty() {
            findings.extend(tables(&session).await?);
        }
        findings.extend(denied);
        let unfit = at(Level::Refused, &findings);
        source.fitness.set(&unfit);
        let lets_go = |unfit: &Unfit| LETS_COMMITS_GO.contains(&unfit.0.name);
        if unfit.iter().any(lets_go) {
            source.fence.note_unreplicated(&session).await?;
        }
        session.give_back();
        let is_fit = unfit.is_empty();
        let reason = Unfits(unfit).to_string();
        if !is_fit && reason != told.refused {
            tracing::error!(
                reason,
                "the server does not keep what is promised: this node is not ready"
            );
        }
        let finding = Unfits(at(Level::Warned, &findings)).to_string();
        if !finding.is_empty() && finding != told.warned {
            tracing::warn!(finding, "the database server");
        }
        *told = Told {
            refused: reason,
            warned: finding,
        };
        Ok(is_fit)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::finding, *};

    #[test]
    fn s034_a_proof_counts_only_under_the_durability_that_was_chosen() {
        let fit = |durability, standbys: &str, commit: &str, oldest: Option<&str>| {
            let fitness = Fitness::new(durability, &Options::new("key"));
            fitness.verdict_of(standbys, commit, oldest, None).is_none()
        };
        let (local, replicated) = (Durability::Local, Durability::Replicated);
        assert!(fit(local, "", "on", None));
        assert!(fit(replicated, "ANY 1 (a)", "remote_apply", Some("0.0.1")));
        assert!(!fit(replicated, "", "on", None));
        for commit in ["off", "local", "remote_write"] {
            assert!(!fit(local, "", commit, None), "{commit}");
        }
        assert!(!fit(local, "", "on", Some("999.0.0")));
    }

    #[test]
    fn what_was_found_is_said_until_it_is_gone() {
        let fitness = Fitness::new(Durability::Local, &Options::new("key"));
        assert!(fitness.verdict().is_ok());
        let found = finding(
            "fsync",
            "off",
            "on",
            false,
            "run: ALTER SYSTEM SET fsync = on",
        );
        fitness.set(&at(Level::Refused, &[found]));
        let error = fitness.verdict().expect_err("it is not kept");
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        assert_eq!(
            cause.as_deref(),
            Some("fsync: found off, wanted on; run: ALTER SYSTEM SET fsync = on")
        );
        fitness.set(&[]);
        assert!(fitness.verdict().is_ok());
    }
}
