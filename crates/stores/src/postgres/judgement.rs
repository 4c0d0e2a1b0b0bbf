//! What is said of what a server answers: whether it is PostgreSQL, a primary, and set as it has to be.

use std::time::Duration;

use tokio_postgres::Row;

use super::{
    Durability,
    connect::Mark,
    finding::{Finding, Level, finding},
};

/// Oldest version of the server, as `server_version_num`.
const OLDEST_VERSION: i32 = 150_000;
/// How far the clocks may be apart: the margin of what is remembered covers both ends.
const APART: Duration = Duration::from_secs(10);
/// From where on it is told.
const NEARLY_APART: Duration = Duration::from_secs(2);

/// What speaks the protocol is not always the database: CockroachDB's advisory locks do nothing
/// (cockroach#13546), YugabyteDB's inserts fail by priority (yugabyte-db#2954).
pub(super) fn of_program(row: &Row) -> Finding {
    let version: String = row.get(0);
    program(&version, row.get(1), row.get(2))
}

fn program(version: &str, is_aurora: bool, of_others: Option<&str>) -> Finding {
    let is_other = !version.starts_with("PostgreSQL ")
        || ["CockroachDB", "-YB-", "Yugabyte"]
            .iter()
            .any(|name| version.contains(name));
    let other = match of_others {
        _ if is_aurora => Some("Aurora"),
        Some("neon") => Some("Neon"),
        Some(_) => Some("AlloyDB"),
        None => None,
    };
    let short: String = version.chars().take(60).collect();
    match other {
        Some(other) if !is_other => Finding {
            level: Level::Warned,
            ..finding(
                "program",
                format!("{other} ({short})"),
                "PostgreSQL",
                true,
                "what is promised was not proven there",
            )
        },
        _ => finding(
            "program",
            short,
            "PostgreSQL",
            !is_other,
            "name a PostgreSQL server with [database] url",
        ),
    }
}

pub(super) fn of_server(row: &Row) -> [Finding; 3] {
    let (version, is_standby): (i32, bool) = (row.get(0), row.get(1));
    let (encoding, database): (String, String) = (row.get(2), row.get(8));
    let is_utf8 = encoding == "UTF8";
    let create = format!(
        "run: CREATE DATABASE {database} ENCODING 'UTF8' TEMPLATE template0 (in place of this one)"
    );
    [
        finding(
            "server_version_num",
            version.to_string(),
            "150000 or later",
            version >= OLDEST_VERSION,
            "upgrade the server with pg_upgrade",
        ),
        finding(
            "pg_is_in_recovery()",
            is_standby.to_string(),
            "false",
            !is_standby,
            "name the primary with [database] url",
        ),
        finding("server_encoding", encoding, "UTF8", is_utf8, create),
    ]
}

/// How far this machine's clock is ahead of the server's, in milliseconds.
pub(super) fn of_clock(ahead: i64) -> Finding {
    let apart = Duration::from_millis(ahead.unsigned_abs());
    let side = if ahead < 0 { "behind" } else { "ahead of" };
    let found = format!("{} ms {side} the server's", apart.as_millis());
    let remedy = "run an NTP client on both machines";
    let judged = finding(
        "this machine's clock",
        found,
        "within 10 s of the server's",
        apart <= APART,
        remedy,
    );
    match judged.level {
        Level::Kept if apart > NEARLY_APART => Finding {
            level: Level::Warned,
            ..judged
        },
        _ => judged,
    }
}

/// What the server goes by in this session.
pub(super) struct Settings {
    rows: Vec<(String, String, String)>,
    user: String,
    database: String,
}

impl Settings {
    pub(super) fn read(rows: &[Row], server: &Row) -> Self {
        Self {
            rows: rows
                .iter()
                .map(|row| (row.get(0), row.get(1), row.get(2)))
                .collect(),
            user: server.get(7),
            database: server.get(8),
        }
    }

    fn value(&self, name: &str) -> &str {
        let row = self.rows.iter().find(|row| row.0 == name);
        row.map_or("nothing", |row| row.1.as_str())
    }

    /// The statement that sets it where it was set: what is set for a role or a database goes before
    /// what is set for the server.
    fn set(&self, name: &str, value: &str) -> String {
        let source = self.rows.iter().find(|row| row.0 == name);
        let (user, database) = (&self.user, &self.database);
        match source.map(|row| row.2.as_str()) {
            Some("command line") => {
                format!("start the server without -c {name}=..., or with -c {name}={value}")
            }
            Some("user") => format!("run: ALTER ROLE {user} SET {name} = {value}"),
            Some("database user") => {
                format!("run: ALTER ROLE {user} IN DATABASE {database} SET {name} = {value}")
            }
            Some("database") => format!("run: ALTER DATABASE {database} SET {name} = {value}"),
            _ => format!("run: ALTER SYSTEM SET {name} = {value}; SELECT pg_reload_conf()"),
        }
    }

    fn expect(&self, name: &'static str, wanted: &'static str, value: &str) -> Finding {
        let found = self.value(name);
        finding(name, found, wanted, found == wanted, self.set(name, value))
    }

