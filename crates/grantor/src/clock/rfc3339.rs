//! Times as people and documents write them: in UTC, in whole seconds. For members of documents, by
//! `#[serde(with = "...")]`.

use serde::{Deserialize, Deserializer, Serializer, de::Error};

use super::UnixTime;

/// A time in UTC (RFC 3339), in whole seconds.
#[must_use]
pub fn time_text(at: UnixTime) -> String {
    jiff::Timestamp::from_second(at.seconds())
        .map_or_else(|_| at.to_string(), |timestamp| timestamp.to_string())
}

/// Writes a time.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(at: &UnixTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&time_text(*at))
}

/// Reads a time.
///
/// # Errors
/// It is no text of RFC 3339.
pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    let at: jiff::Timestamp = text
        .parse()
        .map_err(|_| D::Error::custom("expected a time such as 2030-01-31T12:00:00Z"))?;
    Ok(UnixTime::from_millis(at.as_millisecond()))
}

/// A time of a filter, to the millisecond, that may be absent: what is asked for elsewhere is what is
/// asked for here.
pub mod exact {
    use serde::Serializer;

    pub use super::optional::deserialize;
    use crate::clock::UnixTime;

    /// Writes it, or null.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        at: &Option<UnixTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let text = |at: UnixTime| {
            let exact = jiff::Timestamp::from_millisecond(at.millis());
            exact.map_or_else(|_| at.to_string(), |timestamp| timestamp.to_string())
        };
        match at {
            Some(at) => serializer.collect_str(&text(*at)),
            None => serializer.serialize_none(),
        }
    }
}

/// A time that may be absent, or null.
pub mod optional {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::clock::UnixTime;

    #[derive(Deserialize)]
    struct Read(#[serde(deserialize_with = "super::read")] UnixTime);

    /// Writes it, or null.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        at: &Option<UnixTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => super::serialize(at, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads it, or null.
    ///
    /// # Errors
    /// It is no text of RFC 3339.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<UnixTime>, D::Error> {
        Ok(Option::<Read>::deserialize(deserializer)?.map(|Read(at)| at))
    }
}
