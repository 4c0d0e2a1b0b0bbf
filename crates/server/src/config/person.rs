//! Whether people sign in here, and for how long what they allow is good.

use std::time::Duration;

use grantor::{assertion::Profile, types::Issuer};

use super::{ConfigError, raw, seconds, value, value_of};
use crate::pages::Site;

/// What the section `[person]` says, with `[code]` and `[refresh]`.
#[derive(Clone, Debug)]
pub struct PersonConfig {
    /// A session ends when nothing was done in it for so long.
    pub session_idle: Duration,
    /// A session ends after this time in any case.
    pub session_life: Duration,
    /// A permission ends when it was not used for so long.
    pub permission_unused: Duration,
    /// How long an authorization code lives.
    pub code: Duration,
    pub refresh: RefreshConfig,
}

/// How long refresh tokens live.
#[derive(Clone, Debug)]
pub struct RefreshConfig {
    /// A family ends when it was not used for so long.
    pub idle: Duration,
    /// A family ends after this time in any case.
    pub life: Duration,
    /// For so long a public client gets the same successor again.
    pub retry: Duration,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Without `[person]` nobody signs in, and what only people need may not be there either.
pub fn person(
    person: Option<raw::Person>,
    code: Option<raw::Code>,
    refresh: Option<raw::Refresh>,
    issuer: &Issuer,
    profile: Profile,
) -> Result<Option<PersonConfig>, ConfigError> {
    let Some(raw) = person else {
        let alone = [("code", code.is_some()), ("refresh", refresh.is_some())];
        return match alone.into_iter().find(|(_, is_there)| *is_there) {
            Some((section, _)) => Err(value(
                section,
                "says something, but nobody signs in; add the section [person], or remove this one",
            )),
            None => Ok(None),
        };
    };
    if profile == Profile::Fapi2 {
        return Err(value(
            "person",
            "profile fapi2 wants pushed authorization requests, which there are none of yet; remove the section, or the profile",
        ));
    }
    if !Site::of(issuer).may_have_cookies() {
        return Err(value_of(
            "issuer",
            issuer,
            "says http, so that passwords would travel in the clear; make it an https URL, or remove the section [person]",
        ));
    }
    for way in &raw.sign_in {
        match way.as_str() {
            "password" => {}
            other => {
                let problem = "is no way to sign in; \"password\" is";
                return Err(value_of("person.sign_in", other, problem));
            }
        }
    }
    if raw.sign_in.is_empty() {
        return Err(value("person.sign_in", "name \"password\""));
    }
    let (code, refresh) = (code.unwrap_or_default(), refresh.unwrap_or_default());
    let idle = times(
        "person.session_idle_minutes",
        raw.session_idle_minutes,
        MINUTE,
        DAY,
    )?;
    let life = times("person.session_hours", raw.session_hours, HOUR, 30 * DAY)?;
    let family_idle = times("refresh.idle_days", refresh.idle_days, DAY, 3650 * DAY)?;
    let family_life = times("refresh.days", refresh.days, DAY, 3650 * DAY)?;
    let retry = seconds("refresh.retry_seconds", refresh.retry_seconds, 0, 300)?;
    Ok(Some(PersonConfig {
        session_idle: idle.min(life),
        session_life: life,
        permission_unused: times(
            "person.permission_unused_days",
            raw.permission_unused_days,
            DAY,
            3650 * DAY,
        )?,
        code: seconds("code.lifetime_seconds", code.lifetime_seconds, 1, 600)?,
        refresh: RefreshConfig {
            idle: family_idle.min(family_life),
            life: family_life,
            retry,
        },
    }))
}

/// A number of units of so many seconds: at least one, and at most `most` seconds in all.
fn times(key: &'static str, number: u64, unit: u64, most: u64) -> Result<Duration, ConfigError> {
    let largest = most / unit;
    if (1..=largest).contains(&number) {
        Ok(Duration::from_secs(number * unit))
    } else {
        Err(value_of(
            key,
            number,
            format!("is not between 1 and {largest}"),
        ))
    }
}
