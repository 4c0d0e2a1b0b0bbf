//! What is the same on all nodes of a database: how long an assertion is remembered, the engine of
//! claims, and the oldest program that may run. The first node writes it, the others compare.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    OpenError, Options, PostgresStore, Windows, error::Failure, meta, node::GONE, schema,
    session::Session,
};

/// This program.
const OWN: &str = env!("CARGO_PKG_VERSION");
/// The oldest program that works with the tables of this one: raised with the release that removes
/// what an older one reads.
const OLDEST: &str = "0.1.0";
/// Where claims are kept.
const ENGINE: &str = "database";

/// Compares, and writes what is not there yet, in the open transaction, behind the schema's lock.
///
/// # Errors
/// [`OpenError::TooOld`], [`OpenError::Disagrees`]
pub(super) async fn agree(session: &Session, options: &Options) -> Result<(), OpenError> {
    match meta::get(session, "oldest").await? {
        Some(oldest) if is_too_old(&oldest) => return Err(OpenError::TooOld { own: OWN, oldest }),
        Some(oldest) if numbers(&oldest) >= numbers(OLDEST) => {}
        Some(_) | None => meta::put(session, "oldest", OLDEST).await?,
    }
    match meta::get(session, "engine").await? {
        Some(engine) if engine != ENGINE => {
            return Err(OpenError::Disagrees {
                what: "[replay] engine",
                configured: ENGINE.to_owned(),
                agreed: engine,
                remedy: "",
            });
        }
        Some(_) => {}
        None => meta::put(session, "engine", ENGINE).await?,
    }
    let Some(windows) = &options.windows else {
        return Ok(());
    };
    match meta::get(session, "windows").await? {
        Some(agreed) => compare(windows, &agreed),
        None => Ok(meta::put(session, "windows", &text(windows)).await?),
    }
}

/// Each of them by itself, so that the line names the option.
fn compare(windows: &Windows, agreed: &str) -> Result<(), OpenError> {
    let own = value(windows);
    let agreed: Value = serde_json::from_str(agreed).unwrap_or_default();
    let named = [
        ("issuer", "issuer"),
        ("leeway_ms", "assertion.leeway_seconds"),
        ("max_lifetime_ms", "assertion.maximum_lifetime_seconds"),
    ];
    for (name, what) in named {
        if own[name] != agreed[name] {
            let shown = |value: &Value| match value.as_u64() {
                Some(milliseconds) => format!("{:?}", Duration::from_millis(milliseconds)),
                None => value.to_string(),
            };
            return Err(OpenError::Disagrees {
                what,
                configured: shown(&own[name]),
                agreed: shown(&agreed[name]),
                remedy: ", or stop all nodes and run: grantor replay windows",
            });
        }
    }
    Ok(())
}

/// As `meta` holds them.
pub(super) fn text(windows: &Windows) -> String {
    value(windows).to_string()
}

fn value(windows: &Windows) -> Value {
    let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    json!({
        "issuer": windows.issuer,
        "leeway_ms": milliseconds(windows.leeway),
        "max_lifetime_ms": milliseconds(windows.max_lifetime),
    })
}

/// Whether this program is older than the oldest that may run.
pub(super) fn is_too_old(oldest: &str) -> bool {
    numbers(OWN) < numbers(oldest)
}

/// The numbers of a version, to be compared.
fn numbers(version: &str) -> Vec<u64> {
    let plain = version.split(['-', '+']).next().unwrap_or_default();
    plain
        .split('.')
        .map(|number| number.parse().unwrap_or(0))
        .collect()
}

impl PostgresStore {
    /// Changes what all nodes go by. No node may run meanwhile. Where assertions are accepted for
    /// longer than before, the claims of those that ended under the windows of before may be gone: the
    /// fence refuses what was signed until now.
    ///
    /// # Errors
    /// [`OpenError`]: [`OpenError::Running`] among them. Nothing was changed, but where the answer to
    /// the commit was lost.
    pub async fn change_windows(&self, windows: &Windows) -> Result<(), OpenError> {
        let session = self.0.connections().lend().await?;
        session.batch("BEGIN").await?;
        change_windows(&session, windows).await?;
        session.batch("COMMIT").await.map_err(Failure::of_commit)?;
        session.give_back();
        Ok(())
    }
}

async fn change_windows(session: &Session, windows: &Windows) -> Result<(), OpenError> {
    session.query(schema::LOCK, &[]).await?;
    let running = format!("SELECT count(*) FROM node WHERE seen > now() - {GONE}");
    let running: i64 = session.query_one(&running, &[]).await?.get(0);
    if running > 0 {
        return Err(OpenError::Running(running));
    }
    let before = meta::get(session, "windows").await?.unwrap_or_default();
    let before: Value = serde_json::from_str(&before).unwrap_or_default();
    let after = value(windows);
    let is_longer = ["leeway_ms", "max_lifetime_ms"]
        .iter()
        .any(|name| after[name].as_u64() > before[name].as_u64());
    if is_longer {
        let leeway = after["leeway_ms"]
            .as_u64()
            .max(before["leeway_ms"].as_u64())
            .unwrap_or_default();
        let leeway = i64::try_from(leeway).unwrap_or(i64::MAX);
        let put = "INSERT INTO meta (name, value) \
            VALUES ('fence', ((extract(epoch FROM clock_timestamp()) * 1000)::bigint + $1::bigint)::text) \
            ON CONFLICT (name) DO UPDATE SET value = greatest(meta.value::bigint, excluded.value::bigint)::text";
        session.execute(put, &[&leeway]).await?;
    }
    Ok(meta::put(session, "windows", &text(windows)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(issuer: &str, leeway: u64, max_lifetime: u64) -> Windows {
        Windows {
            issuer: issuer.to_owned(),
            leeway: Duration::from_secs(leeway),
            max_lifetime: Duration::from_secs(max_lifetime),
        }
    }

    #[test]
    fn s019_a_node_whose_windows_differ_is_told_in_which() {
        let agreed = text(&windows("https://a.example", 30, 3600));
        let differs = |issuer: &str, leeway, max_lifetime| {
            compare(&windows(issuer, leeway, max_lifetime), &agreed)
                .err()
                .map(|error| error.to_string())
        };
        assert_eq!(differs("https://a.example", 30, 3600), None);
        let text = differs("https://a.example", 300, 3600).unwrap_or_default();
        assert!(
            text.starts_with("assertion.leeway_seconds is 300s here and 30s on the other nodes"),
            "{text}"
        );
        let text = differs("https://b.example", 30, 3600).unwrap_or_default();
        assert!(
            text.starts_with("issuer is \"https://b.example\" here"),
            "{text}"
        );
        let text = differs("https://a.example", 30, 600).unwrap_or_default();
        assert!(
            text.starts_with("assertion.maximum_lifetime_seconds is 600s here"),
            "{text}"
        );
    }

    #[test]
    fn s015_versions_are_compared_by_number() {
        assert!(numbers("0.10.0") > numbers("0.9.9"));
        assert!(numbers("1.0.0-rc.1") == numbers("1.0.0"));
        assert!(is_too_old("999.0.0"));
        assert!(!is_too_old(OWN));
        assert!(!is_too_old(OLDEST));
    }
}