    pub(super) fn of_disk(&self) -> [Finding; 5] {
        [
            self.expect("default_transaction_read_only", "off", "off"),
            self.expect(
                "default_transaction_isolation",
                "read committed",
                "'read committed'",
            ),
            self.expect("fsync", "on", "on"),
            self.expect("full_page_writes", "on", "on"),
            self.expect("autovacuum", "on", "on"),
        ]
    }

    pub(super) fn of_durability(&self, durability: Durability, server: &Row) -> Vec<Finding> {
        let found = self.value("synchronous_commit");
        let is_kept = confirms(found);
        let remedy = self.set("synchronous_commit", "on");
        let mut findings = vec![finding(
            "synchronous_commit",
            found,
            "on or remote_apply",
            is_kept,
            remedy,
        )];
        if durability == Durability::Replicated {
            let names = self.value("synchronous_standby_names");
            let shown = if names.is_empty() { "nothing" } else { names };
            let set = self.set("synchronous_standby_names", "'ANY 1 (a, b)'");
            findings.push(finding(
                "synchronous_standby_names",
                shown,
                "the standbys that confirm a commit (durability = \"replicated\")",
                !names.is_empty(),
                set,
            ));
            findings.push(of_standbys(
                server.get(3),
                server.get(4),
                server.get(5),
                &self.user,
            ));
        }
        findings
    }

    /// A pooler in transaction mode does not pass them on, or gives those of another.
    pub(super) fn of_session(&self, mark: Option<String>, asked: &Mark) -> Finding {
        let expected = [
            ("search_path", asked.schema.as_str()),
            ("lock_timeout", "500"),
            ("idle_in_transaction_session_timeout", "5000"),
            ("client_min_messages", "warning"),
        ];
        let mut differing: Vec<_> = expected
            .iter()
            .filter(|(name, value)| self.value(name) != *value)
            .map(|(name, _)| format!("{name} = {}", self.value(name)))
            .collect();
        if mark.as_deref() != Some(&asked.value) {
            differing.push("grantor.session of another".to_owned());
        }
        let found = match differing.as_slice() {
            [] => "as they were set".to_owned(),
            differing => differing.join(", "),
        };
        let remedy = "connect to the server itself with [database] url, and not to a pooler";
        finding(
            "settings of the session",
            found,
            "those that Grantor sets",
            differing.is_empty(),
            remedy,
        )
    }
}

/// Whether an answer to a commit means that it is on the disk, and on the standby's where there is
/// one.
pub(super) fn confirms(synchronous_commit: &str) -> bool {
    ["on", "remote_apply"].contains(&synchronous_commit)
}

/// A role without `pg_monitor` sees that there are standbys, and nothing of them.
fn of_standbys(all: i64, confirming: i64, hidden: i64, user: &str) -> Finding {
    let (found, remedy) = match confirming {
        0 if hidden > 0 => (
            "standbys of which this role may see nothing".to_owned(),
            format!("run: GRANT pg_monitor TO {user}"),
        ),
        0 => (
            format!("{all} standbys, none of them sync or quorum"),
            "start a standby whose application_name is in synchronous_standby_names; see: SELECT application_name, sync_state FROM pg_stat_replication"
                .to_owned(),
        ),
        _ => (format!("{confirming} of {all} standbys sync or quorum"), String::new()),
    };
    finding(
        "pg_stat_replication",
        found,
        "a standby that is sync or quorum",
        confirming > 0,
        remedy,
    )
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Unfit, *};

    fn level(finding: &Finding) -> Level {
        finding.level
    }

    #[test]
    fn only_postgresql_is_postgresql() {
        let judged = |version: &str| level(&program(version, false, None));
        assert_eq!(
            judged("PostgreSQL 15.18 (Debian 15.18-0+deb12u1)"),
            Level::Kept
        );
        assert_eq!(judged("CockroachDB CCL v24.1.0"), Level::Refused);
        assert_eq!(
            judged("PostgreSQL 15.2-YB-2.25.0.0-b0 on x86_64"),
            Level::Refused
        );
        let postgres = "PostgreSQL 16.4 on x86_64";
        assert_eq!(level(&program(postgres, true, None)), Level::Warned);
        assert_eq!(
            level(&program(postgres, false, Some("neon"))),
            Level::Warned
        );
        assert_eq!(
            level(&program(postgres, false, Some("alloydb"))),
            Level::Warned
        );
    }

    #[test]
    fn s047_a_clock_is_told_beyond_2_s_and_refused_beyond_10_s() {
        for sign in [1, -1] {
            assert_eq!(level(&of_clock(sign * 2_000)), Level::Kept);
            assert_eq!(level(&of_clock(sign * 2_001)), Level::Warned);
            assert_eq!(level(&of_clock(sign * 10_000)), Level::Warned);
            assert_eq!(level(&of_clock(sign * 10_001)), Level::Refused);
        }
    }

    #[test]
    fn standbys_that_are_hidden_are_shown_by_a_grant() {
        assert_eq!(level(&of_standbys(1, 1, 0, "grantor")), Level::Kept);
        let hidden = of_standbys(1, 0, 1, "grantor");
        assert_eq!(
            Unfit(hidden).to_string(),
            "pg_stat_replication: found standbys of which this role may see nothing, wanted a standby that is sync or quorum; run: GRANT pg_monitor TO grantor"
        );
        assert_eq!(level(&of_standbys(1, 0, 0, "grantor")), Level::Refused);
    }
}
