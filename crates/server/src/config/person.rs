//! Whether people sign in here, and for how long what they allow is good.

use std::time::Duration;

use grantor::{assertion::Profile, types::Issuer, webauthn::RelyingParty};

use url::Url;

use super::{ConfigError, raw, seconds, value, value_of};
use crate::pages::Site;

/// A way to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Passkey,
    Password,
}

/// What the section `[person]` says, with `[code]` and `[refresh]`.
#[derive(Clone, Debug)]
pub struct PersonConfig {
    /// How people sign in, at least one way.
    pub sign_in: Vec<Way>,
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
    let sign_in = ways(&raw.sign_in, issuer)?;
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
        sign_in,
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

/// The ways of these names, of which one is possible here at least.
fn ways(names: &[String], issuer: &Issuer) -> Result<Vec<Way>, ConfigError> {
    const KEY: &str = "person.sign_in";
    let way = |name: &String| match name.as_str() {
        "passkey" => Ok(Way::Passkey),
        "password" => Ok(Way::Password),
        other => {
            let problem = "is no way to sign in; \"passkey\" and \"password\" are";
            Err(value_of(KEY, other, problem))
        }
    };
    let ways: Vec<_> = names.iter().map(way).collect::<Result<_, _>>()?;
    if ways.is_empty() {
        return Err(value(KEY, "name \"passkey\", \"password\" or both"));
    }
    // DC8
    if !ways.contains(&Way::Password) && RelyingParty::of(issuer).is_none() {
        let problem = format!(
            "names passkeys alone, which browsers make for hosts with a name only; make the issuer {}, or name \"password\" too",
            by_name(issuer)
        );
        return Err(value(KEY, problem));
    }
    Ok(ways)
}

/// Which issuer there are passkeys for, in the place of one that is called by an address.
fn by_name(issuer: &Issuer) -> String {
    let local = Url::parse(issuer.as_str()).ok().and_then(|mut url| {
        url.set_host(Some("localhost")).ok()?;
        let text = url.as_str().trim_end_matches('/').to_owned();
        (url.scheme() == "http").then_some(text)
    });
    local.unwrap_or_else(|| "a URL with a host name".to_owned())
}

impl PersonConfig {
    /// What people are told where passkeys are wanted and impossible (DC8).
    pub fn passkeys_missing(&self, issuer: &Issuer) -> Option<String> {
        let are_missing =
            self.sign_in.contains(&Way::Passkey) && RelyingParty::of(issuer).is_none();
        are_missing.then(|| {
            format!(
                "passkeys need a host name, and this server is called by an IP address; make the issuer {}",
                by_name(issuer)
            )
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Overrides, Purpose, raw::RawConfig};

    fn checked(text: &str) -> Result<Option<PersonConfig>, String> {
        let raw: RawConfig = toml::from_str(text).map_err(|error| error.to_string())?;
        let overrides = Overrides {
            purpose: Purpose::Serve,
            ..Overrides::default()
        };
        let config = Config::check(raw, &overrides, None);
        config
            .map(|config| config.person)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn c006_c009_nobody_signs_in_until_the_section_is_there_and_then_the_defaults_hold() {
        assert!(checked("").expect("valid").is_none());
        let person = checked("[person]").expect("valid").expect("people");
        let days = |days: u64| Duration::from_secs(days * 86_400);
        assert_eq!(person.sign_in, [Way::Passkey, Way::Password]);
        assert_eq!(person.session_idle, Duration::from_secs(1800));
        assert_eq!(person.session_life, Duration::from_secs(43_200));
        assert_eq!(person.permission_unused, days(400));
        assert_eq!(person.code, Duration::from_secs(60));
        assert_eq!(
            (person.refresh.idle, person.refresh.life),
            (days(30), days(365))
        );
        assert_eq!(person.refresh.retry, Duration::from_secs(10));
        let short = checked("[person]\nsession_hours = 1\nsession_idle_minutes = 90");
        let short = short.expect("valid").expect("people");
        assert_eq!(short.session_idle, short.session_life, "idle ends no later");
    }

    #[test]
    fn c009_people_sign_in_by_the_ways_that_are_named() {
        let ways = |text: &str| checked(text).map(|person| person.expect("people").sign_in);
        let password = ways("[person]\nsign_in = [\"password\"]");
        assert_eq!(password, Ok(vec![Way::Password]));
        let named = "issuer = \"http://localhost:8080\"\n[person]\nsign_in = [\"passkey\"]";
        assert_eq!(ways(named), Ok(vec![Way::Passkey]));
    }

    #[test]
    fn dc8_where_passkeys_are_impossible_the_remedy_is_told() {
        let told = |issuer: &str, sign_in: Vec<Way>| {
            let person = checked("[person]").expect("valid").expect("people");
            let person = PersonConfig { sign_in, ..person };
            person.passkeys_missing(&Issuer::parse(issuer).expect("an issuer"))
        };
        let both = || vec![Way::Passkey, Way::Password];
        let local = told("http://127.0.0.1:9000", both()).expect("an address");
        assert!(local.ends_with("make the issuer http://localhost:9000"));
        let other = told("https://192.0.2.1", both()).expect("an address");
        assert!(other.ends_with("make the issuer a URL with a host name"));
        assert_eq!(told("http://localhost:9000", both()), None);
        assert_eq!(told("http://127.0.0.1:9000", vec![Way::Password]), None);
    }

    #[test]
    fn c009_dc7_nonsense_names_the_key_and_the_remedy() {
        for (text, key, remedy) in [
            ("[code]\nlifetime_seconds = 30", "code", "[person]"),
            ("[refresh]", "refresh", "[person]"),
            (
                "profile = \"fapi2\"\n[person]",
                "person",
                "pushed authorization requests",
            ),
            ("[person]\nsign_in = []", "person.sign_in", "password"),
            (
                "[person]\nsign_in = [\"passkey\"]",
                "person.sign_in",
                "http://localhost:8080",
            ),
            (
                "issuer = \"https://192.0.2.1\"\nbehind_proxy = true\n[person]\nsign_in = [\"passkey\"]",
                "person.sign_in",
                "a URL with a host name",
            ),
            (
                "[person]\nsign_in = [\"sms\"]",
                "person.sign_in",
                "password",
            ),
            (
                "[person]\nsession_hours = 0",
                "person.session_hours",
                "between 1",
            ),
            (
                "[person]\nsession_idle_minutes = 2000",
                "person.session_idle_minutes",
                "between 1",
            ),
            (
                "[person]\npermission_unused_days = 0",
                "person.permission_unused_days",
                "between 1",
            ),
            (
                "[person]\n[code]\nlifetime_seconds = 601",
                "code.lifetime_seconds",
                "600",
            ),
            (
                "[person]\n[refresh]\nretry_seconds = 301",
                "refresh.retry_seconds",
                "300",
            ),
            ("[person]\nsign_ins = []", "sign_ins", "unknown field"),
            (
                "issuer = \"http://as.example\"\nbehind_proxy = true\n[person]",
                "issuer",
                "http",
            ),
        ] {
            let error = checked(text).expect_err(text);
            assert!(
                error.contains(key) && error.contains(remedy),
                "{text}: {error}"
            );
        }
    }
}
