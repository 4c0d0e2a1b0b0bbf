//! What a start would check of a server, without starting.

use std::time::Duration;

use super::{
    Durability, OpenError, Target,
    connect::Connector,
    finding::{Finding, Level},
    schema,
    start_check::{check_all, privileges, tables},
};
use crate::Create;

/// How long a statement of [`survey`] may take.
const SURVEY: Duration = Duration::from_secs(2);

/// What `grantor doctor --database` shows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Survey {
    /// All checks.
    pub findings: Vec<Finding>,
    /// The version of the tables; `None` where there are none.
    pub schema: Option<i64>,
    /// What is promised there.
    pub contract: &'static str,
}

impl Survey {
    /// Whether a node would run.
    pub fn is_fit(&self) -> bool {
        self.findings
            .iter()
            .all(|finding| finding.level != Level::Refused)
    }
}

/// Checks a server without writing anything.
///
/// # Errors
/// [`OpenError`] if it cannot be asked.
pub async fn survey(target: &Target) -> Result<Survey, OpenError> {
    let (session, mark) = Connector::new(target)?.open(SURVEY).await?;
    let found = check_all(&session, target.durability, &mark).await?;
    let (is_postgres, mut findings) = (found.version.is_some(), found.findings);
    let privileges = match is_postgres {
        true => privileges(&session, Create::IfMissing).await?,
        false => Vec::new(),
    };
    let schema = match is_postgres && privileges.is_empty() {
        true => schema::version(&session).await?,
        false => None,
    };
    findings.extend(privileges);
    if schema.is_some() {
        findings.extend(tables(&session).await?);
    }
    let standbys = match is_postgres {
        true => session
            .query_one("SELECT count(*) FROM pg_stat_replication", &[])
            .await?
            .get(0),
        false => 0,
    };
    Ok(Survey {
        findings,
        schema,
        contract: contract(target.durability, standbys),
    })
}

/// The promise that follows, by failure.
fn contract(durability: Durability, standbys: i64) -> &'static str {
    match (durability, standbys) {
        (Durability::Local, 0) => {
            "local, one server: a kill of a node or of the server loses no claim, nor does a power cut if the disk keeps its word. If the disk is lost, all \
             claims are: the fence refuses what could have been claimed before. There is no failover"
        }
        (Durability::Local, _) => {
            "local, with a standby that is not waited for: a kill of a node or of the server loses no claim. A failover loses the claims of the lag, and an old \
             primary that goes on accepts them again until it is ended: the fence refuses afterwards what could have been claimed before"
        }
        (Durability::Replicated, _) => {
            "replicated: each claim is on two disks before it is answered. No failure of one machine and no failover to a confirmed standby loses one; while no \
             standby confirms, nodes answer 503"
        }
    }
}
