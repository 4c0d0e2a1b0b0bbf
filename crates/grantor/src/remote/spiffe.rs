//! What a SPIFFE bundle says beside its keys (SPIFFE Trust Domain and Bundle §4.1).

use std::time::Duration;

use grantor_jose::json;

/// `spiffe_refresh_hint`: after how long its publisher wants a bundle to be read again. One that is
/// no whole number of seconds is none.
pub(super) fn refresh_hint(bundle: &[u8]) -> Option<Duration> {
    let bundle = json::parse_object(bundle).ok()?;
    let seconds = bundle.get("spiffe_refresh_hint")?.as_u64()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t009_a_hint_is_a_whole_number_of_seconds() {
        for (hint, expected) in [
            ("60", Some(60)),
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("-1", None),
            ("1.5", None),
            (r#""60""#, None),
            ("null", None),
        ] {
            let bundle = format!(r#"{{"keys":[],"spiffe_refresh_hint":{hint}}}"#);
            let got = refresh_hint(bundle.as_bytes());
            assert_eq!(got, expected.map(Duration::from_secs), "{hint}");
        }
        assert_eq!(refresh_hint(br#"{"keys":[]}"#), None);
    }
}
